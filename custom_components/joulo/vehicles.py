"""The vehicles that a user has set up: subentries of an account, and their devices."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import CONF_ENTITY_ID
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .price import day_of
from .sessions.vehicles import Vehicle, comparable

if TYPE_CHECKING:
    from .data import JouloConfigEntry

SUBENTRY_VEHICLE: Final = "vehicle"
CONF_TAGS: Final = "tags"
CONF_CHARGERS: Final = "chargers"
CONF_SINCE: Final = "since"
LONGEST_NAME: Final = 100
"""Characters; states and names of statistics end at 255."""


def vehicle_key(vehicle_id: str) -> str:
    """Return the key of a vehicle's device, by the id of its subentry."""
    return f"vehicle_{vehicle_id}"


def vehicles_of(entry: JouloConfigEntry) -> tuple[Vehicle, ...]:
    """Return the vehicles of an account."""
    return tuple(_vehicle(subentry) for subentry in vehicle_subentries(entry))


def vehicle_subentries(entry: JouloConfigEntry) -> list[ConfigSubentry]:
    """Return the subentries of an account that are vehicles."""
    return entry.get_subentries_of_type(SUBENTRY_VEHICLE)


def entity_ids_of(entry: JouloConfigEntry) -> dict[str, str]:
    """Return the ids of cars at DER Connect by the ids of their vehicles, of those that have one."""
    return {
        subentry.subentry_id: entity_id
        for subentry in vehicle_subentries(entry)
        if (entity_id := subentry.data.get(CONF_ENTITY_ID))
    }


def since_of(data: Mapping[str, Any]) -> datetime | None:
    """Return the beginning of the day since which a vehicle has its tags and chargers, in Home Assistant's zone."""
    day = data.get(CONF_SINCE)
    return dt_util.start_of_local_day(day_of(day)) if day else None


def vehicle_tags(subentry: ConfigSubentry) -> frozenset[str]:
    """Return the tags of a vehicle, as they are compared."""
    return frozenset(comparable(tag) for tag in subentry.data.get(CONF_TAGS, ()))


def _vehicle(subentry: ConfigSubentry) -> Vehicle:
    data = subentry.data
    return Vehicle(
        id=subentry.subentry_id,
        name=subentry.title,
        tags=vehicle_tags(subentry),
        chargers=frozenset(data.get(CONF_CHARGERS, ())),
        since=since_of(data),
    )


@callback
def async_register_vehicles(hass: HomeAssistant, entry: JouloConfigEntry) -> None:
    """Register a device for each vehicle, below that of the account, which has to be there."""
    registry = dr.async_get(hass)
    account = registry.async_get_device_by_identifier((DOMAIN, entry.entry_id), entry.entry_id)
    for subentry in vehicle_subentries(entry):
        registry.async_get_or_create(
            config_entry_id=entry.entry_id,
            config_subentry_id=subentry.subentry_id,
            identifiers={(DOMAIN, vehicle_key(subentry.subentry_id))},
            name=subentry.title,
            via_device_id=account.id if account else None,
        )
