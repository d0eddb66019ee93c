"""Compares the history with Joulo's own totals, and requests a full read where they differ."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from math import fsum
from typing import TYPE_CHECKING

from homeassistant.core import HomeAssistant, callback

from ..api import Charger, ChargingSession, Energy
from ..history import SessionHistory
from ..repairs import async_clear_totals_mismatch, async_raise_totals_mismatch
from ..sessions import queries, transitions

if TYPE_CHECKING:
    from ..data import JouloConfigEntry
    from .fetcher import SessionFetcher

_DAILY = timedelta(days=1)
_SNOOZE = timedelta(days=7)
"""Time after a full read that changed nothing, before another one is requested."""
_TOLERANCE = 0.05
_TOLERANCE_PER_SESSION = 0.005
"""kWh; Joulo rounds every session to hundredths."""


class TotalsReconciler:
    """The daily comparison of one account."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: JouloConfigEntry,
        history: SessionHistory,
        fetcher: SessionFetcher,
    ) -> None:
        self._hass = hass
        self._entry = entry
        self._history = history
        self._fetcher = fetcher
        self._next_at: datetime | None = None
        self._requested_at: datetime | None = None

    @callback
    def async_compare(self, energy: Energy, chargers: Iterable[Charger], now: datetime) -> None:
        """Compare once a day, and after a full read that was requested here.

        Raises the repair issue where a full read did not help, and deletes it where the totals agree.
        """
        state = self._history.state
        if queries.has_active(state) or state.last_full_read is None or not self._fetcher.is_idle:
            return
        was_read_again = (
            self._requested_at is not None and state.last_full_read >= self._requested_at
        )
        if not was_read_again and self._next_at is not None and now < self._next_at:
            return
        self._next_at = now + _DAILY
        kwh = energy_mismatch(energy, _completed(queries.listed(state)), chargers)
        if kwh is None:
            self._requested_at = None
            self._snooze(None)
            async_clear_totals_mismatch(self._hass, self._entry)
        elif was_read_again:
            self._requested_at = None
            self._snooze(now + _SNOOZE)
            async_raise_totals_mismatch(self._hass, self._entry, kwh)
        elif state.mismatch_snoozed_until is not None and now < state.mismatch_snoozed_until:
            async_raise_totals_mismatch(self._hass, self._entry, kwh)
        else:
            self._requested_at = now
            self._fetcher.request_full_read()

    def _snooze(self, until: datetime | None) -> None:
        self._history.async_update(transitions.snooze_mismatch, until)


def _completed(sessions: Iterable[ChargingSession]) -> list[ChargingSession]:
    return [session for session in sessions if session.ended_at]


def energy_mismatch(
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
