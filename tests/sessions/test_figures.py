"""Figures of a single session: duration, power, and its attributes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
import json

import pytest

from custom_components.joulo.api import ChargingSession
from custom_components.joulo.sessions.cost import Cost
from custom_components.joulo.sessions.figures import (
    as_attributes,
    average_power,
    duration,
    rounded,
    shown_hours,
    sum_known,
)

START = datetime(2026, 4, 8, 18, 30, tzinfo=UTC)
END = datetime(2026, 4, 9, 6, 45, tzinfo=UTC)


def charging_session(
    *,
    kwh: float | None = 42.37,
    ere: float | None = 14.1,
    ended_at: datetime | None = END,
) -> ChargingSession:
    """Return the session of Joulo's documents, with what a test changes about it."""
    return ChargingSession(
        id="s",
        charger_id="c",
        started_at=START,
        ended_at=ended_at,
        kwh=kwh,
        ere_credits=ere,
    )


@pytest.mark.parametrize("minutes", [0, 1, 44, 95, 1439])
def test_the_minutes_of_a_duration_stay_whole_where_the_rest_is_cut_off(minutes: int) -> None:
    hours = shown_hours(minutes / 60)
    assert hours is not None
    assert int(hours * 60) == minutes


def test_a_duration_is_in_hours() -> None:
    assert duration(START, END) == 12.25


@pytest.mark.parametrize("ended_at", [None, START - timedelta(seconds=1)])
def test_without_a_sensible_end_there_is_no_duration(ended_at: datetime | None) -> None:
    assert duration(START, ended_at) is None


def test_average_power_is_energy_over_time() -> None:
    assert average_power(22, 2) == 11


@pytest.mark.parametrize(("kwh", "hours"), [(None, 2), (22, None), (22, 0)])
def test_without_energy_or_time_there_is_no_average_power(
    kwh: float | None, hours: float | None
) -> None:
    assert average_power(kwh, hours) is None


def test_the_attributes_of_a_session_are_rounded_and_ready_for_json() -> None:
    session = replace(charging_session(), ended_at=END + timedelta(seconds=20), id_tag="T")
    attributes = as_attributes(session, 5.6444, "Zoe", Cost(10.5925, is_estimated=True))
    assert json.loads(json.dumps(attributes)) == {
        "session_id": "s",
        "started_at": "2026-04-08T18:30:00+00:00",
        "ended_at": "2026-04-09T06:45:20+00:00",
        "energy_kwh": 42.37,
        "ere_credits": 14.1,
        "value_eur": 5.64,
        "duration_minutes": 735.3,
        "average_power_kw": 3.46,
        "tag_id": "T",
        "vehicle": "Zoe",
        "cost_eur": 10.59,
        "cost_estimated": True,
        "net_cost_eur": 4.95,
    }


def test_figures_that_are_unknown_are_none_and_not_zero() -> None:
    attributes = as_attributes(charging_session(kwh=None, ere=None, ended_at=None), *[None] * 3)
    known = {figure for figure, value in attributes.items() if value is not None}
    assert known == {"session_id", "started_at"}


def test_a_session_that_delivered_nothing_has_zeros() -> None:
    attributes = as_attributes(
        charging_session(kwh=0, ere=None), 0.0, None, Cost(0.0, is_estimated=False)
    )
    zeros = {figure for figure, value in attributes.items() if value == 0}
    assert zeros - {"cost_estimated"} == {
        "energy_kwh",
        "ere_credits",
        "value_eur",
        "average_power_kw",
        "cost_eur",
        "net_cost_eur",
    }


@pytest.mark.parametrize("ended_at", [START, START - timedelta(hours=1)])
def test_a_session_without_a_sensible_end_has_no_average_power(ended_at: datetime) -> None:
    attributes = as_attributes(charging_session(ended_at=ended_at), *[None] * 3)
    assert attributes["ended_at"] == ended_at.isoformat()
    assert attributes["duration_minutes"] == (0 if ended_at == START else None)
    assert attributes["average_power_kw"] is None


@pytest.mark.parametrize(
    ("figures", "total"),
    [
        pytest.param([], 0, id="nothing"),
        pytest.param([None], None, id="unknown"),
        pytest.param([None, 1.5, 2], 3.5, id="partly known"),
        pytest.param([0.1] * 10, 1, id="without rounding errors"),
    ],
)
def test_a_sum_leaves_out_what_is_unknown(figures: list[float | None], total: float | None) -> None:
    assert sum_known(figures) == total


def test_a_figure_is_rounded_if_it_is_known() -> None:
    assert rounded(1.2345, 2) == 1.23
    assert rounded(None, 2) is None
