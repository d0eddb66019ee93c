"""What the statement of a month says, and when it is sent."""

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.automation import SERVICE_TRIGGER
from homeassistant.components.automation.const import DOMAIN as AUTOMATION
from homeassistant.const import ATTR_ENTITY_ID
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_mock_service

from tests.conftest import Advance
from tests.prices import set_price
from tests.simulator import GARAGE_ID, Fault, SimulatedAccount, SimulatedCloud, SimulatedSession
from tests.timing import READ
from tests.vehicles import add_vehicle

from .conftest import Automate, Device, Phone

FIRST_OF_JULY = datetime(2026, 7, 1, 10, 0, tzinfo=UTC)
"""At noon in Amsterdam."""

type Ask = Callable[..., Coroutine[Any, Any, None]]


@pytest.fixture
def ask(
    automate: Automate,
    joulo: MockConfigEntry,
    phone: Phone,
    advance: Advance,
    freezer: FrozenDateTimeFactory,
) -> Ask:
    """Return a function that makes an automation and lets the time come at which it is to act."""

    async def ask(when: datetime = FIRST_OF_JULY, **inputs: Any) -> None:
        for _ in range(6):  # the pages of the history
            await advance(7)
        freezer.move_to(when - timedelta(seconds=READ + 5))
        await advance(READ)
        await automate("monthly_statement", {"recipients": ["notify.phone"]} | inputs)
        assert phone.messages == []
        await advance(6)

    return ask


def record(account: SimulatedAccount, start: datetime) -> SimulatedSession:
    """Enter a session of an hour and 10 kW on the garage's charger in the books."""
    end = start + timedelta(hours=1)
    return account.record_session(
        SimulatedSession(charger_id=GARAGE_ID, started_at=start, ends_at=end, power_kw=10)
    )


def of_month(account: SimulatedAccount, charger_id: str | None = None) -> list[SimulatedSession]:
    """Return the sessions of June in the books, oldest first."""
    sessions = list(account.completed(charger_id))[::-1]
    return [s for s in sessions if f"{dt_util.as_local(s.started_at):%Y-%m}" == "2026-06"]


async def test_on_the_first_of_the_month_the_totals_and_a_table_of_the_month_before_are_sent(
    account: SimulatedAccount, phone: Phone, ask: Ask
) -> None:
    await ask(price_per_kwh=0.25)
    ((title, message),) = phone.messages
    assert title == "Charging sessions of 06-2026"
    totals, table = message.split("\n\n")
    assert totals.splitlines() == [
        "Sessions: 8",
        "Energy: 210.30 kWh",
        "Costs: € 52.59",
        "ERE credits: 69.97 ERE",
        "ERE value: € 20.00",
        "Net costs: € 32.59",
    ]
    headings, *rows, last = table.splitlines()
    assert headings.startswith("Start,End,")
    assert [row.split(",")[-2] for row in rows] == [session.id for session in of_month(account)]
    assert last == "Total,,,,,,210.300,52.59,69.970,20.00,32.59,,"


async def test_in_dutch_numbers_have_a_decimal_comma(phone: Phone, ask: Ask) -> None:
    await ask(language="nl", price_per_kwh=0.25)
    ((title, message),) = phone.messages
    assert title == "Laadsessies 06-2026"
    assert message.split("\n\n")[0].splitlines() == [
        "Sessies: 8",
        "Energie: 210,30 kWh",
        "Kosten: € 52,59",
        "ERE-credits: 69,97 ERE",
        "ERE-waarde: € 20,00",
        "Nettokosten: € 32,59",
    ]


async def test_without_a_price_of_its_own_the_costs_are_those_of_joulos_options(
    hass: HomeAssistant, joulo: MockConfigEntry, phone: Phone, ask: Ask
) -> None:
    await set_price(hass, joulo, fixed_price=0.5)
    await ask()
    ((_, message),) = phone.messages
    assert "Costs: € 105.15" in message


async def test_a_statement_may_be_that_of_a_vehicle(
    hass: HomeAssistant, joulo: MockConfigEntry, device: Device, phone: Phone, ask: Ask
) -> None:
    zoe = await add_vehicle(hass, joulo, chargers=[GARAGE_ID])
    await ask(charger=device(f"vehicle_{zoe.subentry_id}"))
    ((_, message),) = phone.messages
    _, table = message.split("\n\n")
    _, *rows, _ = table.splitlines()
    assert {row.split(",")[4] for row in rows} == {"Zoe"}


async def test_a_month_begins_at_midnight_where_home_assistant_is(
    account: SimulatedAccount, phone: Phone, ask: Ask
) -> None:
    before, first = (
        record(account, datetime(2026, 6, 30, hour, minute, tzinfo=UTC))
        for hour, minute in ((21, 59), (22, 0))
    )
    last, after = (
        record(account, datetime(2026, 7, 31, hour, minute, tzinfo=UTC))
        for hour, minute in ((21, 59), (22, 0))
    )
    await ask(datetime(2026, 8, 1, 10, 0, tzinfo=UTC))
    ((_, message),) = phone.messages
    assert first.id in message
    assert last.id in message
    assert before.id not in message
    assert after.id not in message


async def test_in_january_it_is_december_of_the_year_before(
    account: SimulatedAccount, phone: Phone, ask: Ask
) -> None:
    session = record(account, datetime(2026, 12, 31, 22, 30, tzinfo=UTC))
    await ask(datetime(2027, 1, 1, 11, 0, tzinfo=UTC))
    ((title, message),) = phone.messages
    assert title == "Charging sessions of 12-2026"
    assert message.startswith("Sessions: 1\nEnergy: 10.00 kWh\n")
    assert session.id in message


async def test_of_an_empty_month_it_is_told_that_it_is_empty(
    account: SimulatedAccount, phone: Phone, ask: Ask
) -> None:
    await ask(datetime(2026, 9, 1, 10, 0, tzinfo=UTC), price_per_kwh=0.25)
    ((title, message),) = phone.messages
    assert title == "Charging sessions of 08-2026"
    assert message.startswith("Sessions: 0\nEnergy: 0.00 kWh\nCosts: € 0.00\n")
    assert "None" not in message


async def test_without_a_price_there_are_no_costs(phone: Phone, ask: Ask) -> None:
    await ask()
    ((_, message),) = phone.messages
    assert "Costs: –\n" in message  # noqa: RUF001


async def test_it_may_be_of_one_charger_only(
    account: SimulatedAccount, phone: Phone, ask: Ask, device: Device
) -> None:
    await ask(charger=device(GARAGE_ID))
    ((_, message),) = phone.messages
    sessions = of_month(account, GARAGE_ID)
    assert message.startswith(f"Sessions: {len(sessions)}\n")
    assert all(session.id in message for session in sessions)


async def test_of_several_accounts_one_can_be_chosen(
    hass: HomeAssistant, account: SimulatedAccount, joulo: MockConfigEntry, phone: Phone, ask: Ask
) -> None:
    MockConfigEntry(domain="joulo", title="Another").add_to_hass(hass)
    await ask(account=joulo.entry_id)
    ((_, message),) = phone.messages
    assert message.startswith(f"Sessions: {len(of_month(account))}\n")


async def test_on_other_days_nothing_is_sent(phone: Phone, ask: Ask) -> None:
    await ask(FIRST_OF_JULY + timedelta(days=1))
    assert phone.messages == []


async def test_at_another_time_if_asked(phone: Phone, ask: Ask) -> None:
    await ask(FIRST_OF_JULY - timedelta(hours=4), time="08:00:00")
    assert len(phone.messages) == 1


async def test_by_hand_it_can_be_had_again_on_any_day(
    hass: HomeAssistant, phone: Phone, ask: Ask
) -> None:
    await ask(FIRST_OF_JULY + timedelta(days=29))
    await hass.services.async_call(
        AUTOMATION, SERVICE_TRIGGER, {ATTR_ENTITY_ID: "automation.automation_0"}, blocking=True
    )
    ((title, _),) = phone.messages
    assert title == "Charging sessions of 06-2026"


@pytest.mark.parametrize(
    ("language", "energy"),
    [
        ({}, "{{ energy | replace('.', ',') }}"),
        ({"language": "nl"}, "{{ energy }}"),
    ],
    ids=["as before a language could be chosen", "in the language chosen"],
)
async def test_the_wording_can_be_ones_own_and_without_the_table(
    phone: Phone, ask: Ask, language: dict[str, str], energy: str
) -> None:
    message = f"{{{{ sessions }}}} sessies, {energy}"
    await ask(title="Laadsessies {{ month }}", message=message, **language)
    assert phone.messages == [("Laadsessies 06-2026", "8 sessies, 210,30 kWh")]


async def test_other_actions_are_given_title_message_and_table(
    hass: HomeAssistant, account: SimulatedAccount, ask: Ask
) -> None:
    calls = async_mock_service(hass, "notify", "mail")
    data = {"title": "{{ title }}", "message": "{{ message }}", "data": {"table": "{{ csv }}"}}
    await ask(other_actions=[{"action": "notify.mail", "data": data}])
    (call,) = calls
    assert call.data["title"] == "Charging sessions of 06-2026"
    assert call.data["message"].endswith(call.data["data"]["table"])
    assert len(call.data["data"]["table"].splitlines()) == len(of_month(account)) + 2


@pytest.fixture
def unread(cloud: SimulatedCloud) -> None:
    """Let no session be read."""
    cloud.fail("/sessions", Fault.SERVER_ERROR)


@pytest.mark.usefixtures("unread")
async def test_where_the_month_has_not_been_read_the_message_says_so_instead_of_a_table(
    phone: Phone, ask: Ask
) -> None:
    await ask(price_per_kwh=0.25)
    ((title, message),) = phone.messages
    assert title == "Charging sessions of 06-2026"
    assert message.startswith("The statement of 06-2026 cannot be made: ")
    assert "kWh" not in message


@pytest.mark.usefixtures("unread")
async def test_that_there_is_no_statement_is_said_in_dutch_if_so_chosen(
    phone: Phone, ask: Ask
) -> None:
    await ask(language="nl")
    ((title, message),) = phone.messages
    assert title == "Laadsessies 06-2026"
    assert message.startswith("Het overzicht van 06-2026 kan niet worden gemaakt: ")
