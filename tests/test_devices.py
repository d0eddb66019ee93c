"""Chargers come, are renamed and go without a reload."""

from homeassistant.config_entries import ConfigEntryDisabler
from homeassistant.const import CONF_TOKEN, CONF_URL
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from custom_components.joulo.const import DOMAIN
from tests.conftest import Advance
from tests.simulator import (
    GARAGE_ID,
    SCHUUR_ID,
    Fault,
    SimulatedAccount,
    SimulatedCharger,
    SimulatedCloud,
)
from tests.timing import POLL


def device_of(
    registry: dr.DeviceRegistry, entry: MockConfigEntry, device_key: str
) -> dr.DeviceEntry | None:
    """Return the device of a charger, or of the account."""
    return registry.async_get_device_by_identifier((DOMAIN, device_key), entry.entry_id)


async def test_a_charger_stands_below_its_account(
    joulo: MockConfigEntry, device_registry: dr.DeviceRegistry
) -> None:
    account = device_of(device_registry, joulo, joulo.entry_id)
    garage = device_of(device_registry, joulo, GARAGE_ID)
    assert account is not None
    assert garage is not None
    assert account.entry_type is dr.DeviceEntryType.SERVICE
    assert garage.via_device_id == account.id
    assert (garage.name, garage.model) == ("Garage", "Easee")


async def test_a_new_charger_appears(
    hass: HomeAssistant, account: SimulatedAccount, joulo: MockConfigEntry, advance: Advance
) -> None:
    account.add_charger(SimulatedCharger(nickname="Straat"))
    await advance(POLL)
    assert hass.states.is_state("sensor.straat_status", "online")
    assert hass.states.is_state("sensor.straat_last_session_energy", "unknown")


async def test_a_renamed_charger_renames_its_device_and_keeps_its_entities(
    hass: HomeAssistant,
    account: SimulatedAccount,
    joulo: MockConfigEntry,
    device_registry: dr.DeviceRegistry,
    advance: Advance,
) -> None:
    account.rename_charger(GARAGE_ID, "Schuurdeur")
    await advance(POLL)
    garage = device_of(device_registry, joulo, GARAGE_ID)
    assert garage is not None
    assert garage.name == "Schuurdeur"
    assert hass.states.is_state("sensor.garage_status", "online")


async def test_a_charger_without_a_nickname_is_called_charger(
    account: SimulatedAccount,
    hass: HomeAssistant,
    entry: MockConfigEntry,
    device_registry: dr.DeviceRegistry,
) -> None:
    account.rename_charger(GARAGE_ID, "")
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    garage = device_of(device_registry, entry, GARAGE_ID)
    assert garage is not None
    assert garage.name == "Charger"


async def test_a_charger_goes_when_two_answers_in_a_row_do_not_list_it(
    hass: HomeAssistant,
    account: SimulatedAccount,
    joulo: MockConfigEntry,
    device_registry: dr.DeviceRegistry,
    advance: Advance,
) -> None:
    account.remove_charger(SCHUUR_ID)
    await advance(POLL)
    assert device_of(device_registry, joulo, SCHUUR_ID) is not None
    assert hass.states.is_state("sensor.schuur_status", "unavailable")
    await advance(POLL)
    assert device_of(device_registry, joulo, SCHUUR_ID) is None
    assert hass.states.get("sensor.schuur_status") is None


async def test_an_answer_that_is_only_repeated_does_not_count_as_a_second_one(
    hass: HomeAssistant,
    account: SimulatedAccount,
    joulo: MockConfigEntry,
    device_registry: dr.DeviceRegistry,
    advance: Advance,
) -> None:
    assert await async_setup_component(hass, "homeassistant", {})
    account.remove_charger(SCHUUR_ID)
    await advance(POLL)
    for _ in range(3):
        await hass.services.async_call(
            "homeassistant",
            "update_entity",
            {"entity_id": "sensor.garage_status"},
            blocking=True,
        )
    assert device_of(device_registry, joulo, SCHUUR_ID) is not None


async def test_a_charger_that_comes_back_in_time_stays(
    hass: HomeAssistant, account: SimulatedAccount, joulo: MockConfigEntry, advance: Advance
) -> None:
    removed = account.remove_charger(SCHUUR_ID)
    await advance(POLL)
    account.add_charger(removed)
    await advance(POLL)
    assert hass.states.is_state("sensor.schuur_status", "online")


async def test_a_charger_that_comes_back_later_is_added_again(
    hass: HomeAssistant, account: SimulatedAccount, joulo: MockConfigEntry, advance: Advance
) -> None:
    removed = account.remove_charger(SCHUUR_ID)
    await advance(POLL)
    await advance(POLL)
    account.add_charger(removed)
    await advance(POLL)
    assert hass.states.is_state("sensor.schuur_status", "online")
    assert not hass.states.is_state("sensor.schuur_last_session_energy", "unknown")


async def test_a_charger_that_went_while_home_assistant_was_down_goes_too(
    hass: HomeAssistant,
    account: SimulatedAccount,
    joulo: MockConfigEntry,
    device_registry: dr.DeviceRegistry,
    advance: Advance,
) -> None:
    await hass.config_entries.async_unload(joulo.entry_id)
    account.remove_charger(SCHUUR_ID)
    await advance(POLL)
    await hass.config_entries.async_setup(joulo.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert device_of(device_registry, joulo, SCHUUR_ID) is not None
    await advance(POLL)
    assert device_of(device_registry, joulo, SCHUUR_ID) is None


async def test_an_empty_answer_removes_nothing(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    joulo: MockConfigEntry,
    device_registry: dr.DeviceRegistry,
    advance: Advance,
) -> None:
    cloud.fail("/chargers", Fault.EMPTY_ACCOUNT, times=3)
    for _ in range(3):
        await advance(POLL)
        assert hass.states.is_state("sensor.garage_status", "unavailable")
    assert device_of(device_registry, joulo, GARAGE_ID) is not None
    await advance(POLL)
    assert hass.states.is_state("sensor.garage_status", "online")


@pytest.mark.parametrize(
    ("missed", "loaded", "deletable"),
    [
        pytest.param(True, True, True, id="the last answer does not list it"),
        pytest.param(False, True, False, id="the last answer lists it"),
        pytest.param(True, False, False, id="there is no last answer"),
    ],
)
async def test_a_charger_can_be_deleted_by_hand_when_joulo_does_not_list_it(
    hass: HomeAssistant,
    hass_ws_client: WebSocketGenerator,
    account: SimulatedAccount,
    joulo: MockConfigEntry,
    device_registry: dr.DeviceRegistry,
    advance: Advance,
    *,
    missed: bool,
    loaded: bool,
    deletable: bool,
) -> None:
    assert await async_setup_component(hass, "config", {})
    if missed:
        account.remove_charger(SCHUUR_ID)
        await advance(POLL)
    if not loaded:
        await hass.config_entries.async_unload(joulo.entry_id)
    schuur = device_of(device_registry, joulo, SCHUUR_ID)
    assert schuur is not None
    client = await hass_ws_client(hass)
    answer = await client.remove_device(schuur.id)
    assert answer["success"] is deletable


async def test_the_account_itself_cannot_be_deleted_by_hand(
    hass: HomeAssistant,
    hass_ws_client: WebSocketGenerator,
    joulo: MockConfigEntry,
    device_registry: dr.DeviceRegistry,
) -> None:
    assert await async_setup_component(hass, "config", {})
    account = device_of(device_registry, joulo, joulo.entry_id)
    assert account is not None
    client = await hass_ws_client(hass)
    answer = await client.remove_device(account.id)
    assert answer["success"] is False


async def test_a_charger_that_moves_to_another_account_takes_its_place_there(
    hass: HomeAssistant,
    account: SimulatedAccount,
    cloud: SimulatedCloud,
    joulo: MockConfigEntry,
    url: str,
    device_registry: dr.DeviceRegistry,
    advance: Advance,
    caplog: pytest.LogCaptureFixture,
) -> None:
    cloud.accounts.append(SimulatedAccount(token="joulo_the_neighbours"))
    neighbours = MockConfigEntry(
        domain=DOMAIN, data={CONF_URL: url, CONF_TOKEN: "joulo_the_neighbours"}
    )
    neighbours.add_to_hass(hass)
    assert await hass.config_entries.async_setup(neighbours.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)

    cloud.accounts[1].add_charger(SimulatedCharger(id=SCHUUR_ID, nickname="Schuur"))
    await advance(POLL)
    assert hass.states.is_state("sensor.schuur_status", "online"), "both list it for a while"
    account.remove_charger(SCHUUR_ID)
    for _ in range(3):
        await advance(POLL)
    assert device_of(device_registry, joulo, SCHUUR_ID) is None
    assert device_of(device_registry, neighbours, SCHUUR_ID) is not None
    assert hass.states.is_state("sensor.schuur_status", "online")
    assert "unique" not in caplog.text.lower()


async def test_a_disabled_account_lets_go_of_its_chargers(
    hass: HomeAssistant,
    account: SimulatedAccount,
    cloud: SimulatedCloud,
    joulo: MockConfigEntry,
    url: str,
    advance: Advance,
) -> None:
    cloud.accounts.append(SimulatedAccount(token="joulo_the_neighbours"))
    cloud.accounts[1].add_charger(SimulatedCharger(id=SCHUUR_ID, nickname="Schuur"))
    neighbours = MockConfigEntry(
        domain=DOMAIN, data={CONF_URL: url, CONF_TOKEN: "joulo_the_neighbours"}
    )
    neighbours.add_to_hass(hass)
    await hass.config_entries.async_set_disabled_by(joulo.entry_id, ConfigEntryDisabler.USER)
    assert await hass.config_entries.async_setup(neighbours.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    await advance(POLL)
    assert hass.states.is_state("sensor.schuur_status", "online")
