"""The simulator behaves like the documented Joulo cloud, seen through a real loopback client."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
import datetime as dt
from email.utils import parsedate_to_datetime
from itertools import pairwise
import json
import os
from pathlib import Path
import signal
import subprocess
import sys
from typing import Any

import aiohttp
from freezegun.api import FrozenDateTimeFactory
import pytest

from .simulator import (
    DEMO_TOKEN,
    ELSEWHERE,
    EVERYWHERE,
    GARAGE_ID,
    OPRIT_ID,
    PATHS,
    SCHUUR_ID,
    Availability,
    Dialect,
    Fault,
    Reboot,
    ScaledClock,
    SimulatedAccount,
    SimulatedCharger,
    SimulatedCloud,
    documented_account,
    lively,
    seeded_account,
    serve,
)
from .simulator.clock import AMSTERDAM

pytestmark = pytest.mark.usefixtures("socket_enabled")

NOON = dt.datetime(2026, 4, 8, 12, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)
HOUR = dt.timedelta(hours=1)
TAG = "DEADBEEF12345678"
ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: status, headers, and the body as bytes."""

    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        """The body as JSON."""
        return json.loads(self.raw)


@dataclass(slots=True)
class Client:
    """A plain HTTP client of one simulator."""

    http: aiohttp.ClientSession
    url: str
    token: str = DEMO_TOKEN

    async def ask(self, method: str, path: str, **options: Any) -> Answer:
        """Send one request with the token and read the whole answer."""
        options.setdefault("headers", {"Authorization": f"Bearer {self.token}"})
        url = self.url + path
        async with self.http.request(method, url, allow_redirects=False, **options) as response:
            return Answer(response.status, response.headers, await response.read())

    async def get(self, path: str, **query: str | int) -> Answer:
        """GET a path with a query."""
        return await self.ask("GET", path, params=query)

    async def post(self, path: str, body: object) -> Answer:
        """POST a JSON body to a path."""
        return await self.ask("POST", path, json=body)


@pytest.fixture
def account(freezer: FrozenDateTimeFactory) -> SimulatedAccount:
    """Return an account with a MID-certified and an uncertified charger, at a frozen noon."""
    freezer.move_to(NOON)
    account = SimulatedAccount()
    account.add_charger(SimulatedCharger(id=GARAGE_ID, nickname="Garage", meter_start_wh=1_000))
    account.add_charger(SimulatedCharger(id=SCHUUR_ID, nickname="Schuur", mid_certified=False))
    return account


@pytest.fixture
def cloud(account: SimulatedAccount) -> SimulatedCloud:
    """Return the cloud of that account."""
    return SimulatedCloud(account)


@pytest.fixture
async def client(cloud: SimulatedCloud) -> AsyncGenerator[Client]:
    """Serve the cloud and return a client for it."""
    async with serve(cloud) as url, aiohttp.ClientSession() as http:
        yield Client(http, url)


async def charger(client: Client, position: int = 0) -> dict[str, Any]:
    """Return one charger as the API lists it."""
    found: dict[str, Any] = (await client.get("/chargers")).body["chargers"][position]
    return found


async def listed(client: Client, **query: str | int) -> list[dict[str, Any]]:
    """Return the sessions that the API lists."""
    found: list[dict[str, Any]] = (await client.get("/sessions", **query)).body["sessions"]
    return found


def ids(sessions: list[dict[str, Any]]) -> list[str]:
    """Return the ids of listed sessions."""
    return [session["id"] for session in sessions]


# The documents' own examples


async def test_the_documented_account_answers_with_the_documented_charger() -> None:
    """GET /chargers is the example of the docs, field by field."""
    async with serve(SimulatedCloud(documented_account())) as url, aiohttp.ClientSession() as http:
        answer = await Client(http, url).get("/chargers")
    assert answer.body == {
        "chargers": [
            {
                "id": "a1b2c3d4-e5f6-7890-abcd-ef1234567890",
                "nickname": "Garage",
                "connection_type": "easee",
                "status": "online",
                "mid_certified": True,
                "is_charging": True,
                "current_session": {
                    "id": "f0e1d2c3-b4a5-6789-0abc-def123456789",
                    "started_at": "2026-04-09T08:15:00Z",
                    "kwh_so_far": 12.45,
                },
                "latest_meter_wh": 5432100,
                "meter_updated_at": "2026-04-09T10:30:00Z",
            }
        ]
    }


async def test_the_documented_account_answers_with_the_documented_session() -> None:
    """GET /sessions lists the example of the docs below the running session."""
    async with serve(SimulatedCloud(documented_account())) as url, aiohttp.ClientSession() as http:
        running, completed = await listed(Client(http, url))
    assert running["status"] == "charging"
    assert completed == {
        "id": "c3d4e5f6-a7b8-9012-cdef-123456789012",
        "charger_id": "a1b2c3d4-e5f6-7890-abcd-ef1234567890",
        "charger_nickname": "Garage",
        "started_at": "2026-04-08T18:30:00Z",
        "ended_at": "2026-04-09T06:45:00Z",
        "kwh": 42.37,
        "status": "completed",
        "ere_credits": 14.10,
    }


# Chargers and sessions in a world that moves


async def test_a_session_starts_grows_and_ends_with_the_clock(
    client: Client, account: SimulatedAccount, freezer: FrozenDateTimeFactory
) -> None:
    """Energy is power times time; the last figure stays."""
    session = account.start_session(GARAGE_ID, power_kw=7.4, tag=TAG)
    freezer.tick(30 * MINUTE)
    body = await charger(client)
    assert body["is_charging"]
    assert body["current_session"] == {
        "id": session.id,
        "started_at": "2026-04-08T12:00:00Z",
        "kwh_so_far": 3.7,
        "id_tag": TAG,
    }
    assert (body["latest_meter_wh"], body["meter_updated_at"]) == (4_700, "2026-04-08T12:30:00Z")
    freezer.tick(30 * MINUTE)
    account.end_session(GARAGE_ID)
    freezer.tick(HOUR)
    assert await charger(client) == {
        "id": GARAGE_ID,
        "nickname": "Garage",
        "connection_type": "easee",
        "status": "online",
        "mid_certified": True,
        "is_charging": False,
        "latest_meter_wh": 8_400,
        "meter_updated_at": "2026-04-08T14:00:00Z",
    }
    assert await listed(client) == [
        {
            "id": session.id,
            "charger_id": GARAGE_ID,
            "charger_nickname": "Garage",
            "started_at": "2026-04-08T12:00:00Z",
            "ended_at": "2026-04-08T13:00:00Z",
            "kwh": 7.4,
            "status": "completed",
            "ere_credits": 2.46,
            "id_tag": TAG,
            "counts_for_ere": True,
        }
    ]


async def test_a_running_session_is_listed_without_an_end(
    client: Client, account: SimulatedAccount, freezer: FrozenDateTimeFactory
) -> None:
    """The status tells whether power flows."""
    account.start_session(GARAGE_ID)
    account.start_session(SCHUUR_ID, power_kw=0)
    freezer.tick(MINUTE)
    found = {session["charger_id"]: session for session in await listed(client)}
    assert all(session["ended_at"] is None for session in found.values())
    assert [found[id_]["status"] for id_ in (GARAGE_ID, SCHUUR_ID)] == ["charging", "active"]


async def test_a_session_without_energy_earns_null(
    client: Client, account: SimulatedAccount, freezer: FrozenDateTimeFactory
) -> None:
    """Zero kWh gives null ERE credits, and a session without a card a null tag."""
    account.start_session(GARAGE_ID, power_kw=0)
    freezer.tick(MINUTE)
    account.end_session(GARAGE_ID)
    (session,) = await listed(client)
    assert (session["kwh"], session["ere_credits"], session["id_tag"]) == (0, None, None)


async def test_a_planned_session_runs_by_itself(
    client: Client, account: SimulatedAccount, freezer: FrozenDateTimeFactory
) -> None:
    """A session of the future shows once it has begun."""
    account.plan_session(GARAGE_ID, NOON + HOUR, NOON + 2 * HOUR, 11.0, TAG)
    assert not (await charger(client))["is_charging"]
    assert account.sessions == []
    freezer.tick(1.5 * HOUR)
    assert (await charger(client))["current_session"]["kwh_so_far"] == 5.5
    freezer.tick(HOUR)
    assert not (await charger(client))["is_charging"]
    assert account.energy_total(GARAGE_ID) == 11


async def test_an_idle_charger_can_say_null(client: Client, account: SimulatedAccount) -> None:
    """`current_session` is absent when idle, or null in another dialect."""
    account.dialect.idle_session_is_null = True
    assert (await charger(client))["current_session"] is None


async def test_an_ocpp_charger_says_that_it_charges(
    client: Client, account: SimulatedAccount
) -> None:
    """A live charger's status follows its session."""
    account.add_charger(SimulatedCharger(id=OPRIT_ID, nickname="Oprit", connection_type="ocpp"))
    account.start_session(OPRIT_ID)
    assert (await charger(client, 2))["status"] == "charging"


def test_a_charger_has_one_session_at_a_time(account: SimulatedAccount) -> None:
    """A charger that is taken takes no other session, now or later."""
    account.start_session(GARAGE_ID)
    with pytest.raises(ValueError, match="taken"):
        account.start_session(GARAGE_ID)
    with pytest.raises(ValueError, match="taken"):
        account.plan_session(GARAGE_ID, NOON + HOUR, NOON + 2 * HOUR)
    with pytest.raises(ValueError, match="No session"):
        account.end_session(SCHUUR_ID)


async def test_chargers_come_go_and_change_their_name(
    client: Client, account: SimulatedAccount, freezer: FrozenDateTimeFactory
) -> None:
    """A removed charger keeps its sessions and can return; an empty account has none."""
    account.start_session(GARAGE_ID, at=NOON - HOUR)
    account.end_session(GARAGE_ID)
    account.rename_charger(GARAGE_ID, "Links")
    garage = account.remove_charger(GARAGE_ID)
    assert (await charger(client))["nickname"] == "Schuur"
    assert (await listed(client))[0]["charger_nickname"] == "Links"
    account.add_charger(garage)
    freezer.tick(MINUTE)
    assert (await charger(client))["nickname"] == "Links"
    account.empty()
    freezer.tick(MINUTE)
    assert (await client.get("/chargers")).body == {"chargers": []}


async def test_a_session_can_be_corrected_and_removed(
    client: Client, account: SimulatedAccount, freezer: FrozenDateTimeFactory
) -> None:
    """Records change afterwards; what the meter counted stays."""
    session = account.start_session(GARAGE_ID, at=NOON - HOUR)
    with pytest.raises(ValueError, match="not completed"):
        account.correct_session(session.id, kwh=1)
    account.end_session(session.id)
    account.correct_session(session.id, kwh=10.5, ended_at=NOON - MINUTE)
    (corrected,) = await listed(client)
    assert (corrected["kwh"], corrected["ended_at"]) == (10.5, "2026-04-08T11:59:00Z")
    account.correct_session(session.id, ended_at=NOON)
    assert account.energy_total() == 10.5
    account.remove_session(session.id)
    assert account.energy_total() == 0
    assert (await charger(client))["latest_meter_wh"] == 12_000
    freezer.tick(10 * MINUTE)
    assert await listed(client) == []


# Pages and filters of the sessions


def ten_sessions(account: SimulatedAccount) -> list[str]:
    """Book ten sessions, one each hour before noon, and return their ids, newest first."""
    return [
        account.plan_session(
            (GARAGE_ID, SCHUUR_ID)[hours % 2], NOON - hours * HOUR, NOON - hours * HOUR + MINUTE
        ).id
        for hours in range(1, 11)
    ]


async def test_sessions_come_in_pages_newest_first(
    client: Client, account: SimulatedAccount, freezer: FrozenDateTimeFactory
) -> None:
    """`limit` and `offset` choose a page and are echoed; there is no total."""
    expected = ten_sessions(account)
    answer = await client.get("/sessions", limit=3, offset=2)
    assert answer.body.keys() == {"sessions", "limit", "offset"}
    assert (answer.body["limit"], answer.body["offset"]) == (3, 2)
    assert ids(answer.body["sessions"]) == expected[2:5]
    freezer.tick(10 * MINUTE)
    assert (await client.get("/sessions")).body["limit"] == 20


async def test_sessions_are_filtered_by_start_and_charger(
    client: Client, account: SimulatedAccount, freezer: FrozenDateTimeFactory
) -> None:
    """`from` and `to` include their own moment; a zone other than UTC is understood."""
    expected = ten_sessions(account)
    window = {"from": "2026-04-08T06:00:00Z", "to": "2026-04-08T11:00:00+02:00"}
    assert ids(await listed(client, **window)) == expected[2:6]
    freezer.tick(5)
    assert ids(await listed(client, **window, charger_id=SCHUUR_ID)) == expected[2:6:2]


@pytest.mark.parametrize(
    "query",
    [{"limit": 0}, {"limit": 101}, {"limit": "many"}, {"offset": -1}, {"from": "yesterday"}],
)
async def test_a_query_out_of_range_is_a_bad_request(
    client: Client, query: dict[str, str | int]
) -> None:
    """The error names the parameter."""
    answer = await client.get("/sessions", **query)
    assert answer.status == 400
    assert answer.body == {"error": f"Invalid {next(iter(query))}"}


# Energy, money and the market


async def test_energy_adds_the_completed_sessions_by_local_month(
    client: Client, account: SimulatedAccount
) -> None:
    """A session belongs to the Amsterdam month of its start; running ones are not counted yet."""
    new_month = dt.datetime(2026, 3, 31, 22, 30, tzinfo=dt.UTC)  # 00:30 on 1 April in Amsterdam
    account.plan_session(GARAGE_ID, new_month - 2 * HOUR, new_month - HOUR, 10.0)
    account.plan_session(GARAGE_ID, new_month, new_month + HOUR, 7.0)
    account.plan_session(SCHUUR_ID, new_month, new_month + HOUR, 3.0)
    account.start_session(GARAGE_ID, at=NOON - HOUR)
    answer = await client.get("/energy")
    assert answer.body == {
        "total_kwh": 17,
        "total_ere_credits": 5.66,
        "total_sessions": 2,
        "total_kwh_all": 20,
        "total_sessions_all": 3,
        "months": [
            {
                "month": "2026-04",
                "kwh": 7,
                "ere_credits": 2.33,
                "sessions": 1,
                "kwh_all": 10,
                "sessions_all": 2,
            },
            {
                "month": "2026-03",
                "kwh": 10,
                "ere_credits": 3.33,
                "sessions": 1,
                "kwh_all": 10,
                "sessions_all": 1,
            },
        ],
    }


async def test_energy_in_the_documented_dialect_counts_every_charger(
    client: Client, account: SimulatedAccount
) -> None:
    """Without the `_all` fields the plain ones hold everything; months can carry a day."""
    account.dialect = Dialect(all_charger_fields=False, month_with_day=True)
    account.plan_session(SCHUUR_ID, NOON - 2 * HOUR, NOON - HOUR, 3.0)
    assert (await client.get("/energy")).body == {
        "total_kwh": 3,
        "total_ere_credits": 1,
        "total_sessions": 1,
        "months": [{"month": "2026-04-01", "kwh": 3, "ere_credits": 1, "sessions": 1}],
    }


async def test_the_books_agree_with_the_answers_to_the_last_digit() -> None:
    """Sums are sums of the rounded figures, in the books, the list and the totals."""
    account = seeded_account(NOON, clock=lambda: NOON)
    async with serve(SimulatedCloud(account)) as url, aiohttp.ClientSession() as http:
        client = Client(http, url)
        energy = (await client.get("/energy")).body
        listing = await listed(client, limit=100)
    assert energy["total_kwh"] == account.energy_total(mid_only=True)
    assert energy["total_kwh_all"] == account.energy_total()
    assert energy["total_ere_credits"] == account.ere_total(mid_only=True)
    assert energy["total_sessions_all"] == account.session_total()
    for key, total in (("kwh", "total_kwh"), ("ere_credits", "total_ere_credits")):
        assert round(sum(month[key] for month in energy["months"]), 2) == energy[total]
    march = [s for s in listing if s["started_at"][:7] == "2026-03" and s["counts_for_ere"]]
    (month,) = [month for month in energy["months"] if month["month"] == "2026-03"]
    assert month["kwh"] == round(sum(session["kwh"] for session in march), 2)
    assert month["sessions"] == len(march) > 0


async def test_price_and_fee_are_what_the_account_says(
    client: Client, account: SimulatedAccount
) -> None:
    """GET /me tells the account, the price per ERE and the fee."""
    account.ere_price_mid, account.effective_fee_pct = 0.505, 25
    assert (await client.get("/me")).body == {
        "id": account.id,
        "ere_price_mid": 0.505,
        "effective_fee_pct": 25,
    }


async def test_the_market_position_adds_up() -> None:
    """Each quarter's ERE is paid, payable, reserved or unsold, and the parts make the whole."""
    late = dt.datetime(2026, 11, 8, 12, tzinfo=dt.UTC)
    account = seeded_account(late, clock=lambda: late)
    async with serve(SimulatedCloud(account)) as url, aiohttp.ClientSession() as http:
        body = (await Client(http, url).get("/ere-position")).body
    sold = [body[stage]["ere"] for stage in ("paid", "payable", "reserved")]
    assert all(ere > 0 for ere in sold)
    earned = sum(sold) + body["unsold"]["ytd_ere"]
    assert earned == pytest.approx(sum(quarter["ere"] for quarter in body["quarters"]))
    assert body["ytd_expected_eur"] == pytest.approx(earned * 0.495 * 0.8, abs=0.01)
    unsold = body["unsold"]
    assert unsold["forecast_net_eur"] == pytest.approx(
        unsold["ytd_forecast_net_eur"] + unsold["future_forecast_net_eur"]
    )
    assert [quarter["quarter"] for quarter in body["quarters"]] == [
        f"2026-Q{number}" for number in (1, 2, 3, 4)
    ]


async def test_the_market_position_may_be_missing_or_forbidden(
    client: Client, account: SimulatedAccount
) -> None:
    """The undocumented endpoint answers 404 or 403 when switched so."""
    account.ere_position = Availability.MISSING
    assert (await client.get("/ere-position")).status == 404
    account.ere_position = Availability.FORBIDDEN
    answer = await client.get("/ere-position")
    assert answer.status == 403
    assert answer.body == {"error": "Insufficient scope", "required_scope": "ere-position:read"}


# Orders


async def test_a_charger_is_registered_and_its_password_told_once(
    client: Client, cloud: SimulatedCloud
) -> None:
    """POST /chargers answers the OCPP identity, endpoint and password."""
    order = {"nickname": "Oprit", "connection_type": "ocpp", "ocpp_identity": "CHARGER-001"}
    answer = await client.post("/chargers", order)
    assert answer.status == 201
    body = answer.body
    assert body["ocpp"].pop("password")
    assert body == {
        "id": cloud.account.chargers[-1].id,
        "nickname": "Oprit",
        "connection_type": "ocpp",
        "status": "offline",
        "ocpp": {"identity": "CHARGER-001", "endpoint": "wss://ocpp.joulo.nl/CHARGER-001"},
    }
    assert cloud.requests[-1].body == order
    assert b"password" not in (await client.get("/chargers")).raw
    taken = await client.post("/chargers", order)
    assert (taken.status, taken.body) == (409, {"error": "ocpp_identity is already in use"})


async def test_a_charger_without_an_identity_gets_one(client: Client) -> None:
    """The endpoint ends in the identity."""
    answer = await client.post("/chargers", {"nickname": "Oprit", "connection_type": "ocpp"})
    ocpp = answer.body["ocpp"]
    assert ocpp["endpoint"] == f"wss://ocpp.joulo.nl/{ocpp['identity']}"


@pytest.mark.parametrize(
    "body",
    [
        {"connection_type": "ocpp"},
        {"nickname": "", "connection_type": "ocpp"},
        {"nickname": "x" * 101, "connection_type": "ocpp"},
        {"nickname": "Oprit", "connection_type": "easee"},
        {"nickname": "Oprit", "connection_type": "ocpp", "ocpp_identity": "no spaces"},
        ["no object"],
    ],
)
async def test_a_registration_against_the_rules_is_refused(client: Client, body: object) -> None:
    """Nickname, connection type and identity are checked."""
    answer = await client.post("/chargers", body)
    assert answer.status == 400
    assert answer.body["error"]


async def test_a_reboot_is_confirmed_accepted_cooling_down_or_offline(
    client: Client, account: SimulatedAccount, freezer: FrozenDateTimeFactory
) -> None:
    """POST /chargers/reboot tells what came of it; five minutes lie between two reboots."""
    oprit = account.add_charger(
        SimulatedCharger(id=OPRIT_ID, nickname="Oprit", connection_type="ocpp")
    )
    order = {"charger_id": OPRIT_ID, "type": "Soft"}
    answer = await client.post("/chargers/reboot", order)
    assert (answer.status, answer.body) == (200, {"confirmed_by_boot": True})
    assert (await client.post("/chargers/reboot", order)).status == 409
    freezer.tick(5 * MINUTE)
    account.reboot_outcome = Reboot.ACCEPTED
    assert (await client.post("/chargers/reboot", order)).status == 202
    oprit.status = "offline"
    assert (await client.post("/chargers/reboot", order)).status == 503
    assert (await client.post("/chargers/reboot", order | {"type": "Odd"})).status == 400
    assert (await client.post("/chargers/reboot", order | {"charger_id": "?"})).status == 404


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


# Faults


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


# Two seeded years, and a lively future


def test_the_same_seed_gives_the_same_history() -> None:
    """Another seed gives another one; a day later it has only grown."""

    def history(now: dt.datetime, seed: int = 1) -> dict[str, float]:
        account = seeded_account(now, seed, clock=lambda: now)
        return {s.id: float(s.kwh_at(now)) for s in account.sessions}

    today, tomorrow = history(NOON), history(NOON + 24 * HOUR)
    assert today == history(NOON) != history(NOON, seed=2)
    assert len(tomorrow.items() - today.items()) <= 1
    assert 360 <= len(today) <= 440


def test_the_history_holds_the_awkward_sessions() -> None:
    """Midnight, a month end, both clock changes, no energy, no card; and never an overlap."""
    account = seeded_account(NOON, clock=lambda: NOON)
    local = [
        (session.local_start, session.ends_at.astimezone(AMSTERDAM))
        for session in account.sessions
        if session.ends_at
    ]
    assert any(start.date() != end.date() for start, end in local)
    assert any(start.month != end.month for start, end in local)
    shifts = {
        (end.utcoffset() or dt.timedelta()) - (start.utcoffset() or dt.timedelta())
        for start, end in local
    }
    assert shifts == {-HOUR, 0 * HOUR, HOUR}
    assert any(not session.kwh_at(NOON) for session in account.sessions)
    assert len({session.tag for session in account.sessions} - {None}) == 3
    assert None in {session.tag for session in account.sessions}
    assert min(start for start, _ in local) < NOON - dt.timedelta(days=720)
    for charger_ in account.chargers:
        newest_first = account.sessions_of(charger_.id)
        assert newest_first
        assert not any(one.overlaps(other) for one, other in pairwise(newest_first))


def test_credits_follow_the_fraction_of_their_year() -> None:
    """The same energy earns differently in another year."""
    account = SimulatedAccount(clock=lambda: NOON)
    account.add_charger(SimulatedCharger(id=GARAGE_ID, nickname="Garage"))
    earned = []
    for year in (2024, 2025, 2026):
        start = dt.datetime(year, 1, 15, tzinfo=dt.UTC)
        session = account.plan_session(GARAGE_ID, start, start + HOUR, 10.0)
        earned.append(float(session.ere_at(NOON) or 0))
    assert earned == [3.10, 3.23, 3.33]


def test_a_lively_account_charges_by_itself(freezer: FrozenDateTimeFactory) -> None:
    """A session runs at once and ends in a few minutes; another follows on the next charger."""
    freezer.move_to(NOON)
    account = seeded_account(NOON)
    lively(account)
    running = account.running_session(GARAGE_ID)
    assert running is not None
    assert running.started_at == NOON - 40 * MINUTE
    freezer.tick(5 * MINUTE)
    assert account.running_session(GARAGE_ID) is None
    freezer.tick(6 * MINUTE)
    assert account.running_session(OPRIT_ID) is not None
    freezer.tick(dt.timedelta(days=6))
    assert account.sessions[0].started_at > NOON + dt.timedelta(days=5)


# The side door, and the simulator as a programme


async def test_the_books_can_be_read_from_outside(
    client: Client, account: SimulatedAccount, freezer: FrozenDateTimeFactory
) -> None:
    """Without a token, unrecorded, and with the requests counted."""
    session = account.start_session(GARAGE_ID)
    freezer.tick(HOUR)
    account.end_session(GARAGE_ID)
    await client.get("/chargers")
    await client.get("/chargers")
    body = (await client.ask("GET", "/_simulator/books", headers={})).body
    (books,) = body["accounts"]
    assert (books["total_kwh"], books["total_ere_credits"], books["total_sessions"]) == (
        11,
        3.66,
        1,
    )
    assert books["chargers"][0]["total_kwh"] == 11
    assert books["chargers"][0]["newest_session"]["id"] == session.id
    assert books["chargers"][1]["newest_session"] is None
    assert body["requests"] == {"total": 2, "refused": 1, "by_path": {"/chargers": 2}}


async def test_faults_can_be_planned_from_outside(client: Client) -> None:
    """And taken back."""
    plan = {"path": "/me", "fault": "server_error", "times": 5}
    assert (await client.post("/_simulator/faults", plan)).status == 204
    assert (await client.get("/me")).status == 500
    assert (await client.ask("DELETE", "/_simulator/faults")).status == 204
    assert (await client.get("/me")).status == 200
    wrong_plans: list[object] = [{"fault": "odd"}, {"fault": "timeout", "path": "/odd"}, {}, []]
    for wrong in wrong_plans:
        assert (await client.post("/_simulator/faults", wrong)).status == 400


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_programme_says_where_it_listens_and_stops_on_a_signal(number: signal.Signals) -> None:
    """One line on standard output, then silence and a clean end."""
    command = [sys.executable, "-m", "tests.simulator", "--port", "0", "--empty"]
    with subprocess.Popen(  # noqa: S603 - this repository's own programme
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as programme:
        assert programme.stdout is not None
        line = programme.stdout.readline()
        os.kill(programme.pid, number)
        rest, _ = programme.communicate(timeout=30)
    assert line.startswith("Joulo simulator on http://127.0.0.1:")
    assert rest == ""
    assert programme.returncode == 0


def test_the_simulator_needs_no_home_assistant() -> None:
    """It stands on aiohttp and the standard library, apart from what it is used to test."""
    question = "import sys, tests.simulator; print({'homeassistant', 'custom_components'} & {*sys.modules})"
    command = [sys.executable, "-c", question]
    loaded = subprocess.check_output(command, cwd=ROOT, text=True)  # noqa: S603 - as above
    assert loaded == "set()\n"


def test_every_path_of_the_api_can_fail(cloud: SimulatedCloud) -> None:
    """Faults know the same paths as the routes."""
    for path in PATHS:
        cloud.fail(path, Fault.SERVER_ERROR)
        assert cloud.next_fault(path) is not None
