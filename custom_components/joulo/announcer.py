"""Tells of the starts and ends of charging sessions, each once."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from homeassistant.components.event.const import DOMAIN as EVENT_DOMAIN
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, CoreState, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.start import async_at_started
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator
from homeassistant.util import dt as dt_util

from .api import ChargingSession
from .const import DOMAIN
from .devices import unique_id
from .history import SessionHistory
from .sessions import figures

EVENT_KEY = "charging_session"

_PATIENCE = timedelta(minutes=15)
"""How long an end waits for Joulo's final figures."""
_STALE = timedelta(days=1)
"""What happened so long ago comes late, even if Home Assistant was up: Joulo did not tell before."""


class Announcement(StrEnum):
    """What is told of a session: the event types of the entity."""

    STARTED = "session_started"
    COMPLETED = "session_completed"


type Tell = Callable[[Announcement, dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class _Due:
    """Something to tell, and when it happened."""

    at: datetime
    announcement: Announcement
    session: ChargingSession


class SessionAnnouncer:
    """Compares what has happened on a charger with what has been told of it.

    What is told is remembered just before: a crash can lose one announcement, never repeat one.
    """

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry, history: SessionHistory) -> None:
        self._hass = hass
        self._entry = entry
        self._history = history
        self._listeners: dict[str, Tell] = {}
        self._noticed: dict[str, datetime] = {}
        """By session id: when an end was noticed that Joulo has not listed yet."""
        self._lock = asyncio.Lock()
        self._stopped = False

    async def async_stop(self) -> None:
        """Tell nothing more: what has been remembered as told is told by now."""
        self._stopped = True
        async with self._lock:
            pass

    @callback
    def async_listen(self, charger_id: str, tell: Tell) -> CALLBACK_TYPE:
        """Tell what happens on a charger, from what is due by now on; returns how to stop that."""
        self._listeners[charger_id] = tell
        self.async_schedule()

        @callback
        def stop() -> None:
            del self._listeners[charger_id]

        return stop

    @callback
    def async_start(self, polls: DataUpdateCoordinator[Any]) -> CALLBACK_TYPE:
        """Tell after every poll, and when the history has news; returns how to stop that."""
        stops = (
            polls.async_add_listener(self.async_schedule),
            self._history.async_listen(self.async_schedule),
            async_at_started(self._hass, self.async_schedule),
        )

        @callback
        def stop() -> None:
            for stop_one in stops:
                stop_one()

        return stop

    @callback
    def async_schedule(self, *_: object) -> None:
        """Tell what is due, but nothing before Home Assistant and its automations have started."""
        if self._hass.state is CoreState.running:
            # Not at once: whoever else hears of the same news may still have to value a session.
            self._entry.async_create_task(
                self._hass, self._async_announce(), "Announce sessions", eager_start=False
            )

    async def _async_announce(self) -> None:
        async with self._lock:
            # What happens at one moment stays as it comes: an end before its successor's start.
            for due in sorted(self._due(dt_util.utcnow()), key=lambda due: due.at):
                # While Home Assistant stops, nothing is written before its very end.
                if self._stopped or self._hass.state is not CoreState.running:
                    return
                told = self._history.told.get(due.session.id, ())
                self._history.told[due.session.id] = (*told, due.announcement)
                await self._history.async_save()
                if tell := self._listeners.get(due.session.charger_id):
                    tell(due.announcement, self._attributes(due))

    def _due(self, now: datetime) -> Iterator[_Due]:
        for charger_id in self._history.charger_ids():
            if charger_id not in self._listeners and not self._is_muted(charger_id):
                # Its entity is still to come.
                continue
            for session in self._history.of_charger(charger_id):
                told = self._history.told.get(session.id, ())
                if Announcement.STARTED not in told and self._is_news(session.started_at, now):
                    yield _Due(session.started_at, Announcement.STARTED, session)
                end = session.ended_at
                if end is None:
                    self._noticed.pop(session.id, None)
                elif (
                    Announcement.COMPLETED not in told
                    and self._is_news(end, now)
                    and self._is_settled(session, now)
                ):
                    yield _Due(end, Announcement.COMPLETED, session)

    def _is_settled(self, session: ChargingSession, now: datetime) -> bool:
        """Whether Joulo lists an end, or has had its time to since it was noticed here."""
        if self._history.is_confirmed(session.id):
            return True
        return now - self._noticed.setdefault(session.id, now) >= _PATIENCE

    def _is_muted(self, charger_id: str) -> bool:
        """Whether the user has disabled the charger's entity: what passes meanwhile is never told."""
        registry = er.async_get(self._hass)
        entity_id = registry.async_get_entity_id(
            EVENT_DOMAIN, DOMAIN, unique_id(charger_id, EVENT_KEY)
        )
        entity = registry.async_get(entity_id) if entity_id else None
        return entity is not None and entity.disabled

    def _is_news(self, moment: datetime, now: datetime) -> bool:
        """Whether something has happened since the integration was installed, and is not still to come."""
        installed_at = self._history.installed_at
        return installed_at is not None and installed_at <= moment <= now

    def _attributes(self, due: _Due) -> dict[str, Any]:
        value = self._history.values.get(due.session.id)
        was_away = due.at < self._history.watching_since
        late = was_away or dt_util.utcnow() - due.at >= _STALE
        return figures(due.session, value) | {"late": late}
