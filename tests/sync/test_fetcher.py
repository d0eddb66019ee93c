"""How the history is read: all of it once, in the background, then the newest; and what survives what."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from tests.conftest import NOW, Advance
from tests.factories import simulated_session
from tests.home import Home
from tests.simulator import GARAGE_ID, OPRIT_ID, SCHUUR_ID, Fault, SimulatedAccount, SimulatedCloud
from tests.timing import DAY

pytestmark = pytest.mark.long_account

TAG = "DEADBEEF12345678"
PAGES = 4
"""So many the long account has."""
AWAY = 660
"""Seconds; a crash forgets what was asked last, and whoever comes back sooner Joulo would refuse."""


async def known(home: Home) -> list[tuple[str, float]]:
    """Return the id and the kWh of every completed session that the integration knows."""
    return sorted((row["session_id"], row["energy_kwh"]) for row in await home.sessions())


def booked(account: SimulatedAccount) -> list[tuple[str, float]]:
    """Return the id and the kWh of every completed session in Joulo's books."""
    now = account.clock()
    return sorted((session.id, float(session.kwh_at(now))) for session in account.completed())


def queries(cloud: SimulatedCloud) -> list[dict[str, str]]:
    """Return what was asked of `/sessions` since the last record began."""
    return [request.query for request in cloud.requests if request.path == "/sessions"]


# The first load


async def test_the_past_is_read_newest_first_from_where_the_last_page_ended(
    account: SimulatedAccount, cloud: SimulatedCloud, joulo: MockConfigEntry, live: Advance
) -> None:
    await live(120)
    starts = [f"{session.started_at:%Y-%m-%dT%H:%M:%SZ}" for session in account.sessions]
    # Every page begins with the session that the last one ended with; one that brings no other is the end.
    edges = [*starts[99::99], starts[-1]]
    assert len(edges) == PAGES
    assert queries(cloud) == [{"limit": "100"}, *({"limit": "100", "to": edge} for edge in edges)]


async def test_the_pages_of_the_past_are_five_seconds_apart(
    cloud: SimulatedCloud, joulo: MockConfigEntry, live: Advance
) -> None:
    await live(120)
    moments = [request.at for request in cloud.requests if "to" in request.query]
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(moments)]
    assert len(gaps) == PAGES - 1
    assert min(gaps) >= 5
    assert max(gaps) < 8


async def test_every_session_is_known_once_afterwards(
    home: Home, account: SimulatedAccount
) -> None:
    assert len(home.known) == 100, "the newest are known at once"
    await home.read_all()
    assert await known(home) == booked(account)


async def test_more_sessions_than_a_page_holds_may_share_a_moment(
    new_home: Home, account: SimulatedAccount
) -> None:
    moment = NOW - timedelta(days=100)
    for _ in range(250):
        account.record_session(simulated_session(moment, charger_id=SCHUUR_ID))
    await new_home.set_up()
    await new_home.read_pages(12)
    assert await known(new_home) == booked(account)


async def test_a_session_that_is_removed_between_two_pages_makes_the_next_skip_none(
    home: Home, account: SimulatedAccount
) -> None:
    removed = account.remove_session(account.sessions[40].id)
    await home.read_all()
    assert {session_id for session_id, _ in await known(home)} - {removed.id} == {
        session_id for session_id, _ in booked(account)
    }


@pytest.mark.parametrize("pages", range(1, PAGES + 1))
async def test_after_a_crash_at_any_page_nothing_is_double_and_nothing_missing(
    home: Home, account: SimulatedAccount, cloud: SimulatedCloud, pages: int
) -> None:
    await home.read_pages(pages - 1)
    await home.save()
    cloud.forget_requests()
    await home.restart(away=AWAY, crash=True)
    await home.read_all()
    assert await known(home) == booked(account)
    assert home.number("sensor.garage_total_energy") == pytest.approx(
        account.energy_total(GARAGE_ID)
    )
    remaining = PAGES - pages
    # After the last page, the cursor's own session is all that is left, and then nothing is.
    assert cloud.count("/sessions") == max(remaining, 1) + 1, "nothing was read twice"


@pytest.mark.parametrize("pages", range(1, PAGES + 1))
async def test_what_happens_between_a_crash_and_the_restart_is_found(
    home: Home, account: SimulatedAccount, pages: int
) -> None:
    await home.read_pages(pages - 1)
    await home.save()
    start = account.clock() + timedelta(seconds=60)
    account.plan_session(GARAGE_ID, start, start + timedelta(minutes=5))
    # The oldest session of all would count as archived.
    account.remove_session(account.sessions[min(99 * pages, len(account.sessions) - 2)].id)
    await home.restart(away=AWAY, crash=True)
    for _ in range(5):
        await home.read_all()
        await home.hours()
    assert await known(home) == booked(account)


async def test_a_long_first_load_writes_down_how_far_it_is(
    new_home: Home, account: SimulatedAccount, live: Advance
) -> None:
    for age in range(2000):
        start = NOW - timedelta(days=800, hours=age)
        account.record_session(simulated_session(start, hours=0))
    await new_home.set_up()
    await live(100)
    before = len(new_home.known)
    assert before > 1000
    await new_home.restart(away=AWAY, crash=True)
    assert len(new_home.known) > 500, "what was read a minute before the crash is known"


async def test_a_crash_before_anything_was_written_begins_anew(
    home: Home, account: SimulatedAccount
) -> None:
    await home.restart(away=AWAY, crash=True)
    # What was asked last is not known: even the chargers wait.
    await home.poll()
    await home.wait(601)
    await home.read_all()
    assert await known(home) == booked(account)


async def test_a_page_that_comes_back_empty_is_not_the_end_of_the_past(
    home: Home, account: SimulatedAccount, cloud: SimulatedCloud
) -> None:
    cloud.fail("/sessions", Fault.EMPTY_ACCOUNT, times=1)
    await home.read_pages()
    assert home.state("sensor.garage_total_energy") == "unknown", (
        "most of the past has not been read"
    )
    for _ in range(2):
        await home.hours()
        await home.read_all()
    assert await known(home) == booked(account)


async def test_an_empty_answer_at_first_is_made_up_for(
    new_home: Home, account: SimulatedAccount, cloud: SimulatedCloud
) -> None:
    cloud.fail("/sessions", Fault.EMPTY_ACCOUNT, times=1)
    await new_home.set_up()
    for _ in range(3):
        await new_home.hours()
        await new_home.read_all()
    assert await known(new_home) == booked(account)


# A restart


async def test_a_restart_shows_the_same_as_before_it(home: Home) -> None:
    def everything() -> dict[str, tuple[str, dict[str, Any]]]:
        return {
            state.entity_id: (state.state, dict(state.attributes))
            for state in home.hass.states.async_all()
        }

    await home.read_all()
    await home.hours()
    await home.save()
    before = everything()
    await home.restart(away=AWAY, crash=True)
    after = everything()
    assert after == before


async def test_an_old_session_without_an_end_survives_a_restart(
    new_home: Home, account: SimulatedAccount
) -> None:
    long_ago = NOW - timedelta(days=100)
    account.record_session(simulated_session(long_ago, hours=None, power_kw=0.01))
    # Joulo shows the newest session without an end as the one that runs.
    account.record_session(simulated_session(NOW, hours=None, power_kw=0))
    await new_home.set_up()
    await new_home.read_all()
    await new_home.save()
    before = new_home.number("sensor.garage_total_energy")
    assert before == pytest.approx(account.energy_total(GARAGE_ID) + 24, abs=0.1)
    await new_home.restart(away=AWAY, crash=True)
    assert new_home.number("sensor.garage_total_energy") == pytest.approx(before, abs=0.1)


async def test_a_tag_that_only_the_charger_showed_survives_a_restart(
    home: Home, account: SimulatedAccount
) -> None:
    account.dialect.session_extras = False
    account.start_session(GARAGE_ID, tag=TAG)
    await home.poll()
    await home.save()
    await home.restart(away=AWAY, crash=True)
    assert home.state("sensor.garage_active_rfid_tag") == TAG
    account.end_session(GARAGE_ID)
    await home.poll()
    await home.hours()
    await home.save()
    await home.restart(away=AWAY, crash=True)
    assert home.state("sensor.garage_last_session_rfid_tag") == TAG


# Everything again


async def test_everything_is_read_again_after_thirty_days(
    home: Home, cloud: SimulatedCloud
) -> None:
    await home.read_all()
    cloud.forget_requests()
    await home.wait(29 * DAY)
    await home.read_all()
    assert len(queries(cloud)) == 1, "only the last fortnight"
    await home.wait(DAY)
    await home.read_all()
    assert sum("from" not in query for query in queries(cloud)) == PAGES + 1
    last_full_read = home.attribute("sensor.joulo_sessions_known", "last_full_read")
    assert datetime.fromisoformat(str(last_full_read)) > NOW + timedelta(days=30)


async def test_everything_is_read_again_when_a_charger_is_added(
    home: Home, account: SimulatedAccount, cloud: SimulatedCloud
) -> None:
    """It may have a past: linked again, it comes with the sessions of its earlier id."""
    await home.read_all()
    account.remove_charger(GARAGE_ID)
    account.add_charger(replace(account.charger(GARAGE_ID), id="again"))
    oldest = account.sessions_of(GARAGE_ID)[-1].id
    account.move_session(oldest, "again")
    await home.poll(2)
    cloud.forget_requests()
    await home.hours(1)
    await home.read_all()
    assert home.known[oldest].charger_id == "again"
    assert sum("from" not in query for query in queries(cloud)) == PAGES + 1
    cloud.forget_requests()
    await home.hours(2)
    assert all("from" in query for query in queries(cloud)), "once"


async def test_everything_is_read_again_when_a_session_has_moved_to_another_charger(
    home: Home, account: SimulatedAccount
) -> None:
    await home.read_all()
    newest, *_, oldest = account.sessions_of(GARAGE_ID)
    for moved in (newest, oldest):
        account.move_session(moved.id, OPRIT_ID)
    await home.hours(2)
    await home.read_all()
    assert home.known[oldest.id].charger_id == OPRIT_ID


async def test_a_page_that_always_fails_does_not_keep_the_newest_sessions_from_being_read(
    home: Home, account: SimulatedAccount, cloud: SimulatedCloud
) -> None:
    """The monthly read of all sessions never comes to its end then; what the polls bring is complete all the same."""
    await home.read_all()
    await home.hours(2)

    def garble(document: dict[str, Any]) -> Any:
        return "nonsense" if "to" in cloud.requests[-1].query else document

    cloud.garble = garble
    await home.wait(31 * DAY)
    await home.hours(3)
    await home.restart(away=700)
    before = home.entry.runtime_data.history.state.last_read
    await home.hours(3)
    state = home.entry.runtime_data.history.state
    assert state.backfill is not None
    assert state.last_read > before
