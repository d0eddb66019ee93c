"""The actions: what sessions came to, and how a new charger is registered."""

import csv
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO
import json
from pathlib import Path
from typing import Any

from homeassistant.config_entries import SOURCE_REAUTH
from homeassistant.const import CONF_TOKEN, CONF_URL
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.selector import validate_selector
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from homeassistant.util.yaml import load_yaml_dict
import probatio
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.joulo.api import ChargingSession
from custom_components.joulo.const import DOMAIN
from custom_components.joulo.services import DEAREST_KWH, GET_SESSIONS, REGISTER_CHARGER
from custom_components.joulo.sessions import transitions
from tests.conftest import NOW, Advance
from tests.simulator import (
    GARAGE_ID,
    OPRIT_ID,
    Fault,
    SimulatedAccount,
    SimulatedCharger,
    SimulatedCloud,
    SimulatedSession,
)

TAG = "DEADBEEF12345678"
POLL = 61
HOUR = timedelta(hours=1)

type Answer = dict[str, Any]


async def call(hass: HomeAssistant, action: str, **data: Any) -> Answer:
    """Perform an action and return its answer."""
    answer = await hass.services.async_call(
        DOMAIN, action, data, blocking=True, return_response=True
    )
    assert isinstance(answer, dict)
    return answer


async def get(hass: HomeAssistant, **data: Any) -> Answer:
    """Get sessions."""
    return await call(hass, "get_sessions", **data)


async def refusal(hass: HomeAssistant, action: str = "get_sessions", **data: Any) -> str:
    """Perform an action that cannot be, and return what the user is told."""
    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, action, **data)
    return str(caught.value)


def ids(answer: Answer) -> list[str]:
    """Return the ids of the sessions in an answer."""
    return [row["session_id"] for row in answer["sessions"]]


def device_id(hass: HomeAssistant, entry: MockConfigEntry, identifier: str = GARAGE_ID) -> str:
    """Return the device of a charger, or of the account."""
    device = dr.async_get(hass).async_get_device_by_identifier((DOMAIN, identifier), entry.entry_id)
    assert device is not None
    return device.id


def booked(account: SimulatedAccount, charger_id: str | None = None) -> list[SimulatedSession]:
    """Return the completed sessions in the books, oldest first."""
    return list(account.completed(charger_id))[::-1]


def value_of(account: SimulatedAccount, session: SimulatedSession) -> float:
    """Return what a session pays out by the books, in EUR."""
    if not account.charger(session.charger_id).mid_certified:
        return 0.0
    ere = float(session.ere_at(NOW) or 0)
    return round(ere * account.ere_price_mid * (1 - account.effective_fee_pct / 100), 2)


def record(
    account: SimulatedAccount, start: datetime, *, tag: str | None = None, power_kw: float = 10
) -> SimulatedSession:
    """Enter a session of an hour on the garage's charger in the books."""
    return account.record_session(
        SimulatedSession(
            charger_id=GARAGE_ID, started_at=start, ends_at=start + HOUR, power_kw=power_kw, tag=tag
        )
    )


@pytest.fixture
async def known(joulo: MockConfigEntry, cloud: SimulatedCloud, advance: Advance) -> MockConfigEntry:
    """Return the entry, set up, with all sessions read, and a new record of requests."""
    for _ in range(6):
        await advance(7)
    cloud.forget_requests()
    return joulo


@pytest.fixture
async def second(
    hass: HomeAssistant, known: MockConfigEntry, cloud: SimulatedCloud
) -> MockConfigEntry:
    """Return the entry of a second account, set up."""
    account = SimulatedAccount(token="joulo_second")
    account.add_charger(SimulatedCharger(nickname="Elsewhere"))
    cloud.accounts.append(account)
    data = {CONF_URL: known.data[CONF_URL], CONF_TOKEN: account.token}
    entry = MockConfigEntry(domain=DOMAIN, title="Second", data=data)
    entry.add_to_hass(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    cloud.forget_requests()
    return entry


# What the sessions came to


async def test_every_completed_session_is_told_as_the_books_have_it_and_nobody_is_asked(
    hass: HomeAssistant, account: SimulatedAccount, cloud: SimulatedCloud, known: MockConfigEntry
) -> None:
    rows = (await get(hass))["sessions"]
    for row, session in zip(rows, booked(account), strict=True):
        charger = account.charger(session.charger_id)
        ere = session.ere_at(NOW)
        assert row["session_id"] == session.id
        assert row["charger_id"] == charger.id
        assert row["charger_name"] == charger.nickname
        assert datetime.fromisoformat(row["started_at"]) == session.started_at
        assert datetime.fromisoformat(row["ended_at"]) == session.ends_at
        assert row["energy_kwh"] == float(session.kwh_at(NOW))
        assert row["ere_credits"] == (0.0 if ere is None else float(ere))
        assert row["value_eur"] == pytest.approx(value_of(account, session), abs=0.005)
        assert row["tag_id"] == session.tag
        assert row["status"] == "completed"
        assert row["cost_eur"] is None
    assert cloud.requests == []


async def test_the_totals_are_those_of_the_books(
    hass: HomeAssistant, account: SimulatedAccount, known: MockConfigEntry
) -> None:
    answer = await get(hass)
    totals = answer["totals"]
    assert totals == {
        "sessions": account.session_total(),
        "energy_kwh": account.energy_total(),
        "ere_credits": account.ere_total(),
        "value_eur": pytest.approx(sum(row["value_eur"] for row in answer["sessions"])),
        "cost_eur": None,
    }
    assert "csv" not in answer


async def test_an_answer_has_exactly_these_figures(
    hass: HomeAssistant, account: SimulatedAccount, entry: MockConfigEntry
) -> None:
    session = record(account, NOW - 2 * HOUR, tag=TAG, power_kw=12.34)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    answer = await get(hass, start="2026-06-15", price_per_kwh=0.25)
    assert json.loads(json.dumps(answer)) == {
        "sessions": [
            {
                "session_id": session.id,
                "charger_id": GARAGE_ID,
                "charger_name": "Garage",
                "status": "completed",
                "started_at": "2026-06-15T10:00:00+00:00",
                "ended_at": "2026-06-15T11:00:00+00:00",
                "energy_kwh": 12.34,
                "ere_credits": 4.11,
                "value_eur": 1.63,
                "cost_eur": 3.09,
                "duration_minutes": 60.0,
                "average_power_kw": 12.34,
                "tag_id": TAG,
            }
        ],
        "totals": {
            "sessions": 1,
            "energy_kwh": 12.34,
            "ere_credits": 4.11,
            "value_eur": 1.63,
            "cost_eur": 3.09,
        },
    }


async def test_a_cost_is_rounded_as_on_a_bill_and_the_total_adds_what_the_rows_show(
    hass: HomeAssistant, account: SimulatedAccount, known: MockConfigEntry
) -> None:
    answer = await get(hass, price_per_kwh=0.245)
    costs = [
        (session.kwh_at(NOW) * Decimal("0.245")).quantize(Decimal("0.01"), "ROUND_HALF_UP")
        for session in booked(account)
    ]
    assert [row["cost_eur"] for row in answer["sessions"]] == [float(cost) for cost in costs]
    assert answer["totals"]["cost_eur"] == float(sum(costs))


async def test_a_charger_can_be_asked_for(
    hass: HomeAssistant, account: SimulatedAccount, known: MockConfigEntry
) -> None:
    for named in ({}, {"config_entry_id": known.entry_id}):
        answer = await get(hass, device_id=device_id(hass, known), **named)
        assert ids(answer) == [session.id for session in booked(account, GARAGE_ID)]


async def test_a_charger_has_the_name_that_the_user_gave_it(
    hass: HomeAssistant, known: MockConfigEntry
) -> None:
    garage = device_id(hass, known)
    dr.async_get(hass).async_update_device(garage, name_by_user="Carport")
    rows = (await get(hass, device_id=garage))["sessions"]
    assert {row["charger_name"] for row in rows} == {"Carport"}


async def test_the_sessions_of_a_charger_that_has_gone_are_still_there(
    hass: HomeAssistant, account: SimulatedAccount, known: MockConfigEntry, advance: Advance
) -> None:
    before = await get(hass)
    account.remove_charger(GARAGE_ID)
    for _ in range(2):
        await advance(POLL)
    assert (await get(hass))["sessions"] == before["sessions"]


async def test_a_tag_can_be_asked_for(
    hass: HomeAssistant, account: SimulatedAccount, known: MockConfigEntry
) -> None:
    expected = [session.id for session in booked(account) if session.tag == TAG]
    assert ids(await get(hass, tag_id=TAG)) == expected
    assert expected


@pytest.mark.parametrize("zone", ["Europe/Amsterdam", "America/New_York", "Asia/Kolkata"])
async def test_a_bare_day_is_one_of_home_assistants_zone_and_as_an_end_is_included(
    hass: HomeAssistant, account: SimulatedAccount, known: MockConfigEntry, zone: str
) -> None:
    await hass.config.async_set_time_zone(zone)
    first, last = date(2026, 3, 28), date(2026, 4, 30)
    expected = [
        session.id
        for session in booked(account)
        if first <= dt_util.as_local(session.started_at).date() <= last
    ]
    assert ids(await get(hass, start=first, end=last)) == expected
    assert ids(await get(hass, start="2026-03-28", end="2026-04-30")) == expected
    assert expected


async def test_a_start_is_included_and_an_end_with_a_time_is_not(
    hass: HomeAssistant, account: SimulatedAccount, known: MockConfigEntry
) -> None:
    *_, earlier, later = booked(account)
    period = {"start": earlier.started_at, "end": later.started_at}
    assert ids(await get(hass, **period)) == [earlier.id]
    assert ids(await get(hass, start=later.started_at.isoformat())) == [later.id]


async def test_a_time_without_a_zone_is_local(
    hass: HomeAssistant, account: SimulatedAccount, known: MockConfigEntry
) -> None:
    await hass.config.async_set_time_zone("Europe/Amsterdam")
    *_, session = booked(account)
    local = dt_util.as_local(session.started_at).replace(tzinfo=None)
    assert ids(await get(hass, start=f"{local}")) == [session.id]
    assert ids(await get(hass, start=local + timedelta(seconds=1))) == []


async def test_a_day_that_is_its_own_end_is_a_whole_day(
    hass: HomeAssistant, account: SimulatedAccount, known: MockConfigEntry
) -> None:
    *_, session = booked(account)
    day = dt_util.as_local(session.started_at).date()
    assert session.id in ids(await get(hass, start=day, end=day))


async def test_all_of_time_can_be_asked_for(
    hass: HomeAssistant, account: SimulatedAccount, known: MockConfigEntry
) -> None:
    answer = await get(hass, start="0001-01-01", end="9999-12-31")
    assert answer["totals"]["sessions"] == account.session_total()


async def test_a_session_is_told_once_joulo_lists_its_end(
    hass: HomeAssistant, account: SimulatedAccount, known: MockConfigEntry, advance: Advance
) -> None:
    session = account.start_session(GARAGE_ID)
    await advance(POLL)
    assert session.id not in ids(await get(hass))
    account.end_session(GARAGE_ID)
    await advance(POLL)
    assert session.id not in ids(await get(hass))
    await advance(601)
    assert ids(await get(hass))[-1] == session.id


async def test_what_is_unknown_is_null_in_a_row_and_left_out_of_a_total(
    hass: HomeAssistant, known: MockConfigEntry
) -> None:
    start = NOW - HOUR
    strange = ChargingSession(
        id="strange", charger_id=GARAGE_ID, started_at=start, ended_at=start - HOUR
    )
    known.runtime_data.history.async_update(transitions.upsert_listed, [strange])
    answer = await get(hass, start=start, price_per_kwh=0.25)
    (row,) = answer["sessions"]
    unknown = ("energy_kwh", "ere_credits", "duration_minutes", "average_power_kw", "cost_eur")
    assert {row[figure] for figure in (*unknown, "status", "tag_id")} == {None}
    assert row["charger_name"] == "Garage"
    assert (answer["totals"]["sessions"], answer["totals"]["energy_kwh"]) == (1, None)
    with_others = await get(hass, price_per_kwh=0.25)
    assert with_others["totals"]["energy_kwh"] > 1000
    assert with_others["totals"]["cost_eur"] > 250


async def test_without_sessions_the_totals_are_zero(
    hass: HomeAssistant, known: MockConfigEntry
) -> None:
    answer = await get(hass, start=NOW, price_per_kwh=0.25)
    assert answer["sessions"] == []
    assert set(answer["totals"].values()) == {0}


# The statement


def parsed(answer: Answer, delimiter: str) -> list[list[str]]:
    """Return the lines of a statement."""
    return list(csv.reader(StringIO(answer["csv"], newline=""), delimiter=delimiter, strict=True))


HEADINGS = {
    "en": "Start,End,Duration (minutes),Charger,RFID tag,Energy (kWh),Cost (EUR),ERE credits,"
    "ERE value (EUR),Session",
    "nl": "Begin;Einde;Duur (minuten);Laadpaal;RFID-tag;Energie (kWh);Kosten (EUR);ERE-credits;"
    "ERE-waarde (EUR);Sessie",
}


@pytest.mark.parametrize(
    ("language", "delimiter", "mark", "total"),
    [("en", ",", ".", "Total"), ("nl", ";", ",", "Totaal")],
)
async def test_a_statement_holds_the_books_in_the_users_language(
    hass: HomeAssistant,
    account: SimulatedAccount,
    known: MockConfigEntry,
    language: str,
    delimiter: str,
    mark: str,
    total: str,
) -> None:
    await hass.config.async_set_time_zone("Europe/Amsterdam")
    hass.config.language = language

    def number(text: str) -> Decimal:
        whole, fraction = text.split(mark)
        return Decimal(f"{whole}.{fraction}")

    answer = await get(hass, format="csv", price_per_kwh=0.245)
    assert answer["csv"].splitlines()[0] == HEADINGS[language]
    _, *lines, last = parsed(answer, delimiter)
    for line, session in zip(lines, booked(account), strict=True):
        start, end, minutes, charger, tag, energy, _, ere, _, session_id = line
        zone = dt_util.get_default_time_zone()
        assert datetime.fromisoformat(start).replace(tzinfo=zone).astimezone(UTC) in {
            session.started_at,
            session.started_at - HOUR,
        }, "of the two hours that share a name in October, the first"
        assert session.ends_at is not None
        assert end == f"{dt_util.as_local(session.ends_at):%Y-%m-%d %H:%M:%S}"
        lasted = (session.ends_at - session.started_at).total_seconds() / 60
        assert float(number(minutes)) == pytest.approx(lasted, abs=0.051)
        assert charger == account.charger(session.charger_id).nickname
        assert tag == (session.tag or "")
        assert number(energy) == session.kwh_at(NOW)
        assert number(ere) == (session.ere_at(NOW) or 0)
        assert session_id == session.id
    assert last[:5] == [total, "", "", "", ""]
    assert number(last[5]) == Decimal(str(account.energy_total()))
    for column in (5, 6, 7, 8):
        assert sum(number(line[column]) for line in lines) == number(last[column])


async def test_without_a_price_a_statement_has_no_costs(
    hass: HomeAssistant, known: MockConfigEntry
) -> None:
    _, *lines = parsed(await get(hass, format="csv"), ",")
    assert {line[6] for line in lines} == {""}


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+31 6", "'+31 6"),
        ("-2", "'-2"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1+1", "\t'=1+1"),
        ("\r=1+1", "\r'=1+1"),
        ("Garage;=1+1", "Garage;'=1+1"),
        ('Garage;"=1+1', "Garage;\"'=1+1"),
        ("Garage, @SUM(A1)", "Garage, '@SUM(A1)"),
        ('Garage, "links"; 1+1', 'Garage, "links"; 1+1'),
        ("Garage", "Garage"),
    ],
)
@pytest.mark.parametrize(("language", "delimiter"), [("en", ","), ("nl", ";")])
async def test_a_spreadsheet_runs_nothing(
    hass: HomeAssistant,
    known: MockConfigEntry,
    name: str,
    cell: str,
    language: str,
    delimiter: str,
) -> None:
    hass.config.language = language
    garage = device_id(hass, known)
    dr.async_get(hass).async_update_device(garage, name_by_user=name)
    answer = await get(hass, format="csv", device_id=garage)
    assert {row["charger_name"] for row in answer["sessions"]} == {name}
    _, *lines, _ = parsed(answer, delimiter)
    assert {line[3] for line in lines} == {cell}


# What cannot be answered


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-06-02", "2026-06-01"),
        ("2026-06-02 12:00", "2026-06-02 11:59"),
        ("2026-06-02 12:00", "2026-06-02 12:00"),
    ],
)
async def test_a_period_in_which_nothing_can_start_is_refused(
    hass: HomeAssistant, known: MockConfigEntry, start: str, end: str
) -> None:
    told = await refusal(hass, start=start, end=end)
    assert told == "The end does not lie after the start. Choose a later end"


async def test_the_account_itself_is_no_charger(
    hass: HomeAssistant, known: MockConfigEntry
) -> None:
    told = await refusal(hass, device_id=device_id(hass, known, known.entry_id))
    assert told.startswith("Joulo is not a charger of this Joulo account.")


async def test_a_charger_of_another_account_is_refused(
    hass: HomeAssistant, known: MockConfigEntry, second: MockConfigEntry
) -> None:
    told = await refusal(hass, device_id=device_id(hass, known), config_entry_id=second.entry_id)
    assert told.startswith("Garage is not a charger of this Joulo account.")


async def test_a_device_that_is_not_joulos_is_refused(
    hass: HomeAssistant, known: MockConfigEntry
) -> None:
    other = MockConfigEntry(domain="other")
    other.add_to_hass(hass)
    device = dr.async_get(hass).async_get_or_create(
        config_entry_id=other.entry_id, identifiers={("other", GARAGE_ID)}, name="Lamp"
    )
    assert "Lamp" in await refusal(hass, device_id=device.id)
    assert "nowhere" in await refusal(hass, device_id="nowhere")


@pytest.mark.parametrize(
    ("action", "data"), [("get_sessions", {}), ("register_charger", {"nickname": "Carport"})]
)
async def test_of_several_accounts_one_has_to_be_named(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    known: MockConfigEntry,
    second: MockConfigEntry,
    action: str,
    data: dict[str, str],
) -> None:
    assert "multiple" in (await refusal(hass, action, **data)).lower()
    assert cloud.requests == []


async def test_each_account_answers_for_itself(
    hass: HomeAssistant, account: SimulatedAccount, known: MockConfigEntry, second: MockConfigEntry
) -> None:
    assert ids(await get(hass, config_entry_id=second.entry_id)) == []
    answer = await get(hass, config_entry_id=known.entry_id)
    assert answer["totals"]["sessions"] == account.session_total()


@pytest.mark.parametrize(
    ("action", "data"), [("get_sessions", {}), ("register_charger", {"nickname": "Carport"})]
)
async def test_an_account_that_is_not_loaded_cannot_answer(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    known: MockConfigEntry,
    action: str,
    data: dict[str, str],
) -> None:
    await hass.config_entries.async_unload(known.entry_id)
    for named in ({}, {"config_entry_id": known.entry_id}):
        assert "not loaded" in await refusal(hass, action, **data, **named)
    assert "unknown" in await refusal(hass, action, **data, config_entry_id="unknown")
    assert cloud.requests == []


@pytest.mark.parametrize(
    "data",
    [
        {"start": "yesterday"},
        {"end": "2026-02-30"},
        {"end": 20260630},
        {"price_per_kwh": -0.01},
        {"price_per_kwh": "nan"},
        {"price_per_kwh": "inf"},
        {"price_per_kwh": 25},
        {"format": "xlsx"},
        {"device_id": ["a", "b"]},
        {"tag": TAG},
    ],
    ids=str,
)
async def test_nonsense_is_refused(
    hass: HomeAssistant, known: MockConfigEntry, data: dict[str, Any]
) -> None:
    with pytest.raises(probatio.Invalid):
        await get(hass, **data)


# Registering


async def test_a_registered_charger_comes_with_what_it_needs_to_connect(
    hass: HomeAssistant, account: SimulatedAccount, cloud: SimulatedCloud, known: MockConfigEntry
) -> None:
    answer = await call(hass, "register_charger", nickname="Carport", ocpp_identity="CARPORT_2")
    password = answer["ocpp"].pop("password")
    assert len(password) == 12
    charger = account.charger(answer["id"])
    assert answer == {
        "id": charger.id,
        "nickname": "Carport",
        "connection_type": "ocpp",
        "status": "offline",
        "ocpp": {"identity": "CARPORT_2", "endpoint": "wss://ocpp.joulo.nl/CARPORT_2"},
    }
    (request,) = cloud.requests
    assert (request.method, request.path) == ("POST", "/chargers")


async def test_joulo_chooses_an_identity_where_none_is_given(
    hass: HomeAssistant, account: SimulatedAccount, known: MockConfigEntry
) -> None:
    answer = await call(hass, "register_charger", nickname="Carport")
    assert answer["ocpp"]["identity"] == account.charger(answer["id"]).ocpp_identity


async def test_a_registered_charger_is_there_as_soon_as_joulo_may_be_asked(
    hass: HomeAssistant, cloud: SimulatedCloud, known: MockConfigEntry, advance: Advance
) -> None:
    answer = await call(hass, "register_charger", nickname="Carport")
    await advance(20)
    assert device_id(hass, known, answer["id"])
    assert hass.states.get("calendar.carport_charging_sessions")
    assert cloud.count("/chargers") == 1
    assert cloud.refused() == []


async def test_the_password_is_kept_nowhere(
    hass: HomeAssistant,
    known: MockConfigEntry,
    hass_storage: dict[str, Any],
    advance: Advance,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    answer = await call(hass, "register_charger", nickname="Carport")
    await advance(POLL)
    await hass.config_entries.async_unload(known.entry_id)
    password = answer["ocpp"]["password"]
    assert password not in caplog.text
    assert password not in json.dumps(hass_storage, default=str)
    assert password not in repr(hass.states.async_all())


async def test_the_account_that_is_named_gets_the_charger(
    hass: HomeAssistant, cloud: SimulatedCloud, known: MockConfigEntry, second: MockConfigEntry
) -> None:
    answer = await call(
        hass, "register_charger", nickname="Carport", config_entry_id=second.entry_id
    )
    assert answer["id"] in {charger.id for charger in cloud.accounts[1].chargers}


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (Fault.FORBIDDEN, "The token lacks a permission"),
        (Fault.SERVER_ERROR, "Joulo has a fault (HTTP 500)"),
        (Fault.NOT_JSON, "Joulo's answer cannot be read (not JSON)"),
        (Fault.DROPPED, "Joulo did not answer (ServerDisconnectedError). It may have done what"),
    ],
)
async def test_every_fault_is_told_in_words_and_nothing_is_sent_again(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    known: MockConfigEntry,
    fault: Fault,
    sentence: str,
) -> None:
    cloud.fail("/chargers", fault)
    with pytest.raises(HomeAssistantError) as caught:
        await call(hass, "register_charger", nickname="Carport")
    assert str(caught.value).startswith(sentence)
    assert len(cloud.requests) == 1


async def test_what_joulo_objects_to_is_told_in_its_words(
    hass: HomeAssistant, account: SimulatedAccount, known: MockConfigEntry
) -> None:
    taken = account.charger(OPRIT_ID).ocpp_identity
    with pytest.raises(HomeAssistantError, match="ocpp_identity is already in use"):
        await call(hass, "register_charger", nickname="Carport", ocpp_identity=taken)
    with pytest.raises(HomeAssistantError, match="Invalid ocpp_identity"):
        await call(hass, "register_charger", nickname="Carport", ocpp_identity="a b")


async def test_a_token_that_is_not_accepted_any_more_is_asked_for_anew(
    hass: HomeAssistant, account: SimulatedAccount, known: MockConfigEntry
) -> None:
    account.rotate_token()
    with pytest.raises(HomeAssistantError, match="Joulo does not accept the token"):
        await call(hass, "register_charger", nickname="Carport")
    await hass.async_block_till_done()
    assert len(list(known.async_get_active_flows(hass, {SOURCE_REAUTH}))) == 1


# The form of an action


FORMS = load_yaml_dict(
    str(Path(__file__).parent.parent / "custom_components" / DOMAIN / "services.yaml")
)


@pytest.mark.parametrize(
    ("action", "schema"), [("get_sessions", GET_SESSIONS), ("register_charger", REGISTER_CHARGER)]
)
def test_a_form_asks_for_what_an_action_takes(action: str, schema: probatio.Schema) -> None:
    fields = FORMS[action]["fields"]
    assert {str(key): isinstance(key, probatio.Required) for key in schema.schema} == {
        name: field.get("required", False) for name, field in fields.items()
    }
    for field in fields.values():
        validate_selector(field["selector"])


def test_the_form_and_the_action_agree_on_the_dearest_kwh() -> None:
    selector = FORMS["get_sessions"]["fields"]["price_per_kwh"]["selector"]
    assert selector["number"]["max"] == DEAREST_KWH


async def test_the_actions_are_there_before_an_account_is(hass: HomeAssistant) -> None:
    assert await async_setup_component(hass, DOMAIN, {})
    assert set(hass.services.async_services_for_domain(DOMAIN)) == set(FORMS)
    assert "Could not find config entry" in await refusal(hass)
