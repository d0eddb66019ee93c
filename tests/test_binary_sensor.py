"""What the binary sensors of a charger show."""

from datetime import timedelta
from typing import Any
from unittest.mock import patch

from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.template import Template
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import WebSocketGenerator
from syrupy.assertion import SnapshotAssertion

from tests.conftest import NOW, Advance
from tests.simulator import GARAGE_ID, SimulatedAccount
from tests.tables import assert_one_in_full, table_of
from tests.timing import POLL
from tests.vehicles import add_vehicle


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
    assert table_of(hass, entity_registry, entry) == snapshot(name="table")
    assert_one_in_full(hass, entity_registry, "binary_sensor.garage_mid_certified_meter", snapshot)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", {"on": "Charging", "off": "Not charging"}),
        ("nl", {"on": "Laadt", "off": "Laadt niet"}),
    ],
)
async def test_charging_has_words_and_icons_of_its_own_instead_of_those_of_a_battery(
    hass: HomeAssistant,
    joulo: MockConfigEntry,
    entity_registry: er.EntityRegistry,
    hass_ws_client: WebSocketGenerator,
    language: str,
    words: dict[str, str],
) -> None:
    """The frontend takes those of the translation key, and only without any those of the class."""
    await add_vehicle(hass, joulo)
    client = await hass_ws_client(hass)
    asked: dict[str, Any] = {"category": "entity", "integration": "joulo"}
    await client.send_json_auto_id({"type": "frontend/get_icons"} | asked)
    icons = (await client.receive_json())["result"]["resources"]["joulo"]["binary_sensor"]
    asked["language"] = language
    await client.send_json_auto_id({"type": "frontend/get_translations"} | asked)
    texts = (await client.receive_json())["result"]["resources"]
    for entity_id in ("binary_sensor.garage_charging", "binary_sensor.zoe_charging"):
        registered = entity_registry.async_get(entity_id)
        assert registered is not None
        key = registered.translation_key
        states = f"component.{registered.platform}.entity.{registered.domain}.{key}.state"
        assert {state: texts[f"{states}.{state}"] for state in words} == words
        assert icons[key] == {"default": "mdi:ev-plug-type2", "state": {"on": "mdi:ev-station"}}
        assert registered.original_device_class == "battery_charging"


@pytest.mark.parametrize(("language", "word"), [("en", "Not charging"), ("nl", "Laadt niet")])
async def test_home_assistant_itself_says_so_in_the_same_words(
    hass: HomeAssistant, joulo: MockConfigEntry, language: str, word: str
) -> None:
    """As in templates."""
    await hass.config.async_update(language=language)
    await hass.async_block_till_done(wait_background_tasks=True)
    template = Template("{{ state_translated('binary_sensor.garage_charging') }}", hass)
    assert template.async_render() == word


async def test_charging_follows_the_charger_within_a_poll(
    hass: HomeAssistant, account: SimulatedAccount, joulo: MockConfigEntry, advance: Advance
) -> None:
    account.start_session(GARAGE_ID)
    await advance(POLL)
    assert hass.states.is_state("binary_sensor.garage_charging", "on")
    assert hass.states.is_state("binary_sensor.oprit_charging", "off")
    account.end_session(GARAGE_ID)
    await advance(POLL)
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
