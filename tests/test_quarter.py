"""A quarter with Joulo and everything that goes wrong in one; in the end all books agree.

While something charges, time moves by minutes; else by hours, with what is due run once: timer by timer a
quarter would take minutes. Polls come every 15 minutes, and the account's past is two months. Two short
quarters run with every test; `python -m benchmarks.endurance` runs many whole ones.
"""

from collections import Counter
from datetime import datetime
from functools import partial
from math import fsum
import os
import random
from random import Random
from types import MappingProxyType
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.recorder.core import Recorder
from homeassistant.components.recorder.statistics import get_last_statistics
from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)

from tests.conftest import Advance
from tests.events import COMPLETED, STARTED, Told, tally
from tests.home import Home
from tests.quarter import (
    DAY,
    FIRST_PRICE,
    ID3,
    SECOND_PRICE,
    SENSORS_PRICE,
    ZOE,
    Quarter,
    WorldClock,
    beginning,
    time_zone,
)
from tests.simulator import GARAGE_ID, TAGS, SimulatedAccount, seeded_account

SEEDS = range(1, 1 + int(os.environ.get("QUARTER_SEEDS", "2")))
DAYS = int(os.environ.get("QUARTER_DAYS", "25"))


@pytest.fixture(params=SEEDS)
def seed(request: pytest.FixtureRequest) -> int:
    """Return the seed that a quarter is drawn from."""
    drawn: int = request.param
    return drawn


@pytest.fixture(autouse=True)
def _now(freezer: FrozenDateTimeFactory, seed: int) -> None:
    """Begin at the installation of the seed."""
    freezer.move_to(beginning(seed))


@pytest.fixture
def world() -> WorldClock:
    """Return the true time, which the cloud and the account live by."""
    return WorldClock()


@pytest.fixture
def account(seed: int, world: WorldClock) -> SimulatedAccount:
    """Return an account with two months of sessions on three chargers."""
    return seeded_account(beginning(seed), days=60, clock=world)


@pytest.fixture
def recorder_config() -> dict[str, Any]:
    """Let the recorder keep statistics only."""
    return {"exclude": {"entity_globs": ["*"]}}


@pytest.fixture
def recorder(_now: None, recorder_mock: Recorder, caplog: pytest.LogCaptureFixture) -> Recorder:
    """Return a recorder that has begun when the test does; a quarter of details stays out of the log."""
    for name in (None, "homeassistant.components.recorder", "sqlalchemy.engine"):
        caplog.set_level("WARNING", name)
    return recorder_mock


async def in_calendar(home: Home, name: str) -> list[float]:
    """Return the kWh of every session in a charger's calendar."""
    entity_id = f"calendar.{name}_charging_sessions"
    now = home.cloud.wall()
    data = {
        "entity_id": entity_id,
        "start_date_time": now - 400 * DAY,
        "end_date_time": now + 60 * DAY,
    }
    answer: Any = await home.hass.services.async_call(
        "calendar", "get_events", data, blocking=True, return_response=True
    )
    return [float(event["summary"].split()[0]) for event in answer[entity_id]["events"]]


async def in_statistics(hass: HomeAssistant, recorder: Recorder, charger_id: str) -> float:
    """Return the last sum of a charger's energy."""
    return await last_sum(hass, recorder, f"joulo:{charger_id.replace('-', '_')}_energy")


async def last_sum(hass: HomeAssistant, recorder: Recorder, statistic: str) -> float:
    """Return the last sum of a statistic."""
    await async_wait_recording_done(hass)
    last = partial(get_last_statistics, hass, 1, statistic, convert_units=False, types={"sum"})
    total = (await recorder.async_add_executor_job(last))[statistic][0]["sum"]
    assert total is not None
    return total


def vehicles() -> list[ConfigSubentry]:
    """Return two vehicles with a card each; the second one also charges in the garage without one."""
    data: dict[str, dict[str, Any]] = {
        ZOE: {"tags": [TAGS[0]], "chargers": []},
        ID3: {"tags": [TAGS[1]], "chargers": [GARAGE_ID]},
    }
    return [
        ConfigSubentry(
            data=MappingProxyType(each),
            subentry_id=vehicle_id,
            subentry_type="vehicle",
            title=vehicle_id,
            unique_id=None,
        )
        for vehicle_id, each in data.items()
    ]


def vehicle_by_hand(row: dict[str, Any]) -> str | None:
    """Return whose a session is in the end, when the second vehicle has both cards."""
    if row["tag_id"] in TAGS[:2]:
        return ID3
    return ID3 if row["tag_id"] is None and row["charger_id"] == GARAGE_ID else None


async def assert_vehicles_agree(
    home: Home, quarter: Quarter, recorder: Recorder, rows: list[dict[str, Any]]
) -> None:
    """Check that every session is its vehicle's, in the answer, the sensors and the statistics alike."""
    assert {row["session_id"]: row["vehicle"] for row in rows} == {
        row["session_id"]: vehicle_by_hand(row) for row in rows
    }
    for vehicle_id in (ZOE, ID3):
        kwh = fsum(row["energy_kwh"] for row in rows if row["vehicle"] == vehicle_id)
        assert home.number(f"sensor.{vehicle_id}_total_energy") == pytest.approx(kwh, abs=0.01)
        statistic = f"joulo:vehicle_{vehicle_id}"
        total = await last_sum(home.hass, recorder, f"{statistic}_energy")
        assert total == pytest.approx(kwh, abs=0.01)
        cost = fsum(row["cost_eur"] or 0.0 for row in rows if row["vehicle"] == vehicle_id)
        total = await last_sum(home.hass, recorder, f"{statistic}_cost")
        assert total == pytest.approx(cost, abs=0.006 * len(rows))


def assert_costs_agree(
    home: Home, quarter: Quarter, told: Told, rows: list[dict[str, Any]]
) -> None:
    """Check that every session costs what it did at the price of its day, in answer, sensors and events alike."""
    exact = []
    for row in rows:
        price = quarter.price_of(datetime.fromisoformat(row["started_at"]))
        if row["cost_eur"] is None or row["cost_estimated"]:
            assert quarter.may_lack_a_price(row), row
            continue
        if not quarter.may_lack_a_price(row):
            assert row["cost_eur"] == pytest.approx(price * row["energy_kwh"], abs=0.006), row
        exact.append(row["session_id"])
    assert len(exact) > 0.9 * len(rows)
    total = fsum(row["cost_eur"] or 0.0 for row in rows)
    assert home.number("sensor.joulo_total_cost") == pytest.approx(total, abs=0.006 * len(rows))
    unpriced = sum(row["cost_eur"] is None for row in rows)
    assert home.attribute("sensor.joulo_total_cost", "unpriced_sessions") == unpriced
    for event in told:
        if event["event_type"] == COMPLETED and event["cost_eur"] is not None:
            prices = {FIRST_PRICE, SECOND_PRICE, SENSORS_PRICE}
            assert event["energy_kwh"] * min(prices) - 0.01 <= event["cost_eur"]
            assert event["cost_eur"] <= event["energy_kwh"] * max(prices) + 0.01


async def test_after_a_quarter_of_trouble_all_books_agree_and_each_session_was_told_once(
    new_home: Home,
    account: SimulatedAccount,
    world: WorldClock,
    recorder: Recorder,
    told: Told,
    jump: Advance,
    seed: int,
) -> None:
    """Corrections, removals, returns, moves, late sessions, outages, power cuts, wrong clocks, a clock change."""
    home, hass = new_home, new_home.hass
    home.cloud.wall = world
    await hass.config.async_set_time_zone(time_zone(seed))
    past = {charger.id: account.energy_total(charger.id) for charger in account.chargers}
    quarter = Quarter(home, world, Random(seed), DAYS)
    random.seed(seed)  # of which Home Assistant draws when in a second it polls
    options = {"chargers_interval": 900, "price": {"fixed_price": FIRST_PRICE}}
    hass.config_entries.async_update_entry(home.entry, options=options)
    for vehicle in vehicles():
        hass.config_entries.async_add_subentry(home.entry, vehicle)
    await home.set_up()
    await quarter.pass_by(jump)

    assert quarter.happenings == []
    due = [(COMPLETED, session.id) for session in quarter.sessions]
    due += [(STARTED, s.id) for s in quarter.sessions if s.started_at >= quarter.begin]
    assert tally(told) == Counter(due)
    delivered = {
        event["session_id"]: event["energy_kwh"]
        for event in told
        if event["event_type"] == COMPLETED
    }
    rows = await home.sessions()
    for charger in account.chargers:
        name = charger.nickname.lower()
        calendar = await in_calendar(home, name)
        assert len(calendar) == account.session_total(charger.id)
        events = [delivered[each] for each, at in quarter.charged_at.items() if at == charger.id]
        books = {
            "statistics": await in_statistics(hass, recorder, charger.id),
            "calendar": fsum(calendar),
            "history": fsum(r["energy_kwh"] for r in rows if r["charger_id"] == charger.id),
            "sensor": home.number(f"sensor.{name}_total_energy"),
            "events": past[charger.id] + fsum(events) + quarter.revised[charger.id],
        }
        joulo = account.energy_total(charger.id)
        assert books == pytest.approx(dict.fromkeys(books, joulo), abs=0.01)
    await assert_vehicles_agree(home, quarter, recorder, rows)
    assert_costs_agree(home, quarter, told, rows)
    of_account = {
        "joulo_total_energy": account.energy_total(mid_only=True),
        "joulo_total_energy_of_all_chargers": account.energy_total(),
        "joulo_sessions_known": account.session_total(),
    }
    assert {key: home.number(f"sensor.{key}") for key in of_account} == pytest.approx(of_account)
