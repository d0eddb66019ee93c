"""What the client is tested against: an account of several pages, and a cloud that may turn it away."""

import pytest

from tests.conftest import NOW
from tests.simulator import SimulatedAccount, SimulatedCloud, seeded_account


@pytest.fixture
def account() -> SimulatedAccount:
    """Return an account with two years of sessions on three chargers."""
    return seeded_account(NOW)


@pytest.fixture
def cloud(account: SimulatedAccount) -> SimulatedCloud:
    """Return the cloud that serves the account; a client of a test may ask what it likes."""
    return SimulatedCloud(account)
