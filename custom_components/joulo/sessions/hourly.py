"""Spreads charging sessions over the UTC hours they ran in. Pure functions, no state."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise
from math import fsum

from ..api import ChargingSession

HOUR = timedelta(hours=1)

MAX_OPEN = timedelta(days=1)
"""A session whose end Joulo never sent counts as ended after this time."""

MAX_LENGTH = timedelta(days=31)
"""No car charges longer; a wrong end must not fill the recorder with hours."""

type Reading = tuple[datetime, float]
"""A moment, and the kWh that the session had delivered by then."""

type HourlyAmounts = Mapping[datetime, float]
"""An amount by the start of the hour."""


@dataclass(frozen=True, slots=True)
class HourlyRow:
    """Row of a statistic: the amount of an hour, and the sum of all hours up to its end."""

    start: datetime
    state: float
    sum: float


def hour_of(moment: datetime) -> datetime:
    """Return the start of the UTC hour."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def hourly_energy(
    start: datetime, end: datetime, kwh: float, readings: Iterable[Reading] = ()
) -> HourlyAmounts:
    """Return the kWh of every hour: linear between the start, the readings that fit, and the end.

    Without readings the energy is spread evenly. A session without length gives it all in its hour.
    """
    end = min(max(end, start), start + MAX_LENGTH)
    curve = _curve(start, end, kwh, readings)
    boundaries = [start]
    while (following := hour_of(boundaries[-1]) + HOUR) < end:
        boundaries.append(following)
    delivered = [0.0, *(_at(curve, boundary) for boundary in boundaries[1:]), kwh]
    return {
        hour_of(boundary): after - before
        for boundary, (before, after) in zip(boundaries, pairwise(delivered), strict=True)
        if after > before
    }


def session_hours(
    session: ChargingSession, readings: Sequence[Reading], at: datetime
) -> HourlyAmounts:
    """Return the kWh of every hour of a session, as far as they are known at a moment; none where its energy is not."""
    end = session.ended_at or _known_until(session, readings, at)
    return hourly_energy(session.started_at, end, session.kwh or 0.0, readings)


def _known_until(session: ChargingSession, readings: Sequence[Reading], at: datetime) -> datetime:
    """Return the moment at which a session without end had delivered its known energy."""
    return readings[-1][0] if readings else min(at, session.started_at + MAX_OPEN)


def distribute(hours: HourlyAmounts, amount: float, start: datetime) -> HourlyAmounts:
    """Return another amount, spread like the energy; where there is none, all in the first hour."""
    total = fsum(hours.values())
    if not total:
        return {hour_of(start): amount} if amount else {}
    return {hour: share * amount / total for hour, share in hours.items()}


def cumulative_rows(sessions: Iterable[HourlyAmounts]) -> list[HourlyRow]:
    """Return the hours of all sessions in order, each with the sum so far; idle hours have no row."""
    shares: defaultdict[datetime, list[float]] = defaultdict(list)
    for hours in sessions:
        for hour, share in hours.items():
            shares[hour].append(share)
    starts = sorted(shares)
    states = [fsum(shares[start]) for start in starts]
    return [
        HourlyRow(start, state, total)
        for start, state, total in zip(starts, states, accumulate(states), strict=True)
    ]


def _curve(
    start: datetime, end: datetime, kwh: float, readings: Iterable[Reading]
) -> Sequence[Reading]:
    """Return the points between which a session delivers evenly, in order and never falling.

    A reading that falls back is left out: a charger that loses its count for a moment says 0.
    """
    points = [(start, 0.0)]
    for moment, reading in sorted(readings):
        if start < moment < end and points[-1][1] <= reading <= kwh:
            points.append((moment, reading))
    return [*points, (end, kwh)]


def _at(curve: Sequence[Reading], moment: datetime) -> float:
    """Return what had been delivered by a moment between the curve's ends."""
    after = bisect_right(curve, moment, key=lambda point: point[0])
    (begin, low), (finish, high) = curve[after - 1], curve[after]
    return low + (high - low) * ((moment - begin) / (finish - begin))
