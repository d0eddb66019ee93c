"""Adding and changing a vehicle as a user does."""

from typing import Any

from homeassistant.config_entries import SOURCE_RECONFIGURE, SOURCE_USER, ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from pytest_homeassistant_custom_component.common import MockConfigEntry


async def open_form(
    hass: HomeAssistant, entry: MockConfigEntry, vehicle: ConfigSubentry | None = None
) -> Any:
    """Open the form for a new vehicle, or for one that there is."""
    context: Any = {"source": SOURCE_USER if vehicle is None else SOURCE_RECONFIGURE}
    if vehicle is not None:
        context["subentry_id"] = vehicle.subentry_id
    return await hass.config_entries.subentries.async_init(
        (entry.entry_id, "vehicle"), context=context
    )


async def submit(hass: HomeAssistant, form: Any, name: str, **data: Any) -> Any:
    """Submit a form, and wait for the reload that may follow."""
    result = await hass.config_entries.subentries.async_configure(
        form["flow_id"], {"name": name, "tags": [], "chargers": [], **data}
    )
    await hass.async_block_till_done(wait_background_tasks=True)
    return result


async def add_vehicle(
    hass: HomeAssistant, entry: MockConfigEntry, name: str = "Zoe", **data: Any
) -> ConfigSubentry:
    """Add a vehicle, and return its subentry."""
    before = {*entry.subentries}
    result = await submit(hass, await open_form(hass, entry), name, **data)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    (new,) = {*entry.subentries} - before
    return entry.subentries[new]
