"""The charging sessions that are known, kept across restarts."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any, TypedDict

from homeassistant.core import HomeAssistant
from homeassistant.helpers.storage import Store

from .api import Charger, ChargingSession, Me
from .api.reading import read_moment
from .const import DOMAIN
from .sessions import session_value

_VERSION = 1
_SAVE_DELAY = 60


class _Stored(TypedDict):
    last_read: str | None
    sessions: list[dict[str, Any]]
    live: list[dict[str, Any]]
    values: dict[str, float]


class SessionHistory:
    """Every session that Joulo has shown, by id: from `/sessions` as it is, from `/chargers` as it runs."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        self.sessions: dict[str, ChargingSession] = {}
        self.values: dict[str, float] = {}
        """EUR by session id, set once."""
        self.last_read: datetime | None = None
        """When the last read of `/sessions` began that reached its far end."""
        self.revision = 0
        """Grows whenever `/sessions` brings something new."""
        self.running: set[str] = set()
        """The chargers on which a session runs."""
        self._live: dict[str, ChargingSession] = {}
        self._closed = False
        self._store = Store[_Stored](hass, _VERSION, f"{DOMAIN}.{entry_id}.history")

    async def async_load(self) -> None:
        """Take up what the last run of Home Assistant knew."""
        if (stored := await self._store.async_load()) is None:
            return
        self.last_read = read_moment(stored["last_read"])
        sessions = map(ChargingSession.from_dict, stored["sessions"])
        self.sessions = {session.id: session for session in sessions}
        live = map(ChargingSession.from_dict, stored["live"])
        self._live = {session.charger_id: session for session in live}
        self.values = stored["values"]

    async def async_close(self) -> None:
        """Write everything, and nothing after it: what comes next reads the file."""
        self._closed = True
        await self._store.async_save(self._to_store())

    async def async_remove(self) -> None:
        """Delete what is stored."""
        await self._store.async_remove()

    def observe(self, charger: Charger) -> None:
        """Take over what a charger shows of the session that runs on it."""
        current = charger.current_session
        if current is None:
            # An answer that says "charging" and shows no session is no news.
            if not charger.is_charging:
                self.forget_running(charger.id)
            return
        before = self._live.get(charger.id)
        same = before is not None and before.id == current.id
        session = ChargingSession(
            id=current.id,
            charger_id=charger.id,
            started_at=current.started_at,
            kwh=current.kwh_so_far,
            # The card stays the same for a whole session, even if an answer leaves it out.
            id_tag=current.id_tag or (before.id_tag if before is not None and same else None),
        )
        self.running.add(charger.id)
        if session != before:
            self._live[charger.id] = session
            self._changed()

    def forget_running(self, charger_id: str) -> None:
        """Take note that no session runs on a charger any more."""
        if charger_id in self.running:
            self.running.discard(charger_id)
            self._changed()

    def merge(self, sessions: Iterable[ChargingSession]) -> bool:
        """Take over what `/sessions` shows; return whether that was news."""
        news = False
        for session in sessions:
            known = self._with_known_tag(session)
            news |= self.sessions.get(session.id) != known
            self.sessions[session.id] = known
        if news:
            self.revision += 1
            self._changed()
        return news

    def appraise(self, chargers: Iterable[Charger], me: Me | None) -> bool:
        """Value every completed session that has no value yet; return whether there was one."""
        certified = {charger.id: charger.mid_certified for charger in chargers}
        values = {
            session.id: value
            for session in self.sessions.values()
            if session.ended_at is not None
            and session.id not in self.values
            and (
                value := session_value(session, me, mid_certified=certified.get(session.charger_id))
            )
            is not None
        }
        self.values |= values
        if values:
            self._changed()
        return bool(values)

    def newest(self, charger_id: str) -> ChargingSession | None:
        """Return the session that runs on a charger, else the last one that did."""
        live = self._live.get(charger_id)
        if charger_id in self.running:
            return live
        candidates = [s for s in self.sessions.values() if s.charger_id == charger_id]
        if live is not None and not self._is_completed(live.id):
            candidates = [s for s in candidates if s.id != live.id] + [live]
        return max(candidates, key=_start, default=None)

    def last_completed(self, charger_id: str) -> ChargingSession | None:
        """Return the newest session of a charger that has ended."""
        completed = (
            session
            for session in self.sessions.values()
            if session.charger_id == charger_id and session.ended_at is not None
        )
        return max(completed, key=_start, default=None)

    def _is_completed(self, session_id: str) -> bool:
        known = self.sessions.get(session_id)
        return known is not None and known.ended_at is not None

    def _with_known_tag(self, session: ChargingSession) -> ChargingSession:
        """Fill in the card that an earlier answer showed."""
        if session.id_tag is not None:
            return session
        live = self._live.get(session.charger_id)
        for earlier in (self.sessions.get(session.id), live):
            if earlier is not None and earlier.id == session.id and earlier.id_tag is not None:
                return replace(session, id_tag=earlier.id_tag)
        return session

    def _changed(self) -> None:
        if not self._closed:
            self._store.async_delay_save(self._to_store, _SAVE_DELAY)

    def _to_store(self) -> _Stored:
        return {
            "last_read": self.last_read.isoformat() if self.last_read else None,
            "sessions": [session.to_dict() for session in self.sessions.values()],
            "live": [session.to_dict() for session in self._live.values()],
            "values": self.values,
        }


def _start(session: ChargingSession) -> datetime:
    return session.started_at
