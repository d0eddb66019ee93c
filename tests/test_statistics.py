"""The recorder's long-term statistics always follow from the history, whatever happened before."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
import logging
from math import fsum
from random import Random
from typing import Any, NamedTuple
from unittest.mock import patch

from homeassistant.components.recorder.core import Recorder
from homeassistant.components.recorder.db_schema import Statistics
from homeassistant.components.recorder.models import StatisticData
from homeassistant.components.recorder.statistics import (
    async_add_external_statistics,
    get_metadata,
    statistics_during_period,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.recorder import session_scope
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)
from pytest_homeassistant_custom_component.typing import WebSocketGenerator
from sqlalchemy import delete
from sqlalchemy.exc import OperationalError

from custom_components.joulo import statistics
from custom_components.joulo.api import AccountProfile, Charger, ChargingSession, CurrentSession
from custom_components.joulo.const import DOMAIN
from custom_components.joulo.history import SessionHistory
from custom_components.joulo.statistics import StatisticsWriter, statistic_id
from tests.conftest import NOW, Advance
from tests.simulator import GARAGE_ID, OPRIT_ID, SCHUUR_ID, SimulatedAccount

CHARGER = "A1-b2"
"""Such an id has to be rewritten before the recorder takes it."""
ENERGY, ERE, VALUE = (f"joulo:a1_b2_{key}" for key in ("energy", "ere", "value"))
TERMS = AccountProfile(ere_price_mid=0.5, effective_fee_pct=20)
QUIET = 31
"""Seconds after which news has been written."""
HOUR = 3600


class Row(NamedTuple):
    """An hour in the recorder."""

    start: datetime
    state: float | None
    sum: float | None


type Recorded = Callable[[str], Awaitable[list[Row]]]


def at(hours: float) -> datetime:
    """Return the moment so many hours after the beginning of the test, which is a full hour."""
    return NOW + timedelta(hours=hours)


def session(
    session_id: str = "s", start: float = -5, hours: float = 2, *, kwh: float | None = 10
) -> ChargingSession:
    """Return a completed session that began `start` hours from now."""
    return ChargingSession(
        id=session_id,
        charger_id=CHARGER,
        charger_nickname="Garage",
        started_at=at(start),
        ended_at=at(start + hours),
        kwh=kwh,
        ere_credits=None if kwh is None else kwh / 2,
    )


def charger(kwh: float | None = None, *, start: float = -5, charging: bool = True) -> Charger:
    """Return the charger, with a running session unless told otherwise."""
    current = CurrentSession(id="running", started_at=at(start), kwh_so_far=kwh)
    return Charger(
        id=CHARGER,
        nickname="Garage",
        mid_certified=True,
        is_charging=charging,
        current_session=current if charging else None,
    )


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Keep the database from writing every statement to the log."""
    caplog.set_level(logging.WARNING, "sqlalchemy.engine")
    caplog.set_level(logging.WARNING, "homeassistant.components.recorder")


@pytest.fixture
def recorder(_now: None, quiet: None, recorder_mock: Recorder) -> Recorder:
    """Return a recorder that has begun at the moment at which the test does."""
    return recorder_mock


@pytest.fixture
def history(hass: HomeAssistant) -> SessionHistory:
    """Return an empty history of which nothing is left to be read."""
    history = SessionHistory(hass, "entry")
    history.last_full_read = NOW
    return history


@pytest.fixture
def owner(hass: HomeAssistant) -> MockConfigEntry:
    """Return the entry that the history belongs to."""
    entry = MockConfigEntry(domain=DOMAIN, entry_id="entry")
    entry.add_to_hass(hass)
    return entry


@pytest.fixture
async def writer(
    hass: HomeAssistant, owner: MockConfigEntry, history: SessionHistory
) -> AsyncGenerator[StatisticsWriter]:
    """Return a writer that has been started."""
    writer = StatisticsWriter(hass, owner, history)
    writer.async_start()
    yield writer
    await owner._async_process_on_unload(hass)


@pytest.fixture
def handed_over() -> Generator[list[str]]:
    """Return the statistic id of every row that the recorder has been given, as it grows."""
    ids: list[str] = []

    def count(hass: HomeAssistant, metadata: Any, rows: Any) -> None:
        ids.extend([metadata["statistic_id"]] * len(rows))
        async_add_external_statistics(hass, metadata, rows)

    with patch.object(statistics, "async_add_external_statistics", count):
        yield ids


@pytest.fixture
def recorded(hass: HomeAssistant, recorder: Recorder) -> Recorded:
    """Return a function that tells what the recorder holds of a statistic."""

    async def recorded(statistic_id: str) -> list[Row]:
        await async_wait_recording_done(hass)
        found = await recorder.async_add_executor_job(
            statistics_during_period,
            hass,
            datetime(2000, 1, 1, tzinfo=UTC),
            None,
            {statistic_id},
            "hour",
            None,
            {"state", "sum"},
        )
        return [
            Row(datetime.fromtimestamp(row["start"], UTC), row["state"], row["sum"])
            for row in found.get(statistic_id, ())
        ]

    return recorded


async def name_of(hass: HomeAssistant, recorder: Recorder, statistic_id: str) -> str | None:
    await async_wait_recording_done(hass)
    found = await recorder.async_add_executor_job(get_metadata, hass)
    return found[statistic_id][1]["name"]


def sum_of(rows: list[Row]) -> float:
    """Return the last sum, after checking that every row adds its state to the one before it."""
    total = 0.0
    for row in rows:
        assert row.state is not None
        total += row.state
        assert row.sum == pytest.approx(total)
    return total


# What is right


@pytest.mark.usefixtures("writer")
async def test_a_session_is_spread_over_its_hours(
    history: SessionHistory, advance: Advance, recorded: Recorded
) -> None:
    history.merge([session(start=-4.5)])
    history.appraise([charger(charging=False)], TERMS)
    await advance(QUIET)
    hours = [at(-5), at(-4), at(-3)]
    for statistic, states in (
        (ENERGY, (2.5, 5, 2.5)),
        (ERE, (1.25, 2.5, 1.25)),
        (VALUE, (0.5, 1, 0.5)),
    ):
        rows = await recorded(statistic)
        assert [row.start for row in rows] == hours
        assert [row.state for row in rows] == pytest.approx(states)
        assert sum_of(rows) == pytest.approx(sum(states))


@pytest.mark.usefixtures("writer")
async def test_readings_shape_the_hours(
    history: SessionHistory, advance: Advance, recorded: Recorded
) -> None:
    history.observe(charger(9), at(-4))
    history.observe(charger(10, charging=False), at(-3))
    history.merge([session("running")])
    await advance(QUIET)
    assert [row.state for row in await recorded(ENERGY)] == pytest.approx([9, 1])
    assert [row.state for row in await recorded(ERE)] == pytest.approx([4.5, 0.5])


@pytest.mark.usefixtures("writer")
async def test_idle_hours_have_no_rows(
    history: SessionHistory, advance: Advance, recorded: Recorded
) -> None:
    history.merge([session("a", -9, 1), session("b", -2, 1)])
    await advance(QUIET)
    assert await recorded(ENERGY) == [Row(at(-9), 10, 10), Row(at(-2), 10, 20)]


@pytest.mark.usefixtures("writer")
async def test_a_figure_that_is_unknown_has_no_rows(
    history: SessionHistory, advance: Advance, recorded: Recorded
) -> None:
    history.merge([session(kwh=None)])
    await advance(QUIET)
    assert await recorded(ENERGY) == await recorded(ERE) == await recorded(VALUE) == []


@pytest.mark.usefixtures("writer")
async def test_a_running_session_is_written_up_to_the_last_full_hour(
    history: SessionHistory, advance: Advance, recorded: Recorded
) -> None:
    history.observe(charger(6, start=-0.5), at(0.1))
    await advance(QUIET)
    assert [row.start for row in await recorded(ENERGY)] == [at(-1)]
    assert sum_of(await recorded(ENERGY)) == pytest.approx(5)

    history.observe(charger(18, start=-0.5), at(1))
    await advance(HOUR + 60)
    assert [row.start for row in await recorded(ENERGY)] == [at(-1), at(0)]
    assert sum_of(await recorded(ENERGY)) == pytest.approx(18)
    assert sum_of(await recorded(ERE)) == pytest.approx(18 * 0.505 * 0.6588)
    assert await recorded(VALUE) == []


@pytest.mark.usefixtures("writer")
async def test_an_answer_without_energy_takes_nothing_back(
    history: SessionHistory, advance: Advance, recorded: Recorded
) -> None:
    history.observe(charger(8), at(-1))
    history.observe(charger(None), at(-0.5))
    await advance(QUIET)
    assert sum_of(await recorded(ENERGY)) == pytest.approx(8)
    assert sum_of(await recorded(ERE)) == pytest.approx(8 * 0.505 * 0.6588)


@pytest.mark.usefixtures("writer")
async def test_an_end_that_is_not_confirmed_is_written_as_far_as_known(
    history: SessionHistory, advance: Advance, recorded: Recorded
) -> None:
    history.observe(charger(9.5, start=-1), at(-0.25))
    history.observe(charger(charging=False), at(0.01))
    await advance(QUIET)
    assert sum_of(await recorded(ENERGY)) == pytest.approx(9.5)

    history.merge([session("running", -1, 1, kwh=9.75)])
    await advance(QUIET)
    assert sum_of(await recorded(ENERGY)) == pytest.approx(9.75)


@pytest.mark.parametrize(
    ("start", "hours"),
    [pytest.param(-4, 4, id="it may still run"), pytest.param(-60, 24, id="it was forgotten")],
)
@pytest.mark.usefixtures("writer")
async def test_an_open_session_that_no_charger_shows_is_written_all_the_same(
    start: float, hours: int, history: SessionHistory, advance: Advance, recorded: Recorded
) -> None:
    history.merge([replace(session(start=start), ended_at=None)])
    await advance(QUIET)
    rows = await recorded(ENERGY)
    assert [row.start for row in rows] == [at(start + hour) for hour in range(hours)]
    assert sum_of(rows) == pytest.approx(10, rel=0.01)


# Whatever happened before


@pytest.mark.usefixtures("writer")
async def test_writing_twice_writes_once(
    history: SessionHistory, advance: Advance, handed_over: list[str]
) -> None:
    history.merge([session("a", -9), session("b", -5)])
    await advance(QUIET)
    assert handed_over == [ENERGY] * 4 + [ERE] * 4
    handed_over.clear()
    await advance(HOUR)
    await advance(HOUR)
    assert handed_over == []


@pytest.mark.usefixtures("writer")
async def test_news_in_quick_succession_is_written_together(
    history: SessionHistory, advance: Advance, handed_over: list[str]
) -> None:
    for age in range(1, 10):
        history.merge([session(str(age), -10 * age, 1)])
        await advance(6)
        assert handed_over == []
    await advance(QUIET)
    assert handed_over.count(ENERGY) == 9


@pytest.mark.usefixtures("writer")
async def test_a_correction_rewrites_from_there_on(
    history: SessionHistory, advance: Advance, recorded: Recorded, handed_over: list[str]
) -> None:
    sessions = [session(str(age), -10 * age, 1) for age in range(1, 11)]
    history.merge(sessions)
    await advance(QUIET)
    handed_over.clear()
    history.merge([replace(sessions[3], kwh=4)])
    await advance(QUIET)
    assert handed_over == [ENERGY] * 4, "the corrected one and the three after it; its ERE stays"
    assert sum_of(await recorded(ENERGY)) == pytest.approx(94)


@pytest.mark.usefixtures("writer")
async def test_an_hour_that_lost_its_energy_carries_the_sum(
    history: SessionHistory, advance: Advance, recorded: Recorded
) -> None:
    kept = [session("first", -20, 1), session("last", -3, 1)]
    history.merge([*kept, session("gone", -10, 1)])
    await advance(QUIET)
    for minutes in (0, 11):
        now = NOW + timedelta(minutes=minutes)
        history.settle({"first", "last"}, None, now, now, listed={CHARGER})
    await advance(QUIET)
    assert await recorded(ENERGY) == [
        Row(at(-20), 10, 10),
        Row(at(-10), 0, 10),
        Row(at(-3), 10, 20),
    ]


@pytest.mark.usefixtures("writer")
async def test_a_charger_that_lost_its_only_session_holds_nothing(
    hass: HomeAssistant,
    owner: MockConfigEntry,
    history: SessionHistory,
    advance: Advance,
    recorded: Recorded,
) -> None:
    dr.async_get(hass).async_get_or_create(
        config_entry_id=owner.entry_id, identifiers={(DOMAIN, CHARGER)}
    )
    history.merge([session("gone", -3, 1)])
    await advance(QUIET)
    for minutes in (0, 11):
        now = NOW + timedelta(minutes=minutes)
        history.settle({"of another charger"}, None, now, now, listed={CHARGER})
    await advance(QUIET)
    assert await recorded(ENERGY) == [Row(at(-3), 0, 0)]


@pytest.mark.parametrize("lost", [range(12), range(6, 12), range(0, 12, 2), range(5, 6)])
@pytest.mark.usefixtures("writer")
async def test_rows_that_are_missing_come_back(
    lost: range,
    hass: HomeAssistant,
    recorder: Recorder,
    history: SessionHistory,
    advance: Advance,
    recorded: Recorded,
) -> None:
    history.merge([session(str(age), -10 * age, 3) for age in range(1, 5)])
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
@pytest.mark.usefixtures("writer")
async def test_a_row_that_was_tampered_with_is_put_right(
    wrong: dict[str, float],
    hass: HomeAssistant,
    recorder: Recorder,
    history: SessionHistory,
    advance: Advance,
    recorded: Recorded,
    handed_over: list[str],
) -> None:
    history.merge([session(hours=4, kwh=20)])
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


@pytest.mark.usefixtures("writer")
async def test_statistics_that_a_user_deleted_come_back(
    recorder: Recorder, history: SessionHistory, advance: Advance, recorded: Recorded
) -> None:
    history.merge([session()])
    await advance(QUIET)
    complete = await recorded(ENERGY)
    recorder.async_clear_statistics([ENERGY, ERE])
    assert await recorded(ENERGY) == []
    await advance(HOUR + 60)
    assert await recorded(ENERGY) == complete
    assert sum_of(await recorded(ERE)) == pytest.approx(5)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.usefixtures("writer")
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
        history.merge(
            [session(str(age), -10 * age, chance.uniform(0, 9), kwh=chance.randrange(40))]
        )

    def remove() -> None:
        nonlocal now
        kept = {known for known in history.sessions if chance.random() < 0.8}
        for _ in range(2):
            now += timedelta(minutes=11)
            history.settle(kept, None, now, now, listed={CHARGER})

    def clear() -> None:
        recorder.async_clear_statistics([ENERGY])

    for _ in range(15):
        for step in chance.choices((change, remove, clear), (6, 2, 1), k=3):
            step()
        await advance(HOUR + 60)
        await advance(QUIET)
        known = fsum(known.kwh or 0.0 for known in history.sessions.values())
        assert sum_of(await recorded(ENERGY)) == pytest.approx(known, abs=0.01)


async def test_a_write_that_was_cut_off_is_completed_by_the_next(
    hass: HomeAssistant,
    owner: MockConfigEntry,
    writer: StatisticsWriter,
    history: SessionHistory,
    advance: Advance,
    recorded: Recorded,
) -> None:
    async def unload() -> None:
        await owner._async_process_on_unload(hass)

    def write(hass: HomeAssistant, metadata: Any, rows: Any) -> None:
        async_add_external_statistics(hass, metadata, rows)
        hass.async_create_task(unload())

    history.merge([session(str(age), -10 * age, 1) for age in range(1, 11)])
    with (
        patch.object(statistics, "_BATCH", 4),
        patch.object(statistics, "async_add_external_statistics", write),
    ):
        await advance(QUIET)
    assert len(await recorded(ENERGY)) == 4
    assert await recorded(ERE) == []

    StatisticsWriter(hass, owner, history).async_start()
    await advance(QUIET)
    assert sum_of(await recorded(ENERGY)) == pytest.approx(100)
    assert sum_of(await recorded(ERE)) == pytest.approx(50)


async def test_a_database_that_fails_is_tried_again(
    writer: StatisticsWriter,
    history: SessionHistory,
    advance: Advance,
    recorded: Recorded,
    caplog: pytest.LogCaptureFixture,
) -> None:
    history.merge([session()])
    failure = OperationalError("SELECT", {}, Exception("gone away"))
    with patch.object(statistics, "statistics_during_period", side_effect=failure):
        await advance(QUIET)
    assert "The statistics are written later" in caplog.text
    assert await recorded(ENERGY) == []
    await advance(HOUR + 60)
    assert sum_of(await recorded(ENERGY)) == pytest.approx(10)


@pytest.mark.usefixtures("writer")
async def test_there_is_one_write_at_a_time(hass: HomeAssistant) -> None:
    let_go = asyncio.Event()
    begun = 0

    async def write(_: StatisticsWriter) -> None:
        nonlocal begun
        begun += 1
        await let_go.wait()

    with patch.object(StatisticsWriter, "async_write", write):
        async_fire_time_changed(hass, at(0.01))
        async_fire_time_changed(hass, at(1.1))
        assert begun == 1
        let_go.set()
        await hass.async_block_till_done(wait_background_tasks=True)
        async_fire_time_changed(hass, at(1.2))
        assert begun == 2


async def test_after_unloading_nothing_is_written(
    hass: HomeAssistant,
    owner: MockConfigEntry,
    writer: StatisticsWriter,
    history: SessionHistory,
    advance: Advance,
    recorded: Recorded,
) -> None:
    history.merge([session()])
    await owner._async_process_on_unload(hass)
    history.merge([session("later")])
    await advance(HOUR + 60)
    assert await recorded(ENERGY) == []


# As a user sees it


async def test_a_charger_that_is_renamed_renames_its_statistics(
    hass: HomeAssistant,
    recorder: Recorder,
    owner: MockConfigEntry,
    writer: StatisticsWriter,
    history: SessionHistory,
    advance: Advance,
    handed_over: list[str],
) -> None:
    history.merge([session()])
    await advance(QUIET)
    assert await name_of(hass, recorder, ENERGY) == "Garage charged energy"
    assert await name_of(hass, recorder, ERE) == "Garage ERE credits"
    handed_over.clear()

    devices = dr.async_get(hass)
    device = devices.async_get_or_create(
        config_entry_id=owner.entry_id, identifiers={(DOMAIN, CHARGER)}, name="Carport"
    )
    await advance(HOUR + 60)
    assert await name_of(hass, recorder, ENERGY) == "Carport charged energy"

    devices.async_update_device(device.id, name_by_user="Fast one")
    await advance(HOUR)
    assert await name_of(hass, recorder, ENERGY) == "Fast one charged energy"

    devices.async_remove_device(device.id)
    await advance(HOUR)
    assert await name_of(hass, recorder, ENERGY) == "Garage charged energy"
    assert handed_over == []


async def test_every_session_of_the_account_is_in_the_statistics(
    joulo: MockConfigEntry, account: SimulatedAccount, advance: Advance, recorded: Recorded
) -> None:
    for _ in range(12):
        await advance(6)
    await advance(QUIET)
    values = joulo.runtime_data.chargers.history.values
    for charger_id in (GARAGE_ID, OPRIT_ID, SCHUUR_ID):
        energy = sum_of(await recorded(statistic_id(charger_id, "energy")))
        ere = sum_of(await recorded(statistic_id(charger_id, "ere")))
        value = sum_of(await recorded(statistic_id(charger_id, "value")))
        assert energy == pytest.approx(account.energy_total(charger_id), abs=0.01)
        assert ere == pytest.approx(account.ere_total(charger_id), abs=0.01)
        worth = fsum(values[completed.id] for completed in account.completed(charger_id))
        assert value == pytest.approx(worth, abs=0.01)
    assert value == 0, "the last one is not MID-certified"


async def test_the_statistics_outlive_charger_and_entry(
    hass: HomeAssistant,
    recorder: Recorder,
    joulo: MockConfigEntry,
    account: SimulatedAccount,
    advance: Advance,
    recorded: Recorded,
) -> None:
    for _ in range(12):
        await advance(6)
    await advance(QUIET)
    statistic = statistic_id(GARAGE_ID, "energy")
    complete = await recorded(statistic)
    account.remove_charger(GARAGE_ID)
    for _ in range(3):
        await advance(61)
    await advance(HOUR)
    await advance(HOUR)
    assert await recorded(statistic) == complete
    assert await name_of(hass, recorder, statistic) == "Garage charged energy"

    await hass.config_entries.async_remove(joulo.entry_id)
    await advance(HOUR)
    assert await recorded(statistic) == complete


@pytest.fixture
async def other_writer(
    hass: HomeAssistant, owner: MockConfigEntry, writer: StatisticsWriter
) -> AsyncGenerator[StatisticsWriter]:
    """Return the writer of a second account, of which nothing is left to be read either."""
    entry = MockConfigEntry(domain=DOMAIN, entry_id="other")
    entry.add_to_hass(hass)
    other = StatisticsWriter(hass, entry, SessionHistory(hass, "other"))
    other.history.last_full_read = NOW
    other.async_start()
    yield other
    await entry._async_process_on_unload(hass)


def listed_by(hass: HomeAssistant, writer: StatisticsWriter) -> dr.DeviceEntry:
    """Let a writer's account list the charger."""
    return dr.async_get(hass).async_get_or_create(
        config_entry_id=writer.entry.entry_id, identifiers={(DOMAIN, CHARGER)}
    )


@pytest.mark.parametrize("with_its_past", [True, False])
async def test_a_charger_that_moves_to_another_account_keeps_its_past(
    hass: HomeAssistant,
    writer: StatisticsWriter,
    other_writer: StatisticsWriter,
    advance: Advance,
    recorded: Recorded,
    *,
    with_its_past: bool,
) -> None:
    device = listed_by(hass, writer)
    writer.history.merge([session()])
    await advance(QUIET)
    listed_by(hass, other_writer)
    dr.async_get(hass).async_remove_device(device.id)
    other_writer.history.merge([session(), session("new", -2, 1)][not with_its_past :])
    await advance(QUIET)
    assert sum_of(await recorded(ENERGY)) == pytest.approx(20)
    assert sum_of(await recorded(ERE)) == pytest.approx(10)


@pytest.mark.parametrize("listing", ["both", "none"])
async def test_a_charger_that_two_accounts_know_is_written_by_one(
    hass: HomeAssistant,
    writer: StatisticsWriter,
    other_writer: StatisticsWriter,
    advance: Advance,
    recorded: Recorded,
    handed_over: list[str],
    listing: str,
) -> None:
    for each in (writer, other_writer):
        if listing == "both":
            listed_by(hass, each)
        # Both have been told of it, of its value at another time.
        each.history.merge([session()])
        each.history.values["s"] = 1.0 if each is writer else 2.0
    await advance(QUIET)
    assert sum_of(await recorded(VALUE)) == pytest.approx(1)
    handed_over.clear()
    for _ in range(5):
        await advance(HOUR)
    assert handed_over == []


async def test_nothing_is_taken_from_the_past_while_it_is_being_read(
    writer: StatisticsWriter, history: SessionHistory, advance: Advance, recorded: Recorded
) -> None:
    history.merge([session()])
    await advance(QUIET)
    history.last_full_read = None
    history.sessions.clear()
    history.merge([session("new", -2, 1)])
    await advance(QUIET)
    assert sum_of(await recorded(ENERGY)) == pytest.approx(10)
    history.merge([session()])
    history.conclude(NOW, full=True)
    await advance(QUIET)
    assert sum_of(await recorded(ENERGY)) == pytest.approx(20)


@pytest.mark.usefixtures("writer")
async def test_the_energy_dashboard_has_nothing_to_say_about_it(
    hass: HomeAssistant,
    history: SessionHistory,
    advance: Advance,
    hass_ws_client: WebSocketGenerator,
) -> None:
    history.merge([session()])
    await advance(QUIET)
    await async_wait_recording_done(hass)
    assert await async_setup_component(hass, "energy", {})
    client = await hass_ws_client(hass)
    await client.send_json_auto_id(
        {"type": "energy/save_prefs", "device_consumption": [{"stat_consumption": ENERGY}]}
    )
    assert (await client.receive_json())["success"]
    await client.send_json_auto_id({"type": "energy/validate"})
    issues = (await client.receive_json())["result"]
    assert issues["device_consumption"] == [[]]
