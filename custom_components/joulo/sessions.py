"""Arithmetic on charging sessions: hours, months, ERE credits and euros. Pure functions, no state.

Sources: Joulo developer docs, Sessions (ERE credits and euros) and Energy statistics (months).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from math import ceil, fsum
from typing import Any
from zoneinfo import ZoneInfo

from .api import AccountProfile, ChargingSession, Energy, Month
from .hours import HOUR, Reading

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
"""Joulo's months and years follow this zone wherever Home Assistant runs."""

RENEWABLE_FRACTION = {2026: 0.505}
"""Of Dutch grid electricity by year (CBS); a year that is not listed gives no estimate."""

FOSSIL_REFERENCE = 0.6588
"""ERE credits per renewable kWh: 0.183 kg CO2-eq/MJ x 3.6 MJ/kWh (RED III)."""

LONGEST_OPEN = timedelta(days=1)
"""A session whose end Joulo never sent counts as ended after it."""


def closed(
    sessions: Iterable[ChargingSession], *, running: str | None = None
) -> tuple[ChargingSession, ...]:
    """Return a charger's sessions, oldest first, without ends that were left open.

    A session without an end that has a successor ended when that began, after a day at most; unless
    its charger says that it is the one that runs.
    """
    ordered = sorted(sessions, key=lambda session: (session.started_at, session.id))
    return (
        *(
            session if session.id == running else _closed_by(session, following)
            for session, following in pairwise(ordered)
        ),
        *ordered[-1:],
    )


def _closed_by(session: ChargingSession, following: ChargingSession) -> ChargingSession:
    if session.ended_at is not None:
        return session
    return replace(session, ended_at=min(following.started_at, session.started_at + LONGEST_OPEN))


def with_later_figure(session: ChargingSession, listed: ChargingSession | None) -> ChargingSession:
    """Return what a charger showed, with what `/sessions` lists where that is more: energy only grows."""
    if listed is None or (listed.kwh or 0.0) <= (session.kwh or 0.0):
        return session
    return replace(session, kwh=listed.kwh, ere_credits=listed.ere_credits)


def with_last_reading(session: ChargingSession, readings: Sequence[Reading]) -> ChargingSession:
    """Return a session with the energy that Joulo leaves out now, and once did not."""
    if session.kwh is not None or not readings:
        return session
    return replace(session, kwh=readings[-1][1])


def with_estimated_ere(session: ChargingSession) -> ChargingSession:
    """Return a session that Joulo has not listed yet with the ERE credits that it should earn."""
    return replace(session, ere_credits=estimated_ere(session.kwh, session.started_at))


def estimated_ere(kwh: float | None, started_at: datetime) -> float | None:
    """Return the ERE credits that so much energy earns; unknown for a year without a known fraction."""
    fraction = RENEWABLE_FRACTION.get(started_at.astimezone(AMSTERDAM).year)
    if kwh is None or fraction is None:
        return None
    return kwh * fraction * FOSSIL_REFERENCE


def ere_credits(session: ChargingSession) -> float | None:
    """Return Joulo's figure; Joulo sends none for a session without energy, which earns none."""
    if session.ere_credits is None and session.kwh == 0:
        return 0.0
    return session.ere_credits


def net_value(ere: float | None, me: AccountProfile | None) -> float | None:
    """Return what so many ERE credits pay out in EUR, after the fee."""
    if ere is None or me is None or me.ere_price_mid is None or me.effective_fee_pct is None:
        return None
    return ere * me.ere_price_mid * (1 - me.effective_fee_pct / 100)


def session_value(
    session: ChargingSession, me: AccountProfile | None, *, mid_certified: bool | None
) -> float | None:
    """Return what a session pays out in EUR: nothing where its charger or Joulo says it does not count."""
    if mid_certified is False or session.counts_for_ere is False:
        return 0.0
    if mid_certified is None:
        return None
    return net_value(ere_credits(session), me)


def total(figures: Sequence[float | None]) -> float | None:
    """Return a sum without what is unknown; itself unknown where that is every figure."""
    known = [figure for figure in figures if figure is not None]
    return fsum(known) if known or not figures else None


def duration(started_at: datetime, ended_at: datetime | None) -> float | None:
    """Return the hours between; unknown while there is no end, or one before the start."""
    if ended_at is None or ended_at < started_at:
        return None
    return (ended_at - started_at) / HOUR


def shown_hours(hours: float | None) -> float | None:
    """Return hours with five decimals, rounded up: whoever shows their minutes cuts off what is below one."""
    return None if hours is None else ceil(hours * 100_000) / 100_000


def average_power(kwh: float | None, hours: float | None) -> float | None:
    """Return the average in kW; unknown over no time."""
    if kwh is None or not hours:
        return None
    return kwh / hours


def figures(session: ChargingSession, value: float | None) -> dict[str, Any]:
    """Return a session and its value in EUR as events and actions tell them, ready for JSON.

    kWh and ERE credits to thousandths (Joulo sends hundredths), EUR to cents, kW to hundredths and
    minutes to tenths; moments in ISO 8601; None where something is unknown.
    """
    hours = duration(session.started_at, session.ended_at)
    minutes = None if hours is None else 60 * hours
    return {
        "session_id": session.id,
        "started_at": session.started_at.isoformat(),
        "ended_at": session.ended_at.isoformat() if session.ended_at else None,
        "energy_kwh": rounded(session.kwh, 3),
        "ere_credits": rounded(ere_credits(session), 3),
        "value_eur": rounded(value, 2),
        "duration_minutes": rounded(minutes, 1),
        "average_power_kw": rounded(average_power(session.kwh, hours), 2),
        "tag_id": session.id_tag,
    }


def rounded(figure: float | None, decimals: int) -> float | None:
    """Return a figure with so many decimals, if it is known."""
    return None if figure is None else round(figure, decimals)


def local_day(moment: datetime) -> date:
    """Return the day in Amsterdam."""
    return moment.astimezone(AMSTERDAM).date()


def midnight(day: date) -> datetime:
    """Return the moment at which a day begins in Amsterdam."""
    return datetime.combine(day, time(), AMSTERDAM)


def month_figures(energy: Energy, day: date) -> Month | None:
    """Return the sums of the day's month; a month that Joulo does not list among others is empty."""
    first = day.replace(day=1)
    if not energy.months:
        return None
    for month in energy.months:
        if month.month == first:
            return month
    return (
        Month(month=first, kwh=0.0, ere_credits=0.0, sessions=0) if energy.all_months_read else None
    )


def year_total(energy: Energy, day: date, figure: Callable[[Month], float | None]) -> float | None:
    """Return the sum of a figure over the day's year; unknown where a month of it is, or may be."""
    if not energy.months or not energy.all_months_read:
        return None
    values = [figure(month) for month in energy.months if month.month.year == day.year]
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None
