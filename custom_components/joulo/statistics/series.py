"""Hourly series of a charger's sessions: the rows that the recorder should hold. Pure functions."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, count, dropwhile
from math import isclose
from typing import NamedTuple

from ..api import ChargingSession
from ..const import ERE, EURO
from ..sessions import queries
from ..sessions.ere import ere_credits
from ..sessions.hourly import (
    HourlyAmounts,
    HourlyRow,
    Reading,
    cumulative_rows,
    distribute,
    hour_of,
    hourly_energy,
)
from ..sessions.model import MAX_OPEN, HistoryState

_TOLERANCE = 1e-6
"""kWh, ERE credits or EUR; databases may round the last digit."""

type RecordedRow = tuple[float | None, float | None]
"""State and sum of an hour, as the recorder holds them."""


class Statistic(NamedTuple):
    """A figure of a charger's sessions that is kept by the hour, and its unit."""

    key: str
    name: str
    unit: str
    unit_class: str | None


STATISTICS = (
    Statistic("energy", "charged energy", "kWh", "energy"),
    Statistic("ere", "ERE credits", ERE, None),
    Statistic("value", "ERE value", EURO, None),
)


@dataclass(frozen=True, slots=True)
class Series:
    """All sessions of a charger or a vehicle with their readings and values, at a moment."""

    sessions: Sequence[ChargingSession]
    readings: Mapping[str, tuple[Reading, ...]]
    values: Mapping[str, float]
    at: datetime

    @property
    def nickname(self) -> str | None:
        """The name by which Joulo listed the charger of the last session."""
        names = (session.charger_nickname for session in reversed(self.sessions))
        return next(filter(None, names), None)

    def amounts(self) -> Mapping[Statistic, list[HourlyAmounts]]:
        """Return for every statistic what each session adds to its hours."""
        shares = [self._shares(session) for session in self.sessions]
        return {
            statistic: [share[index] for share in shares]
            for index, statistic in enumerate(STATISTICS)
        }

    def _shares(self, session: ChargingSession) -> tuple[HourlyAmounts, ...]:
        """Return a session's energy, ERE credits and value by hour."""
        start, kwh = session.started_at, session.kwh or 0.0
        end = session.ended_at or self._known_until(session)
        energy = hourly_energy(start, end, kwh, self.readings.get(session.id, ()))
        amounts = (ere_credits(session), self.values.get(session.id))
        others = ({} if each is None else distribute(energy, each, start) for each in amounts)
        return tuple(self._past(session, hours) for hours in (energy, *others))

    def _known_until(self, session: ChargingSession) -> datetime:
        """Return the moment at which a session without end had delivered its known energy."""
        if readings := self.readings.get(session.id):
            return readings[-1][0]
        return min(self.at, session.started_at + MAX_OPEN)

    def _past(self, session: ChargingSession, hours: HourlyAmounts) -> HourlyAmounts:
        """Leave out the hour in which a session is still active."""
        if session.ended_at is not None:
            return hours
        return {hour: amount for hour, amount in hours.items() if hour < hour_of(self.at)}


def vehicle_series(state: HistoryState, vehicle_id: str, at: datetime) -> Series:
    """Return the series of a vehicle by the history of its account."""
    sessions = queries.vehicle_sessions(state, vehicle_id)
    records = {
        session.id: state.chargers[session.charger_id].records[session.id] for session in sessions
    }
    return Series(
        sessions,
        {key: record.readings for key, record in records.items() if record.readings},
        {key: record.value for key, record in records.items() if record.value is not None},
        at,
    )


def charger_series(states: Iterable[HistoryState], charger_id: str, at: datetime) -> Series:
    """Return the series of a charger by all given histories; of a session that two know, the later one's wins.

    Several accounts may know sessions of it: a charger that has moved has a past in another account.
    """
    sessions: dict[str, ChargingSession] = {}
    readings: dict[str, tuple[Reading, ...]] = {}
    values: dict[str, float] = {}
    for state in states:
        if (charger := state.chargers.get(charger_id)) is None:
            continue
        sessions |= {session.id: session for session in charger.timeline}
        for session_id, record in charger.records.items():
            if record.readings:
                readings[session_id] = record.readings
            if record.value is not None:
                values[session_id] = record.value
    ordered = sorted(sessions.values(), key=lambda session: session.started_at)
    return Series(ordered, readings, values, at)


def unused_names(slugs: Mapping[str, str], used: Collection[str]) -> dict[str, str]:
    """Return a name for the statistics of each charger: its slug, with a number if that name is used already."""
    names: dict[str, str] = {}
    for charger_id, slug in slugs.items():
        candidates = chain([slug], (f"{slug}_{number}" for number in count(2)))
        names[charger_id] = next(
            each for each in candidates if each not in used and each not in names.values()
        )
    return names


def rows_to_write(
    sessions: Iterable[HourlyAmounts], recorded: Mapping[datetime, RecordedRow]
) -> list[HourlyRow]:
    """Return the rows from the first one on that the recorder lacks or holds otherwise.

    An hour that the recorder holds is never left out: without energy it has state 0 and the sum so far.
    """
    wanted = cumulative_rows((*sessions, dict.fromkeys(recorded, 0.0)))
    return list(dropwhile(lambda row: _is_same(row, recorded.get(row.start)), wanted))


def _is_same(row: HourlyRow, recorded: RecordedRow | None) -> bool:
    return recorded is not None and all(
        figure is not None and isclose(figure, wanted, rel_tol=0.0, abs_tol=_TOLERANCE)
        for figure, wanted in zip(recorded, (row.state, row.sum), strict=True)
    )
