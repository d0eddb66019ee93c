"""Where Home Assistant meets the client: rate limiters that outlive clients, and errors in words."""

from homeassistant.const import CONF_TOKEN, CONF_URL
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.translation import async_get_exception_message
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.joulo.api import (
    Endpoint,
    JouloAuthError,
    JouloConnectionError,
    JouloError,
    JouloInsecureUrlError,
    JouloNotFoundError,
    JouloRateLimitError,
    JouloResponseError,
    JouloScopeError,
    JouloServerError,
    JouloTooEarlyError,
)
from custom_components.joulo.const import DOMAIN
from custom_components.joulo.helpers import (
    Credentials,
    async_adopt_rate_limiter,
    async_get_client,
    async_get_trial_client,
    credentials_of,
    translated_error,
)
from tests.conftest import Advance
from tests.simulator import DEMO_TOKEN, Fault, SimulatedAccount, SimulatedCloud


@pytest.fixture
def known(url: str) -> Credentials:
    """Return the address and the token of the account."""
    return Credentials(url, DEMO_TOKEN)


# Gates outlive clients


async def test_two_clients_of_an_account_share_what_was_answered(
    hass: HomeAssistant, cloud: SimulatedCloud, known: Credentials, advance: Advance
) -> None:
    first = await async_get_client(hass, known).chargers()
    assert await async_get_client(hass, known).chargers() is first
    assert cloud.count("/chargers") == 1
    await advance(60)
    assert await async_get_client(hass, known).chargers() is not first
    assert cloud.count("/chargers") == 2


async def test_another_account_has_a_gate_of_its_own(
    hass: HomeAssistant, cloud: SimulatedCloud, known: Credentials
) -> None:
    cloud.accounts.append(SimulatedAccount(token="joulo_neighbour"))
    await async_get_client(hass, known).chargers()
    neighbour = async_get_client(hass, Credentials(known.url, "joulo_neighbour"))
    assert (await neighbour.chargers()).data == ()


async def test_a_rejected_token_is_tried_once_by_each_new_client(
    hass: HomeAssistant, cloud: SimulatedCloud, known: Credentials, advance: Advance
) -> None:
    cloud.fail("/chargers", Fault.UNAUTHORIZED)
    client = async_get_client(hass, known)
    for _ in range(2):
        with pytest.raises(JouloAuthError):
            await client.chargers()
        await advance(86_400)
    client = async_get_client(hass, known)
    for ask in (client.chargers, client.energy, client.account_profile, client.session_page):
        with pytest.raises(JouloAuthError):
            await ask()
    assert len(cloud.requests) == 3


async def test_an_address_that_would_show_the_token_gets_no_client(hass: HomeAssistant) -> None:
    with pytest.raises(JouloInsecureUrlError):
        async_get_client(hass, Credentials("http://example.com", DEMO_TOKEN))


# What a user has just entered


async def test_a_refused_token_may_be_tried_again_by_hand(
    hass: HomeAssistant, cloud: SimulatedCloud, known: Credentials
) -> None:
    cloud.fail("/chargers", Fault.UNAUTHORIZED, times=1)
    with pytest.raises(JouloAuthError):
        await async_get_client(hass, known).chargers()
    with pytest.raises(JouloAuthError):
        await async_get_client(hass, known).chargers()
    assert cloud.count("/chargers") == 1
    assert await async_get_trial_client(hass, known, known).chargers()
    assert cloud.count("/chargers") == 2


async def test_a_token_that_works_is_tried_with_what_is_known_already(
    hass: HomeAssistant, cloud: SimulatedCloud, known: Credentials
) -> None:
    chargers = await async_get_client(hass, known).chargers()
    assert await async_get_trial_client(hass, known, None).chargers() is chargers
    assert cloud.count("/chargers") == 1


async def test_a_new_token_keeps_the_intervals_of_the_old_one_and_not_its_answers(
    hass: HomeAssistant, cloud: SimulatedCloud, account: SimulatedAccount, known: Credentials
) -> None:
    old = async_get_client(hass, known)
    await old.chargers()
    await old.energy()
    new = async_get_trial_client(hass, Credentials(known.url, account.rotate_token()), known)
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
    known: Credentials,
    fault: Fault,
) -> None:
    cloud.fail("/me", fault, times=1)
    with pytest.raises(JouloError):
        await async_get_client(hass, known).account_profile()
    new = async_get_trial_client(hass, Credentials(known.url, account.rotate_token()), known)
    assert (await new.account_profile()).data.id == account.id


async def test_the_first_token_of_all_begins_with_nothing(
    hass: HomeAssistant, cloud: SimulatedCloud, known: Credentials
) -> None:
    client = async_get_trial_client(hass, known, None)
    assert [client.rate_limiter.retry_in(endpoint) for endpoint in Endpoint] == [0] * len(Endpoint)
    assert async_get_client(hass, known).rate_limiter is client.rate_limiter


# Answers handed over


async def test_the_next_token_begins_with_what_the_old_one_was_answered(
    hass: HomeAssistant, cloud: SimulatedCloud, account: SimulatedAccount, known: Credentials
) -> None:
    old = async_get_client(hass, known)
    chargers, energy, page = await old.chargers(), await old.energy(), await old.session_page()
    after = Credentials(known.url, account.rotate_token())
    new = async_get_trial_client(hass, after, known)
    async_adopt_rate_limiter(hass, known, after)
    assert await new.chargers() is chargers
    assert await new.energy() is energy
    assert await new.session_page() is page
    assert len(cloud.requests) == 3


async def test_its_own_answer_is_better_than_one_that_was_handed_over(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    account: SimulatedAccount,
    known: Credentials,
    advance: Advance,
) -> None:
    await async_get_client(hass, known).chargers()
    await advance(60)
    after = Credentials(known.url, account.rotate_token())
    new = async_get_trial_client(hass, after, known)
    chargers = await new.chargers()
    async_adopt_rate_limiter(hass, known, after)
    assert await new.chargers() is chargers


async def test_what_may_be_asked_again_is_not_handed_over(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    account: SimulatedAccount,
    known: Credentials,
    advance: Advance,
) -> None:
    chargers = await async_get_client(hass, known).chargers()
    await advance(60)
    after = Credentials(known.url, account.rotate_token())
    new = async_get_trial_client(hass, after, known)
    async_adopt_rate_limiter(hass, known, after)
    assert await new.chargers() is not chargers
    assert cloud.count("/chargers") == 2


async def test_where_nothing_was_asked_before_there_is_nothing_to_hand_over(
    hass: HomeAssistant, cloud: SimulatedCloud, known: Credentials
) -> None:
    client = async_get_trial_client(hass, known, None)
    async_adopt_rate_limiter(hass, Credentials(known.url, "joulo_never_used"), known)
    async_adopt_rate_limiter(hass, known, known)
    assert await client.chargers()
    assert cloud.count("/chargers") == 1


# Errors in words


@pytest.mark.parametrize(
    ("error", "key", "placeholders", "sentence"),
    [
        (JouloAuthError(), "invalid_auth", {}, "Joulo does not accept the token."),
        (
            JouloScopeError("energy:read"),
            "missing_scope",
            {"scope": "energy:read"},
            "The token lacks a permission (energy:read).",
        ),
        (
            JouloScopeError(None),
            "missing_scope",
            {"scope": "?"},
            "The token lacks a permission (?).",
        ),
        (
            JouloConnectionError("TimeoutError", sent=True),
            "cannot_connect",
            {"reason": "TimeoutError", "sent": "True"},
            "Joulo cannot be reached (TimeoutError)",
        ),
        (
            JouloServerError(502),
            "server_error",
            {"status": "502"},
            "Joulo has a fault (HTTP 502)",
        ),
        (
            JouloRateLimitError(59.6),
            "rate_limited",
            {"retry_after": "60"},
            "Joulo may be asked again in 60 seconds",
        ),
        (
            JouloTooEarlyError(12.0),
            "rate_limited",
            {"retry_after": "12"},
            "Joulo may be asked again in 12 seconds",
        ),
        (JouloNotFoundError(), "not_found", {}, "Joulo has nothing at this address."),
        (
            JouloResponseError("not JSON"),
            "invalid_response",
            {"reason": "not JSON"},
            "Joulo's answer cannot be read (not JSON)",
        ),
    ],
    ids=str,
)
async def test_an_error_tells_a_user_what_went_wrong(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    error: JouloError,
    key: str,
    placeholders: dict[str, str],
    sentence: str,
) -> None:
    text = translated_error(error)
    assert text == {
        "translation_domain": DOMAIN,
        "translation_key": key,
        "translation_placeholders": placeholders,
    }
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    message = async_get_exception_message(DOMAIN, key, text["translation_placeholders"])
    assert message.startswith(sentence)
    assert str(HomeAssistantError(**text)) == message


def test_an_entry_is_for_one_address_and_one_token(entry: MockConfigEntry) -> None:
    assert credentials_of(entry) == (entry.data[CONF_URL], entry.data[CONF_TOKEN])
