"""When a charger that is offline is told, and when that it is back."""

from collections.abc import Callable, Coroutine
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_mock_service

from tests.conftest import Advance
from tests.simulator import GARAGE_ID, OPRIT_ID, Fault, SimulatedAccount, SimulatedCloud
from tests.timing import POLL

from .conftest import Automate, Phone

MINUTE = 60
WENT = ("Garage", "Offline since 15-06 14:01.")
CAME_BACK = ("Garage", "Online again. It was offline since 15-06 14:01.")

type Go = Callable[[str], Coroutine[Any, Any, None]]
type Watch = Callable[..., Coroutine[Any, Any, None]]


@pytest.fixture
def watch(automate: Automate, joulo: MockConfigEntry, phone: Phone) -> Watch:
    """Return a function that makes an automation for the garage, with other inputs where given."""

    async def watch(**inputs: Any) -> None:
        sensor = "binary_sensor.garage_connectivity"
        given = {"connectivity": sensor, "recipients": ["notify.phone"]}
        await automate("charger_offline", given | inputs)

    return watch


@pytest.fixture
def go(account: SimulatedAccount, advance: Advance) -> Go:
    """Return a function that gives the garage's charger a status and waits until that is read."""

    async def go(status: str) -> None:
        account.charger(GARAGE_ID).status = status
        await advance(POLL)

    return go


@pytest.mark.parametrize("status", ["offline", "unavailable"])
async def test_a_charger_that_is_offline_or_out_of_service_is_told_once(
    phone: Phone, watch: Watch, go: Go, advance: Advance, status: str
) -> None:
    await watch()
    await go(status)
    await advance(29 * MINUTE)
    assert phone.messages == []
    await advance(1 * MINUTE)
    assert phone.messages == [WENT]
    await advance(24 * 60 * MINUTE)
    assert phone.messages == [WENT]


async def test_it_is_told_when_it_is_back(
    phone: Phone, watch: Watch, go: Go, advance: Advance
) -> None:
    await watch()
    await go("offline")
    await advance(60 * MINUTE)
    await go("online")
    assert phone.messages == [WENT, CAME_BACK]


async def test_it_is_told_in_dutch_if_so_chosen(
    phone: Phone, watch: Watch, go: Go, advance: Advance
) -> None:
    await watch(language="nl")
    await go("offline")
    await advance(60 * MINUTE)
    await go("online")
    assert phone.messages == [
        ("Garage", "Offline sinds 15-06 14:01."),
        ("Garage", "Weer online, was offline sinds 15-06 14:01."),
    ]


async def test_who_was_not_told_that_it_went_is_not_told_that_it_is_back(
    phone: Phone, watch: Watch, go: Go, advance: Advance
) -> None:
    await watch()
    await go("offline")
    await advance(25 * MINUTE)
    await go("online")
    await advance(60 * MINUTE)
    assert phone.messages == []


async def test_how_long_is_asked(phone: Phone, watch: Watch, go: Go, advance: Advance) -> None:
    await watch(offline_for={"hours": 2})
    await go("offline")
    await advance(119 * MINUTE)
    assert phone.messages == []
    await advance(1 * MINUTE)
    assert phone.messages == [WENT]


async def test_every_time_is_told(phone: Phone, watch: Watch, go: Go, advance: Advance) -> None:
    await watch(offline_message="gone", online_message="back")
    for _ in range(2):
        await go("offline")
        await advance(30 * MINUTE)
        await go("online")
    assert [message for _, message in phone.messages] == ["gone", "back"] * 2


async def test_that_joulo_cannot_be_reached_is_not_told(
    hass: HomeAssistant, cloud: SimulatedCloud, phone: Phone, watch: Watch, advance: Advance
) -> None:
    await watch()
    cloud.fail("/chargers", Fault.SERVER_ERROR)
    await advance(POLL)
    assert hass.states.is_state("binary_sensor.garage_connectivity", "unavailable")
    await advance(60 * MINUTE)
    assert phone.messages == []


async def test_if_joulo_cannot_be_reached_meanwhile_the_charger_is_told_once_and_its_return_too(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    phone: Phone,
    watch: Watch,
    go: Go,
    advance: Advance,
) -> None:
    await watch()
    await go("offline")
    await advance(30 * MINUTE)
    cloud.fail("/chargers", Fault.SERVER_ERROR, times=1)
    await advance(POLL)
    assert hass.states.is_state("binary_sensor.garage_connectivity", "unavailable")
    await go("offline")
    await advance(60 * MINUTE)
    assert phone.messages == [WENT]
    await go("online")
    assert phone.messages == [WENT, CAME_BACK]


async def test_a_charger_that_home_assistant_finds_offline_is_told(
    account: SimulatedAccount,
    entry: MockConfigEntry,
    hass: HomeAssistant,
    automate: Automate,
    phone: Phone,
    advance: Advance,
) -> None:
    account.charger(GARAGE_ID).status = "offline"
    sensor = "binary_sensor.garage_connectivity"
    await automate("charger_offline", {"connectivity": sensor, "recipients": ["notify.phone"]})
    await hass.config_entries.async_setup(entry.entry_id)
    await advance(30 * MINUTE)
    assert phone.messages == [("Garage", "Offline since 15-06 14:00.")]


async def test_each_charger_has_an_automation_of_its_own(
    account: SimulatedAccount,
    joulo: MockConfigEntry,
    automate: Automate,
    phone: Phone,
    go: Go,
    advance: Advance,
) -> None:
    await automate(
        "charger_offline",
        *(
            {"connectivity": f"binary_sensor.{name}_connectivity", "recipients": ["notify.phone"]}
            for name in ("garage", "oprit")
        ),
    )
    account.charger(OPRIT_ID).status = "offline"
    await go("offline")
    await advance(30 * MINUTE)
    await go("online")
    assert sorted(phone.messages) == [WENT, CAME_BACK, ("Oprit", WENT[1])]


async def test_its_return_is_told_even_if_nobody_could_be_told_that_it_went(
    hass: HomeAssistant, phone: Phone, watch: Watch, go: Go, advance: Advance
) -> None:
    """As when the connection of the whole house is down."""
    phone.is_reachable = False
    async_mock_service(hass, "notify", "mail", raise_exception=HomeAssistantError("No connection"))
    action = {"action": "notify.mail", "data": {"message": "{{ message }}"}}
    await watch(other_actions=[action])
    await go("offline")
    await advance(30 * MINUTE)
    phone.is_reachable = True
    mails = async_mock_service(hass, "notify", "mail")
    await go("online")
    assert phone.messages == [CAME_BACK]
    assert [mail.data["message"] for mail in mails] == [CAME_BACK[1]]


async def test_the_other_actions_are_done_also_where_nothing_can_be_notified(
    hass: HomeAssistant, automate: Automate, joulo: MockConfigEntry, go: Go, advance: Advance
) -> None:
    """A Home Assistant without phones has no action that sends a message."""
    calls = async_mock_service(hass, "light", "turn_on")
    sensor = "binary_sensor.garage_connectivity"
    inputs = {"connectivity": sensor, "other_actions": [{"action": "light.turn_on"}]}
    await automate("charger_offline", inputs)
    assert not hass.services.has_service("notify", "send_message")
    await go("offline")
    await advance(30 * MINUTE)
    await go("online")
    assert len(calls) == 2


async def test_other_actions_are_given_title_and_message(
    hass: HomeAssistant, watch: Watch, go: Go, advance: Advance
) -> None:
    calls = async_mock_service(hass, "notify", "mobile_app_tablet")
    data = {"title": "{{ title }}", "message": "{{ message }}"}
    await watch(other_actions=[{"action": "notify.mobile_app_tablet", "data": data}])
    await go("offline")
    await advance(30 * MINUTE)
    await go("online")
    assert [(call.data["title"], call.data["message"]) for call in calls] == [WENT, CAME_BACK]
