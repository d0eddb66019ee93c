"""The recorder's rows become right again, whatever happened to them or to the history."""

from dataclasses import replace
from datetime import timedelta
import logging
from math import fsum
from random import Random
from typing import Any
from unittest.mock import patch

from homeassistant.components.recorder.core import Recorder
from homeassistant.components.recorder.db_schema import Statistics
from homeassistant.components.recorder.models import StatisticData
from homeassistant.components.recorder.statistics import (
    async_add_external_statistics,
    get_metadata,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers.recorder import session_scope
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)
from pytest_homeassistant_custom_component.typing import WebSocketGenerator
from sqlalchemy import delete
from sqlalchemy.exc import OperationalError

from custom_components.joulo.history import SessionHistory
from custom_components.joulo.sessions import queries
from custom_components.joulo.statistics import importer as importer_module
from custom_components.joulo.statistics.importer import StatisticsImporter
from tests.conftest import NOW, Advance
from tests.statistics import (
    ENERGY,
    ERE,
    HOUR,
    QUIET,
    Recorded,
    Row,
    at,
    finish_reading,
    list_sessions,
    read_twice,
    session,
    sum_of,
)


@pytest.mark.usefixtures("importer")
async def test_a_correction_rewrites_from_there_on(
    history: SessionHistory, advance: Advance, recorded: Recorded, handed_over: list[str]
) -> None:
    sessions = [session(str(age), -10 * age, 1) for age in range(1, 11)]
    list_sessions(history, *sessions)
    await advance(QUIET)
    handed_over.clear()
    list_sessions(history, replace(sessions[3], kwh=4))
    await advance(QUIET)
    assert handed_over == [ENERGY] * 4, "the corrected one and the three after it; its ERE stays"
    assert sum_of(await recorded(ENERGY)) == pytest.approx(94)


@pytest.mark.usefixtures("importer")
async def test_an_hour_that_lost_its_energy_carries_the_sum(
    history: SessionHistory, advance: Advance, recorded: Recorded
) -> None:
    kept = [session("first", -20, 1), session("last", -3, 1)]
    list_sessions(history, *kept, session("gone", -10, 1))
    await advance(QUIET)
    read_twice(history, {"first", "last"})
    await advance(QUIET)
    assert await recorded(ENERGY) == [
        Row(at(-20), 10, 10),
        Row(at(-10), 0, 10),
        Row(at(-3), 10, 20),
    ]


@pytest.mark.usefixtures("importer")
async def test_a_charger_that_lost_its_only_session_holds_nothing(
    history: SessionHistory, advance: Advance, recorded: Recorded
) -> None:
    list_sessions(history, session("gone", -3, 1))
    await advance(QUIET)
    read_twice(history, {"of another charger"})
    await advance(QUIET)
    assert await recorded(ENERGY) == [Row(at(-3), 0, 0)]


@pytest.mark.parametrize("lost", [range(12), range(6, 12), range(0, 12, 2), range(5, 6)])
@pytest.mark.usefixtures("importer")
async def test_rows_that_are_missing_come_back(
    lost: range,
    hass: HomeAssistant,
    recorder: Recorder,
    history: SessionHistory,
    advance: Advance,
    recorded: Recorded,
) -> None:
    list_sessions(history, *(session(str(age), -10 * age, 3) for age in range(1, 5)))
    await advance(QUIET)
    complete = await recorded(ENERGY)

    def lose() -> None:
        starts = [complete[index].start.timestamp() for index in lost]
        with session_scope(session=recorder.get_session()) as database:
            database.execute(delete(Statistics).where(Statistics.start_ts.in_(starts)))

    await recorder.async_add_executor_job(lose)
    assert len(await recorded(ENERGY)) == 12 - len(lost)
    await advance(HOUR + 60)
    assert await recorded(ENERGY) == complete


@pytest.mark.parametrize(
    "wrong", [{"state": 4.0, "sum": 10.0}, {"state": 5.0, "sum": 11.0}, {"sum": 10.0}]
)
@pytest.mark.usefixtures("importer")
async def test_a_row_that_was_tampered_with_is_put_right(
    wrong: dict[str, float],
    hass: HomeAssistant,
    recorder: Recorder,
    history: SessionHistory,
    advance: Advance,
    recorded: Recorded,
    handed_over: list[str],
) -> None:
    list_sessions(history, session(hours=4, kwh=20))
    await advance(QUIET)
    right = await recorded(ENERGY)
    handed_over.clear()
    known = await recorder.async_add_executor_job(get_metadata, hass)
    row = StatisticData(start=right[1].start, **wrong)  # type: ignore[typeddict-item]
    async_add_external_statistics(hass, known[ENERGY][1], [row])
    assert await recorded(ENERGY) != right
    await advance(HOUR + 60)
    assert await recorded(ENERGY) == right
    assert handed_over == [ENERGY] * 3


@pytest.mark.usefixtures("importer")
async def test_statistics_that_a_user_deleted_come_back(
    recorder: Recorder, history: SessionHistory, advance: Advance, recorded: Recorded
) -> None:
    list_sessions(history, session())
    await advance(QUIET)
    complete = await recorded(ENERGY)
    recorder.async_clear_statistics([ENERGY, ERE])
    assert await recorded(ENERGY) == []
    await advance(HOUR + 60)
    assert await recorded(ENERGY) == complete
    assert sum_of(await recorded(ERE)) == pytest.approx(5)


@pytest.mark.usefixtures("importer")
async def test_a_unit_that_a_user_has_changed_is_put_right(
    hass: HomeAssistant,
    recorder: Recorder,
    history: SessionHistory,
    advance: Advance,
    recorded: Recorded,
    hass_ws_client: WebSocketGenerator,
) -> None:
    list_sessions(history, session())
    await advance(QUIET)
    complete = await recorded(ENERGY)
    client = await hass_ws_client(hass)
    await client.send_json_auto_id(
        {
            "type": "recorder/update_statistics_metadata",
            "statistic_id": ENERGY,
            "unit_of_measurement": "Wh",
            "unit_class": "energy",
        }
    )
    assert (await client.receive_json())["success"]
    assert await unit_of(hass, recorder) == "Wh"
    await advance(HOUR + 60)
    assert await unit_of(hass, recorder) == "kWh"
    assert await recorded(ENERGY) == complete


async def unit_of(hass: HomeAssistant, recorder: Recorder) -> str | None:
    """Return the unit in which the recorder holds the energy."""
    await async_wait_recording_done(hass)
    found = await recorder.async_add_executor_job(get_metadata, hass)
    return found[ENERGY][1]["unit_of_measurement"]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.usefixtures("importer")
async def test_after_any_changes_the_sums_are_those_of_the_history(
    seed: int,
    recorder: Recorder,
    history: SessionHistory,
    advance: Advance,
    recorded: Recorded,
) -> None:
    chance = Random(seed)
    now = NOW

    def change() -> None:
        age = chance.randrange(1, 20)
        hours, kwh = chance.uniform(0, 9), chance.randrange(40)
        list_sessions(history, session(str(age), -10 * age, hours, kwh=kwh))

    def remove() -> None:
        nonlocal now
        listed = queries.listed(history.state)
        read_twice(history, {known.id for known in listed if chance.random() < 0.8}, now)
        now += timedelta(minutes=22)

    def clear() -> None:
        recorder.async_clear_statistics([ENERGY])

    for _ in range(15):
        for step in chance.choices((change, remove, clear), (6, 2, 1), k=3):
            step()
        await advance(HOUR + 60)
        await advance(QUIET)
        kwh = fsum(known.kwh or 0.0 for known in queries.listed(history.state))
        assert sum_of(await recorded(ENERGY)) == pytest.approx(kwh, abs=0.01)


async def test_a_write_that_was_cut_off_is_completed_by_the_next(
    hass: HomeAssistant,
    owner: MockConfigEntry,
    importer: StatisticsImporter,
    history: SessionHistory,
    advance: Advance,
    recorded: Recorded,
) -> None:
    async def unload() -> None:
        await owner._async_process_on_unload(hass)

    def write(hass: HomeAssistant, metadata: Any, rows: Any) -> None:
        async_add_external_statistics(hass, metadata, rows)
        hass.async_create_task(unload())

    list_sessions(history, *(session(str(age), -10 * age, 1) for age in range(1, 11)))
    with (
        patch.object(importer_module, "_BATCH", 4),
        patch.object(importer_module, "async_add_external_statistics", write),
    ):
        await advance(QUIET)
    assert len(await recorded(ENERGY)) == 4
    assert await recorded(ERE) == []

    StatisticsImporter(hass, owner, history).async_start()
    await advance(QUIET)
    assert sum_of(await recorded(ENERGY)) == 40, (
        "the history may be an old one until it has been read"
    )
    finish_reading(history, NOW + timedelta(hours=1))
    await advance(QUIET)
    assert sum_of(await recorded(ENERGY)) == pytest.approx(100)
    assert sum_of(await recorded(ERE)) == pytest.approx(50)


async def test_a_database_that_fails_is_tried_again(
    importer: StatisticsImporter,
    history: SessionHistory,
    advance: Advance,
    recorded: Recorded,
    caplog: pytest.LogCaptureFixture,
) -> None:
    failure = OperationalError("SELECT", {}, Exception("gone away"))
    for kwh in (10.0, 12.0):
        list_sessions(history, session(kwh=kwh))
        with patch.object(importer_module, "statistics_during_period", side_effect=failure):
            await advance(QUIET)
            await advance(HOUR + 60)
        warnings = [each for each in caplog.records if each.levelno >= logging.WARNING]
        assert [each.getMessage()[:32] for each in warnings] == ["The statistics are written later"]
        assert sum_of(await recorded(ENERGY)) != pytest.approx(kwh)
        caplog.clear()
        await advance(HOUR)
        assert sum_of(await recorded(ENERGY)) == pytest.approx(kwh)
