"""What the tests of the pure core begin with: no Home Assistant."""

import pytest

from custom_components.joulo.sessions import transitions
from tests.sessions import PROFILE, History


@pytest.fixture(autouse=True)
def _custom_integrations() -> None:
    """Start no Home Assistant."""


@pytest.fixture
def history() -> History:
    """Return an empty history."""
    return History()


@pytest.fixture
def priced() -> History:
    """Return a history whose charger is MID-certified and whose account has a price, without sessions."""
    history = History()
    history.report()
    history.update(transitions.assign_values, PROFILE)
    return history
