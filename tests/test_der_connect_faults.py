"""What a user sees of each fault of DER Connect, what is asked next, and that Joulo does not notice."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Any
from unittest.mock import patch

from homeassistant.components.repairs import DOMAIN as REPAIRS
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.storage import Store
from homeassistant.setup import async_setup_component
import pytest

from custom_components.joulo.const import DOMAIN
from custom_components.joulo.der_connect import DerConnectClient
from tests.cars import (
    CREDENTIALS,
    ID3,
    ID3_ENTITY,
    ZOE,
    ZOE_ENTITY,
    add_car,
    add_credentials,
    car_charge,
    car_of,
    put,
    reads,
)
from tests.conftest import NOW
from tests.home import Home
from tests.simulator import DER_CONNECT_SECRET, Fault, SimulatedDerConnect
from tests.test_der_connect_flow import credentials, enter, open_credentials
from tests.timing import HOUR

READ = 6 * 3600 + 61
"""Seconds after which the cars are read once more."""
WAIT = 3 * 3600
"""Seconds that the service asks to wait, where it does."""
LISTS, LOGIN = "charge-sessions", "access_token"
ELSEWHERE = "sensor.zoe_energy_charged_elsewhere"
WORK = car_charge(
    "work", NOW - timedelta(hours=30), NOW - timedelta(hours=26), kwh=20, label="Work"
)


class Effect(Enum):
    """What a fault does: when the service is asked again, while the car's entities are unavailable."""

    SOON = "after an hour"
    TOLD = "when the service said"
    CLOSED = "with the next read of all, and an issue names the vehicle"
    REFUSED = "never, before other credentials are entered; an issue asks for them"


SOON, TOLD, CLOSED, REFUSED = Effect


@dataclass(frozen=True)
class Row:
    """A fault, and what it does where sessions are listed and where tokens are given."""

    fault: Fault
    lists: Effect
    login: Effect


# fmt: off
TABLE = (
    #                          sessions  login
    Row(Fault.UNAUTHORIZED,    SOON,     REFUSED),
    Row(Fault.FORBIDDEN,       CLOSED,   REFUSED),
    Row(Fault.NOT_FOUND,       CLOSED,   SOON),
    Row(Fault.RATE_LIMITED,    TOLD,     TOLD),
    Row(Fault.SERVER_ERROR,    SOON,     SOON),
    Row(Fault.BAD_GATEWAY,     SOON,     SOON),
    Row(Fault.DROPPED,         SOON,     SOON),
    Row(Fault.NOT_JSON,        SOON,     SOON),
    Row(Fault.CAPTIVE_PORTAL,  SOON,     SOON),
    Row(Fault.REDIRECT,        SOON,     SOON),
)
# fmt: on

NEXT = {SOON: HOUR, TOLD: WAIT, CLOSED: READ}
"""Seconds from a fault to the next request."""
CELLS = [
    pytest.param(row.fault, path, effect, id=f"{path}-{row.fault}")
    for row in TABLE
    for path, effect in ((LISTS, row.lists), (LOGIN, row.login))
]
EACH_CELL = pytest.mark.parametrize(("fault", "path", "effect"), CELLS)


@pytest.fixture
def home(new_home: Home, service: SimulatedDerConnect, service_url: str) -> Home:
    """Return a home with a car that was at work, not set up yet."""
    add_credentials(new_home, service_url)
    add_car(new_home)
    put(service, WORK)
    return new_home


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Return the log with all that the integration says."""
    caplog.set_level("DEBUG", "custom_components.joulo")
    return caplog


def fail(service: SimulatedDerConnect, path: str, fault: Fault) -> None:
    """Let a path of the service fail from now on."""
    service.fail(path, fault, retry_after=WAIT if fault is Fault.RATE_LIMITED else None)


def issues(hass: HomeAssistant) -> dict[str, bool]:
    """Return the issues about DER Connect, and whether each can be mended by its fix flow."""
    found = ir.async_get(hass).issues.values()
    return {
        each.issue_id: bool(each.is_fixable)
        for each in found
        if each.domain == DOMAIN and "der_connect" in each.issue_id and each.active
    }


def expected_issues(home: Home, effect: Effect) -> dict[str, bool]:
    """Return the issue that an effect has."""
    match effect:
        case Effect.CLOSED:
            return {f"der_connect_entity_{ZOE}": False}
        case Effect.REFUSED:
            return {f"der_connect_auth_{home.entry.entry_id}": True}
        case _:
            return {}


def unavailable(home: Home) -> set[str]:
    """Return the entities that are unavailable."""
    return {key for key, state in home.states().items() if state == STATE_UNAVAILABLE}


def of_the_car(home: Home) -> set[str]:
    """Return the entities that show what the car has recorded."""
    return {key for key in home.states() if "zoe_last_charge" in key or "elsewhere" in key}


@EACH_CELL
async def test_a_fault_takes_the_cars_entities_alone_until_the_service_answers_again(
    hass: HomeAssistant,
    home: Home,
    service: SimulatedDerConnect,
    log: pytest.LogCaptureFixture,
    fault: Fault,
    path: str,
    effect: Effect,
) -> None:
    await home.set_up()
    await home.read_all()
    assert home.number(ELSEWHERE) == 20
    fail(service, path, fault)
    await home.wait(READ)
    assert unavailable(home) == of_the_car(home)
    assert home.entry.state is ConfigEntryState.LOADED
    assert hass.config_entries.flow.async_progress() == []
    assert issues(hass) == expected_issues(home, effect)
    service.recover()
    await home.wait(READ)
    if effect is REFUSED:
        assert home.state(ELSEWHERE) == STATE_UNAVAILABLE
    else:
        assert home.number(ELSEWHERE) == 20
        assert issues(hass) == {}
    told = [record.getMessage() for record in log.records if "DER Connect" in record.getMessage()]
    assert len(told) == (2 if effect is SOON else 0)
    for secret in (DER_CONNECT_SECRET, ZOE_ENTITY, "token-1", "Work"):
        assert secret not in "".join(
            each.getMessage() for each in log.records if each.name.startswith("custom_components")
        )


@EACH_CELL
async def test_a_fault_at_the_first_read_neither_delays_nor_fails_the_set_up(
    hass: HomeAssistant,
    home: Home,
    service: SimulatedDerConnect,
    fault: Fault,
    path: str,
    effect: Effect,
) -> None:
    fail(service, path, fault)
    await home.set_up()
    await home.read_all()
    assert home.entry.state is ConfigEntryState.LOADED
    assert unavailable(home) == of_the_car(home) != set()
    assert home.number("sensor.zoe_total_energy") == 0
    assert issues(hass) == expected_issues(home, effect)


@EACH_CELL
async def test_after_a_fault_nothing_is_asked_too_early(
    home: Home, service: SimulatedDerConnect, fault: Fault, path: str, effect: Effect
) -> None:
    await home.set_up()
    fail(service, path, fault)
    await home.wait(READ)
    asked = len(service.requests)
    if effect is REFUSED:
        await home.hours(10)
        await home.restart(away=30 * 3600)
        await home.hours(10)
        assert len(service.requests) == asked
        return
    await home.wait(NEXT[effect] - 120)
    # What the service asked outlives a restart; after its own faults it may be tried.
    if effect is TOLD:
        await home.restart(away=10)
    assert len(service.requests) == asked
    await home.wait(120)
    assert len(service.requests) > asked


# Credentials


async def test_a_secret_that_is_revoked_later_stops_the_reading_until_another_is_entered(
    hass: HomeAssistant, home: Home, service: SimulatedDerConnect
) -> None:
    await home.set_up()
    await home.read_all()
    service.secret = "another"
    await home.wait(READ)
    assert issues(hass) == expected_issues(home, REFUSED)
    assert unavailable(home) == of_the_car(home)
    asked = len(service.requests)
    await home.restart(away=30 * 3600)
    await home.hours(12)
    assert issues(hass) == expected_issues(home, REFUSED)
    assert len(service.requests) == asked
    enter_secret(home, "another")
    await home.settle()
    assert issues(hass) == {}
    assert home.number(ELSEWHERE) == 20
    assert len(service.requests) == asked + 2


def enter_secret(home: Home, secret: str) -> None:
    """Enter another secret, as the forms do."""
    subentry = home.entry.subentries[CREDENTIALS]
    data: dict[str, Any] = {**subentry.data, "client_secret": secret}
    home.hass.config_entries.async_update_subentry(home.entry, subentry, data=data)


async def test_a_token_that_opens_nothing_is_a_refusal_only_when_that_happens_again(
    hass: HomeAssistant, home: Home, service: SimulatedDerConnect
) -> None:
    await home.set_up()
    fail(service, LISTS, Fault.UNAUTHORIZED)
    await home.wait(READ)
    assert issues(hass) == {}
    service.recover()
    await home.wait(HOUR)
    assert home.number(ELSEWHERE) == 20
    fail(service, LISTS, Fault.UNAUTHORIZED)
    await home.wait(READ)
    assert issues(hass) == {}
    await home.wait(HOUR)
    assert issues(hass) == expected_issues(home, REFUSED)
    asked = len(service.requests)
    await home.hours(10)
    assert len(service.requests) == asked


@pytest.mark.parametrize("way", ["reconfigure", "repair", "again"])
async def test_the_same_credentials_that_work_again_are_read_with_again(
    hass: HomeAssistant, home: Home, service: SimulatedDerConnect, service_url: str, way: str
) -> None:
    """The application was closed, and is opened again."""
    await home.set_up()
    service.secret = "another"
    await home.wait(READ)
    assert issues(hass) == expected_issues(home, REFUSED)
    service.secret = DER_CONNECT_SECRET
    asked = reads(service)
    match way:
        case "repair":
            assert await async_setup_component(hass, "repairs", {})
            (issue_id,) = issues(hass)
            manager = hass.data[REPAIRS]["flow_manager"]
            form = await manager.async_init(DOMAIN, data={"issue_id": issue_id})
            await manager.async_configure(form["flow_id"], credentials(service_url))
        case "reconfigure":
            form = await open_credentials(hass, home.entry, again=True)
            await enter(hass, form, credentials(service_url))
        case "again":
            hass.config_entries.async_remove_subentry(home.entry, CREDENTIALS)
            await home.settle()
            form = await open_credentials(hass, home.entry)
            await enter(hass, form, credentials(service_url))
    await home.settle()
    assert reads(service) == asked + 1
    assert home.number(ELSEWHERE) == 20
    assert issues(hass) == {}


async def test_without_credentials_nobody_is_asked_for_others(
    hass: HomeAssistant, home: Home, service: SimulatedDerConnect
) -> None:
    service.secret = "another"
    await home.set_up()
    assert issues(hass) == expected_issues(home, REFUSED)
    hass.config_entries.async_remove_subentry(home.entry, CREDENTIALS)
    await home.settle()
    assert issues(hass) == {}


async def test_an_address_that_is_not_secure_is_not_asked(
    hass: HomeAssistant, new_home: Home, service: SimulatedDerConnect
) -> None:
    """No form takes it; somebody has changed the file."""
    add_credentials(new_home, "http://der-connect.example")
    add_car(new_home)
    await new_home.set_up()
    assert new_home.entry.state is ConfigEntryState.LOADED
    assert unavailable(new_home) == of_the_car(new_home)


# One car of several


async def test_a_car_that_is_gone_takes_no_other_along(
    hass: HomeAssistant, home: Home, service: SimulatedDerConnect
) -> None:
    add_car(home, ID3, ID3_ENTITY)
    await home.set_up()
    await home.read_all()
    service.cars = [car_of(service, ID3_ENTITY)]
    await home.wait(READ)
    assert home.state(ELSEWHERE) == STATE_UNAVAILABLE
    assert home.number("sensor.id_3_energy_charged_elsewhere") == 0
    assert issues(hass) == {f"der_connect_entity_{ZOE}": False}
    hass.config_entries.async_remove_subentry(home.entry, ZOE)
    await home.settle()
    assert issues(hass) == {}


async def test_a_car_that_is_open_again_is_shown_again(
    hass: HomeAssistant, home: Home, service: SimulatedDerConnect
) -> None:
    car_of(service).is_readable = False
    await home.set_up()
    await home.read_all()
    assert issues(hass) == {f"der_connect_entity_{ZOE}": False}
    car_of(service).is_readable = True
    await home.wait(READ)
    assert issues(hass) == {}
    assert home.number(ELSEWHERE) == 20


async def test_a_car_that_is_closed_is_said_to_be_so_after_a_restart_and_not_without_credentials(
    hass: HomeAssistant, home: Home, service: SimulatedDerConnect
) -> None:
    await home.set_up()
    await home.read_all()
    car_of(service).is_readable = False
    await home.wait(READ)
    ir.async_delete_issue(hass, DOMAIN, f"der_connect_entity_{ZOE}")  # as a restart does
    await home.restart(away=60)
    assert issues(hass) == {f"der_connect_entity_{ZOE}": False}
    assert unavailable(home) == of_the_car(home)
    hass.config_entries.async_remove_subentry(home.entry, CREDENTIALS)
    await home.settle()
    assert issues(hass) == {}


async def test_who_has_to_wait_asks_for_no_other_car(
    home: Home, service: SimulatedDerConnect
) -> None:
    add_car(home, ID3, ID3_ENTITY)
    await home.set_up()
    asked = reads(service)
    fail(service, LISTS, Fault.RATE_LIMITED)
    await home.wait(READ)
    assert reads(service) == asked + 1
    add_car(home, "01THIRD", "a-third-car")
    await home.settle()
    assert reads(service) == asked + 1


async def test_an_account_that_is_removed_leaves_neither_a_file_nor_an_issue(
    hass: HomeAssistant, home: Home, service: SimulatedDerConnect
) -> None:
    car_of(service).is_readable = False
    await home.set_up()
    await home.read_all()
    key = f"joulo.{home.entry.entry_id}.der_connect"
    assert key in home.storage
    await hass.config_entries.async_remove(home.entry.entry_id)
    assert key not in home.storage
    assert issues(hass) == {}


# The file


async def test_a_damaged_file_costs_only_itself_and_is_read_anew(
    home: Home, service: SimulatedDerConnect, log: pytest.LogCaptureFixture
) -> None:
    await home.set_up()
    await home.read_all()
    known = home.known
    await home.unload()
    stored = home.storage[f"joulo.{home.entry.entry_id}.der_connect"]["data"]
    stored["cars"][ZOE_ENTITY]["sessions"] = "lost"
    asked = reads(service)
    await home.start_again(60)
    assert reads(service) == asked + 1
    assert home.number(ELSEWHERE) == 20
    assert home.known == known
    assert "is damaged" in log.text
    assert home.entry.state is ConfigEntryState.LOADED


async def test_a_damaged_file_does_not_end_a_wait_that_was_asked_for(
    home: Home, service: SimulatedDerConnect
) -> None:
    add_car(home, ID3, ID3_ENTITY)
    await home.set_up()
    fail(service, LISTS, Fault.RATE_LIMITED)
    await home.wait(READ)
    asked = len(service.requests)
    await home.unload()
    stored = home.storage[f"joulo.{home.entry.entry_id}.der_connect"]["data"]
    stored["cars"][ID3_ENTITY] = {"vehicle_id": 7}
    await home.start_again(60)
    assert len(service.requests) == asked
    await home.wait(WAIT)
    assert len(service.requests) > asked


async def test_a_file_that_cannot_be_read_is_left_alone(
    home: Home, service: SimulatedDerConnect, log: pytest.LogCaptureFixture
) -> None:
    await home.set_up()
    await home.unload()
    asked = reads(service)
    with patch.object(Store, "async_load", fail_for("der_connect")):
        await home.start_again(30 * 3600)
    assert home.entry.state is ConfigEntryState.LOADED
    assert unavailable(home) == of_the_car(home)
    assert reads(service) == asked
    assert "cannot be read" in log.text


def fail_for(name: str) -> Callable[[Store[Any]], Awaitable[Any]]:
    """Return what loads every file but one, for which the disk fails."""
    load = Store.async_load

    async def fail(store: Store[Any]) -> Any:
        if store.key.endswith(name):
            raise HomeAssistantError("Input/output error") from OSError(5)
        return await load(store)

    return fail


@pytest.mark.refusals("too early")
async def test_a_clock_that_was_ahead_at_the_first_read_loses_no_past(
    home: Home,
) -> None:
    home.freezer.move_to(NOW + timedelta(days=800))
    await home.set_up()
    await home.unload()
    home.freezer.move_to(NOW)
    await home.start_again(0)
    await home.hours(24)
    assert [car.id for car in home.entry.runtime_data.history.state.cars[ZOE]] == ["work"]


async def test_an_unexpected_error_is_logged_once_and_does_not_end_the_schedule(
    home: Home, service: SimulatedDerConnect, log: pytest.LogCaptureFixture
) -> None:
    with patch.object(DerConnectClient, "charge_sessions", side_effect=ZeroDivisionError):
        await home.set_up()
        await home.wait(HOUR)
        assert log.text.count("Unexpected error while reading DER Connect") == 1
        assert "ZeroDivisionError" in log.text
    await home.wait(2 * HOUR)
    assert home.number(ELSEWHERE) == 20


async def test_a_file_of_a_later_version_is_left_alone(
    home: Home, service: SimulatedDerConnect
) -> None:
    await home.set_up()
    await home.read_all()
    await home.unload()
    stored = home.storage[f"joulo.{home.entry.entry_id}.der_connect"]
    stored["version"] = 9
    asked = reads(service)
    await home.start_again(30 * 3600)
    assert home.entry.state is ConfigEntryState.LOADED
    assert unavailable(home) == of_the_car(home)
    assert reads(service) == asked
    assert home.storage[f"joulo.{home.entry.entry_id}.der_connect"] == stored
