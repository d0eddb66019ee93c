"""When Joulo does not accept the token any more: Home Assistant asks for a new one by itself."""

from homeassistant.config_entries import ConfigEntryState, ConfigFlowResult
from homeassistant.const import CONF_TOKEN
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.joulo.const import DOMAIN
from tests.conftest import Advance
from tests.flows import assert_ended, assert_error, states, submit
from tests.simulator import (
    DEMO_TOKEN,
    EVERYWHERE,
    GARAGE_ID,
    Fault,
    SimulatedAccount,
    SimulatedCharger,
    SimulatedCloud,
)


@pytest.fixture
async def settled(identified: MockConfigEntry, advance: Advance) -> MockConfigEntry:
    """Return the entry when it has read the whole history and only polls."""
    for _ in range(8):
        await advance(10)
    return identified


def question(hass: HomeAssistant) -> ConfigFlowResult:
    """Return the flow that asks for a new token."""
    (flow,) = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert flow["step_id"] == "reauth_confirm"
    return flow


def unauthorized(cloud: SimulatedCloud) -> int:
    """Return how many requests came with a token that opens nothing."""
    return sum(not request.authorized for request in cloud.requests)


async def test_a_revoked_token_is_asked_for_and_replaced(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    settled: MockConfigEntry,
    account: SimulatedAccount,
    advance: Advance,
) -> None:
    new_token = account.rotate_token()
    await advance(62)
    flow = question(hass)
    await advance(3700)
    assert unauthorized(cloud) == 1

    assert_ended(await submit(hass, flow, None, new_token), "reauth_successful")
    assert settled.state is ConfigEntryState.LOADED
    assert settled.data[CONF_TOKEN] == new_token
    assert hass.states.get("sensor.garage_status").state == "online"  # type: ignore[union-attr]
    assert unauthorized(cloud) == 1
    assert cloud.refused() == []


async def test_the_form_names_the_entry_and_does_not_show_the_token(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    form = await entry.start_reauth_flow(hass)
    assert form["type"] is FlowResultType.FORM
    assert form["description_placeholders"] == {"name": "Joulo"}
    assert DEMO_TOKEN not in repr(form["data_schema"].schema)  # type: ignore[union-attr]


async def test_polling_goes_on_with_the_new_token(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    settled: MockConfigEntry,
    account: SimulatedAccount,
    advance: Advance,
) -> None:
    new_token = account.rotate_token()
    await advance(62)
    await advance(60)
    await submit(hass, question(hass), None, new_token)
    cloud.forget_requests()
    account.start_session(GARAGE_ID)
    await advance(62)
    assert cloud.count("/chargers") == 1
    assert hass.states.get("binary_sensor.garage_charging").state == "on"  # type: ignore[union-attr]
    assert unauthorized(cloud) == 0
    assert cloud.refused() == []


async def test_a_new_token_within_the_minute_waits_for_its_turn(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    settled: MockConfigEntry,
    account: SimulatedAccount,
    advance: Advance,
) -> None:
    new_token = account.rotate_token()
    await advance(62)
    assert_ended(await submit(hass, question(hass), None, new_token), "reauth_successful")
    for _ in range(10):
        await advance(10)
    assert settled.state is ConfigEntryState.LOADED
    assert hass.config_entries.flow.async_progress() == []
    assert unauthorized(cloud) == 1
    assert cloud.refused() == []


async def test_a_wrong_token_is_refused_and_the_right_one_taken_in_the_same_form(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    settled: MockConfigEntry,
    account: SimulatedAccount,
    advance: Advance,
) -> None:
    new_token = account.rotate_token()
    await advance(62)
    await advance(60)
    result = await submit(hass, question(hass), None, "joulo_wrong")
    assert_error(result, "invalid_auth")
    assert settled.data[CONF_TOKEN] == DEMO_TOKEN
    assert_ended(await submit(hass, result, None, f' "Bearer {new_token}" '), "reauth_successful")
    assert settled.data[CONF_TOKEN] == new_token
    assert cloud.refused() == []


@pytest.mark.parametrize("minute_later", [False, True])
async def test_the_same_token_is_taken_once_joulo_accepts_it_again(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    settled: MockConfigEntry,
    advance: Advance,
    *,
    minute_later: bool,
) -> None:
    cloud.fail(EVERYWHERE, Fault.UNAUTHORIZED)
    await advance(62)
    cloud.recover()
    if minute_later:
        await advance(60)
    assert_ended(await submit(hass, question(hass), None, DEMO_TOKEN), "reauth_successful")
    for _ in range(10):
        await advance(10)
    assert settled.state is ConfigEntryState.LOADED
    assert hass.config_entries.flow.async_progress() == []
    assert cloud.refused() == []


@pytest.mark.parametrize("same_token", [False, True])
async def test_what_may_not_be_asked_again_yet_is_shown_as_before(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    settled: MockConfigEntry,
    account: SimulatedAccount,
    advance: Advance,
    *,
    same_token: bool,
) -> None:
    before = states(hass)
    cloud.fail(EVERYWHERE, Fault.UNAUTHORIZED)
    await advance(62)
    cloud.recover()
    token = DEMO_TOKEN if same_token else account.rotate_token()
    await advance(60)
    await submit(hass, question(hass), None, token)
    assert states(hass) == before
    assert cloud.refused() == []


async def test_a_token_of_another_account_is_refused(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    settled: MockConfigEntry,
    account: SimulatedAccount,
    advance: Advance,
) -> None:
    cloud.accounts.append(SimulatedAccount(token="joulo_neighbour"))
    account.rotate_token()
    await advance(62)
    assert_ended(await submit(hass, question(hass), None, "joulo_neighbour"), "unique_id_mismatch")
    assert settled.data[CONF_TOKEN] == DEMO_TOKEN
    assert settled.unique_id == account.id
    assert cloud.refused() == []


async def test_a_token_with_other_chargers_is_refused_where_nobody_says_whose_it_is(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    joulo: MockConfigEntry,
    account: SimulatedAccount,
    advance: Advance,
) -> None:
    cloud.fail("/me", Fault.NOT_FOUND)
    neighbour = SimulatedAccount(token="joulo_neighbour")
    neighbour.add_charger(SimulatedCharger(nickname="Elsewhere"))
    cloud.accounts.append(neighbour)
    account.rotate_token()
    await advance(62)
    await advance(60)
    assert_ended(await submit(hass, question(hass), None, "joulo_neighbour"), "unique_id_mismatch")
    assert joulo.data[CONF_TOKEN] == DEMO_TOKEN


async def test_a_token_of_an_account_that_has_its_own_entry_is_refused(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    settled: MockConfigEntry,
    account: SimulatedAccount,
    url: str,
    advance: Advance,
) -> None:
    neighbour = SimulatedAccount(token="joulo_neighbour")
    cloud.accounts.append(neighbour)
    data = {**settled.data, CONF_TOKEN: "joulo_neighbour"}
    MockConfigEntry(domain=DOMAIN, data=data, unique_id=neighbour.id).add_to_hass(hass)
    account.rotate_token()
    await advance(62)
    assert_ended(await submit(hass, question(hass), None, "joulo_neighbour"), "already_configured")
    assert settled.data[CONF_TOKEN] == DEMO_TOKEN


async def test_an_entry_known_by_its_chargers_learns_its_id(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    joulo: MockConfigEntry,
    account: SimulatedAccount,
    advance: Advance,
) -> None:
    new_token = account.rotate_token()
    await advance(62)
    assert_ended(await submit(hass, question(hass), None, new_token), "reauth_successful")
    await hass.async_block_till_done(wait_background_tasks=True)
    assert joulo.unique_id == account.id
    assert joulo.state is ConfigEntryState.LOADED
    assert cloud.refused() == []


async def test_an_entry_of_which_nothing_is_known_takes_any_token(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    entry: MockConfigEntry,
    account: SimulatedAccount,
    advance: Advance,
) -> None:
    new_token = account.rotate_token()
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    await advance(60)
    assert_ended(await submit(hass, question(hass), None, new_token), "reauth_successful")
    assert entry.state is ConfigEntryState.LOADED
    assert entry.unique_id == account.id
    assert unauthorized(cloud) == 1


async def test_an_id_is_kept_when_joulo_does_not_tell_it_this_time(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    settled: MockConfigEntry,
    account: SimulatedAccount,
    advance: Advance,
) -> None:
    cloud.fail("/me", Fault.NOT_FOUND)
    new_token = account.rotate_token()
    await advance(62)
    await advance(60)
    assert_ended(await submit(hass, question(hass), None, new_token), "reauth_successful")
    assert settled.unique_id == account.id
    assert settled.state is ConfigEntryState.LOADED
