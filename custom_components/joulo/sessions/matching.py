"""Which of Joulo's sessions a car tells of too, so that no energy counts twice. Pure functions, no state."""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import accumulate, chain
from math import fsum, inf
from operator import methodcaller
from typing import NamedTuple

from ..api import ChargingSession
from ..der_connect.models import CarSession
from .cars import CarSessions, end_of
from .hourly import MAX_LENGTH, MAX_OPEN
from .vehicles import Fleet, Rule, Vehicle, attribute, is_there

_SLACK = timedelta(minutes=15)
"""Time by which a car's start or end may miss Joulo's: it comes from readings."""
_LEAST_OF_CHARGER, _MOST_OF_CHARGER = 0.75, 1.10
"""The car's kWh as parts of the charger's: what reaches the battery is less by the losses."""
_IMPOSSIBLE, _ROUGHLY_KWH = 1.25, 1.0
"""A car that tells more than so many parts of the charger's kWh, and one beside, was not charged by it alone."""


@dataclass(frozen=True, slots=True)
class CarMatch:
    """A car's sessions beside Joulo's: the id of Joulo's session by that of the car's, and those that match none."""

    matched: Mapping[str, str] = field(default_factory=dict)
    elsewhere: CarSessions = ()


class Matching(NamedTuple):
    """Vehicles with the sessions that are theirs by the cars' own records, and the match of each car by its vehicle."""

    fleet: Fleet
    cars: Mapping[str, CarMatch]


@dataclass(frozen=True, slots=True)
class _Span:
    """A session of Joulo's, and the time in which a car may tell of it."""

    session: ChargingSession
    start: datetime
    end: datetime
    most_kwh: float
    """What a car can have charged in it; infinite while that is not known."""

    def overlap(self, car: CarSession) -> timedelta:
        """Return for how long a car's session lies within the span; negative where they are apart."""
        return min(self.end, end_of(car)) - max(self.start, car.started_at)

    def fitness(self, car: CarSession) -> tuple[timedelta, timedelta, float]:
        """Return how well a car's session fits: by its overlap; where that is equal, by the times; then by the kWh."""
        start, end = max(self.start + _SLACK, car.started_at), min(self.end - _SLACK, end_of(car))
        theirs, ours = self.session.kwh, car.energy_kwh
        difference = inf if theirs is None or ours is None else abs(theirs - ours)
        return self.overlap(car), end - start, -difference


class _Spans:
    """Spans in their order, to find those of a time quickly."""

    def __init__(self, spans: Iterable[_Span]) -> None:
        self._spans = sorted(spans, key=lambda span: (span.start, span.session.id))
        self._starts = [span.start for span in self._spans]
        self._latest = [*accumulate((span.end for span in self._spans), max)]
        """The latest end of all spans up to each: where that is past, no earlier one lasts."""

    def best(self, car: CarSession, told: Mapping[str, float]) -> ChargingSession | None:
        """Return the session that a car's session fits best, if all together cover at least half of that.

        They are of one vehicle, whose charger may have told one charge in pieces. `told` are the kWh that the car
        tells of each already: with these they have to hold its energy.
        """
        found = [*self._during(car)][::-1]
        if not _is_half(car, _covered(car, found)):
            return None
        if not _can_hold(
            fsum(each.most_kwh - told.get(each.session.id, 0.0) for each in found), car
        ):
            return None
        return max(found, key=lambda span: span.fitness(car)).session

    def covering(self, car: CarSession) -> Iterator[_Span]:
        """Yield the spans that cover at least half of a car's session and can hold its energy, each by itself."""
        return (
            span
            for span in self._during(car)
            if _is_half(car, span.overlap(car)) and _can_hold(span.most_kwh, car)
        )

    def _during(self, car: CarSession) -> Iterator[_Span]:
        """Yield the spans that share a moment with a car's session, newest first."""
        for place in reversed(range(bisect_right(self._starts, end_of(car)))):
            if self._latest[place] < car.started_at:
                return
            if self._spans[place].end >= car.started_at:
                yield self._spans[place]


def _can_hold(most_kwh: float, car: CarSession) -> bool:
    return (car.energy_kwh or 0.0) <= most_kwh + _ROUGHLY_KWH


def _length(car: CarSession) -> timedelta:
    return end_of(car) - car.started_at


def _is_half(car: CarSession, covered: timedelta) -> bool:
    return 2 * covered >= _length(car)


def _covered(car: CarSession, spans: Iterable[_Span]) -> timedelta:
    """Return for how long spans, oldest first, cover a car's session together; negative where there are none."""
    covered, since = timedelta(microseconds=-1), car.started_at
    for span in spans:
        until = min(span.end, end_of(car))
        covered = max(covered, timedelta()) + max(until - max(span.start, since), timedelta())
        since = max(since, until)
    return covered


def match(
    sessions: Iterable[ChargingSession],
    active: Collection[str],
    fleet: Fleet,
    cars: Mapping[str, CarSessions],
) -> Matching:
    """Return which of Joulo's sessions the cars tell of, by the sessions of each by its vehicle.

    A session of Joulo's that is a vehicle's already needs the time alone, unless it cannot hold the car's energy:
    a car charges in one place at a time, and a moment later perhaps on the road.
    One that nobody has claimed becomes a vehicle's if its car tells the energy too, and no other car does: of
    several in that time, a guest's at the other charger perhaps, the energy tells which.
    `active` are the ids of sessions that go on. The fleet is the given one where nothing has changed.
    """
    # Without cars there is nothing to look for, however long the history is.
    spans = [_span(each, is_active=each.id in active) for each in (sessions if cars else ())]
    found = {each.id: _Car(each, cars[each.id]) for each in fleet.vehicles if each.id in cars}
    claimed, unclaimed = _sorted_out(spans, replace(fleet, matches={}))
    for vehicle_id, car in found.items():
        car.match(claimed.get(vehicle_id, ()))
    matches = _match_by_energy(found, unclaimed)
    if matches != fleet.matches:
        fleet = replace(fleet, matches=matches)
    own = _by_vehicle(unclaimed, fleet)
    for vehicle_id, car in found.items():
        car.match(own.get(vehicle_id, ()))
    return Matching(fleet, {vehicle_id: car.result() for vehicle_id, car in found.items()})


class _Car:
    """The sessions of a vehicle's car, while they are matched."""

    def __init__(self, vehicle: Vehicle, sessions: CarSessions) -> None:
        self.vehicle = vehicle
        self.sessions = [each for each in sessions if is_there(vehicle, each.started_at)]
        self.matched: dict[str, str] = {}

    def rest(self) -> CarSessions:
        """Return the sessions that match none of Joulo's so far."""
        return tuple(session for session in self.sessions if session.id not in self.matched)

    def match(self, own: Iterable[_Span]) -> None:
        """Match the rest with sessions that are the vehicle's, the longest first: a short one may be on the way."""
        spans = _Spans(own)
        told: defaultdict[str, float] = defaultdict(float)
        for car in self.sessions:
            if (session_id := self.matched.get(car.id)) is not None:
                told[session_id] += car.energy_kwh or 0.0
        for car in sorted(self.rest(), key=_length, reverse=True):
            if (session := spans.best(car, told)) is not None:
                self.matched[car.id] = session.id
                told[session.id] += car.energy_kwh or 0.0

    def result(self) -> CarMatch:
        """Return what was matched, and what was not."""
        return CarMatch(self.matched, self.rest())


def _sorted_out(
    spans: Iterable[_Span], fleet: Fleet
) -> tuple[Mapping[str | None, Sequence[_Span]], Sequence[_Span]]:
    """Return the sessions that are claimed by hand or by tag, by vehicle, and all others."""
    claimed: defaultdict[str | None, list[_Span]] = defaultdict(list)
    unclaimed: list[_Span] = []
    for span in spans:
        rule, vehicle_id = attribute(span.session, fleet)
        is_claimed = rule in {Rule.ASSIGNED, Rule.TAG}
        (claimed[vehicle_id] if is_claimed else unclaimed).append(span)
    return claimed, unclaimed


def _by_vehicle(spans: Iterable[_Span], fleet: Fleet) -> Mapping[str | None, Sequence[_Span]]:
    found: defaultdict[str | None, list[_Span]] = defaultdict(list)
    for span in spans:
        found[attribute(span.session, fleet).vehicle_id].append(span)
    return found


def _span(session: ChargingSession, *, is_active: bool) -> _Span:
    longest = session.started_at + (MAX_LENGTH if is_active else MAX_OPEN)
    end = min(session.ended_at or longest, session.started_at + MAX_LENGTH)
    most_kwh = inf if is_active or session.kwh is None else _IMPOSSIBLE * session.kwh
    return _Span(
        session, session.started_at - _SLACK, max(end, session.started_at) + _SLACK, most_kwh
    )


def _match_by_energy(cars: Mapping[str, _Car], unclaimed: Iterable[_Span]) -> dict[str, str]:
    """Match the rest of all cars with sessions that nobody has claimed; return whose those are, by their ids."""
    spans = _Spans(unclaimed)
    told = {vehicle_id: _told_by(car, spans) for vehicle_id, car in cars.items()}
    tellers = Counter(chain.from_iterable(told.values()))
    matches: dict[str, str] = {}
    for vehicle_id, by_session in told.items():
        for session_id, parts in by_session.items():
            if tellers[session_id] == 1:
                matches[session_id] = vehicle_id
                cars[vehicle_id].matched |= dict.fromkeys((each.id for each in parts), session_id)
    return matches


def _told_by(car: _Car, spans: _Spans) -> Mapping[str, Sequence[CarSession]]:
    """Return the parts of each session that a car tells with its energy, by the id of the session."""
    covering = {
        each: [
            span for span in spans.covering(each) if is_there(car.vehicle, span.session.started_at)
        ]
        for each in car.rest()
    }
    fitting = _fitting(covering)
    # Where the energy of several fits, the times decide.
    best = {
        each: [max(found, key=methodcaller("fitness", each))]
        for each, among in covering.items()
        if (found := [span for span in among if span.session.id in fitting])
    }
    return _fitting(best)


def _fitting(
    covering: Mapping[CarSession, Iterable[_Span]],
) -> Mapping[str, Sequence[CarSession]]:
    """Return the parts of each session whose energy they hold together, by the id of the session."""
    parts: defaultdict[str, list[CarSession]] = defaultdict(list)
    sessions: dict[str, ChargingSession] = {}
    for each, among in covering.items():
        for span in among:
            sessions[span.session.id] = span.session
            parts[span.session.id].append(each)
    return {key: told for key, told in parts.items() if _fits(sessions[key], told)}


def _fits(session: ChargingSession, parts: Sequence[CarSession]) -> bool:
    """Whether a car tells the energy of a session that has ended, less the losses."""
    known = [part.energy_kwh for part in parts if part.energy_kwh is not None]
    if not session.kwh or session.ended_at is None or len(known) < len(parts):
        return False
    share = fsum(known) / session.kwh
    return _LEAST_OF_CHARGER <= share <= _MOST_OF_CHARGER
