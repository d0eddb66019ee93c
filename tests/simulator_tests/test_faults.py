"""Every way in which an answer can go wrong."""

import asyncio
import datetime as dt
import json

import aiohttp
from freezegun.api import FrozenDateTimeFactory
import pytest

from tests.simulator import (
    ELSEWHERE,
    EVERYWHERE,
    PATHS,
    Fault,
    SimulatedCloud,
    serve,
)
from tests.simulator_tests.client import (
    HOUR,
    MINUTE,
    NOON,
    Client,
    charger,
)

pytestmark = pytest.mark.usefixtures("socket_enabled")


@pytest.mark.parametrize(
    ("fault", "status", "body"),
    [
        (Fault.UNAUTHORIZED, 401, {"error": "Missing or invalid API token"}),
        (Fault.FORBIDDEN, 403, {"error": "Insufficient scope", "required_scope": "chargers:read"}),
        (Fault.NOT_FOUND, 404, {"error": "Not found"}),
        (Fault.RATE_LIMITED, 429, {"error": "Rate limit exceeded"}),
        (Fault.SERVER_ERROR, 500, {"error": "Unexpected error"}),
        (Fault.EMPTY_ACCOUNT, 200, {"chargers": []}),
    ],
)
async def test_a_fault_answers_with_its_status_and_error(
    client: Client, cloud: SimulatedCloud, fault: Fault, status: int, body: dict[str, str]
) -> None:
    """It is recorded as a fault, not as a refusal by the rate limit."""
    cloud.fail("/chargers", fault)
    answer = await client.get("/chargers")
    assert (answer.status, answer.body) == (status, body)
    assert "Retry-After" not in answer.headers
    assert (cloud.requests[-1].fault, cloud.requests[-1].status) == (fault, status)
    assert cloud.refused() == []


@pytest.mark.parametrize(
    ("wait", "header"),
    [(120, "120"), (NOON + HOUR, "Wed, 08 Apr 2026 13:00:00 GMT"), ("soon", "soon")],
)
async def test_a_fault_asks_for_a_wait_in_either_form(
    client: Client, cloud: SimulatedCloud, wait: int | str | dt.datetime, header: str
) -> None:
    """`Retry-After` in seconds, as a date, or as nonsense."""
    cloud.fail("/me", Fault.RATE_LIMITED, retry_after=wait)
    assert (await client.get("/me")).headers["Retry-After"] == header


async def test_a_gateway_answers_with_html(client: Client, cloud: SimulatedCloud) -> None:
    """502 comes from before the API."""
    cloud.fail(EVERYWHERE, Fault.BAD_GATEWAY)
    answer = await client.get("/me")
    assert answer.status == 502
    assert answer.raw.startswith(b"<html>")


async def test_a_redirect_leads_elsewhere(client: Client, cloud: SimulatedCloud) -> None:
    """Whoever follows it shows in the record."""
    cloud.fail("/me", Fault.REDIRECT)
    answer = await client.get("/me")
    assert (answer.status, answer.headers["Location"]) == (302, ELSEWHERE)
    await client.get(answer.headers["Location"])
    assert cloud.count(ELSEWHERE) == 1


async def test_json_can_be_damaged(client: Client, cloud: SimulatedCloud) -> None:
    """Halved, honest about its length, or no JSON at all."""
    whole = (await client.get("/me")).raw
    cloud.fail("/me", Fault.TRUNCATED)
    half = await client.get("/me")
    assert half.raw == whole[: len(whole) // 2]
    assert half.headers["Content-Length"] == str(len(half.raw))
    cloud.fail("/me", Fault.NOT_JSON)
    with pytest.raises(json.JSONDecodeError):
        _ = (await client.get("/me")).body


async def test_values_can_have_the_wrong_types(
    client: Client, cloud: SimulatedCloud, freezer: FrozenDateTimeFactory
) -> None:
    """Lists become objects, or values something else."""
    cloud.fail("/chargers", Fault.WRONG_SHAPE)
    assert (await client.get("/chargers")).body["chargers"].keys() == {"0", "1"}
    freezer.tick(MINUTE)
    cloud.account.dialect.idle_session_is_null = True
    cloud.fail("/chargers", Fault.WRONG_TYPES)
    assert await charger(client, 1) == {
        "id": 36,
        "nickname": 6,
        "connection_type": 5,
        "status": 6,
        "mid_certified": "false",
        "is_charging": "false",
        "current_session": [],
    }


async def test_an_answer_can_be_enormous(client: Client, cloud: SimulatedCloud) -> None:
    """More than ten megabytes of good JSON."""
    cloud.fail("/me", Fault.ENORMOUS)
    answer = await client.get("/me")
    assert len(answer.raw) > 10_000_000
    assert answer.body["ere_price_mid"] == 0.495


async def test_the_connection_can_drop_before_or_within_the_answer(
    client: Client, cloud: SimulatedCloud
) -> None:
    """No answer is recorded where none was given."""
    cloud.fail("/me", Fault.DROPPED)
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await client.get("/me")
    assert {request.status for request in cloud.requests} == {None}
    assert cloud.refused() == []
    cloud.fail("/me", Fault.CUT_OFF)
    with pytest.raises(aiohttp.ClientPayloadError):
        await client.get("/me")
    assert cloud.requests[-1].status == 200


async def test_a_server_that_never_answers_still_closes(cloud: SimulatedCloud) -> None:
    """A request left hanging ends with the server."""
    cloud.fail("/me", Fault.TIMEOUT)
    async with aiohttp.ClientSession() as http:
        async with serve(cloud) as url:
            hanging = asyncio.create_task(Client(http, url).get("/me"))
            while not cloud.count("/me"):  # noqa: ASYNC110 - an unanswered request tells nobody
                await asyncio.sleep(0)
            assert not hanging.done()
        with pytest.raises(aiohttp.ClientConnectionError):
            await hanging
    assert cloud.requests[-1].status is None


async def test_a_client_that_gives_up_leaves_the_server_well(
    client: Client, cloud: SimulatedCloud
) -> None:
    """Only the hanging request is lost."""
    cloud.fail("/me", Fault.TIMEOUT, times=1)
    hanging = asyncio.create_task(client.get("/me"))
    while not cloud.count("/me"):  # noqa: ASYNC110 - an unanswered request tells nobody
        await asyncio.sleep(0)
    hanging.cancel()
    assert (await client.get("/me")).status == 200


async def test_faults_end_after_their_number_or_on_recovery(
    client: Client, cloud: SimulatedCloud
) -> None:
    """A fault of a path goes before one that is everywhere."""
    cloud.fail(EVERYWHERE, Fault.SERVER_ERROR)
    cloud.fail("/me", Fault.NOT_FOUND, times=2)
    assert [(await client.get("/me")).status for _ in range(3)] == [404, 404, 500]
    cloud.recover()
    assert (await client.get("/me")).status == 200
    with pytest.raises(ValueError, match="no path"):
        cloud.fail("/charger", Fault.SERVER_ERROR)


async def test_a_server_error_uses_the_interval_and_a_refusal_does_not(
    client: Client, cloud: SimulatedCloud
) -> None:
    """After a 500 the interval runs; after a 401 or 429 the next request is welcome."""
    for fault in (Fault.UNAUTHORIZED, Fault.RATE_LIMITED, Fault.SERVER_ERROR):
        cloud.fail("/chargers", fault, times=1)
        assert (await client.get("/chargers")).status in (401, 429, 500)
    assert [request.refused for request in cloud.requests] == [False] * 3
    assert (await client.get("/chargers")).status == 429
    assert len(cloud.refused()) == 1


def test_every_path_of_the_api_can_fail(cloud: SimulatedCloud) -> None:
    """Faults know the same paths as the routes."""
    for path in PATHS:
        cloud.fail(path, Fault.SERVER_ERROR)
        assert cloud.next_fault(path) is not None
