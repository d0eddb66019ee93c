"""The calendar of a charger: every charging session that is known of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import override

from homeassistant.components.calendar import (
    CalendarEntity,
    CalendarEntityDescription,
    CalendarEvent,
)
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.util import dt as dt_util

from .api import ChargingSession
from .coordinator import ChargerState
from .data import JouloConfigEntry
from .entity import JouloEntity, JouloEntityDescription, async_add_joulo_entities
from .localizer import Localizer, async_localizer
from .sessions import queries
from .sessions.figures import as_attributes
from .sessions.hourly import HOUR, hour_of
from .sessions.model import MAX_OPEN, HistoryState

PARALLEL_UPDATES = 0

_LEAST_AHEAD = timedelta(minutes=30)
"""Time by which the shown end of an active session lies ahead: Home Assistant plans triggers 15 minutes before."""
_SHORTEST = timedelta(minutes=1)
"""Length of an event whose session ends no later than it starts: Home Assistant refuses such an end."""


@dataclass(frozen=True, kw_only=True)
class JouloCalendarDescription(JouloEntityDescription[ChargerState], CalendarEntityDescription):
    """Description of a calendar. It only names the entity."""


CHARGER_CALENDARS = (JouloCalendarDescription(key="charging_sessions"),)


async def async_setup_entry(
    _hass: HomeAssistant,
    entry: JouloConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the calendars of the chargers."""
    async_add_joulo_entities(
        entry.runtime_data.chargers, CHARGER_CALENDARS, JouloCalendar, async_add_entities
    )


class JouloCalendar(JouloEntity[ChargerState], CalendarEntity):
    """The charging sessions of a charger, from the history: no request is sent."""

    entity_description: JouloCalendarDescription
    _event: CalendarEvent | None = None
    _span: tuple[str, datetime, datetime] | None = None
    _session: ChargingSession | None = None

    @override
    def _shown(self, state: ChargerState) -> object:
        return state.session if state.is_active else None

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        super()._handle_coordinator_update()
        # Sessions of the past may have been corrected: open calendars ask again.
        self.async_update_event_listeners()

    @property
    @override
    def event(self) -> CalendarEvent | None:
        """The active session; none is ever planned."""
        # Home Assistant asks also when the charger has just gone.
        state = self.coordinator.data.get(self._device_key)
        if state is None or state.session is None or not state.is_active:
            return None
        session, writer = state.session, self._writer()
        span = (session.id, session.started_at, writer.end(session))
        if self._event is None or span != self._span:
            self._span, self._event = span, writer.event(session)
        elif session is not self._session:
            # Home Assistant validates each new event, which costs more than all else here.
            self._event.summary = writer.summary(session)
            self._event.description = writer.description(session)
        self._session = session
        return self._event

    @override
    async def async_get_events(
        self, hass: HomeAssistant, start_date: datetime, end_date: datetime
    ) -> list[CalendarEvent]:
        """Return the sessions that lie in a span of time, in whole or in part. Made in a thread."""
        return await hass.async_add_executor_job(self._writer().events, start_date, end_date)

    def _writer(self) -> _EventWriter:
        return _EventWriter(
            self.coordinator.config_entry.runtime_data.history.state,
            self._device_key,
            async_localizer(self.hass),
            dt_util.utcnow(),
        )


@dataclass(frozen=True, slots=True)
class _EventWriter:
    """Writes sessions of a charger as calendar events, by the history at a moment."""

    history: HistoryState
    charger_id: str
    localizer: Localizer
    now: datetime

    def events(self, start: datetime, end: datetime) -> list[CalendarEvent]:
        """Return the sessions that lie between two moments, in whole or in part."""
        return [
            self.event(session)
            for session in queries.timeline(self.history, self.charger_id)
            if session.started_at < end and self.end(session) > start
        ]

    def event(self, session: ChargingSession) -> CalendarEvent:
        """Return a session as an event."""
        return CalendarEvent(
            start=session.started_at,
            end=self.end(session),
            summary=self.summary(session),
            description=self.description(session),
            uid=session.id,
        )

    def end(self, session: ChargingSession) -> datetime:
        """Return the moment until which a session is shown.

        That of an active one is a full hour. It lies after the start on the clock on the wall too: Home
        Assistant compares local times, also in the night in which the clock goes back.
        """
        end = session.ended_at or hour_of(self.now + _LEAST_AHEAD) + HOUR
        charger = self.history.chargers[self.charger_id]
        if session.ended_at is None and charger.active != session.id:
            end = min(end, session.started_at + MAX_OPEN)
        behind = _on_the_wall(session.started_at) - _on_the_wall(end)
        return end if behind < timedelta() else end + behind + _SHORTEST

    def summary(self, session: ChargingSession) -> str:
        """Return the energy of a session, if it is known."""
        if session.kwh is None:
            return self.localizer.text("charging_session")
        return f"{self.localizer.number(session.kwh, 2)} kWh"

    def description(self, session: ChargingSession) -> str:
        """Return what is known beside the energy; no RFID tag, which opens chargers."""
        lines = [] if session.ended_at else [self.localizer.text("session_runs")]
        attributes = as_attributes(session, queries.value_of(self.history, session))
        lines.extend(
            self.localizer.text(f"session_{key}", figure=self.localizer.number(attributes[key], 2))
            for key in ("ere_credits", "value_eur", "average_power_kw")
            if attributes[key] is not None
        )
        return "\n".join(lines)


def _on_the_wall(moment: datetime) -> datetime:
    return dt_util.as_local(moment).replace(tzinfo=None)
