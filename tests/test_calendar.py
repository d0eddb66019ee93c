"""The calendar of a charger: every session that is known, and what Home Assistant makes of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

from homeassistant.components.calendar import CalendarEntity, CalendarEvent
from homeassistant.components.calendar.const import DATA_COMPONENT, DOMAIN as CALENDAR_DOMAIN
from homeassistant.const import ATTR_ENTITY_ID, Platform
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, snapshot_platform
from syrupy.assertion import SnapshotAssertion

from custom_components.joulo.api import ChargingSession
from custom_components.joulo.history import SessionHistory
from custom_components.joulo.sessions import queries, transitions
from custom_components.joulo.sessions.transitions import CompleteRead
from tests.conftest import NOW, Advance
from tests.simulator import (
    GARAGE_ID,
    OPRIT_ID,
    SCHUUR_ID,
    SimulatedAccount,
    SimulatedCloud,
    SimulatedSession,
)
from tests.timing import PAGE, POLL, READ

GARAGE = "calendar.garage_charging_sessions"
TAG = "DEADBEEF12345678"
HOUR = timedelta(hours=1)
LONG_AGO, FAR_AHEAD = datetime(2000, 1, 1, tzinfo=UTC), datetime(2199, 12, 31, tzinfo=UTC)


def calendar(hass: HomeAssistant, entity_id: str = GARAGE) -> CalendarEntity:
    """Return a calendar."""
    entity = hass.data[DATA_COMPONENT].get_entity(entity_id)
    assert entity is not None
    return entity


async def events(
    hass: HomeAssistant, begin: datetime = LONG_AGO, end: datetime = FAR_AHEAD
) -> list[CalendarEvent]:
    """Return what the calendar of the garage holds between two moments."""
    return await calendar(hass).async_get_events(hass, begin, end)


async def event_of(hass: HomeAssistant, session_id: str) -> CalendarEvent:
    """Return how a session is shown."""
    (event,) = [event for event in await events(hass) if event.uid == session_id]
    return event


def state(hass: HomeAssistant) -> State:
    """Return the state of the garage's calendar."""
    found = hass.states.get(GARAGE)
    assert found is not None
    return found


def history_of(entry: MockConfigEntry) -> SessionHistory:
    """Return what an entry knows."""
    history: SessionHistory = entry.runtime_data.history
    return history


def strange(session_id: str, start: datetime, end: datetime | None) -> ChargingSession:
    """Return a session of the garage of which nothing is known but when it was."""
    return ChargingSession(id=session_id, charger_id=GARAGE_ID, started_at=start, ended_at=end)


async def read_history(advance: Advance) -> None:
    """Let the first read of all sessions come to its end."""
    for _ in range(6):
        await advance(PAGE)


async def test_all_calendars(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    entity_registry: er.EntityRegistry,
    snapshot: SnapshotAssertion,
) -> None:
    with patch("custom_components.joulo.PLATFORMS", [Platform.CALENDAR]):
        await hass.config_entries.async_setup(entry.entry_id)
        await hass.async_block_till_done(wait_background_tasks=True)
    await snapshot_platform(hass, entity_registry, snapshot, entry.entry_id)


@pytest.mark.parametrize(
    ("entity_id", "charger_id"),
    [
        (GARAGE, GARAGE_ID),
        ("calendar.oprit_charging_sessions", OPRIT_ID),
        ("calendar.schuur_charging_sessions", SCHUUR_ID),
    ],
)
@pytest.mark.long_account
async def test_every_session_of_a_charger_is_shown_also_one_without_energy(
    hass: HomeAssistant,
    account: SimulatedAccount,
    joulo: MockConfigEntry,
    advance: Advance,
    entity_id: str,
    charger_id: str,
) -> None:
    await read_history(advance)
    shown = await calendar(hass, entity_id).async_get_events(hass, LONG_AGO, FAR_AHEAD)
    booked = [
        (session.id, session.started_at, session.ends_at, f"{session.kwh_at(NOW):.2f} kWh")
        for session in account.completed(charger_id)
    ]
    assert [(event.uid, event.start, event.end, event.summary) for event in shown] == booked[::-1]
    assert len(shown) > 30


async def test_a_session_without_energy_is_among_them(
    hass: HomeAssistant, joulo: MockConfigEntry, advance: Advance
) -> None:
    await read_history(advance)
    assert "0.00 kWh" in {event.summary for event in await events(hass)}


async def test_a_range_shows_what_lies_in_it_in_whole_or_in_part_and_asks_nobody(
    hass: HomeAssistant,
    account: SimulatedAccount,
    cloud: SimulatedCloud,
    joulo: MockConfigEntry,
    advance: Advance,
) -> None:
    await read_history(advance)
    session = next(account.completed(GARAGE_ID))
    start, end = session.started_at, session.ends_at
    assert end is not None
    second = timedelta(seconds=1)
    cloud.forget_requests()
    for begin, finish, expected in (
        (start, end, True),
        (start + second, end - second, True),
        (start - second, start + second, True),
        (end - second, end + second, True),
        (start - HOUR, start, False),
        (end, end + HOUR, False),
    ):
        found = session.id in {event.uid for event in await events(hass, begin, finish)}
        assert found is expected, (begin - start, finish - end)
    assert cloud.requests == []


async def test_a_running_session_lasts_until_the_next_full_hour_and_moves_on(
    hass: HomeAssistant, account: SimulatedAccount, joulo: MockConfigEntry, advance: Advance
) -> None:
    assert state(hass).state == "off"
    session = account.start_session(GARAGE_ID, power_kw=12)
    await advance(POLL)
    assert state(hass).state == "on"
    assert state(hass).attributes["message"] == "0.20 kWh"
    assert (await event_of(hass, session.id)).end == NOW + HOUR

    await advance(3600 - POLL)
    assert state(hass).state == "on"
    assert (await event_of(hass, session.id)).end == NOW + 2 * HOUR
    assert (await event_of(hass, session.id)).start == session.started_at

    await advance(100)
    account.end_session(GARAGE_ID)
    await advance(POLL)
    assert state(hass).state == "off"
    await advance(READ)
    assert (await event_of(hass, session.id)).end == session.ends_at


async def test_the_end_of_a_running_session_lies_half_an_hour_ahead_at_least(
    hass: HomeAssistant, account: SimulatedAccount, joulo: MockConfigEntry, advance: Advance
) -> None:
    """Home Assistant plans `end` triggers 15 minutes before."""
    session = account.start_session(GARAGE_ID, power_kw=12)
    for _ in range(3 * 60):
        await advance(POLL)
        end = (await event_of(hass, session.id)).end
        assert isinstance(end, datetime)
        assert end - dt_util.utcnow() >= timedelta(minutes=30)


async def test_the_night_the_clock_goes_back_is_shown(
    hass: HomeAssistant, joulo: MockConfigEntry
) -> None:
    """A session from 02:44 in summer to 02:18 in winter; Home Assistant compares the times on the wall."""
    await hass.config.async_set_time_zone("Europe/Amsterdam")
    start, end = (
        datetime(2025, 10, 26, 0, 44, tzinfo=UTC),
        datetime(2025, 10, 26, 1, 18, tzinfo=UTC),
    )
    history_of(joulo).async_update(transitions.upsert_listed, [strange("night", start, end)])
    event = await event_of(hass, "night")
    assert event.start == start
    assert isinstance(event.end, datetime)
    assert event.end >= end
    assert f"{dt_util.as_local(event.end):%H:%M}" == "02:45"
    assert calendar(hass).event is None


async def test_the_full_hour_passes_without_a_gap_while_joulo_is_silent(
    hass: HomeAssistant, account: SimulatedAccount, joulo: MockConfigEntry, advance: Advance
) -> None:
    account.start_session(GARAGE_ID)
    await advance(POLL)
    with patch.object(joulo.runtime_data.chargers, "_async_refresh"):
        await advance(3600 - POLL)
    assert state(hass).state == "on"
    following = dt_util.as_local(NOW + 2 * HOUR)
    assert state(hass).attributes["end_time"] == f"{following:%Y-%m-%d %H:%M:%S}"


async def test_a_charger_that_has_gone_has_nothing_running(
    hass: HomeAssistant, account: SimulatedAccount, joulo: MockConfigEntry, advance: Advance
) -> None:
    account.start_session(GARAGE_ID)
    await advance(POLL)
    account.remove_charger(GARAGE_ID)
    await advance(POLL)
    assert state(hass).state == "unavailable"
    assert calendar(hass).event is None
    await advance(POLL)
    assert hass.states.get(GARAGE) is None


@pytest.mark.parametrize(
    ("language", "summary", "description"),
    [
        (
            "en",
            "12.34 kWh",
            "4.11 ERE credits\nValue: EUR 1.63\nAverage power: 12.34 kW",
        ),
        (
            "nl",
            "12,34 kWh",
            "4,11 ERE-credits\nWaarde: € 1,63\nGemiddeld vermogen: 12,34 kW",
        ),
    ],
)
async def test_a_session_is_described_in_the_users_language(
    hass: HomeAssistant,
    account: SimulatedAccount,
    entry: MockConfigEntry,
    advance: Advance,
    language: str,
    summary: str,
    description: str,
) -> None:
    hass.config.language = language
    session = account.record_session(
        SimulatedSession(
            charger_id=GARAGE_ID,
            started_at=NOW - 2 * HOUR,
            ends_at=NOW - HOUR,
            power_kw=12.34,
            tag=TAG,
        )
    )
    await hass.config_entries.async_setup(entry.entry_id)
    await read_history(advance)
    (entity_id,) = (
        entity_id
        for entity_id in hass.states.async_entity_ids(CALENDAR_DOMAIN)
        if "garage" in entity_id
    )
    response = await hass.services.async_call(
        CALENDAR_DOMAIN,
        "get_events",
        {ATTR_ENTITY_ID: entity_id, "start_date_time": NOW - 2 * HOUR, "end_date_time": NOW},
        blocking=True,
        return_response=True,
    )
    assert response is not None
    assert response[entity_id] == {
        "events": [
            {
                "start": session.started_at.isoformat(),
                "end": (NOW - HOUR).isoformat(),
                "summary": summary,
                "description": description,
            }
        ]
    }


async def test_a_running_session_says_that_it_runs(
    hass: HomeAssistant, account: SimulatedAccount, joulo: MockConfigEntry, advance: Advance
) -> None:
    account.start_session(GARAGE_ID)
    await advance(POLL)
    description = state(hass).attributes["description"]
    assert description.startswith("This session is still running.\n")
    assert "Value" not in description, "a session is valued when it is completed"


async def test_english_is_spoken_until_home_assistant_has_read_the_texts_of_another_language(
    hass: HomeAssistant, account: SimulatedAccount, joulo: MockConfigEntry, advance: Advance
) -> None:
    account.start_session(GARAGE_ID, power_kw=12)
    hass.config.language = "fy"
    await advance(POLL)
    assert state(hass).attributes["message"] == "0.20 kWh"
    assert "still running" in state(hass).attributes["description"]
    await hass.config.async_update(language="nl")
    await advance(POLL)
    assert state(hass).attributes["message"] == "0,41 kWh"
    assert "loopt nog" in state(hass).attributes["description"]


async def test_the_rfid_tag_is_shown_nowhere(
    hass: HomeAssistant, account: SimulatedAccount, joulo: MockConfigEntry, advance: Advance
) -> None:
    await read_history(advance)
    account.start_session(GARAGE_ID, tag=TAG)
    await advance(POLL)
    assert any(session.tag == TAG for session in account.completed(GARAGE_ID))
    assert TAG not in repr(await events(hass))
    assert TAG not in repr(state(hass))


@pytest.mark.parametrize(
    ("start", "end", "shown_end"),
    [
        pytest.param(NOW - HOUR, NOW - HOUR, NOW - HOUR + timedelta(minutes=1), id="no length"),
        pytest.param(
            NOW - HOUR,
            NOW - 2 * HOUR,
            NOW - HOUR + timedelta(minutes=1),
            id="ends before it starts",
        ),
        pytest.param(
            datetime(2199, 12, 1, tzinfo=UTC),
            datetime(2199, 12, 2, tzinfo=UTC),
            datetime(2199, 12, 2, tzinfo=UTC),
            id="in the far future",
        ),
        pytest.param(
            NOW + 30 * HOUR, None, NOW + 30 * HOUR + timedelta(minutes=1), id="runs in the future"
        ),
        pytest.param(NOW - 72 * HOUR, None, NOW - 48 * HOUR, id="was never ended"),
        pytest.param(NOW - HOUR / 2, None, NOW + HOUR, id="may run, unknown to its charger"),
    ],
)
async def test_a_strange_session_is_shown_and_keeps_no_other_from_being_shown(
    hass: HomeAssistant,
    joulo: MockConfigEntry,
    advance: Advance,
    start: datetime,
    end: datetime | None,
    shown_end: datetime,
) -> None:
    history = history_of(joulo)
    before = len(await events(hass))
    kept = {
        each.id
        for each in queries.listed(history.state)
        if each.charger_id != GARAGE_ID or each.started_at < start
    }
    for moment in (FAR_AHEAD, FAR_AHEAD + HOUR):
        read = CompleteRead(seen=kept, since=None, until=moment, charger_ids=history.state.chargers)
        history.async_update(transitions.remove_missing, read, moment)
    history.async_update(transitions.upsert_listed, [strange("strange", start, end)])
    event = await event_of(hass, "strange")
    assert (event.start, event.end) == (start, shown_end)
    assert event.summary == "Charging session"
    assert len(await events(hass)) > before / 2
    assert calendar(hass).event is None
    assert state(hass).state == "off"


async def test_a_correction_is_shown(
    hass: HomeAssistant, joulo: MockConfigEntry, advance: Advance
) -> None:
    history = history_of(joulo)
    session = queries.timeline(history.state, GARAGE_ID)[-1]
    history.async_update(transitions.upsert_listed, [replace(session, kwh=99.99)])
    assert (await event_of(hass, session.id)).summary == "99.99 kWh"


async def test_a_session_that_runs_for_more_than_a_day_is_still_on(
    hass: HomeAssistant, account: SimulatedAccount, joulo: MockConfigEntry, advance: Advance
) -> None:
    session = account.start_session(GARAGE_ID, power_kw=0.1)
    await advance(POLL)
    for _ in range(30):
        await advance(3600)
    assert (await event_of(hass, session.id)).end > NOW + timedelta(hours=30)
    assert state(hass).state == "on"
