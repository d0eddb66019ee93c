"""The rate limiter keeps Joulo's intervals: asked too early nothing is sent, and the last outcome is repeated."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import UTC, datetime

from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.joulo.api import (
    Cursor,
    Endpoint,
    JouloAuthError,
    JouloClient,
    JouloConnectionError,
    JouloError,
    JouloNotFoundError,
    JouloRateLimitError,
    JouloResponseError,
    JouloScopeError,
    JouloServerError,
    JouloTooEarlyError,
    RateLimiter,
    SessionPage,
)
from tests.simulator import (
    Fault,
    SimulatedAccount,
    SimulatedCloud,
    serve,
)

from . import asking, error_of, until

pytestmark = pytest.mark.usefixtures("socket_enabled")

type Ask = Callable[[JouloClient], Awaitable[object]]

DAY = 86_400
UNTIL = Cursor(datetime(2026, 6, 1, tzinfo=UTC), "2026-06-01T00:00:00Z")


def past(client: JouloClient) -> Awaitable[SessionPage]:
    """Ask for a page of the past."""
    return client.session_page(until=UNTIL)


DOORS = [
    pytest.param(Endpoint.CHARGERS, JouloClient.chargers, 60, id="chargers"),
    pytest.param(Endpoint.SESSIONS, JouloClient.session_page, 600, id="sessions"),
    pytest.param(Endpoint.HISTORY, past, 5, id="history"),
    pytest.param(Endpoint.ENERGY, JouloClient.energy, 600, id="energy"),
    pytest.param(Endpoint.ME, JouloClient.me, 60, id="me"),
]


@pytest.fixture
async def client(url: str) -> AsyncGenerator[JouloClient]:
    """Return a client of the simulated cloud."""
    async with asking(url) as client:
        yield client


# Too early


@pytest.mark.parametrize(("endpoint", "ask", "interval"), DOORS)
async def test_too_early_nothing_is_sent_and_the_last_answer_is_repeated(
    client: JouloClient,
    cloud: SimulatedCloud,
    freezer: FrozenDateTimeFactory,
    endpoint: Endpoint,
    ask: Ask,
    interval: int,
) -> None:
    assert client.rate_limiter.retry_in(endpoint) == 0
    answer = await ask(client)
    assert client.rate_limiter.retry_in(endpoint) == interval
    freezer.tick(interval - 1)
    assert client.rate_limiter.retry_in(endpoint) == 1
    assert await ask(client) is answer
    assert len(cloud.requests) == 1
    freezer.tick(1)
    assert await ask(client) is not answer
    assert len(cloud.requests) == 2
    assert cloud.refused() == []


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.FORBIDDEN, JouloScopeError),
        (Fault.NOT_FOUND, JouloNotFoundError),
        (Fault.SERVER_ERROR, JouloServerError),
        (Fault.NOT_JSON, JouloResponseError),
        (Fault.DROPPED, JouloConnectionError),
    ],
)
async def test_too_early_the_last_error_is_repeated(
    client: JouloClient,
    cloud: SimulatedCloud,
    freezer: FrozenDateTimeFactory,
    fault: Fault,
    error: type[JouloError],
) -> None:
    await client.chargers()
    freezer.tick(60)
    cloud.fail("/chargers", fault, times=1)
    for _ in range(3):
        assert type(await error_of(client.chargers())) is error
    assert cloud.count("/chargers") == 2
    freezer.tick(60)
    assert await client.chargers()


async def test_too_early_another_question_is_refused(
    client: JouloClient, cloud: SimulatedCloud, freezer: FrozenDateTimeFactory
) -> None:
    page = await client.session_page()
    freezer.tick(100)
    error = await error_of(client.session_page(since=datetime(2026, 6, 1, tzinfo=UTC)))
    assert isinstance(error, JouloTooEarlyError)
    assert error.retry_after == 500
    assert await client.session_page() is page
    assert cloud.count("/sessions") == 1


async def test_the_doors_open_by_themselves(client: JouloClient, cloud: SimulatedCloud) -> None:
    await client.session_page()
    await past(client)
    await client.chargers()
    await client.energy()
    await client.me()
    assert len(cloud.requests) == 5
    assert cloud.refused() == []


async def test_clients_share_a_gate(url: str, cloud: SimulatedCloud) -> None:
    """A reload makes another client; the rate limiter stays."""
    rate_limiter = RateLimiter()
    async with (
        asking(url, rate_limiter=rate_limiter) as before,
        asking(url, rate_limiter=rate_limiter) as after,
    ):
        assert await after.chargers() == await before.chargers()
    assert cloud.count("/chargers") == 1


async def test_an_account_without_chargers_is_an_answer_too(
    client: JouloClient, cloud: SimulatedCloud
) -> None:
    cloud.fail("/chargers", Fault.EMPTY_ACCOUNT)
    assert [await client.chargers(), await client.chargers()] == [(), ()]
    assert cloud.count("/chargers") == 1


# Retry-After


async def test_retry_after_is_obeyed_and_the_error_counts_down(
    client: JouloClient, cloud: SimulatedCloud, freezer: FrozenDateTimeFactory
) -> None:
    cloud.fail("/chargers", Fault.RATE_LIMITED, times=1, retry_after=3600)
    for left in (3600, 2600, 1600, 600):
        error = await error_of(client.chargers())
        assert type(error) is JouloRateLimitError
        assert error.retry_after == left
        freezer.tick(1000)
    assert cloud.count("/chargers") == 1
    assert await client.chargers()


async def test_a_short_retry_after_does_not_shorten_the_interval(
    client: JouloClient, cloud: SimulatedCloud
) -> None:
    cloud.fail("/chargers", Fault.RATE_LIMITED, retry_after=1)
    await error_of(client.chargers())
    assert client.rate_limiter.retry_in(Endpoint.CHARGERS) == 60


async def test_retry_after_is_obeyed_for_a_day_at_most(
    client: JouloClient, cloud: SimulatedCloud, freezer: FrozenDateTimeFactory
) -> None:
    cloud.fail("/energy", Fault.RATE_LIMITED, times=1, retry_after=7 * DAY)
    await error_of(client.energy())
    freezer.tick(DAY - 1)
    await error_of(client.energy())
    assert cloud.count("/energy") == 1
    freezer.tick(1)
    assert await client.energy()


@pytest.mark.parametrize(
    ("first", "second"), [(JouloClient.session_page, past), (past, JouloClient.session_page)]
)
async def test_retry_after_holds_for_both_doors_of_sessions(
    client: JouloClient,
    cloud: SimulatedCloud,
    freezer: FrozenDateTimeFactory,
    first: Ask,
    second: Ask,
) -> None:
    cloud.fail("/sessions", Fault.RATE_LIMITED, times=1, retry_after=3600)
    await error_of(first(client))
    assert isinstance(await error_of(second(client)), JouloRateLimitError)
    assert cloud.count("/sessions") == 1
    assert client.rate_limiter.retry_in(Endpoint.CHARGERS) == 0
    freezer.tick(3600)
    assert await second(client)


async def test_a_sibling_that_joulo_closed_does_not_pass_an_old_answer_off_as_new(
    client: JouloClient, cloud: SimulatedCloud, freezer: FrozenDateTimeFactory
) -> None:
    await client.session_page()
    cloud.fail("/sessions", Fault.RATE_LIMITED, retry_after=3600)
    await error_of(past(client))
    freezer.tick(1800)
    assert isinstance(await error_of(client.session_page()), JouloRateLimitError)


# What closes no endpoint, or more than one


async def test_after_a_401_nothing_is_sent_at_all(
    client: JouloClient,
    cloud: SimulatedCloud,
    account: SimulatedAccount,
    freezer: FrozenDateTimeFactory,
) -> None:
    await client.chargers()
    account.rotate_token()
    await error_of(client.energy())
    assert client.rate_limiter.token_rejected
    freezer.tick(30 * DAY)
    for ask in (client.chargers, client.session_page, client.energy, client.me):
        assert isinstance(await error_of(ask()), JouloAuthError)
    assert [request.path for request in cloud.requests] == ["/chargers", "/energy"]


async def test_a_401_stands_although_another_door_fails_later(
    client: JouloClient, cloud: SimulatedCloud, freezer: FrozenDateTimeFactory
) -> None:
    cloud.fail("/energy", Fault.TIMEOUT)
    cloud.fail("/chargers", Fault.UNAUTHORIZED)
    hanging = asyncio.create_task(client.energy())
    await until(lambda: cloud.count("/energy") == 1)
    await error_of(client.chargers())
    freezer.tick(16)
    assert isinstance(await error_of(hanging), JouloConnectionError)
    assert client.rate_limiter.token_rejected
    freezer.tick(DAY)
    assert isinstance(await error_of(client.chargers()), JouloAuthError)
    assert cloud.count("/chargers") == 1


async def test_a_request_that_never_reached_joulo_closes_no_door(
    cloud: SimulatedCloud, unused_tcp_port: int
) -> None:
    async with asking(f"http://127.0.0.1:{unused_tcp_port}") as client:
        assert isinstance(await error_of(client.chargers()), JouloConnectionError)
        assert client.rate_limiter.retry_in(Endpoint.CHARGERS) == 0
        async with serve(cloud, unused_tcp_port):
            assert await client.chargers()


async def test_an_answer_that_did_not_come_closes_the_door(
    client: JouloClient, cloud: SimulatedCloud, freezer: FrozenDateTimeFactory
) -> None:
    """It counts from the end: the request may have been answered just then."""
    cloud.fail("/chargers", Fault.TIMEOUT)
    hanging = asyncio.create_task(client.chargers())
    await until(lambda: cloud.count("/chargers") == 1)
    freezer.tick(16)
    await error_of(hanging)
    assert client.rate_limiter.retry_in(Endpoint.CHARGERS) == 60


@pytest.mark.parametrize(
    ("fault", "error"),
    [(Fault.NOT_FOUND, JouloNotFoundError), (Fault.FORBIDDEN, JouloScopeError)],
)
async def test_what_an_account_lacks_is_not_asked_for_again_that_day(
    client: JouloClient,
    cloud: SimulatedCloud,
    freezer: FrozenDateTimeFactory,
    fault: Fault,
    error: type[JouloError],
) -> None:
    cloud.fail("/me", fault)
    for _ in range(24):
        assert isinstance(await error_of(client.me()), error)
        freezer.tick(3600)
    assert cloud.count("/me") == 1
    cloud.recover()
    assert (await client.me()).ere_price_mid == cloud.account.ere_price_mid


@pytest.mark.parametrize("fault", [Fault.NOT_FOUND, Fault.FORBIDDEN])
async def test_what_every_account_has_is_asked_for_at_the_usual_pace(
    client: JouloClient, cloud: SimulatedCloud, fault: Fault
) -> None:
    cloud.fail("/chargers", fault)
    await error_of(client.chargers())
    assert client.rate_limiter.retry_in(Endpoint.CHARGERS) == 60


# Requests at the same time


async def test_callers_at_the_same_time_share_one_request(
    client: JouloClient, cloud: SimulatedCloud
) -> None:
    first, *others = await asyncio.gather(*(client.chargers() for _ in range(5)))
    assert all(other is first for other in others)
    assert cloud.count("/chargers") == 1


async def test_callers_at_the_same_time_share_one_error(
    client: JouloClient, cloud: SimulatedCloud
) -> None:
    cloud.fail("/chargers", Fault.SERVER_ERROR)
    await asyncio.gather(*(error_of(client.chargers()) for _ in range(5)))
    assert cloud.count("/chargers") == 1


async def test_a_cancelled_request_closes_the_door(
    client: JouloClient, cloud: SimulatedCloud, freezer: FrozenDateTimeFactory
) -> None:
    cloud.fail("/chargers", Fault.TIMEOUT, times=1)
    await cancelled(client.chargers, until_asked=lambda: cloud.count("/chargers") == 1)
    assert isinstance(await error_of(client.chargers()), JouloTooEarlyError)
    assert cloud.count("/chargers") == 1
    freezer.tick(60)
    assert await client.chargers()


async def test_after_a_cancelled_request_the_answer_before_it_still_stands(
    client: JouloClient, cloud: SimulatedCloud, freezer: FrozenDateTimeFactory
) -> None:
    answer = await client.chargers()
    freezer.tick(60)
    cloud.fail("/chargers", Fault.TIMEOUT)
    await cancelled(client.chargers, until_asked=lambda: cloud.count("/chargers") == 2)
    assert await client.chargers() is answer


async def cancelled(ask: Callable[[], Awaitable[object]], until_asked: Callable[[], bool]) -> None:
    """Ask, and give up when the request has reached the cloud."""
    task = asyncio.ensure_future(ask())
    await until(until_asked)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
