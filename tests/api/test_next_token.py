"""Another token of the same account: the rate limiter's intervals go on, its refusals do not."""

from collections.abc import AsyncGenerator

from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.joulo.api import Endpoint, JouloClient, JouloTooEarlyError
from tests.simulator import (
    EVERYWHERE,
    Fault,
    SimulatedAccount,
    SimulatedCharger,
    SimulatedCloud,
)

from . import asking, error_of

pytestmark = pytest.mark.usefixtures("socket_enabled")


@pytest.fixture
async def client(url: str) -> AsyncGenerator[JouloClient]:
    """Return a client of the simulated cloud."""
    async with asking(url) as client:
        yield client


async def test_the_next_token_keeps_the_intervals_and_nothing_else(
    client: JouloClient, url: str, cloud: SimulatedCloud, account: SimulatedAccount
) -> None:
    await client.chargers()
    cloud.fail("/me", Fault.FORBIDDEN, times=1)
    await error_of(client.me())
    rate_limiter = client.rate_limiter.for_next_token()
    cloud.forget_requests()
    async with asking(url, token=account.rotate_token(), rate_limiter=rate_limiter) as after:
        assert isinstance(await error_of(after.chargers()), JouloTooEarlyError)
        assert (await after.me()).id == account.id
    assert [request.path for request in cloud.requests] == ["/me"]


async def test_the_next_token_may_be_tried_where_the_last_was_refused(
    client: JouloClient, url: str, account: SimulatedAccount
) -> None:
    token = account.rotate_token()
    await error_of(client.chargers())
    rate_limiter = client.rate_limiter.for_next_token()
    assert (client.rate_limiter.token_rejected, rate_limiter.token_rejected) == (True, False)
    async with asking(url, token=token, rate_limiter=rate_limiter) as after:
        assert await after.chargers()


async def test_the_next_token_keeps_waiting_as_joulo_asked(
    client: JouloClient, cloud: SimulatedCloud
) -> None:
    cloud.fail("/chargers", Fault.RATE_LIMITED, retry_after=3600)
    await error_of(client.chargers())
    assert client.rate_limiter.for_next_token().retry_in(Endpoint.CHARGERS) == 3600


async def test_the_next_token_can_begin_with_the_answers_of_the_last(
    client: JouloClient, url: str, cloud: SimulatedCloud, account: SimulatedAccount
) -> None:
    answer, page = await client.chargers(), await client.session_page()
    rate_limiter = client.rate_limiter.for_next_token()
    rate_limiter.accept()
    async with asking(url, token=account.rotate_token(), rate_limiter=rate_limiter) as after:
        assert await after.chargers() is answer
        assert await after.session_page() is page
        assert isinstance(await error_of(after.session_page(offset=100)), JouloTooEarlyError)
        assert await after.energy()
    assert len(cloud.requests) == 3


async def test_answers_are_taken_over_only_where_there_is_none_yet(
    client: JouloClient,
    url: str,
    account: SimulatedAccount,
    freezer: FrozenDateTimeFactory,
) -> None:
    before = await client.chargers()
    rate_limiter = client.rate_limiter.for_next_token()
    freezer.tick(60)
    account.add_charger(SimulatedCharger(nickname="Carport"))
    async with asking(url, rate_limiter=rate_limiter) as after:
        now = await after.chargers()
        rate_limiter.accept()
        assert await after.chargers() is now
    assert len(now) == len(before) + 1


async def test_errors_are_not_taken_over(client: JouloClient, cloud: SimulatedCloud) -> None:
    cloud.fail(EVERYWHERE, Fault.SERVER_ERROR)
    await error_of(client.chargers())
    rate_limiter = client.rate_limiter.for_next_token()
    rate_limiter.accept()
    client.rate_limiter = rate_limiter
    assert isinstance(await error_of(client.chargers()), JouloTooEarlyError)
