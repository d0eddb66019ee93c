"""What sessions cost at a fixed price: in sensors, event, calendar, answers and after restarts. No recorder is there."""

from datetime import timedelta
from math import fsum
from typing import Any

from homeassistant.config_entries import ConfigEntryState
from homeassistant.helpers import entity_registry as er
import pytest

from tests.actions.calls import value_of
from tests.conftest import NOW
from tests.events import COMPLETED, Told
from tests.home import Home
from tests.prices import SENSOR, set_price, show_price, submit_price
from tests.simulator import GARAGE_ID, SimulatedAccount
from tests.timing import POLL
from tests.vehicles import add_vehicle

COSTS_OF_A_CHARGER = ("session_cost", "last_session_cost", "total_cost")
COSTS_OF_THE_ACCOUNT = (
    "total_cost",
    "cost_this_month",
    "cost_this_year",
    "net_cost_this_month",
    "net_cost_this_year",
)


def costs_of(account: SimulatedAccount, price: float, *, month: bool = False) -> float:
    """Return what the completed sessions in the books cost at a price, those of the month or all."""
    now = account.clock()
    return fsum(
        float(session.kwh_at(now)) * price
        for session in account.completed()
        if not month or (session.started_at.year, session.started_at.month) == (2026, 6)
    )


@pytest.fixture
async def priced(home: Home) -> Home:
    """Return a home that has read everything, with a fixed price of 0.25."""
    await home.read_all()
    await set_price(home.hass, home.entry, fixed_price=0.25)
    return home


async def test_without_a_price_there_are_no_costs(home: Home) -> None:
    await home.read_all()
    assert not [entity_id for entity_id in home.states() if "cost" in entity_id]
    assert {row["cost_eur"] for row in await home.sessions()} == {None}


async def test_a_fixed_price_gives_costs_to_all_sessions_there_ever_were(
    priced: Home, account: SimulatedAccount
) -> None:
    total = costs_of(account, 0.25)
    assert priced.number("sensor.joulo_total_cost") == pytest.approx(total)
    assert priced.attribute("sensor.joulo_total_cost", "unpriced_sessions") == 0
    month = costs_of(account, 0.25, month=True)
    assert priced.number("sensor.joulo_cost_this_month") == pytest.approx(month)
    names = [charger.nickname.lower() for charger in account.chargers]
    assert fsum(priced.number(f"sensor.{name}_total_cost") for name in names) == pytest.approx(
        total
    )
    rows = await priced.sessions()
    assert fsum(row["cost_eur"] for row in rows) == pytest.approx(total, abs=0.005 * len(rows))
    last = account.sessions_of(GARAGE_ID)[0]
    assert priced.number("sensor.garage_last_session_cost") == pytest.approx(
        0.25 * float(last.kwh_at(NOW))
    )


async def test_net_costs_are_costs_less_values(priced: Home, account: SimulatedAccount) -> None:
    """A meter without MID earns nothing, so its sessions cost what they cost."""
    values = fsum(
        value_of(account, session)
        for session in account.completed()
        if session.started_at.year == 2026
    )
    net = costs_of(account, 0.25) - values
    assert priced.number("sensor.joulo_net_cost_this_year") == pytest.approx(net, abs=0.1)
    for row in await priced.sessions():
        assert row["net_cost_eur"] == pytest.approx(row["cost_eur"] - row["value_eur"])


async def test_the_costs_of_vehicles_and_of_nobody_are_those_of_the_account(
    priced: Home, account: SimulatedAccount
) -> None:
    await add_vehicle(priced.hass, priced.entry, chargers=[GARAGE_ID])
    zoe = priced.number("sensor.zoe_total_cost")
    rows = await priced.sessions()
    assert zoe == pytest.approx(
        fsum(0.25 * row["energy_kwh"] for row in rows if row["vehicle"] == "Zoe")
    )
    assert (
        0
        < priced.number("sensor.zoe_cost_this_month")
        <= priced.number("sensor.zoe_cost_this_year")
    )
    assert priced.state("sensor.zoe_last_session_cost") == priced.state(
        "sensor.garage_last_session_cost"
    )


async def test_a_running_session_costs_more_with_every_kwh_and_its_event_says_what_it_came_to(
    priced: Home, account: SimulatedAccount, told: Told
) -> None:
    session = account.start_session(GARAGE_ID, power_kw=10)
    await priced.poll(7)
    kwh = priced.number("sensor.garage_session_energy")
    assert kwh > 1
    assert priced.number("sensor.garage_session_cost") == pytest.approx(0.25 * kwh)
    account.end_session(session.id)
    await priced.poll(12)
    (event,) = [each for each in told if each["event_type"] == COMPLETED]
    final = float(session.kwh_at(account.clock()))
    assert event["cost_eur"] == round(0.25 * final, 2)
    assert event["cost_estimated"] is False
    assert event["net_cost_eur"] == pytest.approx(event["cost_eur"] - event["value_eur"])
    assert priced.number("sensor.garage_session_cost") == pytest.approx(0.25 * final)


async def test_a_correction_changes_the_cost_and_a_removal_takes_it_away(
    priced: Home, account: SimulatedAccount
) -> None:
    last, other = account.sessions_of(GARAGE_ID)[:2]
    before = float(last.kwh_at(NOW))
    account.correct_session(last.id, kwh=before + 4)
    await priced.hours()
    total = costs_of(account, 0.25)
    assert priced.number("sensor.joulo_total_cost") == pytest.approx(total)
    account.remove_session(other.id)
    await priced.hours(2)
    assert priced.number("sensor.joulo_total_cost") == pytest.approx(costs_of(account, 0.25))
    assert costs_of(account, 0.25) < total


async def test_costs_are_there_at_once_after_a_restart(
    priced: Home, account: SimulatedAccount
) -> None:
    total = priced.state("sensor.joulo_total_cost")
    rows = await priced.sessions()
    await priced.restart(away=3600)
    assert priced.state("sensor.joulo_total_cost") == total
    assert await priced.sessions() == rows


async def test_a_price_that_is_taken_away_leaves_entities_unknown_and_its_costs_come_back_with_it(
    priced: Home,
) -> None:
    total = priced.state("sensor.joulo_total_cost")
    entities = {each for each in priced.states() if "cost" in each}
    await set_price(priced.hass, priced.entry)
    assert {priced.state(each) for each in entities} == {"unknown"}
    assert {row["cost_eur"] for row in await priced.sessions()} == {None}
    await set_price(priced.hass, priced.entry, fixed_price=0.25)
    assert priced.state("sensor.joulo_total_cost") == total


async def test_another_price_is_asked_since_when_and_earlier_sessions_keep_their_cost(
    priced: Home, account: SimulatedAccount
) -> None:
    before = {row["session_id"]: row for row in await priced.sessions()}
    result = await submit_price(priced.hass, priced.entry, fixed_price=0.4)
    assert result["step_id"] == "price_since"
    (day,) = result["data_schema"].schema
    assert day.description == {"suggested_value": "2026-06-15"}
    await priced.hass.config_entries.options.async_configure(
        result["flow_id"], {"price_since": "2026-06-01"}
    )
    await priced.hass.async_block_till_done(wait_background_tasks=True)
    rows = await priced.sessions()
    june = [row for row in rows if row["started_at"] >= "2026-05-31T22:00"]
    assert {row["session_id"] for row in june} not in ({*before}, set())
    for row in rows:
        price = 0.4 if row in june else 0.25
        assert row["cost_eur"] == pytest.approx(price * row["energy_kwh"], abs=0.006)
        if row not in june:
            assert row["cost_eur"] == before[row["session_id"]]["cost_eur"]


async def test_a_price_in_the_call_wins_and_leaves_the_stored_costs_alone(priced: Home) -> None:
    stored = await priced.sessions()
    answer: Any = await priced.hass.services.async_call(
        "joulo", "get_sessions", {"price_per_kwh": 1}, blocking=True, return_response=True
    )
    for row in answer["sessions"]:
        assert row["cost_eur"] == pytest.approx(row["energy_kwh"], abs=0.005)
        assert row["cost_estimated"] is False
        assert row["net_cost_eur"] == pytest.approx(row["cost_eur"] - row["value_eur"])
    assert await priced.sessions() == stored


async def test_the_calendar_tells_the_cost(priced: Home, account: SimulatedAccount) -> None:
    last = account.sessions_of(GARAGE_ID)[0]
    entity_id = "calendar.garage_charging_sessions"
    answer: Any = await priced.hass.services.async_call(
        "calendar",
        "get_events",
        {
            "entity_id": entity_id,
            "start_date_time": last.started_at,
            "end_date_time": last.started_at + timedelta(minutes=1),
        },
        blocking=True,
        return_response=True,
    )
    (event,) = answer[entity_id]["events"]
    assert f"Cost: EUR {0.25 * float(last.kwh_at(NOW)):.2f}" in event["description"]


async def test_a_statement_marks_estimated_costs(priced: Home) -> None:
    answer: Any = await priced.hass.services.async_call(
        "joulo", "get_sessions", {"format": "csv"}, blocking=True, return_response=True
    )
    heading, line, *_ = answer["csv"].splitlines()
    assert heading.endswith(",Net cost (EUR),Session,Cost is estimated")
    assert line.endswith(",")


async def test_a_setting_reloads_once_and_asks_joulo_nothing(priced: Home) -> None:
    priced.cloud.forget_requests()
    loaded: list[ConfigEntryState] = []
    priced.entry.async_on_state_change(lambda: loaded.append(priced.entry.state))
    await set_price(priced.hass, priced.entry, fixed_price=0.3, since="2026-06-01")
    assert loaded.count(ConfigEntryState.LOADED) == 1
    assert priced.cloud.requests == []


async def test_the_cost_of_the_month_begins_anew_with_it(
    priced: Home, account: SimulatedAccount
) -> None:
    priced.freezer.move_to("2026-06-30T21:59:00+00:00")
    await priced.wait(1)
    assert priced.number("sensor.joulo_cost_this_month") > 0
    await priced.wait(POLL)
    assert priced.number("sensor.joulo_cost_this_month") == 0
    assert priced.attribute("sensor.joulo_cost_this_month", "last_reset").startswith("2026-07-01")


# Without a recorder


async def test_a_sensor_is_refused_where_nothing_is_recorded(home: Home) -> None:
    show_price(home.hass, 0.25)
    result = await submit_price(home.hass, home.entry, price_entity=SENSOR)
    assert result["errors"] == {"base": "price_not_recorded"}


async def test_a_sensor_without_a_recorder_gives_no_costs_and_no_error(
    home: Home, account: SimulatedAccount, caplog: pytest.LogCaptureFixture
) -> None:
    """The recorder may have been taken away since the sensor was chosen."""
    show_price(home.hass, 0.25)
    home.hass.config_entries.async_update_entry(
        home.entry, options={"chargers_interval": 60, "price": {"price_entity": SENSOR}}
    )
    await home.settle()
    await home.read_all()
    delivered = [session for session in account.completed() if session.kwh_at(NOW)]
    assert home.attribute("sensor.joulo_total_cost", "unpriced_sessions") == len(delivered)
    assert home.number("sensor.joulo_total_cost") == 0, "of those that delivered nothing"
    assert not [record for record in caplog.records if record.levelname in ("ERROR", "WARNING")]


# The form


@pytest.mark.parametrize(
    ("price", "error"),
    [
        ({"fixed_price": 0.2, "price_entity": SENSOR}, "one_price"),
        ({"fixed_price": 0.2, "price_since": "2026-06-16"}, "price_later"),
        ({"price_entity": "sensor.gone"}, "not_a_price"),
    ],
)
async def test_a_price_that_cannot_be_used_is_refused_in_words(
    home: Home, price: dict[str, Any], error: str
) -> None:
    show_price(home.hass, 0.25)
    result = await submit_price(home.hass, home.entry, **price)
    assert result["errors"] == {"base": error}
    assert home.entry.options == {}


async def test_costs_have_entities_once_a_price_is_set(home: Home) -> None:
    await home.read_all()
    await set_price(home.hass, home.entry, fixed_price=0.25)
    keys = {
        each.entity_id
        for each in er.async_entries_for_config_entry(er.async_get(home.hass), home.entry.entry_id)
        if "cost" in each.entity_id
    }
    of_chargers = {
        f"sensor.{name}_{key}"
        for name in ("garage", "oprit", "schuur")
        for key in COSTS_OF_A_CHARGER
    }
    assert keys == of_chargers | {f"sensor.joulo_{key}" for key in COSTS_OF_THE_ACCOUNT}
