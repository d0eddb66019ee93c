"""A small account at a frozen noon, and a loopback client of its cloud."""

from collections.abc import AsyncGenerator

import aiohttp
from freezegun.api import FrozenDateTimeFactory
import pytest

from tests.simulator import (
    GARAGE_ID,
    SCHUUR_ID,
    SimulatedAccount,
    SimulatedCharger,
    SimulatedCloud,
    serve,
)
from tests.simulator_tests.client import (
    NOON,
    Client,
)


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
