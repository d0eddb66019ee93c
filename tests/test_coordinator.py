"""When Joulo is asked, and what for; `test_faults.py` shows what happens when it does not answer."""

from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.joulo.const import CONF_CHARGERS_INTERVAL
from custom_components.joulo.sessions import queries
from tests.conftest import Advance
from tests.simulator import GARAGE_ID, Fault, SimulatedAccount, SimulatedCloud
from tests.timing import POLL, READ


async def pass_time(advance: Advance, seconds: float) -> None:
    """Let time pass poll by poll."""
    for _ in range(round(seconds / POLL)):
        await advance(POLL)


async def read_history(advance: Advance, cloud: SimulatedCloud) -> None:
    """Let the first read of all sessions come to its end, and begin a new record of requests."""
    for _ in range(6):
        await advance(7)
    cloud.forget_requests()


def without_end(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document in which the newest session, if it lists sessions, has no end."""
    match document:
        case {"sessions": [newest, *others]}:
            return document | {"sessions": [newest | {"ended_at": None}, *others]}
    return document


async def test_idle_chargers_are_polled_every_minute_and_the_rest_every_hour(
    hass: HomeAssistant, cloud: SimulatedCloud, joulo: MockConfigEntry, advance: Advance
) -> None:
    await pass_time(advance, 1200)
    cloud.forget_requests()
    await pass_time(advance, 2 * 3600)
    assert cloud.count("/chargers") == pytest.approx(7200 / POLL, abs=1)
    assert cloud.count("/sessions") == 2
    assert cloud.count("/energy") == 2
    assert (cloud.count("/me"), cloud.count("/ere-position")) == (0, 0)
    await pass_time(advance, 4 * 3600)
    assert (cloud.count("/me"), cloud.count("/ere-position")) == (1, 1)


async def test_the_sessions_are_left_alone_while_one_runs(
    hass: HomeAssistant,
    account: SimulatedAccount,
    cloud: SimulatedCloud,
    joulo: MockConfigEntry,
    advance: Advance,
) -> None:
    await read_history(advance, cloud)
    account.start_session(GARAGE_ID)
    await pass_time(advance, 5.9 * 3600)
    assert cloud.count("/sessions") == 0
    await pass_time(advance, 1200)
    assert cloud.count("/sessions") == 1, "one that charges for a day is looked at"


async def test_an_end_is_followed_by_a_read_at_once_and_every_ten_minutes_until_joulo_lists_it(
    hass: HomeAssistant,
    account: SimulatedAccount,
    cloud: SimulatedCloud,
    joulo: MockConfigEntry,
    advance: Advance,
) -> None:
    await read_history(advance, cloud)
    account.start_session(GARAGE_ID)
    await pass_time(advance, 1200)
    cloud.garble = without_end
    account.end_session(GARAGE_ID)
    await advance(POLL)
    await advance(2)
    assert cloud.count("/sessions") == 1
    await pass_time(advance, 3600)
    assert cloud.count("/sessions") == pytest.approx(1 + 3600 / 601, abs=1)
    cloud.garble = None
    await advance(READ)
    cloud.forget_requests()
    await pass_time(advance, 3500)
    assert cloud.count("/sessions") == 0


async def test_after_a_day_an_end_that_joulo_does_not_list_is_looked_for_hourly_only(
    account: SimulatedAccount, cloud: SimulatedCloud, joulo: MockConfigEntry, advance: Advance
) -> None:
    await read_history(advance, cloud)
    account.start_session(GARAGE_ID)
    await advance(POLL)
    cloud.garble = without_end
    account.end_session(GARAGE_ID)
    await advance(POLL)
    for _ in range(25):
        await advance(3600)
    cloud.forget_requests()
    await pass_time(advance, 3 * 3600)
    assert cloud.count("/sessions") == pytest.approx(3, abs=1)


async def test_the_sums_are_read_again_after_the_history_has_changed(
    hass: HomeAssistant,
    account: SimulatedAccount,
    cloud: SimulatedCloud,
    joulo: MockConfigEntry,
    advance: Advance,
) -> None:
    account.start_session(GARAGE_ID)
    await pass_time(advance, 1300)
    account.end_session(GARAGE_ID)
    cloud.forget_requests()
    await pass_time(advance, 1300)
    assert cloud.count("/sessions") == 1
    assert cloud.count("/energy") == 1
    total = hass.states.get("sensor.joulo_total_energy")
    assert total is not None
    assert float(total.state) == account.energy_total(mid_only=True)


async def test_the_chargers_are_polled_as_often_as_the_options_say(
    hass: HomeAssistant, cloud: SimulatedCloud, entry: MockConfigEntry, advance: Advance
) -> None:
    hass.config_entries.async_update_entry(entry, options={CONF_CHARGERS_INTERVAL: 900})
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    await pass_time(advance, 3600)
    assert cloud.count("/chargers") == 1 + 3


@pytest.mark.long_account
async def test_the_whole_history_is_read_page_by_page(
    hass: HomeAssistant,
    account: SimulatedAccount,
    cloud: SimulatedCloud,
    joulo: MockConfigEntry,
    advance: Advance,
) -> None:
    await read_history(advance, cloud)
    listed = queries.listed(joulo.runtime_data.history.state)
    assert {session.id for session in listed} == {session.id for session in account.sessions}


async def test_a_read_goes_back_a_fortnight_before_the_last_complete_one(
    hass: HomeAssistant, cloud: SimulatedCloud, joulo: MockConfigEntry, advance: Advance
) -> None:
    await read_history(advance, cloud)
    await advance(3600)
    reads = [request.query for request in cloud.requests if request.path == "/sessions"]
    assert reads == [{"limit": "100", "from": "2026-06-01T12:00:00Z"}]


@pytest.mark.long_account
async def test_a_page_that_fails_ends_the_walk_until_the_next_read(
    hass: HomeAssistant,
    account: SimulatedAccount,
    cloud: SimulatedCloud,
    joulo: MockConfigEntry,
    advance: Advance,
) -> None:
    cloud.fail("/sessions", Fault.SERVER_ERROR)
    await advance(7)
    await advance(7)
    assert cloud.count("/sessions") == 2
    cloud.recover()
    await advance(3600)
    for _ in range(6):
        await advance(7)
    listed = [*queries.listed(joulo.runtime_data.history.state)]
    assert len(listed) == len(account.sessions)


@pytest.mark.long_account
async def test_a_page_that_is_refused_is_asked_for_again_when_joulo_says(
    hass: HomeAssistant,
    account: SimulatedAccount,
    cloud: SimulatedCloud,
    joulo: MockConfigEntry,
    advance: Advance,
) -> None:
    cloud.fail("/sessions", Fault.RATE_LIMITED, times=1, retry_after=120)
    await advance(7)
    for _ in range(16):
        await advance(7)
    assert cloud.count("/sessions") == 2
    for _ in range(6):
        await advance(7)
    listed = [*queries.listed(joulo.runtime_data.history.state)]
    assert len(listed) == len(account.sessions)


@pytest.mark.long_account
async def test_unloading_in_the_middle_of_a_walk_ends_it(
    hass: HomeAssistant, cloud: SimulatedCloud, joulo: MockConfigEntry, advance: Advance
) -> None:
    await hass.config_entries.async_unload(joulo.entry_id)
    for _ in range(3):
        await advance(7)
    assert cloud.count("/sessions") == 1


async def test_asking_by_hand_sends_nothing_too_early_and_changes_nothing(
    hass: HomeAssistant, cloud: SimulatedCloud, joulo: MockConfigEntry
) -> None:
    assert await async_setup_component(hass, "homeassistant", {})
    before = {state.entity_id: state.state for state in hass.states.async_all()}
    cloud.forget_requests()
    await hass.services.async_call(
        "homeassistant",
        "update_entity",
        {
            "entity_id": [
                "sensor.garage_status",
                "sensor.garage_last_session_energy",
                "sensor.joulo_total_energy",
            ]
        },
        blocking=True,
    )
    assert {state.entity_id: state.state for state in hass.states.async_all()} == before
    assert cloud.requests == []
