"""What cars record themselves of their charging: how readings of it are joined, and how it is stored."""

from bisect import bisect_right, insort
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any, NamedTuple

from ..api.parsing import parse_datetime, parse_number, parse_text
from ..der_connect.models import CarSession

type CarSessions = tuple[CarSession, ...]
"""The sessions of a car, oldest first."""

_SAME_START = timedelta(seconds=60)
"""Two records of one car whose starts lie no further apart are of one session, as are two that overlap by half."""
_OVERLAP = timedelta(days=7)
"""Time before the last complete read in which sessions may be new or corrected."""
_FIRST = timedelta(days=400)
"""Time before the first read; in most cases nothing was recorded so early."""
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Car:
    """What is kept of a car: the vehicle that it is, or was last, and its sessions.

    `last_read` is the beginning of the last read that was complete; None before the first. `is_due` tells that the
    one after it has failed or was never ended, `is_closed` that the service does not let the car be read any more.
    """

    vehicle_id: str
    last_read: datetime | None = None
    is_due: bool = False
    is_closed: bool = False
    sessions: CarSessions = ()

    def start_of_read(self, now: datetime) -> datetime:
        """Return since when sessions may be new or corrected, for a read that begins now.

        A session is listed after its end, so one that goes on for weeks starts after the newest known.
        """
        if self.last_read is None or self.last_read > now or not self.sessions:
            # Stored by a clock that was ahead, a last read tells nothing.
            return now - _FIRST
        return min(self.last_read - _OVERLAP, self.sessions[-1].started_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class CarRecords:
    """All cars of an account by their ids at DER Connect without case, and when the service is asked again.

    `next_read` is of all cars; those that are due wait for `not_before` alone, and all do where that is later.
    `credentials` is a digest of those with which it was asked last.
    """

    cars: Mapping[str, Car] = field(default_factory=dict)
    next_read: datetime | None = None
    not_before: datetime | None = None
    credentials: str | None = None
    is_refused: bool = False


def merged(known: CarSessions, read: Iterable[CarSession]) -> CarSessions:
    """Return the sessions of a car with those that were just read; what the service lists no more stays.

    Of one id the one just read counts, with the known figures that it lacks; of two records of one session the one
    that was calculated later.
    """
    by_id: dict[str, CarSession] = {}
    for session in (*known, *read):
        by_id[session.id] = _completed_by(session, by_id.get(session.id))
    kept: list[CarSession] = []
    for session in sorted(by_id.values(), key=_calculated, reverse=True):
        if not any(_is_same_charge(session, each) for each in _near(session, kept)):
            insort(kept, session, key=attrgetter("started_at", "id"))
    return tuple(kept)


def _completed_by(session: CarSession, before: CarSession | None) -> CarSession:
    """Return a session with the figures that an earlier reading of it had and this one lacks."""
    lacking = [name for name in _FIGURES if getattr(session, name) is None] if before else ()
    return replace(session, **{name: getattr(before, name) for name in lacking})


def _near(session: CarSession, kept: Sequence[CarSession]) -> Iterator[CarSession]:
    """Yield those of kept sessions that may be records of the same charge, newest first."""
    latest = max(end_of(session), session.started_at + _SAME_START)
    for place in reversed(range(bisect_right(kept, latest, key=attrgetter("started_at")))):
        yield kept[place]
        # None that is kept lies within another: once one has ended before, so have all before it.
        earliest = session.started_at - _SAME_START
        if kept[place].started_at < min(end_of(kept[place]), earliest) and (
            end_of(kept[place]) <= session.started_at
        ):
            return


def _is_same_charge(one: CarSession, other: CarSession) -> bool:
    """Whether two records of a car are of one charge: it charges in one place at a time."""
    if abs(one.started_at - other.started_at) <= _SAME_START:
        return True
    shared = min(end_of(one), end_of(other)) - max(one.started_at, other.started_at)
    return 2 * shared > min(end_of(one) - one.started_at, end_of(other) - other.started_at)


def end_of(session: CarSession) -> datetime:
    """Return the end of a session; of one without, its start: the length is not known."""
    return max(session.ended_at or session.started_at, session.started_at)


def _calculated(session: CarSession) -> tuple[datetime, str]:
    return session.created_at or _NEVER, session.id


class RestoredCars(NamedTuple):
    """Records that were stored, and whether something of them could not be read."""

    records: CarRecords
    is_damaged: bool


def restore_cars(document: object) -> RestoredCars:
    """Return the records that a stored document holds; a car of which something is lost is to be read anew."""
    if document is None:
        return RestoredCars(CarRecords(), is_damaged=False)
    stored = document if isinstance(document, dict) else {}
    items = stored.get("cars")
    parsed = (
        {key.casefold(): _parse_car(item) for key, item in items.items()}
        if isinstance(items, dict)
        else {}
    )
    cars = {key: car for key, (car, _) in parsed.items() if car is not None}
    return RestoredCars(
        CarRecords(
            cars=cars,
            next_read=parse_datetime(stored.get("next_read")),
            not_before=parse_datetime(stored.get("not_before")),
            credentials=parse_text(stored.get("credentials")),
            is_refused=stored.get("is_refused") is True,
        ),
        is_damaged=not isinstance(items, dict)
        or not all(is_whole for _, is_whole in parsed.values()),
    )


def _parse_car(value: object) -> tuple[Car | None, bool]:
    """Return a stored car, and whether all of it could be read."""
    match value:
        case {
            "vehicle_id": str(vehicle_id),
            "last_read": last_read,
            "sessions": list(items),
            **flags,
        }:
            sessions = [session for item in items if (session := _parse_session(item))]
            is_whole = len(sessions) == len(items)
            read_at = parse_datetime(last_read) if is_whole else None
            car = Car(
                vehicle_id=vehicle_id,
                last_read=read_at,
                is_due=not is_whole or flags.get("is_due") is True,
                is_closed=flags.get("is_closed") is True,
                sessions=tuple(sessions),
            )
            return car, is_whole
    return None, False


_PARSERS: Mapping[str, Callable[[object], Any]] = (
    dict.fromkeys((each.name for each in fields(CarSession)), parse_number)
    | dict.fromkeys(("id", "label"), parse_text)
    | dict.fromkeys(("created_at", "started_at", "ended_at"), parse_datetime)
)
_FIGURES = tuple(name for name, parse in _PARSERS.items() if parse is parse_number)


def _parse_session(value: object) -> CarSession | None:
    if not isinstance(value, dict):
        return None
    session = CarSession(**{name: parse(value.get(name)) for name, parse in _PARSERS.items()})
    return session if session.id and session.started_at else None


def cars_to_stored(records: CarRecords) -> dict[str, Any]:
    """Return the document to store. It takes long for long records: not for the event loop."""
    return {
        "cars": {
            key: {
                "vehicle_id": car.vehicle_id,
                "last_read": _format(car.last_read),
                "is_due": car.is_due,
                "is_closed": car.is_closed,
                "sessions": [_session_to_stored(session) for session in car.sessions],
            }
            for key, car in records.cars.items()
        },
        "next_read": _format(records.next_read),
        "not_before": _format(records.not_before),
        "credentials": records.credentials,
        "is_refused": records.is_refused,
    }


def _session_to_stored(session: CarSession) -> dict[str, Any]:
    figures = {name: getattr(session, name) for name in _PARSERS}
    return {
        name: _format(figure) if isinstance(figure, datetime) else figure
        for name, figure in figures.items()
        if figure is not None
    }


def _format(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
