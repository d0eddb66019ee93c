"""What a session costs: its energy of every hour times the price of that hour."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import fsum
from zoneinfo import ZoneInfo

import pytest

from custom_components.joulo.api import ChargingSession
from custom_components.joulo.sessions import queries, transitions
from custom_components.joulo.sessions.cost import Cost, Part, hourly_cost, mean_price
from custom_components.joulo.sessions.hourly import HOUR, HourlyAmounts
from custom_components.joulo.sessions.model import Change
from custom_components.joulo.sessions.transitions import FoundPrices
from tests.sessions import PROFILE, History, charger

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
NOON = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
LATER = NOON + timedelta(days=30)
FIXED = "0.25 since ever"


@pytest.fixture(autouse=True)
def _custom_integrations() -> None:
    """Start no Home Assistant."""


def session(
    session_id: str = "s",
    start: datetime = NOON,
    hours: float = 6,
    kwh: float | None = 12,
    ere: float | None = 4,
) -> ChargingSession:
    """Return a completed session that delivered its energy evenly."""
    return ChargingSession(
        id=session_id,
        charger_id="c",
        started_at=start,
        ended_at=start + timedelta(hours=hours),
        kwh=kwh,
        ere_credits=ere,
    )


def priced_history(*sessions: ChargingSession, priced_by: str = FIXED) -> History:
    """Return a history that has been read whole and has a price setting."""
    history = History()
    history.report(at=NOON)
    history.list(*sessions)
    history.update(transitions.finish_read, NOON, full=True)
    history.update(transitions.set_tariff, priced_by, None)
    return history


def give(history: History, price: float, now: datetime = LATER) -> None:
    """Give every hour that has passed and has no price this one."""
    found = [
        FoundPrices(each.id, each.charger_id, dict.fromkeys(hours, price))
        for each, hours in queries.unpriced_sessions(history.state, now, {})
    ]
    history.update(transitions.add_prices, found)


def cost(history: History, each: ChargingSession, now: datetime = LATER) -> Cost | None:
    """Return what a session has cost, by its figures as they are now."""
    found = queries.find_session(history.state, each.id)
    assert found is not None
    return queries.cost_of(history.state, found, now)


def eur(history: History, each: ChargingSession, now: datetime = LATER) -> float:
    """Return the EUR that a session has cost, which are known."""
    found = cost(history, each, now)
    assert found is not None
    return found.eur


# Hours


def test_a_fixed_price_is_paid_for_every_kwh() -> None:
    """The worked example: 42.37 kWh at 0.25 EUR are 10.59 EUR, and 5.01 less a value of 5.58."""
    each = replace(session(kwh=42.37, hours=12.25, ere=14.1))
    history = priced_history(each)
    give(history, 0.25)
    history.update(transitions.assign_values, replace(PROFILE, ere_price_mid=0.495))
    attributes = queries.attributes_of(history.state, each, LATER)
    assert attributes["cost_eur"] == 10.59
    assert attributes["cost_estimated"] is False
    assert attributes["value_eur"] == 5.58
    assert attributes["net_cost_eur"] == 5.01


@pytest.mark.parametrize(
    ("evening", "hours"),
    [
        pytest.param(datetime(2026, 6, 8, 18, 30, tzinfo=AMSTERDAM), 13, id="a summer's night"),
        pytest.param(
            datetime(2026, 10, 24, 18, 30, tzinfo=AMSTERDAM), 14, id="the clock goes back"
        ),
        pytest.param(datetime(2027, 3, 27, 18, 30, tzinfo=AMSTERDAM), 12, id="and forward"),
    ],
)
def test_hourly_prices_across_midnight_are_those_of_a_sum_by_hand(
    evening: datetime, hours: int
) -> None:
    """From 18:30 to 06:45 on the clock on the wall, with a price that rises by a cent each hour."""
    morning = (evening + timedelta(days=1)).replace(hour=6, minute=45)
    start, end = evening.astimezone(UTC), morning.astimezone(UTC)
    each = replace(session(start=start, kwh=36.75), ended_at=end)
    first = start.replace(minute=0)
    prices = {first + number * HOUR: 0.10 + 0.01 * number for number in range(14)}
    history = priced_history(each)
    history.update(transitions.add_prices, [FoundPrices("s", "c", prices)])
    power = 36.75 / ((end - start) / HOUR)
    by_hand = [
        power * (min(hour + HOUR, end) - max(hour, start)) / HOUR * price
        for hour, price in prices.items()
        if hour < end
    ]
    assert eur(history, each) == pytest.approx(fsum(by_hand))
    assert len(by_hand) == hours


@pytest.mark.parametrize(
    ("energy", "prices", "total", "is_estimated"),
    [
        pytest.param({0: 2, 1: 3}, {0: 0.2, 1: 0.3}, 1.3, False, id="all are known"),
        pytest.param({0: 2, 1: 3}, {0: -0.2, 1: 0.1}, -0.1, False, id="negative prices count"),
        pytest.param({}, {}, 0, False, id="no energy costs nothing"),
        pytest.param({0: 2, 1: 2, 2: 2}, {0: 0.1, 1: 0.3}, 1.2, True, id="a third is missing"),
        pytest.param({0: 3, 1: 3}, {0: 0.2}, 1.2, True, id="half is missing"),
        pytest.param({0: 3, 1: 1}, {0: 0.2}, 0.8, True, id="the others' mean is by energy"),
    ],
)
def test_missing_hours_have_the_mean_price_of_the_others(
    energy: dict[int, float], prices: dict[int, float], total: float, *, is_estimated: bool
) -> None:
    found = hourly_cost(at_hours(energy), at_hours(prices))
    assert found is not None
    assert found.total.eur == pytest.approx(total)
    assert found.total.is_estimated is is_estimated


def at_hours(amounts: dict[int, float]) -> HourlyAmounts:
    """Return amounts by the hours after noon."""
    return {NOON + number * HOUR: amount for number, amount in amounts.items()}


def test_a_cost_is_unknown_when_more_than_half_of_the_energy_has_no_price() -> None:
    assert hourly_cost(at_hours({0: 2, 1: 2.1}), at_hours({0: 0.2})) is None


def test_an_unknown_energy_has_an_unknown_cost_and_none_costs_nothing() -> None:
    unknown, none = session("u", kwh=None, ere=None), session("n", kwh=0, ere=None)
    history = priced_history(unknown, none)
    give(history, 0.25)
    assert cost(history, unknown) is None
    assert cost(history, none) == (0, False)


# The price of a part of an hour

QUARTERS = {0: 0.30, 15: 0.28, 30: 0.25, 45: 0.22}
SLOTS = {
    NOON + timedelta(minutes=minute): price
    for begin, price in QUARTERS.items()
    for minute in range(begin, begin + 15, 5)
}
MEAN = fsum(QUARTERS.values()) / 4


def part(begin: float, end: float) -> Part:
    """Return the part of the hour between two minutes."""
    return Part.of(NOON, session(start=NOON + timedelta(minutes=begin), hours=(end - begin) / 60))


@pytest.mark.parametrize(
    ("begin", "end", "price"),
    [
        pytest.param(45, 60, 0.22, id="the last quarter"),
        pytest.param(45, 90, 0.22, id="and on into the next hour"),
        pytest.param(0, 15, 0.30, id="the first quarter"),
        pytest.param(10, 20, 0.29, id="the half of two"),
        pytest.param(14, 16, 0.29, id="the edges of two"),
        pytest.param(0, 60, MEAN, id="the whole hour"),
        pytest.param(50, 50, 0.22, id="a moment"),
    ],
)
def test_a_part_of_an_hour_has_the_mean_price_of_the_time_in_it(
    begin: float, end: float, price: float
) -> None:
    assert mean_price(part(begin, end), {}, SLOTS) == pytest.approx(price)


def test_a_part_has_the_mean_of_its_hour_where_a_slot_is_not_kept_any_more() -> None:
    """At 11 kW the quarter from 12:45 costs 0.61 EUR by its own price, and 0.72 by the hour's."""
    kwh = 11 / 4
    kept = mean_price(part(45, 60), {NOON: MEAN}, SLOTS)
    assert kept is not None
    assert kwh * kept == pytest.approx(0.605)
    gone = mean_price(part(45, 60), {NOON: MEAN}, {})
    assert gone is not None
    assert kwh * gone == pytest.approx(0.722, abs=0.001)
    assert mean_price(part(45, 60), {}, {}) is None


# What becomes of prices


def test_a_price_is_set_once() -> None:
    each = session()
    history = priced_history(each)
    give(history, 0.25)
    assert queries.unpriced_hours(history.state, each, LATER) == ()
    assert (
        history.update(transitions.add_prices, [FoundPrices("s", "c", {NOON: 9.0})]) is Change.NONE
    )
    assert eur(history, each) == pytest.approx(3)


def test_a_corrected_energy_has_another_cost_by_the_same_prices() -> None:
    each = session(kwh=10)
    history = priced_history(each)
    give(history, 0.25)
    history.list(replace(each, kwh=11))
    assert eur(history, each) == pytest.approx(2.75)
    assert queries.unpriced_hours(history.state, each, LATER) == ()


def test_a_corrected_end_asks_for_the_prices_of_new_hours_only() -> None:
    each = session(hours=2)
    history = priced_history(each)
    give(history, 0.25)
    longer = replace(each, ended_at=NOON + 3 * HOUR)
    history.list(longer)
    assert queries.unpriced_hours(history.state, longer, LATER) == (NOON + 2 * HOUR,)
    give(history, 0.55)
    assert eur(history, each) == pytest.approx(4 * 0.25 + 4 * 0.25 + 4 * 0.55)


def test_the_prices_of_a_removed_session_go_and_come_back_with_it() -> None:
    each = session()
    history = priced_history(each, session("other", NOON - 10 * HOUR))
    give(history, 0.25)
    history.read("other", at=LATER)
    history.read("other", at=LATER + timedelta(minutes=11))
    costs = queries.charger_costs(history.state, "c")
    assert costs is not None
    assert costs.cost == pytest.approx(3)
    history.list(each)
    assert eur(history, each) == pytest.approx(3)


def test_another_price_since_a_day_leaves_earlier_sessions_their_cost() -> None:
    july = datetime(2026, 7, 1, tzinfo=UTC)
    of_june, of_july = session("june", july - 3 * HOUR, 2), session("july", july + HOUR, 2)
    history = priced_history(of_june, of_july)
    give(history, 0.25)
    for price, setting in ((0.4, "0.4 since 2026-07-01"), (0.3, "0.3 since 2026-07-01")):
        history.update(transitions.set_tariff, setting, july)
        assert cost(history, of_july) is None
        give(history, price)
        assert eur(history, of_june) == pytest.approx(3)
        assert eur(history, of_july) == pytest.approx(12 * price)


def test_a_removed_session_that_comes_back_has_lost_the_prices_of_another_setting() -> None:
    each = session()
    history = priced_history(each, session("other", NOON - 10 * HOUR))
    give(history, 0.25)
    history.read("other", at=LATER)
    history.read("other", at=LATER + timedelta(minutes=11))
    history.update(transitions.set_tariff, "0.5 since ever", None)
    history.list(each)
    assert cost(history, each) is None
    give(history, 0.5)
    assert eur(history, each) == pytest.approx(6)


def test_the_same_setting_changes_nothing() -> None:
    history = priced_history(session())
    give(history, 0.25)
    assert history.update(transitions.set_tariff, FIXED, None) is Change.NONE


def test_a_first_price_since_a_day_leaves_earlier_sessions_without_a_cost() -> None:
    early, late = session("early"), session("late", NOON + 48 * HOUR)
    history = priced_history(early, late)
    history.update(transitions.set_tariff, FIXED, NOON + 24 * HOUR)
    give(history, 0.25)
    assert cost(history, early) is None
    assert eur(history, late) == pytest.approx(3)


def test_a_session_from_before_the_first_price_has_no_cost_by_the_price_of_now_either() -> None:
    each = session(start=NOON, hours=1)
    history = priced_history(each)
    history.update(transitions.set_tariff, FIXED, NOON + HOUR / 2)
    history.update(transitions.show_price, NOON, 0.25)
    assert cost(history, each, NOON + HOUR) is None


def test_without_a_price_costs_are_unknown_and_come_back_with_it() -> None:
    each = session()
    history = priced_history(each)
    give(history, 0.25)
    history.update(transitions.set_tariff, None, None)
    assert cost(history, each) is None
    assert queries.account_costs(history.state, None) is None
    assert list(queries.unpriced_sessions(history.state, LATER, {})) == []
    history.update(transitions.set_tariff, FIXED, None)
    assert eur(history, each) == pytest.approx(3)


# While it runs


def running(kwh: float, at: datetime, history: History) -> None:
    """Let the charger show a session that has run since noon."""
    history.report(charger(session="s", kwh=kwh, started_at=NOON), at=at)


def shown(history: History, now: datetime) -> float | None:
    """Return the cost of the session that the charger shows, which is not estimated."""
    each = queries.newest(history.state, "c", now)
    assert each is not None
    found = queries.cost_of(history.state, each, now)
    assert found is None or not found.is_estimated
    return found and found.eur


def test_the_hour_under_way_has_the_price_of_now() -> None:
    history = priced_history()
    history.update(transitions.show_price, NOON, 0.2)
    half_past = NOON + HOUR / 2
    running(4, half_past, history)
    assert shown(history, half_past) == pytest.approx(0.8)
    history.update(transitions.show_price, NOON, 0.3)
    assert shown(history, half_past) == pytest.approx(1.2)


def test_the_hour_that_has_just_passed_keeps_its_last_price_until_it_has_its_own() -> None:
    history = priced_history()
    history.update(transitions.show_price, NOON, 0.2)
    running(4, NOON + HOUR / 2, history)
    history.update(transitions.show_price, NOON + HOUR, 0.6)
    now = NOON + HOUR + timedelta(seconds=30)
    assert shown(history, now) == pytest.approx(0.8)
    assert list(queries.unpriced_sessions(history.state, now, {})) == []
    after = now + timedelta(minutes=1)
    give(history, 0.25, after)
    assert shown(history, after) == pytest.approx(1.0)


def test_a_running_session_has_no_cost_without_a_price_of_now() -> None:
    history = priced_history()
    history.update(transitions.show_price, NOON, None)
    running(4, NOON + HOUR / 2, history)
    assert shown(history, NOON + HOUR / 2) is None


def test_a_price_of_now_needs_a_price_setting() -> None:
    history = History()
    assert history.update(transitions.show_price, NOON, 0.2) is Change.NONE


# Sums


def test_a_sum_counts_what_has_no_cost_and_a_net_sum_needs_both() -> None:
    known, valueless = session("known"), session("valueless", NOON + 7 * HOUR, ere=None)
    unpriced = session("unpriced", NOON + 14 * HOUR)
    history = priced_history(known, valueless, unpriced)
    prices = {NOON + number * HOUR: 0.25 for number in range(14)}
    history.update(
        transitions.add_prices,
        [FoundPrices("known", "c", prices), FoundPrices("valueless", "c", prices)],
    )
    history.update(transitions.assign_values, replace(PROFILE, ere_price_mid=0.5))
    sums = queries.account_costs(history.state, None)
    assert sums is not None
    assert sums.cost == pytest.approx(6)
    assert sums.unpriced == 1
    value = queries.value_of(history.state, known)
    assert value is not None
    assert sums.net == pytest.approx(3 - value)
    of_later = queries.account_costs(history.state, NOON + HOUR)
    assert of_later is not None
    assert of_later.cost == pytest.approx(3)
    assert of_later.net is None


def test_sums_are_unknown_until_all_has_been_read_once() -> None:
    history = History()
    history.list(session())
    history.update(transitions.set_tariff, FIXED, None)
    give(history, 0.25)
    sums = queries.charger_costs(history.state, "c")
    assert sums is not None
    assert sums.cost is None


@pytest.mark.parametrize(
    ("age", "lacks"),
    [
        pytest.param(1, False, id="it may still come"),
        pytest.param(3, True, id="it should be there"),
        pytest.param(50, False, id="that is long ago"),
    ],
)
def test_prices_are_lacking_if_no_session_of_late_has_a_cost(age: float, *, lacks: bool) -> None:
    each = session()
    history = priced_history(each)
    assert each.ended_at is not None
    now = each.ended_at + age * HOUR
    assert queries.lacks_costs(history.state, now) is lacks
    give(history, 0.25, now)
    assert queries.lacks_costs(history.state, now) is False
