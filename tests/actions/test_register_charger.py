"""Registering a charger."""

import json
from typing import Any

from homeassistant.config_entries import SOURCE_REAUTH
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, Unauthorized
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser

from custom_components.joulo.const import DOMAIN
from tests.actions.calls import (
    call,
    device_id,
)
from tests.conftest import Advance
from tests.simulator import (
    OPRIT_ID,
    Fault,
    SimulatedAccount,
    SimulatedCloud,
)
from tests.timing import PAGE, POLL


async def test_a_registered_charger_comes_with_what_it_needs_to_connect(
    hass: HomeAssistant, account: SimulatedAccount, cloud: SimulatedCloud, known: MockConfigEntry
) -> None:
    answer = await call(hass, "register_charger", nickname="Carport", ocpp_identity="CARPORT_2")
    password = answer["ocpp"].pop("password")
    assert len(password) == 12
    charger = account.charger(answer["id"])
    assert answer == {
        "id": charger.id,
        "nickname": "Carport",
        "connection_type": "ocpp",
        "status": "offline",
        "ocpp": {"identity": "CARPORT_2", "endpoint": "wss://ocpp.joulo.nl/CARPORT_2"},
    }
    (request,) = cloud.requests
    assert (request.method, request.path) == ("POST", "/chargers")


async def test_a_user_who_is_no_administrator_may_not_register_a_charger(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    known: MockConfigEntry,
    hass_read_only_user: MockUser,
) -> None:
    with pytest.raises(Unauthorized):
        await hass.services.async_call(
            DOMAIN,
            "register_charger",
            {"nickname": "Carport"},
            blocking=True,
            return_response=True,
            context=Context(user_id=hass_read_only_user.id),
        )
    assert cloud.requests == []


async def test_joulo_chooses_an_identity_where_none_is_given(
    hass: HomeAssistant, account: SimulatedAccount, known: MockConfigEntry
) -> None:
    answer = await call(hass, "register_charger", nickname="Carport")
    assert answer["ocpp"]["identity"] == account.charger(answer["id"]).ocpp_identity


async def test_a_registered_charger_is_there_as_soon_as_joulo_may_be_asked(
    hass: HomeAssistant, cloud: SimulatedCloud, known: MockConfigEntry, advance: Advance
) -> None:
    answer = await call(hass, "register_charger", nickname="Carport")
    await advance(POLL - PAGE)
    assert device_id(hass, known, answer["id"])
    assert hass.states.get("calendar.carport_charging_sessions")
    assert cloud.count("/chargers") == 1


async def test_the_password_is_kept_nowhere(
    hass: HomeAssistant,
    known: MockConfigEntry,
    hass_storage: dict[str, Any],
    advance: Advance,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    answer = await call(hass, "register_charger", nickname="Carport")
    await advance(POLL)
    await hass.config_entries.async_unload(known.entry_id)
    password = answer["ocpp"]["password"]
    assert password not in caplog.text
    assert password not in json.dumps(hass_storage, default=str)
    assert password not in repr(hass.states.async_all())


async def test_the_account_that_is_named_gets_the_charger(
    hass: HomeAssistant, cloud: SimulatedCloud, known: MockConfigEntry, second: MockConfigEntry
) -> None:
    answer = await call(
        hass, "register_charger", nickname="Carport", config_entry_id=second.entry_id
    )
    assert answer["id"] in {charger.id for charger in cloud.accounts[1].chargers}


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (Fault.FORBIDDEN, "The token lacks a permission"),
        (Fault.SERVER_ERROR, "Joulo has a fault (HTTP 500)"),
        (Fault.NOT_JSON, "Joulo's answer cannot be read (not JSON)"),
        (Fault.DROPPED, "Joulo did not answer (ServerDisconnectedError). It may have done what"),
    ],
)
async def test_every_fault_is_told_in_words_and_nothing_is_sent_again(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    known: MockConfigEntry,
    fault: Fault,
    sentence: str,
) -> None:
    cloud.fail("/chargers", fault)
    with pytest.raises(HomeAssistantError) as caught:
        await call(hass, "register_charger", nickname="Carport")
    assert str(caught.value).startswith(sentence)
    assert len(cloud.requests) == 1


async def test_what_joulo_objects_to_is_told_in_its_words(
    hass: HomeAssistant, account: SimulatedAccount, known: MockConfigEntry
) -> None:
    taken = account.charger(OPRIT_ID).ocpp_identity
    with pytest.raises(HomeAssistantError, match="ocpp_identity is already in use"):
        await call(hass, "register_charger", nickname="Carport", ocpp_identity=taken)
    with pytest.raises(HomeAssistantError, match="Invalid ocpp_identity"):
        await call(hass, "register_charger", nickname="Carport", ocpp_identity="a b")


@pytest.mark.refusals("unauthorized")
async def test_a_token_that_is_not_accepted_any_more_is_asked_for_anew_by_the_next_poll(
    hass: HomeAssistant, account: SimulatedAccount, known: MockConfigEntry, advance: Advance
) -> None:
    account.rotate_token()
    with pytest.raises(HomeAssistantError, match="Joulo does not accept the token"):
        await call(hass, "register_charger", nickname="Carport")
    await advance(POLL)
    assert len(list(known.async_get_active_flows(hass, {SOURCE_REAUTH}))) == 1
