"""A week with Joulo, timer by timer: every request is accounted for, and in the end the books agree."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random

from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from tests.conftest import NOW, Advance
from tests.simulator import SimulatedAccount, SimulatedCharger, SimulatedCloud

WEEK = timedelta(days=7)
HOUR = timedelta(hours=1)
CHARGERS_PACE = timedelta(seconds=61)
TERMS_PACE = timedelta(hours=6)

type Span = tuple[datetime, datetime]


@pytest.fixture
def account() -> SimulatedAccount:
    """Return an account on whose three chargers a week of sessions is planned, some at the same time."""
    account = SimulatedAccount()
    chance = Random("a week")
    for name, kind in (("Garage", "easee"), ("Oprit", "ocpp"), ("Schuur", "wallbox")):
        charger = account.add_charger(
            SimulatedCharger(
                nickname=name,
                connection_type=kind,
                mid_certified=name != "Schuur",
                meter_start_wh=1_000_000,
            )
        )
        for day in range(7):
            start = NOW + timedelta(days=day, hours=chance.uniform(3, 12))
            hours = chance.uniform(0.3, 7)
            tag = chance.choice(("DEADBEEF12345678", None))
            account.plan_session(charger.id, start, start + timedelta(hours=hours), tag=tag)
    return account


def charging_spans(account: SimulatedAccount) -> list[Span]:
    """Return when at least one charger charges."""
    spans: list[Span] = []
    for session in sorted(account._sessions.values(), key=lambda session: session.started_at):
        start, end = session.started_at, session.ends_at
        assert end is not None
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return spans


def expected_reads(spans: list[Span], sessions: int) -> int:
    """Return how often `/sessions` is read: at set-up, after each end, and hourly while nothing charges."""
    ends = [NOW, *(end for _, end in spans)]
    starts = [*(start for start, _ in spans), NOW + WEEK]
    idle = sum((start - end) // HOUR for end, start in zip(ends, starts, strict=True))
    return 1 + sessions + idle


def moments(chance: Random, count: int) -> Iterator[float]:
    """Yield the seconds between moments that lie anywhere in the week."""
    drawn = sorted(chance.uniform(0, WEEK.total_seconds()) for _ in range(count))
    yield from (later - earlier for earlier, later in pairwise([0, *drawn, WEEK.total_seconds()]))


async def meddle(hass: HomeAssistant, entry: MockConfigEntry, chance: Random) -> None:
    """Do what people do: reload, or ask for an update, twice for good measure."""
    if chance.random() < 0.3:
        await hass.config_entries.async_reload(entry.entry_id)
        return
    entities = [
        "sensor.garage_status",
        "sensor.oprit_last_session_energy",
        "sensor.joulo_total_energy",
    ]
    for _ in range(2):
        await hass.services.async_call(
            "homeassistant", "update_entity", {"entity_id": entities}, blocking=True
        )


def shown(hass: HomeAssistant, entity_id: str) -> float:
    """Return the number that an entity shows."""
    state = hass.states.get(f"sensor.{entity_id}")
    assert state is not None, entity_id
    return float(state.state)


def assert_books_agree(hass: HomeAssistant, account: SimulatedAccount) -> None:
    """Every sum and every last session is what Joulo has in its books."""
    assert account.session_total() == 21
    mid = account.ere_total(mid_only=True)
    books = {
        "joulo_total_sessions": account.session_total(mid_only=True),
        "joulo_total_energy": account.energy_total(mid_only=True),
        "joulo_total_energy_of_all_chargers": account.energy_total(),
        "joulo_energy_this_month": account.energy_total(mid_only=True),
        "joulo_energy_this_year": account.energy_total(mid_only=True),
        "joulo_total_ere_credits": mid,
        "joulo_total_value": mid * 0.495 * 0.8,
    }
    for charger in account.chargers:
        name, newest = charger.nickname.lower(), next(account.completed(charger.id))
        books[f"{name}_last_session_energy"] = float(newest.kwh_at(account.clock()))
        books[f"{name}_session_energy"] = float(newest.kwh_at(account.clock()))
        books[f"{name}_meter_reading"] = 1000 + account.energy_total(charger.id)
    assert {key: shown(hass, key) for key in books} == pytest.approx(books)


@pytest.mark.parametrize("meddling", [0, 40], ids=["left alone", "reloaded and updated by hand"])
async def test_a_week_costs_the_requests_it_should_and_ends_with_the_right_figures(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    account: SimulatedAccount,
    joulo: MockConfigEntry,
    live: Advance,
    meddling: int,
) -> None:
    """Home Assistant rounds its timers down to the second; still not one request comes too early."""
    await async_setup_component(hass, "homeassistant", {})
    hass.loop.set_debug(enabled=False)
    chance = Random("meddling")
    for seconds in moments(chance, meddling):
        await live(seconds)
        if dt_util.utcnow() < NOW + WEEK:
            await meddle(hass, joulo, chance)

    spans = charging_spans(account)
    sessions = account.session_total()
    # Each meddling moves the polls that follow it, and so may cost or save one; so does each change of pace.
    assert abs(cloud.count("/chargers") - (1 + WEEK // CHARGERS_PACE)) <= meddling
    assert abs(cloud.count("/sessions") - expected_reads(spans, sessions)) <= len(spans) + meddling
    # Each session that is completed has the sums read once more, and the hour begins anew.
    assert abs(cloud.count("/energy") - WEEK // HOUR) <= sessions + meddling
    assert abs(cloud.count("/me") - WEEK // TERMS_PACE) <= 1 + meddling
    assert_books_agree(hass, account)
