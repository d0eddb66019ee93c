"""Months and years as Joulo counts them, and the account's sums over them."""

from datetime import UTC, date, datetime, timedelta

import pytest

from custom_components.joulo.api import Energy, Month
from custom_components.joulo.sessions.months import (
    local_day,
    midnight,
    month_figures,
    year_total,
)


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        pytest.param(datetime(2026, 6, 30, 22, 0, tzinfo=UTC), date(2026, 7, 1), id="summer"),
        pytest.param(
            datetime(2026, 6, 30, 21, 59, tzinfo=UTC), date(2026, 6, 30), id="just before"
        ),
        pytest.param(datetime(2026, 12, 31, 23, 0, tzinfo=UTC), date(2027, 1, 1), id="winter"),
    ],
)
def test_a_day_turns_at_midnight_in_amsterdam(moment: datetime, day: date) -> None:
    assert local_day(moment) == day


@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 10, 25), date(2026, 6, 15)])
def test_a_day_begins_at_its_midnight_also_when_the_clocks_change(day: date) -> None:
    assert local_day(midnight(day)) == day
    assert local_day(midnight(day) - timedelta(seconds=1)) == day - timedelta(days=1)


MONTHS = Energy(
    months=(
        Month(month=date(2026, 1, 1), kwh=30, ere_credits=10, sessions=3),
        Month(month=date(2025, 12, 1), kwh=99, ere_credits=33, sessions=9),
        Month(month=date(2026, 3, 1), kwh=12.5, ere_credits=4, sessions=1),
    )
)


def test_the_months_may_come_in_any_order() -> None:
    march = month_figures(MONTHS, date(2026, 3, 31))
    assert march == Month(month=date(2026, 3, 1), kwh=12.5, ere_credits=4, sessions=1)


def test_a_month_that_is_not_listed_among_others_is_empty() -> None:
    april = month_figures(MONTHS, date(2026, 4, 1))
    assert april == Month(month=date(2026, 4, 1), kwh=0, ere_credits=0, sessions=0)


def test_without_any_months_the_month_and_the_year_are_unknown() -> None:
    assert month_figures(Energy(total_kwh=1), date(2026, 4, 1)) is None
    assert year_total(Energy(total_kwh=1), date(2026, 4, 1), lambda month: month.kwh) is None


def test_a_year_is_the_sum_of_its_months() -> None:
    assert year_total(MONTHS, date(2026, 4, 1), lambda month: month.kwh) == 42.5
    assert year_total(MONTHS, date(2027, 1, 1), lambda month: month.kwh) == 0


def test_a_year_with_an_unknown_month_is_unknown() -> None:
    energy = Energy(months=(*MONTHS.months, Month(month=date(2026, 4, 1))))
    assert year_total(energy, date(2026, 4, 1), lambda month: month.kwh) is None
