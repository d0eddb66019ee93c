"""Publishes starts and ends of charging sessions as events, each once."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from homeassistant.components.event.const import DOMAIN as EVENT_DOMAIN
from homeassistant.core import CALLBACK_TYPE, CoreState, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.event import async_track_point_in_utc_time
from homeassistant.helpers.start import async_at_started
from homeassistant.util import dt as dt_util

from ..const import DOMAIN, EVENT_KEY
from ..devices import unique_id
from ..history import SessionHistory
from ..issues import async_clear_unwritable, async_raise_unwritable
from ..sessions import queries, transitions
from ..sessions.model import Change, SessionEventType
from ..sessions.queries import PendingEvent

if TYPE_CHECKING:
    from ..data import JouloConfigEntry

_CONFIRMATION_TIMEOUT = timedelta(minutes=15)
"""Time for which a completion waits until Joulo lists the end, with the final figures."""
_OPEN_TIMEOUT = timedelta(days=1)
"""Time for which it waits while Joulo lists the session as open, for two sockets can share a charger, or cannot be read."""
_PRICES_TIMEOUT = timedelta(seconds=10)
"""Time for which it waits then for the prices of its hours, which the recorder has."""
_LOOK_AHEAD = timedelta(days=1)
"""A start or an end that lies this far ahead is waited for: Joulo's clock is not ours."""
_LATE_AFTER = timedelta(days=1)
"""An event this long after its moment is late, even if Home Assistant was up: Joulo was late."""

_RETRY_WRITE = timedelta(minutes=1)
"""Time until the disk is tried again that did not take what was to be remembered."""

type Fire = Callable[[SessionEventType, dict[str, Any]], None]


class _Notice(NamedTuple):
    """The moment at which a pending event was noticed, and whether Home Assistant was away when it happened."""

    at: datetime
    was_away: bool


class SessionEventPublisher:
    """Fires the events that the history has and that were not fired yet.

    Events are remembered as fired, and stored, just before they are fired: a crash can lose some, and
    never fires one twice.
    """

    def __init__(
        self, hass: HomeAssistant, entry: JouloConfigEntry, history: SessionHistory
    ) -> None:
        self._hass = hass
        self._entry = entry
        self._history = history
        self._subscribers: dict[str, Fire] = {}
        self._notices: dict[tuple[str, SessionEventType], _Notice] = {}
        """Notices of the events that are pending, by session id and type."""
        self._priced_until: dict[str, datetime] = {}
        """Moments until which ends wait for the prices of their hours, by session id."""
        self._last_read = history.state.last_read
        """Beginning of the last read of an earlier run."""
        self._is_first = self._is_catching_up = history.was_away
        """Whether nothing was published since a start of Home Assistant, and whether its first read is still to come."""
        self._upcoming_at: datetime | None = None
        """Moment of the next event that lies ahead, or at which one has waited long enough."""
        self._cancel_timeout: CALLBACK_TYPE | None = None
        self._lock = asyncio.Lock()
        self._started = False
        self._stopped = False

    @callback
    def async_subscribe(self, charger_id: str, fire: Fire) -> CALLBACK_TYPE:
        """Subscribe to a charger's session events, including pending ones. Return the unsubscribe function."""
        self._subscribers[charger_id] = fire
        self.async_schedule()

        @callback
        def unsubscribe() -> None:
            del self._subscribers[charger_id]

        return unsubscribe

    @callback
    def async_start(self) -> None:
        """Publish from now on, until the entry is unloaded; nothing before Home Assistant has started."""
        self._started = True
        changes = (
            Change.ACTIVE | Change.OBSERVED | Change.SESSIONS | Change.PLANNING | Change.PRICES
        )
        for unsubscribe in (
            self._history.async_listen(self.async_schedule, changes),
            async_at_started(self._hass, self.async_schedule),
            self._cancel,
        ):
            self._entry.async_on_unload(unsubscribe)

    async def async_stop(self) -> None:
        """Publish nothing more. Events that were remembered as fired have been fired on return."""
        self._stopped = True
        async with self._lock:
            pass

    @callback
    def async_schedule(self, *_: object) -> None:
        """Publish what is pending, but nothing before automations can hear it."""
        if self._started and self._hass.state is CoreState.running:
            self._entry.async_create_task(
                self._hass, self._async_publish(), "Publish session events"
            )

    async def _async_publish(self) -> None:
        async with self._lock:
            # While Home Assistant stops, nothing is stored before its very end.
            if self._stopped or self._hass.state is not CoreState.running:
                return
            now = dt_util.utcnow()
            # Events of one moment keep their order: an end comes before its successor's start.
            due = sorted(self._due(now), key=lambda event: event.at)
            self._schedule_timeout()
            if due:
                await self._async_fire(due)

    async def _async_fire(self, events: Sequence[PendingEvent]) -> None:
        """Fire events that are remembered by now; those that the disk does not take wait until it does."""
        keys = [(event.session.id, event.type) for event in events]
        self._history.async_update(transitions.mark_announced, keys)
        if not await self._history.async_save():
            self._history.async_update(transitions.forget_announced, keys)
            async_raise_unwritable(self._hass, self._entry)
            self._upcoming_at = dt_util.utcnow() + _RETRY_WRITE
            self._schedule_timeout()
            return
        async_clear_unwritable(self._hass, self._entry)
        for event in events:
            if fire := self._subscribers.get(event.session.charger_id):
                fire(event.type, self._attributes(event))

    def _due(self, now: datetime) -> list[PendingEvent]:
        """Return the events to fire, and note what others wait for: their moment, or Joulo to list an end."""
        due: list[PendingEvent] = []
        upcoming: list[datetime] = []
        pending = list(self._pending(now + _LOOK_AHEAD))
        self._notices = {
            key: self._notices.get(key) or _Notice(now, self._was_away(event))
            for event in pending
            for key in [(event.session.id, event.type)]
        }
        self._priced_until = {
            event.session.id: until
            for event in pending
            if (until := self._priced_until.get(event.session.id))
        }
        for event in pending:
            if (wait_until := self._wait_until(event, now)) > now:
                upcoming.append(wait_until)
            else:
                due.append(event)
        self._upcoming_at = min(upcoming, default=None)
        self._is_first = False
        self._is_catching_up &= self._history.state.last_read == self._last_read
        return due

    def _wait_until(self, event: PendingEvent, now: datetime) -> datetime:
        """Return when an event is told: once it has happened, and an end once it is listed and priced."""
        if event.at > now or event.type is SessionEventType.STARTED:
            return event.at
        if not event.is_confirmed and (timeout_at := self._timeout_of(event)) > now:
            return timeout_at
        if not queries.unpriced_hours(self._history.state, event.session, now):
            return now
        return self._priced_until.setdefault(event.session.id, now + _PRICES_TIMEOUT)

    def _timeout_of(self, event: PendingEvent) -> datetime:
        """Return when an end is told although Joulo does not list it: much later where Joulo could not be read since."""
        noticed_at = self._notices[event.session.id, event.type].at
        last_read = self._history.state.last_read
        is_absent = last_read is not None and last_read >= noticed_at and not event.is_listed_open
        return noticed_at + (_CONFIRMATION_TIMEOUT if is_absent else _OPEN_TIMEOUT)

    def _was_away(self, event: PendingEvent) -> bool:
        """Whether the first reads after a start of Home Assistant have brought an event, whatever the clock says."""
        return self._is_first or (self._is_catching_up and not event.is_observed)

    def _pending(self, until: datetime) -> Iterator[PendingEvent]:
        state = self._history.state
        for charger_id in queries.charger_ids(state):
            # A charger without a subscriber gets its entity later, unless the user has disabled it.
            if charger_id in self._subscribers or self._is_disabled(charger_id):
                yield from queries.pending_events(state, charger_id, until)

    @callback
    def _schedule_timeout(self) -> None:
        """Schedule the next publication: at the next event, or when an unconfirmed end has waited long enough."""
        self._cancel()
        if self._upcoming_at is not None:
            self._cancel_timeout = async_track_point_in_utc_time(
                self._hass, self.async_schedule, self._upcoming_at
            )

    @callback
    def _cancel(self) -> None:
        if self._cancel_timeout is not None:
            self._cancel_timeout()
            self._cancel_timeout = None

    def _is_disabled(self, charger_id: str) -> bool:
        """Whether the user has disabled the charger's event entity: its events are never fired."""
        registry = er.async_get(self._hass)
        entity_id = registry.async_get_entity_id(
            EVENT_DOMAIN, DOMAIN, unique_id(charger_id, EVENT_KEY)
        )
        entity = registry.async_get(entity_id) if entity_id else None
        return entity is not None and entity.disabled

    def _attributes(self, event: PendingEvent) -> dict[str, Any]:
        state = self._history.state
        since = state.observing_since
        was_away = self._notices[event.session.id, event.type].was_away
        was_away |= since is not None and event.at < since
        late = was_away or dt_util.utcnow() - event.at >= _LATE_AFTER
        return queries.attributes_of(state, event.session, dt_util.utcnow()) | {"late": late}
