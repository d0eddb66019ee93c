"""The ERE position, which Joulo does not document: its amounts, and the rest when sections are missing."""

from collections.abc import AsyncGenerator

from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.joulo.api import (
    Endpoint,
    ErePosition,
    JouloClient,
    JouloNotFoundError,
    JouloResponseError,
    JouloScopeError,
    RateLimiter,
    SoldEre,
    UnsoldEre,
)
from tests.simulator import Availability, Fault, SimulatedAccount, SimulatedCloud
from tests.simulator.position import ere_position

from . import client_of, client_receiving, error_of

pytestmark = pytest.mark.usefixtures("socket_enabled")

DAY = 86_400
PATH = "/ere-position"


@pytest.fixture
async def client(url: str) -> AsyncGenerator[JouloClient]:
    """Return a client of the simulated cloud."""
    async with client_of(url) as client:
        yield client


async def test_the_figures_are_those_that_joulo_sends(
    client: JouloClient, account: SimulatedAccount
) -> None:
    sent = ere_position(account, {})
    position = (await client.ere_position()).data
    assert position == ErePosition(
        paid=SoldEre(net_eur=sent["paid"]["net_eur"]),
        payable=SoldEre(net_eur=sent["payable"]["net_eur"]),
        reserved=SoldEre(net_eur=sent["reserved"]["net_eur"]),
        unsold=UnsoldEre(ere=sent["unsold"]["ere"]),
        total_expected_eur=sent["total_expected_eur"],
    )
    assert position.total_expected_eur
    assert position.unsold.ere


@pytest.mark.parametrize("unusable", [None, 12.5, "12.5", True, [], [{"net_eur": 1}], {}])
async def test_an_unusable_section_leaves_the_others_alone(unusable: object) -> None:
    document = {"paid": {"net_eur": 31.2}, "payable": unusable, "unsold": unusable, "quarters": "?"}
    async with client_receiving(document) as client:
        assert (await client.ere_position()).data == ErePosition(paid=SoldEre(net_eur=31.2))


@pytest.mark.parametrize("figure", [None, True, "a lot", float("nan"), float("inf"), [], {}])
async def test_an_amount_that_is_not_a_number_is_absent(figure: object) -> None:
    document = {
        "paid": {"net_eur": figure},
        "unsold": {"ere": figure},
        "total_expected_eur": figure,
    }
    async with client_receiving(document) as client:
        assert (await client.ere_position()).data == ErePosition()


async def test_numbers_may_come_as_text(client: JouloClient, cloud: SimulatedCloud) -> None:
    position = (await client.ere_position()).data
    replacement = RateLimiter()
    replacement.share_timings(client.rate_limiter)
    client.rate_limiter = replacement
    cloud.fail(PATH, Fault.WRONG_TYPES)
    assert (await client.ere_position()).data == position


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"<html>"])
async def test_a_body_that_is_not_an_object_is_a_response_error(body: bytes) -> None:
    async with client_receiving(body) as client:
        assert isinstance(await error_of(client.ere_position()), JouloResponseError)


async def test_ten_minutes_lie_between_two_requests(
    client: JouloClient, cloud: SimulatedCloud, freezer: FrozenDateTimeFactory
) -> None:
    response = await client.ere_position()
    freezer.tick(599)
    assert client.rate_limiter.retry_in(Endpoint.ERE_POSITION) == 1
    assert await client.ere_position() is response
    assert cloud.count(PATH) == 1
    freezer.tick(1)
    assert await client.ere_position() is not response
    assert cloud.count(PATH) == 2


@pytest.mark.parametrize(
    ("availability", "error"),
    [
        (Availability.MISSING, JouloNotFoundError),
        (Availability.FORBIDDEN, JouloScopeError),
    ],
)
async def test_an_account_without_one_is_not_asked_again_that_day(
    client: JouloClient,
    cloud: SimulatedCloud,
    account: SimulatedAccount,
    freezer: FrozenDateTimeFactory,
    availability: Availability,
    error: type[Exception],
) -> None:
    account.ere_position = availability
    for _ in range(24):
        assert isinstance(await error_of(client.ere_position()), error)
        freezer.tick(DAY / 24)
    assert cloud.count(PATH) == 1
    account.ere_position = Availability.PRESENT
    assert await client.ere_position()


async def test_a_missing_permission_is_tried_again_with_a_replacement_token(
    client: JouloClient, cloud: SimulatedCloud, account: SimulatedAccount
) -> None:
    account.ere_position = Availability.FORBIDDEN
    await error_of(client.ere_position())
    account.ere_position = Availability.PRESENT
    replacement = RateLimiter()
    replacement.share_timings(client.rate_limiter)
    client.rate_limiter = replacement
    assert await client.ere_position()
    assert cloud.count(PATH) == 2
