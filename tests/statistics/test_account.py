"""The statistics as a user meets them: of a whole account, by name, and in the energy dashboard."""

from homeassistant.components.recorder.core import Recorder
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from custom_components.joulo.history import SessionHistory
from custom_components.joulo.sessions.figures import sum_known
from custom_components.joulo.statistics.importer import (
    StatisticsImporter,
    statistic_id,
    statistic_slug,
)
from tests.conftest import Advance
from tests.simulator import GARAGE_ID, OPRIT_ID, SCHUUR_ID, SimulatedAccount
from tests.statistics import (
    ENERGY,
    ERE,
    HOUR,
    QUIET,
    Recorded,
    add_device,
    list_sessions,
    name_of,
    session,
    sum_of,
)


async def test_a_charger_that_is_renamed_renames_its_statistics(
    hass: HomeAssistant,
    recorder: Recorder,
    owner: MockConfigEntry,
    importer: StatisticsImporter,
    history: SessionHistory,
    advance: Advance,
    handed_over: list[str],
) -> None:
    list_sessions(history, session())
    await advance(QUIET)
    assert await name_of(hass, recorder, ENERGY) == "Garage charged energy"
    assert await name_of(hass, recorder, ERE) == "Garage ERE credits"
    handed_over.clear()

    devices = dr.async_get(hass)
    device = add_device(hass, owner)
    devices.async_update_device(device.id, name="Carport")
    await advance(HOUR + 60)
    assert await name_of(hass, recorder, ENERGY) == "Carport charged energy"

    devices.async_update_device(device.id, name_by_user="Fast one")
    await advance(HOUR)
    assert await name_of(hass, recorder, ENERGY) == "Fast one charged energy"

    devices.async_remove_device(device.id)
    await advance(HOUR)
    assert await name_of(hass, recorder, ENERGY) == "Garage charged energy"
    assert handed_over == []


async def test_every_session_of_the_account_is_in_the_statistics(
    joulo: MockConfigEntry, account: SimulatedAccount, advance: Advance, recorded: Recorded
) -> None:
    for _ in range(12):
        await advance(6)
    await advance(QUIET)
    state = joulo.runtime_data.history.state
    for charger_id in (GARAGE_ID, OPRIT_ID, SCHUUR_ID):
        energy = sum_of(await recorded(statistic_id(statistic_slug(charger_id), "energy")))
        ere = sum_of(await recorded(statistic_id(statistic_slug(charger_id), "ere")))
        value = sum_of(await recorded(statistic_id(statistic_slug(charger_id), "value")))
        assert energy == pytest.approx(account.energy_total(charger_id), abs=0.01)
        assert ere == pytest.approx(account.ere_total(charger_id), abs=0.01)
        records = state.chargers[charger_id].records
        values = [records[completed.id].value for completed in account.completed(charger_id)]
        worth = sum_known(values)
        assert value == pytest.approx(worth, abs=0.01)
    assert value == 0, "the last one is not MID-certified"


async def test_the_statistics_outlive_charger_and_entry(
    hass: HomeAssistant,
    recorder: Recorder,
    joulo: MockConfigEntry,
    account: SimulatedAccount,
    advance: Advance,
    recorded: Recorded,
) -> None:
    for _ in range(12):
        await advance(6)
    await advance(QUIET)
    statistic = statistic_id(statistic_slug(GARAGE_ID), "energy")
    complete = await recorded(statistic)
    account.remove_charger(GARAGE_ID)
    for _ in range(3):
        await advance(61)
    await advance(HOUR)
    await advance(HOUR)
    assert await recorded(statistic) == complete
    assert await name_of(hass, recorder, statistic) == "Garage charged energy"

    await hass.config_entries.async_remove(joulo.entry_id)
    await advance(HOUR)
    assert await recorded(statistic) == complete


@pytest.mark.usefixtures("importer")
async def test_the_energy_dashboard_has_nothing_to_say_about_it(
    hass: HomeAssistant,
    history: SessionHistory,
    advance: Advance,
    hass_ws_client: WebSocketGenerator,
) -> None:
    list_sessions(history, session())
    await advance(QUIET)
    await async_wait_recording_done(hass)
    assert await async_setup_component(hass, "energy", {})
    client = await hass_ws_client(hass)
    await client.send_json_auto_id(
        {"type": "energy/save_prefs", "device_consumption": [{"stat_consumption": ENERGY}]}
    )
    assert (await client.receive_json())["success"]
    await client.send_json_auto_id({"type": "energy/validate"})
    issues = (await client.receive_json())["result"]
    assert issues["device_consumption"] == [[]]
