"""When Joulo does not accept the token any more: Home Assistant asks for a new one by itself."""

from http import HTTPStatus

from homeassistant.config_entries import ConfigEntryState, ConfigFlowResult
from homeassistant.const import CONF_TOKEN
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.joulo.api import Endpoint
from custom_components.joulo.const import DOMAIN
from tests.factories import NEIGHBOUR_TOKEN, neighbour
from tests.flows import assert_ended, assert_error, submit
from tests.home import Home
from tests.simulator import (
    DEMO_TOKEN,
    EVERYWHERE,
    GARAGE_ID,
    Fault,
    SimulatedAccount,
    SimulatedCloud,
)

MINUTE = Endpoint.CHARGERS.interval


@pytest.fixture
async def settled(home: Home, account: SimulatedAccount) -> Home:
    """Return the home when it knows the account's id, has read the whole history and only polls."""
    home.hass.config_entries.async_update_entry(home.entry, unique_id=account.id)
    await home.read_all()
    await home.poll()
    return home


def question(hass: HomeAssistant) -> ConfigFlowResult:
    """Return the flow that asks for a new token."""
    (flow,) = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert flow["step_id"] == "reauth_confirm"
    return flow


def unauthorized(cloud: SimulatedCloud) -> int:
    """Return how many requests came with a token that opens nothing."""
    return sum(not request.authorized for request in cloud.requests)


@pytest.mark.refusals("unauthorized")
async def test_a_revoked_token_is_asked_for_and_replaced(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    settled: Home,
    account: SimulatedAccount,
) -> None:
    new_token = account.rotate_token()
    await settled.poll(2)
    flow = question(hass)
    await settled.hours()
    assert unauthorized(cloud) == 2

    assert_ended(await submit(hass, flow, None, new_token), "reauth_successful")
    assert settled.entry.state is ConfigEntryState.LOADED
    assert settled.entry.data[CONF_TOKEN] == new_token
    assert settled.state("sensor.garage_status") == "online"
    assert unauthorized(cloud) == 2


async def test_the_form_names_the_entry_and_does_not_show_the_token(
    new_home: Home, hass: HomeAssistant
) -> None:
    form = await new_home.entry.start_reauth_flow(hass)
    assert form["type"] is FlowResultType.FORM
    assert form["description_placeholders"] == {"name": "Joulo"}
    assert DEMO_TOKEN not in repr(form["data_schema"].schema)  # type: ignore[union-attr]


@pytest.mark.refusals("unauthorized")
async def test_polling_goes_on_with_the_new_token(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    settled: Home,
    account: SimulatedAccount,
) -> None:
    new_token = account.rotate_token()
    await settled.poll(2)
    await settled.wait(MINUTE)
    await submit(hass, question(hass), None, new_token)
    cloud.forget_requests()
    account.start_session(GARAGE_ID)
    await settled.poll()
    assert cloud.count("/chargers") == 1
    assert settled.state("binary_sensor.garage_charging") == "on"
    assert unauthorized(cloud) == 0


@pytest.mark.refusals("unauthorized")
async def test_a_new_token_within_the_minute_waits_for_its_turn(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    settled: Home,
    account: SimulatedAccount,
) -> None:
    new_token = account.rotate_token()
    await settled.poll(2)
    assert_ended(await submit(hass, question(hass), None, new_token), "reauth_successful")
    for _ in range(10):
        await settled.wait(10)
    assert settled.entry.state is ConfigEntryState.LOADED
    assert hass.config_entries.flow.async_progress() == []
    assert unauthorized(cloud) == 2


@pytest.mark.refusals("unauthorized")
async def test_a_wrong_token_is_refused_and_the_right_one_taken_in_the_same_form(
    hass: HomeAssistant, settled: Home, account: SimulatedAccount
) -> None:
    new_token = account.rotate_token()
    await settled.poll(2)
    await settled.wait(MINUTE)
    result = await submit(hass, question(hass), None, "joulo_wrong")
    assert_error(result, "invalid_auth")
    assert settled.entry.data[CONF_TOKEN] == DEMO_TOKEN
    assert_ended(await submit(hass, result, None, f' "Bearer {new_token}" '), "reauth_successful")
    assert settled.entry.data[CONF_TOKEN] == new_token


@pytest.mark.parametrize("minute_later", [False, True])
async def test_the_same_token_is_taken_once_joulo_accepts_it_again(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    settled: Home,
    *,
    minute_later: bool,
) -> None:
    cloud.fail(EVERYWHERE, Fault.UNAUTHORIZED)
    await settled.poll(2)
    cloud.recover()
    if minute_later:
        await settled.wait(MINUTE)
    assert_ended(await submit(hass, question(hass), None, DEMO_TOKEN), "reauth_successful")
    for _ in range(10):
        await settled.wait(10)
    assert settled.entry.state is ConfigEntryState.LOADED
    assert hass.config_entries.flow.async_progress() == []


@pytest.mark.parametrize("same_token", [False, True])
async def test_what_may_not_be_asked_again_yet_is_shown_as_before(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    settled: Home,
    account: SimulatedAccount,
    *,
    same_token: bool,
) -> None:
    before = settled.states()
    cloud.fail(EVERYWHERE, Fault.UNAUTHORIZED)
    await settled.poll(2)
    cloud.recover()
    token = DEMO_TOKEN if same_token else account.rotate_token()
    await settled.wait(MINUTE)
    await submit(hass, question(hass), None, token)
    assert settled.states() == before


@pytest.mark.refusals("unauthorized")
async def test_a_token_of_another_account_is_refused(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    settled: Home,
    account: SimulatedAccount,
) -> None:
    cloud.accounts.append(neighbour())
    account.rotate_token()
    await settled.poll(2)
    assert_ended(await submit(hass, question(hass), None, NEIGHBOUR_TOKEN), "unique_id_mismatch")
    assert settled.entry.data[CONF_TOKEN] == DEMO_TOKEN
    assert settled.entry.unique_id == account.id


@pytest.mark.refusals("unauthorized")
async def test_a_token_with_other_chargers_is_refused_where_nobody_says_whose_it_is(
    home: Home, hass: HomeAssistant, cloud: SimulatedCloud, account: SimulatedAccount
) -> None:
    cloud.fail("/me", Fault.NOT_FOUND)
    cloud.accounts.append(neighbour("Elsewhere"))
    account.rotate_token()
    await home.poll(2)
    await home.wait(MINUTE)
    assert_ended(await submit(hass, question(hass), None, NEIGHBOUR_TOKEN), "unique_id_mismatch")
    assert home.entry.data[CONF_TOKEN] == DEMO_TOKEN


@pytest.mark.refusals("unauthorized")
async def test_a_token_of_an_account_that_has_its_own_entry_is_refused(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    settled: Home,
    account: SimulatedAccount,
    url: str,
) -> None:
    other = neighbour()
    cloud.accounts.append(other)
    data = {**settled.entry.data, CONF_TOKEN: NEIGHBOUR_TOKEN}
    MockConfigEntry(domain=DOMAIN, data=data, unique_id=other.id).add_to_hass(hass)
    account.rotate_token()
    await settled.poll(2)
    assert_ended(await submit(hass, question(hass), None, NEIGHBOUR_TOKEN), "already_configured")
    assert settled.entry.data[CONF_TOKEN] == DEMO_TOKEN


@pytest.mark.refusals("unauthorized")
async def test_an_entry_known_by_its_chargers_learns_its_id(
    home: Home, hass: HomeAssistant, account: SimulatedAccount
) -> None:
    new_token = account.rotate_token()
    await home.poll(2)
    assert_ended(await submit(hass, question(hass), None, new_token), "reauth_successful")
    await hass.async_block_till_done(wait_background_tasks=True)
    assert home.entry.unique_id == account.id
    assert home.entry.state is ConfigEntryState.LOADED


@pytest.mark.refusals("unauthorized")
async def test_an_entry_of_which_nothing_is_known_takes_any_token(
    new_home: Home, hass: HomeAssistant, cloud: SimulatedCloud, account: SimulatedAccount
) -> None:
    new_token = account.rotate_token()
    await new_home.set_up()
    await new_home.wait(MINUTE)
    assert_ended(await submit(hass, question(hass), None, new_token), "reauth_successful")
    assert new_home.entry.state is ConfigEntryState.LOADED
    assert new_home.entry.unique_id == account.id
    refused = [
        request.path for request in cloud.requests if request.status == HTTPStatus.UNAUTHORIZED
    ]
    assert refused.count("/chargers") == 2, "a refusal is checked once"


@pytest.mark.refusals("unauthorized")
async def test_an_id_is_kept_when_joulo_does_not_tell_it_this_time(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    settled: Home,
    account: SimulatedAccount,
) -> None:
    cloud.fail("/me", Fault.NOT_FOUND)
    new_token = account.rotate_token()
    await settled.poll(2)
    await settled.wait(MINUTE)
    assert_ended(await submit(hass, question(hass), None, new_token), "reauth_successful")
    assert settled.entry.unique_id == account.id
    assert settled.entry.state is ConfigEntryState.LOADED


@pytest.mark.parametrize("path", ["/chargers", "/sessions", "/energy", "/me", "/ere-position"])
async def test_one_stray_refusal_stops_nothing(
    hass: HomeAssistant, settled: Home, cloud: SimulatedCloud, path: str
) -> None:
    before = settled.states()
    cloud.fail(path, Fault.UNAUTHORIZED, times=1)
    await settled.hours()
    assert hass.config_entries.flow.async_progress() == []
    await settled.hours(2)
    assert settled.states() == before
    assert hass.config_entries.flow.async_progress() == []
