"""Three coordinators ask Joulo, each at its own pace; the gate in the client keeps them all within limits."""

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
import logging
from typing import override

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryAuthFailed
from homeassistant.helpers.event import async_call_later, async_track_point_in_utc_time
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed
from homeassistant.util import dt as dt_util

from .api import (
    Charger,
    ChargingSession,
    Door,
    Energy,
    JouloAuthError,
    JouloClient,
    JouloError,
    JouloNotFoundError,
    JouloRateLimitError,
    JouloScopeError,
    JouloTooEarlyError,
    Me,
    SessionRange,
)
from .cloud import error_text
from .const import CHARGERS_INTERVAL, CONF_CHARGERS_INTERVAL
from .devices import ChargerDevices
from .history import SessionHistory
from .sessions import local_day, midnight

_LOGGER = logging.getLogger(__name__)

_HOURLY = timedelta(hours=1)
_MARGIN = 1.0
"""Seconds; Home Assistant's timers fire up to one early, and the gate would refuse."""
_WHILE_CHARGING = timedelta(seconds=Door.SESSIONS.interval + _MARGIN)
_OVERLAP = timedelta(days=14)
"""How far back every read of the sessions goes: Joulo revises figures after the end."""


@dataclass(frozen=True, slots=True)
class JouloData:
    """What a config entry runs on."""

    chargers: ChargersCoordinator
    sessions: SessionsCoordinator
    account: AccountCoordinator


type JouloConfigEntry = ConfigEntry[JouloData]


class JouloCoordinator[StateT](DataUpdateCoordinator[dict[str, StateT]]):
    """Reads through one door of the gate and puts errors into words.

    Its data are states by owner: a charger's id, or for the account the config entry's.
    """

    config_entry: JouloConfigEntry
    door: Door

    def __init__(
        self, hass: HomeAssistant, entry: JouloConfigEntry, client: JouloClient, interval: timedelta
    ) -> None:
        """Prepare to read every `interval`."""
        super().__init__(
            hass, _LOGGER, config_entry=entry, name=self.door.path, update_interval=interval
        )
        self.client = client
        self.data = {}
        self._has_data = False
        self._cancel_soon: CALLBACK_TYPE | None = None
        entry.async_on_unload(self._forget_soon)

    @abstractmethod
    async def _async_read(self) -> dict[str, StateT]:
        """Ask Joulo."""

    @callback
    def async_refresh_soon(self) -> None:
        """Refresh as soon as the gate lets a request through."""
        if self._cancel_soon is None:
            delay = self.client.gate.opens_in(self.door) + _MARGIN
            self._cancel_soon = async_call_later(self.hass, delay, self._async_refresh_now)

    @override
    async def _async_update_data(self) -> dict[str, StateT]:
        try:
            data = await self._async_read()
        except JouloTooEarlyError as error:
            if not self._has_data:
                raise self._translated(error) from error
            return self.data
        except JouloError as error:
            raise self._translated(error) from error
        self._forget_soon()
        self._has_data = True
        return data

    def _translated(self, error: JouloError) -> UpdateFailed | ConfigEntryAuthFailed:
        if isinstance(error, JouloAuthError):
            return ConfigEntryAuthFailed(**error_text(error))
        if isinstance(error, JouloRateLimitError):
            return UpdateFailed(**error_text(error), retry_after=error.retry_after + _MARGIN)
        return UpdateFailed(**error_text(error))

    async def _async_refresh_now(self, _now: datetime) -> None:
        self._cancel_soon = None
        await self.async_refresh()

    @callback
    def _forget_soon(self) -> None:
        if self._cancel_soon is not None:
            self._cancel_soon()
            self._cancel_soon = None


@dataclass(frozen=True, slots=True)
class ChargerState:
    """A charger at a moment, and the session that runs on it or, when none does, ran last."""

    at: datetime
    charger: Charger
    session: ChargingSession | None
    running: bool


class ChargersCoordinator(JouloCoordinator[ChargerState]):
    """Polls `/chargers`: what they do now, and which there are."""

    door = Door.CHARGERS

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
        self._answer: tuple[Charger, ...] = ()

    @override
    async def _async_read(self) -> dict[str, ChargerState]:
        answer = await self.client.chargers()
        if answer is not self._answer:
            self._answer = answer
            for charger_id in self._devices.async_sync(answer):
                self.history.forget_running(charger_id)
            for charger in answer:
                self.history.observe(charger)
        return self._states()

    @callback
    def async_show_history(self) -> None:
        """Show what the history has learnt since the last poll."""
        self.data = self._states()
        self.async_update_listeners()

    def _states(self) -> dict[str, ChargerState]:
        now = dt_util.utcnow()
        return {charger.id: self._state(now, charger) for charger in self._answer}

    def _state(self, now: datetime, charger: Charger) -> ChargerState:
        session = self.history.newest(charger.id)
        return ChargerState(now, charger, session, charger.id in self.history.running)


@dataclass(frozen=True, slots=True)
class LastSession:
    """The newest completed session of a charger, and its value in EUR."""

    session: ChargingSession | None
    value: float | None


class SessionsCoordinator(JouloCoordinator[LastSession]):
    """Reads `/sessions` into the history: every 10 minutes while one runs, else hourly."""

    door = Door.SESSIONS

    def __init__(self, chargers: ChargersCoordinator) -> None:
        """Prepare to follow what runs on the chargers."""
        super().__init__(chargers.hass, chargers.config_entry, chargers.client, _HOURLY)
        self.chargers = chargers
        self.history = chargers.history
        self._running = set(self.history.running)
        self._walk: SessionRange | None = None
        self._cancel_walk: CALLBACK_TYPE | None = None
        self.data = self._last_sessions()
        self._has_data = self.history.last_read is not None
        self.config_entry.async_on_unload(chargers.async_add_listener(self._async_follow_chargers))
        self.config_entry.async_on_unload(self._stop_walk)

    @override
    async def _async_read(self) -> dict[str, LastSession]:
        self._set_pace()
        begun = dt_util.utcnow()
        last_read = self.history.last_read
        walk = SessionRange(self.client, since=last_read and last_read - _OVERLAP)
        self._take_over(await walk.read_page())
        if self._walk is None:
            self._finish(walk, begun)
        return self._last_sessions()

    @callback
    def async_show_history(self) -> None:
        """Show what the history holds now."""
        self.data = self._last_sessions()
        self.async_update_listeners()

    def _take_over(self, sessions: Iterable[ChargingSession]) -> None:
        if self.history.merge(sessions):
            self.chargers.async_show_history()

    @callback
    def _async_follow_chargers(self) -> None:
        """Read soon when a session has started or ended; show chargers that have come."""
        if self._running != self.history.running:
            self._running = set(self.history.running)
            self._set_pace()
            self.async_refresh_soon()
        if self.data.keys() != self.chargers.data.keys():
            self.async_show_history()

    def _set_pace(self) -> None:
        self.update_interval = _WHILE_CHARGING if self.history.running else _HOURLY

    def _last_sessions(self) -> dict[str, LastSession]:
        return {charger_id: self._last_session(charger_id) for charger_id in self.chargers.data}

    def _last_session(self, charger_id: str) -> LastSession:
        session = self.history.last_completed(charger_id)
        return LastSession(session, self.history.values.get(session.id) if session else None)

    def _finish(self, walk: SessionRange, begun: datetime) -> None:
        """Take note that a range was read to its end, or go on with it as soon as the gate opens."""
        if walk.complete:
            self._walk = None
            self.history.last_read = begun
            return
        self._walk = walk
        self._read_on_after(self.client.gate.opens_in(Door.HISTORY), walk, begun)

    def _read_on_after(self, seconds: float, walk: SessionRange, begun: datetime) -> None:
        async def read_on(_now: datetime) -> None:
            await self._async_read_on(walk, begun)

        self._cancel_walk = async_call_later(self.hass, seconds + _MARGIN, read_on)

    async def _async_read_on(self, walk: SessionRange, begun: datetime) -> None:
        try:
            sessions = await walk.read_page()
        except JouloRateLimitError as error:
            if walk is self._walk:
                self._read_on_after(error.retry_after, walk, begun)
        except JouloError as error:
            # The next regular read begins again at the newest session.
            _LOGGER.debug("Reading older charging sessions stopped: %s", error)
            self._walk = None
        else:
            if walk is self._walk:
                self._take_over(sessions)
                self._finish(walk, begun)
                self.async_show_history()

    @callback
    def _stop_walk(self) -> None:
        self._walk = None
        if self._cancel_walk is not None:
            self._cancel_walk()


@dataclass(frozen=True, slots=True)
class AccountState:
    """The account's sums and terms on a day in Amsterdam; `failed` are the optional doors without answer."""

    day: date
    energy: Energy
    me: Me | None
    failed: frozenset[Door]


class AccountCoordinator(JouloCoordinator[AccountState]):
    """Reads `/energy` and `/me`: hourly, and soon after the history has changed."""

    door = Door.ENERGY

    def __init__(self, sessions: SessionsCoordinator) -> None:
        """Prepare to follow the sessions."""
        super().__init__(sessions.hass, sessions.config_entry, sessions.client, _HOURLY)
        self._sessions = sessions
        self._history = sessions.history
        self._revision = self._history.revision
        self._silent: frozenset[Door] = frozenset()
        self._cancel_midnight = self._wait_for_midnight()
        self.config_entry.async_on_unload(sessions.async_add_listener(self._async_follow_sessions))
        self.config_entry.async_on_unload(self._forget_midnight)

    @override
    async def _async_read(self) -> dict[str, AccountState]:
        energy = await self.client.energy()
        me, failed = await self._async_read_optional(Door.ME, self.client.me)
        self._silent = frozenset({Door.ME}) if failed else frozenset()
        self._appraise(me)
        state = AccountState(local_day(dt_util.utcnow()), energy, me, self._silent)
        return {self.config_entry.entry_id: state}

    async def _async_read_optional[AnswerT](
        self, door: Door, ask: Callable[[], Awaitable[AnswerT]]
    ) -> tuple[AnswerT | None, bool]:
        """Return what an endpoint answers that an account may lack, and whether it failed to answer."""
        try:
            answer = await ask()
        except JouloAuthError:
            raise
        except JouloNotFoundError, JouloScopeError:
            answer = None
        except JouloError as error:
            if door not in self._silent:
                _LOGGER.warning("Joulo's %s cannot be read: %s", door.path, error)
            return None, True
        if door in self._silent:
            _LOGGER.info("Joulo's %s can be read again", door.path)
        return answer, False

    @callback
    def _async_follow_sessions(self) -> None:
        """Value what has been completed, and read the new sums soon."""
        if self._revision != self._history.revision:
            self._revision = self._history.revision
            for state in self.data.values():
                self._appraise(state.me)
            self.async_refresh_soon()

    def _appraise(self, me: Me | None) -> None:
        chargers = [state.charger for state in self._sessions.chargers.data.values()]
        if self._history.appraise(chargers, me):
            self._sessions.async_show_history()

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
        day = local_day(now)
        self.data = {owner: replace(state, day=day) for owner, state in self.data.items()}
        self.async_update_listeners()
