"""What the binary sensors of a charger show."""

from datetime import timedelta
from unittest.mock import patch

from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, snapshot_platform
from syrupy.assertion import SnapshotAssertion

from tests.conftest import NOW, Advance
from tests.simulator import GARAGE_ID, SimulatedAccount


async def test_all_binary_sensors(
    hass: HomeAssistant,
    account: SimulatedAccount,
    entry: MockConfigEntry,
    entity_registry: er.EntityRegistry,
    snapshot: SnapshotAssertion,
) -> None:
    account.start_session(GARAGE_ID, at=NOW - timedelta(hours=2))
    with patch("custom_components.joulo.PLATFORMS", [Platform.BINARY_SENSOR]):
        await hass.config_entries.async_setup(entry.entry_id)
        await hass.async_block_till_done(wait_background_tasks=True)
    await snapshot_platform(hass, entity_registry, snapshot, entry.entry_id)


async def test_charging_follows_the_charger_within_a_poll(
    hass: HomeAssistant, account: SimulatedAccount, joulo: MockConfigEntry, advance: Advance
) -> None:
    account.start_session(GARAGE_ID)
    await advance(61)
    assert hass.states.is_state("binary_sensor.garage_charging", "on")
    assert hass.states.is_state("binary_sensor.oprit_charging", "off")
    account.end_session(GARAGE_ID)
    await advance(61)
    assert hass.states.is_state("binary_sensor.garage_charging", "off")


@pytest.mark.parametrize(
    ("status", "connected"),
    [
        ("online", "on"),
        ("charging", "on"),
        ("active", "on"),
        ("offline", "off"),
        ("unavailable", "off"),
        ("unknown", "unknown"),
        ("hibernating", "unknown"),
    ],
)
async def test_only_a_charger_that_joulo_calls_out_of_reach_is_disconnected(
    hass: HomeAssistant,
    account: SimulatedAccount,
    entry: MockConfigEntry,
    status: str,
    connected: str,
) -> None:
    account.charger(GARAGE_ID).status = status
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert hass.states.is_state("binary_sensor.garage_connectivity", connected)
