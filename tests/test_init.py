"""Setting an account up, unloading and removing it."""

from typing import Any

from homeassistant.config_entries import ConfigEntryDisabler, ConfigEntryState
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry

from tests.conftest import Advance
from tests.home import Home
from tests.simulator import GARAGE_ID, Fault, SimulatedAccount, SimulatedCloud
from tests.timing import HOUR, POLL


async def test_setting_up_asks_each_endpoint_once(
    joulo: MockConfigEntry, cloud: SimulatedCloud
) -> None:
    assert joulo.state is ConfigEntryState.LOADED
    assert sorted(request.path for request in cloud.requests) == [
        "/chargers",
        "/energy",
        "/ere-position",
        "/me",
        "/sessions",
        "/sessions",
    ], "one page of sessions, and a request that finds nothing behind it"


async def test_setting_up_waits_for_the_chargers_alone(
    cloud: SimulatedCloud, entry: MockConfigEntry, new_home: Home
) -> None:
    """What never answers stays unavailable, and is asked again."""
    slow = ("/energy", "/me", "/ere-position", "/sessions")
    for path in slow:
        cloud.fail(path, Fault.TIMEOUT, times=1)
    # Time stands still here, so that what hangs hangs for as long as the test takes.
    await new_home.hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.LOADED
    assert new_home.state("sensor.garage_status") == "online"
    assert new_home.state("sensor.joulo_total_energy") == "unavailable"
    await new_home.wait(16)
    await new_home.hours()
    assert new_home.state("sensor.joulo_total_energy") != "unavailable"
    assert len(new_home.known) > 0


async def test_an_account_without_chargers_is_set_up_and_waits_for_one(
    hass: HomeAssistant, account: SimulatedAccount, entry: MockConfigEntry, advance: Advance
) -> None:
    chargers = account.chargers
    account.empty()
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert entry.state is ConfigEntryState.LOADED
    account.add_charger(chargers[0])
    await advance(POLL)
    assert hass.states.is_state("sensor.garage_status", "online")


async def test_after_unloading_nothing_is_asked_any_more(
    hass: HomeAssistant,
    account: SimulatedAccount,
    cloud: SimulatedCloud,
    joulo: MockConfigEntry,
    advance: Advance,
) -> None:
    account.start_session(GARAGE_ID)
    await advance(POLL)
    assert await hass.config_entries.async_unload(joulo.entry_id)
    cloud.forget_requests()
    for _ in range(3):
        await advance(HOUR)
    assert cloud.requests == []
    assert hass.states.is_state("sensor.garage_status", "unavailable")


async def test_removing_the_entry_deletes_what_was_stored(
    hass: HomeAssistant, joulo: MockConfigEntry, hass_storage: dict[str, Any]
) -> None:
    key = f"joulo.{joulo.entry_id}.history"
    await hass.config_entries.async_unload(joulo.entry_id)
    assert key in hass_storage
    await hass.config_entries.async_remove(joulo.entry_id)
    assert key not in hass_storage


async def test_an_account_id_that_joulo_tells_later_becomes_the_unique_id(
    account: SimulatedAccount, cloud: SimulatedCloud, entry: MockConfigEntry, new_home: Home
) -> None:
    cloud.fail("/me", Fault.SERVER_ERROR)
    await new_home.set_up()
    before = entry.unique_id
    cloud.recover()
    await new_home.hours()
    assert (before, entry.unique_id) == (None, account.id)
    assert entry.state is ConfigEntryState.LOADED


async def test_the_issues_of_a_disabled_entry_go(
    hass: HomeAssistant, cloud: SimulatedCloud, home: Home
) -> None:
    cloud.fail("/sessions", Fault.FORBIDDEN)
    await home.hours()
    assert len(home.issues()) == 1
    await hass.config_entries.async_set_disabled_by(home.entry.entry_id, ConfigEntryDisabler.USER)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert home.issues() == []
