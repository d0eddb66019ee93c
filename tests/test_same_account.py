"""Whose token it is: no account is set up twice."""

from homeassistant.const import CONF_TOKEN
from homeassistant.core import HomeAssistant
import pytest

from custom_components.joulo.const import DOMAIN
from tests.conftest import Advance
from tests.flows import add_account, assert_created, assert_ended
from tests.simulator import (
    DEMO_TOKEN,
    GARAGE_ID,
    Fault,
    SimulatedAccount,
    SimulatedCharger,
    SimulatedCloud,
)
from tests.timing import POLL


@pytest.mark.refusals("unauthorized")
async def test_an_account_that_is_set_up_already_is_known_by_its_id(
    hass: HomeAssistant,
    url: str,
    account: SimulatedAccount,
    advance: Advance,
) -> None:
    entry = assert_created(await add_account(hass, url))
    new_token = account.rotate_token()
    await advance(POLL)
    result = await add_account(hass, url, new_token)
    assert_ended(result, "already_configured")
    assert hass.config_entries.async_entries(DOMAIN) == [entry]
    assert entry.data[CONF_TOKEN] == DEMO_TOKEN


async def test_the_same_token_is_known_without_a_request(
    hass: HomeAssistant, cloud: SimulatedCloud, url: str, account: SimulatedAccount
) -> None:
    account.empty()
    cloud.fail("/me", Fault.NOT_FOUND)
    assert_created(await add_account(hass, url))
    cloud.forget_requests()
    result = await add_account(hass, url, f"Bearer {DEMO_TOKEN}")
    assert_ended(result, "already_configured")
    assert cloud.requests == []


@pytest.mark.parametrize("said_before", [False, True])
@pytest.mark.refusals("unauthorized")
async def test_an_account_that_cannot_say_whose_it_is_is_known_by_a_charger(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    url: str,
    account: SimulatedAccount,
    advance: Advance,
    *,
    said_before: bool,
) -> None:
    if not said_before:
        cloud.fail("/me", Fault.NOT_FOUND)
    assert_created(await add_account(hass, url))
    cloud.fail("/me", Fault.NOT_FOUND)
    new_token = account.rotate_token()
    for charger in account.chargers:
        if charger.id != GARAGE_ID:
            account.remove_charger(charger.id)
    await advance(POLL)
    result = await add_account(hass, url, new_token)
    assert_ended(result, "already_configured")


@pytest.mark.parametrize("says_whose_it_is", [False, True])
async def test_two_accounts_live_side_by_side(
    hass: HomeAssistant, cloud: SimulatedCloud, url: str, *, says_whose_it_is: bool
) -> None:
    cloud.accounts.append(SimulatedAccount(token="joulo_neighbour"))
    if not says_whose_it_is:
        cloud.fail("/me", Fault.NOT_FOUND)
    assert_created(await add_account(hass, url))
    assert_created(await add_account(hass, url, "joulo_neighbour"))
    assert (cloud.count("/chargers"), cloud.count("/me")) == (2, 2)


async def test_accounts_are_told_apart_by_their_titles(
    hass: HomeAssistant, cloud: SimulatedCloud, url: str
) -> None:
    names: dict[str, list[str]] = {
        "joulo_house": ["Carport"],
        "joulo_firm": ["Front", "Back", "Gate", "Yard"],
        "joulo_none": [],
        "joulo_same": ["Carport"],
        "joulo_nameless": [""],
    }
    for token, nicknames in names.items():
        account = SimulatedAccount(token=token, id=token)
        for number, nickname in enumerate(nicknames):
            account.add_charger(SimulatedCharger(id=f"{token}-{number}", nickname=nickname))
        cloud.accounts.append(account)
    titles = [
        assert_created(await add_account(hass, url, token)).title for token in (DEMO_TOKEN, *names)
    ]
    assert titles == [
        "Joulo",
        "Joulo (Carport)",
        "Joulo (Front, Back, Gate …)",
        "Joulo 2",
        "Joulo 3",
        "Joulo 4",
    ]


async def test_an_account_that_is_removed_and_added_again_is_not_asked_twice(
    hass: HomeAssistant, cloud: SimulatedCloud, url: str
) -> None:
    entry = assert_created(await add_account(hass, url))
    await hass.config_entries.async_remove(entry.entry_id)
    assert_created(await add_account(hass, url))
    # The profile alone is asked again: it tells whose token that is.
    assert [cloud.count(f"/{path}") for path in ("chargers", "energy", "me")] == [1, 1, 2]
