"""Clocks that are wrong, ours or Joulo's: what is told follows from what Joulo lists, not from a clock."""

from datetime import timedelta

from freezegun.api import FrozenDateTimeFactory
import pytest

from tests.conftest import NOW
from tests.events import COMPLETED, STARTED, Told
from tests.home import Home
from tests.quarter import WorldClock
from tests.simulator import GARAGE_ID, SimulatedAccount, SimulatedCloud, seeded_account
from tests.timing import POLL, READ

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
EVENT = "event.garage_charging_session"


@pytest.fixture
def world() -> WorldClock:
    """Return the true time, which Joulo lives by."""
    return WorldClock()


@pytest.fixture
def account(world: WorldClock) -> SimulatedAccount:
    """Return the recent account, in the true time."""
    return seeded_account(NOW, days=45, clock=world)


@pytest.fixture(autouse=True)
def _true_limits(cloud: SimulatedCloud, world: WorldClock) -> None:
    """Let Joulo's limits follow the true time too."""
    cloud.wall = world


def move_clock(freezer: FrozenDateTimeFactory, world: WorldClock, change: timedelta) -> None:
    """Set the clock of Home Assistant's machine otherwise; the true time stays."""
    freezer.tick(change)
    world.astray += change


async def charge(home: Home, account: SimulatedAccount, *, reads: int = 2) -> str:
    """Let a session run for an hour and be read; return its id."""
    session = account.start_session(GARAGE_ID)
    await home.poll()
    await home.wait(3600)
    account.end_session(GARAGE_ID)
    await home.poll()
    for _ in range(reads):
        await home.wait(READ)
    return session.id


@pytest.mark.parametrize("error", [30 * DAY, -365 * 6 * DAY, -3 * HOUR], ids=str)
async def test_an_installation_by_a_wrong_clock_tells_nothing_of_the_past_and_all_that_follows(
    new_home: Home,
    account: SimulatedAccount,
    world: WorldClock,
    freezer: FrozenDateTimeFactory,
    told: Told,
    error: timedelta,
) -> None:
    move_clock(freezer, world, error)
    await new_home.set_up()
    await new_home.read_all()
    world.astray -= error
    await new_home.restart(away=(2 * HOUR - error).total_seconds())
    await new_home.hours(3)
    assert told == []
    session_id = await charge(new_home, account)
    assert [(event["event_type"], event["session_id"]) for event in told] == [
        (STARTED, session_id),
        (COMPLETED, session_id),
    ]
    assert [event["late"] for event in told] == [False, False]


async def test_a_session_of_the_first_minutes_is_told_though_joulos_clock_is_behind(
    new_home: Home, account: SimulatedAccount, world: WorldClock, told: Told
) -> None:
    world.astray = timedelta(minutes=10)
    await new_home.set_up()
    await new_home.read_all()
    session_id = await charge(new_home, account)
    assert [(event["event_type"], event["session_id"]) for event in told] == [
        (STARTED, session_id),
        (COMPLETED, session_id),
    ]


@pytest.mark.parametrize("error", [timedelta(), -3 * HOUR, 3 * HOUR], ids=str)
@pytest.mark.parametrize("away", [900, 7200])
async def test_what_passed_while_home_assistant_was_down_is_told_late_whatever_its_clock_says(
    home: Home,
    account: SimulatedAccount,
    world: WorldClock,
    told: Told,
    error: timedelta,
    away: int,
) -> None:
    await home.hours()
    now = account.clock()
    account.plan_session(GARAGE_ID, now + timedelta(seconds=60), now + timedelta(seconds=away - 60))
    world.astray += error
    await home.restart(away=away + error.total_seconds())
    for _ in range(5):
        await home.wait(3600)
    assert [(event["event_type"], event["late"]) for event in told] == [
        (STARTED, True),
        (COMPLETED, True),
    ]


async def test_what_happens_soon_after_a_restart_is_not_late(
    home: Home, account: SimulatedAccount, told: Told
) -> None:
    """Though `/sessions` may not be asked yet."""
    await home.restart(away=61)
    await charge(home, account, reads=3)
    assert [(event["event_type"], event["late"]) for event in told] == [
        (STARTED, False),
        (COMPLETED, False),
    ]


async def test_a_reload_is_no_absence(home: Home, account: SimulatedAccount, told: Told) -> None:
    await home.wait(POLL)
    account.start_session(GARAGE_ID)
    await home.reload()
    await home.poll()
    assert [event["late"] for event in told] == [False]


async def test_a_session_that_was_neither_seen_nor_read_before_the_second_read_is_not_late(
    home: Home, account: SimulatedAccount, told: Told
) -> None:
    """A session between two polls, when the first read after a restart was long ago."""
    await home.restart(away=700)
    await home.hours(1)
    now = account.clock()
    account.plan_session(GARAGE_ID, now + timedelta(seconds=70), now + timedelta(seconds=100))
    for _ in range(2):
        await home.hours()
    assert [event["late"] for event in told] == [False, False]
