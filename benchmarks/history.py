"""Measures what a long history costs, with a file and an SQLite database such as users have.

    .venv/bin/python -m benchmarks.history

On two shared cores of a Xeon, 400 sessions being two years of three chargers:

    sessions      start    memory        page     rows      write      again       stall
         100     0.00 s    0.4 MB      0.1 ms    1,200      1.0 s     0.03 s      8.3 ms
       1,000     0.02 s    2.8 MB      0.4 ms   12,000      9.2 s     0.11 s     21.2 ms
      10,000     0.18 s   28.8 MB      5.2 ms  120,000     98.6 s     1.09 s    202.2 ms

start, memory: load the history from its file (goal for 10,000: 1 s, 30 MB). page: merge 100 corrected sessions
(goal: 20 ms). rows, write: import everything into an empty recorder, which looks for every row before it inserts
it, in its own thread. again: compare when nothing differs. stall: for how long the event loop was kept from
anything else at most, in both; beyond 10 ms that is Python's garbage collector.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
import gc
from pathlib import Path
import sqlite3
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
import tracemalloc
from typing import override

from homeassistant.core import HomeAssistant
from homeassistant.helpers.recorder import async_initialize_recorder
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_test_home_assistant,
)

from custom_components.joulo.api import AccountProfile, Charger, ChargingSession
from custom_components.joulo.api.documents import MAX_PAGE_SIZE
from custom_components.joulo.const import DOMAIN
from custom_components.joulo.history import SessionHistory
from custom_components.joulo.statistics import StatisticsWriter

SIZES = (100, 1_000, 10_000)
CHARGERS = [Charger(id=f"charger-{number}", mid_certified=True) for number in range(3)]
TERMS = AccountProfile(ere_price_mid=0.495, effective_fee_pct=20)
NEWEST = datetime(2026, 6, 15, 7, 20, tzinfo=UTC)
LENGTH = timedelta(hours=3.5)
DATABASE = "home-assistant_v2.db"
PROBE = 0.001
"""Seconds between two looks at whether the event loop is free."""


@dataclass(slots=True)
class Costs:
    """What a history of so many sessions costs: seconds, and MB that stay taken."""

    sessions: int
    start: float = 0.0
    memory: float = 0.0
    page: float = 0.0
    rows: int = 0
    write: float = 0.0
    again: float = 0.0
    stall: float = 0.0

    @override
    def __str__(self) -> str:
        return (
            f"{self.sessions:8,} {self.start:8.2f} s {self.memory:6.1f} MB {self.page * 1e3:8.1f} ms"
            f" {self.rows:8,} {self.write:8.1f} s {self.again:8.2f} s {self.stall * 1e3:8.1f} ms"
        )


HEADING = "sessions      start    memory        page     rows      write      again       stall"


def past(number: int) -> list[ChargingSession]:
    """Return so many completed sessions, newest first, by turns on every charger."""
    return [
        ChargingSession(
            id=f"5c0d1e2f-0000-4000-8000-{age:012}",
            charger_id=CHARGERS[age % len(CHARGERS)].id,
            charger_nickname="Garage",
            started_at=NEWEST - age * timedelta(hours=11),
            ended_at=NEWEST - age * timedelta(hours=11) + LENGTH,
            kwh=10 + age % 30,
            ere_credits=3 + age % 10,
            id_tag="04A1B2C3D4E580",
        )
        for age in range(number)
    ]


@asynccontextmanager
async def home(folder: str) -> AsyncGenerator[HomeAssistant]:
    """Run a Home Assistant that records into a folder."""
    async with async_test_home_assistant(config_dir=folder) as hass:
        async_initialize_recorder(hass)
        url = f"sqlite:///{Path(folder) / DATABASE}"
        await async_setup_component(hass, "recorder", {"recorder": {"db_url": url}})
        await hass.async_block_till_done()
        yield hass
        await hass.async_stop(force=True)


async def measure(number: int) -> Costs:
    """Return the costs of a history of so many sessions, each watched from start to end."""
    costs = Costs(number)
    with TemporaryDirectory() as folder:
        async with home(folder) as hass:
            entry = MockConfigEntry(domain=DOMAIN)
            entry.add_to_hass(hass)
            await store(hass, entry, past(number))
            history = await measure_start(hass, entry, costs)
            measure_page(history, costs)
            await measure_import(StatisticsWriter(hass, entry, history), costs)
        with sqlite3.connect(Path(folder) / DATABASE) as database:
            (costs.rows,) = database.execute("SELECT count(*) FROM statistics").fetchone()
    return costs


async def store(
    hass: HomeAssistant, entry: MockConfigEntry, sessions: list[ChargingSession]
) -> None:
    """Write the file that an earlier run of Home Assistant would have left."""
    history = SessionHistory(hass, entry.entry_id)
    history.merge(sessions)
    history.appraise(CHARGERS, TERMS)
    history.last_full_read = NEWEST
    for session in sessions:
        start, kwh = session.started_at, session.kwh or 0.0
        history.readings[session.id] = tuple(
            (start + share * LENGTH, share * kwh) for share in (0.25, 0.5, 0.75)
        )
        history.told[session.id] = ("session_started", "session_completed")
    await history.async_close()


async def measure_start(
    hass: HomeAssistant, entry: MockConfigEntry, costs: Costs
) -> SessionHistory:
    """Load the file twice: by the clock, and by the memory that it takes."""
    gc.collect()
    begun = perf_counter()
    await SessionHistory(hass, entry.entry_id).async_load()
    costs.start = perf_counter() - begun

    gc.collect()
    tracemalloc.start()
    history = SessionHistory(hass, entry.entry_id)
    await history.async_load()
    gc.collect()
    costs.memory = tracemalloc.get_traced_memory()[0] / 1e6
    tracemalloc.stop()
    return history


def measure_page(history: SessionHistory, costs: Costs) -> None:
    """Merge corrections, a page at a time, and look up what the coordinators then show."""

    def show() -> None:
        for charger in CHARGERS:
            history.newest(charger.id)
            history.last_completed(charger.id)

    history.async_listen(show)
    newest = list(history.sessions.values())[:MAX_PAGE_SIZE]
    times = []
    for correction in range(1, 21):
        page = [replace(session, kwh=correction) for session in newest]
        begun = perf_counter()
        history.merge(page)
        times.append(perf_counter() - begun)
    costs.page = median(times)


async def measure_import(writer: StatisticsWriter, costs: Costs) -> None:
    """Write the whole history into an empty recorder, and once more when nothing differs."""
    watch = asyncio.create_task(watch_loop(costs))
    begun = perf_counter()
    await writer.async_write()
    costs.write = perf_counter() - begun
    begun = perf_counter()
    await writer.async_write()
    costs.again = perf_counter() - begun
    watch.cancel()


async def watch_loop(costs: Costs) -> None:
    """Note for how long the event loop was kept from anything else at most."""
    while True:
        begun = perf_counter()
        await asyncio.sleep(PROBE)
        costs.stall = max(costs.stall, perf_counter() - begun - PROBE)


def main() -> None:
    """Print the table."""
    print(HEADING)
    for number in SIZES:
        print(asyncio.run(measure(number)), flush=True)


if __name__ == "__main__":
    main()
