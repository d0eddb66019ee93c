"""Every way in which the history may change, and what each change is called."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from custom_components.joulo.api import AccountProfile, Charger, ChargingSession, Cursor
from custom_components.joulo.sessions import queries, transitions
from custom_components.joulo.sessions.model import (
    Backfill,
    Change,
    HistoryState,
    SessionEventType,
)
from tests.sessions import (
    NOW,
    PROFILE,
    READ_AGAIN,
    START,
    VALUE,
    History,
    charger,
    completed,
    opened,
)

BACKFILL = Backfill(NOW, Cursor(START, START.isoformat()))
STARTED = [("s", SessionEventType.STARTED)]
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


# What chargers show


def test_an_active_session_is_the_newest(history: History) -> None:
    history.list(completed("earlier"))
    history.report(charger(session="s", kwh=1.5))
    assert (history.newest().id, history.newest().kwh) == ("s", 1.5)
    assert history.active == {"c": "s"}


def test_a_session_that_has_just_ended_keeps_its_last_figure(history: History) -> None:
    history.report(charger(session="s", kwh=9.9))
    history.report()
    assert history.newest().kwh == 9.9
    assert history.active == {}


def test_charging_without_a_session_is_no_news(history: History) -> None:
    history.report(charger(session="s", kwh=9.9, tag="T"))
    assert history.report(replace(charger(), is_charging=True)) is Change.NONE
    assert history.newest().id_tag == "T"
    assert history.active == {"c": "s"}


def test_the_next_session_does_not_inherit_a_tag(history: History) -> None:
    history.report(charger(session="s", tag="T"))
    history.report(charger(session="next"))
    assert (history.newest().id, history.newest().id_tag) == ("next", None)


def test_a_tag_stays_although_the_start_of_its_session_is_corrected(history: History) -> None:
    history.report(charger(session="s", tag="T"))
    earlier = START - timedelta(seconds=1)
    history.report(charger(session="s", started_at=earlier))
    assert (history.newest().started_at, history.newest().id_tag) == (earlier, "T")


def test_a_session_that_moves_to_another_charger_is_there_only(history: History) -> None:
    history.report(charger(session="s", kwh=5))
    assert len(queries.timeline(history.state, "c")) == 1
    history.report(charger(session="s", kwh=6, charger_id="there"))
    history.report()
    assert queries.timeline(history.state, "c") == ()
    (moved,) = queries.timeline(history.state, "there")
    assert (moved.kwh, moved.ended_at) == (6, None)
    assert history.active == {"there": "s"}


@pytest.mark.parametrize("leaves_first", [True, False])
def test_a_session_that_moves_within_one_answer_goes_on(
    history: History, *, leaves_first: bool
) -> None:
    history.report(charger(session="s", kwh=5))
    here, there = charger(), charger(session="s", kwh=6, charger_id="there")
    history.report(*((here, there) if leaves_first else (there, here)))
    assert queries.timeline(history.state, "c") == ()
    (moved,) = queries.timeline(history.state, "there")
    assert (moved.kwh, moved.ended_at) == (6, None)


def test_an_active_session_is_not_ended_by_a_later_one(history: History) -> None:
    history.report(charger(session="s", kwh=1))
    history.list(replace(completed("later"), started_at=NOW))
    active, later = queries.timeline(history.state, "c")
    assert (active.id, active.ended_at) == ("s", None)
    assert queries.completed(history.state, "c") == (later,)


def test_a_session_ended_when_the_next_began_however_late_that_was_seen(history: History) -> None:
    history.report(charger(session="s", kwh=9.9), at=START)
    begun = START + timedelta(hours=2)
    history.report(charger(session="next", started_at=begun), at=START + timedelta(hours=7))
    observed = history.records["s"].observed
    assert observed is not None
    assert observed.ended_at == begun


def test_a_session_that_is_shown_with_another_id_for_a_moment_counts_once(history: History) -> None:
    for session in ("s", "wrong", "s"):
        history.report(charger(session=session, kwh=5))
    assert history.records.keys() == {"s"}


def test_a_listed_session_stays_although_another_begins_at_its_moment(history: History) -> None:
    history.report(charger(session="s", kwh=5))
    history.list(opened("s"))
    history.report(charger(session="other", kwh=1))
    assert history.records.keys() == {"s", "other"}


def test_a_charger_that_went_ends_its_session(history: History) -> None:
    history.report(charger(session="s", kwh=9.9))
    change = history.update(transitions.end_active, ["c", "unknown"], NOW)
    assert change == Change.ACTIVE | Change.OBSERVED
    assert (history.newest().ended_at, history.active) == (NOW, {})


def test_a_charger_that_shows_an_ended_session_and_does_not_charge_is_idle(
    history: History,
) -> None:
    shown = charger(session="s", kwh=1)
    history.report(shown)
    history.list(completed())
    history.report(replace(shown, is_charging=False))
    assert history.active == {}


def test_energy_that_the_last_answer_left_out_is_known_from_one_before(history: History) -> None:
    history.report(charger(session="s", kwh=9))
    history.report(charger(session="s"))
    history.update(transitions.finish_read, NOW, full=True)
    assert queries.totals(history.state, "c").kwh == 9
    history.report()
    assert queries.totals(history.state, "c").kwh == 9


# Readings


def test_one_reading_is_kept_of_every_hour(history: History) -> None:
    for minutes, kwh in ((5, 1.0), (55, 2.0), (65, 3.0)):
        history.report(charger(session="s", kwh=kwh), at=START + minutes * MINUTE)
    assert [kwh for _, kwh in history.records["s"].readings] == [2.0, 3.0]


def test_an_energy_that_is_unchanged_adds_no_reading(history: History) -> None:
    history.report(charger(session="s", kwh=1.0), at=START + 5 * MINUTE)
    before = history.state
    for minutes in (6, 59, 65):
        change = history.report(charger(session="s", kwh=1.0), at=START + minutes * MINUTE)
        assert change is Change.NONE
        assert history.state is before
    assert history.records["s"].readings == ((START + 5 * MINUTE, 1.0),)


def test_a_pause_is_noted_until_the_hour_in_which_the_energy_grows(history: History) -> None:
    def report(kwh: float | None, minutes: float) -> None:
        at = START + minutes * MINUTE
        shown = charger(session="s", kwh=kwh)
        history.update(transitions.apply_report, [shown], at, at - MINUTE)

    report(1.0, 10)
    report(1.0, 179)
    report(2.0, 190)
    first, pause = (START + 10 * MINUTE, 1.0), (START + 180 * MINUTE - timedelta.resolution, 1.0)
    assert [*history.records["s"].readings] == [first, pause, (START + 190 * MINUTE, 2.0)]
    report(3.0, 200)
    assert [*history.records["s"].readings] == [first, pause, (START + 200 * MINUTE, 3.0)]
    report(4.0, 240)
    assert [*history.records["s"].readings] == [
        first,
        pause,
        (START + 239 * MINUTE, 3.0),
        (START + 240 * MINUTE, 4.0),
    ]


def test_a_pause_lasts_no_longer_than_it_was_observed(history: History) -> None:
    history.report(charger(session="s", kwh=1.0), at=START + 10 * MINUTE)
    history.report(charger(session="s", kwh=1.0), at=START + 70 * MINUTE)
    shown = charger(session="s", kwh=2.0)
    history.update(transitions.apply_report, [shown], START + 190 * MINUTE, START + 70 * MINUTE)
    assert [at for at, _ in history.records["s"].readings] == [
        START + minutes * MINUTE for minutes in (10, 70, 190)
    ]


def test_a_pause_without_an_energy_in_the_report_before_is_not_known(history: History) -> None:
    history.report(charger(session="s", kwh=1.0), at=START + 10 * MINUTE)
    history.report(charger(session="s"), at=START + 70 * MINUTE)
    shown = charger(session="s", kwh=2.0)
    history.update(transitions.apply_report, [shown], START + 190 * MINUTE, START + 70 * MINUTE)
    assert len(history.records["s"].readings) == 2


def test_an_answer_without_energy_adds_no_reading(history: History) -> None:
    history.report(charger(session="s", kwh=1.0))
    history.report(charger(session="s"), at=NOW + MINUTE)
    assert history.records["s"].readings == ((NOW, 1.0),)


# What Joulo lists


def test_an_older_figure_of_the_same_session_does_not_win(history: History) -> None:
    history.report(charger(session="s", kwh=9.9))
    history.report()
    history.list(replace(opened(), kwh=5))
    assert history.newest().kwh == 9.9


def test_the_later_of_two_figures_of_an_open_session_wins(history: History) -> None:
    history.report(charger(session="s", kwh=3))
    history.report()
    history.list(replace(opened(), kwh=9))
    assert history.newest().kwh == 9


def test_the_final_figure_wins(history: History) -> None:
    history.report(charger(session="s", kwh=9.9))
    history.report()
    history.list(completed(kwh=10.2))
    assert history.newest().kwh == 10.2
    assert history.records["s"].observed is None


def test_energy_that_joulo_withholds_in_the_end_stays_as_it_was_observed(
    history: History,
) -> None:
    history.report(charger(session="s", kwh=9))
    history.report()
    history.list(replace(completed(), kwh=None, ere_credits=None))
    history.update(transitions.finish_read, NOW, full=True)
    (session,) = queries.timeline(history.state, "c")
    assert (session.kwh, session.ere_credits) == (9, None), "ERE credits are Joulo's alone by then"
    assert queries.totals(history.state, "c").kwh == 9
    history.list(replace(completed(), kwh=None, ere_credits=3.5))
    assert queries.totals(history.state, "c").ere == 3.5


def test_a_tag_that_a_charger_showed_stays_with_its_session(history: History) -> None:
    history.report(charger(session="s", tag="T"))
    history.list(completed())
    history.list(completed(kwh=11))
    listed = history.records["s"].listed
    assert listed is not None
    assert listed.id_tag == "T"


def test_a_session_listed_as_ended_while_its_charger_shows_it_is_still_active(
    history: History,
) -> None:
    history.report(charger(session="s", kwh=1))
    history.list(completed(kwh=2))
    assert (history.newest().id, history.newest().kwh) == ("s", 1)
    assert history.active == {"c": "s"}


def test_a_session_that_is_listed_at_another_charger_is_there_only(history: History) -> None:
    history.list(completed())
    history.list(replace(completed(), charger_id="there"))
    assert queries.timeline(history.state, "c") == ()
    assert len(queries.timeline(history.state, "there")) == 1


def test_a_session_without_an_end_that_a_restart_left_observed_is_listed_with_it(
    history: History,
) -> None:
    history.report(charger(session="s", kwh=9))
    history.update(transitions.end_active, ["c"], NOW)
    assert history.list(opened()) == Change.SESSIONS
    assert history.records["s"].is_unconfirmed


# Values


def test_a_session_is_valued_once(history: History) -> None:
    history.report()
    history.list(completed())
    assert history.values == {}, "no price yet"
    assert history.update(transitions.assign_values, PROFILE) == Change.VALUES
    dearer = AccountProfile(ere_price_mid=9, effective_fee_pct=0)
    assert history.update(transitions.assign_values, dearer) is Change.NONE
    assert history.values == {"s": pytest.approx(VALUE)}


def test_a_listed_session_is_valued_in_the_same_transition(priced: History) -> None:
    assert priced.list(completed()) == Change.SESSIONS | Change.VALUES
    assert priced.values == {"s": pytest.approx(VALUE)}


def test_the_price_of_the_moment_values_what_is_listed_from_then_on(priced: History) -> None:
    priced.list(completed())
    priced.update(transitions.assign_values, AccountProfile(ere_price_mid=1, effective_fee_pct=20))
    priced.list(completed("later"))
    assert priced.values == {"s": pytest.approx(VALUE), "later": pytest.approx(2 * VALUE)}


def test_a_session_is_valued_once_its_charger_says_whether_it_is_certified(
    history: History,
) -> None:
    history.list(completed())
    history.update(transitions.assign_values, PROFILE)
    history.report(charger(mid_certified=None))
    assert history.values == {}
    assert history.report() == Change.VALUES
    assert history.values == {"s": pytest.approx(VALUE)}


def test_a_session_of_a_charger_without_certificate_is_worth_nothing_without_a_price(
    history: History,
) -> None:
    history.list(completed())
    assert history.report(charger(mid_certified=False)) == Change.VALUES
    assert history.values == {"s": 0}


def test_a_certificate_that_comes_later_leaves_the_value(history: History) -> None:
    history.list(completed())
    history.report(charger(mid_certified=False))
    history.update(transitions.assign_values, PROFILE)
    assert history.report() is Change.NONE
    assert history.values == {"s": 0}


def test_a_session_that_gets_its_energy_later_is_valued_then(priced: History) -> None:
    priced.list(replace(completed(kwh=0), ere_credits=None))
    assert priced.values == {"s": 0}
    priced.list(completed())
    assert priced.values == {"s": pytest.approx(VALUE)}


def test_a_session_that_gets_its_ere_later_is_valued_then(priced: History) -> None:
    priced.list(replace(completed(), ere_credits=0.0))
    priced.list(completed())
    assert priced.values["s"] > 0


def test_a_session_whose_figures_are_corrected_keeps_its_value(priced: History) -> None:
    priced.list(completed())
    assert priced.list(replace(completed(), ere_credits=8)) == Change.SESSIONS
    assert priced.values == {"s": pytest.approx(VALUE)}


def test_a_session_that_goes_on_after_all_is_valued_at_its_later_end(priced: History) -> None:
    priced.list(replace(completed(kwh=1), ere_credits=0.4))
    priced.list(replace(opened(), kwh=1, ere_credits=0.4))
    assert priced.values == {}
    priced.list(completed())
    assert priced.values == {"s": pytest.approx(VALUE)}


def test_a_session_without_an_end_has_no_value_yet(priced: History) -> None:
    assert priced.list(opened()) == Change.SESSIONS
    assert priced.values == {}


# What a complete read does not list


def test_a_session_goes_when_two_reads_miss_it(history: History) -> None:
    history.list(completed(), completed("other"))
    assert history.read("other") is Change.NONE
    assert history.state.missing_since == {"s": NOW}, "it is missing, and stays for now"
    assert set(history.records) == {"s", "other"}
    assert history.read("other", at=NOW + READ_AGAIN) == Change.SESSIONS
    assert history.state.missing_since == {}
    assert set(history.records) == {"other"}


def test_two_reads_shortly_after_one_another_count_as_one(history: History) -> None:
    history.list(completed(), completed("other"))
    history.read("other")
    history.read("other", at=NOW + timedelta(seconds=599))
    assert history.state.missing_since == {"s": NOW}
    assert set(history.records) == {"s", "other"}


def test_a_session_that_shows_up_again_begins_anew(history: History) -> None:
    history.list(completed(), completed("other"))
    history.read("other")
    history.read("s", "other", at=NOW + READ_AGAIN)
    history.read("other", at=NOW + 2 * READ_AGAIN)
    assert history.state.missing_since == {"s": NOW + 2 * READ_AGAIN}
    assert set(history.records) == {"s", "other"}


def test_an_empty_read_says_nothing(history: History) -> None:
    history.list(completed())
    before = history.state
    history.read()
    history.read(at=NOW + READ_AGAIN)
    assert history.state is before


def test_a_session_that_goes_along_with_its_charger_stays(history: History) -> None:
    history.report(charger())
    history.list(completed(), replace(completed("other"), charger_id="other"))
    for at in (NOW, NOW + READ_AGAIN):
        history.read("other", at=at, charger_ids=["other"])
    assert set(history.records) == {"s", "other"}
    assert history.state.missing_since == {}


def test_a_session_of_a_charger_that_joulo_never_listed_goes(history: History) -> None:
    """Such an id may be anything."""
    history.report(charger())
    history.list(completed(), replace(completed("junk"), charger_id="-Infinity"))
    for at in (NOW, NOW + READ_AGAIN):
        history.read("s", at=at)
    assert set(history.records) == {"s"}


def test_a_session_of_a_charger_that_went_goes_when_others_of_it_are_listed(
    history: History,
) -> None:
    history.list(completed(), completed("other"))
    for at in (NOW, NOW + READ_AGAIN):
        history.read("other", at=at, charger_ids=())
    assert set(history.records) == {"other"}


def test_a_session_that_a_read_does_not_reach_is_not_missing(history: History) -> None:
    history.list(completed(), completed("other"))
    for at in (NOW, NOW + READ_AGAIN):
        history.read("other", at=at, since=START + timedelta(seconds=1))
    assert set(history.records) == {"s", "other"}
    assert history.state.missing_since == {}


def test_a_read_of_another_time_leaves_a_missing_session_missing(history: History) -> None:
    history.list(completed(), completed("other"))
    history.read("other")
    history.read("later", at=NOW + READ_AGAIN, since=START + timedelta(seconds=1))
    assert history.state.missing_since == {"s": NOW}


def test_an_active_session_is_not_missing(history: History) -> None:
    history.list(completed("other"))
    history.report(charger(session="s", kwh=1))
    for at in (NOW, NOW + READ_AGAIN):
        history.read("other", at=at)
    assert history.active == {"c": "s"}
    assert set(history.records) == {"s", "other"}


def test_a_session_that_goes_takes_its_readings_and_its_value_along(priced: History) -> None:
    priced.report(charger(session="s", kwh=9.9))
    priced.report()
    priced.list(completed(), completed("other"))
    priced.read("other")
    priced.read("other", at=NOW + READ_AGAIN)
    assert set(priced.values) == {"other"}
    assert set(priced.records) == {"other"}


# Reads and events


def test_events_begin_after_what_the_first_read_of_all_has_told(history: History) -> None:
    history.list(completed("old"))
    history.update(transitions.begin_announcing, NOW)
    since = history.state.announce_since
    assert since == START
    assert history.state.announced == {"old": (SessionEventType.COMPLETED,)}
    history.list(replace(completed("new"), started_at=NOW, ended_at=NOW + READ_AGAIN))
    history.update(transitions.begin_announcing, NOW)
    assert history.state.announce_since == since


def test_nonsense_of_the_future_silences_no_event_but_its_own(history: History) -> None:
    century = timedelta(days=36_500)
    nonsense = replace(completed("nonsense"), ended_at=START + century)
    soon = replace(completed("soon"), started_at=NOW + 19 * HOUR, ended_at=NOW + 20 * HOUR)
    history.list(nonsense, soon)
    history.update(transitions.begin_announcing, NOW)
    assert history.state.announce_since == START
    assert history.state.announced == {
        "nonsense": (SessionEventType.COMPLETED,),
        "soon": tuple(SessionEventType),
    }


def test_events_of_an_account_without_sessions_begin_with_its_first(history: History) -> None:
    history.update(transitions.begin_announcing, NOW)
    since = history.state.announce_since
    assert since is not None
    assert since < START - timedelta(days=3650)


def test_an_end_that_was_only_observed_is_not_the_past_yet(history: History) -> None:
    history.report(charger(session="s"))
    history.report()
    history.update(transitions.begin_announcing, NOW)
    assert history.state.announce_since == START


def test_what_lay_in_the_future_of_a_wrong_clock_is_the_past(history: History) -> None:
    open_session = replace(completed("open"), ended_at=None)
    history.update(transitions.begin_announcing, NOW, [completed("ended"), open_session])
    assert history.state.announced == {
        "ended": tuple(SessionEventType),
        "open": (SessionEventType.STARTED,),
    }


def test_a_read_of_all_sessions_ends_the_backfill_and_another_does_not(history: History) -> None:
    history.update(transitions.set_backfill, BACKFILL)
    history.update(transitions.finish_read, NOW, full=False)
    assert (history.state.last_read, history.state.last_full_read) == (NOW, None)
    assert history.state.backfill == BACKFILL
    history.update(transitions.finish_read, START, full=True)
    assert (history.state.last_read, history.state.last_full_read) == (START, START)
    assert history.state.backfill is None


def test_events_are_remembered_by_session_and_type(history: History) -> None:
    completion = ("s", SessionEventType.COMPLETED)
    history.update(transitions.mark_announced, STARTED)
    history.update(transitions.mark_announced, [completion, ("next", SessionEventType.STARTED)])
    assert history.state.announced == {
        "s": ("session_started", "session_completed"),
        "next": ("session_started",),
    }


def test_an_event_is_remembered_once(history: History) -> None:
    history.update(transitions.mark_announced, STARTED)
    before = history.state
    assert history.update(transitions.mark_announced, STARTED) is Change.NONE
    assert history.state is before


# What has changed


def _idle() -> HistoryState:
    history = History()
    history.report()
    history.update(transitions.assign_values, PROFILE)
    history.list(completed("old"))
    return history.state


def _active() -> HistoryState:
    history = History(_idle())
    history.report(charger(session="s", kwh=1.0))
    return history.state


@pytest.mark.parametrize(
    ("before", "act", "change"),
    [
        pytest.param(
            _idle,
            lambda history: history.report(charger(session="s")),
            Change.ACTIVE | Change.OBSERVED,
            id="a session starts",
        ),
        pytest.param(
            _active,
            lambda history: history.report(charger(session="s", kwh=1.1)),
            Change.PROGRESS,
            id="its energy grows",
        ),
        pytest.param(
            _active,
            lambda history: history.report(
                charger(session="s", kwh=1.1), at=NOW + timedelta(hours=1)
            ),
            Change.OBSERVED,
            id="its energy grows in another hour",
        ),
        pytest.param(
            _active,
            lambda history: history.report(charger(session="s", kwh=1.0, tag="T")),
            Change.OBSERVED,
            id="its tag is shown",
        ),
        pytest.param(
            _active,
            lambda history: history.report(),
            Change.ACTIVE | Change.OBSERVED,
            id="it ends",
        ),
        pytest.param(
            _active,
            lambda history: history.report(charger(session="next", started_at=NOW)),
            Change.ACTIVE | Change.OBSERVED,
            id="another follows",
        ),
        pytest.param(
            _idle,
            lambda history: history.list(opened()),
            Change.SESSIONS,
            id="a session is listed",
        ),
        pytest.param(
            _idle,
            lambda history: history.list(completed()),
            Change.SESSIONS | Change.VALUES,
            id="a completed session is listed",
        ),
        pytest.param(
            _idle,
            lambda history: history.list(completed("old", kwh=10.5)),
            Change.SESSIONS,
            id="a session is corrected",
        ),
        pytest.param(
            _idle,
            lambda history: history.update(transitions.finish_read, NOW, full=False),
            Change.PLANNING,
            id="the newest sessions have been read",
        ),
        pytest.param(
            _idle,
            lambda history: history.update(transitions.finish_read, NOW, full=True),
            Change.PLANNING | Change.SYNC,
            id="all sessions have been read",
        ),
        pytest.param(
            _idle,
            lambda history: history.update(transitions.begin_announcing, NOW),
            Change.PLANNING,
            id="events begin",
        ),
        pytest.param(
            _idle,
            lambda history: history.update(transitions.set_backfill, BACKFILL),
            Change.PLANNING,
            id="a backfill is under way",
        ),
        pytest.param(
            _idle,
            lambda history: history.update(transitions.snooze_mismatch, NOW),
            Change.PLANNING,
            id="a mismatch is snoozed",
        ),
        pytest.param(
            _idle,
            lambda history: history.update(transitions.mark_announced, STARTED),
            Change.ANNOUNCED,
            id="an event is fired",
        ),
    ],
)
def test_a_change_is_called_by_its_name(
    before: Callable[[], HistoryState], act: Callable[[History], Change], change: Change
) -> None:
    history = History(before())
    assert act(history) == change
    assert history.state != before()


def _planned() -> HistoryState:
    history = History(_active())
    history.update(transitions.begin_announcing, NOW)
    history.update(transitions.snooze_mismatch, NOW)
    history.update(transitions.mark_announced, STARTED)
    history.update(transitions.set_backfill, BACKFILL)
    history.update(transitions.finish_read, START, full=False)
    return history.state


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(lambda history: history.report(charger(session="s", kwh=1.0)), id="report"),
        pytest.param(
            lambda history: history.report(charger(session="s", kwh=1.0), at=NOW + READ_AGAIN),
            id="later report",
        ),
        pytest.param(
            lambda history: history.update(transitions.apply_report, (), NOW), id="empty report"
        ),
        pytest.param(lambda history: history.list(completed("old")), id="known session"),
        pytest.param(lambda history: history.list(), id="empty list"),
        pytest.param(
            lambda history: history.update(transitions.end_active, ["unknown"], NOW),
            id="charger without session",
        ),
        pytest.param(
            lambda history: history.update(transitions.assign_values, PROFILE), id="same price"
        ),
        pytest.param(lambda history: history.read("old", "s"), id="read without missing sessions"),
        pytest.param(
            lambda history: history.update(transitions.begin_announcing, NOW),
            id="second first read",
        ),
        pytest.param(
            lambda history: history.update(transitions.set_backfill, BACKFILL), id="same backfill"
        ),
        pytest.param(
            lambda history: history.update(transitions.finish_read, START, full=False),
            id="same read",
        ),
        pytest.param(
            lambda history: history.update(transitions.snooze_mismatch, NOW), id="same snooze"
        ),
        pytest.param(
            lambda history: history.update(transitions.mark_announced, ()), id="no events"
        ),
    ],
)
def test_a_transition_that_changes_nothing_returns_the_same_state(
    act: Callable[[History], Change],
) -> None:
    before = _planned()
    history = History(before)
    assert act(history) is Change.NONE
    assert history.state is before


def test_a_state_that_was_handed_out_does_not_change(priced: History) -> None:
    priced.report(charger(session="s", kwh=1))
    before = priced.state
    timeline = queries.timeline(before, "c")
    priced.report(charger(session="s", kwh=2))
    priced.list(completed(), completed("other"))
    priced.read("other")
    priced.read("other", at=NOW + READ_AGAIN)
    assert queries.timeline(before, "c") == timeline
    assert [session.kwh for session in timeline] == [1]


def fortnight(count: int) -> tuple[ChargingSession, ...]:
    """Return so many completed sessions, an hour apart, and one that is older than all of them."""
    hours = range(count + 1)
    return tuple(
        replace(
            completed(str(number)),
            started_at=START - number * HOUR,
            ended_at=START - number * HOUR + HOUR / 2,
        )
        for number in hours
    )


def read_twice(history: History, *seen: str) -> None:
    """Conclude two complete reads that listed the given sessions only."""
    for at in (NOW, NOW + READ_AGAIN):
        history.read(*seen, at=at)


def test_sessions_older_than_all_that_joulo_still_lists_are_archived_and_stay(
    history: History,
) -> None:
    history.list(*fortnight(20))
    read_twice(history, *map(str, range(10)))
    assert len(history.records) == 21
    assert history.state.unlisted == frozenset()


def test_five_sessions_may_go_at_once(history: History) -> None:
    history.list(*fortnight(20))
    read_twice(history, *map(str, range(5, 21)))
    assert set(history.records) == set(map(str, range(5, 21)))


def test_a_tenth_of_the_sessions_may_go_at_once(history: History) -> None:
    history.list(*fortnight(99))
    read_twice(history, *map(str, range(10, 100)))
    assert set(history.records) == set(map(str, range(10, 100)))


def test_more_than_that_stay_and_wait_for_a_decision(history: History) -> None:
    history.list(*fortnight(99))
    read_twice(history, *map(str, range(11, 100)))
    assert history.change == Change.UNLISTED
    assert len(history.records) == 100
    assert history.state.unlisted == set(map(str, range(11)))


def test_unlisted_sessions_that_are_kept_are_not_missing_any_more(history: History) -> None:
    history.list(*fortnight(20))
    read_twice(history, *map(str, range(6, 21)))
    history.update(transitions.keep_unlisted)
    assert history.change == Change.UNLISTED
    read_twice(history, *map(str, range(6, 21)))
    assert len(history.records) == 21
    assert history.state.unlisted == frozenset()


def test_unlisted_sessions_go_when_the_user_follows_joulo(history: History) -> None:
    history.list(*fortnight(20))
    read_twice(history, *map(str, range(6, 21)))
    assert history.update(transitions.remove_unlisted, NOW) == Change.UNLISTED | Change.SESSIONS
    assert set(history.records) == set(map(str, range(6, 21)))
    assert history.state.unlisted == frozenset()


def test_unlisted_sessions_that_are_listed_again_wait_no_more(history: History) -> None:
    history.list(*fortnight(20))
    read_twice(history, *map(str, range(6, 21)))
    history.read(*map(str, range(21)), at=NOW + 2 * READ_AGAIN)
    assert history.state.unlisted == frozenset()


def test_a_removed_session_that_comes_back_has_its_readings_and_its_value(priced: History) -> None:
    priced.report(charger(session="s", kwh=3))
    priced.report()
    priced.list(completed(), replace(completed("other"), started_at=START - HOUR))
    before = priced.records["s"]
    assert before.readings
    read_twice(priced, "other")
    assert "s" not in priced.records
    priced.state = replace(
        priced.state, profile=AccountProfile(ere_price_mid=0.2, effective_fee_pct=20)
    )
    assert Change.SESSIONS in priced.list(completed())
    assert priced.records["s"] == before
    assert priced.state.set_aside == {}


def test_a_removed_session_is_set_aside_for_thirty_days(history: History) -> None:
    history.list(completed(), replace(completed("other"), started_at=START - HOUR))
    read_twice(history, "other")
    history.read("other", at=NOW + timedelta(days=29))
    assert set(history.state.set_aside) == {"s"}
    history.read("other", at=NOW + timedelta(days=31))
    assert history.state.set_aside == {}


@pytest.mark.parametrize("kwh", [None, 12.0])
def test_a_known_number_stays_when_an_answer_lacks_it(history: History, kwh: float | None) -> None:
    history.list(completed(kwh=10))
    history.list(replace(completed(kwh=10), kwh=kwh, ere_credits=None))
    session = history.records["s"].session
    assert session.kwh == (kwh or 10)
    assert session.ere_credits == completed(kwh=10).ere_credits


def test_a_session_corrected_to_no_energy_has_no_credits(history: History) -> None:
    history.list(completed(kwh=10))
    history.list(replace(completed(kwh=0), ere_credits=None))
    assert history.records["s"].session.ere_credits is None


# Meters


def metered(wh: float | None) -> Charger:
    """Return an idle charger whose meter shows Wh."""
    return replace(charger(), latest_meter_wh=wh)


def shown(history: History, *readings: float | None) -> float | None:
    """Return the meter reading after answers that show others, five minutes apart."""
    for number, wh in enumerate(readings):
        history.report(metered(wh), at=NOW + 5 * number * MINUTE)
    return queries.meter_wh(history.state, "c")


@pytest.mark.parametrize("glitch", [0, 1_000_000, None])
def test_a_meter_that_shows_less_once_keeps_its_reading(
    history: History, glitch: float | None
) -> None:
    assert shown(history, 3_765_000, glitch) == 3_765_000
    assert shown(history, 3_765_100) == 3_765_100


def test_a_lower_reading_is_believed_when_it_lasts_a_quarter_of_an_hour(history: History) -> None:
    assert shown(history, 5000, 10, 11, 12) == 5000
    assert shown(history, 5000, 10, 11, 12, 13) == 13


def test_a_meter_that_begins_at_zero_shows_zero(history: History) -> None:
    assert shown(history, 0) == 0
    assert shown(history, 0, 5) == 5


def test_zero_is_never_believed_after_a_reading(history: History) -> None:
    assert shown(history, 5000, 0, 0, 0, 0, 0) == 5000


# Nonsense of chargers


def test_a_session_that_starts_days_ahead_is_not_active(history: History) -> None:
    ahead = NOW + timedelta(days=2)
    assert history.report(charger(session="s", started_at=ahead)) is Change.NONE
    assert history.active == {}


def test_a_session_that_two_chargers_show_stays_with_the_one_that_had_it(history: History) -> None:
    history.report(charger(session="s", charger_id="b", kwh=1))
    history.report(
        charger(session="s", charger_id="a", kwh=2), charger(session="s", charger_id="b", kwh=2)
    )
    assert history.active == {"b": "s"}
    assert history.newest("b").kwh == 2


def test_a_session_whose_end_is_listed_at_another_charger_is_active_no_more(
    history: History,
) -> None:
    history.report(charger(session="s", charger_id="a", kwh=1))
    history.list(replace(completed(), charger_id="b"))
    assert history.active == {}
    history.report(charger(session="s", charger_id="a", kwh=1))
    assert history.active == {}
    assert history.newest("b").kwh == 10


def test_the_energy_of_an_active_session_stays_when_an_answer_lacks_it(history: History) -> None:
    history.report(charger(session="s", kwh=3))
    history.report(charger(session="s", kwh=None), at=NOW + MINUTE)
    assert history.newest().kwh == 3


def test_a_meter_that_jumps_up_once_keeps_its_reading(history: History) -> None:
    assert shown(history, 12_345_000, 1e12, 12_345_100) == 12_345_100


def test_a_meter_that_was_out_of_sight_for_long_is_believed_later(history: History) -> None:
    assert shown(history, 1000, 9_000_000, 9_000_100, 9_000_200) == 1000
    assert shown(history, 1000, 9_000_000, 9_000_100, 9_000_200, 9_000_300) == 9_000_300


# Sessions that were set aside, or count otherwise


def test_a_session_that_its_charger_shows_again_comes_back_with_its_readings(
    history: History,
) -> None:
    for hour, kwh in ((1, 1.0), (2, 8.0), (3, 9.0)):
        history.report(charger(session="s", kwh=kwh), at=START + hour * HOUR)
    history.report(at=START + 4 * HOUR)
    history.list(replace(completed("other"), started_at=START - 9 * HOUR))
    before = history.records["s"].readings
    for hours in (6, 7):
        history.read("other", at=START + hours * HOUR)
    assert "s" not in history.records
    history.report(charger(session="s", kwh=9.5), at=START + 8 * HOUR)
    assert history.records["s"].readings[:3] == before
    assert history.state.set_aside == {}


@pytest.mark.parametrize("counts", [True, False])
def test_a_session_that_counts_otherwise_is_valued_anew(priced: History, *, counts: bool) -> None:
    priced.list(replace(completed(), counts_for_ere=not counts))
    priced.list(replace(completed(), counts_for_ere=counts))
    assert priced.values == {"s": pytest.approx(VALUE if counts else 0.0)}


def test_a_session_that_has_just_ended_is_not_missing_yet(history: History) -> None:
    """Joulo reads some chargers every quarter of an hour only."""
    history.list(replace(completed("other"), started_at=START - 9 * HOUR))
    history.report(charger(session="s", kwh=1.0))
    history.report(at=NOW)
    for minutes in (1, 20, 59):
        history.read("other", at=NOW + minutes * MINUTE)
    assert "s" in history.records
    for minutes in (61, 72):
        history.read("other", at=NOW + minutes * MINUTE)
    assert "s" not in history.records


@pytest.mark.parametrize(
    ("gap", "end"), [(15 * MINUTE, 15 * MINUTE), (timedelta(days=3), timedelta())]
)
def test_a_session_that_ended_out_of_sight_ended_at_the_last_report_that_showed_it(
    history: History, gap: timedelta, end: timedelta
) -> None:
    history.report(charger(session="s", kwh=1.0), at=NOW)
    history.update(transitions.apply_report, [charger()], NOW + gap, NOW)
    observed = history.records["s"].observed
    assert observed is not None
    assert observed.ended_at == NOW + end


def test_a_session_ends_no_sooner_than_it_began(history: History) -> None:
    history.report(charger(session="later", started_at=NOW))
    history.report(charger(session="earlier", started_at=START))
    observed = history.records["later"].observed
    assert observed is not None
    assert observed.ended_at == NOW


def test_an_event_that_was_not_fired_after_all_is_pending_again(history: History) -> None:
    history.update(transitions.mark_announced, STARTED)
    history.update(transitions.forget_announced, STARTED)
    assert history.state.announced == {}
