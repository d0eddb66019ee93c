"""What is asked of the history, and what it answers."""

from dataclasses import replace
from datetime import timedelta

import pytest

from custom_components.joulo.sessions import queries, transitions
from custom_components.joulo.sessions.model import SessionEventType
from custom_components.joulo.sessions.queries import Coverage, Totals
from tests.sessions import NOW, START, VALUE, History, charger, completed, opened

HOUR = timedelta(hours=1)
FORTNIGHT = timedelta(days=14)


def test_an_unknown_charger_has_no_sessions(history: History) -> None:
    assert queries.newest(history.state, "c", NOW) is None
    assert queries.last_completed(history.state, "c", NOW) is None
    assert queries.timeline(history.state, "c") == ()
    assert not queries.is_active(history.state, "c")
    assert queries.active_power(history.state, "c") is None


def test_a_charger_without_sessions_has_no_history(history: History) -> None:
    history.report(charger(), charger(session="s", charger_id="there"))
    assert queries.charger_ids(history.state) == {"there"}


def test_a_charger_is_active_while_a_session_is(history: History) -> None:
    history.report(charger(session="s"), charger(charger_id="there"))
    assert queries.has_active(history.state)
    assert queries.is_active(history.state, "c")
    assert not queries.is_active(history.state, "there")
    history.report()
    assert not queries.has_active(history.state)


def test_the_newest_completed_session_is_one_that_joulo_lists_as_ended(history: History) -> None:
    history.list(completed("earlier"))
    history.report(charger(session="s", kwh=3, started_at=NOW), at=NOW + HOUR)
    history.report(at=NOW + 2 * HOUR)
    last = queries.last_completed(history.state, "c", NOW + 2 * HOUR)
    assert last is not None
    assert last.id == "earlier"
    assert history.newest().id == "s"


def test_a_session_that_has_not_started_is_not_the_newest(history: History) -> None:
    """Within a day a start may lie ahead, for Joulo's clock is not ours."""
    ahead = replace(completed("ahead"), started_at=NOW + HOUR, ended_at=NOW + 2 * HOUR)
    history.list(completed("past"), ahead)
    assert history.newest(now=NOW).id == "past"
    last = queries.last_completed(history.state, "c", NOW)
    assert last is not None
    assert last.id == "past"
    assert history.newest(now=NOW + HOUR).id == "ahead"


def test_an_average_power_is_that_until_the_energy_last_grew(history: History) -> None:
    history.report(charger(session="s"), at=START + HOUR)
    assert queries.active_power(history.state, "c") is None
    history.report(charger(session="s", kwh=22), at=START + 2 * HOUR)
    assert queries.active_power(history.state, "c") == 11
    history.report(charger(session="s", kwh=22), at=START + 4 * HOUR)
    assert queries.active_power(history.state, "c") == 11
    history.report(at=START + 5 * HOUR)
    assert queries.active_power(history.state, "c") is None


def test_a_value_is_unknown_until_a_session_is_valued(priced: History) -> None:
    priced.list(opened())
    assert queries.value_of(priced.state, completed()) is None
    priced.list(completed())
    assert queries.value_of(priced.state, completed()) == pytest.approx(VALUE)
    assert queries.value_of(priced.state, completed("unknown")) is None


def test_totals_are_unknown_until_all_has_been_read(history: History) -> None:
    history.list(completed())
    assert queries.totals(history.state, "c") == Totals(None, None)
    history.update(transitions.finish_read, NOW, full=False)
    assert queries.totals(history.state, "c") == Totals(None, None)
    history.update(transitions.finish_read, NOW, full=True)
    assert queries.totals(history.state, "c") == Totals(10, 4)


def test_totals_are_unknown_while_every_figure_is(history: History) -> None:
    history.list(replace(completed(), kwh=None, ere_credits=None))
    history.update(transitions.finish_read, NOW, full=True)
    assert queries.totals(history.state, "c") == Totals(None, None)
    history.list(completed("other"))
    assert queries.totals(history.state, "c").kwh == 10


def test_totals_of_a_charger_without_sessions_are_zero(history: History) -> None:
    history.update(transitions.finish_read, NOW, full=True)
    assert queries.totals(history.state, "c") == Totals(0, 0)


def test_a_coverage_counts_what_joulo_lists(history: History) -> None:
    assert queries.coverage(history.state) == Coverage(0, None, None)
    history.list(completed(), replace(completed("there"), charger_id="there", started_at=NOW))
    history.report(charger(session="active", started_at=START - HOUR))
    history.update(transitions.finish_read, NOW, full=True)
    assert queries.coverage(history.state) == Coverage(2, START, NOW)


# The start of the next read


def test_a_first_read_asks_for_everything(history: History) -> None:
    assert queries.unsettled_since(history.state, FORTNIGHT) is None


def test_a_later_read_goes_back_a_fortnight(history: History) -> None:
    history.update(transitions.finish_read, NOW, full=False)
    assert queries.unsettled_since(history.state, FORTNIGHT) == NOW - FORTNIGHT


def test_a_later_read_goes_back_to_a_session_whose_end_is_not_listed(history: History) -> None:
    begun = NOW - timedelta(days=21)
    history.report(charger(session="s", kwh=3, started_at=begun), at=begun + HOUR)
    history.update(transitions.finish_read, NOW, full=False)
    assert queries.unsettled_since(history.state, FORTNIGHT) == NOW - FORTNIGHT, "it is active"
    history.report(at=NOW)
    assert queries.unsettled_since(history.state, FORTNIGHT) == begun
    history.list(replace(completed(), started_at=begun))
    assert queries.unsettled_since(history.state, FORTNIGHT) == NOW - FORTNIGHT


def test_a_later_read_does_not_go_back_to_an_end_that_is_older_than_a_fortnight(
    history: History,
) -> None:
    begun = NOW - timedelta(days=21)
    history.report(charger(session="s", kwh=3, started_at=begun), at=begun + HOUR)
    history.report(at=begun + 2 * HOUR)
    history.update(transitions.finish_read, NOW, full=False)
    assert queries.unsettled_since(history.state, FORTNIGHT) == NOW - FORTNIGHT


# Open ends


@pytest.mark.parametrize(
    ("until_the_next", "lasts"),
    [
        pytest.param(timedelta(hours=3), timedelta(hours=3), id="until its successor began"),
        pytest.param(timedelta(days=3), timedelta(hours=24), id="a day at most"),
    ],
)
def test_a_session_without_an_end_lasts(
    history: History, until_the_next: timedelta, lasts: timedelta
) -> None:
    history.list(opened("open", START), opened("next", START + until_the_next))
    ended, last = queries.timeline(history.state, "c")
    assert ended.ended_at == START + lasts
    assert last.ended_at is None, "it may be active"
    assert queries.completed(history.state, "c") == (ended,)


# Events


def pending(history: History, charger_id: str = "c") -> list[tuple[str, SessionEventType, bool]]:
    """Return the events that were not fired: session, type, and whether Joulo lists them."""
    return [
        (event.session.id, event.type, event.is_confirmed)
        for event in queries.pending_events(history.state, charger_id, NOW)
    ]


def test_before_a_first_read_no_event_is_pending(history: History) -> None:
    history.list(completed())
    assert pending(history) == []


def test_a_session_of_before_the_first_read_fires_nothing(history: History) -> None:
    history.list(completed())
    history.update(transitions.begin_announcing, NOW)
    assert pending(history) == []


def test_a_session_that_was_active_at_the_first_read_fires_its_completion_only(
    history: History,
) -> None:
    history.report(charger(session="s"))
    history.update(transitions.begin_announcing, NOW)
    history.report()
    history.list(completed())
    assert pending(history) == [("s", SessionEventType.COMPLETED, True)]


def test_a_session_fires_its_start_and_its_end_and_each_once(history: History) -> None:
    history.update(transitions.begin_announcing, NOW)
    history.report(charger(session="s"))
    assert pending(history) == [("s", SessionEventType.STARTED, False)]
    history.update(transitions.mark_announced, [("s", SessionEventType.STARTED)])
    assert pending(history) == []
    history.report()
    assert pending(history) == [("s", SessionEventType.COMPLETED, False)]
    history.list(completed())
    assert pending(history) == [("s", SessionEventType.COMPLETED, True)]
    history.update(transitions.mark_announced, [("s", SessionEventType.COMPLETED)])
    assert pending(history) == []
    assert pending(history, "there") == []


def test_an_event_of_the_future_is_not_pending_yet(history: History) -> None:
    history.update(transitions.begin_announcing, NOW)
    history.list(replace(completed(), started_at=NOW + HOUR, ended_at=NOW + 2 * HOUR))
    assert pending(history) == []


@pytest.mark.parametrize("is_observed", [False, True])
def test_a_session_whose_end_joulo_never_lists_is_completed_once_another_began_a_day_later(
    history: History, *, is_observed: bool
) -> None:
    if is_observed:
        history.report(charger(session="s", kwh=5))
        history.report()
    history.list(replace(completed("s", kwh=5), ended_at=None))
    later = START + timedelta(days=3)
    history.list(replace(completed("next", kwh=7), started_at=later, ended_at=later + HOUR))
    ended = queries.completed(history.state, "c")
    assert [session.id for session in ended] == ["s", "next"]
    assert [session.id for session in queries.timeline(history.state, "c")] == ["s", "next"]
    assert not queries.awaits_end(history.state, later)
