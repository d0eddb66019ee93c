"""The calendars of chargers and vehicles: every charging session that is known of each, by Joulo or by the car."""

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import override

from homeassistant.components.calendar import (
    CalendarEntity,
    CalendarEntityDescription,
    CalendarEvent,
)
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.util import dt as dt_util

from .api import ChargingSession
from .coordinator import ChargerState, VehicleState
from .data import JouloConfigEntry
from .der_connect.models import CarSession
from .devices import charger_names
from .entity import JouloEntity, JouloEntityDescription, async_add_joulo_entities
from .localizer import Localizer, async_localizer
from .sessions import queries
from .sessions.hourly import HOUR, MAX_OPEN, hour_of
from .sessions.model import HistoryState

PARALLEL_UPDATES = 0

_LEAST_AHEAD = timedelta(minutes=30)
"""Time by which the shown end of an active session lies ahead: Home Assistant plans triggers 15 minutes before."""
_SHORTEST = timedelta(minutes=1)
"""Length of an event whose session ends no later than it starts: Home Assistant refuses such an end."""


@dataclass(frozen=True, kw_only=True)
class JouloCalendarDescription[StateT](JouloEntityDescription[StateT], CalendarEntityDescription):
    """Description of a calendar. It only names the entity."""


CHARGER_CALENDARS: tuple[JouloCalendarDescription[ChargerState], ...] = (
    JouloCalendarDescription(key="charging_sessions"),
)
VEHICLE_CALENDARS: tuple[JouloCalendarDescription[VehicleState], ...] = (
    JouloCalendarDescription(key="charging_sessions"),
)


async def async_setup_entry(
    _hass: HomeAssistant,
    entry: JouloConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the calendars of the chargers and the vehicles."""
    data = entry.runtime_data
    async_add_joulo_entities(data.chargers, CHARGER_CALENDARS, ChargerCalendar, async_add_entities)
    async_add_joulo_entities(data.vehicles, VEHICLE_CALENDARS, VehicleCalendar, async_add_entities)


class JouloCalendar[StateT](JouloEntity[StateT], CalendarEntity):
    """Charging sessions, from the history: no request is sent."""

    entity_description: JouloCalendarDescription[StateT]
    _event: CalendarEvent | None = None
    _span: tuple[str, datetime, datetime] | None = None
    _session: ChargingSession | None = None

    @abstractmethod
    def _running(self, state: StateT) -> ChargingSession | None:
        """Return the session that is active."""

    @abstractmethod
    def _sessions(self, history: HistoryState) -> Sequence[ChargingSession]:
        """Return all sessions, oldest first."""

    def _charger_names(self) -> Mapping[str, str]:
        """Return the names of chargers that events are to name, by id."""
        return {}

    def _elsewhere(self, _history: HistoryState) -> Sequence[CarSession]:
        """Return the sessions that only a car tells of, oldest first."""
        return ()

    def _told_by_car(self, _history: HistoryState) -> Mapping[str, Sequence[CarSession]]:
        """Return what a car tells of Joulo's sessions, by their ids."""
        return {}

    @override
    def _shown(self, state: StateT) -> object:
        return self._running(state)

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
        if state is None or (session := self._running(state)) is None:
            return None
        writer = self._writer()
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
        writer = self._writer()

        def events() -> list[CalendarEvent]:
            history = writer.history
            complete = replace(writer, told_by_car=self._told_by_car(history))
            found = complete.events(self._sessions(history), start_date, end_date)
            found += complete.car_events(self._elsewhere(history), start_date, end_date)
            return sorted(found, key=lambda event: event.start)

        return await hass.async_add_executor_job(events)

    def _writer(self) -> _EventWriter:
        return _EventWriter(
            self.coordinator.config_entry.runtime_data.history.state,
            self._charger_names(),
            async_localizer(self.hass),
            dt_util.utcnow(),
        )


class ChargerCalendar(JouloCalendar[ChargerState]):
    """The charging sessions of a charger."""

    @override
    def _running(self, state: ChargerState) -> ChargingSession | None:
        return state.session if state.is_active else None

    @override
    def _sessions(self, history: HistoryState) -> Sequence[ChargingSession]:
        return queries.timeline(history, self._device_key)


class VehicleCalendar(JouloCalendar[VehicleState]):
    """The charging sessions of a vehicle, each with the name of its charger, or of the place that its car tells."""

    @override
    def _running(self, state: VehicleState) -> ChargingSession | None:
        return state.running

    @override
    def _sessions(self, history: HistoryState) -> Sequence[ChargingSession]:
        return queries.vehicle_sessions(history, self._vehicle_id)

    @override
    def _elsewhere(self, history: HistoryState) -> Sequence[CarSession]:
        return queries.charged_elsewhere(history, self._vehicle_id) or ()

    @override
    def _told_by_car(self, history: HistoryState) -> Mapping[str, Sequence[CarSession]]:
        return queries.told_by_car(history, self._vehicle_id)

    @property
    def _vehicle_id(self) -> str:
        return self.coordinator.subentry_ids[self._device_key]

    @override
    def _charger_names(self) -> Mapping[str, str]:
        return charger_names(dr.async_get(self.hass), self.coordinator.config_entry)


@dataclass(frozen=True, slots=True)
class _EventWriter:
    """Writes sessions as calendar events, by the history at a moment.

    It adds the names of their chargers and what the car tells of them, if these are given.
    """

    history: HistoryState
    charger_names: Mapping[str, str]
    localizer: Localizer
    now: datetime
    told_by_car: Mapping[str, Sequence[CarSession]] = field(default_factory=dict)

    def events(
        self, sessions: Iterable[ChargingSession], start: datetime, end: datetime
    ) -> list[CalendarEvent]:
        """Return the sessions that lie between two moments, in whole or in part."""
        return [
            self.event(session)
            for session in sessions
            if session.started_at < end and self.end(session) > start
        ]

    def car_events(
        self, sessions: Iterable[CarSession], start: datetime, end: datetime
    ) -> list[CalendarEvent]:
        """Return the sessions that only a car tells of and that lie between two moments, in whole or in part."""
        return [
            CalendarEvent(
                start=session.started_at,
                end=until,
                summary=self._titled(session.energy_kwh, session.label),
                description=self._state_of_charge([session]),
                uid=session.id,
            )
            for session in sessions
            for until in [_shown_end(session.started_at, session.ended_at or session.started_at)]
            if session.started_at < end and until > start
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

        That of an active one is a full hour.
        """
        end = session.ended_at or hour_of(self.now + _LEAST_AHEAD) + HOUR
        charger = self.history.chargers[session.charger_id]
        if session.ended_at is None and charger.active != session.id:
            end = min(end, session.started_at + MAX_OPEN)
        return _shown_end(session.started_at, end)

    def summary(self, session: ChargingSession) -> str:
        """Return the energy of a session, if it is known, and where it was."""
        name = self.charger_names.get(session.charger_id) or session.charger_nickname
        return self._titled(session.kwh, name if self.charger_names else None)

    def _titled(self, kwh: float | None, place: str | None) -> str:
        energy = (
            self.localizer.text("charging_session")
            if kwh is None
            else f"{self.localizer.number(kwh, 2)} kWh"
        )
        return f"{energy} · {place}" if place else energy

    def description(self, session: ChargingSession) -> str:
        """Return what is known beside the energy; no RFID tag, which opens chargers."""
        lines = [] if session.ended_at else [self.localizer.text("session_runs")]
        attributes = queries.attributes_of(self.history, session, self.now)
        lines.extend(
            self.localizer.text(f"session_{key}", figure=self.localizer.number(attributes[key], 2))
            for key in ("ere_credits", "value_eur", "cost_eur", "average_power_kw")
            if attributes[key] is not None
        )
        lines.append(self._state_of_charge(self.told_by_car.get(session.id, ())))
        return "\n".join(filter(None, lines))

    def _state_of_charge(self, parts: Sequence[CarSession]) -> str:
        """Return the state of charge before and after a session, from the parts in which the car recorded it.

        Where one of both is not known, the text is empty.
        """
        soc_start = parts[0].soc_start if parts else None
        soc_end = parts[-1].soc_end if parts else None
        if soc_start is None or soc_end is None:
            return ""
        return f"{self.localizer.number(soc_start, 0)} % → {self.localizer.number(soc_end, 0)} %"


def _shown_end(start: datetime, end: datetime) -> datetime:
    """Return an end that lies after the start on the clock on the wall too.

    Home Assistant compares local times, also in the night in which the clock goes back.
    """
    behind = _on_the_wall(start) - _on_the_wall(end)
    return end if behind < timedelta() else end + behind + _SHORTEST


def _on_the_wall(moment: datetime) -> datetime:
    return dt_util.as_local(moment).replace(tzinfo=None)
