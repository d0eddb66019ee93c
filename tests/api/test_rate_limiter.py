"""The rate limiter keeps Joulo's intervals. Too early nothing is sent, and the last result is repeated."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
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
    Response,
    SessionPage,
)
from tests.simulator import (
    Fault,
    SimulatedAccount,
    SimulatedCloud,
    serve,
)

from . import client_of, error_of, until

pytestmark = pytest.mark.usefixtures("socket_enabled")

type Fetch = Callable[[JouloClient], Awaitable[object]]

DAY = 86_400
UNTIL = Cursor(datetime(2026, 6, 1, tzinfo=UTC), "2026-06-01T00:00:00Z")


def older_page(client: JouloClient) -> Awaitable[Response[SessionPage]]:
    """Fetch a page of older sessions."""
    return client.session_page(until=UNTIL)


ENDPOINTS = [
    pytest.param(Endpoint.CHARGERS, JouloClient.chargers, 60, id="chargers"),
    pytest.param(Endpoint.SESSIONS, JouloClient.session_page, 600, id="sessions"),
    pytest.param(Endpoint.HISTORY, older_page, 5, id="history"),
    pytest.param(Endpoint.ENERGY, JouloClient.energy, 600, id="energy"),
    pytest.param(Endpoint.ME, JouloClient.account_profile, 60, id="me"),
]


@pytest.fixture
async def client(url: str) -> AsyncGenerator[JouloClient]:
    """Return a client of the simulated cloud."""
    async with client_of(url) as client:
        yield client


# Too early


@pytest.mark.parametrize(("endpoint", "fetch", "interval"), ENDPOINTS)
async def test_too_early_nothing_is_sent_and_the_last_response_is_repeated(
    client: JouloClient,
    cloud: SimulatedCloud,
    freezer: FrozenDateTimeFactory,
    endpoint: Endpoint,
    fetch: Fetch,
    interval: int,
) -> None:
    assert client.rate_limiter.retry_in(endpoint) == 0
    response = await fetch(client)
    assert client.rate_limiter.retry_in(endpoint) == interval
    freezer.tick(interval - 1)
    assert client.rate_limiter.retry_in(endpoint) == 1
    assert await fetch(client) is response
    assert len(cloud.requests) == 1
    freezer.tick(1)
    assert await fetch(client) is not response
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


async def test_too_early_another_query_is_refused(
    client: JouloClient, cloud: SimulatedCloud, freezer: FrozenDateTimeFactory
) -> None:
    page = await client.session_page()
    freezer.tick(100)
    error = await error_of(client.session_page(since=datetime(2026, 6, 1, tzinfo=UTC)))
    assert isinstance(error, JouloTooEarlyError)
    assert error.retry_after == 500
    assert await client.session_page() is page
    assert cloud.count("/sessions") == 1


async def test_each_endpoint_has_its_own_interval(
    client: JouloClient, cloud: SimulatedCloud
) -> None:
    await client.session_page()
    await older_page(client)
    await client.chargers()
    await client.energy()
    await client.account_profile()
    assert len(cloud.requests) == 5
    assert cloud.refused() == []


async def test_clients_share_a_rate_limiter(url: str, cloud: SimulatedCloud) -> None:
    """A reload creates another client with the same rate limiter."""
    rate_limiter = RateLimiter()
    async with (
        client_of(url, rate_limiter=rate_limiter) as before,
        client_of(url, rate_limiter=rate_limiter) as after,
    ):
        assert await after.chargers() == await before.chargers()
    assert cloud.count("/chargers") == 1


async def test_an_account_without_chargers_is_a_response_too(
    client: JouloClient, cloud: SimulatedCloud
) -> None:
    cloud.fail("/chargers", Fault.EMPTY_ACCOUNT)
    assert [(await client.chargers()).data for _ in range(2)] == [(), ()]
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
    ("first", "second"),
    [(JouloClient.session_page, older_page), (older_page, JouloClient.session_page)],
)
async def test_retry_after_holds_for_both_endpoints_of_sessions(
    client: JouloClient,
    cloud: SimulatedCloud,
    freezer: FrozenDateTimeFactory,
    first: Fetch,
    second: Fetch,
) -> None:
    cloud.fail("/sessions", Fault.RATE_LIMITED, times=1, retry_after=3600)
    await error_of(first(client))
    assert isinstance(await error_of(second(client)), JouloRateLimitError)
    assert cloud.count("/sessions") == 1
    assert client.rate_limiter.retry_in(Endpoint.CHARGERS) == 0
    freezer.tick(3600)
    assert await second(client)


async def test_an_endpoint_blocked_through_its_path_does_not_repeat_an_old_response(
    client: JouloClient, cloud: SimulatedCloud, freezer: FrozenDateTimeFactory
) -> None:
    await client.session_page()
    cloud.fail("/sessions", Fault.RATE_LIMITED, retry_after=3600)
    await error_of(older_page(client))
    freezer.tick(1800)
    assert isinstance(await error_of(client.session_page()), JouloRateLimitError)


# Errors that block no endpoint, or more than one


async def test_after_two_401s_of_which_the_last_is_the_chargers_nothing_is_sent_at_all(
    client: JouloClient,
    cloud: SimulatedCloud,
    account: SimulatedAccount,
    freezer: FrozenDateTimeFactory,
) -> None:
    await client.chargers()
    account.rotate_token()
    await error_of(client.energy())
    freezer.tick(60)
    await error_of(client.chargers())
    assert client.rate_limiter.token_rejected
    freezer.tick(30 * DAY)
    for fetch in (client.chargers, client.session_page, client.energy, client.account_profile):
        assert isinstance(await error_of(fetch()), JouloAuthError)
    assert [request.path for request in cloud.requests] == ["/chargers", "/energy", "/chargers"]


async def test_401s_of_one_moment_count_as_one(
    client: JouloClient, cloud: SimulatedCloud, freezer: FrozenDateTimeFactory
) -> None:
    for path in ("/energy", "/me", "/chargers"):
        cloud.fail(path, Fault.UNAUTHORIZED, times=1)
    for fetch in (client.energy, client.account_profile, client.chargers):
        await error_of(fetch())
    assert not client.rate_limiter.token_rejected
    freezer.tick(60)
    assert await client.chargers()


async def test_401s_of_another_endpoint_stop_nothing_while_the_chargers_answer(
    client: JouloClient, cloud: SimulatedCloud, freezer: FrozenDateTimeFactory
) -> None:
    cloud.fail("/me", Fault.UNAUTHORIZED)
    for _ in range(5):
        assert await client.chargers()
        await error_of(client.account_profile())
        freezer.tick(60)
    assert not client.rate_limiter.token_rejected
    assert cloud.count("/me") == 5


@pytest.mark.parametrize("is_refused_again", [False, True])
async def test_a_rejected_token_may_be_tried_once_when_the_user_asks_for_it(
    client: JouloClient,
    cloud: SimulatedCloud,
    freezer: FrozenDateTimeFactory,
    *,
    is_refused_again: bool,
) -> None:
    cloud.fail("/chargers", Fault.UNAUTHORIZED, times=3 if is_refused_again else 2)
    for _ in range(2):
        await error_of(client.chargers())
        freezer.tick(60)
    client.rate_limiter.allow_one_try()
    with suppress(JouloAuthError):
        await client.chargers()
    assert client.rate_limiter.token_rejected is is_refused_again
    assert cloud.count("/chargers") == 3


async def test_a_401_stands_although_another_endpoint_fails_later(
    client: JouloClient, cloud: SimulatedCloud, freezer: FrozenDateTimeFactory
) -> None:
    cloud.fail("/energy", Fault.TIMEOUT)
    cloud.fail("/chargers", Fault.UNAUTHORIZED)
    await error_of(client.chargers())
    freezer.tick(60)
    hanging = asyncio.create_task(client.energy())
    await until(lambda: cloud.count("/energy") == 1)
    await error_of(client.chargers())
    freezer.tick(16)
    assert isinstance(await error_of(hanging), JouloConnectionError)
    assert client.rate_limiter.token_rejected
    freezer.tick(DAY)
    assert isinstance(await error_of(client.chargers()), JouloAuthError)
    assert cloud.count("/chargers") == 2


async def test_a_request_that_never_reached_joulo_blocks_no_endpoint(
    cloud: SimulatedCloud, unused_tcp_port: int
) -> None:
    async with client_of(f"http://127.0.0.1:{unused_tcp_port}") as client:
        assert isinstance(await error_of(client.chargers()), JouloConnectionError)
        assert client.rate_limiter.retry_in(Endpoint.CHARGERS) == 0
        async with serve(cloud, unused_tcp_port):
            assert await client.chargers()


async def test_a_request_without_a_response_blocks_the_endpoint(
    client: JouloClient, cloud: SimulatedCloud, freezer: FrozenDateTimeFactory
) -> None:
    """The interval counts from the end: Joulo may have handled the request just then."""
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
async def test_an_endpoint_that_an_account_lacks_is_not_asked_again_that_day(
    client: JouloClient,
    cloud: SimulatedCloud,
    freezer: FrozenDateTimeFactory,
    fault: Fault,
    error: type[JouloError],
) -> None:
    cloud.fail("/me", fault)
    for _ in range(24):
        assert isinstance(await error_of(client.account_profile()), error)
        freezer.tick(3600)
    assert cloud.count("/me") == 1
    cloud.recover()
    assert (await client.account_profile()).data.ere_price_mid == cloud.account.ere_price_mid


@pytest.mark.parametrize("fault", [Fault.NOT_FOUND, Fault.FORBIDDEN])
async def test_an_endpoint_that_every_account_has_keeps_its_usual_interval(
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


async def test_a_cancelled_request_blocks_the_endpoint(
    client: JouloClient, cloud: SimulatedCloud, freezer: FrozenDateTimeFactory
) -> None:
    cloud.fail("/chargers", Fault.TIMEOUT, times=1)
    await cancelled(client.chargers, when=lambda: cloud.count("/chargers") == 1)
    assert isinstance(await error_of(client.chargers()), JouloTooEarlyError)
    assert cloud.count("/chargers") == 1
    freezer.tick(60)
    assert await client.chargers()


async def test_after_a_cancelled_request_the_response_before_it_is_repeated(
    client: JouloClient, cloud: SimulatedCloud, freezer: FrozenDateTimeFactory
) -> None:
    response = await client.chargers()
    freezer.tick(60)
    cloud.fail("/chargers", Fault.TIMEOUT)
    await cancelled(client.chargers, when=lambda: cloud.count("/chargers") == 2)
    assert await client.chargers() is response


async def cancelled(fetch: Callable[[], Awaitable[object]], *, when: Callable[[], bool]) -> None:
    """Send a request, and cancel it once it has reached the cloud."""
    task = asyncio.ensure_future(fetch())
    await until(when)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
