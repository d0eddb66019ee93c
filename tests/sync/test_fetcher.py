"""How the history is read: all of it once, in the background, then the newest; and what survives what."""

from collections.abc import Awaitable, Callable
from copy import deepcopy
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from homeassistant.const import EVENT_HOMEASSISTANT_FINAL_WRITE
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.joulo.helpers import _RATE_LIMITERS
from tests.conftest import NOW, Advance
from tests.simulator import (
    GARAGE_ID,
    SCHUUR_ID,
    Fault,
    SimulatedAccount,
    SimulatedCloud,
    SimulatedSession,
)

FILE = "joulo.01JOULO.history"
TAG = "DEADBEEF12345678"
PAGE = 7
POLL = 61
HOUR = 3601
DAY = 86_400
PAGES = 4
"""So many the seeded account has."""

type Crash = Callable[[], Awaitable[None]]


async def known(hass: HomeAssistant) -> list[tuple[str, float]]:
    """Return the id and the kWh of every completed session that the integration knows."""
    answer = await hass.services.async_call(
        "joulo", "get_sessions", {}, blocking=True, return_response=True
    )
    assert answer is not None
    rows: Any = answer["sessions"]
    return sorted((row["session_id"], row["energy_kwh"]) for row in rows)


def booked(account: SimulatedAccount) -> list[tuple[str, float]]:
    """Return the id and the kWh of every completed session in Joulo's books."""
    now = account.clock()
    return sorted((session.id, float(session.kwh_at(now))) for session in account.completed())


def queries(cloud: SimulatedCloud) -> list[dict[str, str]]:
    """Return what was asked of `/sessions` since the last record began."""
    return [request.query for request in cloud.requests if request.path == "/sessions"]


def shown(hass: HomeAssistant, entity: str) -> str:
    """Return the state of a sensor."""
    state = hass.states.get(f"sensor.{entity}")
    assert state is not None
    return state.state


async def read_pages(advance: Advance, pages: int = PAGES) -> None:
    """Let so many pages of the past be read, if there are so many."""
    for _ in range(pages):
        await advance(PAGE)


@pytest.fixture
def crash(
    hass: HomeAssistant, hass_storage: dict[str, Any], entry: MockConfigEntry, advance: Advance
) -> Crash:
    """Return a function that ends Home Assistant without a last write, and starts it eleven minutes on."""

    async def crash() -> None:
        on_disk = deepcopy(hass_storage.get(FILE))
        await hass.config_entries.async_unload(entry.entry_id)
        hass_storage.pop(FILE, None)
        if on_disk is not None:
            hass_storage[FILE] = on_disk
        hass.data.pop(_RATE_LIMITERS)
        await advance(660)
        await hass.config_entries.async_setup(entry.entry_id)
        await hass.async_block_till_done(wait_background_tasks=True)

    return crash


async def write(hass: HomeAssistant) -> None:
    """Let everything that is to be written soon be written now."""
    hass.bus.async_fire(EVENT_HOMEASSISTANT_FINAL_WRITE)
    await hass.async_block_till_done()


# The first load


async def test_the_past_is_read_newest_first_from_where_the_last_page_ended(
    account: SimulatedAccount, cloud: SimulatedCloud, joulo: MockConfigEntry, live: Advance
) -> None:
    await live(120)
    starts = [f"{session.started_at:%Y-%m-%dT%H:%M:%SZ}" for session in account.sessions]
    # Every page begins with the session that the last one ended with.
    edges = starts[99::99]
    assert len(edges) == PAGES - 1
    assert queries(cloud) == [{"limit": "100"}, *({"limit": "100", "to": edge} for edge in edges)]


async def test_the_pages_of_the_past_are_five_seconds_apart(
    cloud: SimulatedCloud, joulo: MockConfigEntry, live: Advance
) -> None:
    await live(120)
    moments = [request.at for request in cloud.requests if "to" in request.query]
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(moments)]
    assert len(gaps) == PAGES - 2
    assert min(gaps) >= 5
    assert max(gaps) < 8
    assert cloud.refused() == []


async def test_every_session_is_known_once_afterwards(
    hass: HomeAssistant,
    account: SimulatedAccount,
    cloud: SimulatedCloud,
    joulo: MockConfigEntry,
    advance: Advance,
) -> None:
    assert len(await known(hass)) == 100, "the newest are known at once"
    await read_pages(advance)
    assert await known(hass) == booked(account)
    assert cloud.refused() == []


async def test_more_sessions_than_a_page_holds_may_share_a_moment(
    hass: HomeAssistant,
    account: SimulatedAccount,
    cloud: SimulatedCloud,
    entry: MockConfigEntry,
    advance: Advance,
) -> None:
    moment = NOW - timedelta(days=100)
    for _ in range(250):
        end = moment + timedelta(hours=1)
        account.record_session(
            SimulatedSession(charger_id=SCHUUR_ID, started_at=moment, ends_at=end)
        )
    await hass.config_entries.async_setup(entry.entry_id)
    await read_pages(advance, 12)
    assert await known(hass) == booked(account)
    assert cloud.refused() == []


async def test_a_session_that_is_removed_between_two_pages_makes_the_next_skip_none(
    hass: HomeAssistant,
    account: SimulatedAccount,
    cloud: SimulatedCloud,
    joulo: MockConfigEntry,
    advance: Advance,
) -> None:
    removed = account.remove_session(account.sessions[40].id)
    await read_pages(advance)
    assert {session_id for session_id, _ in await known(hass)} - {removed.id} == {
        session_id for session_id, _ in booked(account)
    }


@pytest.mark.parametrize("pages", range(1, PAGES + 1))
async def test_after_a_crash_at_any_page_nothing_is_double_and_nothing_missing(
    hass: HomeAssistant,
    account: SimulatedAccount,
    cloud: SimulatedCloud,
    joulo: MockConfigEntry,
    advance: Advance,
    crash: Crash,
    pages: int,
) -> None:
    await read_pages(advance, pages - 1)
    await write(hass)
    cloud.forget_requests()
    await crash()
    await read_pages(advance)
    assert await known(hass) == booked(account)
    assert float(shown(hass, "garage_total_energy")) == pytest.approx(
        account.energy_total(GARAGE_ID)
    )
    remaining = PAGES - pages
    assert cloud.count("/sessions") == 1 + remaining, "what had been read was not read again"
    assert cloud.refused() == []


@pytest.mark.parametrize("pages", range(1, PAGES + 1))
async def test_what_happens_between_a_crash_and_the_restart_is_found(
    hass: HomeAssistant,
    account: SimulatedAccount,
    cloud: SimulatedCloud,
    joulo: MockConfigEntry,
    advance: Advance,
    crash: Crash,
    pages: int,
) -> None:
    await read_pages(advance, pages - 1)
    await write(hass)
    start = account.clock() + timedelta(seconds=60)
    account.plan_session(GARAGE_ID, start, start + timedelta(minutes=5))
    account.remove_session(account.sessions[min(99 * pages, len(account.sessions) - 1)].id)
    await crash()
    for _ in range(5):
        await read_pages(advance)
        await advance(HOUR)
    assert await known(hass) == booked(account)
    assert cloud.refused() == []


async def test_a_long_first_load_writes_down_how_far_it_is(
    hass: HomeAssistant,
    account: SimulatedAccount,
    cloud: SimulatedCloud,
    entry: MockConfigEntry,
    live: Advance,
    crash: Crash,
) -> None:
    for age in range(2000):
        start = NOW - timedelta(days=800, hours=age)
        account.record_session(
            SimulatedSession(charger_id=GARAGE_ID, started_at=start, ends_at=start)
        )
    await hass.config_entries.async_setup(entry.entry_id)
    await live(100)
    before = len(await known(hass))
    assert before > 1000
    await crash()
    assert len(await known(hass)) > 500, "what was read a minute before the crash is known"
    assert cloud.refused() == []


async def test_when_it_was_installed_is_written_though_nothing_could_be_read(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    entry: MockConfigEntry,
    live: Advance,
    hass_storage: dict[str, Any],
) -> None:
    cloud.fail("/sessions", Fault.SERVER_ERROR)
    await hass.config_entries.async_setup(entry.entry_id)
    await live(60)
    installed_at = datetime.fromisoformat(hass_storage[FILE]["data"]["installed_at"])
    assert installed_at - NOW < timedelta(seconds=1)


async def test_a_crash_before_anything_was_written_begins_anew(
    hass: HomeAssistant,
    account: SimulatedAccount,
    cloud: SimulatedCloud,
    joulo: MockConfigEntry,
    advance: Advance,
    crash: Crash,
) -> None:
    await crash()
    await read_pages(advance)
    assert await known(hass) == booked(account)
    assert cloud.refused() == []


async def test_a_page_that_comes_back_empty_is_not_the_end_of_the_past(
    hass: HomeAssistant,
    account: SimulatedAccount,
    cloud: SimulatedCloud,
    joulo: MockConfigEntry,
    advance: Advance,
) -> None:
    cloud.fail("/sessions", Fault.EMPTY_ACCOUNT, times=1)
    await advance(PAGE)
    assert shown(hass, "garage_total_energy") == "unknown", "most of the past has not been read"
    for _ in range(2):
        await advance(HOUR)
        await read_pages(advance)
    assert await known(hass) == booked(account)
    assert cloud.refused() == []


async def test_an_empty_answer_at_first_is_made_up_for(
    hass: HomeAssistant,
    account: SimulatedAccount,
    cloud: SimulatedCloud,
    entry: MockConfigEntry,
    advance: Advance,
) -> None:
    cloud.fail("/sessions", Fault.EMPTY_ACCOUNT, times=1)
    await hass.config_entries.async_setup(entry.entry_id)
    for _ in range(3):
        await advance(HOUR)
        await read_pages(advance)
    assert await known(hass) == booked(account)
    assert cloud.refused() == []


# A restart


async def test_a_restart_shows_the_same_as_before_it(
    hass: HomeAssistant,
    account: SimulatedAccount,
    cloud: SimulatedCloud,
    joulo: MockConfigEntry,
    advance: Advance,
    crash: Crash,
) -> None:
    def everything() -> dict[str, tuple[str, dict[str, Any]]]:
        return {
            state.entity_id: (state.state, dict(state.attributes))
            for state in hass.states.async_all()
        }

    await read_pages(advance)
    await advance(HOUR)
    await write(hass)
    before = everything()
    await crash()
    after = everything()
    assert after == before
    assert cloud.refused() == []


async def test_an_old_session_without_an_end_survives_a_restart(
    hass: HomeAssistant,
    account: SimulatedAccount,
    cloud: SimulatedCloud,
    entry: MockConfigEntry,
    advance: Advance,
    crash: Crash,
) -> None:
    account.record_session(
        SimulatedSession(charger_id=GARAGE_ID, started_at=NOW - timedelta(days=100), power_kw=0.01)
    )
    # Joulo shows the newest session without an end as the one that runs.
    account.record_session(SimulatedSession(charger_id=GARAGE_ID, started_at=NOW, power_kw=0))
    await hass.config_entries.async_setup(entry.entry_id)
    await read_pages(advance)
    await write(hass)
    before = float(shown(hass, "garage_total_energy"))
    assert before == pytest.approx(account.energy_total(GARAGE_ID) + 24, abs=0.1)
    await crash()
    assert float(shown(hass, "garage_total_energy")) == pytest.approx(before, abs=0.1)


async def test_a_tag_that_only_the_charger_showed_survives_a_restart(
    hass: HomeAssistant,
    account: SimulatedAccount,
    cloud: SimulatedCloud,
    joulo: MockConfigEntry,
    advance: Advance,
    crash: Crash,
) -> None:
    account.dialect.session_extras = False
    account.start_session(GARAGE_ID, tag=TAG)
    await advance(POLL)
    await write(hass)
    await crash()
    assert shown(hass, "garage_active_rfid_tag") == TAG
    account.end_session(GARAGE_ID)
    await advance(POLL)
    await advance(HOUR)
    await write(hass)
    await crash()
    assert shown(hass, "garage_last_session_rfid_tag") == TAG
    assert cloud.refused() == []


# Everything again


async def test_everything_is_read_again_after_thirty_days(
    hass: HomeAssistant,
    account: SimulatedAccount,
    cloud: SimulatedCloud,
    joulo: MockConfigEntry,
    advance: Advance,
) -> None:
    await read_pages(advance)
    cloud.forget_requests()
    await advance(29 * DAY)
    await read_pages(advance)
    assert len(queries(cloud)) == 1, "only the last fortnight"
    await advance(DAY)
    await read_pages(advance)
    assert sum("from" not in query for query in queries(cloud)) == PAGES
    state = hass.states.get("sensor.joulo_sessions_known")
    assert state is not None
    assert datetime.fromisoformat(str(state.attributes["last_full_read"])) > NOW + timedelta(
        days=30
    )
    assert cloud.refused() == []
