"""What is told of charging sessions, when, and that it is told once."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

from homeassistant.const import EVENT_HOMEASSISTANT_STARTED, STATE_UNKNOWN
from homeassistant.core import CoreState, Event, EventStateChangedData, HomeAssistant, State
from homeassistant.helpers import entity_registry as er, issue_registry as ir
from homeassistant.helpers.storage import Store
from homeassistant.util.file import WriteError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_capture_events

from tests.conftest import NOW, Advance
from tests.events import without
from tests.factories import simulated_session
from tests.home import Home
from tests.simulator import (
    GARAGE_ID,
    OPRIT_ID,
    Fault,
    SimulatedAccount,
    SimulatedCloud,
)
from tests.timing import DAY, POLL, READ

ENTITY = "event.garage_charging_session"
STARTED, COMPLETED = "session_started", "session_completed"

type Told = Callable[[], list[tuple[str, dict[str, Any]]]]


@pytest.fixture
def told(hass: HomeAssistant) -> Told:
    """Return a function that returns what the event entities have told so far, in order."""
    changes: list[Event[EventStateChangedData]] = async_capture_events(hass, "state_changed")

    def told() -> list[tuple[str, dict[str, Any]]]:
        news: list[State] = []
        for change in changes:
            new, old = change.data["new_state"], change.data["old_state"]
            if new is None or new.domain != "event" or new.attributes.get("event_type") is None:
                continue
            # A reload shows the last event again: that is no news.
            if (old is None or old.state != new.state) and not any(
                (new.entity_id, new.state) == (before.entity_id, before.state) for before in news
            ):
                news.append(new)
        return [(state.attributes["event_type"], dict(state.attributes)) for state in news]

    return told


async def test_a_session_is_told_when_it_starts_and_when_it_is_completed(
    home: Home, account: SimulatedAccount, told: Told
) -> None:
    session = account.start_session(GARAGE_ID, power_kw=10, tag="DEADBEEF12345678")
    await home.poll()
    ((kind, started),) = told()
    assert kind == STARTED
    assert started["session_id"] == session.id
    assert started["tag_id"] == "DEADBEEF12345678"
    assert (started["ended_at"], started["value_eur"], started["late"]) == (None, None, False)

    await home.wait(3600 - POLL)
    account.end_session(GARAGE_ID)
    account.correct_session(session.id, kwh=10.5)
    await home.poll()
    assert len(told()) == 1, "the final figures are still to come"
    await home.wait(READ)
    kind, completed = told()[-1]
    assert kind == COMPLETED
    assert (
        completed
        | {
            "session_id": session.id,
            "energy_kwh": 10.5,
            "ere_credits": 3.49,
            "value_eur": 1.38,
            "duration_minutes": 60.0,
            "average_power_kw": 10.5,
            "late": False,
        }
        == completed
    )
    assert datetime.fromisoformat(completed["ended_at"]) == NOW + timedelta(hours=1)
    await home.wait(3 * READ)
    assert len(told()) == 2


@pytest.mark.long_account
async def test_sessions_of_the_first_load_are_not_told(home: Home, told: Told) -> None:
    await home.read_all()
    await home.wait(READ)
    assert told() == []


async def test_a_session_that_runs_at_installation_is_told_when_it_is_completed_only(
    new_home: Home, account: SimulatedAccount, told: Told
) -> None:
    account.start_session(GARAGE_ID, at=NOW - timedelta(hours=1))
    await new_home.set_up()
    await new_home.poll()
    assert told() == []
    account.end_session(GARAGE_ID)
    await new_home.poll()
    await new_home.wait(READ)
    assert [kind for kind, _ in told()] == [COMPLETED]


async def test_without_joulos_word_the_end_is_told_after_a_quarter_of_an_hour(
    home: Home, account: SimulatedAccount, cloud: SimulatedCloud, told: Told
) -> None:
    session = account.start_session(GARAGE_ID, power_kw=6, tag="T")
    await home.poll()
    await home.wait(600 - POLL)
    cloud.garble = without(session.id)
    account.end_session(GARAGE_ID)
    await home.poll()
    await home.poll(14)
    assert [kind for kind, _ in told()] == [STARTED]
    await home.poll()
    kind, completed = told()[-1]
    assert kind == COMPLETED
    assert (completed["energy_kwh"], completed["tag_id"]) == (1.0, "T")
    assert completed["value_eur"] is None, "what it is worth is not known yet"
    cloud.garble = None
    await home.poll(12)
    assert len(told()) == 2, "Joulo's word comes too late to tell it again"


async def test_while_joulos_list_cannot_be_read_the_end_is_waited_for(
    home: Home, account: SimulatedAccount, cloud: SimulatedCloud, told: Told
) -> None:
    account.start_session(GARAGE_ID, power_kw=6)
    await home.poll(10)
    cloud.fail("*", Fault.SERVER_ERROR)
    await home.poll(110)
    account.end_session(GARAGE_ID)
    cloud.recover()
    cloud.fail("/sessions", Fault.SERVER_ERROR)
    await home.poll(60)
    assert [kind for kind, _ in told()] == [STARTED]
    cloud.recover()
    await home.poll(12)
    kind, completed = told()[-1]
    assert kind == COMPLETED
    assert completed["energy_kwh"] == pytest.approx(12.2, abs=0.05), "not what was seen before"


async def test_what_passed_while_home_assistant_was_down_is_told_late_and_in_order(
    home: Home, account: SimulatedAccount, told: Told
) -> None:
    account.start_session(GARAGE_ID)
    await home.poll()
    account.end_session(GARAGE_ID, at=NOW + timedelta(hours=1))
    second = account.plan_session(
        GARAGE_ID, NOW + timedelta(hours=2), NOW + timedelta(hours=3), tag="T"
    )
    running = account.plan_session(GARAGE_ID, NOW + timedelta(hours=4), NOW + timedelta(hours=9))
    await home.restart(away=5 * 3600)
    await home.poll()
    assert [(kind, event["late"]) for kind, event in told()] == [
        (STARTED, False),
        (COMPLETED, True),
        (STARTED, True),
        (COMPLETED, True),
        (STARTED, True),
    ]
    assert told()[2][1]["session_id"] == second.id
    assert told()[4][1]["session_id"] == running.id


async def test_a_reload_tells_nothing_again_and_nothing_late(
    home: Home, account: SimulatedAccount, told: Told
) -> None:
    account.start_session(GARAGE_ID)
    await home.poll()
    account.end_session(GARAGE_ID)
    await home.poll()
    await home.reload()
    await home.wait(READ)
    await home.reload()
    await home.wait(READ)
    assert [(kind, event["late"]) for kind, event in told()] == [
        (STARTED, False),
        (COMPLETED, False),
    ]


async def test_nothing_is_told_before_home_assistant_has_started(
    home: Home, hass: HomeAssistant, account: SimulatedAccount, told: Told
) -> None:
    hass.set_state(CoreState.starting)
    account.start_session(GARAGE_ID)
    await home.unload()
    await home.wait(POLL)
    await home.set_up()
    await home.poll()
    assert told() == []
    hass.set_state(CoreState.running)
    hass.bus.async_fire(EVENT_HOMEASSISTANT_STARTED)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert [kind for kind, _ in told()] == [STARTED]


async def test_what_passes_while_the_entity_is_disabled_is_never_told(
    home: Home,
    hass: HomeAssistant,
    account: SimulatedAccount,
    entity_registry: er.EntityRegistry,
    told: Told,
) -> None:
    entity_registry.async_update_entity(ENTITY, disabled_by=er.RegistryEntryDisabler.USER)
    await hass.async_block_till_done(wait_background_tasks=True)
    account.start_session(GARAGE_ID)
    account.start_session(OPRIT_ID)
    await home.poll()
    assert len(told()) == 1, "the other charger's"
    entity_registry.async_update_entity(ENTITY, disabled_by=None)
    await home.reload()
    await home.poll()
    assert len(told()) == 1


async def test_the_entity_is_available_although_joulo_is_not(
    home: Home, hass: HomeAssistant, cloud: SimulatedCloud
) -> None:
    cloud.fail("/chargers", Fault.SERVER_ERROR)
    await home.poll()
    assert hass.states.is_state("sensor.garage_status", "unavailable")
    assert hass.states.is_state(ENTITY, "unknown")


async def test_what_is_told_was_remembered_before(
    home: Home,
    hass: HomeAssistant,
    account: SimulatedAccount,
    told: Told,
) -> None:
    """Whatever crashes after telling finds on the disk that it was told."""
    remembered: list[dict[str, Any]] = []

    def look(event: Event[EventStateChangedData]) -> None:
        new = event.data["new_state"]
        if new is not None and new.entity_id == ENTITY and new.state != STATE_UNKNOWN:
            remembered.append(home.storage[home.storage_key]["data"]["told"])

    hass.bus.async_listen("state_changed", look)
    session = account.start_session(GARAGE_ID)
    await home.poll()
    assert len(told()) == 1
    assert [told[session.id] for told in remembered] == [[STARTED]]


async def test_what_is_remembered_is_told_although_the_entry_is_unloaded_meanwhile(
    home: Home, hass: HomeAssistant, account: SimulatedAccount, told: Told
) -> None:
    to_disk = Store._async_write_data
    unloading: list[asyncio.Task[None]] = []

    async def write_slowly(store: Store[Any], data: dict[str, Any]) -> None:
        if (
            store.key == home.storage_key
            and "data" in data
            and data["data"]["told"]
            and not unloading
        ):
            unloading.append(hass.async_create_task(home.unload(), eager_start=False))
            for _ in range(1000):
                await asyncio.sleep(0)
        await to_disk(store, data)

    account.start_session(GARAGE_ID)
    account.start_session(OPRIT_ID)
    with patch.object(Store, "_async_write_data", write_slowly):
        await home.poll()
    await unloading[0]
    await home.set_up()
    await home.poll()
    assert [kind for kind, _ in told()] == [STARTED, STARTED]


async def test_a_session_that_runs_is_not_told_as_completed_when_a_later_one_is_listed(
    home: Home, account: SimulatedAccount, told: Told
) -> None:
    account.start_session(GARAGE_ID)
    await home.poll()
    later = account.clock() + timedelta(minutes=1)
    account.record_session(simulated_session(later, hours=0))
    for _ in range(4):
        await home.wait(READ)
    running, *rest = told()
    assert running[0] == STARTED
    assert running[1]["session_id"] not in {session["session_id"] for _, session in rest}


async def test_an_end_that_joulo_tells_days_later_is_late(
    home: Home, account: SimulatedAccount, cloud: SimulatedCloud, told: Told
) -> None:
    account.start_session(GARAGE_ID)
    await home.poll()
    cloud.fail("/sessions", Fault.SERVER_ERROR)
    cloud.fail("/chargers", Fault.SERVER_ERROR)
    await home.wait(READ)
    account.end_session(GARAGE_ID)
    for _ in range(3):
        await home.wait(DAY)
    cloud.recover()
    for _ in range(3):
        await home.wait(READ)
    assert [(kind, session["late"]) for kind, session in told()] == [
        (STARTED, False),
        (COMPLETED, True),
    ]


async def test_a_session_that_is_removed_and_listed_again_is_not_told_again(
    home: Home, account: SimulatedAccount, told: Told
) -> None:
    await home.read_all()
    await home.hours()
    session = account.start_session(GARAGE_ID)
    await home.poll()
    account.end_session(GARAGE_ID)
    await home.poll()
    await home.wait(READ)
    removed = account.remove_session(session.id)
    await home.hours(3)
    assert session.id not in home.known
    account.record_session(removed)
    await home.hours(2)
    assert session.id in home.known
    assert len(told()) == 2


async def test_a_start_that_is_still_to_come_is_not_told(
    home: Home, account: SimulatedAccount, told: Told
) -> None:
    start = account.clock() + timedelta(days=365)
    account.record_session(simulated_session(start, hours=0))
    await home.hours(3)
    assert told() == []


async def test_an_end_is_told_before_the_start_of_its_successor(
    home: Home, account: SimulatedAccount, cloud: SimulatedCloud, told: Told
) -> None:
    cloud.fail("/chargers", Fault.SERVER_ERROR)
    cloud.fail("/sessions", Fault.SERVER_ERROR)
    first, second, third = (account.clock() + timedelta(minutes=each) for each in (10, 70, 90))
    for start, end in ((first, second), (second, third)):
        hours = (end - start) / timedelta(hours=1)
        account.record_session(simulated_session(start, hours=hours))
    await home.wait(7200)
    cloud.recover()
    for _ in range(3):
        await home.wait(READ)
    assert [(kind, attributes["started_at"]) for kind, attributes in told()] == [
        (STARTED, first.isoformat()),
        (COMPLETED, first.isoformat()),
        (STARTED, second.isoformat()),
        (COMPLETED, second.isoformat()),
    ]


async def test_an_end_that_is_noticed_late_waits_for_its_figures_all_the_same(
    account: SimulatedAccount,
    cloud: SimulatedCloud,
    joulo: MockConfigEntry,
    live: Advance,
    told: Told,
) -> None:
    await live(120)
    start, end = (account.clock() + timedelta(minutes=each) for each in (5, 60))
    session = account.plan_session(GARAGE_ID, start, end)
    account.plan_session(GARAGE_ID, end + timedelta(minutes=2), end + timedelta(hours=3))
    await live(15 * 60)
    for path in ("/chargers", "/sessions"):
        cloud.fail(path, Fault.SERVER_ERROR)
    await live(75 * 60)
    cloud.recover()
    await live(30 * 60)
    ((_, completed),) = [news for news in told() if news[0] == COMPLETED]
    assert completed["energy_kwh"] == float(session.kwh_at(account.clock()))


async def test_a_profile_that_cannot_be_read_once_costs_no_value(
    home: Home, account: SimulatedAccount, cloud: SimulatedCloud, told: Told
) -> None:
    account.start_session(GARAGE_ID)
    await home.poll()
    cloud.fail("/me", Fault.NOT_FOUND)
    await home.hours()
    account.end_session(GARAGE_ID)
    await home.poll()
    await home.wait(READ)
    kind, completed = told()[-1]
    assert kind == COMPLETED
    assert completed["value_eur"] > 0


# Joulo lists a session late, or never


@pytest.mark.parametrize(("listed_after", "told_within"), [(12, 15), (20, 16), (None, 16)])
async def test_a_session_that_joulo_lists_late_is_there_all_the_time_and_told_within_a_quarter_of_an_hour(
    home: Home,
    account: SimulatedAccount,
    cloud: SimulatedCloud,
    told: Told,
    listed_after: int | None,
    told_within: int,
) -> None:
    await home.read_all()
    await home.hours()
    before = home.number("sensor.garage_total_energy")
    session = account.start_session(GARAGE_ID, power_kw=10)
    cloud.garble = without(session.id)
    await home.poll(60)
    account.end_session(GARAGE_ID)
    kinds: list[list[str]] = []
    for minute in range(45):
        if minute == listed_after:
            cloud.garble = None
        await home.poll()
        assert home.number("sensor.garage_total_energy") - before > 9
        kinds.append([kind for kind, _ in told()])
    assert kinds[-1] == [STARTED, COMPLETED]
    assert kinds.index([STARTED, COMPLETED]) <= told_within


async def test_after_an_outage_of_days_a_session_is_not_told_to_have_lasted_for_days(
    home: Home, account: SimulatedAccount, cloud: SimulatedCloud, told: Told
) -> None:
    await home.read_all()
    await home.hours()
    session = account.start_session(GARAGE_ID, power_kw=10)
    await home.poll(5)
    account.session(session.id).end(account.clock() + timedelta(minutes=30))
    cloud.garble = without(session.id)
    await home.restart(away=3 * DAY, crash=True)
    await home.poll(30)
    (_, completed) = told()[-1]
    assert completed["event_type"] == COMPLETED
    assert completed["duration_minutes"] < 60
    assert completed["late"] is True


# The disk


async def test_what_the_disk_does_not_take_is_told_once_it_does(
    home: Home, account: SimulatedAccount, told: Told, issue_registry: ir.IssueRegistry
) -> None:
    await home.hours()
    issue = ("joulo", "unwritable_01JOULO")
    account.start_session(GARAGE_ID)
    with patch.object(Store, "_async_write_data", side_effect=WriteError("no space left")):
        await home.poll(2)
        assert told() == []
        assert issue_registry.async_get_issue(*issue) is not None
        await home.restart(away=120, crash=True)
    await home.poll(3)
    assert [kind for kind, _ in told()] == [STARTED]
    assert issue_registry.async_get_issue(*issue) is None
