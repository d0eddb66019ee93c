"""Tests of the long-term statistics. They share a charger, its sessions, and the rows of the recorder."""

from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from homeassistant.components.recorder.core import Recorder
from homeassistant.components.recorder.statistics import get_metadata
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
import pytest
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)

from custom_components.joulo.api import AccountProfile, Charger, ChargingSession, CurrentSession
from custom_components.joulo.const import DOMAIN
from custom_components.joulo.history import SessionHistory
from custom_components.joulo.sessions import transitions
from custom_components.joulo.sessions.transitions import CompleteRead
from tests.conftest import NOW

CHARGER = "A1-b2"
"""Such an id has to be rewritten before the recorder takes it."""
ENERGY, ERE, VALUE = (f"joulo:a1_b2_{key}" for key in ("energy", "ere", "value"))
PROFILE = AccountProfile(ere_price_mid=0.5, effective_fee_pct=20)
QUIET = 31
"""Seconds after which news has been written."""
HOUR = 3600


class Row(NamedTuple):
    """An hour in the recorder."""

    start: datetime
    state: float | None
    sum: float | None


type Recorded = Callable[[str], Awaitable[list[Row]]]


def at(hours: float) -> datetime:
    """Return the moment some hours after the beginning of the test, which is a full hour."""
    return NOW + timedelta(hours=hours)


def session(
    session_id: str = "s",
    start: float = -5,
    hours: float = 2,
    *,
    kwh: float | None = 10,
    charger_id: str = CHARGER,
) -> ChargingSession:
    """Return a completed session that began `start` hours from now."""
    return ChargingSession(
        id=session_id,
        charger_id=charger_id,
        charger_nickname="Garage",
        started_at=at(start),
        ended_at=at(start + hours),
        kwh=kwh,
        ere_credits=None if kwh is None else kwh / 2,
    )


def charger(kwh: float | None = None, *, start: float = -5, charging: bool = True) -> Charger:
    """Return the charger, with an active session unless told otherwise."""
    current = CurrentSession(id="active", started_at=at(start), kwh_so_far=kwh)
    return Charger(
        id=CHARGER,
        nickname="Garage",
        mid_certified=True,
        is_charging=charging,
        current_session=current if charging else None,
    )


def add_device(
    hass: HomeAssistant, entry: ConfigEntry[Any], charger_id: str = CHARGER
) -> dr.DeviceEntry:
    """Let an account list a charger."""
    return dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id, identifiers={(DOMAIN, charger_id)}, name="Garage"
    )


def list_sessions(history: SessionHistory, *sessions: ChargingSession) -> None:
    """Let Joulo list sessions."""
    history.async_update(transitions.upsert_listed, sessions)


def set_price(history: SessionHistory, profile: AccountProfile = PROFILE) -> None:
    """Let the charger be MID-certified and idle, and the price be known."""
    history.async_update(transitions.apply_report, [charger(charging=False)], NOW)
    history.async_update(transitions.assign_values, profile)


def read_twice(history: SessionHistory, seen: Iterable[str], begun: datetime = NOW) -> None:
    """Read all sessions twice, eleven minutes apart: those that are not seen are removed."""
    for minutes in (0, 11):
        moment = begun + timedelta(minutes=minutes)
        read = CompleteRead(seen={*seen}, since=None, until=moment, charger_ids=[CHARGER])
        history.async_update(transitions.remove_missing, read, moment)


def finish_reading(history: SessionHistory, begun: datetime = NOW) -> None:
    """Let nothing be left to be read."""
    history.async_update(transitions.finish_read, begun, full=True)


async def name_of(hass: HomeAssistant, recorder: Recorder, statistic_id: str) -> str | None:
    """Return the name of a statistic in the recorder."""
    await async_wait_recording_done(hass)
    found = await recorder.async_add_executor_job(get_metadata, hass)
    return found[statistic_id][1]["name"]


def sum_of(rows: list[Row]) -> float:
    """Return the last sum, after checking that every row adds its state to the one before it."""
    total = 0.0
    for row in rows:
        assert row.state is not None
        total += row.state
        assert row.sum == pytest.approx(total)
    return total
