"""Base of all entities: a device key, the state of that device, and writing only when something changed."""

from abc import abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, override

from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.entity import Entity, EntityDescription
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.event import async_call_later
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .const import DOMAIN
from .coordinator import JouloCoordinator
from .data import JouloConfigEntry
from .devices import unique_id

_RETRY = 60.0
"""Seconds between two looks at whether another account has let go of a charger."""
_UNAVAILABLE = object()


@dataclass(frozen=True, kw_only=True)
class JouloEntityDescription[StateT](EntityDescription):
    """Conditions of an entity: whether a device has it at all, and whether its figure was read."""

    exists_fn: Callable[[StateT], bool] | None = None
    """Whether the device has the entity; None where every device has it, also before its first state."""
    available_fn: Callable[[StateT], bool] = lambda _: True


class JouloEntity[StateT](CoordinatorEntity[JouloCoordinator[StateT]]):
    """An entity that shows the state of its device."""

    _attr_has_entity_name = True
    entity_description: JouloEntityDescription[StateT]

    def __init__(
        self,
        coordinator: JouloCoordinator[StateT],
        device_key: str,
        description: JouloEntityDescription[StateT],
    ) -> None:
        """Attach to the device of that key, which the coordinator has registered."""
        super().__init__(coordinator)
        self.entity_description = description
        self._device_key = device_key
        self._written: tuple[bool, StateT | None, object] | None = None
        self._attr_translation_key = description.key
        self._attr_unique_id = unique_id(device_key, description.key)
        self._attr_device_info = DeviceInfo(identifiers={(DOMAIN, device_key)})

    @property
    def device_state(self) -> StateT:
        """The state of the device; only while the entity is available."""
        return self.coordinator.data[self._device_key]

    @property
    @override
    def available(self) -> bool:
        return (
            super().available
            and self._device_key in self.coordinator.data
            and self.entity_description.available_fn(self.device_state)
        )

    @abstractmethod
    def _shown(self, state: StateT) -> object:
        """Return what the entity shows of the state; nothing is written while it stays equal."""

    @override
    async def async_added_to_hass(self) -> None:
        self._has_news()
        await super().async_added_to_hass()

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        if self._has_news():
            self.async_write_ha_state()

    def _has_news(self) -> bool:
        """Whether the entity shows something else than when this was last asked."""
        success = self.coordinator.last_update_success
        state = self.coordinator.data.get(self._device_key)
        before = self._written
        # The coordinator keeps the object of a state that is equal: most entities end here.
        if before is not None and before[0] is success and before[1] is state:
            return False
        shown = self._shown(state) if state is not None and self.available else _UNAVAILABLE
        self._written = (success, state, shown)
        return before is None or before[2] != shown


@callback
def async_add_joulo_entities[StateT, DescriptionT: JouloEntityDescription[Any]](
    coordinator: JouloCoordinator[StateT],
    descriptions: Iterable[DescriptionT],
    entity_class: Callable[[JouloCoordinator[StateT], str, DescriptionT], Entity],
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the entities of the devices that are known, and later those of new devices and first figures."""
    _EntityAdder(coordinator, tuple(descriptions), entity_class, async_add_entities).async_start()


class _EntityAdder[StateT, DescriptionT: JouloEntityDescription[Any]]:
    """Adds the entities of one platform and coordinator, each as soon as its device has it."""

    def __init__(
        self,
        coordinator: JouloCoordinator[StateT],
        descriptions: tuple[DescriptionT, ...],
        entity_class: Callable[[JouloCoordinator[StateT], str, DescriptionT], Entity],
        async_add_entities: AddConfigEntryEntitiesCallback,
    ) -> None:
        self._coordinator = coordinator
        self._descriptions = descriptions
        self._entity_class = entity_class
        self._async_add_entities = async_add_entities
        self._hass, self._entry = coordinator.hass, coordinator.config_entry
        # What existed before a restart still does, even if this answer happens to lack its figure.
        self._registered = _unique_ids(self._hass, self._entry)
        self._added: set[tuple[str, str]] = set()
        self._examined: dict[str, StateT | None] = {}
        self._cancel_retry: CALLBACK_TYPE | None = None

    @callback
    def async_start(self) -> None:
        """Add entities from now on, until the entry is unloaded."""
        self._async_add_new()
        for unsubscribe in (
            self._coordinator.async_add_listener(self._async_add_new),
            self._hass.bus.async_listen(
                dr.EVENT_DEVICE_REGISTRY_UPDATED, self._async_forget_removed, self._is_removal
            ),
            self._async_cancel_retry,
        ):
            self._entry.async_on_unload(unsubscribe)

    @callback
    def _async_add_new(self) -> None:
        data = self._coordinator.data
        states = {key: data.get(key) for key in self._coordinator.device_keys}
        missing = [
            (device_key, description)
            for device_key, state in states.items()
            if device_key not in self._examined or self._examined[device_key] is not state
            for description in self._descriptions
            if (device_key, description.key) not in self._added
            and self._exists(device_key, description, state)
        ]
        self._examined = states
        if missing:
            self._async_add(missing)

    def _exists(self, device_key: str, description: DescriptionT, state: StateT | None) -> bool:
        return (
            description.exists_fn is None
            or unique_id(device_key, description.key) in self._registered
            or (state is not None and description.exists_fn(state))
        )

    @callback
    def _async_add(self, missing: Iterable[tuple[str, DescriptionT]]) -> None:
        taken = _taken_elsewhere(self._hass, self._entry)
        new: dict[str | None, list[Entity]] = {}
        for device_key, description in missing:
            if unique_id(device_key, description.key) in taken:
                self._async_retry_later(device_key)
            else:
                self._added.add((device_key, description.key))
                subentry_id = self._coordinator.subentry_ids.get(device_key)
                entity = self._entity_class(self._coordinator, device_key, description)
                new.setdefault(subentry_id, []).append(entity)
        for subentry_id, entities in new.items():
            self._async_add_entities(entities, config_subentry_id=subentry_id)

    @callback
    def _async_retry_later(self, device_key: str) -> None:
        """Examine a device again in a minute: another account holds entities of it, until it lets go."""
        self._examined.pop(device_key, None)
        if self._cancel_retry is None:
            self._cancel_retry = async_call_later(self._hass, _RETRY, self._async_retry)

    @callback
    def _async_retry(self, _now: datetime) -> None:
        self._cancel_retry = None
        self._async_add_new()

    @callback
    def _async_cancel_retry(self) -> None:
        if self._cancel_retry is not None:
            self._cancel_retry()

    @callback
    def _is_removal(self, data: dr.EventDeviceRegistryUpdatedData) -> bool:
        return data["action"] == "remove"

    @callback
    def _async_forget_removed(self, _event: Event[dr.EventDeviceRegistryUpdatedData]) -> None:
        """Forget the entities of removed devices, so that a charger that comes back gets new ones."""
        devices = dr.async_get(self._hass)
        for device_key, key in tuple(self._added):
            identifier = (DOMAIN, device_key)
            if not devices.async_get_device_by_identifier(identifier, self._entry.entry_id):
                self._added.discard((device_key, key))
                self._examined.pop(device_key, None)


def _unique_ids(hass: HomeAssistant, entry: JouloConfigEntry) -> set[str]:
    entities = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    return {entity.unique_id for entity in entities}


def _taken_elsewhere(hass: HomeAssistant, entry: JouloConfigEntry) -> set[str]:
    """Return the unique ids that other accounts hold: a charger that moves waits until it is let go."""
    others = hass.config_entries.async_entries(DOMAIN, include_disabled=False)
    return set().union(*(_unique_ids(hass, other) for other in others if other is not entry))
