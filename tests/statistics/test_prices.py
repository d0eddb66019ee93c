"""The prices of a sensor, as the recorder keeps them, become the costs of sessions."""

from datetime import datetime, timedelta
from math import fsum
from typing import Any

from homeassistant.components.recorder.core import Recorder
from homeassistant.helpers import entity_registry as er
import pytest

from tests.conftest import NOW
from tests.events import COMPLETED, Told
from tests.home import Home
from tests.prices import SENSOR, record_prices, set_price, show_price
from tests.simulator import GARAGE_ID, SimulatedAccount, SimulatedCharger
from tests.statistics import QUIET, Recorded, sum_of
from tests.timing import HOUR

COST = "joulo:a1b2c3d4_e5f6_7890_abcd_ef1234567890_cost"

pytestmark = pytest.mark.usefixtures("recorder")


def hours_before(count: int, price: float = 0.25) -> dict[datetime, float]:
    """Return a price for each of the last hours, each a cent dearer than the one before it."""
    return {NOW - number * timedelta(hours=1): price + 0.01 * number for number in range(1, count)}


@pytest.fixture
def account() -> SimulatedAccount:
    """Return an account with one charger and no sessions."""
    account = SimulatedAccount(id="e5f6a7b8-c9d0-4123-8ef0-23456789abcd")
    account.add_charger(SimulatedCharger(id=GARAGE_ID, nickname="Garage"))
    return account


def plan(account: SimulatedAccount, start: float, hours: float, power_kw: float = 10) -> str:
    """Plan a session that begins so many hours after the test does, or before, and return its id."""
    begin = NOW + timedelta(hours=start)
    end = begin + timedelta(hours=hours)
    return account.plan_session(GARAGE_ID, begin, end, power_kw=power_kw).id


async def cost_of(home: Home, session_id: str) -> tuple[Any, bool | None]:
    """Return what a session has cost, and whether that is estimated."""
    (row,) = [row for row in await home.sessions() if row["session_id"] == session_id]
    return row["cost_eur"], row["cost_estimated"]


def completed(told: Told) -> list[dict[str, Any]]:
    """Return the completions that were told."""
    return [event for event in told if event["event_type"] == COMPLETED]


async def use_sensor(home: Home, *, unit: str = "EUR/kWh", price: float = 0.25) -> None:
    """Set the sensor as the price."""
    show_price(home.hass, price, unit)
    await set_price(home.hass, home.entry, price_entity=SENSOR)


async def use_registered_sensor(
    home: Home, account: SimulatedAccount
) -> tuple[er.EntityRegistry, str]:
    """Set a sensor of the registry as the price, and return the registry and the id of a session that cost 3 EUR."""
    registry = er.async_get(home.hass)
    registry.async_get_or_create("sensor", "demo", "price", suggested_object_id="electricity_price")
    session = plan(account, -4, 1)
    await record_prices(home.hass, {NOW - timedelta(hours=4): 0.3})
    await home.hours()
    await use_sensor(home)
    return registry, session


# The past


async def test_sessions_of_the_past_have_the_prices_of_their_hours(
    home: Home, account: SimulatedAccount, recorded: Recorded
) -> None:
    session = plan(account, -8.5, 3)
    prices = hours_before(24)
    await record_prices(home.hass, prices)
    await home.hours()
    await use_sensor(home)
    by_hand = [5 * prices[NOW - timedelta(hours=9)], 5 * prices[NOW - timedelta(hours=6)]]
    by_hand[1:1] = [10 * prices[NOW - timedelta(hours=each)] for each in (8, 7)]
    assert await cost_of(home, session) == (pytest.approx(fsum(by_hand), abs=0.005), False)
    assert home.number("sensor.garage_last_session_cost") == pytest.approx(fsum(by_hand))
    await home.hours()
    await home.wait(QUIET)
    rows = await recorded(COST)
    assert [row.state for row in rows] == pytest.approx(by_hand)
    assert sum_of(rows) == pytest.approx(fsum(by_hand))


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        ("EUR/kWh", 1),
        ("€/kWh", 1),
        ("EUR/MWh", 1000),
        ("€/MWh", 1000),
        ("ct/kWh", 100),
        ("c€/kWh", 100),
    ],
)
async def test_a_price_costs_the_same_in_every_unit(
    home: Home, account: SimulatedAccount, unit: str, factor: float
) -> None:
    session = plan(account, -3, 1)
    hourly = {NOW - timedelta(hours=3): 0.25 * factor}
    await record_prices(home.hass, hourly, unit=unit)
    await home.hours()
    await use_sensor(home, unit=unit, price=0.25 * factor)
    assert await cost_of(home, session) == (2.5, False)
    account.start_session(GARAGE_ID, power_kw=10)
    await home.poll(3)
    kwh = home.number("sensor.garage_session_energy")
    assert home.number("sensor.garage_session_cost") == pytest.approx(0.25 * kwh)


QUARTERS = (0.30, 0.28, 0.25, 0.22)


def quarters(hour: datetime) -> dict[datetime, float]:
    """Return the slots of five minutes of an hour whose price changes every quarter."""
    return {hour + number * timedelta(minutes=5): QUARTERS[number // 3] for number in range(12)}


async def test_a_quarter_of_an_hour_has_its_own_price_while_the_recorder_keeps_it(
    home: Home, account: SimulatedAccount
) -> None:
    hour = NOW - timedelta(hours=3)
    session = plan(account, -2.25, 0.25, power_kw=11)
    mean = fsum(QUARTERS) / 4
    await record_prices(home.hass, {hour: mean}, quarters(hour))
    await home.hours()
    await use_sensor(home)
    kwh = next(row["energy_kwh"] for row in await home.sessions())
    assert kwh == pytest.approx(2.75)
    assert await cost_of(home, session) == (pytest.approx(0.605, abs=0.006), False)


async def test_an_older_quarter_has_the_mean_of_its_hour(
    home: Home, account: SimulatedAccount
) -> None:
    session = plan(account, -2.25, 0.25, power_kw=11)
    await record_prices(home.hass, {NOW - timedelta(hours=3): fsum(QUARTERS) / 4})
    await home.hours()
    await use_sensor(home)
    assert await cost_of(home, session) == (pytest.approx(0.722, abs=0.006), False)


async def test_a_price_that_is_stored_does_not_change(
    home: Home, account: SimulatedAccount, recorder: Recorder
) -> None:
    hour = NOW - timedelta(hours=3)
    session = plan(account, -2.25, 0.25, power_kw=11)
    await record_prices(home.hass, {hour: 0.9}, quarters(hour))
    await home.hours()
    await use_sensor(home)
    before = await cost_of(home, session)
    await record_prices(home.hass, {hour: 0.1})
    await home.restart(away=3600)
    await home.hours(2)
    assert await cost_of(home, session) == before


@pytest.mark.parametrize(
    ("known", "cost", "is_estimated"),
    [
        pytest.param(6, 15, False, id="all"),
        pytest.param(4, 15, True, id="most"),
        pytest.param(2, None, None, id="too few"),
    ],
)
async def test_hours_in_which_home_assistant_was_off_are_estimated_if_most_are_known(
    home: Home,
    account: SimulatedAccount,
    known: int,
    cost: float | None,
    *,
    is_estimated: bool | None,
) -> None:
    session = plan(account, -8, 6)
    prices = {NOW - timedelta(hours=8 - number): 0.25 for number in range(known)}
    await record_prices(home.hass, prices)
    await home.hours()
    await use_sensor(home)
    assert await cost_of(home, session) == (cost, is_estimated)
    unpriced = home.attribute("sensor.garage_total_cost", "unpriced_sessions")
    assert unpriced == (cost is None)


async def test_what_is_not_found_is_looked_for_again_after_a_day(
    home: Home, account: SimulatedAccount
) -> None:
    session = plan(account, -8, 2)
    await record_prices(home.hass, {NOW - timedelta(hours=20): 0.25})
    await home.hours()
    await use_sensor(home)
    hours = {NOW - timedelta(hours=each): 0.25 for each in (8, 7)}
    await record_prices(home.hass, hours)
    await home.hours(2)
    assert await cost_of(home, session) == (None, None)
    await home.hours(24)
    assert await cost_of(home, session) == (5, False)


# While it runs


async def test_a_session_has_the_price_of_now_until_its_hours_have_their_own(
    home: Home, account: SimulatedAccount, told: Told
) -> None:
    await use_sensor(home, price=0.20)
    session = plan(account, 0.05, 0.5)
    for _ in range(35):
        await home.poll()
    assert home.number("sensor.garage_session_cost") == pytest.approx(0.2 * 5, abs=0.02)
    (event,) = completed(told)
    assert event["cost_eur"] == pytest.approx(1.0, abs=0.02)
    assert event["cost_estimated"] is False
    await record_prices(home.hass, {NOW: 0.30})
    await home.hours()
    assert await cost_of(home, session) == (pytest.approx(1.5, abs=0.02), False)


async def test_a_price_that_changes_all_the_time_is_shown_once_a_minute(
    home: Home, account: SimulatedAccount
) -> None:
    """As a price with the own solar power does. The last one counts."""
    await use_sensor(home, price=0.20)
    account.start_session(GARAGE_ID, power_kw=10)
    await home.poll(3)
    shown = home.state("sensor.garage_session_cost")
    kwh = home.number("sensor.garage_session_energy")
    for cents in range(20, 30):
        show_price(home.hass, cents / 100)
        await home.wait(1)
    assert home.state("sensor.garage_session_cost") == shown
    await home.wait(51)
    costs = {price: price * kwh for price in (0.20, 0.29)}
    assert home.number("sensor.garage_session_cost") >= costs[0.29] > costs[0.20]


async def test_an_event_whose_prices_are_not_to_be_had_is_told_after_ten_seconds(
    home: Home, account: SimulatedAccount, told: Told
) -> None:
    """A session that Joulo lists hours later has no price of now, and none in the recorder."""
    await use_sensor(home, price=0.20)
    await home.wait(HOUR)
    plan(account, -1, 2)
    await home.wait(2 * HOUR)
    assert completed(told) == []
    await home.wait(11)
    (event,) = completed(told)
    assert (event["cost_eur"], event["cost_estimated"]) == (None, None)


async def test_an_event_waits_for_prices_that_the_recorder_has(
    home: Home, account: SimulatedAccount, told: Told
) -> None:
    await use_sensor(home, price=0.20)
    await record_prices(home.hass, {NOW - timedelta(hours=each): 0.4 for each in range(-1, 3)})
    await home.wait(HOUR)
    plan(account, -0.5, 1)
    await home.wait(2 * HOUR)
    await home.wait(1)
    (event,) = completed(told)
    assert event["cost_eur"] == pytest.approx(4.0, abs=0.05)


# Another price, and the sensor itself


async def test_a_sensor_after_a_fixed_price_and_back_prices_since_a_day(
    home: Home, account: SimulatedAccount
) -> None:
    early, late = plan(account, -30, 1), plan(account, -4, 1)
    await record_prices(home.hass, hours_before(40, price=1.0) | {NOW - timedelta(hours=4): 0.3})
    await home.hours()
    await set_price(home.hass, home.entry, fixed_price=0.25)
    show_price(home.hass, 0.3)
    await set_price(home.hass, home.entry, price_entity=SENSOR, since="2026-06-15")
    assert await cost_of(home, early) == (2.5, False)
    assert await cost_of(home, late) == (3.0, False)
    await set_price(home.hass, home.entry, fixed_price=0.5, since="2026-06-15")
    assert await cost_of(home, early) == (2.5, False)
    assert await cost_of(home, late) == (5.0, False)


async def test_a_sensor_that_is_renamed_goes_on(home: Home, account: SimulatedAccount) -> None:
    registry, session = await use_registered_sensor(home, account)
    before = await cost_of(home, session)
    assert before == (3.0, False)
    registry.async_update_entity(SENSOR, new_entity_id="sensor.tariff")
    await home.settle()
    assert home.entry.options["price"] == {"price_entity": "sensor.tariff"}
    assert await cost_of(home, session) == before
    assert home.issues() == []


async def test_a_sensor_that_is_removed_raises_an_issue_and_stored_costs_stay(
    home: Home, account: SimulatedAccount
) -> None:
    registry, session = await use_registered_sensor(home, account)
    account.start_session(GARAGE_ID, power_kw=10)
    await home.poll(2)
    assert home.number("sensor.garage_session_cost") > 0
    registry.async_remove(SENSOR)
    home.hass.states.async_remove(SENSOR)
    await home.poll(2)
    (issue,) = home.issues()
    assert issue.translation_key == "price_missing"
    assert home.state("sensor.garage_session_cost") == "unknown"
    assert await cost_of(home, session) == (3.0, False)
    await set_price(home.hass, home.entry)
    assert home.issues() == []


async def test_no_prices_for_two_days_raise_an_issue_which_goes_once_they_are_found(
    home: Home, account: SimulatedAccount
) -> None:
    plan(account, -4, 1)
    await record_prices(home.hass, {NOW - timedelta(hours=30): 0.3})
    await home.hours()
    await use_sensor(home)
    await home.hours(2)
    assert [issue.translation_key for issue in home.issues()] == ["price_missing"]
    await record_prices(home.hass, {NOW - timedelta(hours=4): 0.3})
    await home.reload()
    await home.hours()
    assert home.issues() == []


# Statistics


async def test_costs_of_a_night_are_right_in_every_hour_and_heal_after_a_crash(
    home: Home, account: SimulatedAccount, recorded: Recorded
) -> None:
    plan(account, -14.5, 12.25)
    await record_prices(home.hass, hours_before(24))
    await home.hours()
    show_price(home.hass, 0.25)
    await set_price(home.hass, home.entry, price_entity=SENSOR)
    await home.wait(QUIET)
    await home.restart(crash=True)
    await home.hours(2)
    rows = await recorded(COST)
    prices = hours_before(24)
    begin, end = NOW - timedelta(hours=14.5), NOW - timedelta(hours=2.25)
    hour = timedelta(hours=1)
    by_hand = {
        at: 10 * (min(at + hour, end) - max(at, begin)) / hour * price
        for at, price in prices.items()
        if begin - hour < at < end
    }
    assert {row.start: row.state for row in rows} == pytest.approx(by_hand)
    total = home.number("sensor.garage_total_cost")
    assert sum_of(rows) == pytest.approx(total)


async def test_without_a_price_the_statistic_of_costs_stays(
    home: Home, account: SimulatedAccount, recorded: Recorded
) -> None:
    plan(account, -4, 1)
    await home.hours()
    await set_price(home.hass, home.entry, fixed_price=0.3)
    await home.hours()
    await home.wait(QUIET)
    before = await recorded(COST)
    assert sum_of(before) == pytest.approx(3)
    await set_price(home.hass, home.entry)
    await home.hours(2)
    assert await recorded(COST) == before
