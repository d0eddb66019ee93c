"""Every failure is a JouloError that says enough to act on, and never holds the token."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager
import gzip
import logging
import time
from typing import Any

from aiohttp import web
from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.joulo.api import (
    AccountProfile,
    Energy,
    JouloAuthError,
    JouloClient,
    JouloConnectionError,
    JouloNotFoundError,
    JouloRateLimitError,
    JouloResponseError,
    JouloScopeError,
    JouloServerError,
)
from tests.simulator import DEMO_TOKEN, Fault, SimulatedAccount, SimulatedCloud

from . import client_of, client_of_server, client_receiving, error_of, until

pytestmark = pytest.mark.usefixtures("socket_enabled")

type Fetch = Callable[[JouloClient], Awaitable[object]]

DAY = 86_400
CHARGERS, SESSIONS = JouloClient.chargers, JouloClient.session_page
ENERGY, PROFILE = JouloClient.energy, JouloClient.account_profile


@pytest.fixture
async def client(url: str) -> AsyncGenerator[JouloClient]:
    """Return a client of the simulated cloud."""
    async with client_of(url) as client:
        yield client


@pytest.fixture
def in_amsterdam(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """Give the machine another time zone than UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Europe/Amsterdam")
        time.tzset()
        yield
    time.tzset()


def client_of_status(status: int = 200, **options: Any) -> AbstractAsyncContextManager[JouloClient]:
    """Yield a client of a server that responds with this status to everything."""

    async def handle(_request: web.BaseRequest) -> web.Response:
        return web.Response(status=status, **options)

    return client_of_server(handle)


# Documents of another shape


@pytest.mark.parametrize("fetch", [CHARGERS, SESSIONS, ENERGY, PROFILE])
@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"7", b'"chargers"', b"\xff", b"<html>"])
async def test_a_body_that_is_no_json_object_is_a_response_error(fetch: Fetch, body: bytes) -> None:
    async with client_receiving(body) as client:
        assert isinstance(await error_of(fetch(client)), JouloResponseError)


@pytest.mark.parametrize("fetch", [CHARGERS, SESSIONS, ENERGY])
@pytest.mark.parametrize(
    "document",
    [{}, {"error": "?"}, {"chargers": {}, "sessions": {}}, {"chargers": None, "sessions": "none"}],
)
async def test_an_object_of_another_shape_is_a_response_error(
    fetch: Fetch, document: object
) -> None:
    async with client_receiving(document) as client:
        assert isinstance(await error_of(fetch(client)), JouloResponseError)


@pytest.mark.parametrize(("name", "fetch"), [("chargers", CHARGERS), ("sessions", SESSIONS)])
async def test_a_list_without_a_single_usable_row_is_a_response_error(
    name: str, fetch: Fetch
) -> None:
    async with client_receiving({name: [{}, None]}) as client:
        assert isinstance(await error_of(fetch(client)), JouloResponseError)


async def test_an_account_profile_is_parsed_from_any_object() -> None:
    async with client_receiving({"plan": "free"}) as client:
        assert (await client.account_profile()).data == AccountProfile()


@pytest.mark.parametrize(
    "body", [b"[" * 200_000, b'{"chargers":' + b"9" * 5000 + b"}"], ids=["nested", "digits"]
)
async def test_json_that_python_cannot_hold_is_a_response_error(body: bytes) -> None:
    async with client_receiving(body) as client:
        assert isinstance(await error_of(client.chargers()), JouloResponseError)


async def test_nan_and_infinity_in_the_json_are_absent() -> None:
    body = b'{"total_kwh": NaN, "total_ere_credits": -Infinity, "total_sessions": 17}'
    async with client_receiving(body) as client:
        assert (await client.energy()).data == Energy(total_sessions=17)


@pytest.mark.parametrize("fault", [Fault.TRUNCATED, Fault.NOT_JSON, Fault.WRONG_SHAPE])
async def test_a_damaged_document_is_a_response_error(
    client: JouloClient, cloud: SimulatedCloud, fault: Fault
) -> None:
    cloud.fail("/chargers", fault)
    assert isinstance(await error_of(client.chargers()), JouloResponseError)


async def test_values_of_other_types_are_parsed_if_possible(
    client: JouloClient, cloud: SimulatedCloud, account: SimulatedAccount
) -> None:
    cloud.fail("/energy", Fault.WRONG_TYPES)
    assert (await client.energy()).data.total_kwh == account.energy_total(mid_only=True)


# Statuses


async def test_401_means_that_the_token_is_not_accepted(
    client: JouloClient, account: SimulatedAccount
) -> None:
    account.rotate_token()
    error = await error_of(client.chargers())
    assert isinstance(error, JouloAuthError)
    assert "token" in str(error)


async def test_403_names_the_scope_that_is_missing(
    client: JouloClient, cloud: SimulatedCloud
) -> None:
    cloud.fail("/chargers", Fault.FORBIDDEN)
    error = await error_of(client.chargers())
    assert isinstance(error, JouloScopeError)
    assert error.scope == "chargers:read"
    assert "chargers:read" in str(error)


@pytest.mark.parametrize("body", ["", "<html>Access denied</html>", "[]"])
async def test_403_of_a_firewall_is_a_fault_of_the_service(body: str) -> None:
    async with client_of_status(403, text=body) as client:
        error = await error_of(client.chargers())
    assert isinstance(error, JouloServerError)
    assert error.status == 403


@pytest.mark.parametrize("body", ["{}", '{"required_scope": {}}'])
async def test_403_without_a_scope_is_a_scope_error_all_the_same(body: str) -> None:
    async with client_of_status(403, text=body) as client:
        error = await error_of(client.chargers())
    assert isinstance(error, JouloScopeError)
    assert error.scope is None


async def test_404_means_that_the_path_does_not_exist(
    client: JouloClient, cloud: SimulatedCloud
) -> None:
    cloud.fail("/me", Fault.NOT_FOUND)
    assert isinstance(await error_of(client.account_profile()), JouloNotFoundError)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        (" 1.5 ", 1.5),
        ("0", 0),
        ("-5", 0),
        ("1000000", DAY),
        ("Mon, 15 Jun 2026 12:02:00 GMT", 120),
        ("Monday, 15-Jun-26 12:02:00 GMT", 120),
        ("Mon, 15 Jun 2026 14:02:00 +0200", 120),
        ("Mon, 15 Jun 2026 11:00:00 GMT", 0),
        ("Tue, 15 Jun 2027 12:00:00 GMT", DAY),
        ("soon", 60),
        ("", 60),
        ("nan", 60),
        ("Mon, 99 Jun 2026 12:00:00 GMT", 60),
    ],
)
async def test_429_gives_the_wait_in_both_forms_and_at_most_a_day(
    header: str, seconds: float
) -> None:
    async with client_of_status(429, headers={"Retry-After": header}) as client:
        error = await error_of(client.chargers())
    assert isinstance(error, JouloRateLimitError)
    assert error.retry_after == seconds
    assert f"{seconds:.0f} s" in str(error)


async def test_429_without_a_time_means_a_minute() -> None:
    async with client_of_status(429) as client:
        error = await error_of(client.chargers())
    assert isinstance(error, JouloRateLimitError)
    assert error.retry_after == 60


@pytest.mark.parametrize("header", ["Mon Jun 15 12:02:00 2026", "Mon, 15 Jun 2026 12:02:00 -0000"])
async def test_a_date_without_a_zone_is_utc_in_any_time_zone(
    header: str, in_amsterdam: None
) -> None:
    async with client_of_status(429, headers={"Retry-After": header}) as client:
        error = await error_of(client.chargers())
    assert isinstance(error, JouloRateLimitError)
    assert error.retry_after == 120


async def test_a_date_is_measured_against_the_clock_of_joulo() -> None:
    """This machine's clock is three hours behind."""
    headers = {
        "Retry-After": "Mon, 15 Jun 2026 15:01:00 GMT",
        "Date": "Mon, 15 Jun 2026 15:00:00 GMT",
    }
    async with client_of_status(429, headers=headers) as client:
        error = await error_of(client.chargers())
    assert isinstance(error, JouloRateLimitError)
    assert error.retry_after == 60


async def test_a_date_at_the_end_of_time_is_a_day_at_most() -> None:
    header = {"Retry-After": "Fri, 31 Dec 9999 23:59:59 -0100"}
    async with client_of_status(429, headers=header) as client:
        error = await error_of(client.chargers())
    assert isinstance(error, JouloRateLimitError)
    assert error.retry_after in (60, DAY)


@pytest.mark.parametrize(("fault", "status"), [(Fault.SERVER_ERROR, 500), (Fault.BAD_GATEWAY, 502)])
async def test_5xx_is_a_server_error(
    client: JouloClient, cloud: SimulatedCloud, fault: Fault, status: int
) -> None:
    cloud.fail("/energy", fault)
    error = await error_of(client.energy())
    assert isinstance(error, JouloServerError)
    assert error.status == status
    assert str(status) in str(error)


@pytest.mark.parametrize("status", [204, 302, 304, 400, 405, 418])
async def test_any_other_status_is_a_response_error_that_names_it(
    status: int,
) -> None:
    async with client_of_status(status) as client:
        error = await error_of(client.chargers())
    assert isinstance(error, JouloResponseError)
    assert error.reason == f"HTTP {status}"


# The network


async def test_a_request_on_a_refused_connection_was_not_sent(unused_tcp_port: int) -> None:
    async with client_of(f"http://127.0.0.1:{unused_tcp_port}") as client:
        error = await error_of(client.chargers())
    assert isinstance(error, JouloConnectionError)
    assert not error.sent
    assert error.reason in str(error)


@pytest.mark.parametrize("fault", [Fault.DROPPED, Fault.CUT_OFF])
async def test_a_dropped_connection_is_an_error_and_nothing_is_sent_twice(
    client: JouloClient, cloud: SimulatedCloud, fault: Fault
) -> None:
    await client.account_profile()
    cloud.fail("/chargers", fault)
    error = await error_of(client.chargers())
    assert isinstance(error, JouloConnectionError)
    assert error.sent
    assert cloud.count("/chargers") == 1


@pytest.mark.parametrize(
    "reply", [b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"]
)
async def test_a_response_that_is_not_http_is_a_connection_error(reply: bytes) -> None:
    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply)
        writer.close()

    async with await asyncio.start_server(respond, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with client_of(f"http://127.0.0.1:{port}") as client:
            assert isinstance(await error_of(client.chargers()), JouloConnectionError)


async def test_a_read_times_out_after_15_s(
    client: JouloClient, cloud: SimulatedCloud, freezer: FrozenDateTimeFactory
) -> None:
    cloud.fail("/chargers", Fault.TIMEOUT)
    pending = asyncio.create_task(client.chargers())
    await until(lambda: cloud.count("/chargers") == 1)
    freezer.tick(14)
    for _ in range(20):
        await asyncio.sleep(0)
    assert not pending.done()
    freezer.tick(2)
    error = await error_of(pending)
    assert isinstance(error, JouloConnectionError)
    assert error.sent


async def test_a_slow_body_does_not_extend_the_timeout(
    freezer: FrozenDateTimeFactory,
) -> None:
    begun = asyncio.Event()

    async def dribble(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"[")
        begun.set()
        await asyncio.Event().wait()
        return response

    async with client_of_server(dribble) as client:
        pending = asyncio.create_task(client.chargers())
        await begun.wait()
        freezer.tick(16)
        assert isinstance(await error_of(pending), JouloConnectionError)


async def test_more_than_10_mb_is_not_read(client: JouloClient, cloud: SimulatedCloud) -> None:
    cloud.fail("/me", Fault.ENORMOUS)
    error = await error_of(client.account_profile())
    assert isinstance(error, JouloResponseError)
    assert "10 MB" in str(error)


async def test_a_long_error_is_an_error_of_the_service() -> None:
    """Joulo's own errors are a sentence long."""
    body = b'{"required_scope": "' + b"x" * 100_000 + b'"}'
    async with client_of_status(403, body=body) as client:
        assert isinstance(await error_of(client.account_profile()), JouloServerError)


async def test_more_than_10_mb_is_not_unpacked_either() -> None:
    bomb = gzip.compress(b" " * 10_000_001)
    async with client_of_status(body=bomb, headers={"Content-Encoding": "gzip"}) as client:
        error = await error_of(client.account_profile())
    assert isinstance(error, JouloResponseError)
    assert "10 MB" in str(error)


async def test_10_mb_are_read() -> None:
    async with client_receiving(b"{" + b" " * 9_999_998 + b"}") as client:
        assert (await client.account_profile()).data == AccountProfile()


async def test_the_token_never_reaches_the_log(
    client: JouloClient,
    cloud: SimulatedCloud,
    caplog: pytest.LogCaptureFixture,
    freezer: FrozenDateTimeFactory,
) -> None:
    caplog.set_level(logging.DEBUG)
    for fault in (
        Fault.DROPPED,
        Fault.NOT_JSON,
        Fault.REDIRECT,
        Fault.FORBIDDEN,
        Fault.UNAUTHORIZED,
    ):
        cloud.fail("/energy", fault)
        await error_of(client.energy())
        freezer.tick(DAY)
    assert cloud.count("/energy") == 5
    assert DEMO_TOKEN not in caplog.text
