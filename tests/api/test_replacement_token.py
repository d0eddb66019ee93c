"""A replacement token of the same account keeps the rate limiter's timing, not its rejection."""

from collections.abc import AsyncGenerator

from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.joulo.api import Endpoint, JouloClient, JouloTooEarlyError, RateLimiter
from tests.simulator import (
    EVERYWHERE,
    Fault,
    SimulatedAccount,
    SimulatedCharger,
    SimulatedCloud,
)

from . import client_of, error_of

pytestmark = pytest.mark.usefixtures("socket_enabled")


@pytest.fixture
async def client(url: str) -> AsyncGenerator[JouloClient]:
    """Return a client of the simulated cloud."""
    async with client_of(url) as client:
        yield client


async def test_a_replacement_token_keeps_the_intervals_and_nothing_else(
    client: JouloClient, url: str, cloud: SimulatedCloud, account: SimulatedAccount
) -> None:
    await client.chargers()
    cloud.fail("/me", Fault.FORBIDDEN, times=1)
    await error_of(client.account_profile())
    rate_limiter = RateLimiter()
    rate_limiter.share_timings(client.rate_limiter)
    cloud.forget_requests()
    async with client_of(url, token=account.rotate_token(), rate_limiter=rate_limiter) as after:
        assert isinstance(await error_of(after.chargers()), JouloTooEarlyError)
        assert (await after.account_profile()).data.id == account.id
    assert [request.path for request in cloud.requests] == ["/me"]


async def test_a_replacement_token_may_be_tried_at_once_after_a_refusal(
    client: JouloClient, url: str, account: SimulatedAccount
) -> None:
    token = account.rotate_token()
    await error_of(client.chargers())
    rate_limiter = RateLimiter()
    rate_limiter.share_timings(client.rate_limiter)
    assert (client.rate_limiter.is_refused, rate_limiter.is_refused) == (True, False)
    async with client_of(url, token=token, rate_limiter=rate_limiter) as after:
        assert await after.chargers()


async def test_a_replacement_token_obeys_retry_after(
    client: JouloClient, cloud: SimulatedCloud
) -> None:
    cloud.fail("/chargers", Fault.RATE_LIMITED, retry_after=3600)
    await error_of(client.chargers())
    rate_limiter = RateLimiter()
    rate_limiter.share_timings(client.rate_limiter)
    assert rate_limiter.retry_in(Endpoint.CHARGERS) == 3600


async def test_a_replacement_token_can_adopt_the_answers_of_the_last(
    client: JouloClient, url: str, cloud: SimulatedCloud, account: SimulatedAccount
) -> None:
    chargers, page = await client.chargers(), await client.session_page()
    rate_limiter = RateLimiter()
    rate_limiter.share_timings(client.rate_limiter)
    rate_limiter.adopt_answers(client.rate_limiter)
    async with client_of(url, token=account.rotate_token(), rate_limiter=rate_limiter) as after:
        assert await after.chargers() is chargers
        assert await after.session_page() is page
        assert isinstance(await error_of(after.session_page(offset=100)), JouloTooEarlyError)
        assert await after.energy()
    assert len(cloud.requests) == 3


async def test_an_answer_is_adopted_only_by_an_endpoint_that_has_none(
    client: JouloClient,
    url: str,
    account: SimulatedAccount,
    freezer: FrozenDateTimeFactory,
) -> None:
    before = await client.chargers()
    rate_limiter = RateLimiter()
    rate_limiter.share_timings(client.rate_limiter)
    freezer.tick(60)
    account.add_charger(SimulatedCharger(nickname="Carport"))
    async with client_of(url, rate_limiter=rate_limiter) as after:
        now = await after.chargers()
        rate_limiter.adopt_answers(client.rate_limiter)
        assert await after.chargers() is now
    assert len(now.data) == len(before.data) + 1


async def test_errors_are_not_adopted(client: JouloClient, cloud: SimulatedCloud) -> None:
    cloud.fail(EVERYWHERE, Fault.SERVER_ERROR)
    await error_of(client.chargers())
    rate_limiter = RateLimiter()
    rate_limiter.share_timings(client.rate_limiter)
    rate_limiter.adopt_answers(client.rate_limiter)
    client.rate_limiter = rate_limiter
    assert isinstance(await error_of(client.chargers()), JouloTooEarlyError)
