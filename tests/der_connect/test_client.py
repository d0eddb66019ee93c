"""The client of DER Connect against a simulated service: its token, its pages, and what each refusal means."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from aiohttp import ClientSession
from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.joulo.api import (
    JouloAuthError,
    JouloConnectionError,
    JouloError,
    JouloInsecureUrlError,
    JouloNotFoundError,
    JouloRateLimitError,
    JouloResponseError,
    JouloScopeError,
    JouloServerError,
)
from custom_components.joulo.der_connect import (
    DEFAULT_TOKEN_URL,
    DEFAULT_URL,
    Credentials,
    DerConnectClient,
    DerConnectRefusedError,
)
from tests.conftest import NOW
from tests.simulator import (
    DER_CONNECT_ID,
    DER_CONNECT_SECRET,
    CarCharge,
    Fault,
    SimulatedCar,
    SimulatedDerConnect,
    serve_der_connect,
)

pytestmark = pytest.mark.usefixtures("socket_enabled")

PAST = NOW - timedelta(days=400)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _custom_integrations() -> None:
    """Start no Home Assistant."""


@pytest.fixture
def car() -> SimulatedCar:
    """Return a car with sixty sessions of an hour, on three pages."""
    charges = [
        CarCharge(started_at=start, ended_at=start + HOUR, kwh=float(day), label="Work")
        for day in range(1, 61)
        for start in [NOW - timedelta(days=day, hours=15)]
    ]
    return SimulatedCar(charges=charges)


@pytest.fixture
def service(car: SimulatedCar) -> SimulatedDerConnect:
    """Return a service that knows the car."""
    return SimulatedDerConnect(car)


@pytest.fixture
async def client(service: SimulatedDerConnect) -> AsyncGenerator[DerConnectClient]:
    """Return a client of the service with the right credentials."""
    async with serve_der_connect(service) as url, ClientSession() as session:
        token_url = f"{url}/access_token"
        yield DerConnectClient(
            session,
            Credentials(DER_CONNECT_ID, DER_CONNECT_SECRET, url=url, token_url=token_url),
        )


async def test_all_pages_are_read_with_one_token(
    client: DerConnectClient, service: SimulatedDerConnect, car: SimulatedCar
) -> None:
    sessions = await client.charge_sessions(car.entity_id, PAST)
    assert {session.id for session in sessions} == {charge.id for charge in car.charges}
    assert service.count("charge-sessions") == 3
    assert service.count("access_token") == 1


async def test_only_sessions_since_the_start_are_asked_for(
    client: DerConnectClient, service: SimulatedDerConnect, car: SimulatedCar
) -> None:
    assert len(await client.charge_sessions(car.entity_id, NOW - timedelta(days=10))) == 9
    assert service.requests[-1].query == {"start": "2026-06-05T12:00:00.000Z"}


async def test_a_page_token_that_repeats_ends_the_read(
    client: DerConnectClient, service: SimulatedDerConnect, car: SimulatedCar
) -> None:
    service.repeats_page_token = True
    assert len(await client.charge_sessions(car.entity_id, PAST)) == 25
    assert service.count("charge-sessions") == 2


async def test_the_pages_of_a_service_without_an_end_are_fifty_and_that_is_said(
    client: DerConnectClient,
    service: SimulatedDerConnect,
    car: SimulatedCar,
    caplog: pytest.LogCaptureFixture,
) -> None:
    service.page_size = 1
    assert len(await client.charge_sessions(car.entity_id, PAST)) == 50
    assert "more than 50 pages" in caplog.text


async def test_a_link_to_another_host_is_never_followed(
    client: DerConnectClient, service: SimulatedDerConnect, car: SimulatedCar
) -> None:
    """No name is looked up in a test: a request to that host would fail."""
    hosts = []

    def note(answer: dict[str, object]) -> dict[str, object]:
        hosts.append(answer["links"])
        return answer

    service.garble = note
    await client.charge_sessions(car.entity_id, PAST)
    assert "elsewhere.example" in str(hosts[0])


async def test_a_session_on_two_pages_counts_once_as_it_was_calculated_last(
    client: DerConnectClient, car: SimulatedCar
) -> None:
    first, last = car.charges[0], car.charges[-1]
    last.id = first.id
    last.calculated_at = NOW - timedelta(days=20)
    sessions = await client.charge_sessions(car.entity_id, PAST)
    (session,) = [each for each in sessions if each.id == first.id]
    assert session.energy_kwh == first.kwh


async def test_a_token_is_used_until_a_minute_before_its_end(
    client: DerConnectClient,
    service: SimulatedDerConnect,
    car: SimulatedCar,
    freezer: FrozenDateTimeFactory,
) -> None:
    for seconds, tokens in ((0, 1), (3530, 1), (10, 2)):
        freezer.tick(seconds)
        await client.charge_sessions(car.entity_id, NOW)
        assert service.count("access_token") == tokens


async def test_a_token_that_is_refused_is_replaced_once(
    client: DerConnectClient, service: SimulatedDerConnect, car: SimulatedCar
) -> None:
    await client.charge_sessions(car.entity_id, NOW)
    service.expire_tokens()
    await client.charge_sessions(car.entity_id, NOW)
    assert service.count("access_token") == 2
    service.fail("charge-sessions", Fault.UNAUTHORIZED)
    with pytest.raises(JouloAuthError):
        await client.charge_sessions(car.entity_id, NOW)
    assert service.count("access_token") == 3


async def test_a_new_token_that_is_refused_by_a_hiccup_is_replaced_too(
    client: DerConnectClient, service: SimulatedDerConnect, car: SimulatedCar
) -> None:
    service.fail("charge-sessions", Fault.UNAUTHORIZED, times=1)
    await client.charge_sessions(car.entity_id, NOW)
    assert service.count("access_token") == 2


async def test_a_token_that_is_good_for_a_minute_only_is_used_for_all_pages(
    client: DerConnectClient, service: SimulatedDerConnect, car: SimulatedCar
) -> None:
    service.token_seconds = 60
    await client.charge_sessions(car.entity_id, PAST)
    assert service.count("access_token") == 1


async def test_a_row_that_cannot_be_read_costs_only_itself(
    client: DerConnectClient, service: SimulatedDerConnect, car: SimulatedCar
) -> None:
    """The other pages are read too, although the second one holds nothing else."""

    def spoil(answer: Any) -> Any:
        if answer["meta"]["continuationToken"] == "page-50":
            for row in answer["data"]:
                row["data"]["end"] = None
        return answer

    service.garble = spoil
    assert len(await client.charge_sessions(car.entity_id, PAST)) == 35


async def test_a_token_that_ends_between_two_pages_is_replaced(
    client: DerConnectClient, service: SimulatedDerConnect, car: SimulatedCar
) -> None:
    def expire(answer: dict[str, object]) -> dict[str, object]:
        service.expire_tokens()
        service.garble = None
        return answer

    service.garble = expire
    assert len(await client.charge_sessions(car.entity_id, PAST)) == 60
    assert service.count("access_token") == 2


async def test_a_wrong_secret_is_an_error_of_the_credentials(
    client: DerConnectClient, service: SimulatedDerConnect
) -> None:
    service.secret = "another"
    with pytest.raises(JouloAuthError):
        await client.authenticate()
    assert "charge-sessions" not in str(service.requests)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.UNAUTHORIZED, JouloAuthError),
        (Fault.FORBIDDEN, JouloAuthError),
        (Fault.NOT_FOUND, JouloResponseError),
        (Fault.BAD_GATEWAY, JouloServerError),
        (Fault.CAPTIVE_PORTAL, JouloResponseError),
        (Fault.DROPPED, JouloConnectionError),
        (Fault.RATE_LIMITED, JouloRateLimitError),
        (Fault.REDIRECT, JouloResponseError),
    ],
)
async def test_a_fault_of_the_login_is_told_from_a_refusal(
    client: DerConnectClient, service: SimulatedDerConnect, fault: Fault, error: type[JouloError]
) -> None:
    service.fail("access_token", fault)
    with pytest.raises(error) as raised:
        await client.authenticate()
    assert type(raised.value) is error


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.FORBIDDEN, JouloScopeError),
        (Fault.NOT_FOUND, JouloNotFoundError),
        (Fault.SERVER_ERROR, JouloServerError),
        (Fault.BAD_GATEWAY, JouloServerError),
        (Fault.CAPTIVE_PORTAL, JouloResponseError),
        (Fault.NOT_JSON, JouloResponseError),
        (Fault.DROPPED, JouloConnectionError),
        (Fault.REDIRECT, JouloResponseError),
    ],
)
async def test_a_fault_of_a_read_is_that_of_the_car_or_of_the_service(
    client: DerConnectClient,
    service: SimulatedDerConnect,
    car: SimulatedCar,
    fault: Fault,
    error: type[JouloError],
) -> None:
    service.fail("charge-sessions", fault)
    with pytest.raises(error) as raised:
        await client.charge_sessions(car.entity_id, NOW)
    assert type(raised.value) is error


async def test_a_car_that_may_not_be_read_is_forbidden_also_without_words(
    client: DerConnectClient, car: SimulatedCar
) -> None:
    car.is_readable = False
    with pytest.raises(JouloScopeError):
        await client.charge_sessions(car.entity_id, NOW)


async def test_a_page_of_a_firewall_forbids_nothing_for_good(
    client: DerConnectClient, service: SimulatedDerConnect, car: SimulatedCar
) -> None:
    for path in ("access_token", "charge-sessions"):
        service.fail(path, Fault.FIREWALL)
        with pytest.raises(JouloServerError):
            await client.charge_sessions(car.entity_id, NOW)
        service.recover()


async def test_an_address_that_takes_no_reads_tells_nothing_of_the_car(
    client: DerConnectClient, service: SimulatedDerConnect, car: SimulatedCar
) -> None:
    service.fail("charge-sessions", Fault.NOT_ALLOWED)
    with pytest.raises(JouloResponseError):
        await client.charge_sessions(car.entity_id, NOW)


@pytest.mark.parametrize(("retry_after", "seconds"), [("120", 120), (None, 3600)])
async def test_after_a_429_nothing_is_sent_for_as_long_as_was_asked(
    client: DerConnectClient,
    service: SimulatedDerConnect,
    car: SimulatedCar,
    freezer: FrozenDateTimeFactory,
    retry_after: str | None,
    seconds: int,
) -> None:
    service.fail("charge-sessions", Fault.RATE_LIMITED, times=1, retry_after=retry_after)
    with pytest.raises(JouloRateLimitError) as raised:
        await client.charge_sessions(car.entity_id, NOW)
    assert raised.value.retry_after == seconds
    sent = len(service.requests)
    freezer.tick(seconds - 1)
    with pytest.raises(JouloRateLimitError):
        await client.charge_sessions(car.entity_id, NOW)
    assert len(service.requests) == sent
    freezer.tick(2)
    await client.charge_sessions(car.entity_id, NOW)


async def test_the_recording_is_switched_on(client: DerConnectClient, car: SimulatedCar) -> None:
    await client.capture_charge_sessions(car.entity_id)
    assert car.captures


async def test_a_refusal_for_the_capacity_is_told_and_mended_by_telling_it(
    client: DerConnectClient, car: SimulatedCar
) -> None:
    car.needs_capacity = True
    with pytest.raises(DerConnectRefusedError) as raised:
        await client.capture_charge_sessions(car.entity_id)
    assert raised.value.is_about_capacity
    await client.set_battery_capacity(car.entity_id, 52)
    assert car.capacity_kwh == 52
    await client.capture_charge_sessions(car.entity_id)
    assert car.captures


async def test_another_refusal_has_the_words_of_the_service(
    client: DerConnectClient, car: SimulatedCar
) -> None:
    car.refusal = f"This maker <i>does not</i> allow it. {DER_CONNECT_SECRET}"
    with pytest.raises(DerConnectRefusedError) as raised:
        await client.capture_charge_sessions(car.entity_id)
    assert raised.value.reason == "This maker does not allow it. ..."
    assert not raised.value.is_about_capacity


@pytest.mark.parametrize(
    "status",
    [
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.METHOD_NOT_ALLOWED,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    ],
)
async def test_a_capacity_that_cannot_be_told_there_is_not_found(
    client: DerConnectClient,
    service: SimulatedDerConnect,
    car: SimulatedCar,
    status: HTTPStatus,
) -> None:
    service.capacity_refusal = status
    with pytest.raises(JouloNotFoundError):
        await client.set_battery_capacity(car.entity_id, 52)


@pytest.mark.parametrize("entity_id", ["", "..", "a/b", "a?b", "é", "x" * 101])
async def test_what_is_no_id_is_asked_of_nobody(
    client: DerConnectClient, service: SimulatedDerConnect, entity_id: str
) -> None:
    with pytest.raises(JouloNotFoundError):
        await client.charge_sessions(entity_id, NOW)
    assert service.requests == []


@pytest.mark.parametrize("name", ["url", "token_url"])
async def test_an_address_in_plain_text_is_refused(name: str) -> None:
    urls = {"url": DEFAULT_URL, "token_url": DEFAULT_TOKEN_URL, name: "http://example.com"}
    async with ClientSession() as session:
        with pytest.raises(JouloInsecureUrlError):
            DerConnectClient(session, Credentials("id", "secret", **urls))


def test_the_secret_is_in_no_text_of_the_credentials() -> None:
    assert "hush" not in repr(Credentials("id", "hush"))


def test_a_charge_is_listed_at_the_next_calculation_after_its_end() -> None:
    end = datetime(2026, 6, 14, 18, tzinfo=UTC)
    charge = CarCharge(started_at=end - HOUR, ended_at=end)
    assert charge.created == datetime(2026, 6, 15, 1, 30, tzinfo=UTC)
