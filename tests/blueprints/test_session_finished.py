"""What is told of a session that has finished, when, and to whom."""

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_mock_service

from custom_components.joulo.api import ChargingSession
from custom_components.joulo.sessions.figures import as_attributes
from tests.conftest import NOW, Advance
from tests.events import without
from tests.prices import set_price
from tests.simulator import GARAGE_ID, OPRIT_ID, SCHUUR_ID, SimulatedAccount, SimulatedCloud
from tests.timing import POLL, READ

from .conftest import Automate, Device, Entity, Phone

TAG = "DEADBEEF12345678"
HOUR = timedelta(hours=1)
TITLE = "Garage: charging session finished"
DETAILS = "15-06 14:00 · 10.00 kWh · 1:00 h · 3.33 ERE · € 1.32"

type Charge = Callable[..., Coroutine[Any, Any, None]]
type Tell = Callable[..., Coroutine[Any, Any, None]]


@pytest.fixture
def tell(automate: Automate, event: Entity, phone: Phone) -> Tell:
    """Return a function that makes an automation for the garage, with other inputs where given."""

    async def tell(**inputs: Any) -> None:
        given = {"chargers": [event(GARAGE_ID)], "recipients": ["notify.phone"]}
        await automate("session_finished", given | inputs)

    return tell


@pytest.fixture
def charge(account: SimulatedAccount, advance: Advance) -> Charge:
    """Return a function that lets a session of 10 kW pass and waits until Joulo has listed it."""

    async def charge(
        charger_id: str = GARAGE_ID, *, hours: float = 1, tag: str | None = None
    ) -> None:
        account.start_session(charger_id, power_kw=10, tag=tag)
        await advance(POLL)
        await advance(hours * 3600 - POLL)
        account.end_session(charger_id)
        await advance(POLL)
        await advance(READ)

    return charge


async def test_kwh_duration_ere_euros_and_vehicle_are_told(
    phone: Phone,
    tell: Tell,
    charge: Charge,
) -> None:
    vehicles = [{"tag": "0123", "vehicle": "Visitor"}, {"tag": TAG, "vehicle": "Zoe"}]
    await tell(vehicles=vehicles)
    await charge(hours=1.5, tag=TAG)
    details = "15-06 14:00 · 15.00 kWh · 1:30 h · 4.99 ERE · € 1.98 · Zoe"
    assert phone.messages == [(TITLE, details)]


@pytest.mark.parametrize(
    ("listed", "shown"),
    [
        (f"  {TAG.lower()} ", "Zoe"),
        ("another", TAG),
    ],
    ids=["whatever its case and the spaces around it", "else the tag itself"],
)
async def test_the_vehicle_is_that_of_the_tag(
    phone: Phone,
    tell: Tell,
    charge: Charge,
    listed: str,
    shown: str,
) -> None:
    await tell(vehicles=[{"tag": listed, "vehicle": "Zoe"}])
    await charge(tag=TAG)
    ((_, message),) = phone.messages
    assert message.endswith(f" · {shown}")


async def test_a_vehicle_of_joulos_own_is_named_by_itself(
    hass: HomeAssistant, joulo: MockConfigEntry, phone: Phone, tell: Tell, charge: Charge
) -> None:
    """It comes before the list of the automation."""
    await tell(vehicles=[{"tag": TAG, "vehicle": "Zoe"}])
    data = MappingProxyType({"tags": [TAG], "chargers": []})
    vehicle = ConfigSubentry(
        data=data, subentry_type="vehicle", title="Zoe of the house", unique_id=None
    )
    hass.config_entries.async_add_subentry(joulo, vehicle)
    await hass.async_block_till_done(wait_background_tasks=True)
    await charge(tag=TAG)
    ((_, message),) = phone.messages
    assert message.endswith(" · Zoe of the house")


async def test_the_cost_is_told_where_a_price_is_set(
    hass: HomeAssistant, joulo: MockConfigEntry, phone: Phone, tell: Tell, charge: Charge
) -> None:
    await set_price(hass, joulo, fixed_price=0.25)
    await tell()
    await charge()
    ((_, message),) = phone.messages
    assert message == "15-06 14:00 · 10.00 kWh · 1:00 h · cost € 2.50 · 3.33 ERE · € 1.32"


async def test_a_tag_of_digits_may_be_written_as_a_number(
    phone: Phone,
    tell: Tell,
    charge: Charge,
) -> None:
    await tell(vehicles=[{"tag": 12345678, "vehicle": "Zoe"}])
    await charge(tag="12345678")
    ((_, message),) = phone.messages
    assert message.endswith(" · Zoe")


async def test_without_a_card_no_vehicle_is_named(
    phone: Phone,
    tell: Tell,
    charge: Charge,
) -> None:
    await tell()
    await charge()
    assert phone.messages == [(TITLE, DETAILS)]


async def test_euros_that_nobody_knows_yet_are_left_out(
    account: SimulatedAccount,
    cloud: SimulatedCloud,
    phone: Phone,
    tell: Tell,
    advance: Advance,
) -> None:
    await tell()
    session = account.start_session(GARAGE_ID, power_kw=10, tag=TAG)
    cloud.garble = without(session.id)
    await advance(POLL)
    await advance(3600 - POLL)
    account.end_session(GARAGE_ID)
    for _ in range(16):
        await advance(POLL)
    ((_, message),) = phone.messages
    assert "None" not in message
    assert "€" not in message


async def test_of_a_session_of_which_nothing_is_known_the_start_is_told(
    hass: HomeAssistant,
    phone: Phone,
    tell: Tell,
    advance: Advance,
) -> None:
    await tell(minimum_energy=5)
    known = {
        "event_type": "session_completed",
        "started_at": NOW.isoformat(),
        "ended_at": None,
        "late": False,
    }
    session = ChargingSession(id="s", charger_id=GARAGE_ID, started_at=NOW)
    unknown = dict.fromkeys(as_attributes(session, None, None, None))
    hass.states.async_set("event.garage_charging_session", NOW.isoformat(), unknown | known)
    await advance(1)
    assert phone.messages == [(TITLE, "15-06 14:00")]


@pytest.mark.parametrize(("minimum", "count"), [(10.1, 0), (10, 1)])
async def test_a_session_with_less_than_the_minimum_is_not_told(
    phone: Phone,
    tell: Tell,
    charge: Charge,
    minimum: float,
    count: int,
) -> None:
    await tell(minimum_energy=minimum)
    await charge()
    assert len(phone.messages) == count


@pytest.mark.parametrize(
    ("asked_for", "messages"),
    [
        ({}, []),
        ({"minimum_energy": 0}, [(TITLE, "15-06 14:00 · 0.00 kWh · 0:01 h · 0.00 ERE · € 0.00")]),
    ],
    ids=["not told", "told"],
)
async def test_unless_asked_for_a_session_without_energy_is_not_told(
    account: SimulatedAccount,
    phone: Phone,
    tell: Tell,
    advance: Advance,
    asked_for: dict[str, float],
    messages: list[tuple[str, str]],
) -> None:
    await tell(**asked_for)
    account.start_session(GARAGE_ID, power_kw=0)
    await advance(POLL)
    account.end_session(GARAGE_ID)
    await advance(POLL)
    await advance(READ)
    assert phone.messages == messages


async def test_what_ends_in_quiet_hours_is_told_in_order_when_they_are_over(
    phone: Phone,
    tell: Tell,
    charge: Charge,
    advance: Advance,
    event: Entity,
) -> None:
    quiet = {"quiet_from": "14:30:00", "quiet_until": "20:00:00"}
    await tell(chargers=[event(GARAGE_ID), event(OPRIT_ID)], **quiet)
    await charge()
    await charge(OPRIT_ID)
    await advance((NOW + 6 * HOUR - datetime.now(UTC)).total_seconds() - 1)
    assert phone.messages == []
    await advance(1)
    assert [title for title, _ in phone.messages] == [
        "Garage: charging session finished",
        "Oprit: charging session finished",
    ]


async def test_what_ends_outside_the_quiet_hours_is_told_at_once(
    phone: Phone,
    tell: Tell,
    charge: Charge,
) -> None:
    await tell(quiet_from="22:00:00", quiet_until="07:00:00")
    await charge()
    assert len(phone.messages) == 1


@pytest.mark.parametrize(
    ("night", "end"),
    [
        (datetime(2026, 6, 20, 20, 30, tzinfo=UTC), datetime(2026, 6, 21, 5, 0, tzinfo=UTC)),
        (datetime(2026, 6, 20, 22, 30, tzinfo=UTC), datetime(2026, 6, 21, 5, 0, tzinfo=UTC)),
        (datetime(2026, 10, 24, 20, 30, tzinfo=UTC), datetime(2026, 10, 25, 6, 0, tzinfo=UTC)),
        (datetime(2027, 3, 27, 21, 30, tzinfo=UTC), datetime(2027, 3, 28, 5, 0, tzinfo=UTC)),
    ],
    ids=["from before midnight", "from after midnight", "end of summer time", "its beginning"],
)
async def test_quiet_hours_end_in_the_morning_by_the_clock_on_the_wall(
    phone: Phone,
    tell: Tell,
    charge: Charge,
    advance: Advance,
    freezer: FrozenDateTimeFactory,
    night: datetime,
    end: datetime,
) -> None:
    freezer.move_to(night)
    await advance(READ)
    await tell(quiet_from="22:00:00", quiet_until="07:00:00")
    await charge()
    await advance((end - datetime.now(UTC)).total_seconds() - 1)
    assert phone.messages == []
    await advance(1)
    assert len(phone.messages) == 1


@pytest.mark.parametrize("quiet_from", ["22:00:00", "02:30:00"], ids=["quiet", "not quiet"])
async def test_the_hour_that_comes_twice_loses_no_message(
    phone: Phone,
    tell: Tell,
    charge: Charge,
    advance: Advance,
    freezer: FrozenDateTimeFactory,
    quiet_from: str,
) -> None:
    """The second 02:10 of the night; quiet hours end at 02:30, or there are none."""
    freezer.move_to(datetime(2026, 10, 24, 23, 58, tzinfo=UTC))
    await advance(READ)
    await tell(quiet_from=quiet_from, quiet_until="02:30:00")
    await charge()
    await advance(30 * 60)
    assert len(phone.messages) == 1


async def test_a_session_that_ended_while_home_assistant_was_down_is_told_late(
    hass: HomeAssistant,
    account: SimulatedAccount,
    joulo: MockConfigEntry,
    phone: Phone,
    tell: Tell,
    advance: Advance,
) -> None:
    await tell()
    account.plan_session(GARAGE_ID, NOW + HOUR, NOW + 2 * HOUR, power_kw=10)
    await hass.config_entries.async_unload(joulo.entry_id)
    await advance(3 * 3600)
    await hass.config_entries.async_setup(joulo.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    await advance(POLL)
    assert phone.messages == [(TITLE, "15-06 15:00 · 10.00 kWh · 1:00 h · 3.33 ERE · € 1.32")]


async def test_the_start_of_a_session_is_not_told(
    account: SimulatedAccount,
    phone: Phone,
    tell: Tell,
    advance: Advance,
) -> None:
    await tell()
    account.start_session(GARAGE_ID)
    await advance(POLL)
    await advance(READ)
    assert phone.messages == []


async def test_sessions_that_end_at_once_are_all_told_but_not_those_of_other_chargers(
    account: SimulatedAccount,
    phone: Phone,
    tell: Tell,
    advance: Advance,
    event: Entity,
) -> None:
    await tell(chargers=[event(GARAGE_ID), event(OPRIT_ID)])
    for charger_id in (GARAGE_ID, OPRIT_ID, SCHUUR_ID):
        account.start_session(charger_id)
    await advance(POLL)
    await advance(3600)
    for charger_id in (GARAGE_ID, OPRIT_ID, SCHUUR_ID):
        account.end_session(charger_id)
    await advance(POLL)
    await advance(READ)
    assert {title for title, _ in phone.messages} == {
        "Garage: charging session finished",
        "Oprit: charging session finished",
    }
    assert len(phone.messages) == 2


async def test_the_charger_has_the_name_that_the_user_gave_it(
    hass: HomeAssistant,
    device: Device,
    phone: Phone,
    tell: Tell,
    charge: Charge,
) -> None:
    await tell()
    dr.async_get(hass).async_update_device(device(GARAGE_ID), name_by_user="Carport")
    await charge()
    ((title, _),) = phone.messages
    assert title == "Carport: charging session finished"


async def test_in_dutch_numbers_have_a_decimal_comma_but_names_keep_their_points(
    hass: HomeAssistant, joulo: MockConfigEntry, phone: Phone, tell: Tell, charge: Charge
) -> None:
    await set_price(hass, joulo, fixed_price=0.25)
    await tell(language="nl", vehicles=[{"tag": TAG, "vehicle": "ID.3"}])
    await charge(hours=1.04, tag=TAG)
    details = "15-06 14:00 · 10,40 kWh · 1:02 uur · kosten € 2,60 · 3,46 ERE · € 1,37 · ID.3"
    assert phone.messages == [("Garage: laadsessie klaar", details)]


@pytest.mark.parametrize(
    ("language", "cost"), [("en", "cost about € 2.60"), ("nl", "kosten circa € 2,60")]
)
async def test_an_estimated_cost_is_called_so(
    hass: HomeAssistant, phone: Phone, tell: Tell, advance: Advance, language: str, cost: str
) -> None:
    await tell(language=language)
    session = ChargingSession(id="s", charger_id=GARAGE_ID, started_at=NOW)
    completed = dict.fromkeys(as_attributes(session, None, None, None)) | {
        "event_type": "session_completed",
        "started_at": NOW.isoformat(),
        "cost_eur": 2.6,
        "cost_estimated": True,
    }
    hass.states.async_set("event.garage_charging_session", NOW.isoformat(), completed)
    await advance(1)
    ((_, message),) = phone.messages
    assert message == f"15-06 14:00 · {cost}"


async def test_the_wording_can_be_ones_own(phone: Phone, tell: Tell, charge: Charge) -> None:
    """As Dutch users had it before a language could be chosen."""
    replaced = r"{{ details | regex_replace('(\\d)\\.(\\d)', '\\1,\\2') }}"
    await tell(title="{{ charger }}: klaar", message=replaced)
    await charge()
    assert phone.messages == [
        ("Garage: klaar", "15-06 14:00 · 10,00 kWh · 1:00 h · 3,33 ERE · € 1,32")
    ]


async def test_other_actions_are_given_title_and_message_even_if_the_phone_is_out_of_reach(
    hass: HomeAssistant,
    phone: Phone,
    tell: Tell,
    charge: Charge,
) -> None:
    phone.is_reachable = False
    calls = async_mock_service(hass, "notify", "mobile_app_tablet")
    data = {"title": "{{ title }}", "message": "{{ message }}", "data": {"tag": "joulo"}}
    action = {"action": "notify.mobile_app_tablet", "data": data}
    await tell(other_actions=[action])
    await charge()
    (call,) = calls
    assert call.data == {
        "title": TITLE,
        "message": DETAILS,
        "data": {"tag": "joulo"},
    }


async def test_nobody_has_to_be_sent_to(
    phone: Phone,
    tell: Tell,
    charge: Charge,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await tell(recipients=[])
    await charge()
    assert phone.messages == []
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_who_hides_the_entity_is_told_all_the_same(
    hass: HomeAssistant, phone: Phone, tell: Tell, charge: Charge, event: Entity
) -> None:
    er.async_get(hass).async_update_entity(event(), hidden_by=er.RegistryEntryHider.USER)
    await tell()
    await charge()
    assert phone.messages == [(TITLE, DETAILS)]
