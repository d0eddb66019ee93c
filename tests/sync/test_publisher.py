"""The publisher of session events by itself: when it looks again, and what it writes first."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import Mock, patch

from homeassistant.core import CoreState, HomeAssistant
from homeassistant.helpers.storage import Store
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.joulo.api import RateLimiter
from custom_components.joulo.const import DOMAIN
from custom_components.joulo.history import SessionHistory
from custom_components.joulo.sessions import transitions
from custom_components.joulo.sessions.model import SessionEventType
from custom_components.joulo.sync.publisher import SessionEventPublisher
from tests.conftest import NOW, Advance
from tests.sessions import PROFILE, VALUE, charger, completed

FILE = "joulo.entry.history"
MINUTE = timedelta(minutes=1)
STARTED, COMPLETED = SessionEventType.STARTED, SessionEventType.COMPLETED


@pytest.fixture
def history(hass: HomeAssistant, hass_storage: dict[str, Any]) -> SessionHistory:
    """Return a history that has been read for the first time; its file is in memory."""
    history = SessionHistory(hass, "entry", RateLimiter())
    history.async_update(transitions.begin_announcing, NOW)
    return history


@pytest.fixture
async def fired(hass: HomeAssistant, history: SessionHistory) -> AsyncGenerator[Mock]:
    """Return what was called with the type and the attributes of every event of the charger."""
    entry = MockConfigEntry(domain=DOMAIN, entry_id="entry")
    entry.add_to_hass(hass)
    publisher = SessionEventPublisher(hass, entry, history)
    publisher.async_start()
    fire = Mock()
    unsubscribe = publisher.async_subscribe("c", fire)
    yield fire
    unsubscribe()
    await publisher.async_stop()
    await entry._async_process_on_unload(hass)


def types(fired: Mock) -> list[SessionEventType]:
    """Return the types of the events so far."""
    return [call.args[0] for call in fired.call_args_list]


async def test_a_start_that_this_clock_has_not_reached_is_told_when_it_has(
    history: SessionHistory, fired: Mock, advance: Advance
) -> None:
    shown = charger(session="s", started_at=NOW + timedelta(seconds=40))
    history.async_update(transitions.apply_report, [shown], NOW)
    await advance(39)
    assert types(fired) == []
    await advance(2)
    assert types(fired) == [STARTED]
    assert fired.call_args.args[1]["late"] is False


async def test_an_event_is_stored_before_it_is_fired(
    hass: HomeAssistant, history: SessionHistory, fired: Mock, hass_storage: dict[str, Any]
) -> None:
    stored: list[dict[str, Any]] = []
    fired.side_effect = lambda *_: stored.append(hass_storage[FILE]["data"]["told"])
    shown = charger(session="s", started_at=NOW)
    history.async_update(transitions.apply_report, [shown], NOW)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert stored == [{"s": ["session_started"]}]


async def test_events_of_one_moment_are_stored_together_and_fired_in_order(
    hass: HomeAssistant, history: SessionHistory, fired: Mock, hass_storage: dict[str, Any]
) -> None:
    stored: list[dict[str, Any]] = []
    fired.side_effect = lambda *_: stored.append(hass_storage[FILE]["data"]["told"])
    first, second = (
        replace(completed(key), started_at=NOW + begin * MINUTE, ended_at=NOW + end * MINUTE)
        for key, begin, end in (("first", -1, -0.5), ("second", -0.5, 0))
    )
    history.async_update(transitions.upsert_listed, [second, first])
    await hass.async_block_till_done(wait_background_tasks=True)
    assert [(call.args[0], call.args[1]["session_id"]) for call in fired.call_args_list] == [
        (STARTED, "first"),
        (COMPLETED, "first"),
        (STARTED, "second"),
        (COMPLETED, "second"),
    ]
    both = ["session_started", "session_completed"]
    assert stored == [{"first": both, "second": both}] * 4


async def end_unlisted(history: SessionHistory, advance: Advance, *, kwh: float) -> None:
    """Let a session end that Joulo does not list, and be noticed."""
    shown = charger(session="s", kwh=kwh, started_at=NOW)
    history.async_update(transitions.apply_report, [shown], NOW)
    history.async_update(transitions.apply_report, [charger()], NOW)
    await advance(0)


async def test_an_end_that_joulo_does_not_list_is_told_after_a_quarter_of_an_hour(
    history: SessionHistory, fired: Mock, advance: Advance
) -> None:
    await end_unlisted(history, advance, kwh=1)
    history.async_update(transitions.finish_read, NOW, full=False)
    await advance(14 * 60)
    assert types(fired) == [STARTED]
    await advance(61)
    assert types(fired) == [STARTED, COMPLETED]


async def test_an_end_is_waited_for_as_long_as_joulo_cannot_be_read(
    history: SessionHistory, fired: Mock, advance: Advance
) -> None:
    """The charger may have been out of reach too, and its last figure be hours old."""
    await end_unlisted(history, advance, kwh=8)
    await advance(3 * 3600)
    assert types(fired) == [STARTED]
    ended = replace(completed(), started_at=NOW, ended_at=NOW + MINUTE, kwh=17.5)
    history.async_update(transitions.upsert_listed, [ended])
    await advance(0)
    assert types(fired) == [STARTED, COMPLETED]
    assert fired.call_args.args[1]["energy_kwh"] == 17.5


async def test_an_end_that_a_late_read_does_not_list_is_told_with_it(
    history: SessionHistory, fired: Mock, advance: Advance
) -> None:
    await end_unlisted(history, advance, kwh=8)
    await advance(3 * 3600)
    history.async_update(transitions.finish_read, NOW + timedelta(hours=3), full=False)
    await advance(0)
    assert types(fired) == [STARTED, COMPLETED]


async def test_a_session_that_joulo_lists_as_open_is_waited_for_a_day(
    history: SessionHistory, fired: Mock, advance: Advance
) -> None:
    """Two sockets can share a charger, which then shows the newest session only; and cars pause."""
    open_session = replace(completed(), started_at=NOW, ended_at=None, kwh=7.76)
    history.async_update(transitions.apply_report, [charger(session="s", started_at=NOW)], NOW)
    history.async_update(transitions.upsert_listed, [open_session])
    history.async_update(transitions.apply_report, [charger()], NOW)
    await advance(23 * 3600)
    assert types(fired) == [STARTED]
    ended = replace(open_session, ended_at=NOW + timedelta(hours=23), kwh=34.42)
    history.async_update(transitions.upsert_listed, [ended])
    await advance(0)
    assert types(fired) == [STARTED, COMPLETED]
    assert fired.call_args.args[1]["energy_kwh"] == 34.42


async def test_a_session_that_stays_open_for_more_than_a_day_is_completed_all_the_same(
    history: SessionHistory, fired: Mock, advance: Advance
) -> None:
    open_session = replace(completed(), started_at=NOW, ended_at=None, kwh=7.76)
    history.async_update(transitions.apply_report, [charger(session="s", started_at=NOW)], NOW)
    history.async_update(transitions.upsert_listed, [open_session])
    history.async_update(transitions.apply_report, [charger()], NOW)
    await advance(0)
    await advance(86_400 + 1)
    assert types(fired) == [STARTED, COMPLETED]


async def test_a_completion_has_the_value_that_the_list_brought_along(
    hass: HomeAssistant, history: SessionHistory, fired: Mock
) -> None:
    history.async_update(transitions.apply_report, [charger()], NOW)
    history.async_update(transitions.assign_values, PROFILE)
    ended = replace(completed(), started_at=NOW - MINUTE, ended_at=NOW)
    history.async_update(transitions.upsert_listed, [ended])
    await hass.async_block_till_done(wait_background_tasks=True)
    assert types(fired) == [STARTED, COMPLETED]
    assert fired.call_args.args[1]["value_eur"] == pytest.approx(VALUE)


async def test_while_home_assistant_stops_nothing_is_fired(
    hass: HomeAssistant, history: SessionHistory, fired: Mock, advance: Advance
) -> None:
    """What is remembered then would be written at the very end only, or never."""
    hass.set_state(CoreState.stopping)
    shown = charger(session="s", started_at=NOW)
    history.async_update(transitions.apply_report, [shown], NOW)
    await advance(61)
    assert types(fired) == []
    assert history.state.announced == {}
    hass.set_state(CoreState.running)
    tagged = charger(session="s", started_at=NOW, tag="T")
    history.async_update(transitions.apply_report, [tagged], NOW)
    await advance(1)
    assert types(fired) == [STARTED]


async def test_a_stop_during_the_write_still_lets_what_was_written_be_fired(
    hass: HomeAssistant, history: SessionHistory, fired: Mock, advance: Advance
) -> None:
    to_disk = Store._async_write_data

    async def stop_meanwhile(store: Store[Any], data: dict[str, Any]) -> None:
        hass.set_state(CoreState.stopping)
        await to_disk(store, data)

    with patch.object(Store, "_async_write_data", stop_meanwhile):
        shown = charger(session="s", started_at=NOW)
        history.async_update(transitions.apply_report, [shown], NOW)
        await advance(1)
        history.async_update(transitions.apply_report, [charger()], NOW)
        await advance(16 * 60)
    assert types(fired) == [STARTED]
    assert history.state.announced == {"s": ("session_started",)}
    hass.set_state(CoreState.running)
