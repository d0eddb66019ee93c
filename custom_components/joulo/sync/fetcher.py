"""Reads `/sessions` into the history: the newest with every poll, all of them in the background."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
import logging
from typing import TYPE_CHECKING

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.event import async_call_later
from homeassistant.util import dt as dt_util

from ..api import (
    ChargingSession,
    Endpoint,
    JouloClient,
    JouloError,
    JouloRateLimitError,
    SessionPaginator,
)
from ..devices import charger_ids, has_charger_since
from ..history import SessionHistory
from ..sessions import queries, transitions
from ..sessions.model import Backfill, Change
from ..sessions.transitions import CompleteRead

if TYPE_CHECKING:
    from ..data import JouloConfigEntry

_LOGGER = logging.getLogger(__name__)

_OVERLAP = timedelta(days=14)
"""Time before the last read that is read again: Joulo revises figures after the end."""
_FULL_READ_EVERY = timedelta(days=30)
_MARGIN = 1.0
"""Seconds; Home Assistant's timers fire up to one early, and the rate limiter would refuse."""


@dataclass(frozen=True, slots=True)
class _Read:
    """A read of one or more pages: when it began, the time that it covers, and whether that is all."""

    paginator: SessionPaginator
    begun: datetime
    since: datetime | None
    until: datetime
    full: bool
    ahead: dict[str, ChargingSession] = field(default_factory=dict)
    """Sessions that are left out because they start in the future."""


class SessionFetcher:
    """Reads sessions page by page, one read at a time."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: JouloConfigEntry,
        client: JouloClient,
        history: SessionHistory,
    ) -> None:
        self._hass = hass
        self._entry = entry
        self._client = client
        self._history = history
        self._current: _Read | None = None
        self._interrupted: _Read | None = None
        self._cancel: CALLBACK_TYPE | None = None
        self._full_read_requested = False
        self._has_logged_ahead = False
        self._stopped = False

    @callback
    def async_start(self) -> None:
        """Go on with a read of all sessions that an earlier run left unfinished, until the entry unloads."""
        self._entry.async_on_unload(self._async_stop)
        if (backfill := self._history.state.backfill) is not None:
            self._resume_backfill(backfill)

    @property
    def is_idle(self) -> bool:
        """Whether no page is being read, and no full read is waiting."""
        return (
            self._current is None
            and self._history.state.backfill is None
            and not self._full_read_requested
        )

    def request_full_read(self) -> None:
        """Read all sessions again, from the next poll on."""
        self._full_read_requested = True

    async def async_read(self) -> None:
        """Read the newest page; raises JouloError. Further pages follow in the background.

        Where the page is short, the one that proves the end follows at once.
        """
        read = self._new_read(dt_util.utcnow())
        await self._read_page(read)
        backfill = self._history.state.backfill
        if self._current is not None or backfill is not None:
            # Whatever becomes of the read that is under way, the newest sessions are known.
            if read.since is not None and self._is_at_end(read):
                self._conclude(read)
            if self._current is None and backfill is not None:
                self._resume_backfill(backfill)
        elif self._is_proof_due(read):
            self._current = read
            await self._async_read_next_page(read)
        else:
            self._proceed(read)

    @callback
    def _async_stop(self) -> None:
        self._stopped = True
        if self._cancel is not None:
            self._cancel()

    def _new_read(self, now: datetime) -> _Read:
        full = self._is_full_read_due(now)
        since = None if full else queries.unsettled_since(self._history.state, _OVERLAP)
        return _Read(SessionPaginator(self._client, since=since), now, since, now, full)

    def _is_full_read_due(self, now: datetime) -> bool:
        if self._current is not None or self._history.state.backfill is not None:
            return False
        last = self._history.state.last_full_read
        return (
            self._full_read_requested
            or last is None
            or now - last >= _FULL_READ_EVERY
            or has_charger_since(dr.async_get(self._hass), self._entry, last, now)
        )

    async def _read_page(self, read: _Read) -> None:
        now = dt_util.utcnow()
        sessions = await read.paginator.fetch_page()
        ahead = {each.id: each for each in sessions if transitions.is_ahead(each.started_at, now)}
        read.ahead.update(ahead)
        if ahead and not self._has_logged_ahead:
            self._has_logged_ahead = True
            _LOGGER.warning("Charging sessions that start in the future are left out")
        change = self._history.async_update(
            transitions.upsert_listed, [each for each in sessions if each.id not in ahead]
        )
        # A charger was linked again under another id: its whole past may have moved.
        if change & Change.MOVED and not read.full:
            self._full_read_requested = True

    def _resume_backfill(self, backfill: Backfill) -> None:
        """Go on with a read of all sessions: of this run where it stopped, or of an earlier run."""
        if self._interrupted is not None:
            self._schedule_next_page(self._interrupted)
            return
        begun, cursor = backfill
        paginator = SessionPaginator(self._client, until=cursor)
        self._schedule_next_page(_Read(paginator, begun, None, cursor.moment, full=True))

    def _proceed(self, read: _Read) -> None:
        """Finish a read that has come to its end, or schedule its next page."""
        paginator = read.paginator
        if self._is_at_end(read):
            self._finish(read)
            return
        # Only a cursor can be continued from after a restart.
        if read.full and not paginator.by_offset and (cursor := paginator.until) is not None:
            self._history.async_update(transitions.set_backfill, Backfill(read.begun, cursor))
        self._schedule_next_page(read)

    def _is_proof_due(self, read: _Read) -> bool:
        """Whether the page that proves the end of a short one is needed, and may be read at once."""
        return (
            read.paginator.is_short
            and not self._is_at_end(read)
            and not self._client.rate_limiter.retry_in(Endpoint.HISTORY)
        )

    def _is_at_end(self, read: _Read) -> bool:
        """Whether no page is left. A rolling read ends with a short page, unless sessions are missing then."""
        if read.paginator.complete or read.full or not read.paginator.is_short:
            return read.paginator.complete
        return not self._conclusion(read).missing(self._history.state)

    def _finish(self, read: _Read) -> None:
        self._current = None
        paginator = read.paginator
        known = any(queries.listed(self._history.state))
        is_empty = read.full and known and not paginator.seen
        if is_empty or not (paginator.proves_absence or paginator.by_offset):
            # The read may lack older sessions: the next poll begins anew.
            if read.full:
                self._full_read_requested = True
                self._history.async_update(transitions.set_backfill, None)
            return
        if read.full:
            self._history.async_update(
                transitions.begin_announcing, dt_util.utcnow(), read.ahead.values()
            )
        self._conclude(read)
        if read.full:
            # Sessions that are missing go once a second read misses them too.
            self._full_read_requested = queries.awaits_second_read(self._history.state)

    def _conclude(self, read: _Read) -> None:
        """Remove what a read that has come to its end proves to be gone, and record the read."""
        if read.paginator.proves_absence:
            self._history.async_update(
                transitions.remove_missing, self._conclusion(read), dt_util.utcnow()
            )
        self._history.async_update(transitions.finish_read, read.begun, full=read.full)

    def _conclusion(self, read: _Read) -> CompleteRead:
        return CompleteRead(
            seen=read.paginator.seen - read.ahead.keys(),
            since=read.since,
            until=read.until,
            charger_ids=charger_ids(dr.async_get(self._hass), self._entry),
        )

    def _schedule_next_page(self, read: _Read, wait: float = 0) -> None:
        if self._stopped:
            return
        self._current, self._interrupted = read, None
        wait = max(wait, self._client.rate_limiter.retry_in(Endpoint.HISTORY)) + _MARGIN

        @callback
        def read_next_page(_now: datetime) -> None:
            self._entry.async_create_background_task(
                self._hass, self._async_read_next_page(read), "Reading older charging sessions"
            )

        self._cancel = async_call_later(self._hass, wait, read_next_page)

    async def _async_read_next_page(self, read: _Read) -> None:
        try:
            await self._read_page(read)
        except JouloRateLimitError as error:
            self._schedule_next_page(read, error.retry_after)
        except JouloError as error:
            # The next poll goes on with a full read where it is, and begins any other anew.
            _LOGGER.debug("Reading older charging sessions stopped: %s", error)
            self._current, self._interrupted = None, read if read.full else None
        else:
            self._proceed(read)
