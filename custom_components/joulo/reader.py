"""Reads `/sessions` into the history: the newest with every poll, all of them in the background."""

from dataclasses import dataclass
from datetime import datetime, timedelta
import logging

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.event import async_call_later
from homeassistant.util import dt as dt_util

from .api import Endpoint, JouloClient, JouloError, JouloRateLimitError, SessionPaginator
from .archive import Resume
from .devices import charger_ids
from .history import SessionHistory

_LOGGER = logging.getLogger(__name__)

_OVERLAP = timedelta(days=14)
"""How far back every read goes: Joulo revises figures after the end."""
_FULL_READ_EVERY = timedelta(days=30)
_MARGIN = 1.0


@dataclass(slots=True)
class _Walk:
    """A read of one or more pages: when it began, what span of time it covers, whether that is all."""

    pages: SessionPaginator
    begun: datetime
    since: datetime | None
    until: datetime
    full: bool


class SessionReader:
    """Keeps the history in step with `/sessions`, one walk at a time."""

    def __init__(
        self, hass: HomeAssistant, entry: ConfigEntry, client: JouloClient, history: SessionHistory
    ) -> None:
        self._hass = hass
        self._entry = entry
        self._client = client
        self._history = history
        self._walk: _Walk | None = None
        self._interrupted: _Walk | None = None
        self._cancel: CALLBACK_TYPE | None = None
        self._full_read_wanted = False
        self._stopped = False

    def start(self) -> None:
        """Go on with a full read that an earlier run left unfinished."""
        if self._history.resume is not None:
            self._take_up(self._history.resume)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being read, nor waits to be read again."""
        return self._walk is None and self._history.resume is None and not self._full_read_wanted

    def want_full_read(self) -> None:
        """Read everything again from the next poll on."""
        self._full_read_wanted = True

    async def async_read(self) -> None:
        """Read the newest sessions; raises JouloError. What does not fit on a page follows by itself."""
        walk = self._new_walk(dt_util.utcnow())
        self._history.merge(await walk.pages.fetch_page())
        # A walk that is under way covers what lies behind this page.
        if self._walk is not None:
            return
        if self._history.resume is None:
            self._follow(walk)
        else:
            self._take_up(self._history.resume)

    @callback
    def stop(self) -> None:
        """Read no further page."""
        self._stopped = True
        if self._cancel is not None:
            self._cancel()

    def _new_walk(self, now: datetime) -> _Walk:
        history = self._history
        if history.installed_at is None:
            history.installed_at = now
            history.changed()
        full = self._is_full_read_due(now)
        since = None if full else history.unsettled_since(_OVERLAP)
        return _Walk(SessionPaginator(self._client, since=since), now, since, now, full)

    def _is_full_read_due(self, now: datetime) -> bool:
        if self._walk is not None or self._history.resume is not None:
            return False
        last = self._history.last_full_read
        return self._full_read_wanted or last is None or now - last >= _FULL_READ_EVERY

    def _take_up(self, resume: Resume) -> None:
        """Go on with a full read where an earlier run of Home Assistant left it."""
        if self._interrupted is not None:
            self._go_on(self._interrupted)
            return
        begun, until = resume
        pages = SessionPaginator(self._client, until=until)
        self._go_on(_Walk(pages, begun, None, until.moment, full=True))

    def _follow(self, walk: _Walk) -> None:
        """Conclude a walk that has come to its end, or read its next page when the rate limiter opens."""
        if walk.pages.complete:
            self._conclude(walk)
            return
        if walk.full and walk.pages.until is not None:
            self._history.resume = (walk.begun, walk.pages.until)
            self._history.changed()
        self._go_on(walk)

    def _conclude(self, walk: _Walk) -> None:
        history = self._history
        self._walk = None
        if walk.pages.truncated or (walk.full and history.sessions and not walk.pages.seen):
            # That says nothing of what is older: the next poll begins anew.
            if walk.full:
                self._full_read_wanted, history.resume = True, None
                history.changed()
            return
        listed = charger_ids(dr.async_get(self._hass), self._entry)
        missing = history.settle(
            walk.pages.seen, walk.since, walk.until, dt_util.utcnow(), listed=listed
        )
        history.conclude(walk.begun, full=walk.full)
        if walk.full:
            # What is missing goes once another read misses it too.
            self._full_read_wanted = missing

    def _go_on(self, walk: _Walk, wait: float = 0) -> None:
        if self._stopped:
            return
        self._walk, self._interrupted = walk, None
        wait = max(wait, self._client.rate_limiter.retry_in(Endpoint.HISTORY)) + _MARGIN

        @callback
        def read_on(_now: datetime) -> None:
            self._entry.async_create_background_task(
                self._hass, self._async_read_on(walk), "Reading older charging sessions"
            )

        self._cancel = async_call_later(self._hass, wait, read_on)

    async def _async_read_on(self, walk: _Walk) -> None:
        try:
            sessions = await walk.pages.fetch_page()
        except JouloRateLimitError as error:
            self._go_on(walk, error.retry_after)
        except JouloError as error:
            # The next poll takes up a full read where it is, and begins any other anew.
            _LOGGER.debug("Reading older charging sessions stopped: %s", error)
            self._walk, self._interrupted = None, walk if walk.full else None
        else:
            self._history.merge(sessions)
            self._follow(walk)
