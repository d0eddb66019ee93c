"""The side door, and the simulator as a programme."""

import os
from pathlib import Path
import signal
import subprocess
import sys

from freezegun.api import FrozenDateTimeFactory
import pytest

from tests.simulator import (
    GARAGE_ID,
    SimulatedAccount,
)
from tests.simulator_tests.client import (
    HOUR,
    Client,
)

ROOT = Path(__file__).parents[2]


@pytest.mark.usefixtures("socket_enabled")
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


@pytest.mark.usefixtures("socket_enabled")
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
    """A line for each service on standard output, then silence and a clean end."""
    command = [sys.executable, "-m", "tests.simulator", "--port", "0", "--empty"]
    with subprocess.Popen(  # noqa: S603 - this repository's own programme
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as programme:
        assert programme.stdout is not None
        lines = [programme.stdout.readline() for _ in range(2)]
        os.kill(programme.pid, number)
        rest, _ = programme.communicate(timeout=30)
    for line, service in zip(lines, ("DER Connect", "Joulo"), strict=True):
        assert line.startswith(f"{service} simulator on http://127.0.0.1:")
    assert rest == ""
    assert programme.returncode == 0


def test_the_simulator_needs_no_home_assistant() -> None:
    """It stands on aiohttp and the standard library, apart from what it is used to test."""
    question = "import sys, tests.simulator; print({'homeassistant', 'custom_components'} & {*sys.modules})"
    command = [sys.executable, "-c", question]
    loaded = subprocess.check_output(command, cwd=ROOT, text=True)  # noqa: S603 - as above
    assert loaded == "set()\n"
