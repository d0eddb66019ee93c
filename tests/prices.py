"""Setting a price as a user does, and what a price sensor of another integration leaves in the recorder."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from homeassistant.components.recorder.db_schema import Statistics, StatisticsShortTerm
from homeassistant.components.recorder.models import (
    StatisticData,
    StatisticMeanType,
    StatisticMetaData,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers.recorder import get_instance
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)

SENSOR = "sensor.electricity_price"


async def submit_price(hass: HomeAssistant, entry: MockConfigEntry, **price: Any) -> Any:
    """Submit the options with a price, or none; return what comes of it."""
    form = await hass.config_entries.options.async_init(entry.entry_id)
    result = await hass.config_entries.options.async_configure(
        form["flow_id"], {"chargers_interval": 60, "price": price}
    )
    await hass.async_block_till_done(wait_background_tasks=True)
    return result


async def set_price(
    hass: HomeAssistant, entry: MockConfigEntry, *, since: str | None = None, **price: Any
) -> None:
    """Set a price, or none, since a day or for all sessions; where another one was set, answer since when."""
    day = {} if since is None else {"price_since": since}
    result = await submit_price(hass, entry, **price, **day)
    if result.get("step_id") == "price_since":
        result = await hass.config_entries.options.async_configure(result["flow_id"], day)
        await hass.async_block_till_done(wait_background_tasks=True)
    assert result["type"] == "create_entry", result


def show_price(
    hass: HomeAssistant, price: float | str, unit: str = "EUR/kWh", entity_id: str = SENSOR
) -> None:
    """Let the sensor say what a kWh costs now."""
    attributes = {"unit_of_measurement": unit, "state_class": "measurement"}
    hass.states.async_set(entity_id, str(price), attributes)


def price_metadata(entity_id: str, unit: str) -> StatisticMetaData:
    """Return what the recorder keeps beside the means of a price sensor."""
    return StatisticMetaData(
        has_sum=False,
        mean_type=StatisticMeanType.ARITHMETIC,
        name=None,
        source="recorder",
        statistic_id=entity_id,
        unit_class=None,
        unit_of_measurement=unit,
    )


async def record_prices(
    hass: HomeAssistant,
    hourly: Mapping[datetime, float],
    slots: Mapping[datetime, float] | None = None,
    *,
    unit: str = "EUR/kWh",
    entity_id: str = SENSOR,
) -> None:
    """Let the recorder hold the means of the sensor, of hours and of slots of five minutes."""
    metadata = price_metadata(entity_id, unit)
    instance = get_instance(hass)
    for table, means in ((Statistics, hourly), (StatisticsShortTerm, slots or {})):
        rows = [
            StatisticData(start=at, mean=mean, min=mean, max=mean) for at, mean in means.items()
        ]
        instance.async_import_statistics(metadata, rows, table)
    await async_wait_recording_done(hass)
