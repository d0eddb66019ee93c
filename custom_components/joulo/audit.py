"""Compares the history with Joulo's own totals, and has it read again where they disagree."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from math import fsum

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback

from .api import Charger, ChargingSession, Energy
from .history import SessionHistory
from .reader import SessionReader
from .repairs import async_clear_disagreement, async_raise_disagreement

_DAILY = timedelta(days=1)
_AFTER_A_FRUITLESS_READ = timedelta(days=7)
_TOLERANCE = 0.05
_TOLERANCE_PER_SESSION = 0.005
"""kWh; Joulo rounds every session to hundredths."""


class Audit:
    """The daily comparison of one account."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry,
        history: SessionHistory,
        reader: SessionReader,
    ) -> None:
        self._hass = hass
        self._entry = entry
        self._history = history
        self._reader = reader
        self._next_at: datetime | None = None
        self._asked_at: datetime | None = None

    @callback
    def async_compare(self, energy: Energy, chargers: Iterable[Charger], now: datetime) -> None:
        """Compare where a day has passed, or where everything has been read again to settle a difference."""
        history = self._history
        if history.running or history.last_full_read is None or not self._reader.is_idle:
            return
        was_read_again = self._asked_at is not None and history.last_full_read >= self._asked_at
        if not was_read_again and self._next_at is not None and now < self._next_at:
            return
        self._next_at = now + _DAILY
        kwh = difference(energy, self._completed(), chargers)
        if kwh is None:
            self._asked_at = None
            self._put_up_with_it_until(None)
            async_clear_disagreement(self._hass, self._entry)
        elif was_read_again:
            self._asked_at = None
            self._put_up_with_it_until(now + _AFTER_A_FRUITLESS_READ)
            async_raise_disagreement(self._hass, self._entry, kwh)
        elif history.reread_after is not None and now < history.reread_after:
            async_raise_disagreement(self._hass, self._entry, kwh)
        else:
            self._asked_at = now
            self._reader.want_full_read()

    def _put_up_with_it_until(self, moment: datetime | None) -> None:
        self._history.reread_after = moment
        self._history.changed()

    def _completed(self) -> list[ChargingSession]:
        return [session for session in self._history.sessions.values() if session.ended_at]


def difference(
    energy: Energy, sessions: Iterable[ChargingSession], chargers: Iterable[Charger]
) -> float | None:
    """Return by how many kWh the sessions miss Joulo's nearest total; None where they agree, or none was sent.

    Joulo's totals count MID-certified chargers only, or all: either sum may equal either total.
    """
    certified = {charger.id for charger in chargers if charger.mid_certified}
    counted = [session for session in sessions if session.kwh is not None]
    everything = [session.kwh or 0.0 for session in counted]
    mid_only = [session.kwh or 0.0 for session in counted if session.charger_id in certified]
    totals = [total for total in (energy.total_kwh, energy.total_kwh_all) if total is not None]
    differences = [
        (abs(fsum(kwhs) - total), _TOLERANCE + _TOLERANCE_PER_SESSION * len(kwhs))
        for kwhs in (everything, mid_only)
        for total in totals
    ]
    if any(kwh <= tolerance for kwh, tolerance in differences):
        return None
    return min((kwh for kwh, _ in differences), default=None)
