"""The same energy twice: which of Joulo's sessions a car tells of, and what it has charged elsewhere."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random

import pytest

from custom_components.joulo.api import ChargingSession
from custom_components.joulo.der_connect.models import CarSession
from custom_components.joulo.sessions import queries, transitions
from custom_components.joulo.sessions.matching import Matching, match
from custom_components.joulo.sessions.vehicles import (
    NOBODY,
    Attribution,
    Fleet,
    Rule,
    Vehicle,
    attribute,
    is_there,
)
from tests.factories import car_session
from tests.sessions import History, charger

EVENING = datetime(2026, 6, 1, 18, 0, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
ZOE = Vehicle(id="zoe", name="Zoe", tags=frozenset({"t"}))
ID3 = Vehicle(id="id3", name="ID.3")
CAR = Attribution(Rule.CAR, "zoe")
NOBODYS = Attribution(Rule.NOBODY, None)


def at_home(
    session_id: str = "s",
    start: float = 0,
    hours: float | None = 4,
    *,
    kwh: float | None = 10,
    tag: str | None = "T",
    charger_id: str = "garage",
) -> ChargingSession:
    """Return a session of Joulo's that began `start` hours after six in the evening."""
    begin = EVENING + start * HOUR
    return ChargingSession(
        id=session_id,
        charger_id=charger_id,
        started_at=begin,
        ended_at=None if hours is None else begin + hours * HOUR,
        kwh=kwh,
        id_tag=tag,
    )


def by_car(
    session_id: str = "c", start: float = 0, hours: float | None = 4, *, kwh: float | None = 9
) -> CarSession:
    """Return a session that a car has recorded, which began `start` hours after six in the evening."""
    begin = EVENING + start * HOUR
    end = None if hours is None else begin + hours * HOUR
    return car_session(session_id, begin, end, kwh=kwh)


def of_zoe(
    sessions: list[ChargingSession], *cars: CarSession, vehicle: Vehicle = ZOE
) -> dict[str, str]:
    """Return which sessions the only car tells of, by the ids of its own."""
    return dict(match(sessions, (), Fleet((vehicle,)), {"zoe": cars}).cars["zoe"].matched)


def without_card(
    session: ChargingSession, cars: Mapping[str, tuple[CarSession, ...]], *vehicles: Vehicle
) -> tuple[Attribution, Matching]:
    """Return whose a session without a card is, and the match."""
    found = match([session], (), Fleet(vehicles or (ZOE, ID3)), cars)
    return attribute(session, found.fleet), found


# With a session that is its own, the time is enough


def test_a_session_at_home_is_told_by_both_and_counts_once() -> None:
    found = match([at_home()], (), Fleet((ZOE,)), {"zoe": (by_car(),)})
    assert found.cars["zoe"].matched == {"c": "s"}
    assert found.cars["zoe"].elsewhere == ()


def test_a_session_at_work_is_elsewhere() -> None:
    work = by_car("work", start=-10)
    found = match([at_home()], (), Fleet((ZOE,)), {"zoe": (work,)})
    assert found.cars["zoe"].elsewhere == (work,)


@pytest.mark.parametrize(
    ("kwh", "is_matched"),
    [(0, True), (3, True), (13.5, True), (13.6, False), (100, False), (None, True)],
)
def test_the_kwh_of_its_own_session_may_be_anything_that_is_possible(
    kwh: float | None, *, is_matched: bool
) -> None:
    assert bool(of_zoe([at_home()], by_car(kwh=kwh))) is is_matched


def test_energy_that_joulo_does_not_know_may_be_any() -> None:
    assert of_zoe([at_home(kwh=None)], by_car(kwh=100)) == {"c": "s"}


def test_a_session_without_an_end_or_energy_takes_nothing_of_what_was_charged_on_the_road() -> None:
    """The plug was in for a minute, and Joulo never listed an end."""
    assert of_zoe([at_home(hours=None, kwh=0)], by_car("road", 15, 1, kwh=45)) == {}


@pytest.mark.parametrize("kwh", [30, 6])
def test_a_fast_charge_just_after_leaving_home_is_elsewhere(kwh: float) -> None:
    """It begins five minutes after the plug was pulled; with the energy of home it is more than there was."""
    assert of_zoe([at_home()], by_car(), by_car("road", 4 + 5 / 60, 0.25, kwh=kwh)) == {"c": "s"}


def test_a_fast_charge_on_the_way_home_is_elsewhere() -> None:
    assert of_zoe([at_home()], by_car("road", -0.25, 0.25, kwh=6), by_car()) == {"c": "s"}


def test_a_fast_charge_beside_a_session_that_was_told_by_its_energy_is_elsewhere() -> None:
    cars = (by_car(), by_car("road", 4 + 5 / 60, 0.25, kwh=30))
    _, found = without_card(at_home(tag=None), {"zoe": cars[:1]})
    again = match([at_home(tag=None)], (), found.fleet, {"zoe": cars})
    assert [each.id for each in again.cars["zoe"].elsewhere] == ["road"]


@pytest.mark.parametrize("minutes", [-14, 14])
def test_times_that_are_a_little_off_match(minutes: float) -> None:
    assert of_zoe([at_home()], by_car(start=minutes / 60)) == {"c": "s"}


@pytest.mark.parametrize(
    ("minutes", "is_matched"), [(14, True), (15, True), (16, False), (-16, False), (-15, True)]
)
def test_times_may_be_off_by_a_quarter_of_an_hour(minutes: float, *, is_matched: bool) -> None:
    """A session without length shows it best: it lies in the widened one or not."""
    start = minutes / 60 + (4 if minutes > 0 else 0)
    assert bool(of_zoe([at_home()], by_car(start=start, hours=0))) is is_matched


@pytest.mark.parametrize(
    ("start", "is_matched"),
    [
        pytest.param(-2.25, True, id="exactly half covered"),
        pytest.param(-2.26, False, id="a little less"),
        pytest.param(2.25, True, id="exactly half covered at the end"),
        pytest.param(2.26, False, id="a little less at the end"),
    ],
)
def test_at_least_half_of_a_cars_session_has_to_be_covered(
    start: float, *, is_matched: bool
) -> None:
    assert bool(of_zoe([at_home()], by_car(start=start))) is is_matched


def test_a_pause_that_the_car_tells_as_two_sessions_is_one_session_at_home() -> None:
    evening, night = by_car("evening", 0.1, 1, kwh=4), by_car("night", 2.5, 1.5, kwh=5)
    assert of_zoe([at_home()], evening, night) == {"evening": "s", "night": "s"}


def test_a_session_that_the_charger_tells_in_pieces_is_one_of_the_car() -> None:
    """None of the pieces covers half of it; all of them are the vehicle's own."""
    pieces = [at_home(f"s{number}", number, 1, kwh=2.5) for number in range(4)]
    found = of_zoe(pieces, by_car())
    assert [*found] == ["c"]
    assert not of_zoe([pieces[0]], by_car())


def test_the_longest_overlap_wins_and_none_matches_two() -> None:
    sessions = [at_home("early", 0, 1.5), at_home("late", 1.5, 2.5)]
    assert of_zoe(sessions, by_car()) == {"c": "late"}


def test_of_sessions_that_cover_it_alike_the_one_with_its_kwh_wins() -> None:
    """Two chargers, and cars that stay plugged in all night: the times do not tell them apart."""
    night = [at_home("other", -1, 12, kwh=40, tag=None), at_home("own", 0, 12, kwh=10, tag=None)]
    assert of_zoe(night, by_car("c", 3, 2, kwh=9)) == {"c": "own"}
    assert of_zoe(night[::-1], by_car("c", 3, 2, kwh=9)) == {"c": "own"}


def test_of_neighbours_that_both_reach_it_the_one_in_which_it_lies_wins() -> None:
    sessions = [at_home("before", 0, 2), at_home("own", 2, 2, kwh=100)]
    assert of_zoe(sessions, by_car("c", 2.05, 0.1)) == {"c": "own"}


def test_a_session_of_another_vehicle_is_none_of_its_own() -> None:
    assert of_zoe([at_home(tag="OTHER", kwh=100)], by_car()) == {}


def test_a_session_that_is_nobodys_by_hand_is_none_of_its_own() -> None:
    found = match([at_home(tag=None)], (), Fleet((ZOE,), {"s": NOBODY}), {"zoe": (by_car(),)})
    assert found.cars["zoe"].elsewhere == (by_car(),)
    assert found.fleet.matches == {}


def test_a_session_by_hand_is_its_own() -> None:
    fleet = Fleet((ZOE,), {"s": "zoe"})
    found = match([at_home(tag="OTHER")], (), fleet, {"zoe": (by_car(kwh=1),)})
    assert found.cars["zoe"].matched == {"c": "s"}


def test_a_session_at_the_charger_where_it_charges_without_a_card_is_its_own() -> None:
    zoe = replace(ZOE, chargers=frozenset({"garage"}))
    whose, found = without_card(at_home(tag=None), {"zoe": (by_car(kwh=1),)}, zoe)
    assert whose == Attribution(Rule.CHARGER, "zoe")
    assert found.cars["zoe"].matched == {"c": "s"}


def test_its_own_session_wins_over_one_that_nobody_has_claimed() -> None:
    sessions = [at_home("own", 0, 3), at_home("nobodys", 0, 4, tag=None, kwh=9)]
    assert of_zoe(sessions, by_car()) == {"c": "own"}


# Joulo's sessions that run, and what the car does not tell


def test_a_session_that_runs_is_matched_with_what_the_car_has_told_already() -> None:
    running = at_home(hours=None, kwh=2)
    found = match([running], {"s"}, Fleet((ZOE,)), {"zoe": (by_car(start=2),)})
    assert found.cars["zoe"].matched == {"c": "s"}


def test_a_session_that_runs_is_given_to_no_car_yet() -> None:
    """Its energy is not known before its end."""
    running = at_home(hours=None, kwh=9, tag=None)
    found = match([running], {"s"}, Fleet((ZOE,)), {"zoe": (by_car(),)})
    assert found.fleet.matches == {}


@pytest.mark.parametrize(
    ("active", "days", "is_matched"),
    [((), 2, False), ((), 0.9, True), (("s",), 2, True), (("s",), 40, False)],
)
def test_a_session_whose_end_is_not_known_does_not_last_for_ever(
    active: tuple[str, ...], days: float, *, is_matched: bool
) -> None:
    car = by_car(start=24 * days)
    found = match([at_home(hours=None)], active, Fleet((ZOE,)), {"zoe": (car,)})
    assert bool(found.cars["zoe"].matched) is is_matched


@pytest.mark.parametrize(("start", "is_matched"), [(1, True), (5, False)])
def test_a_cars_session_without_an_end_is_where_it_starts(
    start: float, *, is_matched: bool
) -> None:
    assert bool(of_zoe([at_home()], by_car(start=start, hours=None))) is is_matched


def test_what_a_car_charged_before_it_was_this_vehicle_is_not_its_own() -> None:
    since = replace(ZOE, since=EVENING)
    found = match([], (), Fleet((since,)), {"zoe": (by_car("old", -1), by_car("new"))})
    assert [each.id for each in found.cars["zoe"].elsewhere] == ["new"]


# Rule 3: by the car's own record


@pytest.mark.parametrize("tag", [None, "UNKNOWN"])
def test_a_session_of_which_one_car_tells_with_its_energy_is_that_cars(tag: str | None) -> None:
    whose, found = without_card(at_home(tag=tag), {"zoe": (by_car(),)})
    assert whose == CAR
    assert found.cars["zoe"].matched == {"c": "s"}


@pytest.mark.parametrize(
    ("kwh", "fits"), [(7.4, False), (7.5, True), (10, True), (11, True), (11.1, False)]
)
def test_the_car_has_to_tell_the_energy_less_the_losses(kwh: float, *, fits: bool) -> None:
    whose, found = without_card(at_home(tag=None), {"zoe": (by_car(kwh=kwh),)})
    assert whose == (CAR if fits else NOBODYS)
    assert bool(found.cars["zoe"].elsewhere) is not fits


def test_both_parts_of_a_pause_hold_the_energy_together() -> None:
    parts = (by_car("evening", 0.1, 1, kwh=4), by_car("night", 2.5, 1.5, kwh=5))
    assert without_card(at_home(tag=None), {"zoe": parts})[0] == CAR
    assert without_card(at_home(tag=None), {"zoe": parts[:1]})[0] == NOBODYS


@pytest.mark.parametrize(("theirs", "ours"), [(None, 9), (10, None), (0, 0)])
def test_without_the_energy_of_both_there_is_no_such_match(
    theirs: float | None, ours: float | None
) -> None:
    session = at_home(tag=None, kwh=theirs)
    assert without_card(session, {"zoe": (by_car(kwh=ours),)})[0] == NOBODYS


def test_this_car_at_work_while_another_charges_at_home_is_elsewhere() -> None:
    work = by_car("work", 0.5, 3, kwh=25)
    whose, found = without_card(at_home(tag=None), {"zoe": (work,)})
    assert whose == NOBODYS
    assert found.cars["zoe"].elsewhere == (work,)


def test_a_session_that_two_cars_fit_is_neithers() -> None:
    cars = {"zoe": (by_car("a"),), "id3": (by_car("b", kwh=10),)}
    whose, found = without_card(at_home(tag=None), cars)
    assert whose == NOBODYS
    assert found.cars["zoe"].elsewhere == cars["zoe"]
    assert found.cars["id3"].elsewhere == cars["id3"]


def test_of_two_cars_that_fit_in_time_the_one_with_the_energy_has_it() -> None:
    whose, found = without_card(
        at_home(tag=None), {"zoe": (by_car("a"),), "id3": (by_car("b", kwh=30),)}
    )
    assert whose == CAR
    assert [each.id for each in found.cars["id3"].elsewhere] == ["b"]


def test_a_guest_at_the_other_charger_does_not_take_a_session_away() -> None:
    """The guest's lasts longer and so covers more of what the car tells; its energy is another."""
    guest = at_home("guest", -4, 12, kwh=60, tag=None, charger_id="drive")
    session = at_home(tag=None)
    evening, night = by_car("evening", -0.5, 2, kwh=4), by_car("night", 2.5, 1.5, kwh=5)
    found = match([guest, session], (), Fleet((ZOE,)), {"zoe": (evening, night)})
    assert found.fleet.matches == {"s": "zoe"}
    assert found.cars["zoe"].matched == {"evening": "s", "night": "s"}


def test_a_car_that_has_its_own_session_does_not_fit_another() -> None:
    own = at_home("own", tag="T", charger_id="drive")
    cars = {"zoe": (by_car("a"),), "id3": (by_car("b"),)}
    found = match([own, at_home(tag=None)], (), Fleet((ZOE, ID3)), cars)
    assert found.fleet.matches == {"s": "id3"}
    assert found.cars["zoe"].matched == {"a": "own"}


def test_a_cars_own_record_comes_before_the_charger_and_after_the_tag() -> None:
    id3 = replace(ID3, chargers=frozenset({"garage"}))
    assert without_card(at_home(tag=None), {"zoe": (by_car(),)}, ZOE, id3)[0] == CAR
    with_card = without_card(at_home(), {"id3": (by_car(),)})[0]
    assert with_card == Attribution(Rule.TAG, "zoe")


def test_a_match_of_a_vehicle_that_is_gone_counts_no_more() -> None:
    fleet = Fleet((ID3,), matches={"s": "zoe"})
    assert attribute(at_home(tag=None), fleet) == NOBODYS


def test_a_session_before_the_vehicle_was_there_is_not_given_to_it() -> None:
    zoe = replace(ZOE, since=EVENING + 5 * MINUTE)
    car = by_car(start=0.1)
    assert without_card(at_home(tag=None), {"zoe": (car,)}, zoe)[0] == NOBODYS


def test_what_is_matched_once_stays_so() -> None:
    cars = {"zoe": (by_car(),)}
    found = match([at_home(tag=None)], (), Fleet((ZOE,)), cars)
    again = match([at_home(tag=None)], (), found.fleet, cars)
    assert again == found
    assert again.fleet is found.fleet


# In the history


def test_elsewhere_is_unknown_until_all_sessions_have_been_read(history: History) -> None:
    history.update(transitions.set_vehicles, [ZOE])
    history.list(at_home())
    history.update(transitions.set_cars, {"zoe": (by_car(), by_car("work", 24, kwh=30))})
    history.update(transitions.set_matching, queries.matching(history.state))
    assert queries.elsewhere_energy(history.state, "zoe", None) is None
    history.update(transitions.finish_read, EVENING, full=True)
    assert queries.elsewhere_energy(history.state, "zoe", None) == 30
    assert queries.elsewhere_energy(history.state, "zoe", EVENING + 25 * HOUR) == 0
    assert queries.elsewhere_energy(history.state, "id3", None) is None


def test_the_last_charge_has_joulos_session_where_it_is_matched(history: History) -> None:
    history.update(transitions.set_vehicles, [ZOE])
    history.list(at_home())
    history.update(transitions.set_cars, {"zoe": (by_car(), by_car("ahead", 10_000))})
    now = EVENING + 24 * HOUR
    unmatched = queries.last_charge(history.state, "zoe", now)
    assert unmatched == (by_car(), None)
    history.update(transitions.set_matching, queries.matching(history.state))
    assert queries.last_charge(history.state, "zoe", now) == (by_car(), at_home())
    assert queries.told_by_car(history.state, "zoe") == {"s": [by_car()]}
    assert queries.last_charge(history.state, "id3", now) is None


def test_each_rule_is_counted_with_the_cars_own(history: History) -> None:
    history.update(transitions.set_vehicles, [ZOE, ID3])
    history.list(at_home(tag=None))
    history.update(transitions.set_cars, {"zoe": (by_car(),)})
    history.update(transitions.set_matching, queries.matching(history.state))
    assert queries.sessions_by_rule(history.state)[Rule.CAR] == 1
    assert queries.vehicle_totals(history.state, "zoe").kwh == 10


def test_a_session_that_goes_on_at_its_charger_is_matched(history: History) -> None:
    history.report(charger(session="s", kwh=2, tag="T", started_at=EVENING), at=EVENING + HOUR)
    history.update(transitions.set_vehicles, [ZOE])
    history.update(transitions.set_cars, {"zoe": (by_car(start=40),)})
    assert queries.matching(history.state).cars["zoe"].matched == {"c": "s"}


# By chance


def drawn(
    chance: Random,
) -> tuple[list[ChargingSession], Fleet, dict[str, tuple[CarSession, ...]]]:
    """Return a month of two vehicles at home and elsewhere, with times and figures that are off."""
    ids = map(str, count())
    vehicles = (
        replace(ZOE, chargers=chance.choice((frozenset(), frozenset({"garage"})))),
        replace(ID3, since=chance.choice((None, EVENING + 200 * HOUR))),
    )
    sessions: list[ChargingSession] = []
    cars: dict[str, list[CarSession]] = {"zoe": [], "id3": []}
    for _ in range(60):
        start, hours = chance.uniform(0, 700), chance.uniform(0, 9)
        kwh = chance.choice((None, 0, chance.uniform(0.1, 60)))
        if chance.random() < 0.7:
            tag, place = chance.choice((None, "T", "OTHER")), chance.choice(("garage", "drive"))
            hours_or_none = chance.choice((hours, hours, None))
            sessions.append(
                at_home(next(ids), start, hours_or_none, kwh=kwh, tag=tag, charger_id=place)
            )
        for records in chance.sample([*cars.values()], chance.randrange(3)):
            records.extend(_told(chance, ids, start, hours, kwh))
    assigned = {each.id: chance.choice(("zoe", NOBODY)) for each in sessions[:3]}
    return sessions, Fleet(vehicles, assigned), {key: tuple(each) for key, each in cars.items()}


def _told(
    chance: Random, ids: Iterator[str], start: float, hours: float, kwh: float | None
) -> Iterator[CarSession]:
    """Yield what a car tells of a charge: in one piece or in two, a little off, not always with its end."""
    pieces = chance.choice((1, 1, 2))
    for piece in range(pieces):
        begin = start + piece * hours / pieces + chance.uniform(-0.3, 0.3)
        length = chance.choice((hours / pieces, hours / pieces, None))
        energy = None if kwh is None else kwh / pieces * chance.uniform(0.7, 1.15)
        yield by_car(next(ids), begin, length, kwh=energy)


@pytest.mark.parametrize("seed", range(200))
def test_whatever_happens_no_energy_counts_twice(seed: int) -> None:
    chance = Random(seed)
    sessions, fleet, cars = drawn(chance)
    found = match(sessions, (), fleet, cars)
    by_id = {session.id: session for session in sessions}
    for vehicle in fleet.vehicles:
        own = [each for each in sessions if attribute(each, found.fleet).vehicle_id == vehicle.id]
        its_car = found.cars[vehicle.id]
        # Each of the car's sessions is either elsewhere or told of by one of the vehicle's own.
        there = [each.id for each in cars[vehicle.id] if is_there(vehicle, each.started_at)]
        assert sorted([*its_car.matched, *(each.id for each in its_car.elsewhere)]) == sorted(there)
        assert {*its_car.matched.values()} <= {each.id for each in own}
        for car in its_car.elsewhere:
            for group in by_claim(own, fleet):
                if any(covers_half(session, car) for session in group):
                    assert is_impossible(car, group, cars[vehicle.id], its_car.matched)
    # What a car's own record has given away was nobody's by hand or tag, and fits it alone.
    for session_id, vehicle_id in found.fleet.matches.items():
        before = attribute(by_id[session_id], replace(fleet, matches={}))
        assert before.rule in {Rule.CHARGER, Rule.NOBODY}
        told = found.cars[vehicle_id].matched
        assert session_id in told.values()
    shuffled = chance.sample(sessions, len(sessions))
    assert match(shuffled, (), found.fleet, cars) == found


def by_claim(own: list[ChargingSession], fleet: Fleet) -> Iterator[list[ChargingSession]]:
    """Yield the sessions that are a vehicle's by hand or tag, and all others: they are matched one after the other."""
    claims = [attribute(each, fleet).rule in {Rule.ASSIGNED, Rule.TAG} for each in own]
    for claim in (True, False):
        yield [each for each, claimed in zip(own, claims, strict=True) if claimed is claim]


def covers_half(session: ChargingSession, car: CarSession) -> bool:
    """Whether a session of Joulo's covers at least half of a car's, by a reckoning of its own."""
    return covered(session, car) >= ((car.ended_at or car.started_at) - car.started_at) / 2


def covered(session: ChargingSession, car: CarSession) -> timedelta:
    """Return for how long a session of Joulo's covers a car's; negative where they are apart."""
    end = car.ended_at or car.started_at
    theirs = session.ended_at or session.started_at + 24 * HOUR
    return min(end, theirs + 15 * MINUTE) - max(car.started_at, session.started_at - 15 * MINUTE)


def is_impossible(
    car: CarSession,
    own: list[ChargingSession],
    told: tuple[CarSession, ...],
    matched: Mapping[str, str],
) -> bool:
    """Whether the sessions at that time cannot hold the energy of a car's, beside what it tells of them already."""
    during = {each.id: each.kwh for each in own if covered(each, car) >= timedelta()}
    most = 0.0
    for kwh in during.values():
        assert kwh is not None
        most += 1.25 * kwh
    by_car = [each.energy_kwh or 0 for each in told if matched.get(each.id) in during]
    return (car.energy_kwh or 0) + sum(by_car) > most + 1
