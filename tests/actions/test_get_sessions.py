"""What `get_sessions` answers: the books, as far as they are asked for."""

from datetime import date, datetime, timedelta
from decimal import Decimal
import json

from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.joulo.sessions import transitions
from tests.actions.calls import (
    HOUR,
    TAG,
    booked,
    device_id,
    get,
    ids,
    record,
    value_of,
)
from tests.conftest import NOW, Advance
from tests.factories import listed_session
from tests.simulator import (
    GARAGE_ID,
    SimulatedAccount,
    SimulatedCloud,
)
from tests.timing import POLL, READ


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
        assert (row["cost_eur"], row["net_cost_eur"]) == (None, None)
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
        "net_cost_eur": None,
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
                "cost_estimated": False,
                "net_cost_eur": 1.46,
                "duration_minutes": 60.0,
                "average_power_kw": 12.34,
                "tag_id": TAG,
                "vehicle": None,
            }
        ],
        "totals": {
            "sessions": 1,
            "energy_kwh": 12.34,
            "ere_credits": 4.11,
            "value_eur": 1.63,
            "cost_eur": 3.09,
            "net_cost_eur": 1.46,
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


async def test_sessions_can_be_asked_for_by_their_ids(
    hass: HomeAssistant, joulo: MockConfigEntry, account: SimulatedAccount
) -> None:
    first, second, *_ = (session.id for session in booked(account))
    assert ids(await get(hass, session_id=[second, first, "of-nobody"])) == [first, second]
    assert ids(await get(hass, session_id=second)) == [second]
    assert ids(await get(hass, session_id=[])) == []


@pytest.mark.parametrize("zone", ["Europe/Amsterdam", "America/New_York", "Asia/Kolkata"])
@pytest.mark.long_account
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
    await advance(READ)
    assert ids(await get(hass))[-1] == session.id


async def test_what_is_unknown_is_null_in_a_row_and_left_out_of_a_total(
    hass: HomeAssistant, known: MockConfigEntry
) -> None:
    start = NOW - HOUR
    strange = listed_session("strange", start, start - HOUR)
    known.runtime_data.history.async_update(transitions.upsert_listed, [strange])
    answer = await get(hass, start=start, price_per_kwh=0.25)
    (row,) = answer["sessions"]
    unknown = ("energy_kwh", "ere_credits", "duration_minutes", "average_power_kw", "cost_eur")
    assert {row[figure] for figure in (*unknown, "status", "tag_id")} == {None}
    assert row["charger_name"] == "Garage"
    assert (answer["totals"]["sessions"], answer["totals"]["energy_kwh"]) == (1, None)
    with_others = await get(hass, price_per_kwh=0.25)
    assert with_others["totals"]["energy_kwh"] > 500
    assert with_others["totals"]["cost_eur"] > 125


async def test_without_sessions_the_totals_are_zero(
    hass: HomeAssistant, known: MockConfigEntry
) -> None:
    answer = await get(hass, start=NOW, price_per_kwh=0.25)
    assert answer["sessions"] == []
    assert set(answer["totals"].values()) == {0}
