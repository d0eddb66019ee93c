"""A record by all that is known of its session, and the ends that are inferred."""

from dataclasses import replace
from datetime import timedelta

import pytest

from custom_components.joulo.api import ChargingSession
from custom_components.joulo.sessions.ere import estimated_ere
from custom_components.joulo.sessions.hourly import MAX_OPEN
from custom_components.joulo.sessions.model import (
    ChargerHistory,
    SessionRecord,
    with_inferred_ends,
)
from tests.sessions import NOW, START, completed, opened


def opened_at(session_id: str, hours: float) -> ChargingSession:
    """Return a session without an end that began some hours after the others' start."""
    return opened(session_id, START + timedelta(hours=hours))


def test_an_open_session_ends_where_its_successor_begins() -> None:
    first, second = with_inferred_ends([opened_at("second", 5), opened_at("first", 0)])
    assert (first.id, first.ended_at) == ("first", START + timedelta(hours=5))
    assert (second.id, second.ended_at) == ("second", None)


def test_an_open_session_lasts_a_day_at_most() -> None:
    first, _ = with_inferred_ends([opened_at("first", 0), opened_at("second", 100)])
    assert first.ended_at == START + timedelta(days=1)


def test_an_end_that_joulo_sent_stays() -> None:
    session = completed()
    assert with_inferred_ends([session, opened_at("next", 1)])[0] == session


def test_a_charger_without_sessions_has_none_to_end() -> None:
    assert with_inferred_ends([]) == ()


def test_an_active_session_stays_open_although_it_has_a_successor() -> None:
    first, second, last = with_inferred_ends(
        [opened_at("first", 0), opened_at("second", 1), opened_at("last", 2)], active="first"
    )
    assert (first.ended_at, last.ended_at) == (None, None)
    assert second.ended_at == START + timedelta(hours=2)


def test_sessions_of_one_moment_are_in_the_order_of_their_ids() -> None:
    ordered = with_inferred_ends([opened("b"), opened("a")])
    assert [session.id for session in ordered] == ["a", "b"]
    assert ordered[0].ended_at == START


def test_an_open_session_lasts_as_long_as_is_said() -> None:
    assert timedelta(days=1) == MAX_OPEN


# A record


def test_a_record_is_what_joulo_lists_where_no_charger_showed_it() -> None:
    record = SessionRecord(listed=opened())
    assert record.session == opened()
    assert not record.is_confirmed
    assert not record.is_unconfirmed


def test_a_record_is_what_joulo_lists_once_it_has_an_end() -> None:
    record = SessionRecord(listed=completed(kwh=8), observed=replace(opened(), kwh=9))
    assert record.session == completed(kwh=8)
    assert record.is_confirmed
    assert not record.is_unconfirmed


def test_a_record_without_a_listed_end_is_what_the_charger_showed_with_estimated_ere() -> None:
    observed = replace(opened(), kwh=9, ere_credits=None)
    record = SessionRecord(listed=replace(opened(), kwh=8), observed=observed)
    assert record.session == replace(observed, ere_credits=estimated_ere(9, START))
    assert record.is_unconfirmed


def test_a_record_without_a_listed_end_has_the_higher_energy() -> None:
    listed = replace(opened(), kwh=9, ere_credits=3)
    record = SessionRecord(listed=listed, observed=replace(opened(), kwh=8, id_tag="T"))
    assert record.session == replace(listed, id_tag="T")


def test_a_record_has_the_energy_of_its_last_reading_where_answers_leave_it_out() -> None:
    readings = ((START, 1.0), (NOW, 7.0))
    without = replace(completed(), kwh=None)
    assert SessionRecord(listed=without, readings=readings).session.kwh == 7
    assert (
        SessionRecord(observed=replace(without, ended_at=None), readings=readings).session.kwh == 7
    )
    assert SessionRecord(listed=completed(kwh=0), readings=readings).session.kwh == 0


def test_a_record_without_a_session_is_a_mistake() -> None:
    with pytest.raises(LookupError):
        _ = SessionRecord().session


def test_a_charger_computes_its_timeline_once() -> None:
    charger = ChargerHistory(records={"s": SessionRecord(listed=completed())})
    assert charger.timeline is charger.timeline
    assert charger.completed == charger.timeline
