"""Reads what cars have recorded at DER Connect, every six hours, and keeps it for good."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
import logging
from typing import TYPE_CHECKING, Any

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.exceptions import UnsupportedStorageVersionError
from homeassistant.helpers.event import async_track_point_in_utc_time
from homeassistant.helpers.storage import Store
from homeassistant.util import dt as dt_util

from ..api import (
    JouloAuthError,
    JouloError,
    JouloInsecureUrlError,
    JouloNotFoundError,
    JouloRateLimitError,
    JouloScopeError,
)
from ..clients import async_der_connect_client, der_connect_credentials
from ..const import DOMAIN
from ..history import SessionHistory, async_load_document
from ..issues import (
    async_clear_der_connect_auth,
    async_clear_der_connect_entity,
    async_raise_der_connect_auth,
    async_raise_der_connect_entity,
)
from ..sessions import transitions
from ..sessions.cars import Car, CarRecords, cars_to_stored, merged, restore_cars
from ..vehicles import entity_ids_of

if TYPE_CHECKING:
    from ..data import JouloConfigEntry
    from ..der_connect import DerConnectClient

_LOGGER = logging.getLogger(__name__)

_VERSION = 1
_EVERY = timedelta(hours=6, minutes=1)
"""Four reads a day and never five: the service calculates once a day, and lists sessions up to a day late."""
_AFTER_FAULT = timedelta(hours=1)
_LONGEST_WAIT = timedelta(days=1)
"""A longer one was stored by a clock that was ahead."""
_OVERLAP = timedelta(days=7)
"""Time before the last complete read in which sessions may be new or corrected."""
_FIRST = timedelta(days=400)
"""Time before the first read; in most cases nothing was recorded so early."""

type Show = Callable[[frozenset[str]], None]


async def async_remove_cars(hass: HomeAssistant, entry_id: str) -> None:
    """Delete what is stored of the cars of an account."""
    await _store(hass, entry_id).async_remove()


def _store(hass: HomeAssistant, entry_id: str) -> Store[dict[str, Any]]:
    return Store(
        hass,
        _VERSION,
        f"{DOMAIN}.{entry_id}.der_connect",
        private=True,
        serialize_in_event_loop=False,
    )


class DerConnectReader:
    """Reads the sessions of all cars on one schedule, stores them, and hands them to the history.

    A record is the car's: the vehicle that has the car's id at DER Connect shows it. It goes with the last such vehicle.
    """

    def __init__(
        self, hass: HomeAssistant, entry: JouloConfigEntry, history: SessionHistory
    ) -> None:
        """Prepare to read for the vehicles of an entry, of which each change brings a reload."""
        self._hass = hass
        self._entry = entry
        self._history = history
        self._entity_ids = entity_ids_of(entry)
        self._store = _store(hass, entry.entry_id)
        self._records = CarRecords()
        self._readable: frozenset[str] = frozenset()
        self._show: Show = lambda _: None
        self._client: DerConnectClient | None = None
        self._cancel: CALLBACK_TYPE | None = None
        self._is_stored_by_later_version = False
        self._has_failed = False

    @property
    def records(self) -> CarRecords:
        """All that is stored of the cars."""
        return self._records

    async def async_load(self) -> None:
        """Take over what an earlier run has stored. A damaged file costs only what is lost of it."""
        try:
            document = await async_load_document(self._store)
        except UnsupportedStorageVersionError:
            _LOGGER.warning(
                "The file %s was written by a later version. It is left alone, and DER Connect is not read",
                self._store.path,
            )
            self._is_stored_by_later_version = True
            return
        restored = await self._hass.async_add_executor_job(restore_cars, document)
        self._records = self._with_owners(restored.records)
        if restored.is_damaged:
            _LOGGER.warning(
                "The file %s is damaged. What can be read of it is kept, and DER Connect is asked for the rest",
                self._store.path,
            )
            # At once.
            self._records = replace(self._records, next_read=None)
        if self._records != restored.records:
            await self._async_save()
        self._tell_history()

    def _with_owners(self, records: CarRecords) -> CarRecords:
        """Return the records of cars whose vehicles are there, each with the one that has its id now."""
        owners = {entity_id: vehicle_id for vehicle_id, entity_id in self._entity_ids.items()}
        cars: dict[str, Car] = {}
        for entity_id, car in records.cars.items():
            vehicle_id = owners.get(entity_id, car.vehicle_id)
            if self._entity_ids.get(car.vehicle_id) != entity_id:
                async_clear_der_connect_entity(self._hass, car.vehicle_id)
            if vehicle_id in self._entry.subentries:
                cars[entity_id] = replace(car, vehicle_id=vehicle_id)
        return replace(records, cars=cars)

    def _tell_history(self) -> None:
        cars = self._records.cars
        self._history.async_update(
            transitions.set_cars,
            {
                vehicle_id: cars[entity_id].sessions
                for vehicle_id, entity_id in self._entity_ids.items()
                if self._is_read(entity_id)
            },
        )

    def _is_read(self, entity_id: str) -> bool:
        car = self._records.cars.get(entity_id)
        return car is not None and car.last_read is not None

    @callback
    def async_start(self, show: Show) -> None:
        """Read from now on, until the entry is unloaded; `show` is told the vehicles whose cars can be read.

        Credentials that were refused are not tried again, also after a restart.
        """
        self._show = show
        digest = self._digest()
        if digest is not None and digest != self._records.credentials:
            # What was told to those of before is no reason to wait with these.
            self._records = replace(
                self._records,
                credentials=digest,
                is_refused=False,
                next_read=None,
                not_before=None,
            )
        is_refused = digest is not None and self._records.is_refused
        if is_refused:
            async_raise_der_connect_auth(self._hass, self._entry)
        else:
            async_clear_der_connect_auth(self._hass, self._entry)
        if digest is None or is_refused or self._is_stored_by_later_version:
            return
        self._tell_readable(
            {each for each, entity_id in self._entity_ids.items() if self._is_read(entity_id)}
        )
        try:
            self._client = async_der_connect_client(self._hass, self._entry)
        except JouloInsecureUrlError as error:
            self._log_fault(error)
            return
        self._entry.async_on_unload(self._async_cancel)
        self._async_begin()

    @callback
    def async_resume(self) -> None:
        """Ask again with credentials that were refused and have just worked: they are in force again."""
        if self._records.is_refused:
            self._records = replace(self._records, is_refused=False, next_read=None)
            self.async_start(self._show)

    def _digest(self) -> str | None:
        """Return a digest of the credentials, by which a refusal outlives a restart; None without them."""
        credentials = der_connect_credentials(self._entry)
        if credentials is None:
            return None
        parts = (
            credentials.client_id,
            credentials.client_secret,
            credentials.url,
            credentials.token_url,
        )
        return sha256("\n".join(parts).encode()).hexdigest()

    def _tell_readable(self, vehicle_ids: Collection[str]) -> None:
        self._readable = frozenset(vehicle_ids)
        self._show(self._readable)

    @callback
    def _async_begin(self) -> None:
        """Read all cars if the last read is old, else those that are new; the schedule goes on over restarts."""
        now = dt_util.utcnow()
        next_read = _plausible(self._records.next_read, now)
        new = {key for key, each in self._entity_ids.items() if each not in self._records.cars}
        if next_read <= now:
            self._async_read_all(now)
        elif new and _plausible(self._records.not_before, now) <= now:
            self._async_read_now(new, next_read)
        else:
            self._async_schedule(next_read)

    @callback
    def _async_schedule(self, at: datetime) -> None:
        self._cancel = async_track_point_in_utc_time(self._hass, self._async_read_all, at)

    @callback
    def _async_cancel(self) -> None:
        if self._cancel is not None:
            self._cancel()
            self._cancel = None

    @callback
    def _async_read_all(self, now: datetime) -> None:
        self._cancel = None
        self._async_read_now(self._entity_ids.keys(), now + _EVERY)

    @callback
    def _async_read_now(self, vehicle_ids: Collection[str], next_read: datetime) -> None:
        if vehicle_ids and self._client is not None:
            self._entry.async_create_background_task(
                self._hass,
                self._async_read(self._client, vehicle_ids, next_read),
                "Read DER Connect",
            )

    async def _async_read(
        self, client: DerConnectClient, vehicle_ids: Collection[str], next_read: datetime
    ) -> None:
        """Read the cars of vehicles, remember the outcome, and plan the next read of all."""
        outcome = await self._async_read_cars(client, vehicle_ids)
        now = dt_util.utcnow()
        not_before = now + outcome.wait if outcome.wait else None
        self._records = replace(
            self._records,
            next_read=not_before or next_read,
            not_before=not_before,
            is_refused=outcome.is_refused,
        )
        self._tell_history()
        readable = frozenset() if outcome.is_refused else self._readable - {*vehicle_ids}
        self._tell_readable(readable | outcome.read)
        if outcome.is_refused:
            async_raise_der_connect_auth(self._hass, self._entry)
        else:
            self._async_schedule(not_before or next_read)
        await self._async_save()

    async def _async_save(self) -> None:
        """Store the records. The document is made in a thread."""
        document = await self._hass.async_add_executor_job(cars_to_stored, self._records)
        await self._store.async_save(document)

    async def _async_read_cars(
        self, client: DerConnectClient, vehicle_ids: Collection[str]
    ) -> _Outcome:
        """Read one car after the other, until the service asks to wait or refuses the credentials."""
        outcome = _Outcome()
        for vehicle_id in sorted(vehicle_ids):
            try:
                await self._async_read_car(client, vehicle_id)
            except JouloAuthError:
                outcome.is_refused = True
                break
            except JouloRateLimitError as error:
                outcome.wait = timedelta(seconds=error.retry_after)
                break
            except JouloNotFoundError, JouloScopeError:
                self._note_closed(vehicle_id)
            except JouloError as error:
                outcome.wait = _AFTER_FAULT
                self._log_fault(error)
            else:
                outcome.read |= {vehicle_id}
        return outcome

    async def _async_read_car(self, client: DerConnectClient, vehicle_id: str) -> None:
        """Read what is new of a car, and join it with what is known."""
        entity_id = self._entity_ids[vehicle_id]
        begun = dt_util.utcnow()
        car = self._records.cars.get(entity_id, Car(vehicle_id=vehicle_id))
        start = begun - _FIRST if car.last_read is None else min(car.last_read, begun) - _OVERLAP
        read = await client.charge_sessions(entity_id, start)
        sessions = await self._hass.async_add_executor_job(merged, car.sessions, read)
        self._keep(entity_id, replace(car, last_read=begun, sessions=sessions))
        async_clear_der_connect_entity(self._hass, vehicle_id)
        if self._has_failed:
            self._has_failed = False
            _LOGGER.info("DER Connect can be read again")

    def _keep(self, entity_id: str, car: Car) -> None:
        self._records = replace(self._records, cars={**self._records.cars, entity_id: car})

    def _note_closed(self, vehicle_id: str) -> None:
        """Say that a car is gone, or not open to the account any more; it is asked for no more often than others."""
        entity_id = self._entity_ids[vehicle_id]
        self._keep(entity_id, self._records.cars.get(entity_id, Car(vehicle_id=vehicle_id)))
        name = self._entry.subentries[vehicle_id].title
        async_raise_der_connect_entity(self._hass, vehicle_id, name)

    def _log_fault(self, error: JouloError) -> None:
        if not self._has_failed:
            self._has_failed = True
            # Not its words, which may be the service's own and name the car.
            _LOGGER.info("DER Connect cannot be read (%s)", type(error).__name__)


@dataclass(slots=True)
class _Outcome:
    """What became of a read: the vehicles whose cars were read, and how long to wait after a fault."""

    read: frozenset[str] = frozenset()
    wait: timedelta | None = None
    is_refused: bool = False


def _plausible(moment: datetime | None, now: datetime) -> datetime:
    """Return a stored moment of the future, or now for one that is past or was stored by a clock that was ahead."""
    return now if moment is None or moment - now > _LONGEST_WAIT else max(moment, now)
