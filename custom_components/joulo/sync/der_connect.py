"""Reads what cars have recorded at DER Connect, every six hours, and keeps it for good."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
import json
import logging
from typing import TYPE_CHECKING, Any

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
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
from ..clients import async_der_connect_client, async_forget_der_connect
from ..const import DOMAIN, SUBENTRY_DER_CONNECT
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
_AFTER_FAULTS = (timedelta(hours=1), timedelta(hours=2), timedelta(hours=4), _EVERY)
"""Waits after one fault and after more of them in a row; none is longer than until the next read of all."""
_AFTER_INTERRUPTION = timedelta(minutes=5)
"""Many reloads, or a start that fails again and again, do not begin a read each time."""
_LONGEST_WAIT = timedelta(days=1)
"""A longer one was stored by a clock that was ahead."""

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
        self._keys = {each: entity_id.casefold() for each, entity_id in self._entity_ids.items()}
        self._store = _store(hass, entry.entry_id)
        self._records = CarRecords()
        self._readable: frozenset[str] = frozenset()
        self._show: Show = lambda _: None
        self._client: DerConnectClient | None = None
        self._cancel: CALLBACK_TYPE | None = None
        self._is_unreadable = False
        self._is_doubted = False
        """Whether the last read was refused although there was a token: a hiccup, unless it happens again."""
        self._faults = 0
        """Reads in a row in which a car, or the login, has failed."""

    @property
    def records(self) -> CarRecords:
        """All that is stored of the cars."""
        return self._records

    async def async_load(self) -> None:
        """Take over what an earlier run has stored. A damaged file costs only what is lost of it."""
        try:
            document = await async_load_document(self._store)
        except (HomeAssistantError, OSError) as error:
            _LOGGER.warning(
                "The file %s cannot be read (%s). It is left alone, and DER Connect is not read",
                self._store.path,
                type(error).__name__,
            )
            self._is_unreadable = True
            return
        restored = await self._hass.async_add_executor_job(restore_cars, document)
        self._records = self._with_owners(restored.records)
        if restored.is_damaged:
            _LOGGER.warning(
                "The file %s is damaged. What can be read of it is kept, and DER Connect is asked for the rest",
                self._store.path,
            )
        if self._records != restored.records:
            await self._async_save()
        self._tell_history()

    def _with_owners(self, records: CarRecords) -> CarRecords:
        """Return the records of cars whose vehicles are there, each with the one that has its id now."""
        owners = {key: vehicle_id for vehicle_id, key in self._keys.items()}
        cars: dict[str, Car] = {}
        for key, car in records.cars.items():
            vehicle_id = owners.get(key, car.vehicle_id)
            if self._keys.get(car.vehicle_id) != key:
                async_clear_der_connect_entity(self._hass, car.vehicle_id)
            if vehicle_id in self._entry.subentries:
                cars[key] = replace(car, vehicle_id=vehicle_id)
        return replace(records, cars=cars)

    def _tell_history(self) -> None:
        cars = {each: self._car(each) for each in self._keys}
        self._history.async_update(
            transitions.set_cars,
            {each: car.sessions for each, car in cars.items() if car.last_read is not None},
        )

    def _car(self, vehicle_id: str) -> Car:
        """Return what is known of a vehicle's car. One that is new is due."""
        known = self._records.cars.get(self._keys[vehicle_id])
        return known or Car(vehicle_id=vehicle_id, is_due=True)

    def _keep(self, car: Car) -> None:
        key = self._keys[car.vehicle_id]
        self._records = replace(self._records, cars={**self._records.cars, key: car})

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
        for vehicle_id in self._keys:
            if digest is not None and self._car(vehicle_id).is_closed:
                self._say_closed(vehicle_id)
            else:
                async_clear_der_connect_entity(self._hass, vehicle_id)
        if digest is None:
            async_forget_der_connect(self._hass, self._entry)
        if digest is None or is_refused or self._is_unreadable:
            return
        cars = {each: self._car(each) for each in self._keys}
        self._tell_readable(
            {each for each, car in cars.items() if car.last_read is not None and not car.is_closed}
        )
        try:
            self._client = async_der_connect_client(self._hass, self._entry)
        except JouloInsecureUrlError as error:
            _log_fault(error)
            return
        self._entry.async_on_unload(self._async_cancel)
        self._async_schedule()

    def _digest(self) -> str | None:
        """Return a digest of the credentials and the moment at which they were entered; None without them.

        By it a refusal outlives a restart, but not that the same are entered again and work.
        """
        subentries = self._entry.get_subentries_of_type(SUBENTRY_DER_CONNECT)
        if not subentries:
            return None
        return sha256(json.dumps(dict(subentries[0].data), sort_keys=True).encode()).hexdigest()

    def _tell_readable(self, vehicle_ids: Collection[str]) -> None:
        self._readable = frozenset(vehicle_ids)
        self._show(self._readable)

    @callback
    def _async_schedule(self) -> None:
        """Read what is due as soon as that may be, and all cars in their time; the schedule goes on over restarts."""
        now = dt_util.utcnow()
        read_at = now if self._due() else _plausible(self._records.next_read, now)
        read_at = max(read_at, _plausible(self._records.not_before, now))
        if read_at <= now:
            self._async_read_due(now)
        else:
            self._cancel = async_track_point_in_utc_time(self._hass, self._async_read_due, read_at)

    def _due(self) -> frozenset[str]:
        """Return the vehicles whose cars are read before all others: new ones, and those that have failed."""
        return frozenset(each for each in self._keys if self._car(each).is_due)

    @callback
    def _async_cancel(self) -> None:
        if self._cancel is not None:
            self._cancel()
            self._cancel = None

    @callback
    def _async_read_due(self, _now: datetime) -> None:
        self._cancel = None
        if self._keys and self._client is not None:
            self._entry.async_create_background_task(
                self._hass, self._async_read(self._client), "Read DER Connect"
            )

    async def _async_read(self, client: DerConnectClient) -> None:
        """Read all cars, or those that are due before; remember the outcome, and plan the next read."""
        vehicle_ids = await self._async_begin()
        outcome = await self._async_read_cars(client, vehicle_ids)
        self._note_faults(outcome)
        self._records = replace(
            self._records,
            not_before=self._not_before(outcome),
            is_refused=outcome.is_refused,
        )
        self._tell_history()
        readable = frozenset() if outcome.is_refused else self._readable - vehicle_ids
        self._tell_readable(readable | outcome.read)
        if outcome.is_refused:
            async_raise_der_connect_auth(self._hass, self._entry)
        else:
            self._async_schedule()
        await self._async_save()

    async def _async_begin(self) -> frozenset[str]:
        """Store that a read begins, for it may be interrupted; return the vehicles whose cars it reads."""
        now = dt_util.utcnow()
        next_read, vehicle_ids = _plausible(self._records.next_read, now), self._due()
        if next_read <= now:
            next_read, vehicle_ids = now + _EVERY, frozenset(self._keys)
        for vehicle_id in vehicle_ids:
            self._keep(replace(self._car(vehicle_id), is_due=True))
        self._records = replace(
            self._records, next_read=next_read, not_before=now + _AFTER_INTERRUPTION
        )
        await self._async_save()
        return vehicle_ids

    def _note_faults(self, outcome: _Outcome) -> None:
        """Count reads in a row that have failed; the first of them is logged, and their end."""
        if outcome.fault is not None:
            if not self._faults:
                _log_fault(outcome.fault)
            self._faults += 1
        elif self._faults and outcome.wait is None and not outcome.is_refused:
            _LOGGER.info("DER Connect can be read again")
            self._faults = 0

    def _not_before(self, outcome: _Outcome) -> datetime | None:
        """Return when the service may be asked again; None where nothing speaks against it."""
        now = dt_util.utcnow()
        if outcome.wait is not None:
            return now + outcome.wait
        if not self._faults:
            return None
        wait = _AFTER_FAULTS[min(self._faults, len(_AFTER_FAULTS)) - 1]
        return min(now + wait, _plausible(self._records.next_read, now))

    async def _async_save(self) -> None:
        """Store the records. The document is made in a thread."""
        document = await self._hass.async_add_executor_job(cars_to_stored, self._records)
        await self._store.async_save(document)

    async def _async_read_cars(
        self, client: DerConnectClient, vehicle_ids: Collection[str]
    ) -> _Outcome:
        """Log in and read one car after the other, until the service asks to wait or refuses the credentials."""
        outcome, is_logged_in = _Outcome(), False
        was_doubted, self._is_doubted = self._is_doubted, False
        try:
            await client.authenticate()
            is_logged_in = True
            for vehicle_id in sorted(vehicle_ids):
                await self._async_try_car(client, vehicle_id, outcome)
        except JouloAuthError as error:
            outcome.is_refused = was_doubted or not is_logged_in
            if not outcome.is_refused:
                self._is_doubted, outcome.fault = True, error
        except JouloRateLimitError as error:
            outcome.wait = timedelta(seconds=error.retry_after)
        except JouloError as error:
            outcome.fault = error
        return outcome

    async def _async_try_car(
        self, client: DerConnectClient, vehicle_id: str, outcome: _Outcome
    ) -> None:
        """Read a car; a fault that concerns it alone keeps nothing from reading the next."""
        try:
            await self._async_read_car(client, vehicle_id)
        except JouloAuthError, JouloRateLimitError:
            raise
        except JouloNotFoundError, JouloScopeError:
            self._note_closed(vehicle_id)
        except JouloError as error:
            outcome.fault = error
        except Exception as error:  # noqa: BLE001 - logged once, with all that it tells
            outcome.fault = error
        else:
            outcome.read |= {vehicle_id}

    async def _async_read_car(self, client: DerConnectClient, vehicle_id: str) -> None:
        """Read what is new of a car, and join it with what is known."""
        begun, car = dt_util.utcnow(), self._car(vehicle_id)
        start = car.start_of_read(begun)
        read = await client.charge_sessions(self._entity_ids[vehicle_id], start)
        sessions = await self._hass.async_add_executor_job(merged, car.sessions, read)
        self._keep(Car(vehicle_id=vehicle_id, last_read=begun, sessions=sessions))
        async_clear_der_connect_entity(self._hass, vehicle_id)

    def _note_closed(self, vehicle_id: str) -> None:
        """Remember that a car is gone, or not open to the account any more; it is read no more often than others."""
        self._keep(replace(self._car(vehicle_id), is_due=False, is_closed=True))
        self._say_closed(vehicle_id)

    def _say_closed(self, vehicle_id: str) -> None:
        # A vehicle may be removed while its car is read.
        if (vehicle := self._entry.subentries.get(vehicle_id)) is not None:
            async_raise_der_connect_entity(self._hass, vehicle_id, vehicle.title)


def _log_fault(error: Exception) -> None:
    if isinstance(error, JouloError):
        # Not its words, which may be the service's own and name the car.
        _LOGGER.info("DER Connect cannot be read (%s)", type(error).__name__)
    else:
        _LOGGER.error("Unexpected error while reading DER Connect", exc_info=error)


@dataclass(slots=True)
class _Outcome:
    """What became of a read: the vehicles whose cars were read, what went wrong, and how long the service asks to wait."""

    read: frozenset[str] = frozenset()
    fault: Exception | None = None
    wait: timedelta | None = None
    is_refused: bool = False


def _plausible(moment: datetime | None, now: datetime) -> datetime:
    """Return a stored moment of the future, or now for one that is past or was stored by a clock that was ahead."""
    return now if moment is None or moment - now > _LONGEST_WAIT else max(moment, now)
