"""Filling in the forms of the integration as a user does."""

from typing import Any

from homeassistant.config_entries import (
    SOURCE_USER,
    ConfigEntry,
    ConfigEntryState,
    ConfigFlowResult,
)
from homeassistant.const import CONF_TOKEN, CONF_URL
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from custom_components.joulo.const import CONF_ADVANCED, DOMAIN
from tests.simulator import DEMO_TOKEN


async def begin(hass: HomeAssistant) -> ConfigFlowResult:
    """Open the form for a new account."""
    return await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})


async def submit(
    hass: HomeAssistant, form: ConfigFlowResult, url: str | None, token: str = DEMO_TOKEN
) -> ConfigFlowResult:
    """Submit a form, with the address where it asks for one, and wait for what may be loaded."""
    address = {} if url is None else {CONF_ADVANCED: {CONF_URL: url}}
    result = await hass.config_entries.flow.async_configure(
        form["flow_id"], {CONF_TOKEN: token, **address}
    )
    await hass.async_block_till_done(wait_background_tasks=True)
    return result


async def add_account(hass: HomeAssistant, url: str, token: str = DEMO_TOKEN) -> ConfigFlowResult:
    """Open the form for a new account and submit it."""
    return await submit(hass, await begin(hass), url, token)


def assert_created(result: ConfigFlowResult) -> ConfigEntry[Any]:
    """Check that an entry came of it, and runs."""
    assert result["type"] is FlowResultType.CREATE_ENTRY
    entry: ConfigEntry[Any] = result["result"]
    assert entry.state is ConfigEntryState.LOADED
    return entry


def assert_error(result: ConfigFlowResult, error: str) -> None:
    """Check that the form is shown again, with an error."""
    assert result["type"] is FlowResultType.FORM
    assert result["errors"] == {"base": error}


def assert_ended(result: ConfigFlowResult, reason: str) -> None:
    """Check that the flow is over."""
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == reason


def states(hass: HomeAssistant) -> dict[str, str]:
    """Return what every entity shows."""
    return {state.entity_id: state.state for state in hass.states.async_all()}
