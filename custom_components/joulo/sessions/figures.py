"""Figures of a single charging session: duration, power, and how it is shown."""

from collections.abc import Sequence
from datetime import datetime
from math import ceil, fsum
from typing import Any

from ..api import ChargingSession
from .cost import Cost
from .ere import ere_credits
from .hourly import HOUR


def sum_known(figures: Sequence[float | None]) -> float | None:
    """Return the sum of the known figures; unknown where there are figures and none is known."""
    known = [figure for figure in figures if figure is not None]
    return fsum(known) if known or not figures else None


def duration(started_at: datetime, ended_at: datetime | None) -> float | None:
    """Return the hours between; unknown while there is no end, or one before the start."""
    if ended_at is None or ended_at < started_at:
        return None
    return (ended_at - started_at) / HOUR


def shown_hours(hours: float | None) -> float | None:
    """Return hours with five decimals, rounded up: Home Assistant cuts off fractions of a minute."""
    return None if hours is None else ceil(hours * 100_000) / 100_000


def average_power(kwh: float | None, hours: float | None) -> float | None:
    """Return the average in kW; unknown over no time."""
    if kwh is None or not hours:
        return None
    return kwh / hours


def rounded(figure: float | None, decimals: int) -> float | None:
    """Return a figure rounded to a number of decimals, if it is known."""
    return None if figure is None else round(figure, decimals)


def as_attributes(
    session: ChargingSession, value: float | None, vehicle: str | None, cost: Cost | None
) -> dict[str, Any]:
    """Return a session, its value in EUR, its vehicle's name and its cost as the attributes of events and actions, ready for JSON.

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
        "vehicle": vehicle,
        "cost_eur": rounded(cost.eur, 2) if cost else None,
        "cost_estimated": cost.is_estimated if cost else None,
        "net_cost_eur": net_cost(cost.eur if cost else None, value),
    }


def net_cost(cost: float | None, value: float | None) -> float | None:
    """Return what a session has cost less its value, both in cents of EUR as they are shown; unknown where either is."""
    if cost is None or value is None:
        return None
    return round(round(cost, 2) - round(value, 2), 2)
