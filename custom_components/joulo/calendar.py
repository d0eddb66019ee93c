"""The calendar of a charger: every charging session that is known of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import override

from homeassistant.components.calendar import (
    CalendarEntity,
    CalendarEntityDescription,
    CalendarEvent,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.util import dt as dt_util

from .api import ChargingSession
from .coordinator import ChargerState, JouloConfigEntry
from .entity import JouloEntity, JouloEntityDescription, async_add_joulo_entities
from .history import SessionHistory
from .hours import HOUR, hour_of
from .localizer import Localizer, async_localizer
from .sessions import LONGEST_OPEN, figures

PARALLEL_UPDATES = 0

_SHORTEST = timedelta(minutes=1)
"""What an impossible end is replaced by: calendars draw no length as an hour, and refuse less."""


@dataclass(frozen=True, kw_only=True)
class JouloCalendarDescription(JouloEntityDescription[ChargerState], CalendarEntityDescription):
    """What a calendar is about."""


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
    """The charging sessions of a charger, from what is known already: no request is sent."""

    entity_description: JouloCalendarDescription

    @property
    @override
    def event(self) -> CalendarEvent | None:
        """The session that runs; nothing is ever planned, so that otherwise none is to come."""
        # Home Assistant asks also when the charger has just gone.
        state = self.coordinator.data.get(self._device_key)
        if state is None or state.session is None or not state.running:
            return None
        return self._event(state.session, dt_util.utcnow())

    @override
    async def async_get_events(
        self, hass: HomeAssistant, start_date: datetime, end_date: datetime
    ) -> list[CalendarEvent]:
        """Return the sessions that lie in a span of time, in whole or in part."""
        now = dt_util.utcnow()
        return [
            self._event(session, now)
            for session in self._history.of_charger(self._device_key)
            if session.started_at < end_date and self._end(session, now) > start_date
        ]

    @property
    def _history(self) -> SessionHistory:
        return self.coordinator.config_entry.runtime_data.chargers.history

    def _event(self, session: ChargingSession, now: datetime) -> CalendarEvent:
        localizer = async_localizer(self.hass)
        return CalendarEvent(
            start=session.started_at,
            end=self._end(session, now),
            summary=_summary(session, localizer),
            description=_description(session, self._history.values.get(session.id), localizer),
            uid=session.id,
        )

    def _end(self, session: ChargingSession, now: datetime) -> datetime:
        """Return until when a session is shown: one that runs until the next full hour."""
        end = session.ended_at or hour_of(now) + HOUR
        is_running = self._history.running.get(self._device_key) == session.id
        if session.ended_at is None and not is_running:
            end = min(end, session.started_at + LONGEST_OPEN)
        return end if end > session.started_at else session.started_at + _SHORTEST


def _summary(session: ChargingSession, localizer: Localizer) -> str:
    if session.kwh is None:
        return localizer.text("charging_session")
    return f"{localizer.number(session.kwh, 2)} kWh"


def _description(session: ChargingSession, value: float | None, localizer: Localizer) -> str:
    """Return what is known beside the energy; no RFID tag, which opens chargers."""
    lines = [] if session.ended_at else [localizer.text("session_runs")]
    told = figures(session, value)
    lines.extend(
        localizer.text(f"session_{figure}", figure=localizer.number(told[figure], 2))
        for figure in ("ere_credits", "value_eur", "average_power_kw")
        if told[figure] is not None
    )
    return "\n".join(lines)
