"""Cost of a charging session: its energy of every hour times the price of that hour. Pure functions, no state.

Source: the contract of costs in `docs/costs.md`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from math import fsum
from typing import NamedTuple

from ..api import ChargingSession
from .hourly import HOUR, HourlyAmounts, Reading, session_hours

type HourPrice = tuple[datetime, float]
"""The start of a UTC hour, and EUR per kWh."""

_NEVER = datetime.max.replace(tzinfo=UTC)

_LEAST_KNOWN = 0.5
"""Share of a session's energy whose prices have to be known for the others to be estimated."""

_SLOT = timedelta(minutes=5)
"""What one row of the recorder's short-term statistics covers."""

_COMPILED = timedelta(minutes=1)
"""Time after an hour by which the recorder has its mean."""


@dataclass(frozen=True, kw_only=True)
class Tariff:
    """What a kWh costs now: the start from which the price holds, and EUR per kWh of the last two hours.

    The prices of now count for hours of which a session has no price of its own yet.
    """

    since: datetime | None = None
    recent: Mapping[datetime, float] = field(default_factory=dict)

    @cached_property
    def begun(self) -> datetime:
        """The moment up to which no price of now counts: sessions that ended before have their own, or none."""
        return min(self.recent, default=_NEVER)

    def holds_at(self, moment: datetime) -> bool:
        """Whether the price holds at a moment."""
        return self.since is None or moment >= self.since


class Cost(NamedTuple):
    """EUR that a session has cost, and whether the price of some of its hours had to be estimated."""

    eur: float
    is_estimated: bool


class Pricing(NamedTuple):
    """What a session has cost, if that is known, and its hours without a price."""

    cost: Cost | None
    unpriced: tuple[datetime, ...]


class HourlyCost(NamedTuple):
    """EUR by hour, and whether the price of some hours had to be estimated."""

    amounts: HourlyAmounts
    is_estimated: bool

    @property
    def total(self) -> Cost:
        """The cost of all hours together."""
        return Cost(fsum(self.amounts.values()), self.is_estimated)


def hourly_cost(energy: HourlyAmounts, prices: Mapping[datetime, float]) -> HourlyCost | None:
    """Return what the energy of every hour has cost; None where too few of the prices are known.

    Hours without a price have the mean price of the others, weighted by energy, if those hold at least
    half of the energy.
    """
    known = {hour: prices[hour] for hour in energy if hour in prices}
    if len(known) == len(energy):
        amounts = {hour: kwh * known[hour] for hour, kwh in energy.items()}
        return HourlyCost(amounts, is_estimated=False)
    priced = fsum(energy[hour] for hour in known)
    if not priced or priced < _LEAST_KNOWN * fsum(energy.values()):
        return None
    mean = fsum(energy[hour] * price for hour, price in known.items()) / priced
    amounts = {hour: kwh * known.get(hour, mean) for hour, kwh in energy.items()}
    return HourlyCost(amounts, is_estimated=True)


def pricing(
    session: ChargingSession,
    readings: Sequence[Reading],
    prices: Mapping[datetime, float],
    at: datetime,
) -> Pricing:
    """Return what a session has cost by the prices of its hours, as far as it is known at a moment."""
    if session.kwh is None:
        return Pricing(None, ())
    hours = session_hours(session, readings, at)
    found = hourly_cost(hours, prices)
    return Pricing(found and found.total, tuple(hour for hour in hours if hour not in prices))


@dataclass(frozen=True, slots=True)
class Part:
    """The part of an hour in which a session ran."""

    hour: datetime
    begin: datetime
    end: datetime

    @classmethod
    def of(cls, hour: datetime, session: ChargingSession) -> Part:
        """Return the part that a session has of an hour in which it ran."""
        end = session.ended_at or hour + HOUR
        return cls(hour, max(hour, session.started_at), min(hour + HOUR, max(end, hour)))

    @property
    def is_whole(self) -> bool:
        """Whether it is the whole hour."""
        return self.end - self.begin == HOUR


def mean_price(
    part: Part, hourly: Mapping[datetime, float], by_slot: Mapping[datetime, float]
) -> float | None:
    """Return the mean price of a part of an hour: by its five-minute slots if all are known, else the hour's mean.

    With prices by the quarter, the hour's mean is wrong for a session that ran in one quarter of it.
    """
    slots = [part.hour + number * _SLOT for number in range(HOUR // _SLOT)]
    # A session without length still has the price of its moment.
    end = max(part.end, part.begin + timedelta.resolution)
    overlaps = {slot: min(end, slot + _SLOT) - max(part.begin, slot) for slot in slots}
    ran = {slot: overlap / HOUR for slot, overlap in overlaps.items() if overlap > timedelta()}
    if ran.keys() <= by_slot.keys():
        return fsum(by_slot[slot] * share for slot, share in ran.items()) / fsum(ran.values())
    return hourly.get(part.hour)


def is_over(hour: datetime, now: datetime) -> bool:
    """Whether an hour has passed, and its price does not change any more."""
    return hour + HOUR + _COMPILED <= now


def merged(before: Iterable[HourPrice], found: Mapping[datetime, float]) -> tuple[HourPrice, ...]:
    """Return the prices of a session in the order of their hours; one that was known stays."""
    return tuple(sorted({**found, **dict(before)}.items()))
