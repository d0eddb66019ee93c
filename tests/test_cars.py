"""What a vehicle's car has recorded at DER Connect: its last charge, what was elsewhere, and what becomes of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import reduce
import json
from operator import getitem
from pathlib import Path
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
import pytest

from custom_components.joulo.sessions import queries
from custom_components.joulo.sessions.vehicles import Rule
from tests.cars import (
    CREDENTIALS,
    ID3,
    ID3_ENTITY,
    ZOE,
    ZOE_ENTITY,
    add_car,
    add_credentials,
    car_charge,
    forget,
    in_calendar,
    put,
    reads,
)
from tests.conftest import NOW
from tests.factories import simulated_session
from tests.home import Home
from tests.simulator import (
    OPRIT_ID,
    CarCharge,
    Fault,
    SimulatedAccount,
    SimulatedCar,
    SimulatedDerConnect,
    SimulatedSession,
)

H, MINUTE = timedelta(hours=1), timedelta(minutes=1)
QUARTER = 6.1
"""Hours after which the cars have been read once more."""
DOCUMENTED_NOW = datetime(2024, 6, 11, 2, 0, tzinfo=UTC)
"""A day after the documented session was calculated."""
SHOWN = {
    "last_charge_energy": "49.245",
    "last_charge_average_power": "85.7777",
    "last_charge_start": "2024-06-09T14:35:21+00:00",
    "last_charge_end": "2024-06-09T15:15:25+00:00",
    "last_charge_location": "Home",
    "last_charge_soc_start": "23.0",
    "last_charge_soc_end": "90.0",
    "last_charge_range_start": "104.3498",
    "last_charge_range_end": "405.3132",
}
"""What the sensors show of the documented session, by their keys."""
PARTS = {
    ("charge", "total"): "last_charge_energy",
    ("charge", "averagePower"): "last_charge_average_power",
    ("charge", "start"): "last_charge_soc_start",
    ("charge", "end"): "last_charge_soc_end",
    ("range", "start"): "last_charge_range_start",
    ("range", "end"): "last_charge_range_end",
    ("locationMatches",): "last_charge_location",
}
"""The parts of a session that the service may leave out, and the sensor of each."""
ELSEWHERE = ("elsewhere_energy", "month_elsewhere_energy", "year_elsewhere_energy")


@pytest.fixture
def home(new_home: Home, service_url: str) -> Home:
    """Return a home with credentials of DER Connect, not set up yet."""
    add_credentials(new_home, service_url)
    return new_home


def shown(home: Home, vehicle_id: str = ZOE) -> dict[str, str]:
    """Return the states of the sensors that a vehicle has of its car, by their keys."""
    registry, prefix = er.async_get(home.hass), f"vehicle_{vehicle_id}_"
    entities = er.async_entries_for_config_entry(registry, home.entry.entry_id)
    return {
        key: home.state(entity.entity_id)
        for entity in entities
        if entity.disabled_by is None
        and (key := entity.unique_id.removeprefix(prefix)) in {*SHOWN, *ELSEWHERE}
    }


def figures(home: Home, vehicle_id: str = ZOE) -> list[float]:
    """Return the kWh that a vehicle has charged elsewhere: at all, this month and this year."""
    states = shown(home, vehicle_id)
    return [float(states[key]) for key in ELSEWHERE]


def at_work(session_id: str = "work", hours: float = -30, *, kwh: float = 20) -> CarCharge:
    """Return a session of a car that began so many hours from now, where no charger of the account is."""
    start = NOW + hours * H
    return car_charge(session_id, start, start + 4 * H, kwh=kwh, label="Work", soc=(20.0, 61.4))


def told_of(session: SimulatedSession, session_id: str = "home", **changes: Any) -> CarCharge:
    """Return what a car tells of a session at home: fourteen minutes off, less the losses."""
    assert session.ends_at is not None
    car = car_charge(
        session_id,
        session.started_at + 14 * MINUTE,
        session.ends_at + 14 * MINUTE,
        kwh=0.9 * float(session.kwh_at(session.ends_at)),
        soc=(40.0, 80.0),
    )
    return replace(car, **changes)


def at_home(account: SimulatedAccount, **session: Any) -> SimulatedSession:
    """Record a session of Joulo's that lasted for five hours until this morning."""
    return account.record_session(simulated_session(NOW - 9 * H, hours=5, **session))


# The sensors


def documented() -> dict[str, Any]:
    """Return the documented answer."""
    answer: dict[str, Any] = json.loads(
        (Path(__file__).parent / "fixtures" / "der_connect_documented.json").read_text()
    )
    return answer


async def show(home: Home, service: SimulatedDerConnect, answer: dict[str, Any]) -> dict[str, str]:
    """Let the service answer on the day after the documented session, and return what is shown of it."""
    home.freezer.move_to(DOCUMENTED_NOW)
    service.garble = lambda _: answer
    add_car(home)
    await home.set_up()
    await home.read_all()
    return shown(home)


@pytest.mark.usefixtures("all_entities_enabled")
async def test_the_documented_session_is_shown(home: Home, service: SimulatedDerConnect) -> None:
    expected = SHOWN | dict.fromkeys(ELSEWHERE, "49.245")
    assert await show(home, service, documented()) == expected


@pytest.mark.usefixtures("all_entities_enabled")
@pytest.mark.parametrize("part", PARTS, ids="-".join)
async def test_a_part_that_is_missing_is_unknown_and_no_other(
    home: Home, service: SimulatedDerConnect, part: tuple[str, ...]
) -> None:
    answer = documented()
    *path, last = ("data", *part)
    del reduce(getitem, path, answer["data"][0])[last]
    elsewhere = STATE_UNKNOWN if part[-1] == "total" else "49.245"
    expected = SHOWN | dict.fromkeys(ELSEWHERE, elsewhere) | {PARTS[part]: STATE_UNKNOWN}
    assert await show(home, service, answer) == expected


async def test_without_an_entity_id_a_vehicle_has_none_of_them(home: Home) -> None:
    add_car(home, entity_id=None)
    await home.set_up()
    assert shown(home) == {}


async def test_a_car_that_has_recorded_nothing_has_charged_nothing_elsewhere(home: Home) -> None:
    add_car(home)
    await home.set_up()
    await home.read_all()
    assert {*shown(home).values()} == {STATE_UNKNOWN, "0.0"}
    assert figures(home) == [0, 0, 0]


@pytest.mark.long_account
async def test_elsewhere_is_unknown_until_joulos_history_is_complete(
    home: Home, service: SimulatedDerConnect
) -> None:
    put(service, at_work())
    add_car(home)
    await home.set_up()
    assert {shown(home)[key] for key in ELSEWHERE} == {STATE_UNKNOWN}
    assert shown(home)["last_charge_energy"] == "20.0"
    await home.read_all()
    assert figures(home) == [20, 20, 20]


async def test_a_month_and_a_year_hold_what_began_in_them(
    home: Home, service: SimulatedDerConnect, freezer: FrozenDateTimeFactory
) -> None:
    """In Amsterdam the month begins two hours before it does in UTC."""
    midnight = datetime(2026, 5, 31, 22, 0, tzinfo=UTC)
    before, after = midnight - MINUTE, midnight + 10 * H
    last_year = datetime(2025, 12, 31, 22, 59, tzinfo=UTC)
    for number, start in enumerate((last_year, before, after)):
        put(service, car_charge(str(number), start, start + H, kwh=10**number))
    add_car(home)
    await home.set_up()
    await home.read_all()
    assert figures(home) == [111, 100, 110]
    freezer.move_to(datetime(2026, 6, 30, 21, 59, tzinfo=UTC))
    await home.wait(120)
    assert figures(home) == [111, 0, 110]


async def test_the_last_charge_is_of_this_vehicle(home: Home, service: SimulatedDerConnect) -> None:
    put(service, at_work())
    add_car(home, since="2026-06-15")
    await home.set_up()
    await home.read_all()
    assert figures(home) == [0, 0, 0]
    assert shown(home)["last_charge_energy"] == STATE_UNKNOWN


# The same energy twice


async def test_a_session_at_home_counts_once_and_has_the_cars_state_of_charge(
    home: Home, service: SimulatedDerConnect, account: SimulatedAccount
) -> None:
    session = at_home(account, tag="ZOES")
    put(service, told_of(session))
    put(service, at_work())
    add_car(home, tags=["ZOES"])
    await home.set_up()
    await home.read_all()
    assert figures(home) == [20, 20, 20]
    assert home.number("sensor.zoe_total_energy") == 50
    # Joulo's figure counts, and its charger has a name where the car knows none.
    states = shown(home)
    assert states["last_charge_energy"] == "50.0"
    assert states["last_charge_location"] == "Garage"
    assert (states["last_charge_soc_start"], states["last_charge_soc_end"]) == ("40.0", "80.0")
    work, garage = await in_calendar(home.hass, NOW - 40 * H, NOW)
    assert (work["summary"], work["description"]) == ("20.00 kWh · Work", "20 % → 61 %")
    assert garage["summary"] == "50.00 kWh · Garage"
    assert garage["description"].splitlines()[-1] == "40 % → 80 %"


async def test_a_pause_that_the_car_tells_as_two_sessions_is_one(
    home: Home, service: SimulatedDerConnect, account: SimulatedAccount
) -> None:
    session = at_home(account, tag="ZOES")
    start, end = session.started_at, session.started_at + 5 * H
    put(service, car_charge("a", start, start + H, kwh=9, soc=(40.0, 55.0)))
    put(service, car_charge("b", start + 3 * H, end, kwh=36, soc=(55.0, 80.0)))
    add_car(home, tags=["ZOES"])
    await home.set_up()
    await home.read_all()
    assert figures(home) == [0, 0, 0]
    (event,) = await in_calendar(home.hass, NOW - 10 * H, NOW)
    assert event["description"].splitlines()[-1] == "40 % → 80 %"


async def test_a_session_without_a_card_is_the_cars_that_tells_of_it(
    home: Home, service: SimulatedDerConnect, account: SimulatedAccount
) -> None:
    session = at_home(account, tag=None)
    put(service, told_of(session))
    add_car(home)
    add_car(home, ID3, ID3_ENTITY, chargers=[OPRIT_ID])
    await home.set_up()
    await home.read_all()
    assert home.number("sensor.zoe_total_energy") == 50
    assert figures(home) == [0, 0, 0]
    assert home.state("sensor.garage_last_session_vehicle") == "Zoe"
    rules = queries.sessions_by_rule(home.entry.runtime_data.history.state)
    assert rules[Rule.CAR] == 1


async def test_a_session_without_a_card_is_nobodys_where_the_car_was_at_work(
    home: Home, service: SimulatedDerConnect, account: SimulatedAccount
) -> None:
    at_home(account, tag=None)
    put(service, at_work(hours=-8))
    add_car(home)
    await home.set_up()
    await home.read_all()
    assert home.number("sensor.zoe_total_energy") == 0
    assert figures(home) == [20, 20, 20]


async def test_a_session_that_two_cars_tell_of_is_neithers(
    home: Home, service: SimulatedDerConnect, account: SimulatedAccount
) -> None:
    session = at_home(account, tag=None)
    put(service, told_of(session))
    put(service, told_of(session, "other"), ID3_ENTITY)
    add_car(home)
    add_car(home, ID3, ID3_ENTITY)
    await home.set_up()
    await home.read_all()
    assert home.number("sensor.zoe_total_energy") == 0
    assert home.state("sensor.garage_last_session_vehicle") == STATE_UNKNOWN
    assert figures(home, ID3)[0] == figures(home)[0] == 45


async def test_a_session_that_joulo_lists_late_is_elsewhere_no_more(
    home: Home, service: SimulatedDerConnect, account: SimulatedAccount
) -> None:
    session = simulated_session(NOW - 9 * H, hours=5, tag="ZOES")
    put(service, told_of(session))
    add_car(home, tags=["ZOES"])
    await home.set_up()
    await home.read_all()
    assert figures(home) == [45, 45, 45]
    account.record_session(session)
    await home.hours(2)
    assert figures(home) == [0, 0, 0]
    assert home.number("sensor.zoe_total_energy") == 50


async def test_what_is_said_by_hand_decides(
    hass: HomeAssistant, home: Home, service: SimulatedDerConnect, account: SimulatedAccount
) -> None:
    session = at_home(account, tag=None)
    put(service, told_of(session))
    add_car(home)
    await home.set_up()
    await home.read_all()
    assert figures(home)[0] == 0
    await hass.services.async_call(
        "joulo", "assign_session", {"session_id": session.id}, blocking=True
    )
    await home.settle()
    assert figures(home)[0] == 45
    assert home.number("sensor.zoe_total_energy") == 0


# The next read


async def test_the_same_rows_change_nothing_and_a_changed_one_is_corrected(
    home: Home, service: SimulatedDerConnect
) -> None:
    put(service, at_work())
    add_car(home)
    await home.set_up()
    await home.read_all()
    before, history = shown(home), home.entry.runtime_data.history
    state = history.state
    await home.wait(QUARTER * 3600)
    assert reads(service, ZOE_ENTITY) == 2
    assert shown(home) == before
    assert history.state.cars is state.cars
    assert history.state.fleet is state.fleet
    put(service, at_work(kwh=21.5))
    await home.wait(QUARTER * 3600)
    assert figures(home) == [21.5, 21.5, 21.5]
    ((event, *_),) = [await in_calendar(home.hass, NOW - 31 * H, NOW - 29 * H)]
    assert event["summary"] == "21.50 kWh · Work"


async def test_a_session_that_is_listed_twice_counts_once(
    home: Home, service: SimulatedDerConnect
) -> None:
    put(service, replace(at_work("first"), calculated_at=NOW - 20 * H))
    double = replace(at_work("second", kwh=21), calculated_at=NOW - 10 * H)
    put(service, replace(double, started_at=double.started_at + 50 * MINUTE / 60))
    add_car(home)
    await home.set_up()
    await home.read_all()
    assert figures(home) == [21, 21, 21]


async def test_what_the_service_lists_no_more_stays_for_good(
    home: Home, service: SimulatedDerConnect
) -> None:
    put(service, at_work())
    add_car(home)
    await home.set_up()
    await home.read_all()
    forget(service, "work")
    await home.wait(QUARTER * 3600)
    await home.restart(away=20 * 3600)
    assert figures(home) == [20, 20, 20]


async def test_a_known_figure_is_not_replaced_by_a_missing_one(
    home: Home, service: SimulatedDerConnect
) -> None:
    put(service, at_work())
    add_car(home)
    await home.set_up()
    await home.read_all()
    put(service, replace(at_work(), kwh=None))
    await home.wait(QUARTER * 3600)
    assert figures(home) == [20, 20, 20]


async def test_a_session_that_is_calculated_anew_with_other_times_counts_once(
    home: Home, service: SimulatedDerConnect
) -> None:
    put(service, replace(at_work("first"), calculated_at=NOW - 20 * H))
    add_car(home)
    await home.set_up()
    await home.read_all()
    forget(service, "first")
    later = at_work("second", hours=-30 + 2 / 60, kwh=21)
    put(service, replace(later, calculated_at=NOW - 10 * H))
    await home.wait(QUARTER * 3600)
    assert figures(home) == [21, 21, 21]


async def test_a_session_that_goes_on_for_longer_than_a_week_is_not_lost(
    home: Home, service: SimulatedDerConnect
) -> None:
    """It is listed a day after its end, nine days after its start."""
    put(service, at_work())
    add_car(home)
    await home.set_up()
    start = NOW + H
    end = start + timedelta(days=8)
    put(service, car_charge("long", start, end, kwh=40, calculated_at=end + 10 * H))
    for _ in range(40):
        await home.wait(QUARTER * 3600)
    assert figures(home)[0] == 60


# Vehicles and credentials that go and come


async def test_a_vehicle_takes_its_sessions_and_entities_along(
    hass: HomeAssistant, home: Home, service: SimulatedDerConnect
) -> None:
    put(service, at_work())
    add_car(home)
    await home.set_up()
    await home.read_all()
    stored = home.storage[f"joulo.{home.entry.entry_id}.der_connect"]
    assert stored["data"]["cars"].keys() == {ZOE_ENTITY}
    hass.config_entries.async_remove_subentry(home.entry, ZOE)
    await home.settle()
    assert shown(home) == {}
    assert home.entry.runtime_data.der_connect.records.cars == {}
    forget(service, "work")
    add_car(home)
    await home.settle()
    assert figures(home) == [0, 0, 0]


async def test_without_credentials_the_cars_are_unavailable_and_the_vehicles_stay(
    hass: HomeAssistant,
    home: Home,
    service: SimulatedDerConnect,
    service_url: str,
    account: SimulatedAccount,
) -> None:
    at_home(account, tag="ZOES")
    put(service, at_work())
    add_car(home, tags=["ZOES"])
    await home.set_up()
    await home.read_all()
    hass.config_entries.async_remove_subentry(home.entry, CREDENTIALS)
    await home.settle()
    assert {*shown(home).values()} == {STATE_UNAVAILABLE}
    assert home.number("sensor.zoe_total_energy") == 50
    # What is known of the past stays in the calendar.
    assert len(await in_calendar(hass, NOW - 40 * H, NOW)) == 2
    asked = reads(service)
    await home.hours(20)
    assert reads(service) == asked
    add_credentials(home, service_url)
    await home.settle()
    assert figures(home) == [20, 20, 20]
    assert reads(service) == asked + 1


async def test_a_record_is_the_cars_and_not_the_vehicles(
    hass: HomeAssistant, home: Home, service: SimulatedDerConnect
) -> None:
    """Two ids that were entered the wrong way round are put right; another car begins with its own record."""
    put(service, at_work())
    add_car(home, ZOE, ID3_ENTITY)
    add_car(home, ID3, ZOE_ENTITY)
    await home.set_up()
    await home.read_all()
    assert figures(home, ID3) == [20, 20, 20]
    forget(service, "work")
    for vehicle_id, entity_id in ((ZOE, ZOE_ENTITY), (ID3, ID3_ENTITY)):
        vehicle = home.entry.subentries[vehicle_id]
        data = {**vehicle.data, "entity_id": entity_id}
        hass.config_entries.async_update_subentry(home.entry, vehicle, data=data)
        await home.settle()
    assert figures(home) == [20, 20, 20]
    assert figures(home, ID3) == [0, 0, 0]


async def test_an_id_in_other_letters_is_the_same_car(
    hass: HomeAssistant, home: Home, service: SimulatedDerConnect
) -> None:
    put(service, at_work())
    add_car(home)
    await home.set_up()
    await home.read_all()
    forget(service, "work")
    service.cars.append(SimulatedCar(entity_id=ZOE_ENTITY.upper()))
    vehicle = home.entry.subentries[ZOE]
    data = {**vehicle.data, "entity_id": ZOE_ENTITY.upper()}
    hass.config_entries.async_update_subentry(home.entry, vehicle, data=data)
    await home.settle()
    assert figures(home) == [20, 20, 20]


async def test_a_vehicle_that_gets_its_car_while_the_account_is_set_up_is_read(
    hass: HomeAssistant, home: Home, service: SimulatedDerConnect
) -> None:
    put(service, at_work())
    add_car(home, entity_id=None)
    await home.set_up()
    await home.read_all()

    def enter_while_joulo_answers(answer: Any) -> Any:
        vehicle = home.entry.subentries[ZOE]
        data = {**vehicle.data, "entity_id": ZOE_ENTITY}
        hass.config_entries.async_update_subentry(home.entry, vehicle, data=data)
        return answer

    home.cloud.garble = enter_while_joulo_answers
    await home.restart(away=7 * 3600)
    assert figures(home) == [20, 20, 20]


# Requests


async def test_a_day_has_four_reads_of_each_car(home: Home, service: SimulatedDerConnect) -> None:
    add_car(home)
    add_car(home, ID3, ID3_ENTITY)
    await home.set_up()
    await home.hours(23)
    assert reads(service, ZOE_ENTITY) == reads(service, ID3_ENTITY) == 4
    assert service.count("access_token") == 4


async def test_a_car_that_fails_has_no_other_read_more_often(
    home: Home, service: SimulatedDerConnect
) -> None:
    add_car(home)
    add_car(home, ID3, ID3_ENTITY)
    service.fail(f"{ID3_ENTITY}/charge-sessions", Fault.SERVER_ERROR)
    await home.set_up()
    await home.hours(23)
    assert reads(service, ZOE_ENTITY) == 4


@pytest.mark.parametrize("path", ["charge-sessions", "access_token"])
async def test_after_a_fault_the_waits_grow(
    home: Home, service: SimulatedDerConnect, path: str
) -> None:
    add_car(home)
    service.fail(path, Fault.SERVER_ERROR)
    await home.set_up()
    asked = []
    for _ in range(20):
        asked.append(service.count(path))
        await home.wait(3630)
    assert [hour for hour in range(1, 20) if asked[hour] > asked[hour - 1]] == [1, 3, 6, 12, 18]
    assert asked[-1] == 6


async def test_a_login_that_fails_is_tried_once_for_all_cars(
    home: Home, service: SimulatedDerConnect
) -> None:
    add_car(home)
    add_car(home, ID3, ID3_ENTITY)
    service.fail("access_token", Fault.SERVER_ERROR)
    await home.set_up()
    assert service.count("access_token") == 1


async def test_reloads_during_a_slow_read_ask_no_more(
    hass: HomeAssistant, home: Home, service: SimulatedDerConnect
) -> None:
    add_car(home)

    def reload_while_it_answers(answer: Any) -> Any:
        hass.config_entries.async_schedule_reload(home.entry.entry_id)
        return answer

    service.garble = reload_while_it_answers
    await home.set_up()
    assert reads(service) == 1
    service.garble = None
    await home.wait(301)
    assert reads(service) == 2
    assert figures(home) == [0, 0, 0]


async def test_a_restart_asks_only_where_the_last_read_is_old(
    home: Home, service: SimulatedDerConnect
) -> None:
    add_car(home)
    await home.set_up()
    for _ in range(5):
        await home.restart(away=60)
    assert reads(service) == 1
    await home.restart(away=7 * 3600)
    assert reads(service) == 2


async def test_a_new_car_is_read_at_once_and_the_others_go_on(
    home: Home, service: SimulatedDerConnect
) -> None:
    add_car(home)
    await home.set_up()
    await home.hours(1)
    add_car(home, ID3, ID3_ENTITY)
    await home.settle()
    assert (reads(service, ZOE_ENTITY), reads(service, ID3_ENTITY)) == (1, 1)
    await home.wait((QUARTER - 1) * 3600)
    assert (reads(service, ZOE_ENTITY), reads(service, ID3_ENTITY)) == (2, 2)


async def test_the_first_read_asks_for_four_hundred_days_and_others_for_a_week(
    home: Home, service: SimulatedDerConnect
) -> None:
    put(service, at_work())
    add_car(home)
    await home.set_up()
    await home.wait(QUARTER * 3600)
    first, second = [
        datetime.fromisoformat(request.query["start"])
        for request in service.requests
        if "start" in request.query
    ]
    assert first == NOW - timedelta(days=400)
    assert second == NOW - timedelta(days=7)


async def test_without_credentials_nothing_is_asked_or_written(
    new_home: Home, service: SimulatedDerConnect
) -> None:
    add_car(new_home)
    await new_home.set_up()
    await new_home.hours(7)
    assert reads(service) == 0
    assert f"joulo.{new_home.entry.entry_id}.der_connect" not in new_home.storage
