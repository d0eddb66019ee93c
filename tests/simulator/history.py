"""Accounts with a past: the one in Joulo's documents, and a seeded one that also has a future."""

from collections.abc import Iterator
import datetime as dt
from decimal import Decimal
from itertools import cycle
from random import Random
from uuid import UUID

from .account import DEMO_TOKEN, Dialect, SimulatedAccount
from .charging import SimulatedCharger, SimulatedSession
from .clock import AMSTERDAM, Clock, local, standing_clock, system_clock
from .der_connect import CarCharge, SimulatedCar

GARAGE_ID = "a1b2c3d4-e5f6-7890-abcd-ef1234567890"
OPRIT_ID = "b2c3d4e5-f6a7-8901-bcde-f12345678901"
SCHUUR_ID = "d4e5f6a7-b8c9-4012-9def-123456789abc"
DOCUMENTED_NOW = dt.datetime(2026, 4, 9, 10, 30, tzinfo=dt.UTC)

CARD_OF_CAR = "DEADBEEF12345678"
TAGS = (CARD_OF_CAR, "04A1B2C3D4E580", "04F6E5D4C3B2A1", None)

DEMO_CAR_ID = "7ac991f9-4c80-4b6b-9a55-1577b91625b5"

_DAY = dt.timedelta(days=1)
_KNOWN_TO_CAR = 100
_DAYS_AT_WORK = (1, 3)
_ARRIVES = 0.9  # of what the meter counts
_BATTERY_KWH = 52.0
_KM_PER_PERCENT = 3.8
_TWO_YEARS = 730
_QUIET_BEFORE_NOW = dt.timedelta(hours=2)  # leaves room for a session that runs now


def documented_account(token: str = DEMO_TOKEN) -> SimulatedAccount:
    """Return an account that answers with the examples of the developer docs, word for word.

    Its world stands still at 2026-04-09 10:30 UTC.
    """
    account = SimulatedAccount(
        token=token,
        id="e5f6a7b8-c9d0-4123-8ef0-23456789abcd",
        clock=standing_clock(DOCUMENTED_NOW),
        dialect=Dialect(session_extras=False, all_charger_fields=False),
    )
    account.add_charger(SimulatedCharger(id=GARAGE_ID, nickname="Garage", meter_start_wh=5_377_280))
    account.record_session(
        SimulatedSession(
            id="c3d4e5f6-a7b8-9012-cdef-123456789012",
            charger_id=GARAGE_ID,
            started_at=dt.datetime(2026, 4, 8, 18, 30, tzinfo=dt.UTC),
            ends_at=dt.datetime(2026, 4, 9, 6, 45, tzinfo=dt.UTC),
            final_kwh=Decimal("42.37"),
        )
    )
    account.record_session(
        SimulatedSession(
            id="f0e1d2c3-b4a5-6789-0abc-def123456789",
            charger_id=GARAGE_ID,
            started_at=dt.datetime(2026, 4, 9, 8, 15, tzinfo=dt.UTC),
            power_kw=12.45 / 2.25,
        )
    )
    return account


def seeded_account(
    now: dt.datetime,
    seed: int = 2026,
    *,
    days: int = _TWO_YEARS,
    token: str = DEMO_TOKEN,
    clock: Clock = system_clock,
) -> SimulatedAccount:
    """Return an account with so many days of sessions before `now`, the same for the same seed and day.

    In two years some 400 sessions on three chargers, one of them without a MID-certified meter.
    Nothing runs. Fewer days hold the newest of the same sessions.
    """
    account = SimulatedAccount(id=_uuid(Random(seed)), token=token, clock=clock)
    for charger in _three_chargers():
        account.add_charger(charger)
    for session in _past_sessions(seed, local(now).date(), days):
        if session.has_ended(now - _QUIET_BEFORE_NOW):
            account.record_session(session)
    return account


def lively(account: SimulatedAccount, minutes: float = 4) -> None:
    """Let the account live for a week: short sessions that start and end by themselves.

    The first began 40 minutes ago and ends in four, or as many as given; then the chargers take turns.
    """
    now = account.clock()
    start, end = now - dt.timedelta(minutes=40), now + dt.timedelta(minutes=minutes)
    for charger, tag in zip(cycle(account.chargers), cycle(TAGS), strict=False):
        if start > now + 7 * _DAY:
            return
        account.plan_session(charger.id, start, end, tag=tag)
        start = end + dt.timedelta(minutes=6)
        end = start + dt.timedelta(minutes=12)


def seeded_car(account: SimulatedAccount, tag: str) -> SimulatedCar:
    """Return a car that charges at home with a card, as an account has it, and at work twice a week.

    It knows the last hundred days. At home it tells what arrived in the battery, which is less than the meter counts.
    """
    now = account.clock()
    first = now - _KNOWN_TO_CAR * _DAY
    at_home = (
        _charge(session.id, session.started_at, session.ends_at, float(kwh) * _ARRIVES, "Home")
        for session in account.completed()
        if session.tag == tag and session.started_at >= first and session.ends_at is not None
        if (kwh := session.kwh_at(now))
    )
    return SimulatedCar(entity_id=DEMO_CAR_ID, charges=[*at_home, *_charges_at_work(now)])


def _charges_at_work(now: dt.datetime) -> Iterator[CarCharge]:
    for age in range(_KNOWN_TO_CAR, 0, -1):
        day = local(now).date() - age * _DAY
        if day.weekday() in _DAYS_AT_WORK:
            chance = Random(f"work {day}")
            start = dt.datetime.combine(day, dt.time(8, 40), AMSTERDAM).astimezone(dt.UTC)
            hours = chance.uniform(1, 4)
            end = start + dt.timedelta(hours=hours)
            yield _charge(_uuid(chance), start, end, hours * 7.4 * _ARRIVES, "Work")


def _charge(
    charge_id: str, start: dt.datetime, end: dt.datetime, kwh: float, label: str
) -> CarCharge:
    full = 92.0
    empty = max(full - kwh / _BATTERY_KWH * 100, 4.0)
    return CarCharge(
        id=charge_id,
        started_at=start,
        ended_at=end,
        kwh=round(kwh, 3),
        power_kw=round(kwh / ((end - start) / dt.timedelta(hours=1)), 2),
        soc=(round(empty), full),
        range_km=(round(empty * _KM_PER_PERCENT, 1), round(full * _KM_PER_PERCENT, 1)),
        label=label,
    )


def _three_chargers() -> tuple[SimulatedCharger, ...]:
    return (
        SimulatedCharger(id=GARAGE_ID, nickname="Garage"),
        SimulatedCharger(
            id=OPRIT_ID,
            nickname="Oprit",
            connection_type="ocpp",
            ocpp_identity="CHARGER-001",
            meter_start_wh=1_250_000,
        ),
        SimulatedCharger(
            id=SCHUUR_ID, nickname="Schuur", connection_type="wallbox", mid_certified=False
        ),
    )


def _past_sessions(seed: int, today: dt.date, days: int) -> Iterator[SimulatedSession]:
    """Yield at most one session per evening, so that no two overlap.

    Each day has its own chance: tomorrow's history is today's and one evening more.
    """
    for age in range(days, 0, -1):
        day = today - age * _DAY
        chance = Random(f"{seed} {day}")
        if (day + _DAY).day == 1:
            yield _session(chance, day, hour=22, hours=4.5)  # across midnight and a month end
        elif _offset(day) != _offset(day + _DAY):
            yield _session(chance, day, hour=23.5, hours=5)  # across a clock change
        elif day.toordinal() % 60 == 0:
            yield _session(chance, day, hour=19, hours=0.2, power_kw=0)  # a card, but no energy
        elif chance.random() < 0.52:
            hour, hours = chance.uniform(17, 22.5), chance.uniform(0.4, 5.5)
            yield _session(chance, day, hour=hour, hours=hours)


def _session(
    chance: Random, day: dt.date, *, hour: float, hours: float, power_kw: float | None = None
) -> SimulatedSession:
    """Make a session that starts at a local `hour` of `day` and lasts `hours`."""
    midnight = dt.datetime.combine(day, dt.time(), AMSTERDAM)
    start = (midnight + dt.timedelta(hours=hour)).astimezone(dt.UTC)
    return SimulatedSession(
        id=_uuid(chance),
        charger_id=chance.choices((GARAGE_ID, OPRIT_ID, SCHUUR_ID), (6, 3, 1))[0],
        started_at=start,
        ends_at=start + dt.timedelta(hours=hours),
        power_kw=chance.choice((3.7, 7.4, 11.0)) if power_kw is None else power_kw,
        tag=chance.choice(TAGS),
    )


def _offset(day: dt.date) -> dt.timedelta | None:
    return dt.datetime.combine(day, dt.time(12), AMSTERDAM).utcoffset()


def _uuid(chance: Random) -> str:
    return str(UUID(int=chance.getrandbits(128), version=4))
