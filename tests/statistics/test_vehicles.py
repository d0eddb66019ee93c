"""The statistics of a vehicle: what it has charged in every hour, also after its card has gone to another one."""

from dataclasses import replace
from types import MappingProxyType
from typing import Any

from homeassistant.components.recorder.core import Recorder
from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.joulo.der_connect.models import CarSession
from custom_components.joulo.history import SessionHistory
from custom_components.joulo.sessions import queries, transitions
from custom_components.joulo.sessions.vehicles import Vehicle
from tests.conftest import Advance
from tests.factories import car_session
from tests.statistics import (
    ENERGY,
    HOUR,
    QUIET,
    Recorded,
    Row,
    at,
    list_sessions,
    name_of,
    session,
    sum_of,
)

ZOE = Vehicle(id="01ZOE", name="Zoe", tags=frozenset({"t"}))
ID3 = Vehicle(id="01ID3", name="ID.3")
ELSEWHERE = "joulo:vehicle_01zoe_elsewhere"
OF_ZOE, OF_ID3 = "joulo:vehicle_01zoe_energy", "joulo:vehicle_01id3_energy"


@pytest.mark.usefixtures("importer")
async def test_vehicles_and_nobody_have_what_their_charger_has_delivered(
    hass: HomeAssistant,
    recorder: Recorder,
    history: SessionHistory,
    advance: Advance,
    recorded: Recorded,
) -> None:
    history.async_update(transitions.set_vehicles, [ZOE, ID3])
    with_card = replace(session("card", -8, 2), id_tag="T")
    list_sessions(history, with_card, session("nobody", -5, 1, kwh=3))
    await advance(QUIET)
    assert await recorded(OF_ZOE) == [Row(at(-8), 5, 5), Row(at(-7), 5, 10)]
    assert await recorded(OF_ID3) == []
    assert sum_of(await recorded(ENERGY)) == pytest.approx(13)
    assert await name_of(hass, recorder, OF_ZOE) == "Zoe charged energy"


@pytest.mark.usefixtures("importer")
async def test_a_card_that_moves_to_another_vehicle_takes_its_past_along_and_is_written_once(
    history: SessionHistory, advance: Advance, recorded: Recorded, handed_over: list[str]
) -> None:
    history.async_update(transitions.set_vehicles, [ZOE, ID3])
    list_sessions(history, replace(session("card", -8, 2), id_tag="T"))
    await advance(QUIET)
    moved = [replace(ZOE, tags=frozenset()), replace(ID3, tags=ZOE.tags)]
    history.async_update(transitions.set_vehicles, moved)
    await advance(QUIET)
    assert await recorded(OF_ZOE) == [Row(at(-8), 0, 0), Row(at(-7), 0, 0)]
    assert await recorded(OF_ID3) == [Row(at(-8), 5, 5), Row(at(-7), 5, 10)]
    handed_over.clear()
    await advance(HOUR + 60)
    assert handed_over == []


@pytest.mark.usefixtures("importer")
async def test_what_is_said_by_hand_counts(
    history: SessionHistory, advance: Advance, recorded: Recorded
) -> None:
    history.async_update(transitions.set_vehicles, [ZOE, ID3])
    list_sessions(history, session("s", -8, 1, kwh=4))
    history.async_update(transitions.assign_vehicle, "s", ID3.id)
    await advance(QUIET)
    assert await recorded(OF_ID3) == [Row(at(-8), 4, 4)]


# Charged elsewhere


def tell(history: SessionHistory, *cars: CarSession) -> None:
    """Let the first vehicle's car tell of these sessions."""
    history.async_update(transitions.set_cars, {ZOE.id: cars})
    history.async_update(transitions.set_matching, queries.matching(history.state))


@pytest.mark.usefixtures("importer")
async def test_what_only_the_car_tells_of_is_spread_evenly(
    hass: HomeAssistant,
    recorder: Recorder,
    history: SessionHistory,
    advance: Advance,
    recorded: Recorded,
) -> None:
    history.async_update(transitions.set_vehicles, [ZOE, ID3])
    list_sessions(history, replace(session("home", -3, 1, kwh=4), id_tag="T"))
    tell(
        history,
        car_session("work", at(-9.5), at(-7.5), kwh=8),
        car_session("home", at(-3), at(-2), kwh=3.6),
    )
    await advance(QUIET)
    assert await recorded(ELSEWHERE) == [Row(at(-10), 2, 2), Row(at(-9), 4, 6), Row(at(-8), 2, 8)]
    assert await recorded(OF_ZOE) == [Row(at(-3), 4, 4)]
    assert await name_of(hass, recorder, ELSEWHERE) == "Zoe charged elsewhere"
    assert await recorded("joulo:vehicle_01id3_elsewhere") == []


@pytest.mark.usefixtures("importer")
async def test_a_session_whose_end_or_energy_the_car_does_not_tell_is_in_its_first_hour_or_in_none(
    history: SessionHistory, advance: Advance, recorded: Recorded
) -> None:
    history.async_update(transitions.set_vehicles, [ZOE])
    tell(history, car_session("open", at(-9.5), None, kwh=8), car_session("bare", at(-3), at(-2)))
    await advance(QUIET)
    assert await recorded(ELSEWHERE) == [Row(at(-10), 8, 8)]


@pytest.mark.usefixtures("importer")
async def test_a_session_that_joulo_lists_later_is_elsewhere_no_more_and_is_written_once(
    history: SessionHistory, advance: Advance, recorded: Recorded, handed_over: list[str]
) -> None:
    history.async_update(transitions.set_vehicles, [ZOE])
    cars = car_session("home", at(-3), at(-2), kwh=3.6), car_session("work", at(-9), at(-8), kwh=8)
    tell(history, *cars[::-1])
    await advance(QUIET)
    assert sum_of(await recorded(ELSEWHERE)) == pytest.approx(11.6)
    list_sessions(history, replace(session("home", -3, 1, kwh=4), id_tag="T"))
    tell(history, *cars[::-1])
    await advance(QUIET)
    assert await recorded(ELSEWHERE) == [Row(at(-9), 8, 8), Row(at(-3), 0, 8)]
    handed_over.clear()
    tell(history, *cars[::-1])
    await advance(HOUR + 60)
    assert handed_over == []


@pytest.mark.usefixtures("importer")
@pytest.mark.parametrize("has_car", [True, False])
async def test_without_the_cars_record_what_was_written_stays_unless_the_vehicle_has_no_car(
    hass: HomeAssistant,
    owner: MockConfigEntry,
    history: SessionHistory,
    advance: Advance,
    recorded: Recorded,
    *,
    has_car: bool,
) -> None:
    """A file that is lost is no reason to forget; a car that has gone to another vehicle counts there."""
    data: dict[str, Any] = {"tags": [], "chargers": []}
    if has_car:
        data["entity_id"] = "a-car"
    vehicle = ConfigSubentry(
        data=MappingProxyType(data),
        subentry_id=ZOE.id,
        subentry_type="vehicle",
        title="Zoe",
        unique_id=None,
    )
    hass.config_entries.async_add_subentry(owner, vehicle)
    history.async_update(transitions.set_vehicles, [ZOE])
    tell(history, car_session("work", at(-9), at(-8), kwh=8))
    await advance(QUIET)
    history.async_update(transitions.set_cars, {})
    history.async_update(transitions.set_matching, queries.matching(history.state))
    await advance(QUIET)
    assert await recorded(ELSEWHERE) == [Row(at(-9), 8, 8) if has_car else Row(at(-9), 0, 0)]
