"""DER Connect in the forms: its credentials, which car a vehicle is there, and every refusal with the way through it."""

from collections.abc import AsyncGenerator
from http import HTTPStatus
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import SOURCE_RECONFIGURE, SOURCE_USER, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, section
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.joulo.clients import _DER_CONNECT_CLIENTS
from custom_components.joulo.const import DOMAIN
from tests.home import Home
from tests.simulator import (
    DER_CONNECT_ID,
    DER_CONNECT_SECRET,
    Fault,
    SimulatedCar,
    SimulatedCloud,
    SimulatedDerConnect,
    serve_der_connect,
)
from tests.vehicles import add_vehicle, open_form, submit

SECRETS = (DER_CONNECT_SECRET, "token-")


@pytest.fixture
def car() -> SimulatedCar:
    """Return a car that the application may see."""
    return SimulatedCar()


@pytest.fixture
def service(car: SimulatedCar) -> SimulatedDerConnect:
    """Return a DER Connect that knows the car."""
    return SimulatedDerConnect(car)


@pytest.fixture
async def address(
    service: SimulatedDerConnect, socket_enabled: None, caplog: pytest.LogCaptureFixture
) -> AsyncGenerator[str]:
    """Serve it on loopback, and check in the end that no log has a secret or an id."""
    async with serve_der_connect(service) as url:
        yield url
    for secret in (*SECRETS, *(car.entity_id for car in service.cars)):
        assert secret not in caplog.text


def credentials(address: str, **other: str) -> dict[str, Any]:
    """Return what a user enters about the application."""
    entered = {"client_id": DER_CONNECT_ID, "client_secret": DER_CONNECT_SECRET, **other}
    addresses = {
        "url": entered.pop("url", address),
        "token_url": entered.pop("token_url", f"{address}/access_token"),
    }
    return {**entered, "advanced": addresses}


async def open_credentials(
    hass: HomeAssistant, entry: MockConfigEntry, *, again: bool = False
) -> Any:
    """Open the form of the credentials; `again` to change those that are there."""
    context: Any = {"source": SOURCE_USER}
    if again:
        (known,) = entry.get_subentries_of_type("der_connect")
        context = {"source": SOURCE_RECONFIGURE, "subentry_id": known.subentry_id}
    flows = hass.config_entries.subentries
    return await flows.async_init((entry.entry_id, "der_connect"), context=context)


async def enter(hass: HomeAssistant, form: Any, entered: dict[str, Any]) -> Any:
    """Submit a form of a subentry, and wait for the reload that may follow."""
    result = await hass.config_entries.subentries.async_configure(form["flow_id"], entered)
    await hass.async_block_till_done(wait_background_tasks=True)
    return result


def suggested(schema: Any) -> dict[str, Any]:
    """Return what a form suggests, with that of its sections."""
    found: dict[str, Any] = {}
    for field, value in schema.schema.items():
        if isinstance(value, section):
            found[str(field)] = suggested(value.schema)
        elif field.description:
            found[str(field)] = field.description["suggested_value"]
    return found


@pytest.fixture
async def connected(hass: HomeAssistant, joulo: MockConfigEntry, address: str) -> MockConfigEntry:
    """Return the entry with the credentials of the application."""
    form = await open_credentials(hass, joulo)
    result = await enter(hass, form, credentials(address))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    return joulo


# Credentials


async def test_credentials_that_work_are_stored_once(
    hass: HomeAssistant, connected: MockConfigEntry, address: str
) -> None:
    (subentry,) = connected.get_subentries_of_type("der_connect")
    assert subentry.title == "DER Connect"
    assert subentry.unique_id == "der_connect"
    assert subentry.data == {
        "client_id": DER_CONNECT_ID,
        "client_secret": DER_CONNECT_SECRET,
        "url": address,
        "token_url": f"{address}/access_token",
        "entered_at": "2026-06-15T12:00:00+00:00",
    }
    again = await open_credentials(hass, connected)
    assert again["type"] is FlowResultType.ABORT
    assert again["reason"] == "already_configured"


async def test_what_comes_along_when_credentials_are_copied_is_left_out(
    hass: HomeAssistant, joulo: MockConfigEntry, address: str
) -> None:
    pasted = credentials(
        f"{address}/", client_id=f" {DER_CONNECT_ID}\n", client_secret=f'"{DER_CONNECT_SECRET}" '
    )
    pasted["advanced"]["token_url"] = f" {address}/access_token "
    result = await enter(hass, await open_credentials(hass, joulo), pasted)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"]["client_secret"] == DER_CONNECT_SECRET
    assert result["data"]["url"] == address


async def test_spaces_and_quotes_within_a_secret_are_its_own(
    hass: HomeAssistant, joulo: MockConfigEntry, service: SimulatedDerConnect, address: str
) -> None:
    service.secret = """it's a "secret" `of  two`words"""
    pasted = credentials(address, client_secret=f"“{service.secret}”\n")
    result = await enter(hass, await open_credentials(hass, joulo), pasted)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"]["client_secret"] == service.secret


REFUSED: list[tuple[dict[str, str], Fault | None, str]] = [
    ({"client_secret": "wrong"}, None, "invalid_auth"),
    ({"client_secret": "no header or form takes a \x00"}, None, "invalid_auth"),
    ({}, Fault.SERVER_ERROR, "cannot_connect"),
    ({}, Fault.DROPPED, "cannot_connect"),
    ({}, Fault.RATE_LIMITED, "rate_limited"),
    ({}, Fault.CAPTIVE_PORTAL, "invalid_response"),
    ({"url": "http://example.com"}, None, "insecure_url"),
    ({"token_url": "http://example.com"}, None, "insecure_url"),
]


@pytest.mark.parametrize(("other", "fault", "error"), REFUSED)
async def test_credentials_that_do_not_work_are_refused_in_words_until_they_do(
    hass: HomeAssistant,
    joulo: MockConfigEntry,
    service: SimulatedDerConnect,
    address: str,
    other: dict[str, str],
    fault: Fault | None,
    error: str,
) -> None:
    if fault is not None:
        service.fail("access_token", fault, retry_after=90)
    form = await open_credentials(hass, joulo)
    result = await enter(hass, form, credentials(address, **other))
    assert result["errors"] == {"base": error}
    if error == "rate_limited":
        assert result["description_placeholders"] == {"retry_after": "90"}
    service.recover()
    result = await enter(hass, result, credentials(address))
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_new_credentials_replace_the_old(
    hass: HomeAssistant, connected: MockConfigEntry, service: SimulatedDerConnect, address: str
) -> None:
    service.secret = "a-new-secret"
    form = await open_credentials(hass, connected, again=True)
    refused = await enter(hass, form, credentials(address))
    assert refused["errors"] == {"base": "invalid_auth"}
    result = await enter(hass, refused, credentials(address, client_secret=service.secret))
    assert result["reason"] == "reconfigure_successful"
    (subentry,) = connected.get_subentries_of_type("der_connect")
    assert subentry.data["client_secret"] == service.secret


async def test_each_change_of_the_credentials_reloads_once(
    hass: HomeAssistant, joulo: MockConfigEntry, service: SimulatedDerConnect, address: str
) -> None:
    states: list[ConfigEntryState] = []
    joulo.async_on_state_change(lambda: states.append(joulo.state))
    await enter(hass, await open_credentials(hass, joulo), credentials(address))
    assert states.count(ConfigEntryState.LOADED) == 1, "added"
    form = await open_credentials(hass, joulo, again=True)
    await enter(hass, form, credentials(address))
    assert states.count(ConfigEntryState.LOADED) == 1, "nothing has changed"
    service.secret = "a-new-secret"
    form = await open_credentials(hass, joulo, again=True)
    await enter(hass, form, credentials(address, client_secret=service.secret))
    assert states.count(ConfigEntryState.LOADED) == 2, "changed"
    (subentry,) = joulo.get_subentries_of_type("der_connect")
    hass.config_entries.async_remove_subentry(joulo, subentry.subentry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert states.count(ConfigEntryState.LOADED) == 3, "removed"


async def test_the_form_suggests_all_but_the_secret(
    hass: HomeAssistant, connected: MockConfigEntry, address: str
) -> None:
    form = await open_credentials(hass, connected, again=True)
    expected = credentials(address)
    del expected["client_secret"]
    assert suggested(form["data_schema"]) == expected


async def test_without_der_connect_a_vehicle_is_asked_for_no_car(
    hass: HomeAssistant, joulo: MockConfigEntry
) -> None:
    vehicle = await add_vehicle(hass, joulo)
    assert "entity_id" not in vehicle.data


async def test_the_forms_of_der_connect_ask_joulo_nothing(
    cloud: SimulatedCloud, joulo: MockConfigEntry, hass: HomeAssistant, address: str
) -> None:
    asked = cloud.count("/chargers")
    form = await open_credentials(hass, joulo)
    await hass.config_entries.subentries.async_configure(
        form["flow_id"], credentials(address, client_secret="wrong")
    )
    assert cloud.count("/chargers") == asked


# Which car a vehicle is


async def car_form(hass: HomeAssistant, entry: MockConfigEntry, name: str = "Zoe") -> Any:
    """Fill in a new vehicle, and return the form of its car."""
    form = await submit(hass, await open_form(hass, entry), name)
    assert form["step_id"] == "der_connect"
    return form


def fields(form: Any) -> set[str]:
    """Return the names of the fields of a form."""
    return {str(field) for field in form["data_schema"].schema}


async def test_a_car_is_recorded_from_then_on_and_is_part_of_its_vehicle(
    hass: HomeAssistant, connected: MockConfigEntry, car: SimulatedCar
) -> None:
    form = await car_form(hass, connected)
    assert fields(form) == {"entity_id", "capture"}
    result = await enter(hass, form, {"entity_id": f" {car.entity_id} ", "capture": True})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"]["entity_id"] == car.entity_id
    assert car.captures


async def test_a_vehicle_without_a_car_there_needs_no_answer_of_the_service(
    hass: HomeAssistant, connected: MockConfigEntry, service: SimulatedDerConnect
) -> None:
    asked = len(service.requests)
    result = await enter(hass, await car_form(hass, connected), {"capture": True})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert "entity_id" not in result["data"]
    assert len(service.requests) == asked


async def test_a_battery_of_unknown_capacity_is_asked_for_told_and_then_recorded(
    hass: HomeAssistant, connected: MockConfigEntry, car: SimulatedCar
) -> None:
    car.needs_capacity = True
    entered = {"entity_id": car.entity_id, "capture": True}
    form = await enter(hass, await car_form(hass, connected), entered)
    assert form["errors"] == {"battery_capacity": "battery_capacity"}
    assert "battery_capacity" in fields(form)
    result = await enter(hass, form, {**entered, "battery_capacity": 52})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert car.capacity_kwh == 52
    assert car.captures
    assert "battery_capacity" not in result["data"]


async def test_a_capacity_that_cannot_be_told_from_here_is_to_be_set_there(
    hass: HomeAssistant,
    connected: MockConfigEntry,
    service: SimulatedDerConnect,
    car: SimulatedCar,
) -> None:
    car.needs_capacity = True
    service.capacity_refusal = HTTPStatus.METHOD_NOT_ALLOWED
    entered = {"entity_id": car.entity_id, "capture": True}
    form = await enter(hass, await car_form(hass, connected), entered)
    form = await enter(hass, form, {**entered, "battery_capacity": 52})
    assert form["errors"] == {"battery_capacity": "battery_capacity_elsewhere"}
    car.capacity_kwh = 52
    result = await enter(hass, form, entered)
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_a_car_that_is_not_supported_is_refused_in_the_words_of_the_service(
    hass: HomeAssistant, connected: MockConfigEntry, car: SimulatedCar
) -> None:
    car.refusal = "This maker does not allow it."
    entered = {"entity_id": car.entity_id, "capture": True}
    form = await enter(hass, await car_form(hass, connected), entered)
    assert form["errors"] == {"capture": "not_supported"}
    assert form["description_placeholders"]["reason"] == car.refusal


async def test_a_car_that_may_only_be_read_is_accepted_without_switching_on(
    hass: HomeAssistant, connected: MockConfigEntry, car: SimulatedCar
) -> None:
    car.is_writable = False
    entered = {"entity_id": car.entity_id, "capture": True}
    form = await enter(hass, await car_form(hass, connected), entered)
    assert form["errors"] == {"entity_id": "no_access"}
    result = await enter(hass, form, {**entered, "capture": False})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert not car.captures


@pytest.mark.parametrize("entity_id", ["7ac991f9-0000-4000-8000-000000000000", "../secret", "é"])
async def test_a_car_that_the_service_does_not_know_is_refused(
    hass: HomeAssistant, connected: MockConfigEntry, entity_id: str
) -> None:
    entered = {"entity_id": entity_id, "capture": True}
    form = await enter(hass, await car_form(hass, connected), entered)
    assert form["errors"] == {"entity_id": "unknown_entity"}


async def test_one_car_is_one_vehicle(
    hass: HomeAssistant, connected: MockConfigEntry, car: SimulatedCar
) -> None:
    entered = {"entity_id": car.entity_id, "capture": True}
    await enter(hass, await car_form(hass, connected), entered)
    form = await car_form(hass, connected, "ID.3")
    form = await enter(hass, form, {**entered, "entity_id": car.entity_id.upper()})
    assert form["errors"] == {"entity_id": "entity_taken"}
    assert form["description_placeholders"]["vehicle"] == "Zoe"


@pytest.mark.parametrize(
    ("path", "fault", "error"),
    [
        ("access_token", Fault.UNAUTHORIZED, "invalid_auth"),
        ("features", Fault.UNAUTHORIZED, "invalid_auth"),
        ("charge-sessions", Fault.BAD_GATEWAY, "cannot_connect"),
        ("charge-sessions", Fault.RATE_LIMITED, "rate_limited"),
        ("charge-sessions", Fault.NOT_JSON, "invalid_response"),
    ],
)
async def test_a_fault_of_the_service_is_told_and_another_try_goes_on(
    hass: HomeAssistant,
    connected: MockConfigEntry,
    service: SimulatedDerConnect,
    car: SimulatedCar,
    freezer: FrozenDateTimeFactory,
    path: str,
    fault: Fault,
    error: str,
) -> None:
    service.fail(path, fault, retry_after=60)
    entered = {"entity_id": car.entity_id, "capture": True}
    form = await enter(hass, await car_form(hass, connected), entered)
    assert form["errors"] == {"base": error}
    service.recover()
    freezer.tick(61)
    result = await enter(hass, form, entered)
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_another_change_of_a_vehicle_needs_no_answer_of_the_service(
    hass: HomeAssistant,
    connected: MockConfigEntry,
    service: SimulatedDerConnect,
    car: SimulatedCar,
) -> None:
    await enter(
        hass, await car_form(hass, connected), {"entity_id": car.entity_id, "capture": True}
    )
    (vehicle,) = connected.get_subentries_of_type("vehicle")
    service.fail("*", Fault.SERVER_ERROR)
    form = await submit(hass, await open_form(hass, connected, vehicle), "Zoé")
    (capture,) = (field for field in form["data_schema"].schema if field == "capture")
    assert capture.default() is False
    result = await enter(hass, form, {"entity_id": car.entity_id, "capture": False})
    assert result["reason"] == "reconfigure_successful"
    (vehicle,) = connected.get_subentries_of_type("vehicle")
    assert (vehicle.title, vehicle.data["entity_id"]) == ("Zoé", car.entity_id)


async def test_removed_credentials_stay_in_no_memory(
    hass: HomeAssistant, connected: MockConfigEntry
) -> None:
    clients = hass.data[_DER_CONNECT_CLIENTS]
    assert connected.entry_id in clients
    (subentry,) = connected.get_subentries_of_type("der_connect")
    hass.config_entries.async_remove_subentry(connected, subentry.subentry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert clients == {}


async def test_a_vehicle_keeps_its_car_while_der_connect_is_removed(
    hass: HomeAssistant, connected: MockConfigEntry, car: SimulatedCar
) -> None:
    await enter(
        hass, await car_form(hass, connected), {"entity_id": car.entity_id, "capture": True}
    )
    (subentry,) = connected.get_subentries_of_type("der_connect")
    hass.config_entries.async_remove_subentry(connected, subentry.subentry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    (vehicle,) = connected.get_subentries_of_type("vehicle")
    await submit(hass, await open_form(hass, connected, vehicle), "Zoe", tags=["04A1B2C3"])
    (vehicle,) = connected.get_subentries_of_type("vehicle")
    assert vehicle.data["entity_id"] == car.entity_id


async def test_a_car_is_taken_away_from_its_vehicle_by_an_empty_id(
    hass: HomeAssistant, connected: MockConfigEntry, car: SimulatedCar
) -> None:
    await enter(
        hass, await car_form(hass, connected), {"entity_id": car.entity_id, "capture": True}
    )
    (vehicle,) = connected.get_subentries_of_type("vehicle")
    form = await submit(hass, await open_form(hass, connected, vehicle), "Zoe")
    await enter(hass, form, {"capture": False})
    (vehicle,) = connected.get_subentries_of_type("vehicle")
    assert "entity_id" not in vehicle.data


async def test_a_wait_that_was_asked_for_holds_for_the_next_form_too(
    hass: HomeAssistant,
    connected: MockConfigEntry,
    service: SimulatedDerConnect,
    car: SimulatedCar,
) -> None:
    service.fail("charge-sessions", Fault.RATE_LIMITED, retry_after=3600)
    entered = {"entity_id": car.entity_id, "capture": True}
    form = await enter(hass, await car_form(hass, connected), entered)
    assert form["errors"] == {"base": "rate_limited"}
    asked = len(service.requests)
    form = await enter(hass, await car_form(hass, connected, "ID.3"), entered)
    assert form["errors"] == {"base": "rate_limited"}
    assert len(service.requests) == asked


# Credentials that are refused later


@pytest.fixture
async def refused(
    hass: HomeAssistant, home: Home, service: SimulatedDerConnect, car: SimulatedCar, address: str
) -> Home:
    """Return a home with a car, whose credentials DER Connect has refused at a read."""
    assert await async_setup_component(hass, "repairs", {})
    await enter(hass, await open_credentials(hass, home.entry), credentials(address))
    entered = {"entity_id": car.entity_id, "capture": True}
    await enter(hass, await car_form(hass, home.entry), entered)
    service.secret = "a-new-secret"
    service.expire_tokens()
    await home.hours(7)
    assert notice(hass) is not None
    return home


def notice(hass: HomeAssistant) -> ir.IssueEntry | None:
    """Return the issue that the credentials are refused, if there is one."""
    return ir.async_get(hass).async_get_issue(DOMAIN, "der_connect_auth_01JOULO")


async def mend(client: Any, *answers: dict[str, Any]) -> Any:
    """Open the fix flow of the issue, and submit its form; return what comes of it."""
    url = "/api/repairs/issues/fix"
    issue = {"handler": DOMAIN, "issue_id": "der_connect_auth_01JOULO"}
    result = await (await client.post(url, json=issue)).json()
    for answer in answers:
        result = await (await client.post(f"{url}/{result['flow_id']}", json=answer)).json()
    return result


async def test_refused_credentials_are_sent_no_more_and_joulo_goes_on(
    refused: Home, cloud: SimulatedCloud, service: SimulatedDerConnect
) -> None:
    sent, asked = len(service.requests), cloud.count("/chargers")
    await refused.hours(7)
    await refused.reload()
    await refused.restart(away=3600)
    assert len(service.requests) == sent
    assert cloud.count("/chargers") > asked
    assert notice(refused.hass) is not None


async def test_refused_credentials_are_mended_where_that_is_said(
    refused: Home,
    service: SimulatedDerConnect,
    car: SimulatedCar,
    address: str,
    hass_client: ClientSessionGenerator,
) -> None:
    client, listed = await hass_client(), service.count("charge-sessions")
    form = await mend(client)
    assert form["step_id"] == "credentials"
    assert form["description_placeholders"] == {"account": "Joulo"}
    form = await mend(client, credentials(address, client_id="another"))
    assert form["errors"] == {"base": "invalid_auth"}
    entered = credentials(address, client_secret=service.secret)
    assert (await mend(client, entered))["type"] == "create_entry"
    await refused.settle()
    assert notice(refused.hass) is None
    assert service.count("charge-sessions") == listed + 1
    (subentry,) = refused.entry.get_subentries_of_type("der_connect")
    assert subentry.data["client_secret"] == service.secret


@pytest.mark.parametrize("where", ["notice", "reconfigure"])
async def test_the_same_credentials_work_again_once_they_are_entered(
    refused: Home,
    service: SimulatedDerConnect,
    address: str,
    hass_client: ClientSessionGenerator,
    where: str,
) -> None:
    """An application that was locked is opened again; nothing changes that a reload would follow."""
    service.secret, listed = DER_CONNECT_SECRET, service.count("charge-sessions")
    if where == "notice":
        await mend(await hass_client(), credentials(address))
    else:
        form = await open_credentials(refused.hass, refused.entry, again=True)
        await enter(refused.hass, form, credentials(address))
    await refused.settle()
    assert notice(refused.hass) is None
    assert service.count("charge-sessions") == listed + 1
    await refused.restart(away=7 * 3600)
    assert notice(refused.hass) is None
    assert service.count("charge-sessions") == listed + 2


async def test_a_notice_about_credentials_that_were_removed_leads_nowhere(
    refused: Home, hass_client: ClientSessionGenerator
) -> None:
    client = await hass_client()
    (subentry,) = refused.entry.get_subentries_of_type("der_connect")
    url = "/api/repairs/issues/fix"
    issue = {"handler": DOMAIN, "issue_id": "der_connect_auth_01JOULO"}
    form = await (await client.post(url, json=issue)).json()
    refused.hass.config_entries.async_remove_subentry(refused.entry, subentry.subentry_id)
    await refused.settle()
    result = await client.post(f"{url}/{form['flow_id']}", json=credentials("http://127.0.0.1"))
    assert (await result.json())["reason"] == "not_set_up"
    assert notice(refused.hass) is None
