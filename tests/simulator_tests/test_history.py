"""The books of an account, two seeded years, and a lively future; no request is needed for these."""

import datetime as dt
from itertools import pairwise

from freezegun.api import FrozenDateTimeFactory
import pytest

from tests.simulator import (
    GARAGE_ID,
    OPRIT_ID,
    SCHUUR_ID,
    SimulatedAccount,
    SimulatedCharger,
    lively,
    seeded_account,
)
from tests.simulator.clock import AMSTERDAM
from tests.simulator_tests.client import (
    HOUR,
    MINUTE,
    NOON,
)


def test_a_charger_has_one_session_at_a_time(account: SimulatedAccount) -> None:
    """A charger that is taken takes no other session, now or later."""
    account.start_session(GARAGE_ID)
    with pytest.raises(ValueError, match="taken"):
        account.start_session(GARAGE_ID)
    with pytest.raises(ValueError, match="taken"):
        account.plan_session(GARAGE_ID, NOON + HOUR, NOON + 2 * HOUR)
    with pytest.raises(ValueError, match="No session"):
        account.end_session(SCHUUR_ID)


def test_the_same_seed_gives_the_same_history() -> None:
    """Another seed gives another one; a day later it has only grown."""

    def history(now: dt.datetime, seed: int = 1) -> dict[str, float]:
        account = seeded_account(now, seed, clock=lambda: now)
        return {s.id: float(s.kwh_at(now)) for s in account.sessions}

    today, tomorrow = history(NOON), history(NOON + 24 * HOUR)
    assert today == history(NOON) != history(NOON, seed=2)
    assert len(tomorrow.items() - today.items()) <= 1
    assert 360 <= len(today) <= 440


def test_the_history_holds_the_awkward_sessions() -> None:
    """Midnight, a month end, both clock changes, no energy, no card; and never an overlap."""
    account = seeded_account(NOON, clock=lambda: NOON)
    local = [
        (session.local_start, session.ends_at.astimezone(AMSTERDAM))
        for session in account.sessions
        if session.ends_at
    ]
    assert any(start.date() != end.date() for start, end in local)
    assert any(start.month != end.month for start, end in local)
    shifts = {
        (end.utcoffset() or dt.timedelta()) - (start.utcoffset() or dt.timedelta())
        for start, end in local
    }
    assert shifts == {-HOUR, 0 * HOUR, HOUR}
    assert any(not session.kwh_at(NOON) for session in account.sessions)
    assert len({session.tag for session in account.sessions} - {None}) == 3
    assert None in {session.tag for session in account.sessions}
    assert min(start for start, _ in local) < NOON - dt.timedelta(days=720)
    for charger_ in account.chargers:
        newest_first = account.sessions_of(charger_.id)
        assert newest_first
        assert not any(one.overlaps(other) for one, other in pairwise(newest_first))


def test_credits_follow_the_fraction_of_their_year() -> None:
    """The same energy earns differently in another year."""
    account = SimulatedAccount(clock=lambda: NOON)
    account.add_charger(SimulatedCharger(id=GARAGE_ID, nickname="Garage"))
    earned = []
    for year in (2024, 2025, 2026):
        start = dt.datetime(year, 1, 15, tzinfo=dt.UTC)
        session = account.plan_session(GARAGE_ID, start, start + HOUR, 10.0)
        earned.append(float(session.ere_at(NOON) or 0))
    assert earned == [3.10, 3.23, 3.33]


def test_a_lively_account_charges_by_itself(freezer: FrozenDateTimeFactory) -> None:
    """A session runs at once and ends in a few minutes; another follows on the next charger."""
    freezer.move_to(NOON)
    account = seeded_account(NOON)
    lively(account)
    running = account.running_session(GARAGE_ID)
    assert running is not None
    assert running.started_at == NOON - 40 * MINUTE
    freezer.tick(5 * MINUTE)
    assert account.running_session(GARAGE_ID) is None
    freezer.tick(6 * MINUTE)
    assert account.running_session(OPRIT_ID) is not None
    freezer.tick(dt.timedelta(days=6))
    assert account.sessions[0].started_at > NOON + dt.timedelta(days=5)
