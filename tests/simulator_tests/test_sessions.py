"""Chargers and sessions in a world that moves, and how they are listed."""

import aiohttp
from freezegun.api import FrozenDateTimeFactory
import pytest

from tests.simulator import (
    GARAGE_ID,
    OPRIT_ID,
    SCHUUR_ID,
    SimulatedAccount,
    SimulatedCharger,
    SimulatedCloud,
    documented_account,
    serve,
)
from tests.simulator_tests.client import (
    HOUR,
    MINUTE,
    NOON,
    TAG,
    Client,
    charger,
    ids,
    listed,
)

pytestmark = pytest.mark.usefixtures("socket_enabled")

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
