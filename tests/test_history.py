"""The shell of the history: it loads, saves and closes its state, and tells listeners what has changed."""

from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta
import logging
from typing import Any
from unittest.mock import Mock

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
import pytest

from custom_components.joulo.api import RateLimiter
from custom_components.joulo.history import SessionHistory, async_remove_history
from custom_components.joulo.sessions import queries, transitions
from custom_components.joulo.sessions.model import Change
from tests.conftest import Advance
from tests.home import Home
from tests.sessions import NOW, PROFILE, charger, completed, opened

FILE = "joulo.entry.history"
SAVED = 31
"""Seconds after which an update has been stored."""


@pytest.fixture
def history(hass: HomeAssistant, hass_storage: dict[str, Any]) -> SessionHistory:
    """Return an empty history, whose file is in memory."""
    return SessionHistory(hass, "entry", RateLimiter())


async def loaded(hass: HomeAssistant) -> SessionHistory:
    """Return the history that the file holds."""
    history = SessionHistory(hass, "entry", RateLimiter())
    await history.async_load()
    return history


def stored_ids(hass_storage: dict[str, Any]) -> list[str]:
    """Return the ids of the sessions that the file holds."""
    return [session["id"] for session in hass_storage[FILE]["data"]["sessions"]]


# The file


async def test_a_restart_finds_everything_again(
    hass: HomeAssistant, history: SessionHistory
) -> None:
    history.async_update(transitions.begin_announcing, NOW)
    history.async_update(transitions.apply_report, [charger()], NOW)
    history.async_update(transitions.assign_values, PROFILE)
    history.async_update(transitions.upsert_listed, [completed("earlier")])
    shown = charger(session="s", kwh=3.3, tag="U", started_at=NOW)
    history.async_update(transitions.apply_report, [shown], NOW)
    history.async_update(transitions.finish_read, NOW, full=False)
    await history.async_close()

    state, again = history.state, (await loaded(hass)).state
    assert again.chargers["c"].records == state.chargers["c"].records
    assert queries.value_of(again, completed("earlier")) is not None
    assert (again.last_read, again.announce_since) == (state.last_read, state.announce_since)
    assert queries.newest(again, "c", NOW) == queries.newest(state, "c", NOW)
    assert not queries.has_active(again), "only a fresh answer tells what is active"


async def test_a_session_without_an_end_is_kept_across_a_restart(
    hass: HomeAssistant, history: SessionHistory
) -> None:
    sessions = [opened("open", NOW - timedelta(days=60)), completed()]
    history.async_update(transitions.upsert_listed, sessions)
    await history.async_close()
    again = await loaded(hass)
    assert queries.timeline(again.state, "c") == queries.timeline(history.state, "c")


@pytest.mark.parametrize("document", [None, [], "text", {"sessions": {}}])
async def test_an_unreadable_file_begins_anew(
    hass: HomeAssistant, hass_storage: dict[str, Any], document: object
) -> None:
    hass_storage[FILE] = {"version": 1, "minor_version": 1, "key": FILE, "data": document}
    state = (await loaded(hass)).state
    assert (state.chargers, state.announce_since) == ({}, None)
    assert state.observing_since is not None


async def test_a_damaged_file_is_reported_and_what_can_be_read_of_it_is_kept(
    hass: HomeAssistant,
    history: SessionHistory,
    hass_storage: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    history.async_update(transitions.upsert_listed, [completed()])
    await history.async_close()
    hass_storage[FILE]["data"] |= {"readings": "lost", "told": 7}
    again = await loaded(hass)
    assert again.state.chargers == history.state.chargers
    (warning,) = [each for each in caplog.records if each.levelno >= logging.WARNING]
    assert f"{FILE} is damaged (readings, told)" in warning.getMessage()


async def test_a_file_that_is_no_stores_begins_anew(
    hass: HomeAssistant, hass_storage: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    hass_storage[FILE] = {"version": "first", "data": {}}
    assert (await loaded(hass)).state.chargers == {}
    assert f"{FILE} is damaged (all)" in caplog.text


async def test_a_file_of_a_later_version_says_so_and_is_left_alone(
    hass: HomeAssistant, home: Home
) -> None:
    await home.unload()
    file = home.storage[home.storage_key]
    file["version"] = 2
    before = deepcopy(file)
    assert not await hass.config_entries.async_setup(home.entry.entry_id)
    assert home.entry.state is ConfigEntryState.SETUP_ERROR
    assert str(home.entry.reason).startswith("The stored charging history was written by a later")
    assert home.storage[home.storage_key] == before


async def test_an_update_is_stored_half_a_minute_later(
    history: SessionHistory, hass_storage: dict[str, Any], advance: Advance
) -> None:
    history.async_update(transitions.upsert_listed, [completed()])
    await advance(20)
    history.async_update(transitions.upsert_listed, [completed("later")])
    assert FILE not in hass_storage
    await advance(SAVED - 20)
    assert stored_ids(hass_storage) == ["s", "later"], "the first update is not put off"


async def test_the_growing_energy_of_an_hour_schedules_no_save(
    history: SessionHistory, hass_storage: dict[str, Any], advance: Advance
) -> None:
    def grow(kwh: float, minutes: float) -> Change:
        shown = [charger(session="s", kwh=kwh)]
        return history.async_update(
            transitions.apply_report, shown, NOW + timedelta(minutes=minutes)
        )

    def stored() -> list[float]:
        return [kwh for _, kwh in hass_storage[FILE]["data"]["readings"]["s"]]

    grow(1, 0)
    await advance(SAVED)
    assert grow(2, 10) == Change.PROGRESS
    await advance(SAVED)
    assert stored() == [1]
    assert grow(3, 60) == Change.OBSERVED
    await advance(SAVED)
    assert stored() == [2, 3]


async def test_a_transition_that_changes_nothing_schedules_no_save(
    history: SessionHistory, hass_storage: dict[str, Any], advance: Advance
) -> None:
    before = history.state
    assert history.async_update(transitions.upsert_listed, []) is Change.NONE
    await advance(SAVED)
    assert FILE not in hass_storage
    assert history.state is before


async def test_a_save_during_a_pending_one_loses_nothing(
    history: SessionHistory, hass_storage: dict[str, Any], advance: Advance
) -> None:
    history.async_update(transitions.upsert_listed, [completed()])
    await history.async_save()
    assert stored_ids(hass_storage) == ["s"]
    history.async_update(transitions.upsert_listed, [completed("later")])
    await advance(SAVED)
    assert stored_ids(hass_storage) == ["s", "later"]


async def test_a_save_that_is_overtaken_by_an_update_is_repeated(
    hass: HomeAssistant, history: SessionHistory, hass_storage: dict[str, Any], advance: Advance
) -> None:
    history.async_update(transitions.upsert_listed, [completed()])
    saving = hass.async_create_task(history.async_save())
    history.async_update(transitions.upsert_listed, [completed("later")])
    await saving
    assert stored_ids(hass_storage) == ["s"]
    await advance(SAVED)
    assert stored_ids(hass_storage) == ["s", "later"]


async def test_two_saves_at_once_store_the_later_state(
    hass: HomeAssistant, history: SessionHistory, hass_storage: dict[str, Any], advance: Advance
) -> None:
    first = hass.async_create_task(history.async_save())
    history.async_update(transitions.upsert_listed, [completed()])
    second = hass.async_create_task(history.async_save())
    await first
    await second
    await advance(SAVED)
    assert stored_ids(hass_storage) == ["s"]


async def test_a_stop_of_home_assistant_stores_what_is_pending(
    hass: HomeAssistant, history: SessionHistory, hass_storage: dict[str, Any]
) -> None:
    history.async_update(transitions.upsert_listed, [completed()])
    await hass.async_stop()
    assert stored_ids(hass_storage) == ["s"]


async def test_nothing_is_written_after_closing(
    hass: HomeAssistant, history: SessionHistory, hass_storage: dict[str, Any], advance: Advance
) -> None:
    history.async_update(transitions.finish_read, NOW, full=False)
    await history.async_close()
    written = hass_storage[FILE]["data"]
    history.async_update(transitions.upsert_listed, [completed()])
    await advance(SAVED)
    await hass.async_stop()
    assert hass_storage[FILE]["data"] == written
    assert written["sessions"] == []


async def test_an_update_while_closing_is_not_written_afterwards(
    hass: HomeAssistant, history: SessionHistory, hass_storage: dict[str, Any], advance: Advance
) -> None:
    history.async_update(transitions.upsert_listed, [completed()])
    closing = hass.async_create_task(history.async_close())
    history.async_update(transitions.upsert_listed, [completed("later")])
    await closing
    assert stored_ids(hass_storage) == ["s"]
    await advance(SAVED)
    await hass.async_stop()
    assert stored_ids(hass_storage) == ["s"]


async def test_a_history_that_is_removed_leaves_no_file(
    hass: HomeAssistant, history: SessionHistory, hass_storage: dict[str, Any]
) -> None:
    await history.async_close()
    assert FILE in hass_storage
    await async_remove_history(hass, "entry")
    assert FILE not in hass_storage


# Listeners


def test_a_listener_hears_of_an_update_once(history: SessionHistory) -> None:
    heard = Mock()
    history.async_listen(heard, Change.ACTIVE | Change.OBSERVED)
    history.async_update(transitions.apply_report, [charger(session="s")], NOW)
    heard.assert_called_once_with(Change.ACTIVE | Change.OBSERVED)


def test_a_listener_hears_of_news_only(history: SessionHistory) -> None:
    heard = Mock()
    history.async_listen(heard, Change.SESSIONS)
    history.async_update(transitions.upsert_listed, [completed()])
    history.async_update(transitions.upsert_listed, [completed()])
    assert heard.call_count == 1
    history.async_update(transitions.upsert_listed, [completed(kwh=10.5)])
    assert heard.call_count == 2


def test_a_listener_hears_of_the_changes_that_it_asked_for_only(history: SessionHistory) -> None:
    heard = Mock()
    history.async_listen(heard, Change.SESSIONS | Change.VALUES)
    history.async_update(transitions.apply_report, [charger(session="s")], NOW)
    history.async_update(transitions.finish_read, NOW, full=True)
    heard.assert_not_called()
    history.async_update(transitions.upsert_listed, [completed()])
    heard.assert_called_once_with(Change.SESSIONS)


def test_a_listener_hears_nothing_after_it_has_unsubscribed(history: SessionHistory) -> None:
    heard, other = Mock(), Mock()
    unsubscribe = history.async_listen(heard, Change.SESSIONS)
    history.async_listen(other, Change.SESSIONS)
    unsubscribe()
    history.async_update(transitions.upsert_listed, [completed()])
    heard.assert_not_called()
    other.assert_called_once()


def test_a_listener_that_subscribes_twice_unsubscribes_each_time(history: SessionHistory) -> None:
    heard = Mock()
    first = history.async_listen(heard, Change.SESSIONS)
    second = history.async_listen(heard, Change.SESSIONS)
    first()
    history.async_update(transitions.upsert_listed, [completed()])
    assert heard.call_count == 1
    second()
    history.async_update(transitions.upsert_listed, [completed("later")])
    assert heard.call_count == 1


def test_a_listener_may_subscribe_and_unsubscribe_while_it_is_told(
    history: SessionHistory,
) -> None:
    late = Mock()
    unsubscribe: Callable[[], None]

    def once(_change: Change) -> None:
        unsubscribe()
        history.async_listen(late, Change.SESSIONS)

    unsubscribe = history.async_listen(once, Change.SESSIONS)
    history.async_update(transitions.upsert_listed, [completed()])
    late.assert_not_called()
    history.async_update(transitions.upsert_listed, [completed("later")])
    late.assert_called_once()


def test_an_update_from_within_a_listener_is_told_after_the_round(
    history: SessionHistory,
) -> None:
    order: list[str] = []

    def first(change: Change) -> None:
        order.append(f"first {change.name}")
        if change is Change.SESSIONS:
            history.async_update(transitions.finish_read, NOW, full=False)
            changed = history.async_update(transitions.snooze_mismatch, NOW)
            assert changed is Change.PLANNING
            assert history.state.mismatch_snoozed_until == NOW, "it is in force at once"
            order.append("first is done")

    def second(change: Change) -> None:
        order.append(f"second {change.name}")

    history.async_listen(first, Change.SESSIONS | Change.PLANNING)
    history.async_listen(second, Change.SESSIONS | Change.PLANNING)
    history.async_update(transitions.upsert_listed, [completed()])
    assert order == [
        "first SESSIONS",
        "first is done",
        "second SESSIONS",
        "first PLANNING",
        "second PLANNING",
    ], "two updates of one round are told as one, and nobody is told while he tells"


def test_a_listener_that_fails_does_not_silence_the_history(history: SessionHistory) -> None:
    heard = Mock(side_effect=[ValueError("no"), None])
    history.async_listen(heard, Change.SESSIONS)
    with pytest.raises(ValueError, match="no"):
        history.async_update(transitions.upsert_listed, [completed()])
    history.async_update(transitions.upsert_listed, [completed("later")])
    assert heard.call_count == 2


def test_an_update_returns_what_has_changed(history: SessionHistory) -> None:
    assert history.async_update(transitions.upsert_listed, [completed()]) is Change.SESSIONS
    assert history.async_update(transitions.upsert_listed, [completed()]) is Change.NONE
