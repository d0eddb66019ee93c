"""Coming from another Joulo integration: its entry becomes ours, and what it showed goes on."""

from collections.abc import Generator
from copy import deepcopy
from datetime import timedelta
import json
import logging
from math import nan
from pathlib import Path
from typing import Any
from unittest.mock import patch

from homeassistant.components.recorder.core import Recorder
from homeassistant.components.recorder.statistics import get_metadata, statistics_during_period
from homeassistant.components.repairs import DOMAIN as REPAIRS
from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryDisabler, ConfigEntryState
from homeassistant.const import CONF_TOKEN, CONF_URL, STATE_UNAVAILABLE, UnitOfEnergy
from homeassistant.core import HomeAssistant
from homeassistant.helpers import (
    area_registry as ar,
    entity_registry as er,
    issue_registry as ir,
)
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.diagnostics import (
    get_diagnostics_for_config_entry,
)
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
    do_adhoc_statistics,
)
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.joulo import switching
from custom_components.joulo.const import CONF_CHARGERS_INTERVAL, CONF_TAKEN_OVER, DOMAIN
from tests.conftest import NOW, Advance
from tests.flows import add_account, assert_created, assert_ended
from tests.predecessors import (
    BORONZ,
    CRRYP,
    ENTRY_ID,
    ONSMAM,
    Predecessor,
    add_entities,
    add_entry,
    entity_id_of,
    filled,
    kept_by,
)
from tests.simulator import DEMO_TOKEN, GARAGE_ID, SimulatedAccount, SimulatedCloud
from tests.timing import POLL, READ

EACH = pytest.mark.parametrize("theirs", [CRRYP, ONSMAM, BORONZ], ids=["crryp", "onsmam", "boronz"])
FIVE_MINUTES = timedelta(minutes=5)

pytestmark = pytest.mark.usefixtures("address")


@pytest.fixture
def address(url: str) -> Generator[None]:
    """Put the simulator in the place of Joulo's own address, which theirs have no setting for."""
    with patch.object(switching, "API_URL", url):
        yield


async def set_up(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Set an entry up, and wait for what it reads in the background."""
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)


def rows(hass: HomeAssistant, entry: MockConfigEntry) -> dict[str, str]:
    """Return the entity id by platform and unique id, of all entities of an entry."""
    entities = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    return {f"{each.domain}.{each.unique_id}": each.entity_id for each in entities}


def assert_taken_over(
    hass: HomeAssistant, entry: MockConfigEntry, theirs: Predecessor, language: str = "en"
) -> None:
    """Check that each entity with a counterpart has kept its id, and works, and that no other of theirs is left."""
    now = rows(hass, entry)
    for old, new in kept_by(theirs).items():
        platform, unique_id = old.split(".")
        assert now[new] == f"{platform}.{entity_id_of(unique_id, language)}"
    left = {unique_id for template in theirs.gone for unique_id in filled(template)}
    assert not left & now.keys()
    assert not [each for each in now.values() if each.endswith("_2")]
    registry = er.async_get(hass)
    for entity_id in now.values():
        entity = registry.async_get(entity_id)
        assert entity is not None
        state = hass.states.get(entity_id)
        assert (state is None) is entity.disabled, entity_id
        assert state is None or state.state != STATE_UNAVAILABLE, entity_id


def problems(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what was logged that a user would worry about."""
    return [
        each.getMessage()
        for each in caplog.records
        if each.levelno >= logging.WARNING
        and each.name.startswith(("custom_components", "homeassistant"))
        and "custom integration" not in each.getMessage()
    ]


# The entry and its entities


@EACH
@pytest.mark.parametrize("language", ["en", "nl"])
async def test_entities_go_on_under_their_ids(
    hass: HomeAssistant,
    account: SimulatedAccount,
    caplog: pytest.LogCaptureFixture,
    theirs: Predecessor,
    language: str,
) -> None:
    hass.config.language = language
    entry = add_entry(hass, theirs)
    add_entities(hass, entry, theirs, language)
    await set_up(hass, entry)
    assert entry.state is ConfigEntryState.LOADED
    assert (entry.minor_version, entry.unique_id) == (2, account.id)
    assert_taken_over(hass, entry, theirs, language)
    assert problems(caplog) == []


@EACH
async def test_the_entry_keeps_the_token_and_the_title(
    hass: HomeAssistant, url: str, theirs: Predecessor
) -> None:
    entry = add_entry(hass, theirs)
    await set_up(hass, entry)
    assert entry.data[CONF_TOKEN] == DEMO_TOKEN
    assert entry.data[CONF_URL] == url
    assert entry.data.keys() == {CONF_TOKEN, CONF_URL, CONF_TAKEN_OVER}
    assert entry.title == theirs.title


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (10.0, 60),
        (30.0, 60),
        (300.0, 300),
        (86400.0, 900),
        ("often", None),
        (nan, None),
        (None, None),
    ],
)
async def test_the_interval_is_taken_over_as_far_as_joulo_allows(
    hass: HomeAssistant, theirs: object, ours: int | None
) -> None:
    entry = add_entry(hass, CRRYP, options={"chargers_scan_interval": theirs})
    await set_up(hass, entry)
    assert entry.options.get(CONF_CHARGERS_INTERVAL) == ours
    assert entry.options.keys() <= {CONF_CHARGERS_INTERVAL}


async def test_an_entry_of_our_first_version_only_gets_the_number(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    data = dict(entry.data)
    await set_up(hass, entry)
    assert (entry.version, entry.minor_version) == (1, 2)
    assert dict(entry.data) == data


async def test_what_the_user_has_made_of_an_entity_stays(
    hass: HomeAssistant, entity_registry: er.EntityRegistry, area_registry: ar.AreaRegistry
) -> None:
    entry = add_entry(hass, CRRYP)
    add_entities(hass, entry, CRRYP)
    area = area_registry.async_create("Carport")
    charging, fee = (
        entity_registry.async_get_entity_id(platform, DOMAIN, unique_id)
        for platform, unique_id in (
            ("binary_sensor", f"{GARAGE_ID}_is_charging"),
            ("sensor", f"{ENTRY_ID}_ere_fee_pct"),
        )
    )
    assert charging
    assert fee
    entity_registry.async_update_entity(charging, name="Zoe lädt", area_id=area.id)
    entity_registry.async_update_entity(fee, disabled_by=er.RegistryEntryDisabler.USER)
    await set_up(hass, entry)
    entity = entity_registry.async_get(charging)
    assert entity is not None
    assert (entity.name, entity.area_id) == ("Zoe lädt", area.id)
    entity = entity_registry.async_get(fee)
    assert entity is not None
    assert entity.unique_id == f"{ENTRY_ID}_platform_fee"
    assert entity.disabled_by is er.RegistryEntryDisabler.USER


async def test_the_meter_reading_is_enabled_and_in_kwh(
    hass: HomeAssistant, account: SimulatedAccount, entity_registry: er.EntityRegistry
) -> None:
    """Theirs is in Wh, and disabled unless the user has enabled it."""
    entry = add_entry(hass, CRRYP)
    add_entities(hass, entry, CRRYP)
    await set_up(hass, entry)
    entity_ids = rows(hass, entry)
    shown = [
        state
        for charger in account.chargers
        if (entity_id := entity_ids.get(f"sensor.{charger.id}_meter_reading"))
        and (state := hass.states.get(entity_id))
    ]
    assert shown
    for state in shown:
        assert state.attributes["unit_of_measurement"] == UnitOfEnergy.KILO_WATT_HOUR


# Twice, half, and two of them


@EACH
async def test_to_do_it_again_changes_nothing(
    hass: HomeAssistant, theirs: Predecessor, advance: Advance
) -> None:
    entry = add_entry(hass, theirs)
    add_entities(hass, entry, theirs)
    await set_up(hass, entry)
    before, data = rows(hass, entry), deepcopy(dict(entry.data))
    for _ in range(2):
        await advance(POLL)
        await hass.config_entries.async_reload(entry.entry_id)
        await hass.async_block_till_done(wait_background_tasks=True)
    assert rows(hass, entry) == before
    assert dict(entry.data) == data
    assert_taken_over(hass, entry, theirs)


@EACH
@pytest.mark.parametrize("renamed", [0, 1, 4])
async def test_a_crash_in_the_middle_heals_at_the_next_start(
    hass: HomeAssistant, entity_registry: er.EntityRegistry, theirs: Predecessor, renamed: int
) -> None:
    """The entry was written as ours, its entities as theirs; the migration is not called again."""
    entry = add_entry(hass, theirs)
    add_entities(hass, entry, theirs)
    switching.async_migrate(hass, entry)
    # What the disk holds of it.
    stored = json.loads(json.dumps(entry.data[CONF_TAKEN_OVER]))
    hass.config_entries.async_update_entry(entry, data={**entry.data, CONF_TAKEN_OVER: stored})
    to_rename = [
        (entity_id, target)
        for (_, unique_id, entity_id), target in stored["renamed"]
        if unique_id != target
    ]
    for entity_id, target in to_rename[:renamed]:
        entity_registry.async_update_entity(entity_id, new_unique_id=target)
    await set_up(hass, entry)
    assert_taken_over(hass, entry, theirs)


async def test_an_entry_with_entities_of_two_of_them_gives_each_of_ours_once(
    hass: HomeAssistant, caplog: pytest.LogCaptureFixture
) -> None:
    """One was installed over the other. An identical unique id wins, else the first."""
    entry = add_entry(hass, CRRYP)
    for theirs in (ONSMAM, CRRYP):
        add_entities(hass, entry, theirs)
    await set_up(hass, entry)
    assert entry.state is ConfigEntryState.LOADED
    now = rows(hass, entry)
    own = [entity_id for entity_id in now.values() if ".own_" in entity_id]
    ours = {*kept_by(CRRYP).values(), *kept_by(ONSMAM).values()}
    assert len(own) == len(ours)
    assert now[f"sensor.{ENTRY_ID}_total_energy"] == "sensor.own_joulo_total_energy"
    assert now[f"sensor.{ENTRY_ID}_ere_price"] == "sensor.own_joulo_ere_price_mid"
    assert problems(caplog) == []


async def test_two_entries_of_one_account_leave_each_other_their_entities(
    hass: HomeAssistant, cloud: SimulatedCloud, caplog: pytest.LogCaptureFixture, advance: Advance
) -> None:
    """Two of the others stood side by side, with one token. No request comes too early."""
    first, second = add_entry(hass, ONSMAM), add_entry(hass, BORONZ, "01SECOND")
    add_entities(hass, first, ONSMAM)
    add_entities(hass, second, BORONZ)
    assert await async_setup_component(hass, DOMAIN, {})
    await hass.async_block_till_done(wait_background_tasks=True)
    for _ in range(3):
        await advance(POLL)
    assert {first.state, second.state} == {ConfigEntryState.LOADED}
    assert first.title != second.title
    kept = (
        rows(hass, first).items()
        >= {
            new: f"sensor.{entity_id_of(old.removeprefix('sensor.'))}"
            for old, new in kept_by(ONSMAM).items()
        }.items()
    )
    assert kept
    assert f"sensor.{second.entry_id}_total_energy" in rows(hass, second)
    assert problems(caplog) == []
    assert cloud.refused() == []


async def test_an_entry_of_theirs_beside_one_of_our_first_version_takes_nothing_from_it(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    entry: MockConfigEntry,
    caplog: pytest.LogCaptureFixture,
    advance: Advance,
) -> None:
    theirs = add_entry(hass, CRRYP)
    add_entities(hass, theirs, CRRYP)
    registry = er.async_get(hass)
    registry.async_get_or_create(
        "binary_sensor", DOMAIN, f"{GARAGE_ID}_charging", config_entry=entry
    )
    assert await async_setup_component(hass, DOMAIN, {})
    await hass.async_block_till_done(wait_background_tasks=True)
    for _ in range(3):
        await advance(POLL)
    assert {entry.state, theirs.state} == {ConfigEntryState.LOADED}
    assert f"binary_sensor.{GARAGE_ID}_charging" in rows(hass, entry)
    assert f"sensor.{GARAGE_ID}_status" in rows(hass, theirs)
    assert f"binary_sensor.{GARAGE_ID}_is_charging" not in rows(hass, theirs)
    assert problems(caplog) == []
    assert cloud.refused() == []


# The token


@EACH
@pytest.mark.parametrize("disabled_by", [None, ConfigEntryDisabler.USER])
async def test_the_account_cannot_be_added_again(
    hass: HomeAssistant,
    url: str,
    theirs: Predecessor,
    disabled_by: ConfigEntryDisabler | None,
) -> None:
    """Nor can that of an entry that is disabled, and so was not taken over yet."""
    entry = add_entry(hass, theirs, disabled_by=disabled_by)
    if disabled_by is None:
        await set_up(hass, entry)
    assert_ended(await add_account(hass, url), "already_configured")
    assert hass.config_entries.async_entries(DOMAIN) == [entry]


@EACH
@pytest.mark.refusals("unauthorized")
async def test_a_token_that_joulo_refuses_is_asked_for(
    hass: HomeAssistant, account: SimulatedAccount, advance: Advance, theirs: Predecessor
) -> None:
    account.rotate_token()
    entry = add_entry(hass, theirs)
    await set_up(hass, entry)
    for _ in range(3):
        await advance(POLL)
    assert entry.state is ConfigEntryState.SETUP_ERROR
    assert asked_for_a_token(hass) == [entry.entry_id]


@pytest.mark.parametrize("data", [{}, {"api_key": ""}, {"api_token": None}])
async def test_a_token_that_is_missing_is_asked_for_at_once(
    hass: HomeAssistant, cloud: SimulatedCloud, data: dict[str, Any]
) -> None:
    entry = add_entry(hass, BORONZ, data=data)
    await set_up(hass, entry)
    assert asked_for_a_token(hass) == [entry.entry_id]
    assert cloud.requests == []

    (flow,) = hass.config_entries.flow.async_progress()
    result = await hass.config_entries.flow.async_configure(
        flow["flow_id"], {CONF_TOKEN: DEMO_TOKEN}
    )
    await hass.async_block_till_done(wait_background_tasks=True)
    assert_ended(result, "reauth_successful")
    assert entry.state is ConfigEntryState.LOADED


def asked_for_a_token(hass: HomeAssistant) -> list[str]:
    """Return the entries for which a new token is asked for."""
    flows = hass.config_entries.flow.async_progress_by_handler(
        DOMAIN, match_context={"source": SOURCE_REAUTH}
    )
    return [flow["context"]["entry_id"] for flow in flows]


@EACH
async def test_an_entry_that_was_not_taken_over_can_be_removed_and_tells_no_token(
    hass: HomeAssistant, hass_client: ClientSessionGenerator, theirs: Predecessor
) -> None:
    assert await async_setup_component(hass, DOMAIN, {})
    entry = add_entry(hass, theirs, disabled_by=ConfigEntryDisabler.USER)
    found = json.dumps(await get_diagnostics_for_config_entry(hass, hass_client, entry))
    assert DEMO_TOKEN not in found
    assert "widget" not in found.replace("widget_token", "")
    await hass.config_entries.async_remove(entry.entry_id)
    assert hass.config_entries.async_entries(DOMAIN) == []


# Long-term statistics


@pytest.mark.parametrize(
    ("theirs", "unique_id", "unit", "ours"),
    [
        (CRRYP, "{entry}_total_energy", "kWh", "total_energy"),
        (CRRYP, "{entry}_total_ere_credits", "credits", "total_ere"),
        (CRRYP, "{entry}_total_sessions", "sessions", "total_sessions"),
        (ONSMAM, "{entry}_total_kwh", "kWh", "total_energy"),
        (ONSMAM, "{entry}_total_ere_credits", "credits", "total_ere"),
        (ONSMAM, "{entry}_total_sessions", "sessies", "total_sessions"),
        (BORONZ, "joulo_energy_total_mid_kwh", "kWh", "total_energy"),
        (BORONZ, "joulo_energy_total_all_kwh", "kWh", "total_energy_all"),
        (BORONZ, "joulo_energy_total_ere", None, "total_ere"),
    ],
)
async def test_the_sum_of_a_total_goes_on_unbroken(
    recorder: Recorder,
    hass: HomeAssistant,
    advance: Advance,
    caplog: pytest.LogCaptureFixture,
    theirs: Predecessor,
    unique_id: str,
    unit: str | None,
    ours: str,
) -> None:
    entry = add_entry(hass, theirs)
    add_entities(hass, entry, theirs)
    (unique_id,) = filled(unique_id)
    entity_id = f"sensor.{entity_id_of(unique_id)}"
    attributes = {"state_class": "total_increasing", "unit_of_measurement": unit}
    if unit == "kWh":
        attributes["device_class"] = "energy"
    assert await async_setup_component(hass, "sensor", {})
    for index, state in enumerate((10, 14)):
        hass.states.async_set(entity_id, str(state), attributes)
        await async_wait_recording_done(hass)
        do_adhoc_statistics(hass, start=NOW + index * FIVE_MINUTES)
        await async_wait_recording_done(hass)
        await advance(FIVE_MINUTES.total_seconds())
    # Home Assistant restarts. Of the five minutes with both units it would make no statistics.
    hass.states.async_remove(entity_id)
    await advance(FIVE_MINUTES.total_seconds())
    await set_up(hass, entry)
    assert rows(hass, entry)[f"sensor.{ENTRY_ID}_{ours}"] == entity_id
    await async_wait_recording_done(hass)
    do_adhoc_statistics(hass, start=NOW + 3 * FIVE_MINUTES)
    await async_wait_recording_done(hass)
    found = await recorder.async_add_executor_job(
        statistics_during_period, hass, NOW, None, {entity_id}, "5minute", None, {"sum"}
    )
    shown = hass.states.get(entity_id)
    assert shown is not None
    sums = [row["sum"] for row in found[entity_id]]
    assert sums == [0, 4, pytest.approx(4 + float(shown.state) - 14)]
    known = await recorder.async_add_executor_job(get_metadata, hass)
    assert known[entity_id][1]["unit_of_measurement"] == shown.attributes.get("unit_of_measurement")
    assert problems(caplog) == []


@pytest.fixture
def recorder(_now: None, recorder_mock: Recorder, caplog: pytest.LogCaptureFixture) -> Recorder:
    """Return a recorder that has begun when the test does, and writes little to the log."""
    for name in ("homeassistant.components.recorder", "sqlalchemy.engine"):
        caplog.set_level(logging.WARNING, name)
    return recorder_mock


# What the user is told


@EACH
async def test_a_repair_tells_what_was_taken_over_until_it_is_confirmed(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    issue_registry: ir.IssueRegistry,
    theirs: Predecessor,
    advance: Advance,
) -> None:
    entry = add_entry(hass, theirs)
    add_entities(hass, entry, theirs)
    await set_up(hass, entry)
    issue_id = f"taken_over_{ENTRY_ID}"
    issue = issue_registry.async_get_issue(DOMAIN, issue_id)
    assert issue is not None
    assert issue.severity is ir.IssueSeverity.WARNING
    texts = issue.translation_placeholders
    assert texts is not None
    kept = {f"{old.split('.')[0]}.{entity_id_of(old.split('.')[1])}" for old in kept_by(theirs)}
    assert {*texts["kept"].replace("`", "").split(", ")} == kept
    gone = {
        f"sensor.{entity_id_of(each.removeprefix('sensor.'))}"
        for t in theirs.gone
        for each in filled(t)
    }
    assert {*texts["removed"].replace("`", "").split(", ")} == gone
    assert {*texts["ended"].replace("`", "").split(", ")} < kept

    # It outlives a restart: Home Assistant forgets it, the entry does not.
    issue_registry.async_delete(DOMAIN, issue_id)
    await advance(POLL)
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    again = issue_registry.async_get_issue(DOMAIN, issue_id)
    assert again is not None
    assert {*texts["kept"].split(", ")} == {
        *(again.translation_placeholders or {})["kept"].split(", ")
    }

    assert await async_setup_component(hass, REPAIRS, {})
    client = await hass_client()
    fixes = "/api/repairs/issues/fix"
    flow = {"handler": DOMAIN, "issue_id": issue_id}
    form = await (await client.post(fixes, json=flow)).json()
    assert (form["step_id"], form["description_placeholders"]) == ("confirm", texts)
    await client.post(f"{fixes}/{form['flow_id']}", json={})
    assert issue_registry.async_get_issue(DOMAIN, issue_id) is None
    await advance(READ)
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert issue_registry.async_get_issue(DOMAIN, issue_id) is None
    assert CONF_TAKEN_OVER not in entry.data
    assert_taken_over(hass, entry, theirs)


@pytest.mark.parametrize(
    ("manifest", "is_told"),
    [('{"domain": "joulo"}', True), ('{"domain": "youlo"}', False), ("[", False), (None, False)],
)
async def test_a_second_folder_with_this_domain_is_named_until_it_is_gone(
    hass: HomeAssistant,
    issue_registry: ir.IssueRegistry,
    tmp_path: Path,
    manifest: str | None,
    *,
    is_told: bool,
) -> None:
    hass.config.config_dir = str(tmp_path)
    if manifest is not None:
        folder = tmp_path / "custom_components" / "youlo"
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text(manifest)
    await switching.async_check_folders(hass)
    issue = issue_registry.async_get_issue(DOMAIN, "two_folders")
    assert (issue is not None) is is_told
    if issue is not None:
        assert issue.translation_placeholders == {"folder": "`custom_components/youlo`"}
        (folder / "manifest.json").unlink()
        await switching.async_check_folders(hass)
        assert issue_registry.async_get_issue(DOMAIN, "two_folders") is None


async def test_a_new_account_has_nothing_to_tell(
    hass: HomeAssistant, url: str, issue_registry: ir.IssueRegistry
) -> None:
    assert_created(await add_account(hass, url))
    assert [key for key in issue_registry.issues if key[0] == DOMAIN] == []
