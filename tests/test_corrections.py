"""The history of an account, as Joulo corrects and removes sessions in it."""

from datetime import UTC, datetime

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.joulo.sessions import queries
from tests.conftest import Advance
from tests.simulator import GARAGE_ID, Fault, SimulatedAccount, SimulatedCloud, SimulatedSession

NOW = datetime(2026, 6, 15, 9, 0, tzinfo=UTC)
POLL = 61
HOUR = 3601


def ids(entry: MockConfigEntry) -> set[str]:
    """Return the sessions that are known."""
    return {session.id for session in queries.listed(entry.runtime_data.history.state)}


async def load(advance: Advance) -> None:
    """Let the first load come to its end, and be compared with Joulo's totals, for today."""
    for _ in range(5):
        await advance(7)
    await advance(HOUR)


async def test_a_correction_of_the_last_fortnight_is_taken_over_by_the_next_read(
    hass: HomeAssistant,
    account: SimulatedAccount,
    cloud: SimulatedCloud,
    joulo: MockConfigEntry,
    advance: Advance,
) -> None:
    await load(advance)
    session = next(s for s in account.sessions_of(GARAGE_ID) if s.kwh_at(NOW))
    account.correct_session(session.id, kwh=77.77)
    cloud.forget_requests()
    await advance(HOUR)
    listed = {each.id: each.kwh for each in queries.listed(joulo.runtime_data.history.state)}
    assert listed[session.id] == 77.77
    total = hass.states.get("sensor.garage_total_energy")
    assert total is not None
    assert float(total.state) == pytest.approx(account.energy_total(GARAGE_ID))
    assert cloud.count("/sessions") == 1
    assert cloud.refused() == []


async def test_a_session_that_joulo_removes_goes_with_the_second_read(
    account: SimulatedAccount, cloud: SimulatedCloud, joulo: MockConfigEntry, advance: Advance
) -> None:
    await load(advance)
    removed = account.remove_session(account.sessions[0].id)
    cloud.forget_requests()
    await advance(HOUR)
    assert removed.id in ids(joulo)
    await advance(HOUR)
    assert removed.id not in ids(joulo)
    assert cloud.count("/sessions") == 4, "each read proves its end"
    assert cloud.refused() == []


@pytest.mark.parametrize(
    "fault", [Fault.EMPTY_ACCOUNT, Fault.SERVER_ERROR, Fault.CUT_OFF, Fault.TRUNCATED]
)
async def test_only_a_read_that_came_whole_counts(
    account: SimulatedAccount,
    cloud: SimulatedCloud,
    joulo: MockConfigEntry,
    advance: Advance,
    fault: Fault,
) -> None:
    await load(advance)
    removed = account.remove_session(account.sessions[0].id)
    await advance(HOUR)
    cloud.fail("/sessions", fault)
    for _ in range(3):
        await advance(HOUR)
    assert ids(joulo) == {session.id for session in account.sessions} | {removed.id}
    cloud.recover()
    await advance(HOUR)
    assert removed.id not in ids(joulo)
    assert cloud.refused() == []


async def test_pages_of_the_past_that_come_back_empty_remove_nothing(
    account: SimulatedAccount, cloud: SimulatedCloud, joulo: MockConfigEntry, advance: Advance
) -> None:
    await load(advance)
    before = ids(joulo)
    await advance(31 * 86_400)
    for _ in range(3):
        cloud.fail("/sessions", Fault.EMPTY_ACCOUNT)
        await advance(7)
        cloud.recover()
        await advance(HOUR)
    assert ids(joulo) == before
    assert cloud.refused() == []


async def test_an_empty_answer_is_no_full_read(
    cloud: SimulatedCloud, joulo: MockConfigEntry, advance: Advance
) -> None:
    await load(advance)
    before = joulo.runtime_data.history.state.last_full_read
    cloud.fail("/sessions", Fault.EMPTY_ACCOUNT)
    await advance(31 * 86_400)
    await advance(HOUR)
    assert joulo.runtime_data.history.state.last_full_read == before


async def test_a_session_of_three_weeks_is_known_within_the_hour_of_its_end(
    account: SimulatedAccount, cloud: SimulatedCloud, joulo: MockConfigEntry, advance: Advance
) -> None:
    await load(advance)
    session = account.start_session(GARAGE_ID, power_kw=0.01)
    for _ in range(21 * 4):
        await advance(6 * HOUR)
    account.end_session(GARAGE_ID)
    await advance(POLL)
    await advance(HOUR)
    charger = joulo.runtime_data.history.state.chargers[GARAGE_ID]
    assert charger.records[session.id].is_confirmed
    assert cloud.refused() == []


async def test_a_session_that_ran_and_that_joulo_never_lists_goes_after_two_reads(
    hass: HomeAssistant,
    account: SimulatedAccount,
    cloud: SimulatedCloud,
    joulo: MockConfigEntry,
    advance: Advance,
) -> None:
    def start() -> str:
        state = hass.states.get("sensor.garage_session_start")
        assert state is not None
        return state.state

    await load(advance)
    before = start()
    session: SimulatedSession = account.start_session(GARAGE_ID)
    # Nothing is listed while it runs, so that no read can bring it.
    cloud.fail("/sessions", Fault.SERVER_ERROR)
    await advance(POLL)
    account.remove_session(session.id)
    await advance(POLL)
    cloud.recover()
    while_it_ran = start()
    assert while_it_ran != before
    await advance(HOUR)
    assert start() == while_it_ran, "one read may be too early"
    await advance(HOUR)
    assert start() == before
    assert cloud.refused() == []
