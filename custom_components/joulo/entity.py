"""What all entities have in common: an owner, which is a charger or the account, and its device."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, override

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.entity import Entity, EntityDescription
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .const import DOMAIN
from .coordinator import JouloCoordinator
from .devices import unique_id


@dataclass(frozen=True, kw_only=True)
class JouloEntityDescription[StateT](EntityDescription):
    """When an entity exists at all, and when it has an answer to show."""

    exists_fn: Callable[[StateT], bool] = lambda _: True
    available_fn: Callable[[StateT], bool] = lambda _: True


class JouloEntity[StateT](CoordinatorEntity[JouloCoordinator[StateT]]):
    """An entity that shows its owner's state."""

    _attr_has_entity_name = True
    entity_description: JouloEntityDescription[StateT]

    def __init__(
        self,
        coordinator: JouloCoordinator[StateT],
        device_key: str,
        description: JouloEntityDescription[StateT],
    ) -> None:
        """Attach to the owner's device, which the coordinator has registered."""
        super().__init__(coordinator)
        self.entity_description = description
        self._device_key = device_key
        self._attr_translation_key = description.key
        self._attr_unique_id = unique_id(device_key, description.key)
        self._attr_device_info = DeviceInfo(identifiers={(DOMAIN, device_key)})

    @property
    def device_state(self) -> StateT:
        """The owner's state; only while the entity is available."""
        return self.coordinator.data[self._device_key]

    @property
    @override
    def available(self) -> bool:
        return (
            super().available
            and self._device_key in self.coordinator.data
            and self.entity_description.available_fn(self.device_state)
        )


@callback
def async_add_joulo_entities[StateT, DescriptionT: JouloEntityDescription[Any]](
    coordinator: JouloCoordinator[StateT],
    descriptions: Iterable[DescriptionT],
    entity_class: Callable[[JouloCoordinator[StateT], str, DescriptionT], Entity],
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add what exists by now, and what comes later: a new charger, or a figure sent for the first time."""
    hass, entry = coordinator.hass, coordinator.config_entry
    devices = dr.async_get(hass)
    # What existed before a restart still does, even if this answer happens to lack its figure.
    registered = _unique_ids(hass, entry)
    known: set[tuple[str, str]] = set()

    @callback
    def add_new() -> None:
        missing = [
            (device_key, description)
            for device_key, state in coordinator.data.items()
            for description in descriptions
            if (device_key, description.key) not in known
            and (
                description.exists_fn(state) or unique_id(device_key, description.key) in registered
            )
        ]
        if not missing:
            return
        taken = _taken_elsewhere(hass, entry)
        new = {
            (device_key, description.key): entity_class(coordinator, device_key, description)
            for device_key, description in missing
            if unique_id(device_key, description.key) not in taken
        }
        known.update(new)
        async_add_entities(new.values())

    @callback
    def is_removal(data: dr.EventDeviceRegistryUpdatedData) -> bool:
        return data["action"] == "remove"

    @callback
    def forget_removed(_event: Event[dr.EventDeviceRegistryUpdatedData]) -> None:
        """Let a charger whose device went get new entities when it comes back."""
        for device_key, key in tuple(known):
            if not devices.async_get_device_by_identifier((DOMAIN, device_key), entry.entry_id):
                known.discard((device_key, key))

    add_new()
    entry.async_on_unload(coordinator.async_add_listener(add_new))
    entry.async_on_unload(
        hass.bus.async_listen(dr.EVENT_DEVICE_REGISTRY_UPDATED, forget_removed, is_removal)
    )


def _unique_ids(hass: HomeAssistant, entry: ConfigEntry) -> set[str]:
    entities = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    return {entity.unique_id for entity in entities}


def _taken_elsewhere(hass: HomeAssistant, entry: ConfigEntry) -> set[str]:
    """Return the unique ids that other accounts hold: a charger that moves waits until it is let go."""
    others = hass.config_entries.async_entries(DOMAIN, include_disabled=False)
    return set().union(*(_unique_ids(hass, other) for other in others if other is not entry))
