"""Coordinators: when each endpoint is read, and what an error means to Home Assistant.

The rate limiter of the client keeps all of them within Joulo's limits.
"""

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
import logging
import time
from typing import TYPE_CHECKING, Any, override

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryAuthFailed
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.event import async_call_later, async_track_point_in_utc_time
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed
from homeassistant.util import dt as dt_util

from .api import (
    AccountProfile,
    Charger,
    ChargingSession,
    Endpoint,
    Energy,
    ErePosition,
    JouloAuthError,
    JouloClient,
    JouloError,
    JouloNotFoundError,
    JouloRateLimitError,
    JouloScopeError,
    JouloTooEarlyError,
    Response,
)
from .const import CHARGERS_INTERVAL, CONF_CHARGERS_INTERVAL, DOMAIN
from .der_connect.models import CarSession
from .devices import ChargerDevices, charger_name
from .helpers import translated_error
from .history import SessionHistory
from .issues import async_clear_missing_scope, async_raise_missing_scope
from .sessions import queries, transitions
from .sessions.cars import CarSessions
from .sessions.cost import Cost
from .sessions.model import Change
from .sessions.months import local_day, midnight
from .sessions.queries import CostSums, Coverage, Sums, Totals
from .vehicles import entity_ids_of, vehicle_key

if TYPE_CHECKING:
    from .data import JouloConfigEntry

_LOGGER = logging.getLogger(__name__)

_HOURLY = timedelta(hours=1)
_RETRY = 60.0
"""Seconds; after a failure the next try comes no sooner, even where no request was sent."""
_MARGIN = 1.0
"""Seconds; Home Assistant's timers fire up to one early, and the rate limiter would refuse."""
_UNTIL_LISTED = timedelta(seconds=Endpoint.SESSIONS.interval + _MARGIN)
"""Time between two reads of `/sessions` while Joulo does not list an end that a charger showed."""
_GIVE_UP_LISTING = timedelta(days=1)
_WHILE_CHARGING = timedelta(hours=6)
"""Time between two reads while a session runs: the endpoint is to be free when it ends."""
_TERMS_EVERY = timedelta(hours=6)
"""Time for which the answers of `/me` and `/ere-position` are good."""


_SHOWN_OF_CHARGER = (
    Change.ACTIVE
    | Change.PROGRESS
    | Change.OBSERVED
    | Change.SESSIONS
    | Change.SYNC
    | Change.VEHICLES
    | Change.PRICES
    | Change.TARIFF
)


class JouloCoordinator[StateT](DataUpdateCoordinator[dict[str, StateT]]):
    """Holds states by device key: a charger's id, a vehicle's key, or for the account the config entry's id.

    States compare equal where they show the same; listeners hear of changes only.
    """

    config_entry: JouloConfigEntry

    def __init__(
        self, hass: HomeAssistant, entry: JouloConfigEntry, name: str, interval: timedelta | None
    ) -> None:
        """Prepare to update every `interval`, or by what others bring alone."""
        super().__init__(
            hass,
            _LOGGER,
            config_entry=entry,
            name=name,
            update_interval=interval,
            always_update=False,
        )
        self.data = {}
        self._notified: tuple[bool, dict[str, StateT]] = (True, {})

    @property
    @abstractmethod
    def device_keys(self) -> Iterable[str]:
        """Keys of the devices that have entities, also before their first state."""

    @property
    def subentry_ids(self) -> Mapping[str, str]:
        """Ids of the subentries that devices belong to, by their keys; empty for those of the account itself."""
        return {}

    @callback
    @override
    def async_update_listeners(self) -> None:
        """Notify listeners, unless they know it all: the history may have brought the change already."""
        shown = (self.last_update_success, self.data)
        if shown != self._notified:
            self._notified = shown
            super().async_update_listeners()

    def _with_equal_kept(self, states: dict[str, StateT]) -> dict[str, StateT]:
        """Return the states, with the objects of before where they are equal: entities compare by identity."""
        return {
            key: before if (before := self.data.get(key, state)) == state else state
            for key, state in states.items()
        }

    @callback
    def _async_show(self, states: dict[str, StateT]) -> None:
        """Show states that have changed since Joulo was asked."""
        self.data = self._with_equal_kept(states)
        self.async_update_listeners()


class EndpointCoordinator[StateT](JouloCoordinator[StateT]):
    """Reads one endpoint and translates errors."""

    endpoint: Endpoint

    def __init__(
        self, hass: HomeAssistant, entry: JouloConfigEntry, client: JouloClient, interval: timedelta
    ) -> None:
        """Prepare to read every `interval`."""
        super().__init__(hass, entry, self.endpoint.path, interval)
        self.client = client
        self._refresh_requested_at = time.monotonic()
        self._cancel_pending_refresh: CALLBACK_TYPE | None = None
        entry.async_on_unload(self._drop_pending_refresh)

    @abstractmethod
    async def _async_read(self) -> dict[str, StateT]:
        """Ask Joulo."""

    async def async_refresh_or_soon(self) -> None:
        """Refresh now; where nothing was sent since set-up began, once more as soon as a request is allowed."""
        await self.async_refresh()
        self._schedule_pending_refresh()

    @callback
    def async_refresh_soon(self) -> None:
        """Refresh by a request that is sent from now on, as soon as one is allowed."""
        self._refresh_requested_at = time.monotonic()
        self._schedule_pending_refresh()

    def _schedule_pending_refresh(self) -> None:
        if self._cancel_pending_refresh is None and not self._is_refreshed():
            delay = self.client.rate_limiter.retry_in(self.endpoint) + _MARGIN
            self._cancel_pending_refresh = async_call_later(
                self.hass, delay, self._async_start_pending_refresh
            )

    def _is_refreshed(self) -> bool:
        """Whether the requested refresh has been sent, or never will be."""
        limiter = self.client.rate_limiter
        return (
            limiter.token_rejected or limiter.sent_at(self.endpoint) >= self._refresh_requested_at
        )

    @callback
    def _async_start_pending_refresh(self, _now: datetime) -> None:
        self._cancel_pending_refresh = None
        if not self._is_refreshed():
            self.config_entry.async_create_background_task(
                self.hass, self._async_pending_refresh(), f"{self.name} soon"
            )

    async def _async_pending_refresh(self) -> None:
        await self.async_refresh()
        # A request that was under way when the refresh was requested has blocked the endpoint meanwhile.
        self._schedule_pending_refresh()

    def _retry_after_error(self, error: JouloError) -> float:
        """Return the seconds until the next try: the hourly coordinators do not let an hour pass."""
        if isinstance(error, JouloRateLimitError):
            return error.retry_after + _MARGIN
        return max(self.client.rate_limiter.retry_in(self.endpoint), _RETRY) + _MARGIN

    @override
    async def _async_update_data(self) -> dict[str, StateT]:
        try:
            data = await self._async_read()
        except JouloTooEarlyError:
            return self.data
        except JouloScopeError as error:
            async_raise_missing_scope(self.hass, self.config_entry, self.endpoint.path, error.scope)
            raise self._translated(error) from error
        except JouloError as error:
            raise self._translated(error) from error
        async_clear_missing_scope(self.hass, self.config_entry, self.endpoint.path)
        return data

    def _translated(self, error: JouloError) -> UpdateFailed | ConfigEntryAuthFailed:
        # A single refusal may be a hiccup of Joulo's: the next poll of the chargers decides.
        if isinstance(error, JouloAuthError) and self.client.rate_limiter.token_rejected:
            return ConfigEntryAuthFailed(**translated_error(error))
        return UpdateFailed(**translated_error(error), retry_after=self._retry_after_error(error))

    @callback
    def _drop_pending_refresh(self) -> None:
        if self._cancel_pending_refresh is not None:
            self._cancel_pending_refresh()


@dataclass(frozen=True, slots=True)
class ChargerState:
    """A charger, and the session that is active on it or, when none is, was last.

    `average_power` in kW, of the active session.
    """

    charger: Charger
    session: ChargingSession | None
    is_active: bool
    average_power: float | None
    totals: Totals
    meter_wh: float | None
    vehicle: str | None
    """Name of the vehicle whose session it is."""
    cost: float | None
    """EUR, of the session."""
    has_vehicles: bool
    has_price: bool


class ChargersCoordinator(EndpointCoordinator[ChargerState]):
    """Polls `/chargers`: their states, and which there are."""

    endpoint = Endpoint.CHARGERS

    def __init__(
        self,
        hass: HomeAssistant,
        entry: JouloConfigEntry,
        client: JouloClient,
        history: SessionHistory,
    ) -> None:
        """Prepare to poll as often as the options say."""
        seconds = entry.options.get(CONF_CHARGERS_INTERVAL, CHARGERS_INTERVAL)
        super().__init__(hass, entry, client, timedelta(seconds=seconds + _MARGIN))
        self._history = history
        self._devices = ChargerDevices(hass, entry)
        self._chargers: tuple[Charger, ...] = ()
        self._answered_at: datetime | None = None
        entry.async_on_unload(history.async_listen(self._async_follow_history, _SHOWN_OF_CHARGER))

    @property
    @override
    def device_keys(self) -> Iterable[str]:
        return self.data.keys()

    @override
    async def _async_read(self) -> dict[str, ChargerState]:
        try:
            response = await self.client.chargers()
        except JouloTooEarlyError as error:
            if self._answered_at is None:
                # Without an answer there is nothing to set up.
                raise JouloRateLimitError(error.retry_after) from error
            raise
        # Asked too early, the rate limiter repeats the last response: that is no news.
        if response.sent_at == self._answered_at:
            return self.data
        previous_at, self._answered_at = self._answered_at, response.sent_at
        return self._take_over(response, previous_at)

    def _take_over(
        self, response: Response[tuple[Charger, ...]], previous_at: datetime | None
    ) -> dict[str, ChargerState]:
        is_news = response.data != self._chargers
        self._chargers = response.data
        gone = self._devices.async_sync(response.data)
        changed = self._history.async_update(transitions.end_active, gone, response.sent_at)
        changed |= self._history.async_update(
            transitions.apply_report, response.data, response.sent_at, previous_at
        )
        # What has changed in the history is shown by now.
        if not is_news or changed & _SHOWN_OF_CHARGER:
            return self.data
        return self._with_equal_kept(self._states())

    @callback
    def _async_follow_history(self, _change: Change) -> None:
        self._async_show(self._states())

    def _states(self) -> dict[str, ChargerState]:
        state, now = self._history.state, dt_util.utcnow()
        return {
            charger.id: ChargerState(
                charger,
                session := queries.newest(state, charger.id, now),
                queries.is_active(state, charger.id),
                queries.active_power(state, charger.id),
                queries.totals(state, charger.id),
                queries.meter_wh(state, charger.id),
                queries.vehicle_name(state, session),
                _eur(queries.cost_of(state, session, now)) if session else None,
                bool(state.fleet.vehicles),
                state.tariff is not None,
            )
            for charger in self._chargers
        }


@dataclass(frozen=True, slots=True)
class LastSession:
    """The newest completed session of a charger or a vehicle, its value and cost in EUR, and the name of its vehicle.

    `costs` is what all completed sessions have cost; None without a price.
    """

    session: ChargingSession | None
    value: float | None
    vehicle: str | None
    has_vehicles: bool
    cost: float | None
    costs: CostSums | None


def _eur(cost: Cost | None) -> float | None:
    return cost.eur if cost else None


class SessionsCoordinator(EndpointCoordinator[LastSession]):
    """Reads `/sessions`: hourly, and as soon as a session has ended, until Joulo lists its end."""

    endpoint = Endpoint.SESSIONS

    def __init__(
        self,
        chargers: ChargersCoordinator,
        history: SessionHistory,
        read_sessions: Callable[[], Awaitable[None]],
    ) -> None:
        """Prepare to follow the chargers; `read_sessions` reads into the history, raising JouloError."""
        super().__init__(chargers.hass, chargers.config_entry, chargers.client, _HOURLY)
        self._history = history
        self._chargers = chargers
        self._read_sessions = read_sessions
        self.data = self._last_sessions()
        for unsubscribe in (
            history.async_listen(self._async_follow_active, Change.ACTIVE),
            history.async_listen(
                self._async_follow_history,
                Change.SESSIONS
                | Change.VALUES
                | Change.VEHICLES
                | Change.SYNC
                | Change.PRICES
                | Change.TARIFF,
            ),
            chargers.async_add_listener(self._async_follow_chargers),
        ):
            self.config_entry.async_on_unload(unsubscribe)

    @property
    @override
    def device_keys(self) -> Iterable[str]:
        return self.data.keys()

    @override
    async def _async_read(self) -> dict[str, LastSession]:
        try:
            await self._read_sessions()
        finally:
            self._set_pace()
        return self._with_equal_kept(self._last_sessions())

    @callback
    def _async_follow_active(self, _change: Change) -> None:
        """Read soon when a session has ended; when one has started, leave the endpoint free for its end."""
        self._set_pace()
        if self._awaits_end():
            self.async_refresh_soon()
        else:
            self._schedule_refresh()

    @callback
    def _async_follow_history(self, _change: Change) -> None:
        self._async_show(self._last_sessions())

    @callback
    def _async_follow_chargers(self) -> None:
        if self.data.keys() != self._chargers.data.keys():
            self._async_show(self._last_sessions())

    def _set_pace(self) -> None:
        if self._awaits_end():
            self.update_interval = _UNTIL_LISTED
        elif queries.has_active(self._history.state):
            self.update_interval = _WHILE_CHARGING
        else:
            self.update_interval = _HOURLY

    def _awaits_end(self) -> bool:
        return queries.awaits_end(self._history.state, dt_util.utcnow() - _GIVE_UP_LISTING)

    def _last_sessions(self) -> dict[str, LastSession]:
        return {charger_id: self._last_session(charger_id) for charger_id in self._chargers.data}

    def _last_session(self, charger_id: str) -> LastSession:
        state, now = self._history.state, dt_util.utcnow()
        session = queries.last_completed(state, charger_id, now)
        return LastSession(
            session,
            queries.value_of(state, session) if session else None,
            queries.vehicle_name(state, session),
            bool(state.fleet.vehicles),
            _eur(queries.cost_of(state, session, now)) if session else None,
            queries.charger_costs(state, charger_id),
        )


@dataclass(frozen=True, slots=True)
class CostSpans:
    """What completed sessions have cost: all of them, those of the month, and those of the year."""

    total: CostSums
    month: CostSums
    year: CostSums


def _spans(costs: Callable[[datetime | None], CostSums | None], day: date) -> CostSpans | None:
    """Return the costs by span on a day; None without a price."""
    starts = (None, midnight(day.replace(day=1)), midnight(day.replace(month=1, day=1)))
    found = [sums for start in starts if (sums := costs(start)) is not None]
    return CostSpans(*found) if found else None


@dataclass(frozen=True, slots=True)
class AccountState:
    """The account's sums and terms on a day in Amsterdam; `failed` are the optional endpoints without answer."""

    day: date
    energy: Energy
    profile: AccountProfile | None
    position: ErePosition | None
    failed: frozenset[Endpoint]
    coverage: Coverage
    spans: CostSpans | None


class AccountCoordinator(EndpointCoordinator[AccountState]):
    """Reads `/energy` hourly, and soon after the history has changed; `/me` and `/ere-position` every 6 hours."""

    endpoint = Endpoint.ENERGY

    def __init__(
        self,
        chargers: ChargersCoordinator,
        history: SessionHistory,
        compare_totals: Callable[[Energy, Iterable[Charger], datetime], None],
    ) -> None:
        """Prepare to follow the history; `compare_totals` is called with every answer of `/energy`."""
        super().__init__(chargers.hass, chargers.config_entry, chargers.client, _HOURLY)
        self._chargers = chargers
        self._history = history
        self._compare_totals = compare_totals
        self._silent: set[Endpoint] = set()
        self._answered_at: dict[Endpoint, datetime] = {}
        """Moments of the last requests that the optional endpoints have answered."""
        for unsubscribe in (
            history.async_listen(
                self._async_follow_history,
                Change.SESSIONS | Change.SYNC | Change.VALUES | Change.PRICES | Change.TARIFF,
            ),
            _Midnights(self.hass, self._async_turn_day).async_stop,
        ):
            self.config_entry.async_on_unload(unsubscribe)

    @property
    @override
    def device_keys(self) -> Iterable[str]:
        return (self.config_entry.entry_id,)

    @override
    async def _async_read(self) -> dict[str, AccountState]:
        energy = (await self.client.energy()).data
        before = self.data.get(self.config_entry.entry_id)
        profile = await self._async_read_optional(
            Endpoint.ME, before.profile if before else None, self.client.account_profile
        )
        position = await self._async_read_optional(
            Endpoint.ERE_POSITION, before.position if before else None, self.client.ere_position
        )
        now = dt_util.utcnow()
        if profile is not None:
            self._learn_account_id(profile)
            self._history.async_update(transitions.assign_values, profile)
        self._compare_totals(energy, self._listed(), now)
        failed = frozenset(self._silent)
        coverage = queries.coverage(self._history.state)
        day = local_day(now)
        spans = self._spans(day)
        state = AccountState(day, energy, profile, position, failed, coverage, spans)
        return self._with_equal_kept({self.config_entry.entry_id: state})

    def _learn_account_id(self, profile: AccountProfile) -> None:
        """Make the account's id the entry's unique id, if set-up could not learn it."""
        entries = self.hass.config_entries
        if self.config_entry.unique_id is not None or profile.id is None:
            return
        if not entries.async_entry_for_domain_unique_id(DOMAIN, profile.id):
            entries.async_update_entry(self.config_entry, unique_id=profile.id)

    async def _async_read_optional[DataT](
        self,
        endpoint: Endpoint,
        before: DataT | None,
        fetch: Callable[[], Awaitable[Response[DataT]]],
    ) -> DataT | None:
        """Return the answer of an endpoint that an account may lack; one that fails is silent."""
        answered_at = self._answered_at.get(endpoint)
        # A clock that went back by days must not make an answer last for days.
        if answered_at is not None and abs(dt_util.utcnow() - answered_at) < _TERMS_EVERY:
            return before
        try:
            response = await fetch()
        except JouloTooEarlyError:
            return before
        except (JouloNotFoundError, JouloScopeError) as error:
            if isinstance(error, JouloScopeError) and before is not None:
                async_raise_missing_scope(self.hass, self.config_entry, endpoint.path, error.scope)
            answer: DataT | None = None
        except JouloError as error:
            if self.client.rate_limiter.token_rejected:
                raise
            if endpoint not in self._silent:
                self._silent.add(endpoint)
                _LOGGER.info("Joulo's %s cannot be read: %s", endpoint.path, error)
            return before
        else:
            answer = response.data
            self._answered_at[endpoint] = response.sent_at
            async_clear_missing_scope(self.hass, self.config_entry, endpoint.path)
        if endpoint in self._silent:
            self._silent.remove(endpoint)
            _LOGGER.info("Joulo's %s can be read again", endpoint.path)
        return answer

    @callback
    def _async_follow_history(self, change: Change) -> None:
        """Read the new sums soon, and show how far the history reaches, and what it has cost."""
        if change & Change.SESSIONS:
            self.async_refresh_soon()
        if change & (Change.SESSIONS | Change.SYNC):
            self._update(coverage=queries.coverage(self._history.state))
        self._update(spans=self._spans(local_day(dt_util.utcnow())))

    def _spans(self, day: date) -> CostSpans | None:
        return _spans(lambda since: queries.account_costs(self._history.state, since), day)

    def _listed(self) -> list[Charger]:
        return [state.charger for state in self._chargers.data.values()]

    def _update(self, **changes: Any) -> None:
        self._async_show(
            {device_key: replace(state, **changes) for device_key, state in self.data.items()}
        )

    @callback
    def _async_turn_day(self, now: datetime) -> None:
        """Show the new month or year from its first moment."""
        day = local_day(now)
        self._update(day=day, spans=self._spans(day))


@dataclass(frozen=True, slots=True, kw_only=True)
class VehicleState(LastSession):
    """A vehicle on a day in Amsterdam: what its sessions add up to, its newest completed one, and whether it charges.

    The sums are None until all sessions have been read once. `running` is the session of it that is
    active, the newest of two, `charger` the name of its charger, and `last_charger` that of its newest completed one.
    """

    day: date
    is_charging: bool
    is_reachable: bool
    running: ChargingSession | None
    charger: str | None
    total: Totals | None
    month: Sums | None
    year: Sums | None
    last_charger: str | None
    spans: CostSpans | None
    elsewhere: CarSessions | None
    """What only its car tells of: its calendar follows it."""


class VehiclesCoordinator(JouloCoordinator[VehicleState]):
    """Follows the history and the chargers: it asks Joulo nothing."""

    def __init__(self, chargers: ChargersCoordinator, history: SessionHistory) -> None:
        """Prepare to show the vehicles that the history knows."""
        super().__init__(chargers.hass, chargers.config_entry, "vehicles", None)
        self._chargers = chargers
        self._history = history
        self._devices = dr.async_get(chargers.hass)

    @callback
    def async_start(self) -> None:
        """Show them from now on, until the entry is unloaded."""
        self.data = self._states()
        changes = _SHOWN_OF_CHARGER | Change.VALUES | Change.CARS
        for unsubscribe in (
            self._history.async_listen(self._async_follow, changes),
            self._chargers.async_add_listener(self._async_follow_chargers),
            _Midnights(self.hass, self._async_follow).async_stop,
        ):
            self.config_entry.async_on_unload(unsubscribe)

    @property
    @override
    def device_keys(self) -> Iterable[str]:
        return self.data.keys()

    @property
    @override
    def subentry_ids(self) -> Mapping[str, str]:
        vehicles = self._history.state.fleet.vehicles
        return {vehicle_key(vehicle.id): vehicle.id for vehicle in vehicles}

    @override
    async def _async_update_data(self) -> dict[str, VehicleState]:
        """Return what is shown: whoever asks for an update by hand finds it up to date."""
        return self.data

    @callback
    def _async_follow(self, *_: object) -> None:
        if self._history.state.fleet.vehicles:
            self._async_show(self._states())

    @callback
    def _async_follow_chargers(self) -> None:
        """Follow what the history does not know: whether a charger says that it charges, and answers at all."""
        subentry_ids = self.subentry_ids
        self._async_show(
            {
                key: replace(
                    state,
                    is_charging=self._is_charging(subentry_ids[key]),
                    is_reachable=self._chargers.last_update_success,
                )
                for key, state in self.data.items()
            }
        )

    def _states(self) -> dict[str, VehicleState]:
        return {
            vehicle_key(vehicle.id): self._vehicle_state(vehicle.id)
            for vehicle in self._history.state.fleet.vehicles
        }

    def _vehicle_state(self, vehicle_id: str) -> VehicleState:
        state, now = self._history.state, dt_util.utcnow()
        day = local_day(now)
        running = queries.running_sessions(state, vehicle_id)
        last = queries.last_completed_of_vehicle(state, vehicle_id, now)
        total = month = year = None
        if state.last_full_read is not None:
            total = queries.vehicle_totals(state, vehicle_id)
            month = queries.vehicle_sums(state, vehicle_id, midnight(day.replace(day=1)))
            year = queries.vehicle_sums(state, vehicle_id, midnight(day.replace(month=1, day=1)))
        spans = _spans(lambda since: queries.vehicle_costs(state, vehicle_id, since), day)
        return VehicleState(
            day=day,
            is_charging=self._is_charging(vehicle_id),
            is_reachable=self._chargers.last_update_success,
            running=running[-1] if running else None,
            charger=self._name(running[-1]) if running else None,
            total=total,
            month=month,
            year=year,
            session=last,
            value=queries.value_of(state, last) if last else None,
            vehicle=queries.vehicle_name(state, last),
            has_vehicles=True,
            cost=_eur(queries.cost_of(state, last, now)) if last else None,
            costs=spans.total if spans else None,
            last_charger=self._name(last) if last else None,
            spans=spans,
            elsewhere=queries.charged_elsewhere(state, vehicle_id),
        )

    def _is_charging(self, vehicle_id: str) -> bool:
        """Whether a session of the vehicle is active, and its charger says that it charges."""
        charging = {
            charger_id
            for charger_id, shown in self._chargers.data.items()
            if shown.charger.is_charging
        }
        running = queries.running_sessions(self._history.state, vehicle_id)
        return any(session.charger_id in charging for session in running)

    def _name(self, session: ChargingSession) -> str | None:
        return _charger_name(self._devices, self.config_entry, session)


def _charger_name(
    devices: dr.DeviceRegistry, entry: JouloConfigEntry, session: ChargingSession
) -> str | None:
    """Return the name of a session's charger; of one that is gone, as Joulo listed it."""
    return charger_name(devices, entry, session.charger_id) or session.charger_nickname


@dataclass(frozen=True, slots=True, kw_only=True)
class CarState:
    """What a vehicle's car tells on a day in Amsterdam: its newest session, wherever it was, and kWh charged elsewhere.

    `energy` is Joulo's where Joulo knows that session. `location` is the label that the car's record has, else the
    name of Joulo's charger.
    """

    day: date
    charge: CarSession | None
    energy: float | None
    location: str | None
    elsewhere: float | None
    month_elsewhere: float | None
    year_elsewhere: float | None


class CarsCoordinator(JouloCoordinator[CarState]):
    """Follows the cars' records in the history, and shows those that DER Connect lets be read."""

    def __init__(self, chargers: ChargersCoordinator, history: SessionHistory) -> None:
        """Prepare to show the cars of the vehicles that have one at DER Connect; none before they can be read."""
        super().__init__(chargers.hass, chargers.config_entry, "cars", None)
        self._history = history
        self._devices = dr.async_get(chargers.hass)
        self._subentry_ids = {vehicle_key(each): each for each in entity_ids_of(self.config_entry)}
        self._readable: frozenset[str] = frozenset()
        changes = (
            Change.ACTIVE
            | Change.OBSERVED
            | Change.SESSIONS
            | Change.SYNC
            | Change.VEHICLES
            | Change.CARS
        )
        for unsubscribe in (
            history.async_listen(self._async_follow, changes),
            _Midnights(self.hass, self._async_follow).async_stop,
        ):
            self.config_entry.async_on_unload(unsubscribe)

    @property
    @override
    def device_keys(self) -> Iterable[str]:
        return self._subentry_ids.keys()

    @property
    @override
    def subentry_ids(self) -> Mapping[str, str]:
        return self._subentry_ids

    @override
    async def _async_update_data(self) -> dict[str, CarState]:
        """Return what is shown: the service calculates once a day, and is not asked by hand."""
        return self.data

    @callback
    def async_show(self, readable: frozenset[str]) -> None:
        """Show the cars of these vehicles; those of others are unavailable."""
        self._readable = readable
        self._async_follow()

    @callback
    def _async_follow(self, *_: object) -> None:
        if self._subentry_ids:
            self._async_show(
                {
                    key: self._car_state(vehicle_id)
                    for key, vehicle_id in self._subentry_ids.items()
                    if vehicle_id in self._readable
                }
            )

    def _car_state(self, vehicle_id: str) -> CarState:
        state, now = self._history.state, dt_util.utcnow()
        day = local_day(now)
        month, year = midnight(day.replace(day=1)), midnight(day.replace(month=1, day=1))
        car, session = queries.last_charge(state, vehicle_id, now) or (None, None)
        energy = session.kwh if session else car.energy_kwh if car else None
        name = _charger_name(self._devices, self.config_entry, session) if session else None
        return CarState(
            day=day,
            charge=car,
            energy=energy,
            location=(car.label if car else None) or name,
            elsewhere=queries.elsewhere_energy(state, vehicle_id, None),
            month_elsewhere=queries.elsewhere_energy(state, vehicle_id, month),
            year_elsewhere=queries.elsewhere_energy(state, vehicle_id, year),
        )


class _Midnights:
    """Calls an action at every midnight in Amsterdam."""

    def __init__(self, hass: HomeAssistant, action: Callable[[datetime], None]) -> None:
        self._hass = hass
        self._action = action
        self._cancel = self._wait()

    @callback
    def async_stop(self) -> None:
        """Call it no more."""
        self._cancel()

    def _wait(self) -> CALLBACK_TYPE:
        tomorrow = local_day(dt_util.utcnow()) + timedelta(days=1)
        return async_track_point_in_utc_time(
            self._hass, self._async_turn, midnight(tomorrow).astimezone(UTC)
        )

    @callback
    def _async_turn(self, now: datetime) -> None:
        self._cancel = self._wait()
        self._action(now)
