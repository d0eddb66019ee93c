"""When the statistics are written, and how often: the recorder is given only what it lacks."""

import asyncio
from unittest.mock import patch

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.joulo.api import RateLimiter
from custom_components.joulo.history import SessionHistory
from custom_components.joulo.sessions import transitions
from custom_components.joulo.statistics.importer import StatisticsImporter
from tests.conftest import Advance
from tests.statistics import (
    ENERGY,
    ERE,
    HOUR,
    QUIET,
    VALUE,
    Recorded,
    at,
    charger,
    finish_reading,
    list_sessions,
    session,
    set_price,
    sum_of,
)


@pytest.mark.usefixtures("importer")
async def test_a_session_is_spread_over_its_hours(
    history: SessionHistory, advance: Advance, recorded: Recorded
) -> None:
    list_sessions(history, session(start=-4.5))
    set_price(history)
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


@pytest.mark.usefixtures("importer")
async def test_an_active_session_is_written_up_to_the_last_full_hour(
    history: SessionHistory, advance: Advance, recorded: Recorded
) -> None:
    history.async_update(transitions.apply_report, [charger(6, start=-0.5)], at(0.1))
    await advance(QUIET)
    assert [row.start for row in await recorded(ENERGY)] == [at(-1)]
    assert sum_of(await recorded(ENERGY)) == pytest.approx(5)

    history.async_update(transitions.apply_report, [charger(18, start=-0.5)], at(1))
    await advance(HOUR + 60)
    assert [row.start for row in await recorded(ENERGY)] == [at(-1), at(0)]
    assert sum_of(await recorded(ENERGY)) == pytest.approx(18)
    assert sum_of(await recorded(ERE)) == pytest.approx(18 * 0.505 * 0.6588)
    assert await recorded(VALUE) == []


# When it is written


@pytest.mark.usefixtures("importer")
async def test_writing_twice_writes_once(
    history: SessionHistory, advance: Advance, handed_over: list[str]
) -> None:
    list_sessions(history, session("a", -9), session("b", -5))
    await advance(QUIET)
    assert handed_over == [ENERGY] * 4 + [ERE] * 4
    handed_over.clear()
    await advance(HOUR)
    await advance(HOUR)
    assert handed_over == []


@pytest.mark.usefixtures("importer")
async def test_news_in_quick_succession_is_written_together(
    history: SessionHistory, advance: Advance, handed_over: list[str]
) -> None:
    for age in range(1, 10):
        list_sessions(history, session(str(age), -10 * age, 1))
        await advance(6)
        assert handed_over == []
    await advance(QUIET)
    assert handed_over.count(ENERGY) == 9


@pytest.mark.usefixtures("importer")
async def test_there_is_one_write_at_a_time(hass: HomeAssistant) -> None:
    let_go = asyncio.Event()
    begun = 0

    async def write(_: StatisticsImporter) -> None:
        nonlocal begun
        begun += 1
        await let_go.wait()

    with patch.object(StatisticsImporter, "async_write", write):
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
    importer: StatisticsImporter,
    history: SessionHistory,
    advance: Advance,
    recorded: Recorded,
) -> None:
    list_sessions(history, session())
    await owner._async_process_on_unload(hass)
    list_sessions(history, session("later"))
    await advance(HOUR + 60)
    assert await recorded(ENERGY) == []


async def test_nothing_is_taken_from_the_past_while_it_is_being_read(
    hass: HomeAssistant,
    owner: MockConfigEntry,
    importer: StatisticsImporter,
    history: SessionHistory,
    advance: Advance,
    recorded: Recorded,
) -> None:
    list_sessions(history, session())
    await advance(QUIET)
    # The account is removed and set up again: its history begins empty.
    await owner._async_process_on_unload(hass)
    anew = SessionHistory(hass, "entry", RateLimiter())
    StatisticsImporter(hass, owner, anew).async_start()
    list_sessions(anew, session("new", -2, 1))
    await advance(QUIET)
    await advance(HOUR)
    assert sum_of(await recorded(ENERGY)) == pytest.approx(10)
    list_sessions(anew, session())
    finish_reading(anew)
    await advance(QUIET)
    assert sum_of(await recorded(ENERGY)) == pytest.approx(20)
    await owner._async_process_on_unload(hass)


@pytest.mark.usefixtures("importer")
async def test_a_growing_energy_is_written_at_the_full_hour_only(
    history: SessionHistory, advance: Advance, handed_over: list[str]
) -> None:
    for kwh in (6, 7):
        handed_over.clear()
        shown = charger(kwh, start=-0.5)
        history.async_update(transitions.apply_report, [shown], at(kwh / 600))
        await advance(QUIET)
    assert handed_over == []
    await advance(HOUR)
    assert ENERGY in handed_over
