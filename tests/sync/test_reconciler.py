"""The daily comparison with Joulo's own totals, and what it sets in motion."""

from collections.abc import Iterator
from datetime import timedelta
from typing import override

from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.joulo.api import Charger, ChargingSession, Energy
from custom_components.joulo.const import DOMAIN
from custom_components.joulo.sessions import queries
from custom_components.joulo.sync.reconciler import energy_mismatch
from tests.conftest import NOW, Advance
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

PAGE = 7
HOUR = 3602
DAY = 86_400
POLL = 61


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
    start = NOW - timedelta(days=age)
    return SimulatedSession(
        charger_id=charger_id, started_at=start, ends_at=start + timedelta(hours=1)
    )


def oldest(account: SimulatedAccount) -> SimulatedSession:
    """Return the oldest session of the garage: no read of the last fortnight reaches it."""
    return account.sessions_of(GARAGE_ID)[-1]


def full_reads(cloud: SimulatedCloud) -> int:
    """Return how often everything has been read, or begun to be, since the last record began."""
    return sum(
        request.path == "/sessions" and not {"from", "to"} & request.query.keys()
        for request in cloud.requests
    )


def notices(hass: HomeAssistant) -> list[ir.IssueEntry]:
    """Return what the integration tells in the repairs."""
    registry = ir.async_get(hass)
    return [issue for (domain, _), issue in registry.issues.items() if domain == DOMAIN]


def known_kwh(entry: MockConfigEntry, session: SimulatedSession) -> float | None:
    """Return what is known of a session; -1 where it is not known."""
    listed = queries.listed(entry.runtime_data.history.state)
    known = next((each for each in listed if each.id == session.id), None)
    return -1 if known is None else known.kwh


async def pass_hours(advance: Advance, hours: int) -> None:
    """Let time pass hour by hour."""
    for _ in range(hours):
        await advance(HOUR)


@pytest.mark.parametrize("all_charger_fields", [True, False])
async def test_a_history_that_agrees_is_left_alone(
    hass: HomeAssistant,
    account: AccountWithOtherTotals,
    cloud: SimulatedCloud,
    joulo: MockConfigEntry,
    advance: Advance,
    *,
    all_charger_fields: bool,
) -> None:
    account.dialect.all_charger_fields = all_charger_fields
    cloud.forget_requests()
    await pass_hours(advance, 30)
    assert full_reads(cloud) == 0
    assert notices(hass) == []
    assert cloud.refused() == []


async def test_a_correction_deep_in_the_past_is_found_within_a_day(
    hass: HomeAssistant,
    account: AccountWithOtherTotals,
    cloud: SimulatedCloud,
    joulo: MockConfigEntry,
    advance: Advance,
) -> None:
    await pass_hours(advance, 1)
    session = account.correct_session(oldest(account).id, kwh=99.9)
    cloud.forget_requests()
    await pass_hours(advance, 20)
    assert full_reads(cloud) == 0, "compared once a day"
    await pass_hours(advance, 6)
    assert known_kwh(joulo, session) == 99.9
    total = hass.states.get("sensor.garage_total_energy")
    assert total is not None
    assert float(total.state) == pytest.approx(account.energy_total(GARAGE_ID))
    assert full_reads(cloud) == 1
    assert notices(hass) == []
    assert cloud.refused() == []


async def test_nothing_is_compared_while_a_car_charges(
    account: AccountWithOtherTotals,
    cloud: SimulatedCloud,
    joulo: MockConfigEntry,
    advance: Advance,
) -> None:
    await pass_hours(advance, 1)
    account.start_session(GARAGE_ID)
    await advance(POLL)
    session = account.correct_session(oldest(account).id, kwh=99.9)
    cloud.forget_requests()
    await pass_hours(advance, 30)
    assert full_reads(cloud) == 0
    account.end_session(GARAGE_ID)
    await advance(POLL)
    await pass_hours(advance, 3)
    assert known_kwh(joulo, session) == 99.9
    assert cloud.refused() == []


async def test_a_removal_deep_in_the_past_takes_two_full_reads(
    hass: HomeAssistant,
    account: AccountWithOtherTotals,
    cloud: SimulatedCloud,
    joulo: MockConfigEntry,
    advance: Advance,
) -> None:
    await pass_hours(advance, 1)
    removed = account.remove_session(oldest(account).id)
    cloud.forget_requests()
    while full_reads(cloud) < 1:
        await advance(HOUR)
    assert known_kwh(joulo, removed) == 11.0
    await advance(HOUR)
    assert full_reads(cloud) == 2
    assert known_kwh(joulo, removed) == -1
    await pass_hours(advance, 30)
    assert full_reads(cloud) == 2
    assert notices(hass) == []
    assert cloud.refused() == []


async def test_a_read_that_brings_nothing_is_told_and_not_repeated_for_a_week(
    hass: HomeAssistant,
    account: AccountWithOtherTotals,
    cloud: SimulatedCloud,
    joulo: MockConfigEntry,
    advance: Advance,
) -> None:
    await pass_hours(advance, 1)
    account.unlisted.append(session_of(GARAGE_ID, 100.5))
    cloud.forget_requests()
    await pass_hours(advance, 28)
    assert full_reads(cloud) == 1
    (notice,) = notices(hass)
    assert notice.translation_placeholders == {"account": "Joulo", "kwh": "11.00"}
    await pass_hours(advance, 6 * 24)
    assert full_reads(cloud) == 1
    await pass_hours(advance, 36)
    assert full_reads(cloud) == 2
    assert len(notices(hass)) == 1
    assert cloud.refused() == []


async def test_a_restart_does_not_make_the_week_shorter(
    hass: HomeAssistant,
    account: AccountWithOtherTotals,
    cloud: SimulatedCloud,
    joulo: MockConfigEntry,
    advance: Advance,
) -> None:
    account.unlisted.append(session_of(GARAGE_ID, 100.5))
    await pass_hours(advance, 28)
    assert len(notices(hass)) == 1
    cloud.forget_requests()
    for _ in range(3):
        await hass.config_entries.async_reload(joulo.entry_id)
        await pass_hours(advance, 24)
    assert full_reads(cloud) == 0
    assert len(notices(hass)) == 1


async def test_the_notice_goes_within_a_day_once_the_figures_agree(
    hass: HomeAssistant,
    account: AccountWithOtherTotals,
    cloud: SimulatedCloud,
    joulo: MockConfigEntry,
    advance: Advance,
) -> None:
    account.unlisted.append(session_of(GARAGE_ID, 100.5))
    await pass_hours(advance, 28)
    assert len(notices(hass)) == 1
    account.unlisted.clear()
    await pass_hours(advance, 26)
    assert notices(hass) == []
    assert cloud.refused() == []


async def test_a_removal_is_found_although_a_page_fails_on_the_way(
    hass: HomeAssistant, cloud: SimulatedCloud, entry: MockConfigEntry, advance: Advance
) -> None:
    seeded = seeded_account(NOW)  # its history fills several pages
    cloud.accounts = [seeded]
    await hass.config_entries.async_setup(entry.entry_id)
    for _ in range(5):
        await advance(PAGE)
    await pass_hours(advance, 1)
    removed = seeded.remove_session(next(s.id for s in seeded.sessions[120:] if s.kwh_at(NOW) > 10))
    cloud.forget_requests()
    while full_reads(cloud) < 2:
        for _ in range(5):
            await advance(PAGE)
        await advance(HOUR)
    # The second full read has brought its first page; one after the removal's fails.
    await advance(PAGE)
    cloud.fail("/sessions", Fault.SERVER_ERROR, times=1)
    for _ in range(4):
        for _ in range(5):
            await advance(PAGE)
        await advance(HOUR)
    assert known_kwh(entry, removed) == -1
    assert notices(hass) == []
    assert cloud.refused() == []


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
        pytest.param(Energy(total_kwh=999.0, total_kwh_all=200.0), None, id="one of two totals"),
        pytest.param(Energy(total_kwh=100.09), None, id="0.05 and 0.005 per session are rounding"),
        pytest.param(Energy(total_kwh=199.86), None, id="of every session that is counted"),
        pytest.param(Energy(total_kwh=100.11), 0.11, id="more is not"),
        pytest.param(Energy(total_kwh=0.0), 100.0, id="nothing is a total too"),
        pytest.param(Energy(total_kwh=80.0, total_kwh_all=230.0), 20.0, id="the nearest counts"),
        pytest.param(Energy(), None, id="no total, no disagreement"),
    ],
)
def test_the_sessions_miss_the_totals_by(energy: Energy, kwh: float | None) -> None:
    missed = energy_mismatch(energy, SESSIONS, CHARGERS)
    assert missed == (None if kwh is None else pytest.approx(kwh))
