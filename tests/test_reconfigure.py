"""Another token or address for an account that is set up: taken over at once, and within Joulo's limits."""

from collections.abc import AsyncGenerator

from homeassistant.config_entries import ConfigEntryState, ConfigFlowResult
from homeassistant.const import CONF_TOKEN, CONF_URL
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import device_registry as dr
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.joulo.const import CONF_ADVANCED
from tests.conftest import Advance
from tests.flows import assert_ended, assert_error, states, submit
from tests.simulator import DEMO_TOKEN, Fault, SimulatedAccount, SimulatedCloud, serve


@pytest.fixture
async def other_url(cloud: SimulatedCloud, socket_enabled: None) -> AsyncGenerator[str]:
    """Serve the same cloud at a second address."""
    async with serve(cloud) as address:
        yield address


async def reconfigure(
    hass: HomeAssistant, entry: MockConfigEntry, *, token: str = DEMO_TOKEN, url: str | None = None
) -> ConfigFlowResult:
    """Open the form and submit it, by default as it was."""
    form = await entry.start_reconfigure_flow(hass)
    return await submit(hass, form, url or entry.data[CONF_URL], token)


def assert_taken(result: ConfigFlowResult, entry: MockConfigEntry) -> None:
    """Check that the flow is over and the entry runs, with data."""
    assert_ended(result, "reconfigure_successful")
    assert entry.state is ConfigEntryState.LOADED
    assert len(entry.runtime_data.chargers.data) == 3


async def test_the_form_shows_the_address_and_not_the_token(
    hass: HomeAssistant, entry: MockConfigEntry, url: str
) -> None:
    form = await entry.start_reconfigure_flow(hass)
    assert form["type"] is FlowResultType.FORM
    assert form["step_id"] == "reconfigure"
    schema = form["data_schema"]
    assert schema is not None
    assert schema({CONF_TOKEN: "", CONF_ADVANCED: {}})[CONF_ADVANCED] == {CONF_URL: url}
    for fields in (schema.schema, schema.schema[CONF_ADVANCED].schema.schema):
        assert DEMO_TOKEN not in str([(str(key), key.description) for key in fields])


async def test_a_new_token_right_after_a_poll_costs_one_question(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    identified: MockConfigEntry,
    account: SimulatedAccount,
) -> None:
    before = states(hass)
    new_token = account.rotate_token()
    cloud.forget_requests()
    assert_taken(await reconfigure(hass, identified, token=new_token), identified)
    assert identified.data[CONF_TOKEN] == new_token
    assert [request.path for request in cloud.requests] == ["/me", "/ere-position"]
    assert states(hass) == before


async def test_polling_goes_on_where_the_old_token_left_it(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    identified: MockConfigEntry,
    account: SimulatedAccount,
    advance: Advance,
) -> None:
    new_token = account.rotate_token()
    await reconfigure(hass, identified, token=new_token)
    cloud.forget_requests()
    for _ in range(8):
        await advance(10)
    assert cloud.count("/chargers") == 1
    assert all(request.authorized for request in cloud.requests)


@pytest.mark.refusals("unauthorized")
async def test_a_new_token_later_on_is_tried_on_the_chargers(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    identified: MockConfigEntry,
    account: SimulatedAccount,
    advance: Advance,
) -> None:
    form = await identified.start_reconfigure_flow(hass)
    new_token = account.rotate_token()
    await advance(62)
    await advance(60)
    cloud.forget_requests()
    assert_taken(await submit(hass, form, identified.data[CONF_URL], new_token), identified)
    assert (cloud.count("/chargers"), cloud.count("/me")) == (1, 1)


async def test_a_new_token_for_which_nothing_vouches_yet_has_to_wait(
    hass: HomeAssistant,
    identified: MockConfigEntry,
    account: SimulatedAccount,
    advance: Advance,
) -> None:
    account.id, said_before = "", account.id
    new_token = account.rotate_token()
    await advance(20)
    result = await reconfigure(hass, identified, token=new_token)
    assert_error(result, "rate_limited")
    assert result["description_placeholders"] == {"name": "Joulo", "retry_after": "40"}
    assert identified.data[CONF_TOKEN] == DEMO_TOKEN
    await advance(40)
    assert_taken(await submit(hass, result, identified.data[CONF_URL], new_token), identified)
    assert identified.unique_id == said_before


@pytest.mark.refusals("unauthorized")
async def test_a_wrong_token_right_after_a_poll_is_found_out(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    identified: MockConfigEntry,
    account: SimulatedAccount,
) -> None:
    cloud.forget_requests()
    result = await reconfigure(hass, identified, token="joulo_wrong")
    assert_error(result, "invalid_auth")
    assert [request.path for request in cloud.requests] == ["/me"]
    new_token = account.rotate_token()
    assert_taken(
        await submit(hass, result, identified.data[CONF_URL], new_token),
        identified,
    )


async def test_the_same_token_again_costs_nothing(
    hass: HomeAssistant, cloud: SimulatedCloud, identified: MockConfigEntry
) -> None:
    before = states(hass)
    cloud.forget_requests()
    assert_taken(await reconfigure(hass, identified), identified)
    assert cloud.requests == []
    assert states(hass) == before


async def test_another_address_is_taken_over(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    identified: MockConfigEntry,
    other_url: str,
    advance: Advance,
) -> None:
    before = states(hass)
    assert_taken(await reconfigure(hass, identified, url=other_url), identified)
    assert identified.data == {CONF_URL: other_url, CONF_TOKEN: DEMO_TOKEN}
    assert states(hass) == before
    for _ in range(8):
        await advance(10)
    assert cloud.count("/chargers") == 2


async def test_the_way_back_to_the_first_address_keeps_the_intervals_too(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    identified: MockConfigEntry,
    url: str,
    other_url: str,
    advance: Advance,
) -> None:
    await advance(10)
    await reconfigure(hass, identified, url=other_url)
    for _ in range(7):
        await advance(10)
    assert cloud.count("/chargers") == 2
    assert_taken(await reconfigure(hass, identified, url=url), identified)


@pytest.mark.parametrize("fault", [Fault.SERVER_ERROR, Fault.NOT_FOUND, Fault.FORBIDDEN])
async def test_an_address_that_does_not_answer_changes_nothing(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    identified: MockConfigEntry,
    other_url: str,
    advance: Advance,
    fault: Fault,
) -> None:
    await advance(60)
    cloud.fail("/chargers", fault, times=1)
    result = await reconfigure(hass, identified, url=other_url)
    assert result["type"] is FlowResultType.FORM
    assert identified.data[CONF_URL] != other_url
    assert identified.state is ConfigEntryState.LOADED


async def test_an_address_that_would_show_the_token_is_refused(
    hass: HomeAssistant, cloud: SimulatedCloud, identified: MockConfigEntry
) -> None:
    result = await reconfigure(hass, identified, url="http://example.com")
    assert_error(result, "insecure_url")
    assert_taken(
        await submit(hass, result, identified.data[CONF_URL]),
        identified,
    )


async def test_a_token_of_another_account_is_refused(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    identified: MockConfigEntry,
    account: SimulatedAccount,
) -> None:
    cloud.accounts.append(SimulatedAccount(token="joulo_neighbour"))
    result = await reconfigure(hass, identified, token="joulo_neighbour")
    assert_ended(result, "unique_id_mismatch")
    assert identified.data[CONF_TOKEN] == DEMO_TOKEN
    assert identified.unique_id == account.id


@pytest.mark.parametrize("says_whose_it_is", [False, True])
async def test_an_id_is_enough_to_tell_another_account(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    identified: MockConfigEntry,
    device_registry: dr.DeviceRegistry,
    advance: Advance,
    *,
    says_whose_it_is: bool,
) -> None:
    cloud.accounts.append(SimulatedAccount(token="joulo_neighbour"))
    await advance(60)
    if not says_whose_it_is:
        cloud.fail("/me", Fault.NOT_FOUND)
    device_registry.async_clear_config_entry(identified.entry_id)
    assert_ended(await reconfigure(hass, identified, token="joulo_neighbour"), "unique_id_mismatch")


async def test_an_account_without_chargers_or_an_id_takes_any_token(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    entry: MockConfigEntry,
    account: SimulatedAccount,
    advance: Advance,
) -> None:
    account.empty()
    cloud.fail("/me", Fault.NOT_FOUND)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    new_token = account.rotate_token()
    await advance(60)
    result = await reconfigure(hass, entry, token=new_token)
    assert_ended(result, "reconfigure_successful")
    assert entry.state is ConfigEntryState.LOADED
    assert entry.unique_id is None
