"""Measures what a long history costs, with a file and an SQLite database such as users have.

    .venv/bin/python -m benchmarks.history

On two cores of a Xeon:

    sessions      start    memory        page     rows      write      again    pricing
      10,000     0.28 s   17.3 MB     26.5 ms  137,520     50.3 s     0.67 s     2.23 s

    sessions during                  p50      max
      10,000 pricing, all            1.7     39.5
      10,000 start                   1.9     47.3
      10,000 first load              1.0     44.0
      10,000 cars, all               5.3     13.7
      10,000 cars, changed           5.3     15.0
      10,000 poll                    1.6     20.1
      10,000 save                    4.0     33.2
      10,000 get_sessions, all       5.2      8.5
      10,000 calendar, all           5.3      9.0
      10,000 unload                  3.6      7.9
      10,000 statistics, all         0.3     31.4
      10,000 statistics, again       5.3     24.3

The account has five vehicles, whose cars tell of all sessions, and a price sensor, of which the recorder holds two years by the hour (17,520 of the rows).
400 sessions are two years of three chargers. start, memory: load the history from its file (goal for 10,000:
1 s, 30 MB). page: take over 100 corrected sessions and look up what the coordinators then show (goal: 20 ms).
rows, write: import everything into an empty recorder, in its own thread. again: compare when nothing differs. pricing: set
up with a price that is new, until every session has its prices (goal: 60 s).

The second table tells for how long the event loop was kept from anything else, in ms: a ticker wakes every
10 ms, and its delays are listed as median and maximum (goal: 50 ms at most). Home Assistant's own objects are kept
from Python's garbage collector meanwhile: whenever it visits all of them, that alone takes 200 ms.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
import gc
from itertools import cycle
from pathlib import Path
import sqlite3
from statistics import median
import sys
from tempfile import TemporaryDirectory
from time import perf_counter
import tracemalloc
from unittest.mock import AsyncMock, patch

from aiohttp import web
from homeassistant.components.calendar.const import DATA_COMPONENT as CALENDARS
from homeassistant.components.recorder.models import StatisticData
from homeassistant.components.recorder.statistics import async_import_statistics
from homeassistant.config_entries import ConfigSubentryData
from homeassistant.const import CONF_TOKEN, CONF_URL
from homeassistant.core import HomeAssistant
from homeassistant.helpers import frame
from homeassistant.helpers.recorder import async_initialize_recorder, get_instance
from homeassistant.loader import DATA_CUSTOM_COMPONENTS
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_test_home_assistant

from custom_components.joulo.api import (
    AccountProfile,
    Charger,
    ChargingSession,
    CurrentSession,
    RateLimiter,
)
from custom_components.joulo.api.documents import MAX_PAGE_SIZE
from custom_components.joulo.const import DOMAIN
from custom_components.joulo.der_connect.models import CarSession
from custom_components.joulo.history import SessionHistory
from custom_components.joulo.sessions import queries, transitions
from custom_components.joulo.sessions.cars import CarSessions
from custom_components.joulo.sessions.model import (
    Change,
    HistoryState,
    SessionEventType,
    SessionRecord,
)
from custom_components.joulo.statistics.importer import StatisticsImporter
from tests.prices import price_metadata

SIZES = (100, 1_000, 10_000)
CHARGERS = [Charger(id=f"charger-{number}", mid_certified=True) for number in range(3)]
TERMS = AccountProfile(ere_price_mid=0.495, effective_fee_pct=20)
NEWEST = datetime(2026, 6, 15, 7, 20, tzinfo=UTC)
LENGTH = timedelta(hours=3.5)
RESOLVER = "homeassistant.helpers.aiohttp_client._async_make_resolver"
DATABASE = "home-assistant_v2.db"
TAGS = ("04A1B2C3D4E580", "04A1B2C3D4E581", None)
VEHICLES: tuple[dict[str, list[str]], ...] = (
    {"tags": [TAGS[0]], "chargers": []},
    {"tags": [TAGS[1]], "chargers": []},
    {"tags": [], "chargers": [CHARGERS[0].id]},
    {"tags": [], "chargers": []},
    {"tags": [], "chargers": []},
)
PRICE = "sensor.electricity_price"
PRICED = timedelta(days=730)
TICK = 0.01
"""Seconds between two looks at whether the event loop is free."""


@dataclass(slots=True)
class Costs:
    """Costs of a history of so many sessions: seconds, and MB that stay taken."""

    sessions: int
    start: float = 0.0
    memory: float = 0.0
    page: float = 0.0
    rows: int = 0
    write: float = 0.0
    again: float = 0.0
    pricing: float = 0.0

    def line(self) -> str:
        """Return the costs as a line of the first table."""
        return (
            f"{self.sessions:8,} {self.start:8.2f} s {self.memory:6.1f} MB {self.page * 1e3:8.1f} ms"
            f" {self.rows:8,} {self.write:8.1f} s {self.again:8.2f} s {self.pricing:8.2f} s"
        )


class Blocks:
    """Delays of a ticker on the event loop, by the work that went on meanwhile."""

    def __init__(self) -> None:
        """Begin without measurements."""
        self.delays: dict[str, list[float]] = {}

    @asynccontextmanager
    async def during(self, work: str) -> AsyncGenerator[None]:
        """Let the ticker run while the work goes on."""
        delays = self.delays.setdefault(work, [])

        async def tick() -> None:
            while True:
                begun = perf_counter()
                await asyncio.sleep(TICK)
                delays.append(perf_counter() - begun - TICK)

        ticker = asyncio.create_task(tick())
        await asyncio.sleep(2 * TICK)
        yield
        await asyncio.sleep(2 * TICK)
        ticker.cancel()

    def lines(self, sessions: int) -> list[str]:
        """Return the delays as lines of the second table."""
        return [
            f"{sessions:8,} {work:18} {median(delays) * 1e3:8.1f} {max(delays) * 1e3:8.1f}"
            for work, delays in self.delays.items()
        ]


HEADING = "sessions      start    memory        page     rows      write      again    pricing"
BLOCKS_HEADING = "sessions during                  p50      max"


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
            id_tag=TAGS[age % len(TAGS)],
        )
        for age in range(number)
    ]


def known(number: int) -> HistoryState:
    """Return a history of so many sessions, each watched from start to end, valued and announced."""
    state = HistoryState(announce_since=NEWEST - timedelta(days=3650))
    state, _ = transitions.apply_report(state, CHARGERS, NEWEST)
    state, _ = transitions.assign_values(state, TERMS)
    state, _ = transitions.upsert_listed(state, past(number))
    state, _ = transitions.finish_read(state, NEWEST, full=True)
    state, _ = transitions.mark_announced(
        state, [(session.id, kind) for session in past(number) for kind in SessionEventType]
    )
    chargers = {
        charger_id: replace(
            charger, records={key: watched(record) for key, record in charger.records.items()}
        )
        for charger_id, charger in state.chargers.items()
    }
    return replace(state, chargers=chargers)


def watched(record: SessionRecord) -> SessionRecord:
    """Return a record with three readings."""
    session = record.session
    shares = (0.25, 0.5, 0.75)
    return replace(
        record,
        readings=tuple(
            (session.started_at + share * LENGTH, share * (session.kwh or 0.0)) for share in shares
        ),
    )


async def joulo(request: web.Request) -> web.Response:
    """Answer as Joulo does for three idle chargers; its list of sessions cannot be read."""
    match request.path:
        case "/chargers":
            chargers = [
                {"id": charger.id, "mid_certified": True, "is_charging": False}
                for charger in CHARGERS
            ]
            return web.json_response({"chargers": chargers})
        case "/energy":
            return web.json_response({"total_kwh": 1.0})
    return web.Response(status=500)


@asynccontextmanager
async def home(folder: str) -> AsyncGenerator[HomeAssistant]:
    """Run a Home Assistant that records into a folder."""
    async with async_test_home_assistant(config_dir=folder) as hass:
        frame.async_setup(hass)
        hass.data.pop(DATA_CUSTOM_COMPONENTS)
        async_initialize_recorder(hass)
        url = f"sqlite:///{Path(folder) / DATABASE}"
        await async_setup_component(hass, "recorder", {"recorder": {"db_url": url}})
        await hass.async_block_till_done()
        yield hass
        await hass.async_stop(force=True)


async def measure(number: int) -> tuple[Costs, Blocks]:
    """Return the costs of a history of so many sessions, and the delays that it causes."""
    costs, blocks = Costs(number), Blocks()
    # The real resolver looks around in the network.
    with TemporaryDirectory() as folder, patch(RESOLVER, return_value=AsyncMock()):
        async with home(folder) as hass, serve_joulo() as address:
            entry = MockConfigEntry(
                domain=DOMAIN,
                data={CONF_URL: address, CONF_TOKEN: "t"},
                options={"price": {"price_entity": PRICE}},
                subentries_data=[
                    ConfigSubentryData(
                        data=data, subentry_type="vehicle", title=f"Vehicle {index}", unique_id=None
                    )
                    for index, data in enumerate(VEHICLES)
                ],
            )
            entry.add_to_hass(hass)
            await record_prices(hass)
            gc.collect()
            gc.freeze()
            await store(hass, entry.entry_id, known(number))
            await measure_pricing(hass, entry, costs, blocks)
            await hass.config_entries.async_unload(entry.entry_id)
            async with blocks.during("start"):
                await hass.config_entries.async_setup(entry.entry_id)
            await hass.async_block_till_done(wait_background_tasks=True)
            history = entry.runtime_data.history
            await measure_page(history, costs, blocks)
            await measure_cars(hass, history, blocks)
            await measure_rest(hass, entry, blocks)
            async with blocks.during("unload"):
                await hass.config_entries.async_unload(entry.entry_id)
            await measure_start(hass, entry.entry_id, costs)
            await measure_import(hass, entry, costs, blocks)
        with sqlite3.connect(Path(folder) / DATABASE) as database:
            (costs.rows,) = database.execute("SELECT count(*) FROM statistics").fetchone()
    gc.unfreeze()
    return costs, blocks


@asynccontextmanager
async def serve_joulo() -> AsyncGenerator[str]:
    """Serve Joulo on loopback and yield its address."""
    app = web.Application()
    app.router.add_get("/{path}", joulo)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def store(hass: HomeAssistant, entry_id: str, state: HistoryState) -> None:
    """Write the file that an earlier run of Home Assistant would have left."""
    history = SessionHistory(hass, entry_id, RateLimiter())
    await history.async_load()
    history.async_update(lambda _: (state, Change.SESSIONS))
    await history.async_close()


async def record_prices(hass: HomeAssistant) -> None:
    """Let the recorder hold two years of the hourly prices of a sensor."""
    hass.states.async_set(PRICE, "0.25", {"unit_of_measurement": "EUR/kWh"})
    newest = NEWEST.replace(minute=0)
    rows = [
        StatisticData(start=newest - age * timedelta(hours=1), mean=0.2 + age % 24 / 100)
        for age in range(PRICED // timedelta(hours=1))
    ]
    async_import_statistics(hass, price_metadata(PRICE, "EUR/kWh"), rows)
    await get_instance(hass).async_block_till_done()


async def measure_pricing(
    hass: HomeAssistant, entry: MockConfigEntry, costs: Costs, blocks: Blocks
) -> None:
    """Start with a price that is new: every session of the past is looked up in the background."""
    async with blocks.during("pricing, all"):
        begun = perf_counter()
        await hass.config_entries.async_setup(entry.entry_id)
        await hass.async_block_till_done(wait_background_tasks=True)
        costs.pricing = perf_counter() - begun


async def measure_start(hass: HomeAssistant, entry_id: str, costs: Costs) -> None:
    """Load the file twice: by the clock, and by the memory that it takes."""
    gc.collect()
    begun = perf_counter()
    await SessionHistory(hass, entry_id, RateLimiter()).async_load()
    costs.start = perf_counter() - begun

    gc.collect()
    tracemalloc.start()
    history = SessionHistory(hass, entry_id, RateLimiter())
    await history.async_load()
    gc.collect()
    costs.memory = tracemalloc.get_traced_memory()[0] / 1e6
    tracemalloc.stop()


async def measure_page(history: SessionHistory, costs: Costs, blocks: Blocks) -> None:
    """Take over corrections, a page at a time, with everything that follows on the event loop."""
    newest = past(MAX_PAGE_SIZE)
    times = []
    async with blocks.during("first load"):
        for correction in range(1, 21):
            page = [replace(session, kwh=correction) for session in newest]
            begun = perf_counter()
            history.async_update(transitions.upsert_listed, page)
            times.append(perf_counter() - begun)
            await asyncio.sleep(2 * TICK)  # else the ticker would wait for two pages
    costs.page = median(times)


def told_by_cars(state: HistoryState, number: int, kwh: float) -> dict[str, CarSessions]:
    """Return what the cars of all vehicles tell by turns of so many sessions, each with so much energy."""
    cars: dict[str, list[CarSession]] = {vehicle.id: [] for vehicle in state.fleet.vehicles}
    turns = cycle(cars.values())
    for session, told in zip(reversed(past(number)), turns, strict=False):
        told.append(
            CarSession(
                id=session.id,
                created_at=session.ended_at,
                started_at=session.started_at,
                ended_at=session.ended_at,
                energy_kwh=kwh,
                average_power_kw=None,
                soc_start=None,
                soc_end=None,
                range_start_km=None,
                range_end_km=None,
                label=None,
            )
        )
    return {vehicle_id: tuple(told) for vehicle_id, told in cars.items()}


async def measure_cars(hass: HomeAssistant, history: SessionHistory, blocks: Blocks) -> None:
    """Match all sessions with what the cars tell, at first and when all of it has changed."""
    number = queries.coverage(history.state).sessions
    for work, kwh in (("cars, all", 25.0), ("cars, changed", 15.0)):
        async with blocks.during(work):
            cars = told_by_cars(history.state, number, kwh)
            await asyncio.sleep(2 * TICK)  # what was made here is not measured
            blocks.delays[work].clear()
            history.async_update(transitions.set_cars, cars)
            await hass.async_block_till_done(wait_background_tasks=True)


async def measure_import(
    hass: HomeAssistant, entry: MockConfigEntry, costs: Costs, blocks: Blocks
) -> None:
    """Write the whole history into an empty recorder, and once more when nothing differs."""
    history = SessionHistory(hass, entry.entry_id, RateLimiter())
    await history.async_load()
    importer = StatisticsImporter(hass, entry, history)
    history.async_update(transitions.finish_read, dt_util.utcnow(), full=True)
    async with blocks.during("statistics, all"):
        begun = perf_counter()
        await importer.async_write()
        costs.write = perf_counter() - begun
    async with blocks.during("statistics, again"):
        begun = perf_counter()
        await importer.async_write()
        costs.again = perf_counter() - begun


async def measure_rest(hass: HomeAssistant, entry: MockConfigEntry, blocks: Blocks) -> None:
    """Let an active session grow, save, and ask for everything: statement and calendar."""
    history = entry.runtime_data.history
    for energy in range(1, 11):
        current = CurrentSession(id="active", started_at=NEWEST + LENGTH, kwh_so_far=energy)
        charging = replace(CHARGERS[0], is_charging=True, current_session=current)
        async with blocks.during("poll"):
            history.async_update(
                transitions.apply_report,
                [charging],
                NEWEST + LENGTH + energy * timedelta(minutes=1),
            )
    async with blocks.during("save"):
        await history.async_save()
    async with blocks.during("get_sessions, all"):
        await hass.services.async_call(
            DOMAIN, "get_sessions", {}, blocking=True, return_response=True
        )
    calendars = hass.data[CALENDARS]
    async with blocks.during("calendar, all"):
        for calendar in calendars.entities:
            await calendar.async_get_events(hass, datetime(2000, 1, 1, tzinfo=UTC), NEWEST)


def main() -> None:
    """Print the tables."""
    print(HEADING)
    lines = []
    for number in [int(size) for size in sys.argv[1:]] or SIZES:
        costs, blocks = asyncio.run(measure(number))
        print(costs.line(), flush=True)
        lines += blocks.lines(number)
    print(BLOCKS_HEADING, *lines, sep="\n")


if __name__ == "__main__":
    main()
