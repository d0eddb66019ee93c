"""Joulo: charging sessions, ERE credits and what they pay out."""

import asyncio

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_TOKEN, EVENT_HOMEASSISTANT_STOP, Platform
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import (
    ConfigEntryAuthFailed,
    ConfigEntryError,
    UnsupportedStorageVersionError,
)
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.device_registry import AnyDeviceEntry
from homeassistant.helpers.typing import ConfigType
from homeassistant.util.async_ import create_eager_task

from .api import JouloClient
from .clients import (
    async_forget_credentials,
    async_forget_der_connect,
    async_get_client,
    credentials_of,
)
from .const import DOMAIN
from .coordinator import (
    AccountCoordinator,
    CarsCoordinator,
    ChargersCoordinator,
    SessionsCoordinator,
    VehiclesCoordinator,
)
from .dashboard import async_register_dashboard
from .data import JouloConfigEntry, JouloData
from .history import SessionHistory, async_remove_history
from .issues import async_clear_issues, async_clear_price_missing
from .price import price_of
from .rest_sensors import RestSensorsWatch
from .services import async_setup_services
from .sessions import transitions
from .statistics.importer import StatisticsImporter
from .switching import (
    async_check_folders,
    async_migrate,
    async_take_over_entities,
    async_take_over_statistics,
)
from .sync.der_connect import DerConnectReader, async_remove_cars
from .sync.fetcher import SessionFetcher
from .sync.matcher import SessionMatcher
from .sync.prices import SessionPricer
from .sync.publisher import SessionEventPublisher
from .sync.reconciler import TotalsReconciler
from .unknown_tags import UnknownTagsWatch
from .vehicles import async_register_vehicles, vehicles_of

PLATFORMS = [
    Platform.BINARY_SENSOR,
    Platform.BUTTON,
    Platform.CALENDAR,
    Platform.EVENT,
    Platform.SENSOR,
]

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)


async def async_setup(hass: HomeAssistant, _config: ConfigType) -> bool:
    """Register the actions, which say so where no account is set up, and the dashboard."""
    async_setup_services(hass)
    await async_check_folders(hass)
    await async_register_dashboard(hass)
    return True


async def async_migrate_entry(hass: HomeAssistant, entry: JouloConfigEntry) -> bool:
    """Make an entry of an earlier version, or of another integration with this domain, one of ours."""
    async_migrate(hass, entry)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: JouloConfigEntry) -> bool:
    """Set up an account. Only the chargers are waited for; all else is read in the background."""
    async_take_over_entities(hass, entry)
    if not entry.data[CONF_TOKEN]:
        raise ConfigEntryAuthFailed(translation_domain=DOMAIN, translation_key="invalid_auth")
    # A change while Joulo is waited for brings a reload too.
    entry.async_on_unload(entry.add_update_listener(_Settings(entry).async_reload_if_changed))
    # Before a request: these sensors may be why Joulo refuses to answer.
    RestSensorsWatch(hass, entry).async_start()
    client = async_get_client(hass, entry)
    history = SessionHistory(hass, entry.entry_id, client.rate_limiter)
    try:
        await history.async_load()
    except UnsupportedStorageVersionError as error:
        raise ConfigEntryError(
            translation_domain=DOMAIN, translation_key="newer_history"
        ) from error
    # Not once: an entry may still be unloaded while Home Assistant stops.
    entry.async_on_unload(
        hass.bus.async_listen(EVENT_HOMEASSISTANT_STOP, history.async_schedule_save)
    )
    history.async_update(transitions.set_vehicles, vehicles_of(entry))
    pricer = _take_over_price(hass, entry, history)
    der_connect = DerConnectReader(hass, entry, history)
    await der_connect.async_load()
    matcher = SessionMatcher(hass, entry, history)
    # In a thread, and not when the event loop first asks for the sums of years.
    await matcher.async_match()
    matcher.async_start()
    chargers = ChargersCoordinator(hass, entry, client, history)
    fetcher = SessionFetcher(hass, entry, client, history)
    reconciler = TotalsReconciler(hass, entry, history, fetcher)
    entry.runtime_data = JouloData(
        history=history,
        chargers=chargers,
        sessions=SessionsCoordinator(chargers, history, fetcher.async_read),
        account=AccountCoordinator(chargers, history, reconciler.async_compare),
        vehicles=VehiclesCoordinator(chargers, history),
        cars=CarsCoordinator(chargers, history),
        der_connect=der_connect,
        publisher=SessionEventPublisher(hass, entry, history),
    )
    entry.async_create_background_task(hass, _async_prefetch(client), "Prefetch an account")
    entry.async_create_background_task(
        hass, async_take_over_statistics(hass, entry), "Take over statistics"
    )
    await chargers.async_config_entry_first_refresh()
    # One may have been removed or renamed while Joulo was waited for.
    history.async_update(transitions.set_vehicles, vehicles_of(entry))
    async_register_vehicles(hass, entry)
    entry.runtime_data.vehicles.async_start()
    der_connect.async_start(entry.runtime_data.cars.async_show)
    fetcher.async_start()
    # Begun before the platforms: after a reload the answers are remembered, and there at once.
    entry.async_create_background_task(
        hass, _async_read_and_publish(hass, entry), "Read an account"
    )
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    if pricer is not None:
        # Last: its threads would slow down what is awaited here.
        pricer.async_start()
    return True


def _take_over_price(
    hass: HomeAssistant, entry: JouloConfigEntry, history: SessionHistory
) -> SessionPricer | None:
    """Let the history know the price that is set, and what a kWh costs now; return what prices sessions."""
    if (price := price_of(entry)) is None:
        history.async_update(transitions.set_tariff, None, None)
        async_clear_price_missing(hass, entry)
        return None
    history.async_update(transitions.set_tariff, price.fingerprint, price.since)
    pricer = SessionPricer(hass, entry, history, price)
    pricer.async_show_price()
    return pricer


class _Settings:
    """What a set-up depends on: options and subentries. A change of anything else needs no reload."""

    def __init__(self, entry: JouloConfigEntry) -> None:
        self._before = self._of(entry)

    async def async_reload_if_changed(self, hass: HomeAssistant, entry: JouloConfigEntry) -> None:
        """Reload the entry once for a change, however it was made."""
        if self._of(entry) != self._before:
            self._before = self._of(entry)
            hass.config_entries.async_schedule_reload(entry.entry_id)

    def _of(self, entry: JouloConfigEntry) -> object:
        subentries = {
            each.subentry_id: (each.title, dict(each.data)) for each in entry.subentries.values()
        }
        return dict(entry.options), subentries


async def _async_prefetch(client: JouloClient) -> None:
    """Ask for the account while the chargers answer; the rate limiter shares the responses with its coordinator."""
    await asyncio.gather(
        client.energy(), client.account_profile(), client.ere_position(), return_exceptions=True
    )


async def _async_read_and_publish(hass: HomeAssistant, entry: JouloConfigEntry) -> None:
    """Read the sessions and the account; after that publish events and statistics, with their values."""
    data = entry.runtime_data
    importer = StatisticsImporter(hass, entry, data.history)
    # The answers that a restart shows are as new as the history.
    entry.async_on_unload(data.account.async_add_listener(data.history.async_schedule_save))
    await asyncio.gather(
        create_eager_task(data.sessions.async_refresh_or_soon()),
        create_eager_task(data.account.async_refresh_or_soon()),
    )
    data.publisher.async_start()
    if "recorder" in hass.config.components:
        importer.async_start()
    await UnknownTagsWatch(hass, entry, data.history).async_start()


async def async_unload_entry(hass: HomeAssistant, entry: JouloConfigEntry) -> bool:
    """Unload an account; its history is stored."""
    await entry.runtime_data.publisher.async_stop()
    unloaded = await hass.config_entries.async_unload_platforms(entry, PLATFORMS)
    if unloaded:
        await entry.runtime_data.history.async_close()
        if entry.disabled_by is not None:
            async_clear_issues(hass, entry)
    return unloaded


async def async_remove_entry(hass: HomeAssistant, entry: JouloConfigEntry) -> None:
    """Delete the stored sessions of an account that is removed, and what there was to repair."""
    async_clear_issues(hass, entry)
    await async_remove_history(hass, entry.entry_id)
    await async_remove_cars(hass, entry.entry_id)
    async_forget_der_connect(hass, entry)
    if entry.unique_id is not None and CONF_TOKEN in entry.data:
        # Its rate limiter is kept by the account's id.
        async_forget_credentials(hass, credentials_of(entry))


async def async_remove_config_entry_device(
    _hass: HomeAssistant, entry: JouloConfigEntry, device_entry: AnyDeviceEntry
) -> bool:
    """Let a user delete a charger that Joulo does not list any more."""
    if entry.state is not ConfigEntryState.LOADED:
        return False
    if device_entry.config_subentry_id is not None:
        # A vehicle goes with its subentry.
        return False
    listed = {(DOMAIN, charger_id) for charger_id in entry.runtime_data.chargers.data}
    return not device_entry.identifiers & (listed | {(DOMAIN, entry.entry_id)})
