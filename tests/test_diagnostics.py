"""Diagnostics tell how it goes, and not who you are."""

import datetime as dt
import json
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.diagnostics import (
    get_diagnostics_for_config_entry,
    get_diagnostics_for_device,
)
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator
from syrupy.assertion import SnapshotAssertion
from syrupy.filters import props

from custom_components.joulo.const import DOMAIN
from tests.cars import ZOE, ZOE_ENTITY, add_car, add_credentials, car_charge, put
from tests.conftest import NOW as NOON, Advance
from tests.home import Home
from tests.simulator import (
    DEMO_TOKEN,
    DER_CONNECT_ID,
    DER_CONNECT_SECRET,
    EVERYWHERE,
    GARAGE_ID,
    OPRIT_ID,
    Fault,
    SimulatedAccount,
    SimulatedCharger,
    SimulatedCloud,
    SimulatedDerConnect,
    answers,
)
from tests.timing import POLL

HOUR = dt.timedelta(hours=1)
TAG = "04A1B2C3D4E580"
OTHER_TAG = "DEADBEEF12345678"
SLUG = "garage-of-someone"


@pytest.fixture(autouse=True)
def _talkative_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the cloud send slugs too, as it has been seen to do in the wild."""
    body = answers.charger_body
    monkeypatch.setattr(answers, "charger_body", lambda *charger: body(*charger) | {"slug": SLUG})


@pytest.fixture
def account() -> SimulatedAccount:
    """Return a small account: a session runs on one charger, and one has ended on the other."""
    account = SimulatedAccount(id="e5f6a7b8-c9d0-4123-8ef0-23456789abcd")
    account.add_charger(SimulatedCharger(id=GARAGE_ID, nickname="Henks laadpaal"))
    account.add_charger(
        SimulatedCharger(
            id=OPRIT_ID, nickname="Oprit Dorpsstraat", connection_type="ocpp", meter_start_wh=1000
        )
    )
    account.start_session(GARAGE_ID, tag=TAG, at=NOON - HOUR)
    account.plan_session(OPRIT_ID, NOON - 3 * HOUR, NOON - 2 * HOUR, tag=OTHER_TAG)
    return account


type Diagnostics = dict[str, Any]


@pytest.fixture
async def of_entry(
    hass: HomeAssistant, hass_client: ClientSessionGenerator, identified: MockConfigEntry
) -> Diagnostics:
    """Return the diagnostics of the entry."""
    return await get_diagnostics_for_config_entry(hass, hass_client, identified)


@pytest.fixture
async def of_charger(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    device_registry: dr.DeviceRegistry,
    identified: MockConfigEntry,
) -> Diagnostics:
    """Return the diagnostics of the charger on which a session runs."""
    garage = device_registry.async_get_device_by_identifier(
        (DOMAIN, GARAGE_ID), identified.entry_id
    )
    assert garage is not None
    return await get_diagnostics_for_device(hass, hass_client, identified, garage)


async def test_the_entry_tells_how_every_poll_went(
    of_entry: Diagnostics, snapshot: SnapshotAssertion
) -> None:
    assert of_entry == snapshot(exclude=props("url"))


async def test_a_charger_tells_its_own_state_only(
    of_charger: Diagnostics, snapshot: SnapshotAssertion
) -> None:
    assert len(of_charger["chargers"]) == 1
    assert of_charger == snapshot


async def test_the_accounts_own_device_adds_nothing(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    device_registry: dr.DeviceRegistry,
    identified: MockConfigEntry,
) -> None:
    device = device_registry.async_get_device_by_identifier(
        (DOMAIN, identified.entry_id), identified.entry_id
    )
    assert device is not None
    found = await get_diagnostics_for_device(hass, hass_client, identified, device)
    assert found == {"chargers": []}


async def test_nothing_identifies_a_person_or_opens_an_account(
    of_entry: Diagnostics, of_charger: Diagnostics, account: SimulatedAccount
) -> None:
    told = json.dumps([of_entry, of_charger])
    private = {DEMO_TOKEN, account.id, SLUG, TAG, OTHER_TAG}
    private |= {session.id for session in account.sessions}
    private |= {text for charger in account.chargers for text in (charger.id, charger.nickname)}
    assert {text for text in private if text in told} == set()
    assert "**REDACTED**" in told


async def test_a_word_that_is_not_listed_is_not_told(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    cloud: SimulatedCloud,
    identified: MockConfigEntry,
    advance: Advance,
) -> None:
    """It may be anything that Joulo, or whoever answers in its place, has sent."""

    def garble(document: dict[str, Any]) -> dict[str, Any]:
        for charger in document.get("chargers", ()):
            charger |= {"status": "at Main Street 1", "connection_type": "of Jansen"}
        return document

    cloud.garble = garble
    await advance(POLL)
    found = json.dumps(await get_diagnostics_for_config_entry(hass, hass_client, identified))
    assert "Main Street" not in found
    assert "Jansen" not in found
    assert '"status": "**REDACTED**"' in found


async def test_every_date_can_be_read(of_entry: Diagnostics) -> None:
    (account,) = of_entry["account"]
    assert account["day"] == "2026-06-15"
    assert [month["month"] for month in account["energy"]["months"]] == ["2026-06-01"]


async def test_what_went_wrong_is_told_without_what_identifies(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    cloud: SimulatedCloud,
    identified: MockConfigEntry,
    advance: Advance,
) -> None:
    cloud.fail(EVERYWHERE, Fault.UNAUTHORIZED)
    await advance(POLL)
    await advance(POLL)
    found: Any = await get_diagnostics_for_config_entry(hass, hass_client, identified)
    assert found["rate_limiter"]["token_rejected"]
    chargers = found["coordinators"]["chargers"]
    assert not chargers["last_update_success"]
    assert chargers["last_error"].startswith("Joulo does not accept the token")
    assert DEMO_TOKEN not in json.dumps(found)


async def test_an_entry_that_could_not_be_set_up_tells_why(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    cloud: SimulatedCloud,
    entry: MockConfigEntry,
) -> None:
    cloud.fail(EVERYWHERE, Fault.SERVER_ERROR)
    await hass.config_entries.async_setup(entry.entry_id)
    found: Any = await get_diagnostics_for_config_entry(hass, hass_client, entry)
    assert found["entry"]["state"] == "setup_retry"
    assert found["entry"]["reason"].startswith("Joulo has a fault (HTTP 500)")
    assert DEMO_TOKEN not in json.dumps(found)


async def test_the_address_is_not_told(of_entry: Diagnostics, url: str) -> None:
    assert url not in json.dumps(of_entry)


# What cars have recorded


@pytest.fixture
async def of_cars(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    new_home: Home,
    service: SimulatedDerConnect,
    service_url: str,
) -> Diagnostics:
    """Return the diagnostics of an entry with a car that charged at home, without a card, and at work."""
    (session,) = new_home.cloud.account.completed(OPRIT_ID)
    session.tag = None
    start, kwh = session.started_at, float(session.kwh_at(NOON))
    put(service, car_charge("told-at-home", start, start + HOUR, kwh=kwh, label="Home"))
    work = start - 24 * HOUR
    put(service, car_charge("told-at-work", work, work + HOUR, kwh=8, label="Acme", soc=(20, 40)))
    add_credentials(new_home, service_url)
    add_car(new_home, tags=["ZOES-CARD"], chargers=["charger-of-zoe"])
    await new_home.set_up()
    await new_home.read_all()
    return await get_diagnostics_for_config_entry(hass, hass_client, new_home.entry)


async def test_diagnostics_tell_how_many_sessions_the_cars_tell_of(of_cars: Diagnostics) -> None:
    assert of_cars["vehicles"]["sessions_by_rule"]["car"] == 1
    (car,) = of_cars["der_connect"]["cars"]
    assert (car["sessions"], car["elsewhere"]) == (2, 1)
    assert car["last_session"]["label"] == "**REDACTED**"
    assert car["last_session"]["energy_kwh"] > 0
    assert of_cars["der_connect"]["is_refused"] is False


async def test_diagnostics_hold_no_credentials_and_nothing_that_identifies_a_car(
    of_cars: Diagnostics, service_url: str
) -> None:
    text = json.dumps(of_cars)
    private = (ZOE_ENTITY, DER_CONNECT_ID, DER_CONNECT_SECRET, service_url, "told-at", "Acme")
    vehicle = ("ZOES-CARD", "charger-of-zoe", "Zoe", ZOE)
    assert not [word for word in (*private, *vehicle) if word in text]
    kinds = {each["type"] for each in of_cars["entry"]["subentries"]}
    assert kinds == {"vehicle", "der_connect"}
