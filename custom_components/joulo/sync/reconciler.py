"""Compares the history with Joulo's own totals, and requests a full read where they differ."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from math import fsum
from typing import TYPE_CHECKING

from homeassistant.core import HomeAssistant, callback

from ..api import Charger, ChargingSession, Energy
from ..history import SessionHistory
from ..issues import (
    async_clear_totals_mismatch,
    async_clear_unlisted_sessions,
    async_raise_totals_mismatch,
    async_raise_unlisted_sessions,
)
from ..sessions import queries, transitions
from ..sessions.model import LONGEST_SNOOZE

if TYPE_CHECKING:
    from ..data import JouloConfigEntry
    from .fetcher import SessionFetcher

_DAILY = timedelta(days=1)
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
        self._decide_on_unlisted(energy, chargers, now)
        state = self._history.state
        # Joulo's totals may hold a session already whose end has not been read yet.
        is_moving = queries.has_active(state) or queries.awaits_end(state, now - _DAILY)
        if state.last_full_read is None or is_moving or not self._fetcher.is_idle:
            return
        was_read_again = (
            self._requested_at is not None
            and state.last_full_read is not None
            and state.last_full_read >= self._requested_at
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
            self._snooze(now + LONGEST_SNOOZE)
            async_raise_totals_mismatch(self._hass, self._entry, kwh)
        elif state.mismatch_snoozed_until is not None and now < state.mismatch_snoozed_until:
            async_raise_totals_mismatch(self._hass, self._entry, kwh)
        else:
            self._requested_at = now
            self._fetcher.request_full_read()

    def _decide_on_unlisted(
        self, energy: Energy, chargers: Iterable[Charger], now: datetime
    ) -> None:
        """Remove what Joulo does not list any more if its totals agree better then; else ask the user."""
        state = self._history.state
        if not state.unlisted:
            async_clear_unlisted_sessions(self._hass, self._entry)
            return
        remaining = _completed(queries.without_unlisted(state))
        if _total_gap(energy, remaining, chargers) < _total_gap(
            energy, _completed(queries.listed(state)), chargers
        ):
            self._history.async_update(transitions.remove_unlisted, now)
            async_clear_unlisted_sessions(self._hass, self._entry)
        else:
            async_raise_unlisted_sessions(self._hass, self._entry, len(state.unlisted))

    def _snooze(self, until: datetime | None) -> None:
        self._history.async_update(transitions.snooze_mismatch, until)


def _completed(sessions: Iterable[ChargingSession]) -> list[ChargingSession]:
    return [session for session in sessions if session.ended_at]


def energy_mismatch(
    energy: Energy, sessions: Iterable[ChargingSession], chargers: Iterable[Charger]
) -> float | None:
    """Return by how many kWh the sessions miss Joulo's totals at most; None where they agree, or none was sent."""
    gaps = _gaps(energy, sessions, chargers)
    return max((kwh for kwh, tolerance in gaps if kwh > tolerance), default=None)


def _total_gap(
    energy: Energy, sessions: Iterable[ChargingSession], chargers: Iterable[Charger]
) -> float:
    return fsum(kwh for kwh, _ in _gaps(energy, sessions, chargers))


def _gaps(
    energy: Energy, sessions: Iterable[ChargingSession], chargers: Iterable[Charger]
) -> list[tuple[float, float]]:
    """Return for each comparable total the kWh that the sessions miss it by, and the tolerance.

    Where Joulo sends a total of all chargers, the other one counts the MID-certified ones only. They are
    compared while every session's charger is listed: of others the certificate is not known. A single
    total may count either.
    """
    by_id = {charger.id: bool(charger.mid_certified) for charger in chargers}
    counted = [session for session in sessions if session.kwh is not None]
    everything = [session.kwh or 0.0 for session in counted]
    mid_only = [session.kwh or 0.0 for session in counted if by_id.get(session.charger_id)]
    if energy.total_kwh_all is not None:
        gaps = [_gap(everything, energy.total_kwh_all)]
        if energy.total_kwh is not None and {each.charger_id for each in counted} <= by_id.keys():
            gaps.append(_gap(mid_only, energy.total_kwh))
        return gaps
    if energy.total_kwh is None:
        return []
    return [min(_gap(kwhs, energy.total_kwh) for kwhs in (everything, mid_only))]


def _gap(kwhs: list[float], total: float) -> tuple[float, float]:
    return abs(fsum(kwhs) - total), _TOLERANCE + _TOLERANCE_PER_SESSION * len(kwhs)
