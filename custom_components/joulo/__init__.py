"""Joulo: charging sessions, ERE credits and what they pay out."""

import asyncio

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers.device_registry import AnyDeviceEntry

from .cloud import async_get_client, credentials_of
from .const import DOMAIN
from .coordinator import (
    AccountCoordinator,
    ChargersCoordinator,
    JouloConfigEntry,
    JouloData,
    SessionsCoordinator,
)
from .history import SessionHistory

PLATFORMS = [Platform.BINARY_SENSOR, Platform.BUTTON, Platform.SENSOR]


async def async_setup_entry(hass: HomeAssistant, entry: JouloConfigEntry) -> bool:
    """Set up an account; only the chargers decide whether that succeeds."""
    client = async_get_client(hass, credentials_of(entry))
    history = SessionHistory(hass, entry.entry_id)
    await history.async_load()
    chargers = ChargersCoordinator(hass, entry, client, history)
    await chargers.async_config_entry_first_refresh()
    sessions = SessionsCoordinator(chargers)
    account = AccountCoordinator(chargers)
    await asyncio.gather(sessions.async_refresh_or_soon(), account.async_refresh_or_soon())
    entry.runtime_data = JouloData(chargers, sessions, account)
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    return True


async def async_unload_entry(hass: HomeAssistant, entry: JouloConfigEntry) -> bool:
    """Unload an account; what it knows of its sessions is written."""
    unloaded = await hass.config_entries.async_unload_platforms(entry, PLATFORMS)
    if unloaded:
        await entry.runtime_data.chargers.history.async_close()
    return unloaded


async def async_remove_entry(hass: HomeAssistant, entry: JouloConfigEntry) -> None:
    """Delete the stored sessions of an account that is removed."""
    await SessionHistory(hass, entry.entry_id).async_remove()


async def async_remove_config_entry_device(
    _hass: HomeAssistant, entry: JouloConfigEntry, device_entry: AnyDeviceEntry
) -> bool:
    """Let a user delete a charger that Joulo does not list any more."""
    if entry.state is not ConfigEntryState.LOADED:
        return False
    listed = {(DOMAIN, charger_id) for charger_id in entry.runtime_data.chargers.data}
    return not device_entry.identifiers & (listed | {(DOMAIN, entry.entry_id)})
