"""Who still has the sensors of Joulo's own YAML is told so, and no one else."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import EVENT_HOMEASSISTANT_STARTED
from homeassistant.core import CoreState, HomeAssistant
from homeassistant.helpers import entity_registry as er, issue_registry as ir
from homeassistant.helpers.translation import async_get_translations
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.joulo.const import DOMAIN
from tests.conftest import Advance, recent_account
from tests.rest_yaml import SENSORS, Configuration
from tests.simulator import Fault, SimulatedCloud, serve

SETTLED = 31
"""Seconds after which a reload of the YAML is over."""
NOTHING = ""


@pytest.fixture
async def configuration(
    hass: HomeAssistant, tmp_path: Path, socket_enabled: None
) -> AsyncGenerator[Configuration]:
    """Return a configuration that reads a Joulo apart from the entry's, whose limits are its own."""
    async with serve(SimulatedCloud(recent_account())) as url:
        yield Configuration(hass, tmp_path, url)


def notice(registry: ir.IssueRegistry) -> ir.IssueEntry | None:
    """Return what is told of the sensors."""
    return registry.async_get_issue(DOMAIN, "rest_sensors")


def named(registry: ir.IssueRegistry) -> list[str]:
    """Return the sensors that are named in what is told."""
    issue = notice(registry)
    assert issue is not None
    assert issue.translation_placeholders is not None
    return [each.strip("`") for each in issue.translation_placeholders["sensors"].split(", ")]


# Raised


async def test_the_sensors_of_the_page_are_named_once_home_assistant_has_started(
    hass: HomeAssistant,
    configuration: Configuration,
    entry: MockConfigEntry,
    issue_registry: ir.IssueRegistry,
) -> None:
    hass.set_state(CoreState.starting)
    await hass.config_entries.async_setup(entry.entry_id)
    await configuration.start(configuration.page())
    assert notice(issue_registry) is None, "not all of them may be there yet"

    hass.set_state(CoreState.running)
    hass.bus.async_fire(EVENT_HOMEASSISTANT_STARTED)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert named(issue_registry) == SENSORS
    issue = notice(issue_registry)
    assert issue is not None
    assert issue.severity is ir.IssueSeverity.WARNING
    assert not issue.is_fixable
    assert not issue.is_persistent


async def test_what_is_told_leads_to_the_guide(
    hass: HomeAssistant,
    configuration: Configuration,
    joulo: MockConfigEntry,
    issue_registry: ir.IssueRegistry,
    advance: Advance,
) -> None:
    await configuration.start(configuration.page())
    await advance(SETTLED)
    issue = notice(issue_registry)
    assert issue is not None
    assert issue.learn_more_url is not None
    repository, _, path = issue.learn_more_url.partition("/blob/main/")
    assert repository == "https://github.com/ha-joulo/ha-joulo"
    assert (Path(__file__).parent.parent / path).is_file()


@pytest.mark.parametrize("language", ["en", "nl"])
async def test_it_is_told_in_both_languages(
    hass: HomeAssistant,
    configuration: Configuration,
    joulo: MockConfigEntry,
    issue_registry: ir.IssueRegistry,
    advance: Advance,
    language: str,
) -> None:
    await configuration.start(configuration.page())
    await advance(SETTLED)
    issue = notice(issue_registry)
    assert issue is not None
    texts = await async_get_translations(hass, language, "issues", [DOMAIN])
    path = f"component.{DOMAIN}.issues.{issue.translation_key}"
    assert texts[f"{path}.title"]
    told = texts[f"{path}.description"].format(**issue.translation_placeholders or {})
    assert all(sensor in told for sensor in SENSORS)


async def test_sensors_that_come_later_are_noticed(
    configuration: Configuration,
    joulo: MockConfigEntry,
    issue_registry: ir.IssueRegistry,
    advance: Advance,
) -> None:
    await configuration.start(NOTHING)
    await advance(SETTLED)
    assert notice(issue_registry) is None
    await configuration.reload(configuration.page())
    await advance(SETTLED)
    assert named(issue_registry) == SENSORS


async def test_copies_for_a_second_charger_are_noticed(
    configuration: Configuration,
    joulo: MockConfigEntry,
    issue_registry: ir.IssueRegistry,
    advance: Advance,
) -> None:
    page = configuration.page()
    _, _, again = page.replace("[0]", "[1]").partition("rest:\n")
    await configuration.start(page + again)
    await advance(SETTLED)
    assert "sensor.joulo_charger_status_2" in named(issue_registry)


async def test_a_binary_sensor_as_the_card_of_the_page_expects_it_is_noticed(
    configuration: Configuration,
    joulo: MockConfigEntry,
    issue_registry: ir.IssueRegistry,
    advance: Advance,
) -> None:
    part, _, _ = configuration.page().partition('      - name: "Joulo Session kWh"')
    _, _, template = part.partition('      - name: "Joulo Is Charging"')
    head, _, _ = part.partition("    sensor:")
    await configuration.start(
        f'{head}    binary_sensor:\n      - name: "Joulo Is Charging"{template}'
    )
    await advance(SETTLED)
    assert named(issue_registry) == ["binary_sensor.joulo_is_charging"]


async def test_it_is_told_also_when_they_keep_the_entry_from_being_set_up(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    configuration: Configuration,
    entry: MockConfigEntry,
    issue_registry: ir.IssueRegistry,
) -> None:
    await configuration.start(configuration.page())
    cloud.fail("/chargers", Fault.RATE_LIMITED)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert named(issue_registry) == SENSORS


# Not raised


async def test_other_rest_sensors_are_none_of_our_business(
    configuration: Configuration,
    joulo: MockConfigEntry,
    issue_registry: ir.IssueRegistry,
    advance: Advance,
) -> None:
    await configuration.start(configuration.page().replace('name: "Joulo', 'name: "My Joulo'))
    await advance(SETTLED)
    assert notice(issue_registry) is None


async def test_an_entity_of_ours_that_takes_an_old_id_is_none_of_them(
    hass: HomeAssistant,
    configuration: Configuration,
    entity_registry: er.EntityRegistry,
    joulo: MockConfigEntry,
    issue_registry: ir.IssueRegistry,
    advance: Advance,
) -> None:
    await configuration.start(NOTHING)
    entity_registry.async_update_entity(
        "sensor.joulo_total_energy", new_entity_id="sensor.joulo_total_kwh"
    )
    await advance(SETTLED)
    assert hass.states.get("sensor.joulo_total_kwh") is not None
    assert notice(issue_registry) is None


# Taken back


async def test_it_goes_when_the_yaml_is_reloaded_without_them(
    configuration: Configuration,
    joulo: MockConfigEntry,
    issue_registry: ir.IssueRegistry,
    advance: Advance,
) -> None:
    await configuration.start(configuration.page())
    await advance(SETTLED)
    assert named(issue_registry) == SENSORS
    await configuration.reload(NOTHING)
    await advance(SETTLED)
    assert notice(issue_registry) is None


async def test_who_ignores_it_is_not_told_again_because_the_yaml_was_reloaded(
    configuration: Configuration,
    joulo: MockConfigEntry,
    issue_registry: ir.IssueRegistry,
    advance: Advance,
) -> None:
    await configuration.start(configuration.page())
    await advance(SETTLED)
    issue_registry.async_ignore(DOMAIN, "rest_sensors", ignore=True)
    await configuration.reload(configuration.page())
    await advance(SETTLED)
    issue = notice(issue_registry)
    assert issue is not None
    assert issue.dismissed_version is not None


async def test_who_ignores_it_is_not_told_again_because_the_sensors_come_late_after_a_restart(
    hass: HomeAssistant,
    configuration: Configuration,
    entry: MockConfigEntry,
    issue_registry: ir.IssueRegistry,
    advance: Advance,
) -> None:
    ir.async_create_issue(
        hass,
        DOMAIN,
        "rest_sensors",
        is_fixable=False,
        severity=ir.IssueSeverity.WARNING,
        translation_key="rest_sensors",
    )
    issue_registry.async_ignore(DOMAIN, "rest_sensors", ignore=True)
    # As a restart finds it: known, but told by nobody yet.
    key = (DOMAIN, "rest_sensors")
    issue_registry.issues[key] = replace(issue_registry.issues[key], active=False)
    await hass.config_entries.async_setup(entry.entry_id)
    await advance(SETTLED)
    await configuration.start(configuration.page())
    await advance(SETTLED)
    issue = notice(issue_registry)
    assert issue is not None
    assert issue.active
    assert issue.dismissed_version is not None


async def test_it_goes_with_the_last_account(
    hass: HomeAssistant,
    configuration: Configuration,
    joulo: MockConfigEntry,
    issue_registry: ir.IssueRegistry,
    advance: Advance,
) -> None:
    other = MockConfigEntry(domain=DOMAIN, entry_id="02JOULO")
    other.add_to_hass(hass)
    await configuration.start(configuration.page())
    await advance(SETTLED)
    await hass.config_entries.async_remove(joulo.entry_id)
    assert named(issue_registry) == SENSORS, "the other account still needs it"
    await hass.config_entries.async_remove(other.entry_id)
    assert notice(issue_registry) is None


async def test_nothing_is_told_of_them_once_the_entry_is_unloaded(
    hass: HomeAssistant,
    configuration: Configuration,
    joulo: MockConfigEntry,
    issue_registry: ir.IssueRegistry,
    advance: Advance,
) -> None:
    await configuration.start(configuration.page())
    await hass.config_entries.async_unload(joulo.entry_id)
    await advance(SETTLED)
    assert notice(issue_registry) is None
