"""The rows that the recorder should hold follow from the history alone."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from custom_components.joulo.api import Charger, ChargingSession
from custom_components.joulo.sessions import transitions
from custom_components.joulo.sessions.hourly import HourlyRow, cumulative_rows
from custom_components.joulo.sessions.model import HistoryState
from custom_components.joulo.statistics.series import (
    COST,
    ENERGY,
    ERE_CREDITS,
    VALUE,
    RecordedRow,
    charger_series,
    rows_to_write,
    unused_names,
)
from tests.sessions import History
from tests.statistics import CHARGER, PROFILE, at, charger, session

ERE_PER_KWH = 0.505 * 0.6588


@pytest.fixture(autouse=True)
def _custom_integrations() -> None:
    """Start no Home Assistant."""


def history_of(*steps: ChargingSession | tuple[Charger, float]) -> History:
    """Return a history of sessions that Joulo listed, and of reports by their hour."""
    history = History()
    for step in steps:
        if isinstance(step, ChargingSession):
            history.list(step)
        else:
            shown, hours = step
            history.report(shown, at=at(hours))
    return history


def valued(history: History) -> History:
    """Return a history whose sessions have been valued."""
    history.report(charger(charging=False), at=at(0))
    history.update(transitions.assign_values, PROFILE)
    return history


def rows(*states: HistoryState, hours: float = 0.01) -> dict[str, list[HourlyRow]]:
    """Return the rows of every statistic by its key, some hours after the beginning of the test."""
    *others, state = states
    series = charger_series(state, others, CHARGER, at(hours))
    return {
        statistic.key: cumulative_rows(amounts) for statistic, amounts in series.amounts().items()
    }


def sum_of(series: list[HourlyRow]) -> float:
    """Return the last sum."""
    return series[-1].sum if series else 0.0


def test_a_session_is_spread_over_its_hours() -> None:
    found = rows(valued(history_of(session(start=-4.5))).state)
    for key, states in (
        ("energy", (2.5, 5, 2.5)),
        ("ere", (1.25, 2.5, 1.25)),
        ("value", (0.5, 1, 0.5)),
    ):
        assert [row.start for row in found[key]] == [at(-5), at(-4), at(-3)]
        assert [row.state for row in found[key]] == pytest.approx(states)
        assert sum_of(found[key]) == pytest.approx(sum(states))


def test_readings_shape_the_hours() -> None:
    history = history_of((charger(9), -4), (charger(charging=False), -3), session("active"))
    found = rows(history.state)
    assert [row.state for row in found["energy"]] == pytest.approx([9, 1])
    assert [row.state for row in found["ere"]] == pytest.approx([4.5, 0.5])


def test_idle_hours_have_no_rows() -> None:
    found = rows(history_of(session("a", -9, 1), session("b", -2, 1)).state)
    assert found["energy"] == [HourlyRow(at(-9), 10, 10), HourlyRow(at(-2), 10, 20)]


def test_a_figure_that_is_unknown_has_no_rows() -> None:
    found = rows(valued(history_of(session(kwh=None))).state)
    assert found == {"energy": [], "ere": [], "value": []}


def test_an_active_session_has_rows_up_to_the_last_full_hour() -> None:
    history = history_of((charger(6, start=-0.5), 0.1))
    energy = rows(history.state, hours=0.2)["energy"]
    assert [row.start for row in energy] == [at(-1)]
    assert sum_of(energy) == pytest.approx(5)

    history.report(charger(18, start=-0.5), at=at(1))
    found = rows(history.state, hours=1.02)
    assert [row.start for row in found["energy"]] == [at(-1), at(0)]
    assert sum_of(found["energy"]) == pytest.approx(18)
    assert sum_of(found["ere"]) == pytest.approx(18 * ERE_PER_KWH)
    assert found["value"] == []


def test_an_answer_without_energy_takes_nothing_back() -> None:
    found = rows(history_of((charger(8), -1), (charger(None), -0.5)).state)
    assert sum_of(found["energy"]) == pytest.approx(8)
    assert sum_of(found["ere"]) == pytest.approx(8 * ERE_PER_KWH)


def test_an_end_that_is_not_confirmed_has_rows_as_far_as_is_known() -> None:
    history = history_of((charger(9.5, start=-1), -0.25), (charger(charging=False), 0.01))
    assert sum_of(rows(history.state)["energy"]) == pytest.approx(9.5)
    history.list(session("active", -1, 1, kwh=9.75))
    assert sum_of(rows(history.state)["energy"]) == pytest.approx(9.75)


@pytest.mark.parametrize(
    ("start", "hours"),
    [pytest.param(-4, 4, id="it may still run"), pytest.param(-60, 24, id="it was forgotten")],
)
def test_an_open_session_that_no_charger_shows_has_rows_all_the_same(
    start: float, hours: int
) -> None:
    energy = rows(history_of(replace(session(start=start), ended_at=None)).state)["energy"]
    assert [row.start for row in energy] == [at(start + hour) for hour in range(hours)]
    assert sum_of(energy) == pytest.approx(10, rel=0.01)


def test_a_statistic_has_its_unit() -> None:
    statistics = (ENERGY, ERE_CREDITS, VALUE, COST)
    assert [(statistic.key, statistic.unit) for statistic in statistics] == [
        ("energy", "kWh"),
        ("ere", "ERE"),
        ("value", "EUR"),
        ("cost", "EUR"),
    ]


def test_a_charger_without_sessions_has_no_rows() -> None:
    assert rows(HistoryState()) == {"energy": [], "ere": [], "value": []}
    assert charger_series(HistoryState(), [], CHARGER, at(0)).nickname is None


# Several accounts


def test_a_session_that_two_histories_know_counts_once_and_the_later_history_wins() -> None:
    first = valued(history_of(session(kwh=8), session("old", -9, 1)))
    second = history_of(session(kwh=10))
    found = rows(first.state, second.state)
    assert sum_of(found["energy"]) == pytest.approx(20)
    assert sum_of(found["value"]) == pytest.approx(0.4 * (4 + 5)), "the only value that is known"
    assert sum_of(rows(second.state, first.state)["energy"]) == pytest.approx(18)


def test_a_charger_is_called_as_joulo_called_it_last() -> None:
    renamed = replace(session("new", -1, 0.5), charger_nickname="Carport")
    nameless = replace(session("newest", -0.4, 0.1), charger_nickname=None)
    state = history_of(session(), renamed, nameless).state
    assert charger_series(state, [], CHARGER, at(0)).nickname == "Carport"


# What the recorder holds already


AMOUNTS = ({at(-3): 1.0, at(-2): 2.0}, {at(-2): 3.0, at(-1): 4.0})
RECORDED: dict[datetime, RecordedRow] = {
    at(-3): (1.0, 1.0),
    at(-2): (5.0, 6.0),
    at(-1): (4.0, 10.0),
}


def test_rows_that_the_recorder_holds_are_not_written_again() -> None:
    assert rows_to_write(AMOUNTS, RECORDED) == []
    rounded = {at(-3): (1.0, 1.0), at(-2): (5.0000001, 6.0), at(-1): (4.0, 9.9999999)}
    assert rows_to_write(AMOUNTS, rounded) == []


@pytest.mark.parametrize("hour", [-3, -2, -1])
@pytest.mark.parametrize("wrong", [None, (None, 6.0), (4.0, None), (4.0, 10.1), (4.1, 10.0)])
def test_rows_are_written_from_the_first_one_on_that_differs(
    hour: int, wrong: tuple[float | None, float | None] | None
) -> None:
    recorded = {start: row for start, row in RECORDED.items() if start != at(hour)}
    if wrong is not None:
        recorded[at(hour)] = wrong
    found = rows_to_write(AMOUNTS, recorded)
    assert [row.start for row in found] == [at(each) for each in range(hour, 0)]
    assert found[-1] == HourlyRow(at(-1), 4.0, 10.0)


def test_an_hour_that_lost_its_energy_carries_the_sum() -> None:
    assert rows_to_write(AMOUNTS[1:], RECORDED) == [
        HourlyRow(at(-3), 0.0, 0.0),
        HourlyRow(at(-2), 3.0, 3.0),
        HourlyRow(at(-1), 4.0, 7.0),
    ]
    assert rows_to_write([], {at(-3): (1.0, 1.0)}) == [HourlyRow(at(-3), 0.0, 0.0)]


# A session that pauses


def test_an_hour_in_which_a_session_paused_gets_no_energy() -> None:
    """A solar charger waits for hours, and goes on: it is polled all the time."""
    history = History()
    for minutes in range(5 * 60 + 1):
        kwh = min(minutes / 30, 2) if minutes < 4 * 60 else 2 + (minutes - 4 * 60) / 10
        moment = at(-5 + minutes / 60)
        history.update(
            transitions.apply_report, [charger(kwh)], moment, moment - timedelta(minutes=1)
        )
    energy = {row.start: row.state for row in rows(history.state)["energy"]}
    assert energy[at(-5)] == pytest.approx(2, abs=0.05)
    assert [energy.get(at(hour), 0) for hour in (-4, -3, -2)] == pytest.approx([0] * 3, abs=1e-6)
    assert energy[at(-1)] == pytest.approx(6, abs=0.2)


def test_an_unused_name_is_the_slug() -> None:
    assert unused_names({"A": "a", "B": "b"}, {"c"}) == {"A": "a", "B": "b"}


def test_a_used_name_gets_the_next_number() -> None:
    slugs = {"A": "a", "a": "a", "a 2": "a_2"}
    assert unused_names(slugs, {"a"}) == {"A": "a_2", "a": "a_3", "a 2": "a_2_2"}
