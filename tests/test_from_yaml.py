"""What docs/from-yaml.md promises those who come from the YAML of Joulo's own page."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import timedelta
from http import HTTPStatus
import logging
from pathlib import Path
import re
from typing import Any

from homeassistant.components.recorder.core import Recorder
from homeassistant.components.recorder.history import get_significant_states
from homeassistant.components.recorder.statistics import (
    list_statistic_ids,
    statistics_during_period,
)
from homeassistant.const import STATE_UNKNOWN
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import parse_yaml
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_mock_service
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
    do_adhoc_statistics,
)

from custom_components.joulo.const import DOMAIN
from tests.conftest import NOW, Advance, recent_account
from tests.rest_yaml import AS_PRINTED, CORRECTED, SENSORS, Configuration
from tests.simulator import GARAGE_ID, SimulatedAccount, SimulatedCloud, serve
from tests.test_translations import DUTCH, ENGLISH
from tests.timing import POLL, READ

DOCS = Path(__file__).parent.parent / "docs"
GUIDE, GUIDE_IN_DUTCH = (
    (folder / "from-yaml.md").read_text(encoding="utf-8") for folder in (DOCS, DOCS / "nl")
)
OLD, NEW = "sensor.joulo_total_kwh", "sensor.joulo_total_energy"
YAML_BLOCKS = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
HOUR = timedelta(hours=1)
FIVE_MINUTES = 300

type History = Callable[[str], Awaitable[list[str]]]


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Keep the database from writing every statement to the log."""
    caplog.set_level(logging.WARNING, "sqlalchemy.engine")
    caplog.set_level(logging.WARNING, "homeassistant.components.recorder")


@pytest.fixture
def recorder(_now: None, quiet: None, recorder_mock: Recorder) -> Recorder:
    """Return a recorder that has begun at the moment at which the test does."""
    return recorder_mock


@pytest.fixture
def elsewhere() -> SimulatedCloud:
    """Return a Joulo apart from the entry's, whose limits are its own."""
    return SimulatedCloud(recent_account())


@pytest.fixture
async def configuration(
    hass: HomeAssistant, elsewhere: SimulatedCloud, tmp_path: Path, socket_enabled: None
) -> AsyncGenerator[Configuration]:
    """Return a configuration that reads it."""
    async with serve(elsewhere) as url:
        yield Configuration(hass, tmp_path, url)


@pytest.fixture
def history(hass: HomeAssistant, recorder: Recorder) -> History:
    """Return a function that tells which states the recorder holds of an id; empty: none at that time."""

    async def history(entity_id: str) -> list[str]:
        await async_wait_recording_done(hass)
        found = await recorder.async_add_executor_job(
            get_significant_states, hass, NOW - HOUR, None, [entity_id]
        )
        return [state.state for state in found.get(entity_id, []) if isinstance(state, State)]

    return history


# What replaces what


def table(guide: str = GUIDE) -> dict[str, tuple[str, str]]:
    """Return each old id of the table, with the device and the name of what replaces it."""
    row = re.compile(r"^\| `(sensor\.\w+)` \| (\w+): \*\*(.+?)\*\* \|", re.MULTILINE)
    return {old: (device, name) for old, device, name in row.findall(guide)}


def test_every_sensor_of_the_page_is_replaced() -> None:
    assert sorted(table()) == SENSORS


async def test_what_replaces_it_exists(
    hass: HomeAssistant,
    entity_registry: er.EntityRegistry,
    device_registry: dr.DeviceRegistry,
    joulo: MockConfigEntry,
) -> None:
    there_are = set()
    for entity in er.async_entries_for_config_entry(entity_registry, joulo.entry_id):
        assert entity.device_id is not None
        device = device_registry.async_get(entity.device_id)
        kind = "account" if device and device.name == joulo.title else "charger"
        there_are.add((kind, entity.original_name))
    assert set(table().values()) <= there_are


def test_the_guide_in_dutch_says_the_same() -> None:
    devices = {"charger": "laadpaal", "account": "account"}
    names = {
        texts["name"]: DUTCH["entity"][platform][key]["name"]
        for platform, entities in ENGLISH["entity"].items()
        for key, texts in entities.items()
    }
    assert table(GUIDE_IN_DUTCH) == {
        old: (devices[device], names[name]) for old, (device, name) in table().items()
    }
    assert re.findall(r"```yaml\n(.*?)```", GUIDE_IN_DUTCH, re.DOTALL) == YAML_BLOCKS


# What is kept


async def test_the_page_makes_these_sensors_and_no_statistics(
    hass: HomeAssistant, recorder: Recorder, configuration: Configuration
) -> None:
    await configuration.start(configuration.page())
    assert sorted(hass.states.async_entity_ids("sensor")) == SENSORS
    await async_wait_recording_done(hass)
    do_adhoc_statistics(hass, start=NOW)
    await async_wait_recording_done(hass)
    assert await recorder.async_add_executor_job(list_statistic_ids, hass) == []


async def test_an_id_is_refused_while_the_old_sensor_has_it(
    configuration: Configuration, entity_registry: er.EntityRegistry, joulo: MockConfigEntry
) -> None:
    await configuration.start(configuration.page())
    with pytest.raises(ValueError, match="Entity with this ID is already registered"):
        entity_registry.async_update_entity(NEW, new_entity_id=OLD)


async def test_a_renamed_entity_goes_on_where_the_old_sensor_ended(
    configuration: Configuration,
    entity_registry: er.EntityRegistry,
    joulo: MockConfigEntry,
    history: History,
    advance: Advance,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await configuration.start(configuration.page())
    (old,) = await history(OLD)
    await advance(POLL)
    await configuration.reload("")
    assert await history(OLD) == [old, ""]
    # The entity may be there a moment before its first figure.
    *_, new = await history(NEW)

    await advance(POLL)
    entity_registry.async_update_entity(NEW, new_entity_id=OLD)
    await advance(POLL)
    assert await history(OLD) == [old, "", new]
    assert (await history(NEW))[-2:] == [new, ""], "what it recorded before stays behind"
    assert "because the new entity_id is already in use" in caplog.text


async def test_statistics_that_a_user_has_made_go_on_as_well(
    hass: HomeAssistant,
    recorder: Recorder,
    account: SimulatedAccount,
    configuration: Configuration,
    entity_registry: er.EntityRegistry,
    entry: MockConfigEntry,
    history: History,
    advance: Advance,
) -> None:
    classed = "device_class: energy\n        state_class: total_increasing"
    await configuration.start(configuration.page().replace("device_class: energy", classed))
    await history(OLD)
    do_adhoc_statistics(hass, start=NOW)
    await advance(FIVE_MINUTES)
    await configuration.reload("")

    # Ten kWh more than the old sensor knew of.
    account.plan_session(GARAGE_ID, NOW - HOUR, NOW, power_kw=10)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    entity_registry.async_update_entity(NEW, new_entity_id=OLD)
    await history(OLD)
    do_adhoc_statistics(hass, start=NOW + timedelta(seconds=FIVE_MINUTES))
    await async_wait_recording_done(hass)
    found = await recorder.async_add_executor_job(
        statistics_during_period, hass, NOW, None, {OLD}, "5minute", None, {"sum"}
    )
    assert [row["sum"] for row in found[OLD]] == [0, pytest.approx(10)]


# The recipe


def recipe(device_id: str) -> Any:
    """Return the automation of the guide, for this charger."""
    (text,) = [block for block in YAML_BLOCKS if "joulo_session_done" in block]
    return parse_yaml(text.replace("0123456789abcdef0123456789abcdef", device_id))


async def test_the_recipe_tells_the_kwh_of_the_session_and_of_the_day(
    hass: HomeAssistant,
    account: SimulatedAccount,
    device_registry: dr.DeviceRegistry,
    joulo: MockConfigEntry,
    advance: Advance,
) -> None:
    messages = async_mock_service(hass, "notify", "mobile_app_jouw_telefoon")
    device = device_registry.async_get_device_by_identifier((DOMAIN, GARAGE_ID), joulo.entry_id)
    assert device is not None
    assert await async_setup_component(hass, "automation", {"automation": recipe(device.id)})
    for hours in (1, 2):
        account.start_session(GARAGE_ID, power_kw=10)
        await advance(hours * 3600)
        account.end_session(GARAGE_ID)
        await advance(POLL)
        await advance(READ)
    assert [message.data["message"] for message in messages] == [
        "10.0 kWh geladen. Totaal vandaag: 10.0 kWh.",
        "20.0 kWh geladen. Totaal vandaag: 30.0 kWh.",
    ]


# Why the YAML does not log in


async def test_as_printed_it_does_not_log_in(
    hass: HomeAssistant, elsewhere: SimulatedCloud, configuration: Configuration
) -> None:
    await configuration.start(configuration.page(AS_PRINTED))
    assert {request.status for request in elsewhere.requests} == {HTTPStatus.UNAUTHORIZED}
    states = {state.entity_id: state.state for state in hass.states.async_all("sensor")}
    assert set(states) == set(SENSORS) - {OLD}
    assert set(states.values()) == {STATE_UNKNOWN, ""}


async def test_as_the_guide_corrects_it_it_does(
    elsewhere: SimulatedCloud, configuration: Configuration
) -> None:
    assert any(f"Authorization: {CORRECTED}" in block for block in YAML_BLOCKS)
    await configuration.start(configuration.page())
    assert {request.status for request in elsewhere.requests} == {HTTPStatus.OK}
