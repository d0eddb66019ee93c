"""A response says when its request was sent; an unchanged body is not parsed again."""

from collections.abc import Awaitable, Callable
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime, timedelta
import threading
from unittest.mock import patch

from aiohttp import web
from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.joulo.api import Endpoint, JouloClient, RateLimiter, Response
from custom_components.joulo.api.rate_limiter import Query
from tests.conftest import NOW

from . import client_of_server, client_receiving, error_of, payload

pytestmark = pytest.mark.usefixtures("socket_enabled")

type Fetch = Callable[[JouloClient], Awaitable[Response[object]]]

READS = pytest.mark.parametrize(
    ("fetch", "name", "interval"),
    [
        pytest.param(JouloClient.chargers, "chargers_documented", 60, id="chargers"),
        pytest.param(JouloClient.session_page, "sessions_documented", 600, id="sessions"),
        pytest.param(JouloClient.energy, "energy_documented", 600, id="energy"),
        pytest.param(JouloClient.account_profile, "me_documented", 60, id="me"),
        pytest.param(JouloClient.ere_position, "me_documented", 600, id="ere-position"),
    ],
)


async def test_a_response_carries_the_moment_when_its_request_was_sent(
    freezer: FrozenDateTimeFactory,
) -> None:
    async def respond_late(_request: web.BaseRequest) -> web.Response:
        freezer.tick(5)
        return web.json_response({"chargers": []})

    async with client_of_server(respond_late) as client:
        response = await client.chargers()
    assert response == Response((), NOW)
    assert response.sent_at.tzinfo is UTC
    assert datetime.now(UTC) == NOW + timedelta(seconds=5)


@READS
async def test_a_repeated_response_carries_the_earlier_moment(
    freezer: FrozenDateTimeFactory, fetch: Fetch, name: str, interval: int
) -> None:
    async with client_receiving(payload(name)) as client:
        first = await fetch(client)
        freezer.tick(interval - 1)
        repeated = await fetch(client)
        freezer.tick(1)
        second = await fetch(client)
    assert repeated is first
    assert first.sent_at == NOW
    assert second.sent_at == NOW + timedelta(seconds=interval)


@READS
async def test_equal_bytes_are_not_parsed_again(
    freezer: FrozenDateTimeFactory, fetch: Fetch, name: str, interval: int
) -> None:
    async with client_receiving(payload(name)) as client:
        first = await fetch(client)
        freezer.tick(interval)
        with patch("custom_components.joulo.api.parsing.json.loads") as loads:
            second = await fetch(client)
    loads.assert_not_called()
    assert second.data is first.data
    assert second.sent_at > first.sent_at


async def test_other_bytes_are_parsed(freezer: FrozenDateTimeFactory) -> None:
    async with client_receiving({"chargers": [{"id": "a"}]}, {"chargers": [{"id": "b"}]}) as client:
        ids = []
        for _ in range(2):
            ids.append([charger.id for charger in (await client.chargers()).data])
            freezer.tick(60)
    assert ids == [["a"], ["b"]]


async def test_bytes_that_cannot_be_parsed_are_an_error_each_time(
    freezer: FrozenDateTimeFactory,
) -> None:
    async with client_receiving(b"[") as client:
        for _ in range(2):
            assert "not JSON" in str(await error_of(client.chargers()))
            freezer.tick(60)


async def test_an_endpoint_does_not_reuse_the_data_of_another(
    freezer: FrozenDateTimeFactory,
) -> None:
    async with client_receiving(b'{"id": "one", "total_kwh": 1}') as client:
        energy = (await client.energy()).data
        profile = (await client.account_profile()).data
    assert energy.total_kwh == 1
    assert profile.id == "one"


@pytest.mark.parametrize(("size", "is_in_thread"), [(30_000, False), (300_000, True)])
async def test_a_long_body_is_parsed_in_a_thread(size: int, *, is_in_thread: bool) -> None:
    async def get(_path: str, _query: Query) -> bytes:
        return b" " * size

    def parse(_body: bytes) -> bool:
        return threading.current_thread() is not threading.main_thread()

    response = await RateLimiter().fetch(Endpoint.CHARGERS, {}, get, parse)
    assert response.data is is_in_thread


async def test_a_long_body_is_not_stored(freezer: FrozenDateTimeFactory) -> None:
    """A start would have to parse it at once."""

    async def get(path: str, _query: Query) -> bytes:
        return b" " * (300_000 if path == "energy" else 30_000)

    rate_limiter = RateLimiter()
    for endpoint in (Endpoint.CHARGERS, Endpoint.ENERGY):
        await rate_limiter.fetch(endpoint, {}, get, len)
    assert rate_limiter.to_stored(NOW)["answers"].keys() == {"CHARGERS"}


def test_a_response_is_frozen() -> None:
    response = Response("data", NOW)
    with pytest.raises(FrozenInstanceError):
        response.sent_at = NOW  # type: ignore[misc]
