"""Hourly series of a charger's sessions: the rows that the recorder should hold. Pure functions."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain, count, dropwhile
from math import isclose
from typing import NamedTuple

from ..api import ChargingSession
from ..const import ERE, EURO
from ..sessions import queries
from ..sessions.cars import CarSessions
from ..sessions.cost import hourly_cost
from ..sessions.ere import ere_credits
from ..sessions.hourly import (
    HourlyAmounts,
    HourlyRow,
    cumulative_rows,
    distribute,
    hour_of,
    hourly_energy,
    session_hours,
)
from ..sessions.model import HistoryState, SessionRecord

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


ENERGY = Statistic("energy", "charged energy", "kWh", "energy")
ERE_CREDITS = Statistic("ere", "ERE credits", ERE, None)
VALUE = Statistic("value", "ERE value", EURO, None)
COST = Statistic("cost", "charging cost", EURO, None)
ELSEWHERE = Statistic("elsewhere", "charged elsewhere", "kWh", "energy")


class Priced(NamedTuple):
    """A session, all that is known of it, and what a kWh costs now by the hour."""

    session: ChargingSession
    record: SessionRecord
    recent: Mapping[datetime, float]


@dataclass(frozen=True, slots=True)
class Series:
    """All sessions of a charger or a vehicle, oldest first, at a moment, and whether there is a price.

    `elsewhere` are those that only the vehicle's car tells of; None where its car has told nothing yet.
    """

    parts: Sequence[Priced]
    at: datetime
    has_price: bool
    elsewhere: CarSessions | None = None

    @property
    def nickname(self) -> str | None:
        """The name by which Joulo listed the charger of the last session."""
        names = (part.session.charger_nickname for part in reversed(self.parts))
        return next(filter(None, names), None)

    def amounts(self) -> Mapping[Statistic, list[HourlyAmounts]]:
        """Return for every statistic what each session adds to its hours.

        Without a price there is nothing to say of costs, and without a car's record nothing of elsewhere: what
        was written of them stays.
        """
        shares = [self._shares(part) for part in self.parts]
        statistics = (ENERGY, ERE_CREDITS, VALUE, *([COST] if self.has_price else []))
        amounts = {statistic: [share[statistic] for share in shares] for statistic in statistics}
        if self.elsewhere is not None:
            amounts[ELSEWHERE] = [
                hourly_energy(car.started_at, car.ended_at or car.started_at, car.energy_kwh or 0.0)
                for car in self.elsewhere
            ]
        return amounts

    def _shares(self, part: Priced) -> Mapping[Statistic, HourlyAmounts]:
        """Return a session's energy, ERE credits, value and cost by hour."""
        session, record = part.session, part.record
        energy = session_hours(session, record.readings, self.at)
        amounts = {ERE_CREDITS: ere_credits(session), VALUE: record.value}
        shares = {
            statistic: {} if amount is None else distribute(energy, amount, session.started_at)
            for statistic, amount in amounts.items()
        }
        cost = hourly_cost(energy, {**part.recent, **dict(record.prices)})
        shares |= {ENERGY: energy, COST: cost.amounts if cost else {}}
        return {statistic: self._past(session, hours) for statistic, hours in shares.items()}

    def _past(self, session: ChargingSession, hours: HourlyAmounts) -> HourlyAmounts:
        """Leave out the hour in which a session is still active."""
        if session.ended_at is not None:
            return hours
        return {hour: amount for hour, amount in hours.items() if hour < hour_of(self.at)}


def vehicle_series(
    state: HistoryState, vehicle_id: str, at: datetime, *, has_car: bool = True
) -> Series:
    """Return the series of a vehicle by the history of its account.

    A vehicle without a car has charged nothing elsewhere: what it had may count for another vehicle now.
    """
    parts = [_priced(state, session) for session in queries.vehicle_sessions(state, vehicle_id)]
    elsewhere = queries.charged_elsewhere(state, vehicle_id)
    if elsewhere is None and not has_car:
        elsewhere = ()
    return Series(parts, at, state.tariff is not None, elsewhere)


def charger_series(
    state: HistoryState, others: Iterable[HistoryState], charger_id: str, at: datetime
) -> Series:
    """Return the series of a charger by an account's history, and what those of other accounts know of it beside.

    A charger that has moved has a past in another account.
    """
    parts: dict[str, Priced] = {}
    for each in (*others, state):
        for session in queries.timeline(each, charger_id):
            part = _priced(each, session)
            parts[session.id] = _completed_by(part, parts.get(session.id))
    ordered = sorted(parts.values(), key=lambda part: part.session.started_at)
    return Series(ordered, at, state.tariff is not None)


def _completed_by(part: Priced, earlier: Priced | None) -> Priced:
    """Return a session with what another account has observed of it and this one has not."""
    if earlier is None:
        return part
    ours, theirs = part.record, earlier.record
    record = replace(
        ours,
        readings=ours.readings or theirs.readings,
        value=theirs.value if ours.value is None else ours.value,
        prices=ours.prices or theirs.prices,
    )
    return part._replace(record=record)


def _priced(state: HistoryState, session: ChargingSession) -> Priced:
    recent = state.tariff.recent if state.tariff else {}
    return Priced(session, state.chargers[session.charger_id].records[session.id], recent)


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
