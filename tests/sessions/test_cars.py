"""What cars record themselves: readings that are joined, and what is stored of them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations, permutations
import json
from random import Random
from typing import Any

import pytest

from custom_components.joulo.der_connect.models import CarSession
from custom_components.joulo.sessions.cars import (
    Car,
    CarRecords,
    cars_to_stored,
    merged,
    restore_cars,
)
from tests.factories import car_session

START = datetime(2026, 6, 1, 18, 0, tzinfo=UTC)
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)


def recorded(session_id: str, seconds: float = 0, *, calculated: int | None = 0) -> CarSession:
    """Return a session that started so many seconds after six, and was calculated so many days later."""
    start = START + seconds * SECOND
    created = None if calculated is None else START + timedelta(days=calculated)
    return car_session(session_id, start, start + HOUR, kwh=10, created=created)


def ids(*sessions: CarSession) -> list[str]:
    """Return the ids of what is kept of sessions that were read in this order."""
    kept: tuple[CarSession, ...] = ()
    for session in sessions:
        kept = merged(kept, [session])
    assert kept == merged((), sessions)
    return [session.id for session in kept]


def test_sessions_are_kept_in_their_order_also_those_that_are_listed_no_more() -> None:
    first, second = recorded("b"), recorded("a", 3600)
    assert merged((second,), [first]) == (first, second)
    assert merged((first, second), []) == (first, second)


def test_of_one_id_the_one_that_was_read_last_counts() -> None:
    before, after = recorded("a"), replace(recorded("a", 7200), energy_kwh=12)
    assert merged((before,), [after]) == (after,)


def test_of_two_records_of_one_session_the_one_calculated_later_counts() -> None:
    early, late = recorded("early", 0), recorded("late", 60, calculated=1)
    assert ids(early, late) == ["late"]
    assert ids(late, early) == ["late"]
    assert ids(recorded("never", calculated=None), late) == ["late"]


@pytest.mark.parametrize(("seconds", "kept"), [(60, ["late"]), (61, ["early", "late"])])
def test_without_a_length_two_records_of_one_session_start_within_a_minute(
    seconds: float, kept: list[str]
) -> None:
    early, late = recorded("early", 0), recorded("late", seconds, calculated=1)
    assert ids(replace(early, ended_at=None), late) == kept


@pytest.mark.parametrize(
    ("start", "minutes", "kept"),
    [
        pytest.param(120, 60, ["late"], id="shifted by minutes"),
        pytest.param(1801, 60, ["early", "late"], id="half of both is its own"),
        pytest.param(1799, 60, ["late"], id="less than half is its own"),
        pytest.param(600, 10, ["late"], id="within the other"),
        pytest.param(-3600, 120, ["late"], id="around the other"),
        pytest.param(3600, 60, ["early", "late"], id="after the other"),
        pytest.param(-3600, 60, ["late", "early"], id="before the other"),
    ],
)
def test_two_records_that_share_more_than_half_of_the_shorter_are_of_one_session(
    start: float, minutes: float, kept: list[str]
) -> None:
    late = recorded("late", start, calculated=1)
    late = replace(late, ended_at=late.started_at + minutes * 60 * SECOND)
    assert ids(recorded("early"), late) == kept


def test_a_session_that_is_calculated_anew_in_two_is_both() -> None:
    whole = replace(recorded("whole"), ended_at=START + 4 * HOUR)
    parts = [recorded("a", 0, calculated=1), recorded("b", 3 * 3600, calculated=1)]
    assert ids(whole, *parts) == ["a", "b"]


def test_a_figure_that_is_missing_in_a_later_reading_is_kept() -> None:
    before = replace(recorded("a"), soc_end=80.0, label="Work")
    after = replace(recorded("a", calculated=1), energy_kwh=None, range_end_km=200.0)
    assert merged((before,), [after]) == (replace(after, energy_kwh=10, soc_end=80.0),)


@pytest.mark.parametrize("seed", range(50))
def test_no_two_that_are_kept_are_of_one_session(seed: int) -> None:
    chance = Random(seed)
    drawn = [recorded(str(n), 60 * chance.randrange(3000), calculated=n) for n in range(60)]
    drawn = [
        replace(each, ended_at=chance.choice((None, each.started_at + chance.random() * 5 * HOUR)))
        for each in drawn
    ]
    kept = merged((), drawn)
    assert kept == merged(kept[::2], drawn)
    assert {each.id for each in drawn} - {each.id for each in kept}
    for one, other in combinations(kept, 2):
        assert other.started_at - one.started_at > 60 * SECOND
        ends = [each.ended_at or each.started_at for each in (one, other)]
        shorter = min(ends[0] - one.started_at, ends[1] - other.started_at)
        assert 2 * (min(ends) - other.started_at) <= shorter


@pytest.mark.parametrize("order", permutations(range(3)))
def test_it_does_not_matter_in_which_order_they_are_read_together(order: tuple[int, ...]) -> None:
    chain = [recorded("a", 0, calculated=1), recorded("b", 50, calculated=3), recorded("c", 100)]
    kept = merged((), [chain[place] for place in order])
    assert [session.id for session in kept] == ["b"]
    assert merged(kept, chain) == kept


def test_what_is_stored_is_read_again() -> None:
    whole = replace(
        recorded("a"),
        average_power_kw=85.8,
        soc_start=23.0,
        soc_end=90.0,
        range_start_km=104.3,
        range_end_km=405.3,
        label="Home",
    )
    bare = car_session("b", START + HOUR, None)
    records = CarRecords(
        cars={
            "entity": Car(vehicle_id="zoe", last_read=START, sessions=(whole, bare)),
            "never read": Car(vehicle_id="id3", is_due=True, is_closed=True),
        },
        next_read=START + HOUR,
        not_before=START + HOUR,
        credentials="abc",
        is_refused=True,
    )
    document = json.loads(json.dumps(cars_to_stored(records)))
    assert restore_cars(document) == (records, False)


def test_without_a_file_there_is_nothing_and_nothing_is_damaged() -> None:
    assert restore_cars(None) == (CarRecords(), False)


@pytest.mark.parametrize(
    "document",
    ["damaged", [], {}, {"cars": []}, {"cars": {"entity": []}}, {"cars": {"entity": {}}}],
)
def test_what_is_no_such_document_is_empty(document: object) -> None:
    assert restore_cars(document) == (CarRecords(), True)


@pytest.mark.parametrize(
    "damage",
    [
        {"started_at": None},
        {"started_at": "yesterday"},
        {"id": 5},
    ],
)
def test_a_damaged_session_costs_only_itself_and_has_its_car_read_anew(
    damage: dict[str, Any],
) -> None:
    car = Car(vehicle_id="zoe", last_read=START, sessions=(recorded("a"), recorded("b", 3600)))
    document = cars_to_stored(CarRecords(cars={"entity": car, "other": car}))
    document["cars"]["entity"]["sessions"][0] |= damage
    records, is_damaged = restore_cars(document)
    assert is_damaged
    expected = replace(car, last_read=None, is_due=True, sessions=car.sessions[1:])
    assert records.cars["entity"] == expected
    assert records.cars["other"] == car


def test_a_damaged_figure_is_unknown() -> None:
    car = Car(vehicle_id="zoe", last_read=START, sessions=(recorded("a"),))
    document = cars_to_stored(CarRecords(cars={"entity": car}))
    document["cars"]["entity"]["sessions"][0]["energy_kwh"] = {"total": 5}
    records, _ = restore_cars(document)
    assert records.cars["entity"].sessions == (replace(recorded("a"), energy_kwh=None),)


def test_a_car_is_stored_by_its_id_without_case() -> None:
    document = cars_to_stored(CarRecords(cars={"ENTITY": Car(vehicle_id="zoe")}))
    assert restore_cars(document).records.cars == {"entity": Car(vehicle_id="zoe")}


@pytest.mark.parametrize(
    ("last_read", "newest", "days"),
    [
        pytest.param(None, -30, 400, id="the first read"),
        pytest.param(0, -3 * 24, 7, id="a week"),
        pytest.param(-24, -3 * 24, 8, id="a week before the last read"),
        pytest.param(0, -9 * 24, 9, id="the next may go on since the newest known"),
        pytest.param(0, None, 400, id="none is known: the first may go on as long"),
        pytest.param(800 * 24, -30, 400, id="the last read was by a clock that was ahead"),
    ],
)
def test_a_read_begins_where_sessions_may_be_new_or_corrected(
    last_read: float | None, newest: float | None, days: int
) -> None:
    """Times are hours from now."""
    sessions = () if newest is None else (recorded("a", newest * 3600),)
    car = Car(
        vehicle_id="zoe",
        last_read=None if last_read is None else START + last_read * HOUR,
        sessions=sessions,
    )
    assert car.start_of_read(START) == START - timedelta(days=days)
