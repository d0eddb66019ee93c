"""Energy of charging sessions by the hour."""

from datetime import UTC, datetime, timedelta
from math import fsum

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.joulo.sessions.hourly import (
    HourlyRow,
    Reading,
    cumulative_rows,
    distribute,
    hour_of,
    hourly_energy,
)

NOON = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)


def at(hours: float) -> datetime:
    """Return the moment some hours after noon."""
    return NOON + timedelta(hours=hours)


def test_a_session_that_was_never_observed_is_spread_evenly() -> None:
    assert hourly_energy(at(0.5), at(2.5), 20) == {
        at(0): pytest.approx(5),
        at(1): pytest.approx(10),
        at(2): pytest.approx(5),
    }


def test_a_session_within_an_hour_keeps_to_it() -> None:
    assert hourly_energy(at(0.25), at(0.75), 5) == {at(0): 5}


def test_a_session_that_ends_on_the_hour_leaves_the_next_one_alone() -> None:
    assert hourly_energy(at(0), at(1), 11) == {at(0): 11}


def test_readings_shape_the_hours() -> None:
    hours = hourly_energy(at(0), at(3), 12, [(at(1), 11), (at(2), 11)])
    assert hours == {at(0): pytest.approx(11), at(2): pytest.approx(1)}


def test_between_two_readings_an_hour_gets_its_part() -> None:
    hours = hourly_energy(at(0), at(2), 12, [(at(0.5), 2), (at(1.5), 10)])
    assert hours == {at(0): pytest.approx(6), at(1): pytest.approx(6)}


@pytest.mark.parametrize(
    "strange",
    [
        pytest.param([(at(1), 12.5)], id="above the final figure"),
        pytest.param([(at(-1), 3)], id="before the start"),
        pytest.param([(at(3), 3)], id="after the end"),
        pytest.param([(at(1), -3)], id="negative"),
    ],
)
def test_a_reading_that_does_not_fit_is_dropped(strange: list[Reading]) -> None:
    assert hourly_energy(at(0), at(2), 12, strange) == hourly_energy(at(0), at(2), 12)


def test_a_reading_that_falls_back_is_dropped() -> None:
    assert hourly_energy(
        at(0), at(2), 12, [(at(0.5), 9), (at(1), 0), (at(1.5), 10)]
    ) == hourly_energy(at(0), at(2), 12, [(at(0.5), 9), (at(1.5), 10)])


@pytest.mark.parametrize("end", [at(0.5), at(-5)], ids=["no length", "an end before the start"])
def test_without_a_length_all_energy_is_in_the_first_hour(end: datetime) -> None:
    assert hourly_energy(at(0.5), end, 7) == {at(0): 7}


def test_a_session_without_energy_has_no_hours() -> None:
    assert hourly_energy(at(0), at(5), 0) == {}


def test_a_wrong_end_does_not_fill_the_recorder() -> None:
    hours = hourly_energy(at(0), at(24 * 365 * 100), 100)
    assert len(hours) == 31 * 24
    assert fsum(hours.values()) == pytest.approx(100)


@pytest.mark.parametrize(
    "midnight",
    [
        pytest.param(datetime(2026, 3, 29, 0, 0, tzinfo=UTC), id="the clocks go forward"),
        pytest.param(datetime(2026, 10, 25, 0, 0, tzinfo=UTC), id="the clocks go back"),
    ],
)
def test_a_night_in_which_the_clocks_change_has_as_many_hours_as_passed(midnight: datetime) -> None:
    hours = hourly_energy(midnight, midnight + timedelta(hours=5), 10)
    assert list(hours.values()) == pytest.approx([2] * 5)


def test_an_hour_is_the_utc_hour() -> None:
    moment = datetime.fromisoformat("2026-06-15T14:59:59.9+05:30")
    assert hour_of(moment) == datetime(2026, 6, 15, 9, 0, tzinfo=UTC)


def test_credits_and_euros_follow_the_energy() -> None:
    assert distribute({at(0): 2, at(1): 6}, 4, at(0)) == {at(0): 1, at(1): 3}
    assert distribute({}, 4, at(0.5)) == {at(0): 4}
    assert distribute({}, 0, at(0.5)) == {}


def test_rows_carry_the_sum_and_leave_idle_hours_out() -> None:
    assert cumulative_rows([{at(5): 1}, {at(0): 2, at(1): 3}, {at(1): 4}]) == [
        HourlyRow(at(0), 2, 2),
        HourlyRow(at(1), 7, 9),
        HourlyRow(at(5), 1, 10),
    ]


@settings(derandomize=True, max_examples=300)
@given(
    start=st.floats(0, 24),
    length=st.floats(0, 80),
    kwh=st.floats(0, 500),
    readings=st.lists(st.tuples(st.floats(0, 110), st.floats(0, 600)), max_size=30),
)
def test_the_hours_always_sum_to_the_session(
    start: float, length: float, kwh: float, readings: list[tuple[float, float]]
) -> None:
    seen = [(at(moment), reading) for moment, reading in readings]
    hours = hourly_energy(at(start), at(start + length), kwh, seen)
    assert fsum(hours.values()) == pytest.approx(kwh)
    assert all(share > 0 for share in hours.values())
    assert all(at(start) - timedelta(hours=1) < hour <= at(start + length) for hour in hours)
