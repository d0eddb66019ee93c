"""Properties that hold after any sequence of transitions."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from operator import attrgetter

from hypothesis import given, settings, strategies as st

from custom_components.joulo.api import AccountProfile, Charger, ChargingSession
from custom_components.joulo.sessions import queries, transitions
from custom_components.joulo.sessions.ere import ere_credits
from custom_components.joulo.sessions.model import Change, HistoryState, SessionEventType
from custom_components.joulo.sessions.storage import from_stored, to_stored
from tests.sessions import PROFILE, START, History, charger

CHARGERS = ("one", "two")
SESSIONS = ("a", "b", "c", "d")
AMOUNTS = st.none() | st.sampled_from([0.0, 1.0, 5.0, 10.0])

type Step = Callable[[History, datetime], object]


def report(shown: list[Charger], history: History, at: datetime) -> None:
    """Let chargers show what they do."""
    history.update(transitions.apply_report, shown, at)


def listing(sessions: list[ChargingSession], history: History, _at: datetime) -> None:
    """Let Joulo list sessions."""
    history.list(*sessions)


def read(seen: set[str], history: History, at: datetime) -> None:
    """Conclude a complete read."""
    history.read(*seen, at=at, charger_ids=CHARGERS)


def price(profile: AccountProfile | None, history: History, _at: datetime) -> None:
    """Let Joulo's price become known, or unknown."""
    history.update(transitions.assign_values, profile)


def leave(charger_id: str, history: History, at: datetime) -> None:
    """Let a charger go."""
    history.update(transitions.end_active, [charger_id], at)


def announce(session_id: str, history: History, _at: datetime) -> None:
    """Fire the event of a session's start."""
    history.update(transitions.mark_announced, [(session_id, SessionEventType.STARTED)])


CHARGER = st.builds(
    charger,
    session=st.none() | st.sampled_from(SESSIONS),
    kwh=AMOUNTS,
    tag=st.none() | st.just("T"),
    charger_id=st.sampled_from(CHARGERS),
    mid_certified=st.sampled_from([None, False, True]),
)
SESSION = st.builds(
    ChargingSession,
    id=st.sampled_from(SESSIONS),
    charger_id=st.sampled_from(CHARGERS),
    started_at=st.integers(0, 3).map(lambda hours: START + timedelta(hours=hours)),
    ended_at=st.none() | st.integers(1, 5).map(lambda hours: START + timedelta(hours=hours)),
    kwh=AMOUNTS,
    ere_credits=AMOUNTS,
    id_tag=st.none() | st.just("T"),
)
_ID = attrgetter("id")
STEP: st.SearchStrategy[Step] = st.one_of(
    st.builds(partial, st.just(report), st.lists(CHARGER, max_size=2, unique_by=_ID)),
    st.builds(partial, st.just(listing), st.lists(SESSION, max_size=3, unique_by=_ID)),
    st.builds(partial, st.just(read), st.sets(st.sampled_from(SESSIONS))),
    st.builds(partial, st.just(price), st.sampled_from([None, PROFILE])),
    st.builds(partial, st.just(leave), st.sampled_from(CHARGERS)),
    st.builds(partial, st.just(announce), st.sampled_from(SESSIONS)),
)
STEPS = st.lists(STEP, max_size=25)
TRIALS = settings(max_examples=100, deadline=None, derandomize=True)


def after_each(steps: list[Step]) -> list[History]:
    """Return the history as it was at first and after each step; the steps are seven minutes apart."""
    history = History()
    past = [History(history.state)]
    for number, step in enumerate(steps):
        step(history, START + timedelta(minutes=7 * number))
        past.append(History(history.state, history.change))
    return past


def whereabouts(state: HistoryState) -> list[tuple[str, str]]:
    """Return session and charger of every record, as the state keeps them."""
    return [
        (session_id, charger_id)
        for charger_id, history in state.chargers.items()
        for session_id in history.records
    ]


@TRIALS
@given(STEPS)
def test_a_record_is_at_the_charger_of_its_session(steps: list[Step]) -> None:
    for history in after_each(steps):
        for session_id, charger_id in whereabouts(history.state):
            session = history.state.chargers[charger_id].records[session_id].session
            assert (session.id, session.charger_id) == (session_id, charger_id)


@TRIALS
@given(STEPS)
def test_a_session_is_at_one_charger(steps: list[Step]) -> None:
    for history in after_each(steps):
        found = [session_id for session_id, _ in whereabouts(history.state)]
        assert len(found) == len(set(found))


@TRIALS
@given(STEPS)
def test_a_value_stays_until_its_session_goes_reopens_or_gains_ere(steps: list[Step]) -> None:
    past = after_each(steps)
    for before, after in pairwise(past):
        for session_id, value in before.values.items():
            record = after.records.get(session_id)
            if record is None:
                assert before.state.missing_since.get(session_id) is not None
                continue
            earlier = before.records[session_id].listed
            assert earlier is not None
            assert record.listed is not None
            gains_ere = not ere_credits(earlier) and ere_credits(record.listed)
            if record.listed.ended_at is not None and not gains_ere:
                assert record.value == value


@TRIALS
@given(STEPS)
def test_a_session_that_can_be_valued_is(steps: list[Step]) -> None:
    for history in after_each(steps):
        if history.state.profile is None:
            continue
        for session_id, record in history.records.items():
            charger_id = record.session.charger_id
            if (
                record.listed is not None
                and record.listed.ended_at is not None
                and ere_credits(record.listed) is not None
                and history.state.chargers[charger_id].mid_certified is not None
            ):
                assert record.value is not None, session_id


@TRIALS
@given(STEPS)
def test_a_state_that_was_handed_out_never_changes(steps: list[Step]) -> None:
    history = History()
    states: list[tuple[HistoryState, str]] = []
    for number, step in enumerate(steps):
        for charger_id in CHARGERS:
            queries.completed(history.state, charger_id)
        states.append((history.state, repr(history.state)))
        step(history, START + timedelta(minutes=7 * number))
    assert all(repr(state) == shown for state, shown in states)


@TRIALS
@given(STEPS)
def test_without_a_change_the_sessions_are_those_of_before(steps: list[Step]) -> None:
    past = after_each(steps)
    for before, after in pairwise(past):
        if after.state == before.state:
            assert after.state is before.state
            assert after.change is Change.NONE
        if after.change is Change.NONE:
            assert after.records == before.records
            assert after.active == before.active


@TRIALS
@given(STEPS)
def test_a_timeline_holds_every_session_in_order(steps: list[Step]) -> None:
    for history in after_each(steps):
        for charger_id, of_charger in history.state.chargers.items():
            timeline = queries.timeline(history.state, charger_id)
            assert {session.id for session in timeline} == set(of_charger.records)
            assert list(timeline) == sorted(timeline, key=lambda each: (each.started_at, each.id))
            left_open = [session.id for session in timeline[:-1] if session.ended_at is None]
            assert left_open in ([], [of_charger.active])


@TRIALS
@given(STEPS)
def test_a_history_comes_back_from_the_file(steps: list[Step]) -> None:
    history = after_each(steps)[-1]
    again = from_stored(to_stored(history.state, START), START + timedelta(minutes=1))
    assert History(again).records == history.records
    assert again.announced == history.state.announced
