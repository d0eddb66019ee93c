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
from .coordinator import ChargerState, VehicleState
from .data import JouloConfigEntry
from .entity import JouloEntity, JouloEntityDescription, async_add_joulo_entities

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class JouloBinarySensorDescription[StateT](
    JouloEntityDescription[StateT], BinarySensorEntityDescription
):
    """Description of a binary sensor: its value as a function of its device's state."""

    is_on_fn: Callable[[StateT], bool | None]


def _is_connected(state: ChargerState) -> bool | None:
    status = state.charger.status
    if not isinstance(status, ChargerStatus) or status is ChargerStatus.UNKNOWN:
        return None
    return status not in {ChargerStatus.OFFLINE, ChargerStatus.UNAVAILABLE}


CHARGER_BINARY_SENSORS: tuple[JouloBinarySensorDescription[ChargerState], ...] = (
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

VEHICLE_BINARY_SENSORS: tuple[JouloBinarySensorDescription[VehicleState], ...] = (
    JouloBinarySensorDescription(
        key="charging",
        device_class=BinarySensorDeviceClass.BATTERY_CHARGING,
        available_fn=lambda state: state.is_reachable,
        is_on_fn=lambda state: state.is_charging,
    ),
)


async def async_setup_entry(
    _hass: HomeAssistant,
    entry: JouloConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the binary sensors of the chargers and the vehicles."""
    data = entry.runtime_data
    async_add_joulo_entities(
        data.chargers, CHARGER_BINARY_SENSORS, JouloBinarySensor, async_add_entities
    )
    async_add_joulo_entities(
        data.vehicles, VEHICLE_BINARY_SENSORS, JouloBinarySensor, async_add_entities
    )


class JouloBinarySensor[StateT](JouloEntity[StateT], BinarySensorEntity):
    """Something that is so, or not, about a charger or a vehicle."""

    entity_description: JouloBinarySensorDescription[StateT]

    @override
    def _shown(self, state: StateT) -> object:
        return self.entity_description.is_on_fn(state)

    @property
    @override
    def is_on(self) -> bool | None:
        return self.entity_description.is_on_fn(self.device_state)
