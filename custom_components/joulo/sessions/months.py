"""Calendar months and years as Joulo counts them, and the account's sums over them.

Source: Joulo developer docs, Energy statistics.
"""

from collections.abc import Callable
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from ..api import Energy, Month

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
"""Joulo's months and years follow this zone wherever Home Assistant runs."""


def local_day(moment: datetime) -> date:
    """Return the day in Amsterdam."""
    return moment.astimezone(AMSTERDAM).date()


def midnight(day: date) -> datetime:
    """Return the moment at which a day begins in Amsterdam."""
    return datetime.combine(day, time(), AMSTERDAM)


def month_figures(energy: Energy, day: date) -> Month | None:
    """Return the sums of the day's month; a month that is missing from a non-empty list is empty."""
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
