"""Whose session it is: by hand, by tag, by charger, or nobody's."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from custom_components.joulo.api import ChargingSession
from custom_components.joulo.sessions import queries, transitions
from custom_components.joulo.sessions.vehicles import (
    NOBODY,
    Attribution,
    Fleet,
    Rule,
    Vehicle,
    attribute,
    comparable,
    tag_ends,
)
from tests.sessions import History, charger, opened

START = datetime(2026, 6, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SESSION = ChargingSession(id="s", charger_id="garage", started_at=START)
WITH_TAG = replace(SESSION, id_tag="04A3B2C1")
ZOE = Vehicle(id="zoe", name="Zoe", tags=frozenset({comparable("04:a3-b2 c1")}))
ID3 = Vehicle(id="id3", name="ID.3", chargers=frozenset({"garage"}))


@pytest.mark.parametrize("tag", ["04A3B2C1", "04:a3-b2 c1", " 04 A3 B2 C1 ", "04:A3:B2:C1"])
def test_tags_are_compared_without_what_readers_write_differently(tag: str) -> None:
    session = replace(SESSION, id_tag=tag)
    assert attribute(session, Fleet((ZOE, ID3), {})) == Attribution(Rule.TAG, "zoe")


@pytest.mark.parametrize(
    ("tags", "ends"),
    [
        pytest.param(["04A3B2C1"], ["B2C1"], id="four characters"),
        pytest.param(["04A3B2C1", "0499B2C1"], ["3B2C1", "9B2C1"], id="as many as tell them apart"),
        pytest.param(
            ["04A3B2C1", "004A3B2C1"], ["4A3B2C1", "4A3B2C1"], id="never another whole tag"
        ),
        pytest.param(["ABC", "-:-"], ["BC", ""], id="never its own"),
    ],
)
def test_a_tag_is_shown_by_its_end(tags: list[str], ends: list[str]) -> None:
    assert [*tag_ends(tags).values()] == ends


def test_without_a_tag_a_session_is_of_the_vehicle_that_charges_there_without_a_card() -> None:
    assert attribute(SESSION, Fleet((ZOE, ID3), {})) == Attribution(Rule.CHARGER, "id3")
    elsewhere = replace(SESSION, charger_id="oprit")
    assert attribute(elsewhere, Fleet((ZOE, ID3), {})) == Attribution(Rule.NOBODY, None)


def test_an_unknown_tag_is_somebodys_card() -> None:
    session = replace(SESSION, id_tag="UNKNOWN")
    assert attribute(session, Fleet((ZOE, ID3), {})) == Attribution(Rule.NOBODY, None)


def test_what_was_said_by_hand_comes_first() -> None:
    assert attribute(WITH_TAG, Fleet((ZOE, ID3), {"s": "id3"})) == Attribution(Rule.ASSIGNED, "id3")
    assert attribute(WITH_TAG, Fleet((ZOE, ID3), {"s": NOBODY})) == Attribution(Rule.ASSIGNED, None)


def test_what_was_said_by_hand_of_a_vehicle_that_is_gone_counts_no_more() -> None:
    assert attribute(WITH_TAG, Fleet((ZOE,), {"s": "id3"})) == Attribution(Rule.TAG, "zoe")


@pytest.mark.parametrize(
    ("start", "whose"), [(START - MINUTE, "zoe"), (START, "next"), (START + MINUTE, "next")]
)
@pytest.mark.parametrize("order", [1, -1])
def test_a_card_that_moves_to_the_next_car_is_that_cars_from_then_on(
    start: datetime, whose: str, order: int
) -> None:
    following = replace(ZOE, id="next", since=START)
    session = replace(WITH_TAG, started_at=start)
    vehicles = (ZOE, following)[::order]
    assert attribute(session, Fleet(vehicles)) == Attribution(Rule.TAG, whose)


def test_a_session_before_the_vehicle_was_there_is_nobodys() -> None:
    zoe = replace(ZOE, since=START + MINUTE)
    assert attribute(WITH_TAG, Fleet((zoe,), {})) == Attribution(Rule.NOBODY, None)


def test_a_running_session_has_the_card_that_only_the_list_of_sessions_tells() -> None:
    history = History()
    history.report(charger(session="s", kwh=1))
    history.list(replace(opened(), id_tag="T"))
    zoe = Vehicle(id="zoe", name="Zoe", tags=frozenset({"t"}))
    other = Vehicle(id="other", name="Other", chargers=frozenset({"c"}))
    history.update(transitions.set_vehicles, [zoe, other])
    assert history.newest().id_tag == "T"
    assert queries.vehicle_name(history.state, history.newest()) == "Zoe"
