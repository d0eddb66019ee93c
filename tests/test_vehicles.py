"""Vehicles: adding and changing one in the user interface, and what it shows of its whole past."""

from datetime import timedelta
from math import fsum
from typing import Any

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_URL
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import (
    device_registry as dr,
    entity_registry as er,
    issue_registry as ir,
)
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.joulo.const import DOMAIN
from custom_components.joulo.sessions import queries
from tests.conftest import NOW
from tests.events import Told
from tests.factories import simulated_session
from tests.flows import submit as submit_token
from tests.home import Home
from tests.prices import set_price
from tests.simulator import (
    GARAGE_ID,
    OPRIT_ID,
    Fault,
    SimulatedAccount,
    SimulatedCharger,
    SimulatedCloud,
    SimulatedSession,
)
from tests.timing import DAY
from tests.vehicles import add_vehicle, open_form, submit

TAG = "04A3B2C1"
TAG_OF_ANOTHER = "0499B2C1"


@pytest.fixture
def account(account: SimulatedAccount) -> SimulatedAccount:
    """Return the recent account, in which two cards were used; with the second of them once."""
    garage = account.sessions_of(GARAGE_ID)
    for session in garage[:4]:
        session.tag = TAG
    garage[5].tag = TAG_OF_ANOTHER
    return account


def options(form: Any, field: str) -> dict[str, str]:
    """Return the labels of a form's choices, by value."""
    choices = form["data_schema"].schema[field].config["options"]
    return {choice["value"]: choice["label"] for choice in choices}


# The form


@pytest.mark.parametrize(
    ("language", "often", "once"),
    [
        ("en", "…3B2C1 · 4 sessions · last on ", "…9B2C1 · 1 session · on "),
        ("nl", "…3B2C1 · 4 sessies · laatst op ", "…9B2C1 · 1 sessie · op "),
    ],
)
async def test_the_form_offers_the_tags_of_the_history_by_their_ends(
    hass: HomeAssistant,
    home: Home,
    account: SimulatedAccount,
    language: str,
    often: str,
    once: str,
) -> None:
    """The two end alike, so as many characters are shown as tell them apart."""
    await home.read_all()
    hass.config.language = language
    await home.reload()
    form = await open_form(hass, home.entry)
    labels = options(form, "tags")
    assert labels[TAG].startswith(often)
    assert labels[TAG_OF_ANOTHER].startswith(once)
    assert not any(tag in label for tag in labels for label in labels.values())
    last = {
        tag: max(each.started_at for each in account.sessions if each.tag == tag) for tag in labels
    }
    assert list(labels) == sorted(labels, key=lambda tag: last[tag], reverse=True)
    assert options(form, "chargers")[GARAGE_ID] == "Garage"


async def test_tags_of_another_vehicle_stand_behind_the_others_with_its_name(
    hass: HomeAssistant, home: Home
) -> None:
    await home.read_all()
    zoe = await add_vehicle(hass, home.entry, tags=[TAG])
    *others, (tag, label) = options(await open_form(hass, home.entry), "tags").items()
    assert tag == TAG
    assert label.endswith(" · Zoe")
    assert not any("Zoe" in label for _, label in others)
    own = options(await open_form(hass, home.entry, zoe), "tags")
    assert not own[TAG].endswith("Zoe")


async def test_a_tag_is_known_however_it_is_written(hass: HomeAssistant, home: Home) -> None:
    await home.read_all()
    zoe = await add_vehicle(hass, home.entry, tags=["04:a3-b2 c1", TAG, " "])
    assert zoe.data == {"tags": [TAG], "chargers": []}
    assert home.number("sensor.zoe_total_energy") > 0


async def test_a_tag_that_was_never_used_is_offered_by_its_end(
    hass: HomeAssistant, home: Home
) -> None:
    zoe = await add_vehicle(hass, home.entry, tags=["NEVERUSED1234"])
    form = await open_form(hass, home.entry, zoe)
    assert options(form, "tags")["NEVERUSED1234"] == "…1234"


@pytest.mark.parametrize(
    ("name", "data", "field", "error"),
    [
        ("zoe", {}, "name", "name_taken"),
        (" Zoe ", {}, "name", "name_taken"),
        ("ID.3", {"tags": ["04:A3:B2:C1"]}, "tags", "tag_taken"),
        ("ID.3", {"chargers": [OPRIT_ID]}, "chargers", "charger_taken"),
    ],
)
async def test_what_another_vehicle_has_is_refused(
    hass: HomeAssistant, home: Home, name: str, data: dict[str, Any], field: str, error: str
) -> None:
    await add_vehicle(hass, home.entry, tags=[TAG], chargers=[OPRIT_ID])
    form = await submit(hass, await open_form(hass, home.entry), name, **data)
    assert form["errors"] == {field: error}
    assert form["description_placeholders"] == {"vehicle": "Zoe"}
    result = (
        await submit(hass, form, "ID.3", **data, since="2026-06-01") if field != "name" else form
    )
    assert (result["type"] is FlowResultType.CREATE_ENTRY) is (field != "name")


async def test_a_name_of_spaces_is_refused(hass: HomeAssistant, home: Home) -> None:
    form = await submit(hass, await open_form(hass, home.entry), "  ")
    assert form["errors"] == {"name": "name_taken"}


async def test_a_name_that_is_too_long_is_refused(hass: HomeAssistant, home: Home) -> None:
    form = await open_form(hass, home.entry)
    assert (await submit(hass, form, "Z" * 101))["errors"] == {"name": "name_too_long"}


async def test_a_tag_of_separators_is_none_and_a_day_may_have_one_digit(
    hass: HomeAssistant, home: Home
) -> None:
    zoe = await add_vehicle(hass, home.entry, tags=["-:-", TAG], since="2026-6-1")
    assert zoe.data == {"tags": [TAG], "chargers": [], "since": "2026-06-01"}
    assert home.entry.state is ConfigEntryState.LOADED


async def test_a_charger_that_is_gone_can_be_kept_or_taken_away(
    hass: HomeAssistant, home: Home, account: SimulatedAccount
) -> None:
    zoe = await add_vehicle(hass, home.entry, chargers=[OPRIT_ID])
    account.remove_charger(OPRIT_ID)
    await home.poll(3)
    form = await open_form(hass, home.entry, zoe)
    assert OPRIT_ID in options(form, "chargers")
    await submit(hass, form, "Zoe", chargers=[OPRIT_ID])
    assert home.entry.subentries[zoe.subentry_id].data["chargers"] == [OPRIT_ID]


async def test_without_the_history_there_is_nothing_to_choose_from(
    hass: HomeAssistant, home: Home
) -> None:
    await home.unload()
    form = await open_form(hass, home.entry)
    assert (form["type"], form["reason"]) == (FlowResultType.ABORT, "entry_not_loaded")


# What it shows


async def test_a_new_vehicle_has_its_whole_past_after_one_reload(
    hass: HomeAssistant, home: Home, account: SimulatedAccount, cloud: SimulatedCloud
) -> None:
    await home.read_all()
    cloud.forget_requests()
    await add_vehicle(hass, home.entry, tags=[TAG], chargers=[OPRIT_ID])
    own = [
        session
        for session in account.completed()
        if session.tag == TAG or (session.tag is None and session.charger_id == OPRIT_ID)
    ]
    assert home.number("sensor.zoe_total_energy") == pytest.approx(kwh(own), abs=0.01)
    newest = max(own, key=lambda session: session.started_at)
    assert home.number("sensor.zoe_last_session_energy") == pytest.approx(kwh([newest]), abs=0.01)
    name = account.charger(newest.charger_id).nickname
    assert home.state("sensor.zoe_last_session_charger") == name
    assert len([request for request in cloud.requests if request.path == "/chargers"]) <= 1
    assert cloud.refused() == []


async def test_vehicles_and_nobody_add_up_to_the_chargers(
    hass: HomeAssistant, home: Home, account: SimulatedAccount
) -> None:
    await home.read_all()
    await add_vehicle(hass, home.entry, tags=[TAG])
    await add_vehicle(hass, home.entry, "ID.3", chargers=[OPRIT_ID])
    nobodys = [
        session
        for session in account.completed()
        if session.tag != TAG and (session.tag is not None or session.charger_id != OPRIT_ID)
    ]
    vehicles = fsum(home.number(f"sensor.{name}_total_energy") for name in ("zoe", "id_3"))
    assert vehicles + kwh(nobodys) == pytest.approx(account.energy_total(), abs=0.01)


async def test_a_running_session_shows_where_the_vehicle_charges(
    hass: HomeAssistant, home: Home, account: SimulatedAccount
) -> None:
    await home.read_all()
    await add_vehicle(hass, home.entry, tags=[TAG])
    assert home.state("binary_sensor.zoe_charging") == "off"
    assert home.state("sensor.zoe_charger") == "unknown"
    account.start_session(GARAGE_ID, power_kw=7.4, tag=TAG)
    await home.poll(2)
    assert home.state("binary_sensor.zoe_charging") == "on"
    assert home.state("sensor.zoe_charger") == "Garage"
    assert home.state("sensor.garage_active_vehicle") == "Zoe"
    account.end_session(GARAGE_ID)
    await home.poll()
    assert home.state("sensor.garage_active_vehicle") == "unknown"
    await home.poll(11)
    assert home.state("sensor.garage_last_session_vehicle") == "Zoe"


async def test_a_card_that_is_told_a_poll_later_turns_the_vehicle_then(
    hass: HomeAssistant, home: Home, account: SimulatedAccount, told: Told
) -> None:
    await home.read_all()
    await add_vehicle(hass, home.entry, tags=[TAG])
    session = account.start_session(GARAGE_ID, power_kw=7.4)
    await home.poll()
    assert home.state("sensor.garage_active_vehicle") == "unknown"
    assert home.state("binary_sensor.zoe_charging") == "off"
    session.tag = TAG
    await home.poll()
    assert home.state("sensor.garage_active_vehicle") == "Zoe"
    assert home.state("binary_sensor.zoe_charging") == "on"
    await home.poll(10)
    account.end_session(GARAGE_ID)
    await home.poll(12)
    assert [event["vehicle"] for event in told] == [None, "Zoe"]


async def test_one_card_at_two_chargers_counts_at_both_and_the_later_one_is_named(
    hass: HomeAssistant, home: Home, account: SimulatedAccount
) -> None:
    await home.read_all()
    await add_vehicle(hass, home.entry, tags=[TAG])
    before = home.number("sensor.zoe_total_energy")
    for charger_id in (GARAGE_ID, OPRIT_ID):
        account.start_session(charger_id, power_kw=10, tag=TAG)
        await home.poll(5)
    assert home.state("sensor.zoe_charger") == "Oprit"
    both = [home.number(f"sensor.{name}_session_energy") for name in ("garage", "oprit")]
    assert min(both) > 0
    assert home.number("sensor.zoe_total_energy") == pytest.approx(before + fsum(both))
    account.end_session(OPRIT_ID)
    await home.poll()
    assert home.state("sensor.zoe_charger") == "Garage"
    assert home.state("binary_sensor.zoe_charging") == "on"


async def test_a_day_begins_at_midnight_on_the_clock_on_the_wall(
    hass: HomeAssistant, new_home: Home, account: SimulatedAccount
) -> None:
    """A card that moves to the next car on 1 June: 31 May 23:59 is the old one's, 1 June 00:00 the new one's."""
    await hass.config.async_set_time_zone("Europe/Amsterdam")
    last, first = (
        account.record_session(
            simulated_session(NOW.replace(month=5, day=31, hour=hour, minute=minute), tag="CARD")
        )
        for hour, minute in ((21, 59), (22, 0))
    )
    home = new_home
    await home.set_up()
    await home.read_all()
    await add_vehicle(hass, home.entry, "Old", tags=["CARD"])
    await add_vehicle(hass, home.entry, "New", tags=["CARD"], since="2026-06-01")
    vehicles = {row["session_id"]: row["vehicle"] for row in await home.sessions()}
    assert (vehicles[last.id], vehicles[first.id]) == ("Old", "New")


async def test_a_charger_has_no_vehicle_before_there_is_one(home: Home) -> None:
    assert home.hass.states.get("sensor.garage_active_vehicle") is None


async def test_an_update_of_a_vehicle_by_hand_asks_nothing_and_clears_no_issue(
    hass: HomeAssistant, home: Home, cloud: SimulatedCloud
) -> None:
    """It shows what the others have read: a permission that those lack is still missing."""
    await add_vehicle(hass, home.entry, tags=[TAG])
    assert await async_setup_component(hass, "homeassistant", {})
    cloud.fail("/chargers", Fault.FORBIDDEN)
    await home.poll()
    (missing,) = [each for each in home.issues() if each.translation_key == "missing_scope"]
    cloud.forget_requests()
    data = {"entity_id": "sensor.zoe_total_energy"}
    await hass.services.async_call("homeassistant", "update_entity", data, blocking=True)
    assert missing in home.issues()
    assert cloud.requests == []
    assert home.state("binary_sensor.zoe_charging") == "unavailable"
    assert home.state("sensor.zoe_total_energy") != "unavailable"


# The device


async def test_a_vehicle_stays_however_often_the_chargers_are_polled(
    hass: HomeAssistant, home: Home, account: SimulatedAccount
) -> None:
    await home.read_all()
    zoe = await add_vehicle(hass, home.entry, tags=[TAG])
    account.remove_charger(OPRIT_ID)
    await home.poll(10)
    registry = dr.async_get(hass)
    device = registry.async_get_device_by_identifier(
        (DOMAIN, f"vehicle_{zoe.subentry_id}"), home.entry.entry_id
    )
    assert device is not None
    assert device.config_subentry_id == zoe.subentry_id
    assert not registry.async_get_device_by_identifier((DOMAIN, OPRIT_ID), home.entry.entry_id)


async def test_a_vehicle_goes_with_its_subentry(hass: HomeAssistant, home: Home) -> None:
    zoe = await add_vehicle(hass, home.entry, tags=[TAG])
    hass.config_entries.async_remove_subentry(home.entry, zoe.subentry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    entities = er.async_entries_for_config_entry(er.async_get(hass), home.entry.entry_id)
    assert not [each for each in entities if each.unique_id.startswith("vehicle_")]
    assert hass.states.get("sensor.zoe_total_energy") is None


async def test_a_change_reloads_once(
    hass: HomeAssistant, home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    zoe = await add_vehicle(hass, home.entry, tags=[TAG])
    history = home.entry.runtime_data.history
    form = await open_form(hass, home.entry, zoe)
    await submit(hass, form, "Zoe R110", tags=[TAG])
    assert home.entry.runtime_data.history is not history
    history = home.entry.runtime_data.history
    hass.config_entries.async_update_entry(home.entry, unique_id="told later")
    await hass.async_block_till_done(wait_background_tasks=True)
    assert home.entry.runtime_data.history is history, "nothing that set-up depends on"
    assert "update listener" not in caplog.text


@pytest.mark.parametrize("has_vehicle", [True, False])
@pytest.mark.parametrize("change", ["options", "reauth", "reconfigure"])
async def test_each_way_to_change_an_entry_reloads_it_once(
    hass: HomeAssistant,
    home: Home,
    caplog: pytest.LogCaptureFixture,
    change: str,
    *,
    has_vehicle: bool,
) -> None:
    if has_vehicle:
        await add_vehicle(hass, home.entry, tags=[TAG])
    loaded: list[ConfigEntryState] = []
    home.entry.async_on_state_change(lambda: loaded.append(home.entry.state))
    if change == "options":
        await set_price(hass, home.entry, fixed_price=0.25)
    else:
        token = home.cloud.account.rotate_token()
        is_reauth = change == "reauth"
        flow = home.entry.start_reauth_flow if is_reauth else home.entry.start_reconfigure_flow
        url = None if is_reauth else home.entry.data[CONF_URL]
        await submit_token(hass, await flow(hass), url, token)
    assert loaded.count(ConfigEntryState.LOADED) == 1
    assert "custom integration 'joulo'" not in caplog.text, "a report of what is used wrongly"


def kwh(sessions: list[SimulatedSession]) -> float:
    """Return what sessions have delivered by Joulo's books."""
    return fsum(
        float(session.kwh_at(session.started_at + timedelta(days=9))) for session in sessions
    )


# By hand


async def assign(hass: HomeAssistant, **data: Any) -> Any:
    """Call the action, and let what follows happen."""
    answer = await hass.services.async_call(
        DOMAIN, "assign_session", data, blocking=True, return_response=True
    )
    await hass.async_block_till_done(wait_background_tasks=True)
    return answer


def device_id(hass: HomeAssistant, entry: MockConfigEntry, identifier: str) -> str:
    """Return the id of a device."""
    device = dr.async_get(hass).async_get_device_by_identifier((DOMAIN, identifier), entry.entry_id)
    assert device is not None
    return device.id


async def test_a_running_session_can_be_assigned_and_stays_so_after_a_restart(
    hass: HomeAssistant, home: Home, account: SimulatedAccount
) -> None:
    await home.read_all()
    await add_vehicle(hass, home.entry, tags=[TAG])
    id3 = await add_vehicle(hass, home.entry, "ID.3")
    session = account.start_session(GARAGE_ID, power_kw=7.4, tag=TAG)
    await home.poll(2)
    garage = device_id(hass, home.entry, GARAGE_ID)
    vehicle = device_id(hass, home.entry, f"vehicle_{id3.subentry_id}")
    answer = await assign(hass, device_id=garage, vehicle=vehicle)
    assert answer == {"session_id": session.id, "vehicle": "ID.3"}
    assert home.state("sensor.garage_active_vehicle") == "ID.3"
    assert home.state("binary_sensor.id_3_charging") == "on"
    assert home.state("calendar.id_3_charging_sessions") == "on"
    assert home.state("binary_sensor.zoe_charging") == "off"

    await home.restart(away=70)
    assert home.state("sensor.garage_active_vehicle") == "ID.3"
    answer = await assign(hass, session_id=session.id)
    assert answer == {"session_id": session.id, "vehicle": None}
    assert home.state("sensor.garage_active_vehicle") == "unknown"


async def test_what_was_said_by_hand_survives_a_crash_a_moment_later(
    hass: HomeAssistant, home: Home, account: SimulatedAccount
) -> None:
    await home.read_all()
    session = account.sessions_of(GARAGE_ID)[0]
    await assign(hass, session_id=session.id)
    await home.restart(away=70, crash=True)
    assert home.entry.runtime_data.history.state.fleet.assigned == {session.id: ""}


async def test_a_sum_of_values_stays_known_while_a_session_runs(
    hass: HomeAssistant, home: Home, account: SimulatedAccount
) -> None:
    await home.read_all()
    await add_vehicle(hass, home.entry, tags=["NEW"])
    account.start_session(GARAGE_ID, tag="NEW")
    await home.poll(3)
    assert home.number("sensor.zoe_energy_this_month") > 0
    assert home.number("sensor.zoe_value_this_month") == 0


async def test_by_hand_counts_as_long_as_the_vehicle_exists(
    hass: HomeAssistant, home: Home, account: SimulatedAccount
) -> None:
    await home.read_all()
    await add_vehicle(hass, home.entry, tags=[TAG])
    id3 = await add_vehicle(hass, home.entry, "ID.3")
    before = home.number("sensor.zoe_total_energy")
    session = next(each for each in account.completed() if each.tag == TAG)
    vehicle = device_id(hass, home.entry, f"vehicle_{id3.subentry_id}")
    await assign(hass, session_id=session.id, vehicle=vehicle)
    assert home.number("sensor.id_3_total_energy") == pytest.approx(kwh([session]), abs=0.01)
    assert home.number("sensor.zoe_total_energy") < before
    hass.config_entries.async_remove_subentry(home.entry, id3.subentry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert home.number("sensor.zoe_total_energy") == before


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ({}, "one_of_both"),
        ({"session_id": "s", "device_id": "garage"}, "one_of_both"),
        ({"session_id": "s"}, "unknown_session"),
        ({"device_id": "zoe"}, "not_a_charger"),
        ({"device_id": "garage", "vehicle": "garage"}, "not_a_vehicle"),
        ({"device_id": "new"}, "no_session"),
    ],
)
async def test_what_cannot_be_assigned_is_refused_in_words(
    hass: HomeAssistant,
    home: Home,
    account: SimulatedAccount,
    data: dict[str, str],
    error: str,
) -> None:
    await home.read_all()
    zoe = await add_vehicle(hass, home.entry, tags=[TAG])
    new = account.add_charger(SimulatedCharger(nickname="New"))
    await home.poll()
    identifiers = {"garage": GARAGE_ID, "zoe": f"vehicle_{zoe.subentry_id}", "new": new.id}
    named = {
        key: device_id(hass, home.entry, identifiers[value]) if value in identifiers else value
        for key, value in data.items()
    }
    with pytest.raises(ServiceValidationError) as raised:
        await assign(hass, **named)
    assert raised.value.translation_key == error


# Rows and events


async def test_rows_and_events_name_the_vehicle(
    hass: HomeAssistant, home: Home, account: SimulatedAccount, told: Told
) -> None:
    await home.read_all()
    zoe = await add_vehicle(hass, home.entry, tags=[TAG])
    account.start_session(GARAGE_ID, power_kw=7.4, tag=TAG)
    await home.poll(10)
    account.end_session(GARAGE_ID)
    await home.poll(12)
    assert [event["vehicle"] for event in told] == ["Zoe", "Zoe"]
    vehicle = device_id(hass, home.entry, f"vehicle_{zoe.subentry_id}")
    answer: Any = await hass.services.async_call(
        DOMAIN, "get_sessions", {"device_id": vehicle}, blocking=True, return_response=True
    )
    own = [session for session in account.completed() if session.tag == TAG]
    assert {row["session_id"] for row in answer["sessions"]} == {session.id for session in own}
    assert {row["vehicle"] for row in answer["sessions"]} == {"Zoe"}
    by_tag: Any = await hass.services.async_call(
        DOMAIN, "get_sessions", {"tag_id": "04:a3:b2:c1"}, blocking=True, return_response=True
    )
    assert by_tag == answer


async def test_the_account_is_no_charger_and_no_vehicle(hass: HomeAssistant, home: Home) -> None:
    await home.read_all()
    with pytest.raises(ServiceValidationError) as caught:
        await hass.services.async_call(
            DOMAIN,
            "get_sessions",
            {"device_id": device_id(hass, home.entry, home.entry.entry_id)},
            blocking=True,
            return_response=True,
        )
    assert str(caught.value) == (
        "Joulo is not a charger or vehicle of this Joulo account. Choose one of its chargers or vehicles"
    )


async def test_a_name_that_a_spreadsheet_would_run_is_defused(
    hass: HomeAssistant, home: Home
) -> None:
    await home.read_all()
    await add_vehicle(hass, home.entry, "=1+1", tags=[TAG])
    answer: Any = await hass.services.async_call(
        DOMAIN,
        "get_sessions",
        {"format": "csv", "tag_id": TAG},
        blocking=True,
        return_response=True,
    )
    _, *lines, _ = answer["csv"].splitlines()
    assert {line.split(",")[4] for line in lines} == {"'=1+1"}


async def test_the_calendar_of_a_vehicle_names_the_charger(
    hass: HomeAssistant, home: Home, account: SimulatedAccount
) -> None:
    await home.read_all()
    await add_vehicle(hass, home.entry, tags=[TAG])
    session = next(each for each in account.completed() if each.tag == TAG)
    answer: Any = await hass.services.async_call(
        "calendar",
        "get_events",
        {
            "entity_id": "calendar.zoe_charging_sessions",
            "start_date_time": session.started_at,
            "end_date_time": session.ends_at,
        },
        blocking=True,
        return_response=True,
    )
    (event,) = answer["calendar.zoe_charging_sessions"]["events"]
    assert event["summary"] == f"{float(kwh([session])):.2f} kWh · Garage"


# Whose card is this?


def asked_about(hass: HomeAssistant) -> list[ir.IssueEntry]:
    """Return the issues of cards that no vehicle has."""
    issues = ir.async_get(hass).issues.values()
    return [issue for issue in issues if issue.translation_key == "unknown_tag" and issue.active]


async def answer(client: Any, issue: ir.IssueEntry, *answers: dict[str, str]) -> Any:
    """Open the fix flow of an issue, and submit one form after the other."""
    url = "/api/repairs/issues/fix"
    result = await (
        await client.post(url, json={"handler": DOMAIN, "issue_id": issue.issue_id})
    ).json()
    for each in answers:
        result = await (await client.post(f"{url}/{result['flow_id']}", json=each)).json()
    return result


@pytest.fixture
async def asked(hass: HomeAssistant, home: Home) -> ir.IssueEntry:
    """Add a vehicle with all cards but one; return the issue of that one."""
    await home.read_all()
    assert asked_about(hass) == [], "without a vehicle nobody is asked"
    assert await async_setup_component(hass, "repairs", {})
    state = home.entry.runtime_data.history.state
    others = [use.tag for use in queries.tag_uses(state) if use.tag != TAG]
    await add_vehicle(hass, home.entry, tags=others)
    (issue,) = asked_about(hass)
    return issue


async def test_a_card_that_no_vehicle_has_is_asked_about_by_its_end(
    hass: HomeAssistant, home: Home, asked: ir.IssueEntry
) -> None:
    words = asked.translation_placeholders
    assert words is not None
    assert words == {"tag": "3B2C1", "charger": "Garage", "last": words["last"], "sessions": "4"}
    assert TAG not in str(asked)
    assert TAG.casefold() not in str(asked)
    await home.hours(2)
    assert len(asked_about(hass)) == 1


async def test_a_card_is_given_to_a_vehicle_that_there_is(
    hass: HomeAssistant,
    home: Home,
    asked: ir.IssueEntry,
    hass_client: ClientSessionGenerator,
) -> None:
    client = await hass_client()
    (zoe,) = home.entry.subentries.values()
    form = await answer(client, asked)
    assert form["step_id"] == "assign"
    result = await answer(client, asked, {"vehicle": zoe.subentry_id})
    await hass.async_block_till_done(wait_background_tasks=True)
    assert result["type"] == "create_entry"
    assert TAG in home.entry.subentries[zoe.subentry_id].data["tags"]
    assert asked_about(hass) == []


async def test_a_card_is_given_to_a_new_vehicle(
    hass: HomeAssistant,
    home: Home,
    account: SimulatedAccount,
    asked: ir.IssueEntry,
    hass_client: ClientSessionGenerator,
) -> None:
    client = await hass_client()
    form = await answer(client, asked, {"vehicle": "new_vehicle"}, {"name": "zoe"})
    assert form["errors"] == {"name": "name_taken"}
    await answer(client, asked, {"vehicle": "new_vehicle"}, {"name": "ID.3"})
    await hass.async_block_till_done(wait_background_tasks=True)
    own = [session for session in account.completed() if session.tag == TAG]
    assert home.number("sensor.id_3_total_energy") == pytest.approx(kwh(own), abs=0.01)
    assert asked_about(hass) == []


async def test_a_card_that_was_not_used_for_a_month_is_not_asked_about(
    hass: HomeAssistant, home: Home, asked: ir.IssueEntry
) -> None:
    await home.wait(31 * DAY)
    await home.hours()
    assert asked_about(hass) == []


async def test_a_notice_that_is_ignored_stays_so_after_a_restart(
    hass: HomeAssistant, home: Home, asked: ir.IssueEntry
) -> None:
    ir.async_ignore_issue(hass, DOMAIN, asked.issue_id, ignore=True)
    await home.restart(away=70)
    (issue,) = asked_about(hass)
    assert issue.dismissed_version is not None
