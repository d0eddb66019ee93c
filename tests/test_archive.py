"""What is written down of the history comes back, and what is damaged in it costs only itself."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from homeassistant.core import HomeAssistant
from hypothesis import given, strategies as st
import pytest

from custom_components.joulo.api import ChargingSession, Cursor
from custom_components.joulo.api.models import parse_model
from custom_components.joulo.archive import Archive
from custom_components.joulo.history import SessionHistory
from tests.api import FROZEN_GARBAGE, TRIALS

FILE = "joulo.entry.history"
START = datetime(2026, 6, 15, 8, 0, tzinfo=UTC)
SESSION = ChargingSession(id="s", charger_id="c", started_at=START, kwh=10.5, id_tag="T")
FULL = Archive(
    installed_at=START,
    watched_since=START,
    watched_until=START,
    last_read=START,
    last_full_read=START,
    reread_after=START,
    resume=(START, Cursor(datetime(2026, 4, 1, tzinfo=UTC), " 2026-04-01T00:00:00 ")),
    sessions=(SESSION,),
    live=(SESSION,),
    readings={"s": ((START, 0.0), (START, 10.5))},
    values={"s": 0.0, "t": 1.25},
    told={"s": ("session_started", "session_completed")},
)

type Spoil = Callable[[dict[str, Any]], object]


def loaded(document: object) -> Archive:
    """Return what a file is read as."""
    archive = parse_model(Archive)(document)
    assert archive is not None
    return archive


def test_everything_comes_back_as_it_was_written() -> None:
    assert loaded(FULL.to_dict()) == FULL


def test_an_empty_file_is_an_empty_history() -> None:
    assert loaded({}) == Archive()


@pytest.mark.parametrize("field", FULL.to_dict())
@pytest.mark.parametrize("nonsense", [None, 7, "nonsense", [7], ["x", "y"], {"s": 7}, {"s": [7]}])
def test_a_damaged_field_costs_no_other(field: str, nonsense: object) -> None:
    rest = FULL.to_dict()
    del rest[field]
    read = loaded(rest | {field: nonsense}).to_dict()
    assert {name: value for name, value in read.items() if name != field} == rest


def spoil_session(document: dict[str, Any]) -> None:
    """Take the start from the first session and add a sound one."""
    document["sessions"] = [
        document["sessions"][0] | {"started_at": None},
        document["sessions"][0] | {"id": "sound"},
    ]


def test_a_damaged_session_costs_no_other() -> None:
    document = FULL.to_dict()
    spoil_session(document)
    assert [session.id for session in loaded(document).sessions] == ["sound"]


def test_a_damaged_reading_costs_no_other() -> None:
    document = FULL.to_dict()
    document["readings"]["s"].insert(0, ["when?", 3])
    document["readings"]["s"] += [[START.timestamp(), None], [1e300, 1.0]]
    assert loaded(document).readings == FULL.readings


def test_a_restart_counts_as_an_absence_and_a_reload_does_not() -> None:
    for seconds, since in ((0, START), (9.9, START), (10, None), (-1, None)):
        now = START + timedelta(seconds=seconds)
        archive = replace(FULL, watched_since=START, watched_until=START)
        assert archive.watching_since(now) == (since or now)


def test_what_has_been_told_is_not_told_again_although_nobody_knows_what_it_was() -> None:
    later = START + timedelta(days=3)
    document = replace(FULL, watched_until=later).to_dict()
    assert loaded(document).telling_since() == START
    assert loaded(document | {"told": "damaged"}).telling_since() == later


@FROZEN_GARBAGE
@TRIALS
@given(
    st.dictionaries(
        st.sampled_from([*FULL.to_dict(), "other"]),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text() | st.just(START.isoformat()),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=8,
        ),
    )
)
def test_whatever_the_file_holds_it_can_be_read_and_written(document: dict[str, Any]) -> None:
    archive = loaded(document)
    assert loaded(archive.to_dict()) == archive


@pytest.mark.parametrize("document", [None, [], "text", {"sessions": {}}])
async def test_an_unreadable_file_begins_anew(
    hass: HomeAssistant, hass_storage: dict[str, Any], document: object
) -> None:
    hass_storage[FILE] = {"version": 1, "minor_version": 1, "key": FILE, "data": document}
    history = SessionHistory(hass, "entry")
    await history.async_load()
    assert (history.sessions, history.installed_at) == ({}, None)
