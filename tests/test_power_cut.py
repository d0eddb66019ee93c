"""A power cut while events are being remembered costs at most those events, and repeats none."""

import asyncio
from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass
from itertools import product
from typing import Any
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.helpers.storage import Store
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from tests.events import COMPLETED, STARTED, Told, tally
from tests.home import Home
from tests.simulator import GARAGE_ID, OPRIT_ID, SimulatedAccount
from tests.timing import POLL, READ


@dataclass
class PowerCut:
    """Cuts the power when an announcement is about to be remembered on the disk, or has just been."""

    announcement: int
    remembered: bool
    before: int = 0
    has_struck: bool = False


@pytest.fixture
def power_cut(request: pytest.FixtureRequest, new_home: Home) -> Generator[PowerCut]:
    """Return the power cut that the parameter describes; from it on, nothing reaches the disk."""
    cut = PowerCut(*request.param)
    to_disk = Store._async_write_data

    async def write(store: Store[Any], data: dict[str, Any]) -> None:
        if store.key == new_home.storage_key and not cut.has_struck:
            content = data["data"] if "data" in data else data["data_func"]()
            if sum(map(len, content["told"].values())) == cut.before + cut.announcement:
                if cut.remembered:
                    await to_disk(store, data)
                cut.has_struck = new_home.cloud.unplugged = True
                raise asyncio.CancelledError
        if not new_home.cloud.unplugged:
            await to_disk(store, data)

    with patch.object(Store, "_async_write_data", write):
        yield cut


@pytest.mark.parametrize("power_cut", product((2, 4), (False, True)), indirect=True, ids=str)
async def test_a_crash_costs_at_most_what_was_remembered_and_not_yet_told_and_repeats_nothing(
    home: Home,
    account: SimulatedAccount,
    power_cut: PowerCut,
    told: Told,
) -> None:
    """Two sessions start together and end together; the power fails at the write for either pair of events."""

    async def go_on(seconds: float) -> None:
        await home.wait(seconds)
        if home.cloud.unplugged:
            await home.lose_power(0, away=12 * 60)

    await go_on(POLL)
    # The newest sessions of the past count as told.
    announced = home.entry.runtime_data.history.state.announced
    power_cut.before = sum(map(len, announced.values()))
    sessions = [account.start_session(charger_id) for charger_id in (GARAGE_ID, OPRIT_ID)]
    await go_on(POLL)
    await go_on(READ)
    for session in sessions:
        account.end_session(session.id)
    await go_on(POLL)
    for _ in range(3):
        await go_on(READ)

    assert power_cut.has_struck
    due = Counter((kind, session.id) for session in sessions for kind in (STARTED, COMPLETED))
    was_told = tally(told)
    assert was_told <= due
    assert (due - was_told).total() == (2 if power_cut.remembered else 0), "a write is for a pair"


@pytest.mark.parametrize("steps", range(0, 12, 3))
async def test_a_power_cut_around_the_write_repeats_no_event(
    home: Home, account: SimulatedAccount, told: Told, freezer: FrozenDateTimeFactory, steps: int
) -> None:
    """It strikes so many steps of the event loop after the announcement was made, before it is on the disk or after."""
    await home.hours()
    session = account.start_session(GARAGE_ID)
    freezer.tick(POLL + 1)
    async_fire_time_changed(home.hass)
    for _ in range(10_000):
        if session.id in home.entry.runtime_data.history.state.announced:
            break
        await asyncio.sleep(0)
    await home.lose_power(steps, away=20)
    for _ in range(4):
        await home.wait(READ)
    assert tally(told)[STARTED, session.id] <= 1
