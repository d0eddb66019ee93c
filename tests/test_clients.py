"""Rate limiters outlive the clients of an account: reloads, new tokens, and a removal."""

from homeassistant.const import CONF_TOKEN, CONF_URL
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.joulo.api import (
    Endpoint,
    JouloAuthError,
    JouloClient,
    JouloError,
    JouloInsecureUrlError,
    JouloTooEarlyError,
)
from custom_components.joulo.clients import (
    _RATE_LIMITERS,
    Credentials,
    async_end_trial,
    async_get_client,
    async_get_trial_client,
    async_join_account,
    credentials_of,
)
from custom_components.joulo.const import DOMAIN
from tests.conftest import Advance
from tests.flows import add_account, assert_created, assert_error, begin, submit
from tests.simulator import DEMO_TOKEN, Fault, SimulatedAccount, SimulatedCloud


@pytest.fixture
def known(entry: MockConfigEntry) -> Credentials:
    """Return the address and the token of the entry."""
    return credentials_of(entry)


def another_token(entry: MockConfigEntry, account: SimulatedAccount) -> Credentials:
    """Return the credentials with which the account is open from now on."""
    return Credentials(entry.data[CONF_URL], account.rotate_token())


# Of one entry


async def test_two_clients_of_an_entry_share_what_was_answered(
    hass: HomeAssistant, cloud: SimulatedCloud, entry: MockConfigEntry, advance: Advance
) -> None:
    first = await async_get_client(hass, entry).chargers()
    assert await async_get_client(hass, entry).chargers() is first
    assert cloud.count("/chargers") == 1
    await advance(60)
    assert await async_get_client(hass, entry).chargers() is not first
    assert cloud.count("/chargers") == 2


async def test_another_account_has_a_rate_limiter_of_its_own(
    hass: HomeAssistant, cloud: SimulatedCloud, entry: MockConfigEntry
) -> None:
    cloud.accounts.append(SimulatedAccount(token="joulo_neighbour"))
    await async_get_client(hass, entry).chargers()
    data = entry.data | {CONF_TOKEN: "joulo_neighbour"}
    neighbour = async_get_client(hass, MockConfigEntry(domain=DOMAIN, data=data))
    assert (await neighbour.chargers()).data == ()


async def test_an_entry_that_learns_its_id_keeps_its_rate_limiter(
    hass: HomeAssistant, entry: MockConfigEntry, account: SimulatedAccount
) -> None:
    client = async_get_client(hass, entry)
    hass.config_entries.async_update_entry(entry, unique_id=account.id)
    assert async_get_client(hass, entry).rate_limiter is client.rate_limiter
    assert [*hass.data[_RATE_LIMITERS]] == [account.id]


@pytest.mark.refusals("unauthorized")
async def test_a_rejected_token_is_tried_once_by_each_new_client(
    hass: HomeAssistant, cloud: SimulatedCloud, entry: MockConfigEntry, advance: Advance
) -> None:
    cloud.fail("/chargers", Fault.UNAUTHORIZED)
    client = async_get_client(hass, entry)
    for _ in range(2):
        with pytest.raises(JouloAuthError):
            await client.chargers()
        await advance(86_400)
    client = async_get_client(hass, entry)
    for ask in (client.chargers, client.energy, client.account_profile, client.session_page):
        with pytest.raises(JouloAuthError):
            await ask()
    assert len(cloud.requests) == 3


async def test_an_address_that_would_show_the_token_gets_no_client(hass: HomeAssistant) -> None:
    with pytest.raises(JouloInsecureUrlError):
        async_get_trial_client(hass, Credentials("http://example.com", DEMO_TOKEN), None)


# What a user has just entered


@pytest.mark.refusals("unauthorized")
async def test_a_refused_token_may_be_tried_again_by_hand(
    hass: HomeAssistant, cloud: SimulatedCloud, entry: MockConfigEntry, known: Credentials
) -> None:
    cloud.fail("/chargers", Fault.UNAUTHORIZED, times=1)
    for _ in range(2):
        with pytest.raises(JouloAuthError):
            await async_get_client(hass, entry).chargers()
    assert cloud.count("/chargers") == 1
    assert await async_get_trial_client(hass, known, entry).chargers()
    assert cloud.count("/chargers") == 2


async def test_a_token_that_works_is_tried_with_what_is_known_already(
    hass: HomeAssistant, cloud: SimulatedCloud, entry: MockConfigEntry, known: Credentials
) -> None:
    chargers = await async_get_client(hass, entry).chargers()
    assert await async_get_trial_client(hass, known, None).chargers() is chargers
    assert cloud.count("/chargers") == 1


async def test_a_new_token_keeps_the_intervals_of_the_old_one_and_not_its_answers(
    hass: HomeAssistant, cloud: SimulatedCloud, account: SimulatedAccount, entry: MockConfigEntry
) -> None:
    old = async_get_client(hass, entry)
    await old.chargers()
    await old.energy()
    new = async_get_trial_client(hass, another_token(entry, account), entry)
    for endpoint in (Endpoint.CHARGERS, Endpoint.ENERGY):
        assert new.rate_limiter.retry_in(endpoint) == old.rate_limiter.retry_in(endpoint) > 0
    for ask in (new.chargers, new.energy):
        with pytest.raises(JouloTooEarlyError):
            await ask()
    assert (cloud.count("/chargers"), cloud.count("/energy")) == (1, 1)


@pytest.mark.parametrize("fault", [Fault.NOT_FOUND, Fault.FORBIDDEN])
async def test_what_the_old_token_lacked_is_asked_with_the_new_one(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    account: SimulatedAccount,
    entry: MockConfigEntry,
    fault: Fault,
) -> None:
    cloud.fail("/me", fault, times=1)
    with pytest.raises(JouloError):
        await async_get_client(hass, entry).account_profile()
    new = async_get_trial_client(hass, another_token(entry, account), entry)
    assert (await new.account_profile()).data.id == account.id


async def test_the_first_token_of_all_begins_with_nothing(
    hass: HomeAssistant, entry: MockConfigEntry, known: Credentials
) -> None:
    client = async_get_trial_client(hass, known, None)
    assert [client.rate_limiter.retry_in(endpoint) for endpoint in Endpoint] == [0] * len(Endpoint)
    async_end_trial(hass, known)
    assert async_get_client(hass, entry).rate_limiter is client.rate_limiter


async def test_a_token_of_a_known_account_goes_on_with_its_answers(
    hass: HomeAssistant, cloud: SimulatedCloud, account: SimulatedAccount, entry: MockConfigEntry
) -> None:
    hass.config_entries.async_update_entry(entry, unique_id=account.id)
    chargers = await async_get_client(hass, entry).chargers()
    trial = async_get_trial_client(hass, another_token(entry, account), None)
    async_join_account(hass, trial, account.id)
    assert await trial.chargers() is chargers
    assert cloud.count("/chargers") == 1


# Answers handed over


def replacement(hass: HomeAssistant, entry: MockConfigEntry, after: Credentials) -> JouloClient:
    """Return the client of a token that replaces the entry's."""
    client = async_get_trial_client(hass, after, entry)
    async_end_trial(hass, after, replaces=entry)
    return client


async def test_the_next_token_begins_with_what_the_old_one_was_answered(
    hass: HomeAssistant, cloud: SimulatedCloud, account: SimulatedAccount, entry: MockConfigEntry
) -> None:
    old = async_get_client(hass, entry)
    chargers, energy, page = await old.chargers(), await old.energy(), await old.session_page()
    new = replacement(hass, entry, another_token(entry, account))
    assert await new.chargers() is chargers
    assert await new.energy() is energy
    assert await new.session_page() is page
    assert len(cloud.requests) == 3


async def test_its_own_answer_is_better_than_one_that_was_handed_over(
    hass: HomeAssistant, account: SimulatedAccount, entry: MockConfigEntry, advance: Advance
) -> None:
    await async_get_client(hass, entry).chargers()
    await advance(60)
    after = another_token(entry, account)
    new = async_get_trial_client(hass, after, entry)
    chargers = await new.chargers()
    async_end_trial(hass, after, replaces=entry)
    assert await new.chargers() is chargers


async def test_what_may_be_asked_again_is_not_handed_over(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    account: SimulatedAccount,
    entry: MockConfigEntry,
    advance: Advance,
) -> None:
    chargers = await async_get_client(hass, entry).chargers()
    await advance(60)
    new = replacement(hass, entry, another_token(entry, account))
    assert await new.chargers() is not chargers
    assert cloud.count("/chargers") == 2


# Nothing of a token stays


def remembered(hass: HomeAssistant) -> str:
    """Return the keys by which rate limiters are remembered."""
    limiters = hass.data.setdefault(_RATE_LIMITERS, {})
    return " ".join(limiters)


async def test_after_a_removal_nothing_of_the_token_stays(
    hass: HomeAssistant, url: str, account: SimulatedAccount
) -> None:
    entry = assert_created(await add_account(hass, url))
    assert remembered(hass) == account.id
    await hass.config_entries.async_remove(entry.entry_id)
    assert remembered(hass) == account.id


@pytest.mark.refusals("unauthorized")
async def test_mistyped_tokens_leave_nothing(hass: HomeAssistant, url: str) -> None:
    form = await begin(hass)
    for token in ("joulo_mistyped", "joulo_mistypd", "joulo_mistped"):
        form = await submit(hass, form, url, token)
        assert_error(form, "invalid_auth")
    assert remembered(hass) == ""


async def test_a_form_that_is_given_up_leaves_no_token(
    hass: HomeAssistant, cloud: SimulatedCloud, url: str
) -> None:
    cloud.fail("/chargers", Fault.SERVER_ERROR, times=1)
    form = await submit(hass, await begin(hass), url)
    assert_error(form, "cannot_connect")
    hass.config_entries.flow.async_abort(form["flow_id"])
    assert DEMO_TOKEN not in repr(hass.data)


# Too early for none


async def test_an_account_added_again_with_a_new_token_is_not_asked_too_early(
    hass: HomeAssistant, cloud: SimulatedCloud, url: str, account: SimulatedAccount
) -> None:
    entry = assert_created(await add_account(hass, url))
    await hass.config_entries.async_remove(entry.entry_id)
    assert_created(await add_account(hass, url, account.rotate_token()))
    assert cloud.count("/chargers") == 1
