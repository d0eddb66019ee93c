"""Every charging session that is known, by id, kept across restarts."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.storage import Store
from homeassistant.util import dt as dt_util

from .api import AccountProfile, Charger, ChargingSession
from .api.models import parse_model
from .archive import Archive, Resume
from .const import DOMAIN
from .hours import Reading, hour_of
from .removals import Removals
from .sessions import (
    closed,
    ere_credits,
    estimated_ere,
    session_value,
    total,
    with_estimated_ere,
    with_last_reading,
    with_later_figure,
)

_VERSION = 1
_SAVE_DELAY = 30


@dataclass(frozen=True, slots=True)
class Totals:
    """kWh and ERE credits of all sessions of a charger, as far as each is known."""

    kwh: float | None
    ere: float | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How much is known: sessions that Joulo lists, the oldest one's start, and the last read of all there are."""

    sessions: int
    oldest: datetime | None
    last_full_read: datetime | None


class SessionHistory:
    """The sessions as `/sessions` lists them, and as `/chargers` shows those that run."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Begin empty; `async_load` takes up what an earlier run knew."""
        self.sessions: dict[str, ChargingSession] = {}
        """What `/sessions` lists."""
        self.live: dict[str, ChargingSession] = {}
        """What `/chargers` showed and `/sessions` does not list as completed yet."""
        self.running: dict[str, str] = {}
        """The id of the session that runs, by charger."""
        self.readings: dict[str, tuple[Reading, ...]] = {}
        """By session id: the last reading of every hour in which it was watched."""
        self.values: dict[str, float] = {}
        """EUR by session id, set once."""
        self.told: dict[str, tuple[str, ...]] = {}
        """What has been announced of a session, by its id."""
        self.installed_at: datetime | None = None
        """When the first load began: what started before it is never announced as started."""
        self.watching_since: datetime = dt_util.utcnow()
        """Since when nothing could pass unseen; a reload is no absence."""
        self.last_read: datetime | None = None
        """When the last read of `/sessions` began that reached its far end."""
        self.last_full_read: datetime | None = None
        """When the last read of all sessions began that reached the oldest one."""
        self.resume: Resume | None = None
        """Of a full read that is under way."""
        self.reread_after: datetime | None = None
        """Until when no difference from Joulo's totals has everything read again."""
        self.revision = 0
        """Grows whenever `/sessions` brings something new."""
        self._removals = Removals()
        self._of_charger: dict[str, tuple[ChargingSession, ...]] = {}
        self._listeners: list[CALLBACK_TYPE] = []
        self._closed = False
        self._writes_soon = False
        self._store = Store[dict[str, Any]](
            hass,
            _VERSION,
            f"{DOMAIN}.{entry_id}.history",
            private=True,
            serialize_in_event_loop=False,
        )

    async def async_load(self) -> None:
        """Take up what the last run of Home Assistant knew."""
        archive = parse_model(Archive)(await self._store.async_load())
        if archive is None:
            return
        self.installed_at = archive.telling_since()
        self.watching_since = archive.watching_since(self.watching_since)
        self.last_read = archive.last_read
        self.last_full_read = archive.last_full_read
        self.reread_after = archive.reread_after
        self.resume = archive.resume
        self.sessions = {session.id: session for session in archive.sessions}
        self.live = {session.id: session for session in archive.live}
        self.readings = archive.readings
        self.values = archive.values
        self.told = archive.told or {}

    async def async_save(self) -> None:
        """Write everything now."""
        await self._store.async_save(self._to_store())

    async def async_close(self) -> None:
        """Write everything, and nothing after it: what comes next reads the file."""
        self._closed = True
        await self.async_save()

    async def async_remove(self) -> None:
        """Delete what is stored."""
        await self._store.async_remove()

    @callback
    def async_listen(self, update: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Call `update` after `/sessions` or a price brought something new; returns how to stop that."""
        self._listeners.append(update)
        return lambda: self._listeners.remove(update)

    def observe(self, charger: Charger, now: datetime) -> None:
        """Take over what a charger shows of the session that runs on it."""
        current = charger.current_session
        if current is None or (not charger.is_charging and self.is_confirmed(current.id)):
            # An answer that says "charging" and shows no session is no news.
            if not charger.is_charging:
                self.end_running(charger.id, now)
            return
        if self.running.get(charger.id) != current.id:
            # However late that is seen: the one before had ended when this one began.
            self.end_running(charger.id, min(now, current.started_at))
            self.running[charger.id] = current.id
        before = self.live.get(current.id)
        self._show(
            ChargingSession(
                id=current.id,
                charger_id=charger.id,
                charger_nickname=charger.nickname,
                started_at=current.started_at,
                kwh=current.kwh_so_far,
                ere_credits=estimated_ere(current.kwh_so_far, current.started_at),
                # The card stays the same for a whole session, even if an answer leaves it out.
                id_tag=current.id_tag or (before.id_tag if before else None),
            )
        )
        if current.kwh_so_far is not None:
            self._note(current.id, (now, current.kwh_so_far))

    def end_running(self, charger_id: str, now: datetime) -> None:
        """Take note that the session that ran on a charger does so no more."""
        session_id = self.running.pop(charger_id, None)
        # One that has moved runs on elsewhere.
        if session_id is not None and session_id not in self.running.values():
            self._show(replace(self.live[session_id], ended_at=now))
            self.changed()

    def merge(self, sessions: Iterable[ChargingSession]) -> None:
        """Take over what `/sessions` lists."""
        news = False
        for session in sessions:
            known = self._with_known_tag(session)
            news |= self._keep(known)
            if known.ended_at is not None and session.id not in self.running.values():
                self.live.pop(session.id, None)
        if news:
            self._news()

    def settle(
        self,
        seen: set[str],
        since: datetime | None,
        until: datetime,
        now: datetime,
        *,
        listed: Collection[str],
    ) -> bool:
        """Conclude a complete read of a span of time; return whether sessions are missing in it.

        A session goes when two such reads, ten minutes apart, do not list it among others. If its charger
        is not `listed` any more, and none of its sessions is, they went with it: those are kept.
        """
        if not seen:
            return False
        known = self.live | self.sessions
        span = {
            session.id
            for session in known.values()
            if (since is None or session.started_at >= since) and session.started_at <= until
        }
        shown = {*listed, *(known[each].charger_id for each in seen if each in known)}
        missing = {
            session_id
            for session_id in span - seen - set(self.running.values())
            if known[session_id].charger_id in shown
        }
        gone = self._removals.confirmed(missing, span, now)
        for session_id in gone:
            self._forget(session_id)
        if gone:
            self._news()
        return bool(missing - gone)

    def conclude(self, begun: datetime, *, full: bool) -> None:
        """Take note of a read that reached its far end, and when it began."""
        self.last_read = begun
        if full:
            self.last_full_read = begun
            self.resume = None
            self._notify()
        self.changed()

    def appraise(self, chargers: Iterable[Charger], me: AccountProfile | None) -> None:
        """Value every completed session that has no value yet: a later price does not change it."""
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
        if values:
            self.values |= values
            self.changed()
            self._notify()

    def of_charger(self, charger_id: str) -> tuple[ChargingSession, ...]:
        """Return a charger's sessions, oldest first; only those that run, or may, have no end."""
        if charger_id not in self._of_charger:
            known = self.sessions | self._unconfirmed()
            self._of_charger[charger_id] = closed(
                (
                    with_last_reading(session, self.readings.get(session.id, ()))
                    for session in known.values()
                    if session.charger_id == charger_id
                ),
                running=self.running.get(charger_id),
            )
        return self._of_charger[charger_id]

    def completed(self, charger_id: str) -> tuple[ChargingSession, ...]:
        """Return those of a charger's sessions that Joulo lists as ended, or that had a successor."""
        unconfirmed = self._unconfirmed()
        return tuple(
            session
            for session in self.of_charger(charger_id)
            if session.ended_at is not None and session.id not in unconfirmed
        )

    def charger_ids(self) -> set[str]:
        """Return the ids of all chargers that have sessions, also of those that went."""
        return {session.charger_id for session in (self.sessions | self.live).values()}

    def newest(self, charger_id: str) -> ChargingSession | None:
        """Return the session that runs on a charger, else the last one that did."""
        if (running := self.running.get(charger_id)) is not None:
            return self.live[running]
        return next(reversed(self.of_charger(charger_id)), None)

    def last_completed(self, charger_id: str) -> ChargingSession | None:
        """Return the newest session of a charger that Joulo lists as ended."""
        return next(reversed(self.completed(charger_id)), None)

    def totals(self, charger_id: str) -> Totals:
        """Return what a charger has delivered and earned in all; unknown until all has been read."""
        if self.last_full_read is None:
            return Totals(None, None)
        sessions = self.of_charger(charger_id)
        return Totals(
            total([session.kwh for session in sessions]),
            total([ere_credits(session) for session in sessions]),
        )

    def progress(self) -> Progress:
        """Return how far the history reaches."""
        oldest = min((session.started_at for session in self.sessions.values()), default=None)
        return Progress(len(self.sessions), oldest, self.last_full_read)

    def unsettled_since(self, overlap: timedelta) -> datetime | None:
        """Return from when on Joulo may still change figures, or has yet to tell how a session ended."""
        if self.last_read is None:
            return None
        since = self.last_read - overlap
        ended = (
            session
            for session in self._unconfirmed().values()
            if (session.ended_at or since) > since
        )
        return min([since, *(session.started_at for session in ended)])

    def is_confirmed(self, session_id: str) -> bool:
        """Whether Joulo lists a session with its end."""
        session = self.sessions.get(session_id)
        return session is not None and session.ended_at is not None

    def _keep(self, session: ChargingSession) -> bool:
        """Keep what `/sessions` lists; return whether that is news."""
        before = self.sessions.get(session.id)
        if before == session:
            return False
        self.sessions[session.id] = session
        gets_ere = before and ere_credits(session) and not ere_credits(before)
        if gets_ere or session.ended_at is None:
            # It was worth nothing for want of energy, or it goes on after all.
            self.values.pop(session.id, None)
        return True

    def _unconfirmed(self) -> dict[str, ChargingSession]:
        """Return what chargers showed of sessions whose end Joulo does not list, with the later figure."""
        return {
            session_id: with_later_figure(
                self._as_far_as_seen(session), self.sessions.get(session_id)
            )
            for session_id, session in self.live.items()
            if not self.is_confirmed(session_id)
        }

    def _as_far_as_seen(self, session: ChargingSession) -> ChargingSession:
        readings = self.readings.get(session.id, ())
        return with_estimated_ere(with_last_reading(session, readings))

    def _show(self, session: ChargingSession) -> None:
        """Keep what a charger showed; write only what a restart would miss."""
        before = self.live.get(session.id)
        self.live[session.id] = session
        for charger in {session.charger_id, before.charger_id if before else session.charger_id}:
            self._of_charger.pop(charger, None)
        if before is None or before.id_tag != session.id_tag:
            self.changed()

    def _note(self, session_id: str, reading: Reading) -> None:
        """Keep one reading an hour: the last."""
        readings = self.readings.get(session_id, ())
        if readings and hour_of(readings[-1][0]) == hour_of(reading[0]):
            self.readings[session_id] = (*readings[:-1], reading)
        else:
            self.readings[session_id] = (*readings, reading)
            self.changed()

    def _with_known_tag(self, session: ChargingSession) -> ChargingSession:
        """Fill in the card that an earlier answer showed."""
        if session.id_tag is not None:
            return session
        for earlier in (self.sessions.get(session.id), self.live.get(session.id)):
            if earlier is not None and earlier.id_tag is not None:
                return replace(session, id_tag=earlier.id_tag)
        return session

    def _forget(self, session_id: str) -> None:
        for known in (self.sessions, self.live, self.readings, self.values):
            known.pop(session_id, None)

    def _news(self) -> None:
        self.revision += 1
        self._of_charger.clear()
        self.changed()
        self._notify()

    def _notify(self) -> None:
        for update in tuple(self._listeners):
            update()

    def changed(self) -> None:
        """Write soon, however often it changes."""
        # Asked again while it waits, the store would wait longer: a first load would never be written.
        if not self._closed and not self._writes_soon:
            self._writes_soon = True
            self._store.async_delay_save(self._to_store, _SAVE_DELAY)

    def _to_store(self) -> dict[str, Any]:
        # Runs in a thread: `tuple` and `dict` copy in one step, and what they hold never changes.
        self._writes_soon = False
        return Archive(
            installed_at=self.installed_at,
            watched_since=self.watching_since,
            watched_until=dt_util.utcnow(),
            last_read=self.last_read,
            last_full_read=self.last_full_read,
            reread_after=self.reread_after,
            resume=self.resume,
            sessions=tuple(self.sessions.values()),
            live=tuple(self.live.values()),
            readings=dict(self.readings),
            values=dict(self.values),
            told=dict(self.told),
        ).to_dict()
