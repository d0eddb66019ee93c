"""The file of the history comes back as it was, also an older one, and damage costs only itself."""

from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
import json
from typing import Any

from hypothesis import given, strategies as st
import pytest

from custom_components.joulo.api import ChargingSession, Cursor
from custom_components.joulo.sessions import queries, transitions
from custom_components.joulo.sessions.model import (
    LONGEST_SNOOZE,
    Backfill,
    ChargerHistory,
    HistoryState,
    SessionRecord,
)
from custom_components.joulo.sessions.storage import from_stored, restore, to_stored
from custom_components.joulo.sessions.vehicles import NOBODY, Fleet
from tests.api import FROZEN_GARBAGE, TRIALS, payload
from tests.sessions import PROFILE, History, charger
from tests.simulator import GARAGE_ID, OPRIT_ID, SCHUUR_ID

START = datetime(2026, 6, 15, 8, 0, tzinfo=UTC)
LATER = START + timedelta(days=3)
SESSION = ChargingSession(id="s", charger_id="c", started_at=START, kwh=10.5, id_tag="T")
RECORD = SessionRecord(
    listed=SESSION,
    observed=SESSION,
    readings=((START, 0.0), (START, 10.5)),
    value=1.25,
    prices=((START, 0.25),),
)
FULL = HistoryState(
    chargers={"c": ChargerHistory(records={"s": RECORD})},
    announced={"s": ("session_started", "session_completed")},
    announce_since=START,
    observing_since=START,
    last_read=START,
    last_full_read=START,
    backfill=Backfill(START, Cursor(datetime(2026, 4, 1, tzinfo=UTC), " 2026-04-01T00:00:00 ")),
    mismatch_snoozed_until=START,
    fleet=Fleet(assigned={"s": "zoe", "t": NOBODY}),
    statistics={"c": "c", "C": "c_2"},
    priced_by="0.25 since ever",
)
DOCUMENT = to_stored(FULL, START)

type Spoil = Callable[[dict[str, Any]], object]


def again(document: object, at: datetime = START) -> dict[str, Any]:
    """Return the document that is stored again after it was read, as if no time had passed."""
    return to_stored(from_stored(document, at), at)


def in_any_order(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document whose sessions are in the order of their ids."""
    return {
        key: sorted(value, key=lambda session: session["id"])
        if key in ("sessions", "live")
        else value
        for key, value in document.items()
    }


def test_everything_comes_back_as_it_was_written() -> None:
    assert from_stored(DOCUMENT, START) == FULL


def test_an_empty_file_is_an_empty_history() -> None:
    assert from_stored({}, START) == HistoryState(observing_since=START)


@pytest.mark.parametrize("document", [None, [], "text", {"sessions": {}}])
def test_an_unreadable_file_begins_anew(document: object) -> None:
    assert from_stored(document, START) == HistoryState(observing_since=START)


@pytest.mark.parametrize("field", DOCUMENT)
@pytest.mark.parametrize("nonsense", [None, 7, "nonsense", [7], ["x", "y"], {"s": 7}, {"s": [7]}])
def test_a_damaged_field_costs_no_other(field: str, nonsense: object) -> None:
    rest = DOCUMENT.copy()
    del rest[field]
    read = again(rest | {field: nonsense})
    assert {name: value for name, value in read.items() if name != field} == rest


@pytest.mark.parametrize(
    ("field", "nonsense"),
    [
        (field, nonsense)
        for field in DOCUMENT
        for nonsense in (7, "nonsense", [7], {"s": {"t": 7}})
        # Any text may be the setting by which sessions have their prices.
        if (field, nonsense) != ("priced_by", "nonsense")
    ],
)
def test_a_damaged_field_is_named(field: str, nonsense: object) -> None:
    assert restore(DOCUMENT | {field: nonsense}, START).damaged == (field,)


@pytest.mark.parametrize(
    ("field", "spoil"),
    [
        pytest.param("sessions", lambda part: part[0].update(kwh="much"), id="figure"),
        pytest.param("sessions", lambda part: part.append({"id": "t"}), id="session"),
        pytest.param("readings", lambda part: part["s"].append(["when?", 3]), id="reading"),
        pytest.param("values", lambda part: part.update(s="much"), id="value"),
        pytest.param("prices", lambda part: part["s"].append([0, 1e300]), id="price"),
        pytest.param("told", lambda part: part["s"].append(7), id="event"),
    ],
)
def test_damage_deep_in_a_field_is_noticed(field: str, spoil: Spoil) -> None:
    document = deepcopy(DOCUMENT)
    spoil(document[field])
    assert restore(document, START).damaged == (field,)


@pytest.mark.parametrize("types", [None, "session_started", 7, {}, [7]])
def test_what_was_fired_and_cannot_be_read_is_fired_no_second_time(types: object) -> None:
    document = DOCUMENT | {"told": {"s": types}}
    state, damaged = restore(document, START)
    assert damaged == ("told",)
    assert state.announced == {"s": ("session_started", "session_completed")}


def test_without_the_moment_of_the_first_read_events_go_on_from_the_last_one_stored() -> None:
    assert restore(DOCUMENT | {"installed_at": "when?"}, LATER).state.announce_since == START


def test_a_file_that_is_nested_too_deeply_costs_only_itself() -> None:
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    assert restore(DOCUMENT | {"assigned": {"s": deep}}, START).state.fleet.assigned == {}


def test_a_name_that_no_statistic_can_have_is_left_out() -> None:
    document = DOCUMENT | {"statistics": {"c": "A B", "d": "d_2"}}
    assert restore(document, START).state.statistics == {"d": "d_2"}


@pytest.mark.parametrize("document", [None, {}, DOCUMENT])
def test_a_sound_file_has_no_damage(document: object) -> None:
    assert restore(document, START).damaged == ()


@pytest.mark.parametrize("document", [[], "text", 7])
def test_a_file_of_something_else_is_damaged_as_a_whole(document: object) -> None:
    assert restore(document, START).damaged == ("all",)


def test_a_damaged_session_costs_no_other() -> None:
    document = again(DOCUMENT)
    spoiled = document["sessions"][0] | {"started_at": None}
    document["sessions"] = [spoiled, document["sessions"][0] | {"id": "sound"}]
    document["live"] = []
    assert [session["id"] for session in again(document)["sessions"]] == ["sound"]


def test_a_damaged_reading_costs_no_other() -> None:
    document = again(DOCUMENT)
    document["readings"]["s"].insert(0, ["when?", 3])
    document["readings"]["s"] += [[START.timestamp(), None], [1e300, 1.0]]
    record = from_stored(document, START).chargers["c"].records["s"]
    assert record.readings == RECORD.readings


def test_a_reading_and_a_value_without_a_session_are_dropped() -> None:
    document = again(DOCUMENT)
    document["readings"]["t"] = [[START.timestamp(), 1.0]]
    document["values"]["t"] = 1.25
    assert again(document) == DOCUMENT


def test_a_session_is_kept_at_the_charger_that_it_is_at_by_all_that_is_known() -> None:
    document = again(DOCUMENT)
    document["live"][0]["charger_id"] = "there"
    state = from_stored(document, START)
    assert set(state.chargers) == {"there"}


def test_a_restart_counts_as_an_absence_and_a_reload_does_not() -> None:
    for seconds, since in ((0, START), (9.9, START), (10, None), (-1, None)):
        now = START + timedelta(seconds=seconds)
        assert from_stored(DOCUMENT, now).observing_since == (since or now)


def test_events_that_were_fired_are_not_fired_again_although_nobody_knows_which() -> None:
    document = to_stored(FULL, LATER)
    assert from_stored(document, LATER).announce_since == START
    assert from_stored(document | {"told": "damaged"}, LATER).announce_since == LATER


def test_moments_that_a_clock_stored_which_was_ahead_count_as_now() -> None:
    month = timedelta(days=30)
    moments = {
        key: (START + month).isoformat()
        for key in ("installed_at", "last_read", "last_full_read", "reread_after")
    }
    state = from_stored(DOCUMENT | moments, LATER)
    assert (state.announce_since, state.last_read, state.last_full_read) == (LATER,) * 3
    assert state.mismatch_snoozed_until == LATER + LONGEST_SNOOZE


def test_a_file_that_has_lost_since_when_events_are_fired_has_the_last_read_of_all() -> None:
    state = from_stored({"last_full_read": START.isoformat()}, LATER)
    assert state.announce_since == START


def test_a_clock_that_is_behind_makes_no_session_news() -> None:
    """Events begin after the newest session at least, wherever the clock stands."""
    document = DOCUMENT | {"installed_at": LATER.isoformat()}
    ended = START + timedelta(hours=2)
    document["sessions"] = [document["sessions"][0] | {"ended_at": ended.isoformat()}]
    assert from_stored(document, START - timedelta(days=1)).announce_since == ended


def test_sessions_that_are_active_or_missing_are_not_stored() -> None:
    history = History(FULL)
    history.report(charger(session="s", kwh=11, started_at=START), at=START)
    assert history.active == {"c": "s"}
    history.read("other", at=LATER, charger_ids=["c"])
    state = from_stored(to_stored(history.state, LATER), LATER)
    assert not queries.has_active(state)
    assert state.missing_since == {}
    assert state.profile is None


@FROZEN_GARBAGE
@TRIALS
@given(
    st.dictionaries(
        st.sampled_from([*DOCUMENT, "other"]),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text() | st.just(START.isoformat()),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=8,
        ),
    )
)
def test_whatever_the_file_holds_it_can_be_read_and_written(document: dict[str, Any]) -> None:
    state = from_stored(document, START)
    assert from_stored(to_stored(state, START), START).chargers == state.chargers
    assert again(to_stored(state, START)) == to_stored(state, START)


# A file of the version before, by its own code: two months in which three chargers were used


FILE = payload("history_v1")
STORED: dict[str, Any] = FILE["data"]
STOPPED = datetime.fromisoformat(STORED["watched_until"])


def test_a_file_of_the_version_before_is_stored_again_as_it_was() -> None:
    document = json.loads(json.dumps(again(STORED, STOPPED)))
    new = {
        key: document.pop(key)
        for key in ("set_aside", "meters", "kept", "statistics", "assigned", "prices", "priced_by")
    }
    assert sorted(document.pop("chargers")) == sorted([GARAGE_ID, OPRIT_ID, SCHUUR_ID])
    assert not any(new.values())
    assert in_any_order(document) == in_any_order(STORED)
    assert list(document) == list(STORED)


def test_a_file_of_the_version_before_is_loaded_whole() -> None:
    state, damaged = restore(STORED, STOPPED + timedelta(minutes=3))
    assert damaged == ()
    history = History(state)
    assert queries.charger_ids(state) == {GARAGE_ID, OPRIT_ID, SCHUUR_ID}
    assert len(list(queries.listed(state))) == len(STORED["sessions"]) == 47
    assert history.values == STORED["values"]
    assert len(history.values) == 46
    assert {key for key, record in history.records.items() if record.readings} == set(
        STORED["readings"]
    )
    assert state.announced == {key: tuple(types) for key, types in STORED["told"].items()}
    assert state.backfill is not None
    assert [state.backfill.begun.isoformat(), state.backfill.cursor.text] == STORED["resume"]
    assert state.mismatch_snoozed_until is not None
    assert state.mismatch_snoozed_until.isoformat() == STORED["reread_after"]
    assert state.observing_since == STOPPED + timedelta(minutes=3)


def test_a_session_that_was_active_in_a_file_of_the_version_before_goes_on() -> None:
    history = History(from_stored(STORED, STOPPED))
    (live,) = STORED["live"]
    begun = datetime.fromisoformat(live["started_at"])
    before = history.records[live["id"]]
    assert before.is_unconfirmed
    kwh = live["kwh"] + 1
    shown = charger(session=live["id"], kwh=kwh, charger_id=GARAGE_ID, started_at=begun)
    history.report(shown, at=STOPPED + timedelta(minutes=3))
    after = history.newest(GARAGE_ID)
    assert (after.id, after.id_tag, after.kwh) == (live["id"], live["id_tag"], kwh)
    readings = history.records[live["id"]].readings
    assert readings[: len(before.readings) - 1] == before.readings[:-1]


def test_the_events_of_a_file_of_the_version_before_are_not_fired_again() -> None:
    state = from_stored(STORED, STOPPED)
    for charger_id in queries.charger_ids(state):
        assert list(queries.pending_events(state, charger_id, STOPPED)) == []


def test_the_values_of_a_file_of_the_version_before_stay() -> None:
    history = History(from_stored(STORED, STOPPED))
    history.report(charger(charger_id=GARAGE_ID), charger(charger_id=OPRIT_ID), at=STOPPED)
    history.update(transitions.assign_values, PROFILE)
    for session_id, value in STORED["values"].items():
        assert history.values[session_id] == value
