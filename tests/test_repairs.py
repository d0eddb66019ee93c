"""What a user is told in Home Assistant's repairs, and that it goes by itself."""

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.joulo.const import DOMAIN
from custom_components.joulo.issues import async_clear_totals_mismatch, async_raise_totals_mismatch
from tests.conftest import Advance
from tests.home import Home
from tests.simulator import Availability, Fault, SimulatedAccount, SimulatedCloud
from tests.simulator.answers import energy
from tests.timing import HOUR


def issues(registry: ir.IssueRegistry) -> list[ir.IssueEntry]:
    """Return what the integration tells now."""
    return [issue for (domain, _), issue in registry.issues.items() if domain == DOMAIN]


@pytest.mark.parametrize("endpoint", ["chargers", "sessions", "energy"])
async def test_a_missing_permission_is_named_until_the_endpoint_answers(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    joulo: MockConfigEntry,
    issue_registry: ir.IssueRegistry,
    advance: Advance,
    endpoint: str,
) -> None:
    assert issues(issue_registry) == []
    cloud.fail(f"/{endpoint}", Fault.FORBIDDEN)
    await advance(HOUR)
    (issue,) = issues(issue_registry)
    assert issue.translation_key == "missing_scope"
    assert issue.translation_placeholders == {
        "account": "Joulo",
        "path": endpoint,
        "scope": f"{endpoint}:read",
    }
    assert issue.severity is ir.IssueSeverity.ERROR
    await advance(HOUR)
    assert len(issues(issue_registry)) == 1, "told once"

    cloud.recover()
    await advance(HOUR)
    assert issues(issue_registry) == []


async def test_two_endpoints_have_a_notice_each(
    cloud: SimulatedCloud,
    joulo: MockConfigEntry,
    issue_registry: ir.IssueRegistry,
    advance: Advance,
) -> None:
    cloud.fail("/sessions", Fault.FORBIDDEN)
    cloud.fail("/energy", Fault.FORBIDDEN, times=1)
    await advance(HOUR)
    assert len(issues(issue_registry)) == 2
    await advance(HOUR)
    (issue,) = issues(issue_registry)
    assert issue.translation_placeholders is not None
    assert issue.translation_placeholders["path"] == "sessions"


async def test_a_permission_that_is_missing_at_set_up_is_named_too(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    entry: MockConfigEntry,
    issue_registry: ir.IssueRegistry,
    advance: Advance,
) -> None:
    cloud.fail("/chargers", Fault.FORBIDDEN)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    (issue,) = issues(issue_registry)
    assert issue.translation_placeholders is not None
    assert issue.translation_placeholders["scope"] == "chargers:read"
    cloud.recover()
    await advance(HOUR)
    assert entry.state is ConfigEntryState.LOADED, "tried again"
    assert issues(issue_registry) == []


async def test_another_fault_is_no_missing_permission(
    cloud: SimulatedCloud,
    joulo: MockConfigEntry,
    issue_registry: ir.IssueRegistry,
    advance: Advance,
) -> None:
    cloud.fail("/sessions", Fault.SERVER_ERROR)
    await advance(HOUR)
    assert issues(issue_registry) == []


async def test_what_an_account_may_lack_is_no_reason_for_a_notice(
    hass: HomeAssistant,
    account: SimulatedAccount,
    cloud: SimulatedCloud,
    entry: MockConfigEntry,
    issue_registry: ir.IssueRegistry,
) -> None:
    account.ere_position = Availability.FORBIDDEN
    cloud.fail("/me", Fault.FORBIDDEN)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert issues(issue_registry) == []


async def test_the_notice_of_a_disagreement_says_how_much_until_it_is_taken_back(
    hass: HomeAssistant, entry: MockConfigEntry, issue_registry: ir.IssueRegistry
) -> None:
    async_raise_totals_mismatch(hass, entry, 12.345)
    (issue,) = issues(issue_registry)
    assert issue.translation_key == "disagreement"
    assert issue.translation_placeholders == {"account": "Joulo", "kwh": "12.35"}
    assert issue.severity is ir.IssueSeverity.WARNING
    async_clear_totals_mismatch(hass, entry)
    assert issues(issue_registry) == []


@pytest.mark.parametrize("endpoint", ["chargers", "sessions", "energy"])
async def test_an_account_that_is_removed_takes_its_notices_along(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    joulo: MockConfigEntry,
    issue_registry: ir.IssueRegistry,
    advance: Advance,
    endpoint: str,
) -> None:
    cloud.fail(f"/{endpoint}", Fault.FORBIDDEN)
    await advance(HOUR)
    async_raise_totals_mismatch(hass, joulo, 1)
    assert len(issues(issue_registry)) == 2
    await hass.config_entries.async_remove(joulo.entry_id)
    assert issues(issue_registry) == []


# Many sessions that Joulo does not list any more


@pytest.fixture
async def doubtful(
    hass: HomeAssistant, home: Home, account: SimulatedAccount, issue_registry: ir.IssueRegistry
) -> set[str]:
    """Let Joulo drop six sessions of the last fortnight, and still count them; return their ids."""
    await async_setup_component(hass, "repairs", {})
    totals = energy(account, {})
    home.cloud.garble = lambda answer: totals if "total_kwh" in answer else answer
    dropped = [account.remove_session(session.id) for session in account.sessions[1:7]]
    await home.hours(3)
    assert {session.id for session in dropped} <= home.known.keys()
    (issue,) = issues(issue_registry)
    assert (issue.translation_key, issue.is_fixable) == ("unlisted_sessions", True)
    assert issue.translation_placeholders == {"account": "Joulo", "count": "6"}
    return {session.id for session in dropped}


async def choose(hass_client: ClientSessionGenerator, entry: MockConfigEntry, choice: str) -> str:
    """Open the fix flow, choose, and return how the flow ended."""
    client = await hass_client()
    issue = {"handler": DOMAIN, "issue_id": f"unlisted_sessions_{entry.entry_id}"}
    menu = await (await client.post("/api/repairs/issues/fix", json=issue)).json()
    assert menu["menu_options"] == ["keep", "follow"]
    url = f"/api/repairs/issues/fix/{menu['flow_id']}"
    result = await (await client.post(url, json={"next_step_id": choice})).json()
    return str(result.get("reason") or result["type"])


async def test_sessions_that_the_user_keeps_stay(
    home: Home,
    doubtful: set[str],
    issue_registry: ir.IssueRegistry,
    hass_client: ClientSessionGenerator,
) -> None:
    assert await choose(hass_client, home.entry, "keep") == "create_entry"
    await home.hours(3)
    assert doubtful <= home.known.keys()
    assert all(issue.translation_key != "unlisted_sessions" for issue in issues(issue_registry))


async def test_sessions_go_when_the_user_follows_joulo(
    home: Home,
    doubtful: set[str],
    issue_registry: ir.IssueRegistry,
    hass_client: ClientSessionGenerator,
) -> None:
    assert await choose(hass_client, home.entry, "follow") == "create_entry"
    assert not doubtful & home.known.keys()
    assert all(issue.translation_key != "unlisted_sessions" for issue in issues(issue_registry))


async def test_a_choice_for_an_account_that_is_not_loaded_changes_nothing(
    home: Home, doubtful: set[str], hass_client: ClientSessionGenerator
) -> None:
    await home.unload()
    assert await choose(hass_client, home.entry, "follow") == "entry_not_loaded"


async def test_sessions_that_joulo_does_not_count_either_go_unasked(
    home: Home, account: SimulatedAccount, issue_registry: ir.IssueRegistry
) -> None:
    dropped = {account.remove_session(session.id).id for session in account.sessions[1:7]}
    await home.hours(4)
    assert not dropped & home.known.keys()
    assert issues(issue_registry) == []
