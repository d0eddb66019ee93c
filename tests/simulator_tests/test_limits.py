"""Who may ask for what, and how often."""

from email.utils import parsedate_to_datetime

import aiohttp
from freezegun.api import FrozenDateTimeFactory
import pytest

from tests.simulator import (
    DEMO_TOKEN,
    GARAGE_ID,
    ScaledClock,
    SimulatedAccount,
    SimulatedCloud,
    serve,
)
from tests.simulator_tests.client import (
    MINUTE,
    NOON,
    Client,
    charger,
)

pytestmark = pytest.mark.usefixtures("socket_enabled")

# Who may ask, and for what


async def test_only_a_bearer_token_opens_the_account(client: Client, cloud: SimulatedCloud) -> None:
    """No token, a wrong one, and a token in the query are all refused."""
    for headers, query in (
        ({}, {}),
        ({"Authorization": "Bearer wrong"}, {}),
        ({"Authorization": f"Basic {DEMO_TOKEN}"}, {}),
        ({"Authorization": f"Bearer {DEMO_TOKEN}"}, {"token": DEMO_TOKEN}),
    ):
        answer = await client.ask("GET", "/chargers", headers=headers, params=query)
        assert answer.status == 401
        assert answer.body == {"error": "Missing or invalid API token"}
    assert [request.authorized for request in cloud.requests] == [False] * 4


async def test_a_rotated_token_is_dead_at_once(client: Client, account: SimulatedAccount) -> None:
    """The new token works, the old one does not; the rate limits know the account again."""
    assert (await client.get("/chargers")).status == 200
    new = account.rotate_token()
    assert (await client.get("/me")).status == 401
    client.token = new
    assert (await client.get("/me")).status == 200
    assert (await client.get("/chargers")).status == 429


async def test_an_unknown_path_and_a_wrong_method_have_json_errors(client: Client) -> None:
    """404 and 405 look like every other error."""
    unknown = await client.get("/nowhere")
    assert (unknown.status, unknown.body) == (404, {"error": "Not found"})
    wrong = await client.post("/energy", {})
    assert (wrong.status, wrong.body) == (405, {"error": "Method not allowed"})
    assert wrong.headers["Allow"] == "GET"


async def test_the_api_can_live_below_a_prefix(cloud: SimulatedCloud) -> None:
    """The record keeps the paths without it."""
    prefix = "/functions/v1/api"
    async with serve(cloud, prefix=prefix) as url, aiohttp.ClientSession() as http:
        assert url.endswith(prefix)
        assert (await Client(http, url).get("/me")).status == 200
    assert cloud.count("/me") == 1


async def test_two_accounts_share_a_cloud(client: Client, cloud: SimulatedCloud) -> None:
    """Each token opens its own account, with rate limits of its own."""
    cloud.accounts.append(SimulatedAccount(token="joulo_other"))
    assert len((await client.get("/chargers")).body["chargers"]) == 2
    client.token = "joulo_other"
    assert (await client.get("/chargers")).body == {"chargers": []}


# The rate limits


@pytest.mark.parametrize(
    ("question", "seconds"),
    [
        ("/chargers", 60),
        ("/sessions?limit=10", 600),
        ("/energy", 600),
        ("/sessions?to=2026-04-08T12:00:00Z", 5),
    ],
)
async def test_asking_too_fast_is_refused(
    client: Client,
    cloud: SimulatedCloud,
    freezer: FrozenDateTimeFactory,
    question: str,
    seconds: int,
) -> None:
    """`Retry-After` counts down; being refused does not lengthen the wait."""
    assert (await client.get(question)).status == 200
    freezer.tick(seconds - 1.5)
    refused = await client.get(question)
    assert (refused.status, refused.body) == (429, {"error": "Rate limit exceeded"})
    assert refused.headers["Retry-After"] == "2"
    freezer.tick(1.5)
    assert (await client.get(question)).status == 200
    assert [request.status for request in cloud.refused()] == [429]


async def test_retry_after_can_be_a_date(client: Client, cloud: SimulatedCloud) -> None:
    """The same wait as an HTTP date."""
    cloud.retry_after_as_date = True
    await client.get("/chargers")
    refused = await client.get("/chargers")
    assert parsedate_to_datetime(refused.headers["Retry-After"]) == NOON + MINUTE


async def test_history_pages_and_the_newest_sessions_have_separate_limits(client: Client) -> None:
    """`/sessions` with `to` neither uses nor feels the interval of `/sessions`."""
    assert (await client.get("/sessions")).status == 200
    assert (await client.get("/sessions", to="2026-04-08T12:00:00Z")).status == 200


async def test_an_unauthorized_request_starts_no_interval(client: Client) -> None:
    """A 401 costs nothing."""
    assert (await client.ask("GET", "/chargers", headers={})).status == 401
    assert (await client.get("/chargers")).status == 200


async def test_the_limits_follow_the_wall_and_not_the_world(
    account: SimulatedAccount, freezer: FrozenDateTimeFactory
) -> None:
    """A faster world does not allow faster questions."""
    account.clock = ScaledClock(60, NOON)
    async with serve(SimulatedCloud(account)) as url, aiohttp.ClientSession() as http:
        client = Client(http, url)
        account.start_session(GARAGE_ID)
        await client.get("/chargers")
        freezer.tick(59)
        assert account.clock() == NOON + 59 * MINUTE
        assert (await client.get("/chargers")).status == 429
        freezer.tick(1)
        assert (await charger(client))["current_session"]["kwh_so_far"] == 11


async def test_every_request_is_recorded(client: Client, cloud: SimulatedCloud) -> None:
    """The record holds method, path, query, moment and outcome, until it is forgotten."""
    await client.get("/sessions", limit=5)
    (request,) = cloud.requests
    assert (request.method, request.path, request.query) == ("GET", "/sessions", {"limit": "5"})
    assert (request.at, request.status, request.authorized) == (NOON, 200, True)
    assert (cloud.count("/sessions"), cloud.count("/sessions", "POST")) == (1, 0)
    cloud.forget_requests()
    assert cloud.count("/sessions") == 0
