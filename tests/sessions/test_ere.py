"""ERE credits of a session, and their value in EUR."""

from datetime import UTC, datetime

import pytest

from custom_components.joulo.api import AccountProfile, ChargingSession
from custom_components.joulo.sessions.ere import (
    ere_credits,
    estimated_ere,
    net_value,
    session_value,
)
from tests.sessions import PROFILE

START = datetime(2026, 4, 8, 18, 30, tzinfo=UTC)


def charging_session(
    *,
    kwh: float | None = 42.37,
    ere: float | None = 14.1,
    counts_for_ere: bool | None = None,
) -> ChargingSession:
    """Return the session of Joulo's documents, with what a test changes about it."""
    return ChargingSession(
        id="s",
        charger_id="c",
        started_at=START,
        kwh=kwh,
        ere_credits=ere,
        counts_for_ere=counts_for_ere,
    )


def test_the_estimate_is_joulos_own_formula() -> None:
    assert estimated_ere(42.37, START) == pytest.approx(14.10, abs=0.005)


@pytest.mark.parametrize(
    ("kwh", "started_at"),
    [
        pytest.param(10, datetime(2027, 1, 1, 12, tzinfo=UTC), id="a year without known fraction"),
        pytest.param(
            10, datetime(2026, 12, 31, 23, 30, tzinfo=UTC), id="already 2027 in Amsterdam"
        ),
        pytest.param(None, START, id="no energy known"),
    ],
)
def test_without_energy_or_a_known_fraction_there_is_no_estimate(
    kwh: float | None, started_at: datetime
) -> None:
    assert estimated_ere(kwh, started_at) is None


def test_joulos_figure_is_shown_as_it_is() -> None:
    assert ere_credits(charging_session(ere=13.99)) == 13.99


def test_a_session_without_energy_earns_nothing() -> None:
    assert ere_credits(charging_session(kwh=0, ere=None)) == 0


def test_a_figure_that_joulo_withholds_is_unknown() -> None:
    assert ere_credits(charging_session(ere=None)) is None


def test_the_value_is_ere_times_price_less_the_fee() -> None:
    assert net_value(14.1, PROFILE) == pytest.approx(14.1 * 0.5 * 0.8)


@pytest.mark.parametrize(
    "profile",
    [
        None,
        AccountProfile(),
        AccountProfile(ere_price_mid=0.5),
        AccountProfile(effective_fee_pct=20),
    ],
    ids=repr,
)
def test_without_price_and_fee_there_is_no_value(profile: AccountProfile | None) -> None:
    assert net_value(14.1, profile) is None


def test_a_session_counts_only_on_a_certified_charger() -> None:
    session = charging_session()
    assert session_value(session, PROFILE, mid_certified=True) == pytest.approx(5.64)
    assert session_value(session, PROFILE, mid_certified=False) == 0
    assert session_value(session, PROFILE, mid_certified=None) is None


def test_a_session_that_joulo_says_does_not_count_is_worth_nothing() -> None:
    assert session_value(charging_session(counts_for_ere=False), None, mid_certified=None) == 0
