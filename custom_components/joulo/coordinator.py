"""Three coordinators ask Joulo, each at its own pace; the rate limiter in the client keeps them all within limits."""

from abc import abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
import logging
from math import inf
import time
from typing import Any, override

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryAuthFailed
from homeassistant.helpers.event import async_call_later, async_track_point_in_utc_time
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed
from homeassistant.util import dt as dt_util

from .announcer import SessionAnnouncer
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
from .audit import Audit
from .const import CHARGERS_INTERVAL, CONF_CHARGERS_INTERVAL
from .devices import ChargerDevices
from .helpers import translated_error
from .history import Progress, SessionHistory, Totals
from .reader import SessionReader
from .repairs import async_clear_missing_scope, async_raise_missing_scope
from .sessions import local_day, midnight

_LOGGER = logging.getLogger(__name__)

_HOURLY = timedelta(hours=1)
_RETRY = 60.0
"""Seconds; after a failure the next try comes no sooner, even where no request was sent."""
_MARGIN = 1.0
"""Seconds; Home Assistant's timers fire up to one early, and the rate limiter would refuse."""
_WHILE_CHARGING = timedelta(seconds=Endpoint.SESSIONS.interval + _MARGIN)


@dataclass(frozen=True, slots=True)
class JouloData:
    """What a config entry runs on."""

    chargers: ChargersCoordinator
    sessions: SessionsCoordinator
    account: AccountCoordinator
    announcer: SessionAnnouncer


type JouloConfigEntry = ConfigEntry[JouloData]


class JouloCoordinator[StateT](DataUpdateCoordinator[dict[str, StateT]]):
    """Reads through one endpoint of the rate limiter and puts errors into words.

    Its data are states by owner: a charger's id, or for the account the config entry's.
    """

    config_entry: JouloConfigEntry
    endpoint: Endpoint

    def __init__(
        self, hass: HomeAssistant, entry: JouloConfigEntry, client: JouloClient, interval: timedelta
    ) -> None:
        """Prepare to read every `interval`."""
        super().__init__(
            hass, _LOGGER, config_entry=entry, name=self.endpoint.path, update_interval=interval
        )
        self.client = client
        self.data = {}
        self._has_data = False
        self._wished_at = -inf
        self._cancel_wish: CALLBACK_TYPE | None = None
        entry.async_on_unload(self._forget_wish)

    @abstractmethod
    async def _async_read(self) -> dict[str, StateT]:
        """Ask Joulo."""

    async def async_refresh_or_soon(self) -> None:
        """Refresh now; where nothing could be sent, once more as soon as the rate limiter lets it through."""
        self._wished_at = time.monotonic()
        await self.async_refresh()
        self._plan_wish()

    @callback
    def async_refresh_soon(self) -> None:
        """Refresh by a request that is sent from now on, as soon as the rate limiter lets one through."""
        self._wished_at = time.monotonic()
        self._plan_wish()

    def _plan_wish(self) -> None:
        if self._cancel_wish is None and not self._is_wish_fulfilled():
            delay = self.client.rate_limiter.retry_in(self.endpoint) + _MARGIN
            self._cancel_wish = async_call_later(self.hass, delay, self._async_follow_wish)

    def _is_wish_fulfilled(self) -> bool:
        rate_limiter = self.client.rate_limiter
        return rate_limiter.token_rejected or rate_limiter.sent_at(self.endpoint) >= self._wished_at

    @callback
    def _async_follow_wish(self, _now: datetime) -> None:
        self._cancel_wish = None
        if not self._is_wish_fulfilled():
            self.config_entry.async_create_background_task(
                self.hass, self._async_fulfil_wish(), f"{self.name} soon"
            )

    async def _async_fulfil_wish(self) -> None:
        await self.async_refresh()
        # A request that was under way when the wish arose has shut the rate limiter meanwhile.
        self._plan_wish()

    def _poll_again_in(self, error: JouloError) -> float:
        """Return the seconds until the next try: the hourly coordinators do not let an hour pass."""
        if isinstance(error, JouloRateLimitError):
            return error.retry_after + _MARGIN
        return max(self.client.rate_limiter.retry_in(self.endpoint), _RETRY) + _MARGIN

    @override
    async def _async_update_data(self) -> dict[str, StateT]:
        try:
            data = await self._async_read()
        except JouloTooEarlyError as error:
            if not self._has_data:
                raise self._translated(error) from error
            return self.data
        except JouloScopeError as error:
            async_raise_missing_scope(self.hass, self.config_entry, self.endpoint.path, error.scope)
            raise self._translated(error) from error
        except JouloError as error:
            raise self._translated(error) from error
        async_clear_missing_scope(self.hass, self.config_entry, self.endpoint.path)
        self._has_data = True
        return data

    def _translated(self, error: JouloError) -> UpdateFailed | ConfigEntryAuthFailed:
        if isinstance(error, JouloAuthError):
            return ConfigEntryAuthFailed(**translated_error(error))
        return UpdateFailed(**translated_error(error), retry_after=self._poll_again_in(error))

    @callback
    def _forget_wish(self) -> None:
        if self._cancel_wish is not None:
            self._cancel_wish()


@dataclass(frozen=True, slots=True)
class ChargerState:
    """A charger at a moment, and the session that runs on it or, when none does, ran last."""

    at: datetime
    charger: Charger
    session: ChargingSession | None
    running: bool
    totals: Totals


class ChargersCoordinator(JouloCoordinator[ChargerState]):
    """Polls `/chargers`: what they do now, and which there are."""

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
        self.history = history
        self._devices = ChargerDevices(hass, entry)
        self._response: Response[tuple[Charger, ...]] | None = None
        self._answer: tuple[Charger, ...] = ()
        self._answered_at = dt_util.utcnow()
        entry.async_on_unload(history.async_listen(self._async_follow_history))

    @override
    async def _async_read(self) -> dict[str, ChargerState]:
        response = await self.client.chargers()
        # Asked too early, the rate limiter repeats the very same response: that is no news.
        if response is not self._response:
            self._response = response
            self._answer = response.data
            self._answered_at = dt_util.utcnow()
            self._async_take_over(response.data, self._answered_at)
        return self._states()

    @callback
    def _async_take_over(self, chargers: tuple[Charger, ...], now: datetime) -> None:
        for charger_id in self._devices.async_sync(chargers):
            self.history.end_running(charger_id, now)
        for charger in chargers:
            self.history.observe(charger, now)

    @callback
    def _async_follow_history(self) -> None:
        self.data = self._states()
        self.async_update_listeners()

    def _states(self) -> dict[str, ChargerState]:
        return {charger.id: self._state(charger) for charger in self._answer}

    def _state(self, charger: Charger) -> ChargerState:
        session = self.history.newest(charger.id)
        is_running = charger.id in self.history.running
        totals = self.history.totals(charger.id)
        return ChargerState(self._answered_at, charger, session, is_running, totals)


@dataclass(frozen=True, slots=True)
class LastSession:
    """The newest completed session of a charger, and its value in EUR."""

    session: ChargingSession | None
    value: float | None


class SessionsCoordinator(JouloCoordinator[LastSession]):
    """Reads `/sessions` into the history: every 10 minutes while one runs, else hourly."""

    endpoint = Endpoint.SESSIONS

    def __init__(self, chargers: ChargersCoordinator) -> None:
        """Prepare to follow what runs on the chargers."""
        super().__init__(chargers.hass, chargers.config_entry, chargers.client, _HOURLY)
        self.history = chargers.history
        self.reader = SessionReader(self.hass, self.config_entry, self.client, self.history)
        self._chargers = chargers
        self._running = dict(self.history.running)
        self.data = self._last_sessions()
        self._has_data = self.history.last_read is not None
        self.reader.start()
        for stop in (
            self.reader.stop,
            self.history.async_listen(self._async_show),
            chargers.async_add_listener(self._async_follow_chargers),
        ):
            self.config_entry.async_on_unload(stop)

    @override
    async def _async_read(self) -> dict[str, LastSession]:
        self._set_pace()
        await self.reader.async_read()
        return self._last_sessions()

    @callback
    def _async_show(self) -> None:
        self.data = self._last_sessions()
        self.async_update_listeners()

    @callback
    def _async_follow_chargers(self) -> None:
        """Read soon when a session has started or ended; show chargers that have come."""
        if self._running != self.history.running:
            self._running = dict(self.history.running)
            self._set_pace()
            self.async_refresh_soon()
        if self.data.keys() != self._chargers.data.keys():
            self._async_show()

    def _set_pace(self) -> None:
        self.update_interval = _WHILE_CHARGING if self.history.running else _HOURLY

    def _last_sessions(self) -> dict[str, LastSession]:
        return {charger_id: self._last_session(charger_id) for charger_id in self._chargers.data}

    def _last_session(self, charger_id: str) -> LastSession:
        session = self.history.last_completed(charger_id)
        return LastSession(session, self.history.values.get(session.id) if session else None)


@dataclass(frozen=True, slots=True)
class AccountState:
    """The account's sums and terms on a day in Amsterdam; `failed` are the optional endpoints without answer."""

    day: date
    energy: Energy
    me: AccountProfile | None
    position: ErePosition | None
    failed: frozenset[Endpoint]
    progress: Progress


class AccountCoordinator(JouloCoordinator[AccountState]):
    """Reads `/energy`, `/me` and `/ere-position`: hourly, and soon after the history has changed."""

    endpoint = Endpoint.ENERGY

    def __init__(self, chargers: ChargersCoordinator, sessions: SessionsCoordinator) -> None:
        """Prepare to follow the history."""
        super().__init__(chargers.hass, chargers.config_entry, chargers.client, _HOURLY)
        self._chargers = chargers
        self._history = chargers.history
        self._audit = Audit(self.hass, self.config_entry, self._history, sessions.reader)
        self._revision = self._history.revision
        self._silent: set[Endpoint] = set()
        self._cancel_midnight = self._wait_for_midnight()
        self.config_entry.async_on_unload(self._history.async_listen(self._async_follow_history))
        self.config_entry.async_on_unload(self._forget_midnight)

    @override
    async def _async_read(self) -> dict[str, AccountState]:
        energy = (await self.client.energy()).data
        me = await self._async_read_optional(Endpoint.ME, self.client.account_profile)
        position = await self._async_read_optional(Endpoint.ERE_POSITION, self.client.ere_position)
        now = dt_util.utcnow()
        self._history.appraise(self._listed(), me)
        self._audit.async_compare(energy, self._listed(), now)
        failed = frozenset(self._silent)
        state = AccountState(local_day(now), energy, me, position, failed, self._history.progress())
        return {self.config_entry.entry_id: state}

    async def _async_read_optional[AnswerT](
        self, endpoint: Endpoint, ask: Callable[[], Awaitable[Response[AnswerT]]]
    ) -> AnswerT | None:
        """Return what an endpoint answers that an account may lack; one that fails is silent."""
        try:
            answer: AnswerT | None = (await ask()).data
        except JouloAuthError:
            raise
        except JouloNotFoundError, JouloScopeError:
            answer = None
        except JouloError as error:
            if endpoint not in self._silent:
                self._silent.add(endpoint)
                _LOGGER.warning("Joulo's %s cannot be read: %s", endpoint.path, error)
            return None
        if endpoint in self._silent:
            self._silent.remove(endpoint)
            _LOGGER.info("Joulo's %s can be read again", endpoint.path)
        return answer

    @callback
    def _async_follow_history(self) -> None:
        """Value what has been completed, and read the new sums soon."""
        if self._revision != self._history.revision:
            self._revision = self._history.revision
            for state in self.data.values():
                self._history.appraise(self._listed(), state.me)
            self.async_refresh_soon()
        self._update(progress=self._history.progress())

    def _listed(self) -> list[Charger]:
        return [state.charger for state in self._chargers.data.values()]

    def _update(self, **changes: Any) -> None:
        """Show what has changed since Joulo was asked."""
        self.data = {owner: replace(state, **changes) for owner, state in self.data.items()}
        self.async_update_listeners()

    def _wait_for_midnight(self) -> CALLBACK_TYPE:
        tomorrow = local_day(dt_util.utcnow()) + timedelta(days=1)
        return async_track_point_in_utc_time(
            self.hass, self._async_turn_day, midnight(tomorrow).astimezone(UTC)
        )

    @callback
    def _forget_midnight(self) -> None:
        self._cancel_midnight()

    @callback
    def _async_turn_day(self, now: datetime) -> None:
        """Show the new month or year from its first moment."""
        self._cancel_midnight = self._wait_for_midnight()
        self._update(day=local_day(now))
