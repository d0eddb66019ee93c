"""Energy, money and the market: they add up."""

import datetime as dt

import aiohttp
import pytest

from tests.simulator import (
    GARAGE_ID,
    SCHUUR_ID,
    Availability,
    Dialect,
    SimulatedAccount,
    SimulatedCloud,
    seeded_account,
    serve,
)
from tests.simulator_tests.client import (
    HOUR,
    NOON,
    Client,
    listed,
)

pytestmark = pytest.mark.usefixtures("socket_enabled")


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
