"""The event entity of a charger: its charging sessions as they start and end."""

from dataclasses import dataclass
from typing import Any, override

from homeassistant.components.event import EventEntity, EventEntityDescription
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import EVENT_KEY
from .coordinator import ChargerState
from .data import JouloConfigEntry
from .entity import JouloEntity, JouloEntityDescription, async_add_joulo_entities
from .sessions.model import SessionEventType

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class JouloEventDescription(JouloEntityDescription[ChargerState], EventEntityDescription):
    """Description of an event entity. It only names the entity and its event types."""


CHARGER_EVENTS = (
    JouloEventDescription(
        key=EVENT_KEY, event_types=[event_type.value for event_type in SessionEventType]
    ),
)


async def async_setup_entry(
    _hass: HomeAssistant,
    entry: JouloConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the event entities of the chargers."""
    async_add_joulo_entities(
        entry.runtime_data.chargers, CHARGER_EVENTS, JouloEvent, async_add_entities
    )


class JouloEvent(JouloEntity[ChargerState], EventEntity):
    """The charging sessions of a charger; available also while Joulo cannot be reached."""

    entity_description: JouloEventDescription

    @property
    @override
    def available(self) -> bool:
        return True

    @override
    def _shown(self, state: ChargerState) -> object:
        return None

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        publisher = self.coordinator.config_entry.runtime_data.publisher
        self.async_on_remove(publisher.async_subscribe(self._device_key, self._async_fire))

    @callback
    def _async_fire(self, event_type: SessionEventType, attributes: dict[str, Any]) -> None:
        self._trigger_event(event_type, attributes)
        self.async_write_ha_state()
