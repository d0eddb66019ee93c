"""Binary sensors of a charger."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import override

from homeassistant.components.binary_sensor import (
    BinarySensorEntity,
    BinarySensorEntityDescription,
)
from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .api import ChargerStatus
from .coordinator import ChargerState
from .data import JouloConfigEntry
from .entity import JouloEntity, JouloEntityDescription, async_add_joulo_entities

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class JouloBinarySensorDescription(
    JouloEntityDescription[ChargerState], BinarySensorEntityDescription
):
    """Description of a binary sensor: its value as a function of a charger's state."""

    is_on_fn: Callable[[ChargerState], bool | None]


def _is_connected(state: ChargerState) -> bool | None:
    status = state.charger.status
    if not isinstance(status, ChargerStatus) or status is ChargerStatus.UNKNOWN:
        return None
    return status not in {ChargerStatus.OFFLINE, ChargerStatus.UNAVAILABLE}


CHARGER_BINARY_SENSORS = (
    JouloBinarySensorDescription(
        key="charging",
        device_class=BinarySensorDeviceClass.BATTERY_CHARGING,
        is_on_fn=lambda state: state.charger.is_charging,
    ),
    JouloBinarySensorDescription(
        key="connectivity",
        device_class=BinarySensorDeviceClass.CONNECTIVITY,
        entity_category=EntityCategory.DIAGNOSTIC,
        is_on_fn=_is_connected,
    ),
    JouloBinarySensorDescription(
        key="mid_certified",
        entity_category=EntityCategory.DIAGNOSTIC,
        is_on_fn=lambda state: state.charger.mid_certified,
    ),
)


async def async_setup_entry(
    _hass: HomeAssistant,
    entry: JouloConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the binary sensors of the chargers."""
    async_add_joulo_entities(
        entry.runtime_data.chargers, CHARGER_BINARY_SENSORS, JouloBinarySensor, async_add_entities
    )


class JouloBinarySensor(JouloEntity[ChargerState], BinarySensorEntity):
    """Something that is so, or not, about a charger."""

    entity_description: JouloBinarySensorDescription

    @override
    def _shown(self, state: ChargerState) -> object:
        return self.entity_description.is_on_fn(state)

    @property
    @override
    def is_on(self) -> bool | None:
        return self.entity_description.is_on_fn(self.device_state)
