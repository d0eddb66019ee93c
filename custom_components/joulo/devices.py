"""The device registry: chargers below their account, added, renamed and removed without a reload."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.typing import UNDEFINED

from .api import Charger, ConnectionType
from .const import DOMAIN

if TYPE_CHECKING:
    from .data import JouloConfigEntry

_DASHBOARD = "https://joulo.nl/dashboard"

_MODELS = {
    ConnectionType.EASEE: "Easee",
    ConnectionType.WALLBOX: "Wallbox",
    ConnectionType.ZAPTEC: "Zaptec",
    ConnectionType.ENPHASE: "Enphase",
    ConnectionType.OCPP: "OCPP",
    ConnectionType.SMAPPEE: "Smappee",
    ConnectionType.V2C: "V2C",
}
"""Proper names of the connections that have one."""


def unique_id(device_key: str, key: str) -> str:
    """Return the unique id of an entity, by the key of its device and its own."""
    return f"{device_key}_{key}"


@callback
def charger_ids(registry: dr.DeviceRegistry, entry: JouloConfigEntry) -> set[str]:
    """Return the ids of the chargers that have a device, added in this run or an earlier one."""
    return {
        identifier
        for device in _charger_devices(registry, entry)
        for domain, identifier in device.identifiers
        if domain == DOMAIN and identifier != entry.entry_id
    }


@callback
def charger_names(registry: dr.DeviceRegistry, entry: JouloConfigEntry) -> dict[str, str]:
    """Return the names of the chargers in Home Assistant, by id."""
    return {
        identifier: name
        for device in _charger_devices(registry, entry)
        for _, identifier in device.identifiers
        if (name := device.name_by_user or device.name) and identifier != entry.entry_id
    }


@callback
def charger_name(
    registry: dr.DeviceRegistry, entry: JouloConfigEntry, charger_id: str
) -> str | None:
    """Return the name of a charger in Home Assistant; unknown once its device was removed."""
    device = registry.async_get_device_by_identifier((DOMAIN, charger_id), entry.entry_id)
    return (device.name_by_user or device.name) if device else None


def _charger_devices(
    registry: dr.DeviceRegistry, entry: JouloConfigEntry
) -> Iterator[dr.DeviceEntry]:
    """Yield the devices of the account and its chargers, without those of its vehicles."""
    for device in dr.async_entries_for_config_entry(registry, entry.entry_id):
        if device.config_subentry_id is None:
            yield device


@callback
def has_charger_since(
    registry: dr.DeviceRegistry, entry: JouloConfigEntry, since: datetime, now: datetime
) -> bool:
    """Whether a charger was added after a moment. One of the future is of a clock that was wrong then."""
    return any(since < device.created_at <= now for device in _charger_devices(registry, entry))


class ChargerDevices:
    """The devices of one account."""

    def __init__(self, hass: HomeAssistant, entry: JouloConfigEntry) -> None:
        self._registry = dr.async_get(hass)
        self._entry = entry
        self._answer: tuple[Charger, ...] | None = None
        self._missing: set[str] = set()

    @callback
    def async_sync(self, chargers: tuple[Charger, ...]) -> set[str]:
        """Follow a fresh answer. Return the ids of the chargers whose devices were removed.

        A charger is removed when two answers in a row list others but not it. An empty answer removes
        nothing: it is how a hiccup looks.
        """
        self._register(chargers)
        if not chargers:
            return set()
        listed = {charger.id for charger in chargers}
        missing = charger_ids(self._registry, self._entry) - listed
        gone = missing & self._missing
        for charger_id in gone:
            self._remove(charger_id)
        self._missing = missing - gone
        return gone

    def _register(self, chargers: tuple[Charger, ...]) -> None:
        """Register the account once, and every charger that is new or looks otherwise than before."""
        if self._answer is None:
            self._register_account()
        before = {_looks(charger) for charger in self._answer or ()}
        for charger in chargers:
            if _looks(charger) not in before:
                self._register_charger(charger)
        self._answer = chargers

    def _register_account(self) -> None:
        self._account_device_id = self._registry.async_get_or_create(
            config_entry_id=self._entry.entry_id,
            identifiers={(DOMAIN, self._entry.entry_id)},
            entry_type=dr.DeviceEntryType.SERVICE,
            name=self._entry.title,
            manufacturer="Joulo",
            configuration_url=_DASHBOARD,
        ).id

    def _register_charger(self, charger: Charger) -> None:
        connection = charger.connection_type
        self._registry.async_get_or_create(
            config_entry_id=self._entry.entry_id,
            identifiers={(DOMAIN, charger.id)},
            model=_MODELS.get(connection, UNDEFINED)
            if isinstance(connection, ConnectionType)
            else UNDEFINED,
            via_device_id=self._account_device_id,
            name=charger.nickname or UNDEFINED,
            # One without a nickname is called by what it is.
            translation_key=None if charger.nickname else "charger",
        )

    def _remove(self, charger_id: str) -> None:
        device = self._registry.async_get_device_by_identifier(
            (DOMAIN, charger_id), self._entry.entry_id
        )
        if device is not None:
            self._registry.async_remove_device(device.id)


def _looks(charger: Charger) -> tuple[object, ...]:
    """Return what a charger's device shows of it."""
    return charger.id, charger.nickname, charger.connection_type
