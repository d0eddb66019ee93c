"""The price of a kWh as the user has set it: a fixed one, or a sensor's."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final

from homeassistant.util import dt as dt_util

if TYPE_CHECKING:
    from .data import JouloConfigEntry

CONF_PRICE: Final = "price"
CONF_FIXED_PRICE: Final = "fixed_price"
CONF_PRICE_ENTITY: Final = "price_entity"
CONF_PRICE_SINCE: Final = "price_since"

EUR_PER_KWH: Final[Mapping[str, float]] = {
    "EUR/kWh": 1.0,
    "€/kWh": 1.0,
    "EUR/MWh": 0.001,
    "€/MWh": 0.001,
    "ct/kWh": 0.01,
    "c€/kWh": 0.01,
}
"""What one of a unit is in EUR/kWh, by the units that a price sensor may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """A fixed price in EUR/kWh or the entity id of a sensor that tells it, and the day since which it holds.

    Without a day it holds for all sessions there ever were.
    """

    fixed: float | None = None
    entity_id: str | None = None
    day: date | None = None

    @property
    def fingerprint(self) -> str:
        """A text that is the same for the same setting."""
        return f"{self.entity_id or self.fixed} since {self.day or 'ever'}"

    @property
    def since(self) -> datetime | None:
        """The beginning of its first day, in Home Assistant's zone."""
        return dt_util.start_of_local_day(self.day) if self.day else None

    def renamed(self, entity_id: str) -> Price:
        """Return the price of a sensor that has got another entity id."""
        return replace(self, entity_id=entity_id)


def price_of(entry: JouloConfigEntry) -> Price | None:
    """Return the price that an account's options hold; None where there is none."""
    return price_in(entry.options.get(CONF_PRICE, {}))


def price_in(section: Mapping[str, Any]) -> Price | None:
    """Return the price that a section of options holds; None where there is none."""
    fixed, entity_id = section.get(CONF_FIXED_PRICE), section.get(CONF_PRICE_ENTITY)
    if fixed is None and not entity_id:
        return None
    day = section.get(CONF_PRICE_SINCE)
    return Price(
        fixed=None if fixed is None else float(fixed),
        entity_id=entity_id or None,
        day=day_of(day) if day else None,
    )


def day_of(text: str) -> date:
    """Return the day that a form has taken: it takes 2026-6-1 too."""
    return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a day has no zone
