"""The arithmetic on charging sessions, as plain Python."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
import json

import pytest

from custom_components.joulo.api import AccountProfile, ChargingSession, Energy, Month
from custom_components.joulo.sessions import (
    average_power,
    closed,
    duration,
    ere_credits,
    estimated_ere,
    figures,
    local_day,
    midnight,
    month_figures,
    net_value,
    session_value,
    shown_hours,
    year_total,
)

START = datetime(2026, 4, 8, 18, 30, tzinfo=UTC)
END = datetime(2026, 4, 9, 6, 45, tzinfo=UTC)
TERMS = AccountProfile(ere_price_mid=0.5, effective_fee_pct=20)


def charging_session(
    *,
    kwh: float | None = 42.37,
    ere: float | None = 14.1,
    ended_at: datetime | None = END,
    counts_for_ere: bool | None = None,
) -> ChargingSession:
    """Return the session of Joulo's documents, with what a test changes about it."""
    return ChargingSession(
        id="s",
        charger_id="c",
        started_at=START,
        ended_at=ended_at,
        kwh=kwh,
        ere_credits=ere,
        counts_for_ere=counts_for_ere,
    )


def test_the_estimate_is_joulos_own_formula() -> None:
    assert estimated_ere(42.37, START) == pytest.approx(14.10, abs=0.005)


@pytest.mark.parametrize(
    ("kwh", "started_at"),
    [
        pytest.param(10, datetime(2027, 1, 1, 12, tzinfo=UTC), id="a year without known fraction"),
        pytest.param(
            10, datetime(2026, 12, 31, 23, 30, tzinfo=UTC), id="already 2027 in Amsterdam"
        ),
        pytest.param(None, START, id="no energy known"),
    ],
)
def test_without_energy_or_a_known_fraction_there_is_no_estimate(
    kwh: float | None, started_at: datetime
) -> None:
    assert estimated_ere(kwh, started_at) is None


def test_joulos_figure_is_shown_as_it_is() -> None:
    assert ere_credits(charging_session(ere=13.99)) == 13.99


def test_a_session_without_energy_earns_nothing() -> None:
    assert ere_credits(charging_session(kwh=0, ere=None)) == 0


def test_a_figure_that_joulo_withholds_is_unknown() -> None:
    assert ere_credits(charging_session(ere=None)) is None


def test_the_value_is_ere_times_price_less_the_fee() -> None:
    assert net_value(14.1, TERMS) == pytest.approx(14.1 * 0.5 * 0.8)


@pytest.mark.parametrize(
    "terms",
    [
        None,
        AccountProfile(),
        AccountProfile(ere_price_mid=0.5),
        AccountProfile(effective_fee_pct=20),
    ],
    ids=repr,
)
def test_without_price_and_fee_there_is_no_value(terms: AccountProfile | None) -> None:
    assert net_value(14.1, terms) is None


def test_a_session_counts_only_on_a_certified_charger() -> None:
    session = charging_session()
    assert session_value(session, TERMS, mid_certified=True) == pytest.approx(5.64)
    assert session_value(session, TERMS, mid_certified=False) == 0
    assert session_value(session, TERMS, mid_certified=None) is None


def test_a_session_that_joulo_says_does_not_count_is_worth_nothing() -> None:
    assert session_value(charging_session(counts_for_ere=False), None, mid_certified=None) == 0


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


def test_the_figures_of_a_session_are_rounded_and_ready_for_json() -> None:
    session = replace(charging_session(), ended_at=END + timedelta(seconds=20), id_tag="T")
    told = figures(session, 5.6444)
    assert json.loads(json.dumps(told)) == {
        "session_id": "s",
        "started_at": "2026-04-08T18:30:00+00:00",
        "ended_at": "2026-04-09T06:45:20+00:00",
        "energy_kwh": 42.37,
        "ere_credits": 14.1,
        "value_eur": 5.64,
        "duration_minutes": 735.3,
        "average_power_kw": 3.46,
        "tag_id": "T",
    }


def test_figures_that_are_unknown_are_none_and_not_zero() -> None:
    told = figures(charging_session(kwh=None, ere=None, ended_at=None), None)
    known = {figure for figure, value in told.items() if value is not None}
    assert known == {"session_id", "started_at"}


def test_a_session_that_delivered_nothing_has_zeros() -> None:
    told = figures(charging_session(kwh=0, ere=None), 0.0)
    zeros = {figure for figure, value in told.items() if value == 0}
    assert zeros == {"energy_kwh", "ere_credits", "value_eur", "average_power_kw"}


@pytest.mark.parametrize("ended_at", [START, START - timedelta(hours=1)])
def test_a_session_without_a_sensible_end_has_no_average_power(ended_at: datetime) -> None:
    told = figures(charging_session(ended_at=ended_at), None)
    assert told["ended_at"] == ended_at.isoformat()
    assert told["duration_minutes"] == (0 if ended_at == START else None)
    assert told["average_power_kw"] is None


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


def opened(session_id: str, hours: float) -> ChargingSession:
    """Return a session without an end that began so many hours after the others' start."""
    return replace(
        charging_session(ended_at=None), id=session_id, started_at=START + timedelta(hours=hours)
    )


def test_an_open_session_ends_where_its_successor_begins() -> None:
    first, second = closed([opened("second", 5), opened("first", 0)])
    assert (first.id, first.ended_at) == ("first", START + timedelta(hours=5))
    assert (second.id, second.ended_at) == ("second", None)


def test_an_open_session_lasts_a_day_at_most() -> None:
    first, _ = closed([opened("first", 0), opened("second", 100)])
    assert first.ended_at == START + timedelta(days=1)


def test_an_end_that_joulo_sent_stays() -> None:
    session = charging_session()
    assert closed([session, opened("next", 1)])[0] == session


def test_a_charger_without_sessions_has_none_to_close() -> None:
    assert closed([]) == ()
