"""Commands: registering and restarting a charger. Each is sent once, and never repeated."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
import logging
from typing import Any

from aiohttp import web
from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.joulo.api import (
    Charger,
    ChargerStatus,
    ConnectionType,
    Endpoint,
    JouloAuthError,
    JouloChargerOfflineError,
    JouloClient,
    JouloConnectionError,
    JouloCooldownError,
    JouloError,
    JouloNotFoundError,
    JouloRateLimitError,
    JouloRejectedError,
    JouloResponseError,
    JouloScopeError,
    JouloServerError,
    OcppAccess,
    RateLimiter,
    RegisteredCharger,
)
from tests.simulator import (
    DEMO_TOKEN,
    ELSEWHERE,
    GARAGE_ID,
    OPRIT_ID,
    Fault,
    Reboot,
    SimulatedAccount,
    SimulatedCloud,
    serve,
)

from . import client_of, client_of_server, client_receiving, error_of, payload, until

pytestmark = pytest.mark.usefixtures("socket_enabled")

type Command = Callable[[JouloClient], Awaitable[object]]

IDENTITY = "CARPORT_2"
PASSWORD = "a8f3b2e1c4d5"
REGISTRATION, RESTART = "/chargers", "/chargers/reboot"


def register(client: JouloClient) -> Awaitable[RegisteredCharger]:
    """Register a charger."""
    return client.register_charger("Carport")


def restart(client: JouloClient) -> Awaitable[bool]:
    """Restart the charger that is connected by OCPP."""
    return client.restart_charger(OPRIT_ID, hard=False)


EACH_COMMAND = pytest.mark.parametrize(
    ("command", "path", "endpoint"),
    [
        pytest.param(register, REGISTRATION, Endpoint.REGISTRATION, id="register"),
        pytest.param(restart, RESTART, Endpoint.RESTART, id="restart"),
    ],
)


@pytest.fixture
async def client(url: str) -> AsyncGenerator[JouloClient]:
    """Return a client of the simulated cloud."""
    async with client_of(url) as client:
        yield client


def client_of_status(status: int, **options: Any) -> AbstractAsyncContextManager[JouloClient]:
    """Yield a client of a server that responds with this status to everything."""

    async def handle(_request: web.BaseRequest) -> web.Response:
        return web.Response(status=status, **options)

    return client_of_server(handle)


# Registering


async def test_a_registered_charger_comes_with_its_access_data(
    client: JouloClient, cloud: SimulatedCloud, account: SimulatedAccount
) -> None:
    registered = await client.register_charger("Carport", IDENTITY)
    charger = account.charger(registered.id)
    assert (charger.nickname, charger.ocpp_identity) == ("Carport", IDENTITY)
    assert registered.nickname == "Carport"
    assert registered.connection_type is ConnectionType.OCPP
    assert registered.ocpp.identity == IDENTITY
    assert registered.ocpp.endpoint == f"wss://ocpp.joulo.nl/{IDENTITY}"
    assert registered.ocpp.password
    (request,) = cloud.requests
    assert (request.method, request.path, request.query) == ("POST", REGISTRATION, {})
    assert request.body == {
        "nickname": "Carport",
        "connection_type": "ocpp",
        "ocpp_identity": IDENTITY,
    }


async def test_joulo_chooses_the_identity_if_none_is_given(
    client: JouloClient, cloud: SimulatedCloud
) -> None:
    registered = await client.register_charger("Carport")
    assert registered.ocpp.identity
    assert cloud.requests[0].body == {"nickname": "Carport", "connection_type": "ocpp"}


async def test_the_documented_response_is_parsed_completely() -> None:
    async with client_receiving(payload("registered_charger_documented")) as client:
        assert await register(client) == RegisteredCharger(
            id=OPRIT_ID,
            nickname="Oprit",
            connection_type=ConnectionType.OCPP,
            status=ChargerStatus.OFFLINE,
            ocpp=OcppAccess(
                identity="CHARGER-001",
                endpoint="wss://ocpp.joulo.nl/CHARGER-001",
                password=PASSWORD,
            ),
        )


async def test_the_password_is_shown_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with client_receiving(payload("registered_charger_documented")) as client:
        registered = await register(client)
    assert registered.ocpp.password == PASSWORD
    assert PASSWORD not in repr(registered)
    assert PASSWORD not in str(registered.ocpp)
    assert PASSWORD not in caplog.text


@pytest.mark.parametrize(
    "ocpp", [None, "CHARGER-001", [], {}, {"identity": 7, "endpoint": "", "password": None}]
)
async def test_access_data_that_cannot_be_parsed_is_absent(ocpp: object) -> None:
    """The charger is registered all the same, and must be returned."""
    async with client_receiving({"id": OPRIT_ID, "ocpp": ocpp}) as client:
        assert await register(client) == RegisteredCharger(id=OPRIT_ID)


@pytest.mark.parametrize("document", [{}, {"id": None}, {"ocpp": {"password": PASSWORD}}, [], b"{"])
async def test_a_document_without_a_charger_is_a_response_error(document: object) -> None:
    async with client_receiving(document) as client:
        error = await error_of(register(client))
    assert isinstance(error, JouloResponseError)
    assert PASSWORD not in str(error)


async def test_a_charger_that_is_listed_later_has_no_password(
    client: JouloClient,
) -> None:
    registered = await client.register_charger("Carport", IDENTITY)
    listed = {charger.id: charger for charger in (await client.chargers()).data}
    assert type(listed[registered.id]) is Charger
    assert "ocpp" not in asdict(listed[registered.id])


@pytest.mark.parametrize(
    ("nickname", "identity", "reason"),
    [
        ("", None, "nickname must have 1 to 100 characters"),
        ("Carport", "has a space", "Invalid ocpp_identity"),
        ("Carport", "CHARGER-001", "ocpp_identity is already in use"),
    ],
)
async def test_a_rejection_carries_joulos_own_sentence(
    client: JouloClient, nickname: str, identity: str | None, reason: str
) -> None:
    error = await error_of(client.register_charger(nickname, identity))
    assert isinstance(error, JouloRejectedError)
    assert error.reason == reason
    assert reason in str(error)


@pytest.mark.parametrize("status", [400, 405, 409, 422])
@pytest.mark.parametrize("body", ["", "<html>", "[]", '{"error": {}}', '{"message": "no"}'])
async def test_a_rejection_without_a_sentence_carries_its_status(status: int, body: str) -> None:
    async with client_of_status(status, text=body) as client:
        error = await error_of(register(client))
    assert isinstance(error, JouloRejectedError)
    assert error.reason == f"HTTP {status}"


async def test_a_sentence_that_repeats_the_token_is_shown_without_it() -> None:
    async def echo(request: web.BaseRequest) -> web.Response:
        sent = request.headers["Authorization"]
        return web.json_response({"error": f"I do not know what {sent} is"}, status=400)

    async with client_of_server(echo) as client:
        error = await error_of(register(client))
    assert isinstance(error, JouloRejectedError)
    assert error.reason == "I do not know what Bearer ... is"


# Restarting


@pytest.mark.parametrize(("hard", "kind"), [(False, "Soft"), (True, "Hard")])
async def test_a_restart_names_the_charger_and_its_kind(
    client: JouloClient, cloud: SimulatedCloud, *, hard: bool, kind: str
) -> None:
    assert await client.restart_charger(OPRIT_ID, hard=hard) is True
    (request,) = cloud.requests
    assert (request.method, request.path) == ("POST", RESTART)
    assert request.body == {"charger_id": OPRIT_ID, "type": kind}


async def test_a_restart_that_joulo_did_not_see_is_not_confirmed(
    client: JouloClient, account: SimulatedAccount
) -> None:
    account.reboot_outcome = Reboot.ACCEPTED
    assert await restart(client) is False


@pytest.mark.parametrize(
    "document", [{}, {"confirmed_by_boot": None}, {"confirmed_by_boot": "yes"}]
)
async def test_only_true_confirms_a_restart(document: object) -> None:
    async with client_receiving(document) as client:
        assert await restart(client) is False


async def test_five_minutes_lie_between_two_restarts(
    client: JouloClient, cloud: SimulatedCloud, freezer: FrozenDateTimeFactory
) -> None:
    await restart(client)
    freezer.tick(299)
    assert isinstance(await error_of(restart(client)), JouloCooldownError)
    freezer.tick(1)
    assert await restart(client)
    assert cloud.count(RESTART, "POST") == 3


async def test_an_offline_charger_is_not_a_server_error(
    client: JouloClient, account: SimulatedAccount
) -> None:
    account.charger(OPRIT_ID).status = "offline"
    assert isinstance(await error_of(restart(client)), JouloChargerOfflineError)


@pytest.mark.parametrize("body", ["", "<html>", '{"message": "Service is degraded"}'])
async def test_a_503_without_joulos_error_text_is_a_server_error(body: str) -> None:
    async with client_of_status(503, text=body) as client:
        error = await error_of(restart(client))
    assert isinstance(error, JouloServerError)
    assert error.status == 503


@pytest.mark.parametrize(
    ("charger_id", "expected"), [("nobody", JouloNotFoundError), (GARAGE_ID, JouloResponseError)]
)
async def test_a_charger_that_cannot_be_restarted_is_an_error(
    client: JouloClient, charger_id: str, expected: type[JouloError]
) -> None:
    assert type(await error_of(client.restart_charger(charger_id, hard=False))) is expected


# Errors of both commands


@EACH_COMMAND
@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault.FORBIDDEN, JouloScopeError),
        (Fault.NOT_FOUND, JouloNotFoundError),
        (Fault.SERVER_ERROR, JouloServerError),
        (Fault.BAD_GATEWAY, JouloServerError),
        (Fault.NOT_JSON, JouloResponseError),
        (Fault.TRUNCATED, JouloResponseError),
        (Fault.REDIRECT, JouloResponseError),
        (Fault.ENORMOUS, JouloResponseError),
        (Fault.DROPPED, JouloConnectionError),
        (Fault.CUT_OFF, JouloConnectionError),
    ],
)
async def test_a_fault_fails_its_command_and_nothing_is_sent_again(
    client: JouloClient,
    cloud: SimulatedCloud,
    command: Command,
    path: str,
    endpoint: Endpoint,
    fault: Fault,
    expected: type[JouloError],
) -> None:
    """The next command is another one: it is sent, however soon."""
    await client.account_profile()
    cloud.fail(path, fault)
    for sent in (1, 2):
        assert type(await error_of(command(client))) is expected
        assert cloud.count(path, "POST") == sent
    assert cloud.count(ELSEWHERE, "POST") == cloud.count(ELSEWHERE) == 0


@EACH_COMMAND
async def test_a_command_times_out_after_a_minute(
    client: JouloClient,
    cloud: SimulatedCloud,
    freezer: FrozenDateTimeFactory,
    command: Command,
    path: str,
    endpoint: Endpoint,
) -> None:
    """A charger needs longer to boot than Joulo needs for a read."""
    cloud.fail(path, Fault.TIMEOUT)
    pending = asyncio.ensure_future(command(client))
    await until(lambda: cloud.count(path, "POST") == 1)
    freezer.tick(59)
    for _ in range(20):
        await asyncio.sleep(0)
    assert not pending.done()
    freezer.tick(2)
    error = await error_of(pending)
    assert isinstance(error, JouloConnectionError)
    assert error.sent
    assert cloud.count(path, "POST") == 1


@EACH_COMMAND
async def test_a_command_that_never_reached_joulo_can_be_sent_again(
    cloud: SimulatedCloud, unused_tcp_port: int, command: Command, path: str, endpoint: Endpoint
) -> None:
    async with client_of(f"http://127.0.0.1:{unused_tcp_port}") as client:
        error = await error_of(command(client))
        assert isinstance(error, JouloConnectionError)
        assert not error.sent
        async with serve(cloud, unused_tcp_port):
            assert await command(client)


# The rate limiter


async def test_commands_are_neither_delayed_nor_remembered(
    client: JouloClient, cloud: SimulatedCloud
) -> None:
    """An earlier read of the same path does not block a command, nor does the same command."""
    await client.chargers()
    first, second = await register(client), await register(client)
    assert first.id != second.id
    assert cloud.count(REGISTRATION, "POST") == 2
    assert client.rate_limiter.retry_in(Endpoint.CHARGERS) > 0


async def test_commands_at_the_same_time_are_each_sent(
    client: JouloClient, cloud: SimulatedCloud
) -> None:
    registered = await asyncio.gather(*(register(client) for _ in range(3)))
    assert len({charger.id for charger in registered}) == 3
    assert cloud.count(REGISTRATION, "POST") == 3


@EACH_COMMAND
async def test_a_401_to_a_command_stops_nothing_else(
    client: JouloClient, cloud: SimulatedCloud, command: Command, path: str, endpoint: Endpoint
) -> None:
    cloud.fail(path, Fault.UNAUTHORIZED, times=1)
    assert isinstance(await error_of(command(client)), JouloAuthError)
    assert await client.ere_position()
    assert await client.energy()


@EACH_COMMAND
async def test_after_the_token_was_rejected_no_command_is_sent(
    client: JouloClient,
    cloud: SimulatedCloud,
    freezer: FrozenDateTimeFactory,
    command: Command,
    path: str,
    endpoint: Endpoint,
) -> None:
    cloud.fail("/chargers", Fault.UNAUTHORIZED)
    for _ in range(2):
        await error_of(client.chargers())
        freezer.tick(60)
    assert isinstance(await error_of(command(client)), JouloAuthError)
    assert cloud.count(path, "POST") == 0


@EACH_COMMAND
async def test_a_token_that_no_header_can_carry_is_refused_unsent(
    url: str, cloud: SimulatedCloud, command: Command, path: str, endpoint: Endpoint
) -> None:
    async with client_of(url, token=f"{DEMO_TOKEN}\n") as client:
        with pytest.raises(JouloAuthError):
            await command(client)
    assert cloud.requests == []


@EACH_COMMAND
async def test_retry_after_is_obeyed_and_counts_down(
    client: JouloClient,
    cloud: SimulatedCloud,
    freezer: FrozenDateTimeFactory,
    command: Command,
    path: str,
    endpoint: Endpoint,
) -> None:
    cloud.fail(path, Fault.RATE_LIMITED, times=1, retry_after=300)
    for left in (300, 200, 100):
        error = await error_of(command(client))
        assert isinstance(error, JouloRateLimitError)
        assert error.retry_after == left
        assert client.rate_limiter.retry_in(endpoint) == left
        freezer.tick(100)
    assert cloud.count(path, "POST") == 1
    assert await command(client)


async def test_retry_after_holds_for_reads_and_commands_of_the_same_path(
    client: JouloClient, cloud: SimulatedCloud, freezer: FrozenDateTimeFactory
) -> None:
    cloud.fail("/chargers", Fault.RATE_LIMITED, times=1, retry_after=300)
    await error_of(client.chargers())
    assert isinstance(await error_of(register(client)), JouloRateLimitError)
    assert await restart(client), "a restart has another path"
    freezer.tick(300)
    cloud.fail("/chargers", Fault.RATE_LIMITED, times=1, retry_after=300)
    await error_of(register(client))
    assert isinstance(await error_of(client.chargers()), JouloRateLimitError)
    assert (cloud.count("/chargers"), cloud.count("/chargers", "POST")) == (1, 1)


async def test_a_cancelled_command_does_not_block_the_next(
    client: JouloClient, cloud: SimulatedCloud
) -> None:
    cloud.fail(REGISTRATION, Fault.TIMEOUT, times=1)
    task = asyncio.ensure_future(register(client))
    await until(lambda: cloud.count(REGISTRATION, "POST") == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await register(client)


async def test_a_replacement_token_obeys_retry_after_for_commands(
    client: JouloClient, cloud: SimulatedCloud
) -> None:
    cloud.fail(RESTART, Fault.RATE_LIMITED, retry_after=3600)
    await error_of(restart(client))
    replacement = RateLimiter()
    replacement.share_timings(client.rate_limiter)
    assert replacement.retry_in(Endpoint.RESTART) == 3600
