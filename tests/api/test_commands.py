"""Orders change something: registering and restarting a charger. Each is sent once, and never by itself."""

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

from . import asking, error_of, handled_by, payload, told, until

pytestmark = pytest.mark.usefixtures("socket_enabled")

type Order = Callable[[JouloClient], Awaitable[object]]

IDENTITY = "CARPORT_2"
PASSWORD = "a8f3b2e1c4d5"
REGISTRATION, RESTART = "/chargers", "/chargers/reboot"


def register(client: JouloClient) -> Awaitable[RegisteredCharger]:
    """Register a charger."""
    return client.register_charger("Carport")


def restart(client: JouloClient) -> Awaitable[bool]:
    """Restart the charger that is connected by OCPP."""
    return client.restart_charger(OPRIT_ID, hard=False)


EACH_ORDER = pytest.mark.parametrize(
    ("order", "path", "endpoint"),
    [
        pytest.param(register, REGISTRATION, Endpoint.REGISTRATION, id="register"),
        pytest.param(restart, RESTART, Endpoint.RESTART, id="restart"),
    ],
)


@pytest.fixture
async def client(url: str) -> AsyncGenerator[JouloClient]:
    """Return a client of the simulated cloud."""
    async with asking(url) as client:
        yield client


def answering(status: int, **options: Any) -> AbstractAsyncContextManager[JouloClient]:
    """Yield a client that is answered with this status, whatever it orders."""

    async def handle(_request: web.BaseRequest) -> web.Response:
        return web.Response(status=status, **options)

    return handled_by(handle)


# Registering


async def test_a_registered_charger_comes_with_what_it_needs_to_connect(
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


async def test_joulo_chooses_the_identity_where_none_is_asked_for(
    client: JouloClient, cloud: SimulatedCloud
) -> None:
    registered = await client.register_charger("Carport")
    assert registered.ocpp.identity
    assert cloud.requests[0].body == {"nickname": "Carport", "connection_type": "ocpp"}


async def test_the_documented_answer_is_read_whole() -> None:
    async with told(payload("registered_charger_documented")) as client:
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
    async with told(payload("registered_charger_documented")) as client:
        registered = await register(client)
    assert registered.ocpp.password == PASSWORD
    assert PASSWORD not in repr(registered)
    assert PASSWORD not in str(registered.ocpp)
    assert PASSWORD not in caplog.text


@pytest.mark.parametrize(
    "ocpp", [None, "CHARGER-001", [], {}, {"identity": 7, "endpoint": "", "password": None}]
)
async def test_what_it_needs_to_connect_is_absent_where_it_cannot_be_read(ocpp: object) -> None:
    """The charger is registered all the same, which is worth knowing."""
    async with told({"id": OPRIT_ID, "ocpp": ocpp}) as client:
        assert await register(client) == RegisteredCharger(id=OPRIT_ID)


@pytest.mark.parametrize("answer", [{}, {"id": None}, {"ocpp": {"password": PASSWORD}}, [], b"{"])
async def test_an_answer_without_a_charger_is_a_response_error(answer: object) -> None:
    async with told(answer) as client:
        error = await error_of(register(client))
    assert isinstance(error, JouloResponseError)
    assert PASSWORD not in str(error)


async def test_a_charger_that_is_listed_later_knows_no_password(
    client: JouloClient,
) -> None:
    registered = await client.register_charger("Carport", IDENTITY)
    listed = {charger.id: charger for charger in await client.chargers()}
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
async def test_joulos_own_sentence_tells_why_a_registration_is_refused(
    client: JouloClient, nickname: str, identity: str | None, reason: str
) -> None:
    error = await error_of(client.register_charger(nickname, identity))
    assert isinstance(error, JouloRejectedError)
    assert error.reason == reason
    assert reason in str(error)


@pytest.mark.parametrize("status", [400, 405, 409, 422])
@pytest.mark.parametrize("body", ["", "<html>", "[]", '{"error": {}}', '{"message": "no"}'])
async def test_a_refusal_without_a_sentence_is_told_by_its_number(status: int, body: str) -> None:
    async with answering(status, text=body) as client:
        error = await error_of(register(client))
    assert isinstance(error, JouloRejectedError)
    assert error.reason == f"HTTP {status}"


async def test_a_sentence_that_repeats_the_token_is_told_without_it() -> None:
    async def echo(request: web.BaseRequest) -> web.Response:
        sent = request.headers["Authorization"]
        return web.json_response({"error": f"I do not know what {sent} is"}, status=400)

    async with handled_by(echo) as client:
        error = await error_of(register(client))
    assert isinstance(error, JouloRejectedError)
    assert error.reason == "I do not know what Bearer ... is"


# Restarting


@pytest.mark.parametrize(("hard", "kind"), [(False, "Soft"), (True, "Hard")])
async def test_a_restart_names_the_charger_and_how(
    client: JouloClient, cloud: SimulatedCloud, *, hard: bool, kind: str
) -> None:
    assert await client.restart_charger(OPRIT_ID, hard=hard) is True
    (request,) = cloud.requests
    assert (request.method, request.path) == ("POST", RESTART)
    assert request.body == {"charger_id": OPRIT_ID, "type": kind}


async def test_a_restart_that_nobody_saw_is_not_confirmed(
    client: JouloClient, account: SimulatedAccount
) -> None:
    account.reboot_outcome = Reboot.ACCEPTED
    assert await restart(client) is False


@pytest.mark.parametrize("answer", [{}, {"confirmed_by_boot": None}, {"confirmed_by_boot": "yes"}])
async def test_only_a_clear_yes_confirms_a_restart(answer: object) -> None:
    async with told(answer) as client:
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


async def test_a_charger_out_of_reach_is_no_fault_of_joulo(
    client: JouloClient, account: SimulatedAccount
) -> None:
    account.charger(OPRIT_ID).status = "offline"
    assert isinstance(await error_of(restart(client)), JouloChargerOfflineError)


@pytest.mark.parametrize("body", ["", "<html>", '{"message": "Service is degraded"}'])
async def test_a_gateway_that_cannot_reach_joulo_says_nothing_of_the_charger(body: str) -> None:
    async with answering(503, text=body) as client:
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


# What can go wrong with either


@EACH_ORDER
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
async def test_a_fault_is_told_once_for_each_order_and_nothing_is_sent_again(
    client: JouloClient,
    cloud: SimulatedCloud,
    order: Order,
    path: str,
    endpoint: Endpoint,
    fault: Fault,
    expected: type[JouloError],
) -> None:
    """The order that follows is an order of its own: it is sent, however soon."""
    await client.me()
    cloud.fail(path, fault)
    for sent in (1, 2):
        assert type(await error_of(order(client))) is expected
        assert cloud.count(path, "POST") == sent
    assert cloud.count(ELSEWHERE, "POST") == cloud.count(ELSEWHERE) == 0


@EACH_ORDER
async def test_an_answer_that_does_not_come_is_given_up_after_a_minute(
    client: JouloClient,
    cloud: SimulatedCloud,
    freezer: FrozenDateTimeFactory,
    order: Order,
    path: str,
    endpoint: Endpoint,
) -> None:
    """A charger needs longer to boot than a question needs to be answered."""
    cloud.fail(path, Fault.TIMEOUT)
    ordered = asyncio.ensure_future(order(client))
    await until(lambda: cloud.count(path, "POST") == 1)
    freezer.tick(59)
    for _ in range(20):
        await asyncio.sleep(0)
    assert not ordered.done()
    freezer.tick(2)
    error = await error_of(ordered)
    assert isinstance(error, JouloConnectionError)
    assert error.sent
    assert cloud.count(path, "POST") == 1


@EACH_ORDER
async def test_an_order_that_never_reached_joulo_can_be_given_again(
    cloud: SimulatedCloud, unused_tcp_port: int, order: Order, path: str, endpoint: Endpoint
) -> None:
    async with asking(f"http://127.0.0.1:{unused_tcp_port}") as client:
        error = await error_of(order(client))
        assert isinstance(error, JouloConnectionError)
        assert not error.sent
        async with serve(cloud, unused_tcp_port):
            assert await order(client)


# The rate limiter


async def test_orders_are_neither_held_back_nor_remembered(
    client: JouloClient, cloud: SimulatedCloud
) -> None:
    """What the chargers were asked a moment ago does not matter, and the same order is another one."""
    await client.chargers()
    first, second = await register(client), await register(client)
    assert first.id != second.id
    assert cloud.count(REGISTRATION, "POST") == 2
    assert client.rate_limiter.retry_in(Endpoint.CHARGERS) > 0


async def test_orders_at_the_same_time_are_each_sent(
    client: JouloClient, cloud: SimulatedCloud
) -> None:
    registered = await asyncio.gather(*(register(client) for _ in range(3)))
    assert len({charger.id for charger in registered}) == 3
    assert cloud.count(REGISTRATION, "POST") == 3


@EACH_ORDER
async def test_after_an_order_was_answered_401_nothing_is_sent_at_all(
    client: JouloClient, cloud: SimulatedCloud, order: Order, path: str, endpoint: Endpoint
) -> None:
    cloud.fail(path, Fault.UNAUTHORIZED, times=1)
    assert isinstance(await error_of(order(client)), JouloAuthError)
    assert client.rate_limiter.token_rejected
    for send in (client.chargers, client.ere_position):
        assert isinstance(await error_of(send()), JouloAuthError)
    assert isinstance(await error_of(order(client)), JouloAuthError)
    assert len(cloud.requests) == 1


@EACH_ORDER
async def test_after_a_question_was_answered_401_no_order_is_sent(
    client: JouloClient, cloud: SimulatedCloud, order: Order, path: str, endpoint: Endpoint
) -> None:
    cloud.fail("/energy", Fault.UNAUTHORIZED, times=1)
    await error_of(client.energy())
    assert isinstance(await error_of(order(client)), JouloAuthError)
    assert cloud.count(path, "POST") == 0


@EACH_ORDER
async def test_a_token_that_no_header_can_carry_is_refused_unsent(
    url: str, cloud: SimulatedCloud, order: Order, path: str, endpoint: Endpoint
) -> None:
    async with asking(url, token=f"{DEMO_TOKEN}\n") as client:
        with pytest.raises(JouloAuthError):
            await order(client)
    assert cloud.requests == []


@EACH_ORDER
async def test_retry_after_is_obeyed_and_counts_down(
    client: JouloClient,
    cloud: SimulatedCloud,
    freezer: FrozenDateTimeFactory,
    order: Order,
    path: str,
    endpoint: Endpoint,
) -> None:
    cloud.fail(path, Fault.RATE_LIMITED, times=1, retry_after=300)
    for left in (300, 200, 100):
        error = await error_of(order(client))
        assert isinstance(error, JouloRateLimitError)
        assert error.retry_after == left
        assert client.rate_limiter.retry_in(endpoint) == left
        freezer.tick(100)
    assert cloud.count(path, "POST") == 1
    assert await order(client)


async def test_retry_after_holds_for_questions_and_orders_at_the_same_path(
    client: JouloClient, cloud: SimulatedCloud, freezer: FrozenDateTimeFactory
) -> None:
    cloud.fail("/chargers", Fault.RATE_LIMITED, times=1, retry_after=300)
    await error_of(client.chargers())
    assert isinstance(await error_of(register(client)), JouloRateLimitError)
    assert await restart(client), "that is another path"
    freezer.tick(300)
    cloud.fail("/chargers", Fault.RATE_LIMITED, times=1, retry_after=300)
    await error_of(register(client))
    assert isinstance(await error_of(client.chargers()), JouloRateLimitError)
    assert (cloud.count("/chargers"), cloud.count("/chargers", "POST")) == (1, 1)


async def test_an_order_that_is_given_up_does_not_stand_in_the_way(
    client: JouloClient, cloud: SimulatedCloud
) -> None:
    cloud.fail(REGISTRATION, Fault.TIMEOUT, times=1)
    task = asyncio.ensure_future(register(client))
    await until(lambda: cloud.count(REGISTRATION, "POST") == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await register(client)


async def test_the_next_token_keeps_waiting_with_its_orders_as_joulo_asked(
    client: JouloClient, cloud: SimulatedCloud
) -> None:
    cloud.fail(RESTART, Fault.RATE_LIMITED, retry_after=3600)
    await error_of(restart(client))
    assert client.rate_limiter.for_next_token().retry_in(Endpoint.RESTART) == 3600
