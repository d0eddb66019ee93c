"""The event entity of a charger: its charging sessions as they start and end."""

from dataclasses import dataclass
from typing import Any, override

from homeassistant.components.event import EventEntity, EventEntityDescription
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .announcer import EVENT_KEY, Announcement
from .coordinator import ChargerState, JouloConfigEntry
from .entity import JouloEntity, JouloEntityDescription, async_add_joulo_entities

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class JouloEventDescription(JouloEntityDescription[ChargerState], EventEntityDescription):
    """What an event entity tells of."""


CHARGER_EVENTS = (
    JouloEventDescription(
        key=EVENT_KEY, event_types=[announcement.value for announcement in Announcement]
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
    """Tells of sessions also while Joulo cannot be reached: it is about what has happened."""

    entity_description: JouloEventDescription

    @property
    @override
    def available(self) -> bool:
        return True

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        announcer = self.coordinator.config_entry.runtime_data.announcer
        self.async_on_remove(announcer.async_listen(self._device_key, self._async_tell))

    @callback
    def _async_tell(self, announcement: Announcement, attributes: dict[str, Any]) -> None:
        self._trigger_event(announcement, attributes)
        self.async_write_ha_state()
