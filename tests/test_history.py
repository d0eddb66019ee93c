"""What the history remembers of the charging sessions, and how it survives a restart."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import Mock

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.joulo.api import AccountProfile, Charger, ChargingSession, CurrentSession
from custom_components.joulo.history import SessionHistory
from tests.conftest import Advance
from tests.simulator import GARAGE_ID, Fault, SimulatedAccount, SimulatedCloud, SimulatedSession

START = datetime(2026, 6, 15, 8, 0, tzinfo=UTC)
NOW = START + timedelta(hours=1)
TERMS = AccountProfile(ere_price_mid=0.5, effective_fee_pct=20)
READ_AGAIN = timedelta(seconds=601)
POLL = 61
HOUR = 3601


def charger(
    *, kwh: float | None = None, tag: str | None = None, session: str | None = None
) -> Charger:
    """Return a charger on which the given session runs, or none."""
    current = session and CurrentSession(id=session, started_at=START, kwh_so_far=kwh, id_tag=tag)
    return Charger(
        id="c", mid_certified=True, is_charging=bool(session), current_session=current or None
    )


def completed(session: str = "s", *, kwh: float = 10, tag: str | None = None) -> ChargingSession:
    """Return a session that has ended after an hour."""
    return ChargingSession(
        id=session,
        charger_id="c",
        started_at=START,
        ended_at=START + timedelta(hours=1),
        kwh=kwh,
        ere_credits=4,
        id_tag=tag,
    )


@pytest.fixture
def history(hass: HomeAssistant) -> SessionHistory:
    """Return an empty history."""
    return SessionHistory(hass, "entry")


def test_a_running_session_is_the_newest(history: SessionHistory) -> None:
    history.merge([completed("earlier")])
    history.observe(charger(session="s", kwh=1.5), NOW)
    newest = history.newest("c")
    assert newest is not None
    assert (newest.id, newest.kwh) == ("s", 1.5)
    assert "c" in history.running


def test_a_session_that_has_just_ended_keeps_its_last_figure(history: SessionHistory) -> None:
    history.observe(charger(session="s", kwh=9.9), NOW)
    history.observe(charger(), NOW)
    newest = history.newest("c")
    assert newest is not None
    assert newest.kwh == 9.9
    assert history.running == {}


def test_an_older_figure_of_the_same_session_does_not_win(history: SessionHistory) -> None:
    history.observe(charger(session="s", kwh=9.9), NOW)
    history.observe(charger(), NOW)
    history.merge([replace(completed(kwh=5), ended_at=None)])
    newest = history.newest("c")
    assert newest is not None
    assert newest.kwh == 9.9


def test_the_final_figure_wins(history: SessionHistory) -> None:
    history.observe(charger(session="s", kwh=9.9), NOW)
    history.observe(charger(), NOW)
    history.merge([completed(kwh=10.2)])
    newest = history.newest("c")
    assert newest is not None
    assert newest.kwh == 10.2


def test_charging_without_a_session_is_no_news(history: SessionHistory) -> None:
    history.observe(charger(session="s", kwh=9.9, tag="T"), NOW)
    history.observe(replace(charger(), is_charging=True), NOW)
    newest = history.newest("c")
    assert newest is not None
    assert newest.id_tag == "T"
    assert "c" in history.running


def test_the_next_session_does_not_inherit_a_tag(history: SessionHistory) -> None:
    history.observe(charger(session="s", tag="T"), NOW)
    history.observe(charger(session="next"), NOW)
    newest = history.newest("c")
    assert newest is not None
    assert newest.id_tag is None


def test_a_tag_stays_although_the_start_of_its_session_is_corrected(
    history: SessionHistory,
) -> None:
    history.observe(charger(session="s", tag="T"), NOW)
    earlier = CurrentSession(id="s", started_at=START - timedelta(seconds=1))
    history.observe(replace(charger(session="s"), current_session=earlier), NOW)
    newest = history.newest("c")
    assert newest is not None
    assert (newest.started_at, newest.id_tag) == (earlier.started_at, "T")


def test_a_session_that_moves_to_another_charger_is_there_only(history: SessionHistory) -> None:
    here = charger(session="s", kwh=5)
    there = replace(charger(session="s", kwh=6), id="there")
    history.observe(here, NOW)
    assert len(history.of_charger("c")) == 1
    history.observe(there, NOW)
    history.observe(charger(), NOW)
    assert history.of_charger("c") == ()
    (moved,) = history.of_charger("there")
    assert (moved.kwh, moved.ended_at) == (6, None)


def test_a_tag_that_was_seen_live_stays_with_its_session(history: SessionHistory) -> None:
    history.observe(charger(session="s", tag="T"), NOW)
    history.merge([completed()])
    history.merge([completed(kwh=11)])
    assert history.sessions["s"].id_tag == "T"


def test_only_what_is_new_counts_as_a_change(history: SessionHistory) -> None:
    heard = Mock()
    history.async_listen(heard)
    history.merge([completed()])
    history.merge([completed()])
    assert heard.call_count == 1
    history.merge([completed(kwh=10.5)])
    assert heard.call_count == 2


def test_an_unknown_charger_has_no_sessions(history: SessionHistory) -> None:
    assert history.newest("c") is None
    assert history.last_completed("c") is None


def test_a_session_is_valued_once(history: SessionHistory) -> None:
    history.merge([completed()])
    history.appraise([charger()], None)
    assert history.values == {}, "no price yet"
    history.appraise([charger()], TERMS)
    history.appraise([charger()], AccountProfile(ere_price_mid=9, effective_fee_pct=0))
    assert history.values == {"s": pytest.approx(4 * 0.5 * 0.8)}


def test_a_session_that_gets_its_energy_later_is_valued_then(history: SessionHistory) -> None:
    history.merge([replace(completed(kwh=0), ere_credits=None)])
    history.appraise([charger()], TERMS)
    assert history.values == {"s": 0}
    history.merge([completed()])
    history.appraise([charger()], TERMS)
    assert history.values == {"s": pytest.approx(4 * 0.5 * 0.8)}


def test_a_session_that_gets_its_ere_later_is_valued_then(history: SessionHistory) -> None:
    history.merge([replace(completed(), ere_credits=0.0)])
    history.appraise([charger()], TERMS)
    history.merge([completed()])
    history.appraise([charger()], TERMS)
    assert history.values["s"] > 0


def test_a_session_that_goes_on_after_all_is_valued_at_its_later_end(
    history: SessionHistory,
) -> None:
    history.merge([replace(completed(kwh=1), ere_credits=0.4)])
    history.appraise([charger()], TERMS)
    history.merge([replace(completed(kwh=1), ere_credits=0.4, ended_at=None)])
    history.merge([completed()])
    history.appraise([charger()], TERMS)
    assert history.values == {"s": pytest.approx(4 * 0.5 * 0.8)}


def test_a_running_session_has_no_value_yet(history: SessionHistory) -> None:
    history.merge([replace(completed(), ended_at=None)])
    history.appraise([charger()], TERMS)
    assert history.values == {}


async def test_a_restart_finds_everything_again(
    hass: HomeAssistant, history: SessionHistory, hass_storage: dict[str, Any]
) -> None:
    history.merge([replace(completed("earlier"), started_at=START - timedelta(days=1))])
    history.appraise([charger()], TERMS)
    history.observe(charger(session="s2", kwh=3.3, tag="U"), NOW)
    history.observe(charger(), NOW)
    history.last_read = START
    await history.async_close()

    again = SessionHistory(hass, "entry")
    await again.async_load()
    assert again.sessions == history.sessions
    assert again.values == history.values
    assert again.last_read == START
    assert again.newest("c") == history.newest("c")
    assert again.running == {}, "only a fresh answer tells what runs"


async def test_nothing_is_written_after_closing(
    hass: HomeAssistant, history: SessionHistory, hass_storage: dict[str, Any]
) -> None:
    await history.async_close()
    written = hass_storage["joulo.entry.history"]["data"]
    history.merge([completed()])
    await hass.async_stop()
    assert hass_storage["joulo.entry.history"]["data"] == written
    assert written["sessions"] == []


# Open ends


def open_session(session: str, started_at: datetime) -> ChargingSession:
    """Return a session whose end Joulo never sent."""
    return replace(completed(session), started_at=started_at, ended_at=None)


@pytest.mark.parametrize(
    ("until_the_next", "lasts"),
    [
        pytest.param(timedelta(hours=3), timedelta(hours=3), id="until its successor began"),
        pytest.param(timedelta(days=3), timedelta(hours=24), id="a day at most"),
    ],
)
def test_a_session_without_an_end_lasts(
    history: SessionHistory, until_the_next: timedelta, lasts: timedelta
) -> None:
    history.merge([open_session("open", START), open_session("next", START + until_the_next)])
    ended, running = history.of_charger("c")
    assert ended.ended_at == START + lasts
    assert running.ended_at is None, "it may run"


async def test_a_session_without_an_end_is_kept_across_a_restart(
    hass: HomeAssistant, history: SessionHistory, hass_storage: dict[str, Any]
) -> None:
    history.merge([open_session("open", START - timedelta(days=60)), completed()])
    await history.async_close()
    again = SessionHistory(hass, "entry")
    await again.async_load()
    assert again.of_charger("c") == history.of_charger("c")


def test_the_session_that_runs_is_not_ended_by_a_later_one(history: SessionHistory) -> None:
    history.observe(charger(session="s", kwh=1), NOW)
    history.merge([replace(completed("later"), started_at=NOW)])
    running, later = history.of_charger("c")
    assert (running.id, running.ended_at) == ("s", None)
    assert history.completed("c") == (later,)


def test_energy_that_the_last_answer_left_out_is_known_from_one_before(
    history: SessionHistory,
) -> None:
    history.observe(charger(session="s", kwh=9), NOW)
    history.observe(charger(session="s"), NOW)
    history.conclude(NOW, full=True)
    assert history.totals("c").kwh == 9
    history.observe(charger(), NOW)
    assert history.totals("c").kwh == 9


def test_energy_that_joulo_withholds_in_the_end_stays_as_it_was_seen(
    history: SessionHistory,
) -> None:
    history.observe(charger(session="s", kwh=9), NOW)
    history.observe(charger(), NOW)
    history.merge([replace(completed(), kwh=None, ere_credits=None)])
    history.conclude(NOW, full=True)
    (session,) = history.of_charger("c")
    assert (session.kwh, session.ere_credits) == (9, None), "ERE credits are Joulo's alone by then"
    assert history.totals("c").kwh == 9
    history.merge([replace(completed(), kwh=None, ere_credits=3.5)])
    assert history.totals("c").ere == 3.5


def test_totals_are_unknown_while_every_figure_is(history: SessionHistory) -> None:
    history.merge([replace(completed(), kwh=None, ere_credits=None)])
    history.conclude(NOW, full=True)
    totals = history.totals("c")
    assert (totals.kwh, totals.ere) == (None, None)
    history.merge([completed("other")])
    assert history.totals("c").kwh == 10


def test_the_later_of_two_figures_of_an_open_session_wins(history: SessionHistory) -> None:
    history.observe(charger(session="s", kwh=3), NOW)
    history.observe(charger(), NOW)
    history.merge([replace(completed(kwh=9), ended_at=None)])
    newest = history.newest("c")
    assert newest is not None
    assert newest.kwh == 9


def test_a_session_listed_as_ended_while_its_charger_shows_it_still_runs(
    history: SessionHistory,
) -> None:
    history.observe(charger(session="s", kwh=1), NOW)
    history.merge([completed(kwh=2)])
    newest = history.newest("c")
    assert newest is not None
    assert (newest.id, newest.kwh, history.running) == ("s", 1, {"c": "s"})


def test_a_charger_that_shows_an_ended_session_and_does_not_charge_is_idle(
    history: SessionHistory,
) -> None:
    shown = charger(session="s", kwh=1)
    history.observe(shown, NOW)
    history.merge([completed()])
    history.observe(replace(shown, is_charging=False), NOW)
    assert history.running == {}


def test_one_reading_is_kept_of_every_hour(history: SessionHistory) -> None:
    for minutes, kwh in ((5, 1.0), (55, 2.0), (65, 3.0)):
        history.observe(charger(session="s", kwh=kwh), START + timedelta(minutes=minutes))
    assert [kwh for _, kwh in history.readings["s"]] == [2.0, 3.0]


# What a read of a span of time concludes


def settle(history: SessionHistory, *seen: str, at: datetime) -> bool:
    """Conclude a complete read of everything that brought the given sessions."""
    return history.settle(set(seen), None, at, at, listed={"c"})


def test_a_session_goes_when_two_reads_miss_it(history: SessionHistory) -> None:
    history.merge([completed(), completed("other")])
    assert settle(history, "other", at=NOW), "one is missing, and stays for now"
    assert set(history.sessions) == {"s", "other"}
    assert not settle(history, "other", at=NOW + READ_AGAIN)
    assert set(history.sessions) == {"other"}


def test_two_reads_shortly_after_one_another_count_as_one(history: SessionHistory) -> None:
    history.merge([completed(), completed("other")])
    settle(history, "other", at=NOW)
    assert settle(history, "other", at=NOW + timedelta(seconds=599))
    assert set(history.sessions) == {"s", "other"}


def test_a_session_that_shows_up_again_begins_anew(history: SessionHistory) -> None:
    history.merge([completed(), completed("other")])
    settle(history, "other", at=NOW)
    settle(history, "s", "other", at=NOW + READ_AGAIN)
    assert settle(history, "other", at=NOW + 2 * READ_AGAIN)
    assert set(history.sessions) == {"s", "other"}


def test_an_empty_read_says_nothing(history: SessionHistory) -> None:
    history.merge([completed()])
    assert not settle(history, at=NOW)
    assert not settle(history, at=NOW + READ_AGAIN)
    assert set(history.sessions) == {"s"}


def test_what_goes_along_with_its_charger_stays(history: SessionHistory) -> None:
    history.merge([completed(), replace(completed("other"), charger_id="other")])
    for now in (NOW, NOW + READ_AGAIN):
        assert not history.settle({"other"}, None, now, now, listed={"other"})
    assert set(history.sessions) == {"s", "other"}


def test_of_a_charger_that_went_a_session_goes_when_others_are_listed(
    history: SessionHistory,
) -> None:
    history.merge([completed(), completed("other")])
    history.settle({"other"}, None, NOW, NOW, listed=())
    history.settle({"other"}, None, NOW, NOW + READ_AGAIN, listed=())
    assert set(history.sessions) == {"other"}


def test_what_a_read_does_not_reach_is_not_missing(history: SessionHistory) -> None:
    history.merge([completed(), completed("other")])
    after = START + timedelta(seconds=1)
    for now in (NOW, NOW + READ_AGAIN):
        assert not history.settle({"other"}, after, now, now, listed={"c"})
    assert set(history.sessions) == {"s", "other"}


def test_the_session_that_runs_is_not_missing(history: SessionHistory) -> None:
    history.merge([completed("other")])
    history.observe(charger(session="s", kwh=1), NOW)
    for now in (NOW, NOW + READ_AGAIN):
        assert not settle(history, "other", at=now)
    assert "c" in history.running


def test_what_goes_takes_its_readings_and_its_value_along(history: SessionHistory) -> None:
    history.observe(charger(session="s", kwh=9.9), NOW)
    history.observe(charger(), NOW)
    history.merge([completed(), completed("other")])
    history.appraise([charger()], TERMS)
    settle(history, "other", at=NOW)
    settle(history, "other", at=NOW + READ_AGAIN)
    assert set(history.values) == {"other"}
    assert history.readings == {}


# The same, as Joulo corrects and removes


def ids(entry: MockConfigEntry) -> set[str]:
    """Return the sessions that are known."""
    known: SessionHistory = entry.runtime_data.chargers.history
    return set(known.sessions)


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
    assert joulo.runtime_data.chargers.history.sessions[session.id].kwh == 77.77
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
    assert cloud.count("/sessions") == 2
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
    history: SessionHistory = joulo.runtime_data.chargers.history
    before = history.last_full_read
    cloud.fail("/sessions", Fault.EMPTY_ACCOUNT)
    await advance(31 * 86_400)
    await advance(HOUR)
    assert history.last_full_read == before


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
    assert joulo.runtime_data.chargers.history.is_confirmed(session.id)
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


def test_a_session_ended_when_the_next_began_however_late_that_was_seen(
    history: SessionHistory,
) -> None:
    history.observe(charger(session="s", kwh=9.9), START)
    following = CurrentSession(id="next", started_at=START + timedelta(hours=2))
    history.observe(
        replace(charger(session="next"), current_session=following), START + timedelta(hours=7)
    )
    assert history.live["s"].ended_at == START + timedelta(hours=2)
