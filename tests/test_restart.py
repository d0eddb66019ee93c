"""A restart asks nothing too early, and shows at once what was known before it."""

import logging

from homeassistant.const import STATE_UNAVAILABLE
import pytest

from tests.home import Home
from tests.simulator import Fault, SimulatedAccount
from tests.timing import POLL

LIMITED = {"/chargers", "/sessions", "/energy"}


def unavailable(home: Home) -> list[str]:
    """Return the entities that show nothing."""
    return [entity_id for entity_id, state in home.states().items() if state == STATE_UNAVAILABLE]


@pytest.mark.parametrize("crash", [False, True], ids=["restart", "power cut"])
async def test_twenty_seconds_after_a_poll_everything_is_there_without_a_request(
    home: Home, caplog: pytest.LogCaptureFixture, *, crash: bool
) -> None:
    await home.poll(2)
    before = home.states()
    home.cloud.forget_requests()
    caplog.clear()
    await home.restart(away=20, crash=crash)
    assert home.states() == before
    assert not LIMITED & {request.path for request in home.cloud.requests}
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


@pytest.mark.parametrize("crash", [False, True], ids=["restart", "power cut"])
@pytest.mark.parametrize("seconds", [30, 45, 61])
async def test_a_restart_loop_asks_nothing_too_early(
    home: Home, seconds: int, *, crash: bool
) -> None:
    """The cloud refuses what comes too early, and the fixture `cloud` fails the test then."""
    await home.poll()
    for _ in range(1800 // seconds):
        await home.restart(away=2, crash=crash)
        await home.wait(seconds - 2)
    assert unavailable(home) == []


async def test_after_a_restart_each_endpoint_is_asked_when_its_time_has_come(home: Home) -> None:
    await home.restart(away=20)
    home.cloud.forget_requests()
    await home.wait(POLL)
    assert [request.path for request in home.cloud.requests] == ["/chargers"]
    await home.wait(601 - POLL - 20)
    assert {request.path for request in home.cloud.requests} >= {"/sessions", "/energy"}


async def test_retry_after_holds_across_a_restart(home: Home) -> None:
    home.cloud.fail("/chargers", Fault.RATE_LIMITED, retry_after=7200, times=1)
    await home.poll()
    await home.restart(away=3000)
    home.cloud.forget_requests()
    await home.wait(3600)
    assert home.cloud.count("/chargers") == 0
    await home.wait(700)
    await home.poll()
    assert home.cloud.count("/chargers") > 0


async def test_a_clock_that_went_back_during_a_restart_stands_still(home: Home) -> None:
    await home.restart(away=-3600)
    home.cloud.forget_requests()
    await home.wait(30)
    assert home.cloud.requests == []


async def test_after_a_power_cut_every_endpoint_waits_for_a_whole_interval(home: Home) -> None:
    """What was asked since the last write is not known."""
    await home.wait(3700)
    home.cloud.forget_requests()
    await home.restart(away=1, crash=True)
    await home.wait(POLL - 3)
    assert home.cloud.requests == []
    await home.wait(4)
    assert [request.path for request in home.cloud.requests] == ["/chargers"]


async def test_a_price_outlives_a_restart_into_an_outage_of_the_profile(
    home: Home, account: SimulatedAccount
) -> None:
    price = home.state("sensor.joulo_ere_price")
    home.cloud.fail("/me", Fault.NOT_FOUND)
    await home.restart(away=700)
    assert home.state("sensor.joulo_ere_price") == price


async def test_a_file_without_requests_lets_everything_be_asked(home: Home) -> None:
    """The first version wrote none."""
    await home.unload()
    stored = home.storage[home.storage_key]["data"]
    del stored["requests"], stored["is_last"], stored["run"]
    del home.storage[home.storage_key.replace("history", "run")]
    await home.start_again(601)
    assert home.cloud.count("/chargers") == 2


@pytest.mark.parametrize(
    "damage",
    [[], {}, {"at": "never", "waits": [], "answers": 3}, {"answers": {"CHARGERS": {"body": 1}}}],
)
async def test_damaged_requests_cost_a_wait_and_nothing_else(home: Home, damage: object) -> None:
    await home.unload()
    home.storage[home.storage_key]["data"] |= {"requests": damage, "is_last": False}
    await home.start_again(601)
    for _ in range(7):
        await home.wait(90)
    assert unavailable(home) == []
