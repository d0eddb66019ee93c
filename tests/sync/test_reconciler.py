"""The daily comparison with Joulo's own totals, and what it sets in motion."""

from collections.abc import Iterator
from datetime import timedelta
from typing import override

import pytest

from custom_components.joulo.api import Charger, ChargingSession, Energy
from custom_components.joulo.sync.reconciler import energy_mismatch
from tests.conftest import NOW
from tests.factories import simulated_session
from tests.home import Home
from tests.simulator import (
    GARAGE_ID,
    SCHUUR_ID,
    Fault,
    SimulatedAccount,
    SimulatedCharger,
    SimulatedCloud,
    SimulatedSession,
    seeded_account,
)


class AccountWithOtherTotals(SimulatedAccount):
    """Its totals count sessions that its list leaves out."""

    def __init__(self) -> None:
        super().__init__()
        self.unlisted: list[SimulatedSession] = []

    @override
    def completed(
        self, charger_id: str | None = None, *, mid_only: bool = False
    ) -> Iterator[SimulatedSession]:
        listed = super().completed(charger_id, mid_only=mid_only)
        every = [*listed, *self.unlisted]
        yield from sorted(every, key=lambda session: session.started_at, reverse=True)


@pytest.fixture
def account() -> AccountWithOtherTotals:
    """Return an account with a session every fourth day, so that its history fits on a page."""
    account = AccountWithOtherTotals()
    account.add_charger(SimulatedCharger(id=GARAGE_ID, nickname="Garage"))
    account.add_charger(SimulatedCharger(id=SCHUUR_ID, nickname="Schuur", mid_certified=False))
    for age in range(2, 202, 4):
        account.record_session(session_of(GARAGE_ID if age % 3 else SCHUUR_ID, age))
    return account


def session_of(charger_id: str, age: float) -> SimulatedSession:
    """Return a session of an hour, so many days ago."""
    return simulated_session(NOW - timedelta(days=age), charger_id=charger_id, power_kw=11)


def oldest(account: SimulatedAccount) -> SimulatedSession:
    """Return the oldest session of the garage: no read of the last fortnight reaches it."""
    return account.sessions_of(GARAGE_ID)[-1]


def full_reads(cloud: SimulatedCloud) -> int:
    """Return how often everything has been read, or begun to be, since the last record began."""
    return sum(
        request.path == "/sessions" and not {"from", "to"} & request.query.keys()
        for request in cloud.requests
    )


def known_kwh(home: Home, session: SimulatedSession) -> float | None:
    """Return what is known of a session; -1 where it is not known."""
    known = home.known.get(session.id)
    return -1 if known is None else known.kwh


@pytest.mark.parametrize("all_charger_fields", [True, False])
async def test_a_history_that_agrees_is_left_alone(
    home: Home, account: AccountWithOtherTotals, cloud: SimulatedCloud, *, all_charger_fields: bool
) -> None:
    account.dialect.all_charger_fields = all_charger_fields
    cloud.forget_requests()
    await home.hours(30)
    assert full_reads(cloud) == 0
    assert home.issues() == []


async def test_a_correction_deep_in_the_past_is_found_within_a_day(
    home: Home, account: AccountWithOtherTotals, cloud: SimulatedCloud
) -> None:
    await home.hours(1)
    session = account.correct_session(oldest(account).id, kwh=99.9)
    cloud.forget_requests()
    await home.hours(20)
    assert full_reads(cloud) == 0, "compared once a day"
    await home.hours(6)
    assert known_kwh(home, session) == 99.9
    assert home.number("sensor.garage_total_energy") == pytest.approx(
        account.energy_total(GARAGE_ID)
    )
    assert full_reads(cloud) == 1
    assert home.issues() == []


async def test_nothing_is_compared_while_a_car_charges(
    home: Home, account: AccountWithOtherTotals, cloud: SimulatedCloud
) -> None:
    await home.hours(1)
    account.start_session(GARAGE_ID)
    await home.poll()
    session = account.correct_session(oldest(account).id, kwh=99.9)
    cloud.forget_requests()
    await home.hours(30)
    assert full_reads(cloud) == 0
    account.end_session(GARAGE_ID)
    await home.poll()
    await home.hours(3)
    assert known_kwh(home, session) == 99.9


async def test_a_removal_deep_in_the_past_takes_two_full_reads(
    home: Home, account: AccountWithOtherTotals, cloud: SimulatedCloud
) -> None:
    await home.hours(1)
    removed = account.remove_session(oldest(account).id)
    cloud.forget_requests()
    while full_reads(cloud) < 1:
        await home.hours()
    assert known_kwh(home, removed) == 11.0
    await home.hours()
    assert full_reads(cloud) == 2
    assert known_kwh(home, removed) == -1
    await home.hours(30)
    assert full_reads(cloud) == 2
    assert home.issues() == []


async def test_a_read_that_brings_nothing_is_told_and_not_repeated_for_a_week(
    home: Home, account: AccountWithOtherTotals, cloud: SimulatedCloud
) -> None:
    await home.hours(1)
    account.unlisted.append(session_of(GARAGE_ID, 100.5))
    cloud.forget_requests()
    await home.hours(28)
    assert full_reads(cloud) == 1
    (notice,) = home.issues()
    assert notice.translation_placeholders == {"account": "Joulo", "kwh": "11.00"}
    await home.hours(6 * 24)
    assert full_reads(cloud) == 1
    await home.hours(36)
    assert full_reads(cloud) == 2
    assert len(home.issues()) == 1


async def test_a_restart_does_not_make_the_week_shorter(
    home: Home, account: AccountWithOtherTotals, cloud: SimulatedCloud
) -> None:
    account.unlisted.append(session_of(GARAGE_ID, 100.5))
    await home.hours(28)
    assert len(home.issues()) == 1
    cloud.forget_requests()
    for _ in range(3):
        await home.reload()
        await home.hours(24)
    assert full_reads(cloud) == 0
    assert len(home.issues()) == 1


async def test_the_notice_goes_within_a_day_once_the_figures_agree(
    home: Home, account: AccountWithOtherTotals
) -> None:
    account.unlisted.append(session_of(GARAGE_ID, 100.5))
    await home.hours(28)
    assert len(home.issues()) == 1
    account.unlisted.clear()
    await home.hours(26)
    assert home.issues() == []


async def test_a_removal_is_found_although_a_page_fails_on_the_way(
    new_home: Home, cloud: SimulatedCloud
) -> None:
    seeded = seeded_account(NOW)  # its history fills several pages
    cloud.accounts = [seeded]
    await new_home.set_up()
    await new_home.read_all()
    await new_home.hours(1)
    removed = seeded.remove_session(next(s.id for s in seeded.sessions[120:] if s.kwh_at(NOW) > 10))
    cloud.forget_requests()
    while full_reads(cloud) < 2:
        await new_home.read_all()
        await new_home.hours()
    # The second full read has brought its first page; one after the removal's fails.
    await new_home.read_pages()
    cloud.fail("/sessions", Fault.SERVER_ERROR, times=1)
    for _ in range(4):
        await new_home.read_all()
        await new_home.hours()
    assert known_kwh(new_home, removed) == -1
    assert new_home.issues() == []


# The arithmetic

CHARGERS = (Charger(id="mid", mid_certified=True), Charger(id="plain", mid_certified=False))
SESSIONS = tuple(
    ChargingSession(id=f"{charger}{number}", charger_id=charger, started_at=NOW, kwh=10.0)
    for charger in ("mid", "plain")
    for number in range(10)
)


@pytest.mark.parametrize(
    ("energy", "kwh"),
    [
        pytest.param(Energy(total_kwh=100.0), None, id="the certified chargers"),
        pytest.param(Energy(total_kwh=200.0), None, id="all chargers"),
        pytest.param(Energy(total_kwh=100.0, total_kwh_all=200.0), None, id="both totals"),
        pytest.param(Energy(total_kwh=999.0, total_kwh_all=200.0), 899.0, id="one of two totals"),
        pytest.param(Energy(total_kwh=200.0, total_kwh_all=200.0), 100.0, id="each has its own"),
        pytest.param(Energy(total_kwh=100.09), None, id="0.05 and 0.005 per session are rounding"),
        pytest.param(Energy(total_kwh=199.86), None, id="of every session that is counted"),
        pytest.param(Energy(total_kwh=100.11), 0.11, id="more is not"),
        pytest.param(Energy(total_kwh=0.0), 100.0, id="nothing is a total too"),
        pytest.param(Energy(total_kwh=80.0, total_kwh_all=230.0), 30.0, id="the greatest counts"),
        pytest.param(Energy(), None, id="no total, no disagreement"),
    ],
)
def test_the_sessions_miss_the_totals_by(energy: Energy, kwh: float | None) -> None:
    missed = energy_mismatch(energy, SESSIONS, CHARGERS)
    assert missed == (None if kwh is None else pytest.approx(kwh))


def test_the_certified_chargers_are_not_compared_where_one_is_not_known() -> None:
    energy = Energy(total_kwh=999.0, total_kwh_all=200.0)
    assert energy_mismatch(energy, SESSIONS, CHARGERS[:1]) is None
