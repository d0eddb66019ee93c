"""The buttons that restart a charger, and what a user is told when that does not work."""

from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.button.const import DOMAIN as BUTTON_DOMAIN, SERVICE_PRESS
from homeassistant.config_entries import SOURCE_REAUTH
from homeassistant.const import ATTR_ENTITY_ID, Platform
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, snapshot_platform
from syrupy.assertion import SnapshotAssertion

from tests.conftest import Advance
from tests.simulator import (
    OPRIT_ID,
    Fault,
    Reboot,
    SimulatedAccount,
    SimulatedCharger,
    SimulatedCloud,
)
from tests.timing import POLL

RESTART, HARD_RESTART = "button.oprit_restart", "button.oprit_hard_restart"
PATH = "/chargers/reboot"


async def press(hass: HomeAssistant, button: str = RESTART) -> None:
    """Press a button."""
    await hass.services.async_call(
        BUTTON_DOMAIN, SERVICE_PRESS, {ATTR_ENTITY_ID: button}, blocking=True
    )


async def refusal(hass: HomeAssistant, button: str = RESTART) -> str:
    """Press a button and return what the user is told."""
    with pytest.raises(HomeAssistantError) as caught:
        await press(hass, button)
    return str(caught.value)


@pytest.mark.usefixtures("all_entities_enabled")
async def test_all_buttons(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    entity_registry: er.EntityRegistry,
    snapshot: SnapshotAssertion,
) -> None:
    """Only one of the three chargers is connected by OCPP."""
    with patch("custom_components.joulo.PLATFORMS", [Platform.BUTTON]):
        await hass.config_entries.async_setup(entry.entry_id)
        await hass.async_block_till_done(wait_background_tasks=True)
    await snapshot_platform(hass, entity_registry, snapshot, entry.entry_id)


async def test_a_hard_restart_is_disabled_until_a_user_wants_it(
    joulo: MockConfigEntry, entity_registry: er.EntityRegistry
) -> None:
    disabled = {
        entity.unique_id
        for entity in er.async_entries_for_config_entry(entity_registry, joulo.entry_id)
        if entity.disabled and entity.domain == Platform.BUTTON
    }
    assert disabled == {f"{OPRIT_ID}_hard_restart"}


@pytest.mark.parametrize(("button", "kind"), [(RESTART, "Soft"), (HARD_RESTART, "Hard")])
@pytest.mark.usefixtures("all_entities_enabled")
async def test_pressing_restarts_the_charger_once(
    hass: HomeAssistant, cloud: SimulatedCloud, joulo: MockConfigEntry, button: str, kind: str
) -> None:
    cloud.forget_requests()
    await press(hass, button)
    (request,) = cloud.requests
    assert (request.method, request.path) == ("POST", PATH)
    assert request.body == {"charger_id": OPRIT_ID, "type": kind}


async def test_a_charger_that_comes_later_gets_its_buttons(
    hass: HomeAssistant,
    account: SimulatedAccount,
    cloud: SimulatedCloud,
    joulo: MockConfigEntry,
    advance: Advance,
) -> None:
    charger = account.add_charger(SimulatedCharger(nickname="Carport", connection_type="ocpp"))
    await advance(POLL)
    await press(hass, "button.carport_restart")
    assert cloud.requests[-1].body == {"charger_id": charger.id, "type": "Soft"}


async def test_a_second_restart_within_five_minutes_is_refused_in_words(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    joulo: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
) -> None:
    await press(hass)
    told = await refusal(hass)
    assert told.startswith("This charger was restarted less than five minutes ago.")
    freezer.tick(300)
    await press(hass)
    assert cloud.count(PATH, "POST") == 3


async def test_a_charger_without_connection_is_told_apart_from_a_fault_of_joulo(
    hass: HomeAssistant, account: SimulatedAccount, cloud: SimulatedCloud, joulo: MockConfigEntry
) -> None:
    account.charger(OPRIT_ID).status = "offline"
    assert (await refusal(hass)).startswith("The charger has no connection with Joulo.")
    account.charger(OPRIT_ID).status = "online"
    cloud.fail(PATH, Fault.BAD_GATEWAY)
    assert await refusal(hass) == "Joulo has a fault (HTTP 502)"


async def test_a_restart_that_nobody_saw_is_not_passed_off_as_done(
    hass: HomeAssistant, account: SimulatedAccount, cloud: SimulatedCloud, joulo: MockConfigEntry
) -> None:
    """Whoever presses wants the charger to come back; that is what is not known here."""
    account.reboot_outcome = Reboot.ACCEPTED
    told = await refusal(hass)
    assert told.startswith("Joulo has passed the restart on, but has not seen the charger start")
    assert cloud.count(PATH, "POST") == 1


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (Fault.FORBIDDEN, "The token lacks a permission (chargers:read)."),
        (Fault.NOT_FOUND, "Joulo has nothing at this address."),
        (Fault.SERVER_ERROR, "Joulo has a fault (HTTP 500)"),
        (Fault.NOT_JSON, "Joulo's answer cannot be read (not JSON)"),
        (Fault.DROPPED, "Joulo did not answer (ServerDisconnectedError). It may have done what"),
    ],
)
async def test_every_other_fault_is_told_in_words_and_nothing_is_sent_again(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    joulo: MockConfigEntry,
    fault: Fault,
    sentence: str,
) -> None:
    cloud.fail(PATH, fault)
    assert (await refusal(hass)).startswith(sentence)
    assert cloud.count(PATH, "POST") == 1
    assert not list(joulo.async_get_active_flows(hass, {SOURCE_REAUTH}))


async def test_retry_after_is_obeyed_by_those_who_press_again(
    hass: HomeAssistant, cloud: SimulatedCloud, joulo: MockConfigEntry
) -> None:
    cloud.fail(PATH, Fault.RATE_LIMITED, times=1, retry_after=120)
    for _ in range(3):
        assert await refusal(hass) == "Joulo may be asked again in 120 seconds"
    assert cloud.count(PATH, "POST") == 1


@pytest.mark.refusals("unauthorized")
async def test_a_token_that_is_not_accepted_any_more_is_asked_for_anew_by_the_next_poll(
    hass: HomeAssistant,
    account: SimulatedAccount,
    cloud: SimulatedCloud,
    joulo: MockConfigEntry,
    advance: Advance,
) -> None:
    account.rotate_token()
    cloud.forget_requests()
    assert (await refusal(hass)).startswith("Joulo does not accept the token.")
    assert list(joulo.async_get_active_flows(hass, {SOURCE_REAUTH})) == []
    await advance(POLL)
    assert len(list(joulo.async_get_active_flows(hass, {SOURCE_REAUTH}))) == 1
    assert len(cloud.requests) == 2
