"""Figures as Joulo rounds and derives them: hundredths, and ERE credits from energy.

Every figure is rounded once, where it arises. Sums add rounded figures, so that the books of an
account, the list of its sessions and its totals agree to the last digit.
"""

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal

ZERO = Decimal("0.00")

# 183 g CO2-eq/MJ x 3.6 MJ/kWh (Joulo developer docs, Sessions).
FOSSIL_REFERENCE = Decimal("0.6588")

RENEWABLE_FRACTION = {
    2024: Decimal("0.470"),  # invented: plausible, not published
    2025: Decimal("0.490"),  # invented: plausible, not published
    2026: Decimal("0.505"),  # Joulo developer docs, Sessions
}


def hundredths(figure: Decimal | float) -> Decimal:
    """Round to two decimals, halves away from zero, as a person would."""
    return Decimal(str(figure)).quantize(ZERO, ROUND_HALF_UP)


def ere_credits(kwh: Decimal, year: int) -> Decimal | None:
    """Return the ERE credits that `kwh` earns in `year`; None without energy.

    A year outside the table borrows the nearest year's fraction, so that the demo outlives it.
    """
    if not kwh:
        return None
    known = min(max(year, min(RENEWABLE_FRACTION)), max(RENEWABLE_FRACTION))
    return hundredths(kwh * RENEWABLE_FRACTION[known] * FOSSIL_REFERENCE)


def total(figures: Iterable[Decimal | None]) -> Decimal:
    """Add rounded figures; an absent one adds nothing."""
    return sum((figure for figure in figures if figure is not None), ZERO)
