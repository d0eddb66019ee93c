"""Frozen state of the charging history: `transitions` makes the next state, `queries` reads it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Flag, StrEnum, auto
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

from ..api import AccountProfile, ChargingSession, Cursor
from .cars import CarSessions
from .cost import HourPrice, Pricing, Tariff, pricing
from .ere import estimated_ere
from .hourly import MAX_OPEN, Reading
from .matching import CarMatch
from .vehicles import Fleet, attribute

LONGEST_SNOOZE = timedelta(days=7)
"""Time after a read of all sessions that changed nothing, before another one is requested."""


class Change(Flag):
    """Parts of the history that a transition has changed."""

    NONE = 0
    ACTIVE = auto()
    """Another session is active on a charger, or none."""
    PROGRESS = auto()
    """The energy of an active session has grown, within an hour that has a reading already, or a meter has."""
    OBSERVED = auto()
    """A charger showed a new session, its tag, its end, or its first energy of an hour."""
    SESSIONS = auto()
    """Joulo lists sessions that are new, corrected or removed."""
    VALUES = auto()
    """Sessions were valued in EUR."""
    SYNC = auto()
    """A read of all sessions has been completed."""
    UNLISTED = auto()
    """Sessions that Joulo does not list any more wait for the user's decision, or do not any longer."""
    PLANNING = auto()
    """Moments that only decide when to ask Joulo again."""
    ANNOUNCED = auto()
    """Events were remembered as fired."""
    MOVED = auto()
    """Sessions went from one charger to another."""
    VEHICLES = auto()
    """The vehicles, or whose session it is by hand."""
    NAMED = auto()
    """Statistics of a charger got their name."""
    PRICES = auto()
    """Sessions got the prices of their hours, or lost them to a new price."""
    TARIFF = auto()
    """What a kWh costs now."""
    CARS = auto()
    """What cars record themselves, or which of Joulo's sessions they tell of."""


class SessionEventType(StrEnum):
    """Events of a charging session: the event types of the event entity."""

    STARTED = "session_started"
    COMPLETED = "session_completed"


class Backfill(NamedTuple):
    """A read of all sessions that is under way: when it began, and the cursor of its next page."""

    begun: datetime
    cursor: Cursor


@dataclass(frozen=True, kw_only=True)
class SessionRecord:
    """All that is known of one session; at least one of `listed` and `observed` is set."""

    listed: ChargingSession | None = None
    """The session as `/sessions` lists it."""
    observed: ChargingSession | None = None
    """The session as `/chargers` showed it; dropped once Joulo lists its end."""
    readings: tuple[Reading, ...] = ()
    """For every hour in which the energy grew, the last reading; and where it had paused, when that ended."""
    value: float | None = None
    """EUR, set once."""
    prices: tuple[HourPrice, ...] = ()
    """Prices of the hours in which energy was delivered, each set once."""

    @property
    def is_confirmed(self) -> bool:
        """Whether Joulo lists the session with its end."""
        return self.listed is not None and self.listed.ended_at is not None

    @property
    def is_unconfirmed(self) -> bool:
        """Whether a charger showed the session and Joulo does not list its end yet."""
        return self.observed is not None and not self.is_confirmed

    @property
    def session(self) -> ChargingSession:
        """The session by all that is known: Joulo's list wins once it has the end."""
        listed, observed = self.listed, self.observed
        if listed is not None and (observed is None or listed.ended_at is not None):
            return _with_last_reading(listed, self.readings)
        if observed is None:
            raise LookupError("a record without a session")
        observed = _with_last_reading(_with_tag_of(observed, listed), self.readings)
        # Energy only grows: the higher figure is the later one.
        if listed is not None and (listed.kwh or 0.0) > (observed.kwh or 0.0):
            return replace(observed, kwh=listed.kwh, ere_credits=listed.ere_credits)
        return replace(observed, ere_credits=estimated_ere(observed.kwh, observed.started_at))

    @cached_property
    def pricing(self) -> Pricing:
        """What the session has cost by its own prices, once Joulo lists its end."""
        # Sums of years ask for it again and again, and most records never change.
        return pricing(self.session, self.readings, dict(self.prices), self.session.started_at)

    def vehicle_id(self, fleet: Fleet) -> str | None:
        """Return the id of the vehicle whose session it is; None for nobody's."""
        known: tuple[Fleet, str | None] | None = self.__dict__.get("_vehicle_id")
        if known is None or known[0] is not fleet:
            known = fleet, attribute(self.session, fleet).vehicle_id
            self.__dict__["_vehicle_id"] = known
        return known[1]

    @property
    def shown(self) -> ChargingSession | None:
        """The session as its charger shows it, with the last known energy where an answer left it out."""
        if self.observed is None:
            return None
        observed = _with_tag_of(self.observed, self.listed)
        if observed.kwh is not None or not self.readings:
            return observed
        observed = _with_last_reading(observed, self.readings)
        return replace(observed, ere_credits=estimated_ere(observed.kwh, observed.started_at))


class RemovedSession(NamedTuple):
    """A session that Joulo does not list any more: when it was removed, and all that was known of it."""

    at: datetime
    record: SessionRecord


class Meter(NamedTuple):
    """Reading of a charger's meter in Wh, and since when answers have shown another that is not believed yet."""

    wh: float
    doubted_since: datetime | None = None


_DERIVED = ("timeline", "completed", "completed_ids", "_memory")
"""What is computed of a charger's sessions, and nothing else."""


@dataclass(frozen=True, kw_only=True)
class ChargerHistory:
    """The sessions of one charger by id, the id of its active one, whether its kWh earn ERE credits, its meter.

    `was_listed` tells whether Joulo has ever listed the charger: an id that stands in sessions only may be anything.
    """

    records: Mapping[str, SessionRecord] = field(default_factory=dict)
    active: str | None = None
    mid_certified: bool | None = None
    meter: Meter | None = None
    was_listed: bool = False
    _memory: dict[str, tuple[tuple[object, ...], Any]] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )

    @cached_property
    def timeline(self) -> tuple[ChargingSession, ...]:
        """All sessions, oldest first; only those that are active, or may be, have no end."""
        return with_inferred_ends(
            (record.session for record in self.records.values()), active=self.active
        )

    def of_vehicles(self, fleet: Fleet) -> Mapping[str | None, tuple[ChargingSession, ...]]:
        """Return the sessions by the id of the vehicle whose they are, oldest first; None for nobody's."""
        return self.remembered("of_vehicles", (fleet,), lambda: self._of_vehicles(fleet))

    def _of_vehicles(self, fleet: Fleet) -> Mapping[str | None, tuple[ChargingSession, ...]]:
        sessions: dict[str | None, list[ChargingSession]] = {}
        for session in self.timeline:
            vehicle_id = self.records[session.id].vehicle_id(fleet)
            sessions.setdefault(vehicle_id, []).append(session)
        return {key: tuple(each) for key, each in sessions.items()}

    def remember_from(self, before: ChargerHistory) -> None:
        """Take over what was computed of the same sessions."""
        if self.records is before.records and self.active == before.active:
            known = before.__dict__
            self.__dict__.update({name: known[name] for name in _DERIVED if name in known})

    def remembered[T](self, name: str, by: tuple[object, ...], compute: Callable[[], T]) -> T:
        """Return what was computed by the very same objects, or compute it: most updates change one charger only."""
        known = self._memory.get(name)
        if known is None or any(a is not b for a, b in zip(known[0], by, strict=True)):
            self._memory[name] = known = by, compute()
        found: T = known[1]
        return found

    @cached_property
    def completed(self) -> tuple[ChargingSession, ...]:
        """The sessions that Joulo lists as ended, or that had a successor; oldest first.

        An end that only the charger showed counts once a successor began a day later: Joulo will not list it.
        """
        successors = (*self.timeline[1:], None)
        return tuple(
            session
            for session, successor in zip(self.timeline, successors, strict=False)
            if session.ended_at is not None
            and (
                not self.records[session.id].is_unconfirmed
                or (successor is not None and successor.started_at - session.ended_at >= MAX_OPEN)
            )
        )

    @cached_property
    def completed_ids(self) -> frozenset[str]:
        """Ids of the completed sessions."""
        return frozenset(session.id for session in self.completed)


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryState:
    """The charging history of an account at a moment."""

    chargers: Mapping[str, ChargerHistory] = field(default_factory=dict)
    """By charger id, also of chargers that the account has no more."""
    profile: AccountProfile | None = None
    """Price and fee by which sessions are valued from now on."""
    announced: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Event types that have been fired, by session id; they outlive the session."""
    announce_since: datetime | None = None
    """What happened up to then fires no event: the last that Joulo told in the first read of all sessions."""
    observing_since: datetime | None = None
    """Moment from which Home Assistant has observed the chargers. Events of earlier moments are late. A reload keeps it."""
    last_read: datetime | None = None
    """Beginning of the last read of `/sessions` that reached its far end."""
    last_full_read: datetime | None = None
    """Beginning of the last read of all sessions that reached the oldest one."""
    backfill: Backfill | None = None
    mismatch_snoozed_until: datetime | None = None
    """Until then a difference from Joulo's totals has nothing read again."""
    set_aside: Mapping[str, RemovedSession] = field(default_factory=dict)
    """Sessions that were removed in the last 30 days, by id."""
    unlisted: frozenset[str] = frozenset()
    """Ids of sessions that Joulo does not list any more and that are too many to be removed. Not stored."""
    kept: frozenset[str] = frozenset()
    """Ids of sessions that the user keeps, although Joulo does not list them any more."""
    fleet: Fleet = field(default_factory=Fleet)
    """The vehicles, which are not stored here, and whose session it is by hand."""
    cars: Mapping[str, CarSessions] = field(default_factory=dict)
    """What cars record themselves, by vehicle id, of those that have been read once. Not stored here."""
    car_matches: Mapping[str, CarMatch] = field(default_factory=dict)
    """Those records beside Joulo's sessions, by vehicle id. Not stored."""
    tariff: Tariff | None = None
    """What a kWh costs now, where the user has set a price; not stored."""
    priced_by: str | None = None
    """The price setting by which sessions have their prices; it outlives a time without a price."""
    statistics: Mapping[str, str] = field(default_factory=dict)
    """Names under which statistics of chargers were ever written, by charger id; they outlive the charger."""
    missing_since: Mapping[str, datetime] = field(default_factory=dict)
    """Moments of the first complete read that did not list a session, by session id. Not stored."""


def with_inferred_ends(
    sessions: Iterable[ChargingSession], *, active: str | None = None
) -> tuple[ChargingSession, ...]:
    """Return a charger's sessions, oldest first, without ends that were left open.

    A session without an end that has a successor ended when its successor began, after `MAX_OPEN` at
    most. The active session stays open: its charger says that it goes on.
    """
    ordered = sorted(sessions, key=lambda session: (session.started_at, session.id))
    return (
        *(
            _ended_before(session, successor)
            if session.ended_at is None and session.id != active
            else session
            for session, successor in pairwise(ordered)
        ),
        *ordered[-1:],
    )


def _ended_before(session: ChargingSession, successor: ChargingSession) -> ChargingSession:
    return replace(session, ended_at=min(successor.started_at, session.started_at + MAX_OPEN))


def _with_tag_of(session: ChargingSession, listed: ChargingSession | None) -> ChargingSession:
    """Return a session with the tag that Joulo lists, where its charger does not show one."""
    if session.id_tag is not None or listed is None or listed.id_tag is None:
        return session
    return replace(session, id_tag=listed.id_tag)


def _with_last_reading(session: ChargingSession, readings: tuple[Reading, ...]) -> ChargingSession:
    """Return a session with the energy that an earlier answer had and the last one left out."""
    if session.kwh is not None or not readings:
        return session
    return replace(session, kwh=readings[-1][1])
