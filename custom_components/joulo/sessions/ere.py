"""ERE credits of a charging session, and their value in EUR.

Source: Joulo developer docs, Sessions.
"""

from datetime import datetime

from ..api import AccountProfile, ChargingSession
from .months import AMSTERDAM

RENEWABLE_FRACTION = {2026: 0.505}
"""Renewable share of Dutch grid electricity by year (CBS); a year that is not listed gives no estimate."""

FOSSIL_REFERENCE = 0.6588
"""ERE credits per renewable kWh: 0.183 kg CO2-eq/MJ x 3.6 MJ/kWh (RED III)."""


def estimated_ere(kwh: float | None, started_at: datetime) -> float | None:
    """Return the ERE credits that an energy earns; unknown for a year without a known fraction."""
    fraction = RENEWABLE_FRACTION.get(started_at.astimezone(AMSTERDAM).year)
    if kwh is None or fraction is None:
        return None
    return kwh * fraction * FOSSIL_REFERENCE


def ere_credits(session: ChargingSession) -> float | None:
    """Return Joulo's figure. Joulo sends none for a session without energy, which earns 0."""
    if session.ere_credits is None and session.kwh == 0:
        return 0.0
    return session.ere_credits


def net_value(ere: float | None, profile: AccountProfile | None) -> float | None:
    """Return the EUR that ERE credits pay out after the fee; unknown without price or fee."""
    if ere is None or profile is None:
        return None
    if profile.ere_price_mid is None or profile.effective_fee_pct is None:
        return None
    return ere * profile.ere_price_mid * (1 - profile.effective_fee_pct / 100)


def session_value(
    session: ChargingSession, profile: AccountProfile | None, *, mid_certified: bool | None
) -> float | None:
    """Return the EUR that a session pays out; 0 where its charger or Joulo says that it does not count."""
    if mid_certified is False or session.counts_for_ere is False:
        return 0.0
    if mid_certified is None:
        return None
    return net_value(ere_credits(session), profile)
