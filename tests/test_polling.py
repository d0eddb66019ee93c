"""A day of polling: how soon the final figures of sessions are there, and what that costs in requests."""

from datetime import UTC, datetime, timedelta
from statistics import median

import pytest

from tests.conftest import NOW, Advance
from tests.home import Home
from tests.simulator import GARAGE_ID, SimulatedAccount, SimulatedCloud, SimulatedSession
from tests.timing import DAY, POLL

HOUR = timedelta(hours=1)
PHASES = 8


@pytest.fixture
def sessions(account: SimulatedAccount) -> list[SimulatedSession]:
    """Return the sessions of a day, whose ends lie at eight phases of the minute's and the hour's polls."""
    starts = [NOW + (0.4 + 2.8 * each) * HOUR for each in range(PHASES)]
    return [
        account.plan_session(
            GARAGE_ID, start, start + HOUR + each * timedelta(seconds=450 + POLL / PHASES)
        )
        for each, start in enumerate(starts)
    ]


async def test_final_figures_are_there_within_a_minute_at_a_cost_of_1490_requests_a_day(
    home: Home, cloud: SimulatedCloud, sessions: list[SimulatedSession], live: Advance
) -> None:
    await home.read_all()
    cloud.forget_requests()
    waits: list[float] = []
    for session in sessions:
        assert session.ends_at is not None
        await live((session.ends_at - datetime.now(UTC)).total_seconds())
        while home.state("sensor.garage_last_session_end") != session.ends_at.isoformat():
            await live(5)
        assert home.number("sensor.garage_last_session_energy") == float(
            session.kwh_at(session.ends_at)
        )
        waits.append((datetime.now(UTC) - session.ends_at).total_seconds())
    await live((NOW + timedelta(seconds=DAY) - datetime.now(UTC)).total_seconds())
    assert median(waits) <= 60
    assert max(waits) <= 2 * POLL
    assert len(cloud.requests) <= 1490
    assert {request.path for request in cloud.requests} == {
        "/chargers",
        "/sessions",
        "/energy",
        "/me",
        "/ere-position",
    }
