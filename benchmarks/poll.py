"""Measures the load on Home Assistant: polls, set-up, and state writes that change nothing.

    .venv/bin/python -m benchmarks.poll         (or with numbers of chargers: 1 100)

Only the domain and the data of the entry are known here, so that any version of the integration can be measured. On
two cores of a Xeon:

    chargers  entities  answer         CPU       bare   states  changed  nothing
           1        40  idle        0.72 ms    0.64 ms        0        0        0
           1        40  standing    0.83 ms    0.73 ms        0        0        0
           1        40  growing     1.68 ms    0.80 ms        5        6        0
         100     2,020  idle        0.98 ms    0.93 ms        0        0        0
         100     2,020  standing    2.61 ms    1.87 ms        0        0        0
         100     2,020  growing    51.40 ms    2.35 ms      500      600        0
       1,000    10,000  idle        4.56 ms    6.35 ms        0        0        0
       1,000    10,000  standing   14.70 ms   10.45 ms        0        0        0
       1,000    10,000  growing   528.39 ms   67.10 ms    5,000    6,000        0

    set-up: 172 ms, last entity 171 ms, last value 222 ms
    idle day, 3 charger(s): 0 writes that change nothing, 0 that do, 1,512 requests
    session's end: 0 writes that change nothing, 24 that do, to 24 entities

chargers, entities: of one account; all are OCPP chargers with a meter. answer: in *idle*, nothing charges; in
*standing*, all chargers charge and every answer equals the last byte for byte; in *growing*, every session has grown.

CPU: CPU time of the process from one poll of `/chargers` to the next, threads and delayed saves included, minus the
benchmark's own share. It is the median of the polls between which nothing else was requested. Goals, compared with the
best other integration: unchanged, half of its CPU time; changed, the same with 1 charger and twice with 100. No goal
can be below *bare*: the same answer, fetched through a new connection and parsed by `json`.

states, changed, nothing: per poll, the states with another value, the writes that changed a value or an attribute, and
the writes that changed neither (goal: 0). With 1,000 chargers, Home Assistant stops adding at 10,000 entities.

set-up: every answer takes 100 ms, in a Home Assistant that has its frontend up; time until `async_setup` returns, the last entity exists (goal: 150 ms), and the last
value arrives. idle day: writes in 24 hours (goal: none changes nothing). session's end: writes in the 15 minutes after
one of three chargers has stopped (goal: one for each entity that changes).
"""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
import gc
import json
import logging
from statistics import median
import sys
from tempfile import TemporaryDirectory
import time
from unittest.mock import AsyncMock, patch

from aiohttp import ClientSession, TCPConnector
from homeassistant import loader
from homeassistant.const import CONF_TOKEN, CONF_URL, EVENT_STATE_CHANGED, EVENT_STATE_REPORTED
from homeassistant.core import (
    Event,
    EventStateChangedData,
    EventStateReportedData,
    HomeAssistant,
    callback,
)
from homeassistant.helpers import event as event_helper, frame
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from homeassistant.util.async_ import get_scheduled_timer_handles
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_test_home_assistant,
)

from benchmarks.cloud import START, Cloud, Phase
import custom_components  # noqa: F401 (else the plugin's own package would shadow it)

POLLS = {1: 100, 10: 50, 100: 20, 1_000: 3}
"""Number of polls to measure in each phase, by number of chargers."""
SETUPS = 7
HEADING = "chargers  entities  answer         CPU       bare   states  changed  nothing"
_SERVER = "homeassistant.components.http.HomeAssistantHTTP"
_RESOLVER = "homeassistant.helpers.aiohttp_client._async_make_resolver"


class Clock:
    """Time of this process, which can be moved ahead. freezegun would cost more than the polls."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self._monotonic, self._time = time.monotonic, time.time
        self._offset = START.timestamp() - time.time()

    def monotonic(self) -> float:
        """Return the time that the event loop and its timers follow."""
        return self._monotonic() + self.ahead

    def time(self) -> float:
        """Return the time on the wall in seconds."""
        return self._time() + self._offset + self.ahead

    def utcnow(self) -> datetime:
        """Return the time on the wall as Home Assistant asks for it."""
        return datetime.fromtimestamp(self.time(), UTC)

    @contextmanager
    def installed(self) -> Generator[None]:
        """Put the clock in the place of Python's and of Home Assistant's."""
        with (
            patch.multiple(time, monotonic=self.monotonic, time=self.time),
            patch.object(dt_util, "utcnow", self.utcnow),
            patch.object(event_helper, "time_tracker_utcnow", self.utcnow),
            patch.object(event_helper, "time_tracker_timestamp", self.time),
        ):
            yield


@dataclass(slots=True)
class Writes:
    """Numbers of state writes, and the entities that changed."""

    states: int = 0
    changed: int = 0
    nothing: int = 0
    entities: set[str] = field(default_factory=set)

    @contextmanager
    def counted(self, hass: HomeAssistant) -> Generator[None]:
        """Count the writes of all entities."""

        @callback
        def count(event: Event[EventStateChangedData]) -> None:
            old, new = event.data["old_state"], event.data["new_state"]
            self.changed += 1
            self.states += old is None or new is None or old.state != new.state
            self.entities.add(event.data["entity_id"])

        @callback
        def count_nothing(_: EventStateReportedData) -> bool:
            self.nothing += 1
            return False

        @callback
        def ignore(_: Event[EventStateReportedData]) -> None: ...

        stops = (
            hass.bus.async_listen(EVENT_STATE_CHANGED, count),
            hass.bus.async_listen(EVENT_STATE_REPORTED, ignore, count_nothing),
        )
        yield
        for stop in stops:
            stop()


async def set_up(hass: HomeAssistant, url: str) -> None:
    """Set up an account."""
    entry = MockConfigEntry(domain="joulo", data={CONF_URL: url, CONF_TOKEN: "joulo_demo"})
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)  # noqa: S101


@dataclass(slots=True)
class Home:
    """A Home Assistant whose time moves from timer to timer, and its cloud."""

    hass: HomeAssistant
    clock: Clock
    cloud: Cloud
    url: str
    overhead: float = 0.0

    async def step(self) -> float:
        """Move time to the next timer, run everything it starts, and return the CPU seconds."""
        timers = get_scheduled_timer_handles(self.hass.loop)
        due = min(timer.when() for timer in timers if not timer.cancelled())
        begun = time.process_time()
        self.clock.ahead += max(due - self.clock.monotonic(), 0.0) + 0.0005
        await asyncio.sleep(0)
        await self.hass.async_block_till_done(wait_background_tasks=True)
        return time.process_time() - begun - self.overhead

    async def live(self, seconds: float) -> None:
        """Let seconds pass."""
        end = self.clock.monotonic() + seconds
        self.hass.loop.call_at(end, int)
        while self.clock.monotonic() < end:
            await self.step()

    async def poll(self) -> tuple[float, bool]:
        """Let time pass through the next poll; return CPU seconds, and True if nothing else was requested."""
        polls, others = self.cloud.asked
        cost = await self.step()
        while self.cloud.asked[0] == polls:
            cost += await self.step()
        return cost, self.cloud.asked == (polls + 1, others)

    async def enter(self, phase: Phase) -> None:
        """Change the chargers' activity, and wait until everything has noticed."""
        self.cloud.enter(phase, self.clock.time())
        await self.live(300)

    async def measure_overhead(self) -> None:
        """Measure the CPU time of a step in which nothing happens."""
        costs = []
        for _ in range(200):
            self.hass.loop.call_later(10, int)
            costs.append(await self.step())
        self.overhead = median(costs)


@asynccontextmanager
async def home(cloud: Cloud) -> AsyncGenerator[Home]:
    """Run a Home Assistant in an empty folder, and its cloud."""
    clock = Clock()
    with (
        clock.installed(),
        cloud.running() as url,
        TemporaryDirectory() as folder,
        patch(_RESOLVER, return_value=AsyncMock()),  # the real one looks around in the network
        patch(f"{_SERVER}.async_bind"),  # a port can be taken
        patch(f"{_SERVER}.start"),
    ):
        async with async_test_home_assistant(config_dir=folder) as hass:
            frame.async_setup(hass)
            hass.data.pop(loader.DATA_CUSTOM_COMPONENTS)
            yield Home(hass, clock, cloud, url)
            await hass.async_stop(force=True)


async def measure_polls(chargers: int) -> None:
    """Print one line for each phase."""
    async with home(Cloud(chargers)) as at_home:
        await at_home.measure_overhead()
        await set_up(at_home.hass, at_home.url)
        await at_home.live(600 + chargers)  # enough to read all sessions, 100 every 5 s
        for phase in (Phase.IDLE, Phase.STANDING, Phase.GROWING):
            await at_home.enter(phase)
            cost, bare = await measure_poll(at_home, POLLS[chargers])
            writes = await measure_writes(at_home)
            print(
                f"{chargers:8,} {len(at_home.hass.states.async_all()):9,}  {phase.name.lower():8}"
                f" {cost * 1e3:7.2f} ms {bare * 1e3:7.2f} ms"
                f" {writes.states:8,} {writes.changed:8,} {writes.nothing:8,}",
                flush=True,
            )


async def measure_poll(at_home: Home, number: int) -> tuple[float, float]:
    """Return the CPU seconds of a poll and, measured by turns, of fetching and parsing its answer."""
    gc.collect()
    gc.freeze()
    costs, bare = [], []
    async with ClientSession(connector=TCPConnector(force_close=True)) as session:
        for _ in range(2 * number):
            cost, is_alone = await at_home.poll()
            if is_alone:
                costs.append(cost)
                begun = time.process_time()
                async with session.get(f"{at_home.url}/chargers") as response:
                    json.loads(await response.read())
                bare.append(time.process_time() - begun)
            if len(costs) == number:
                break
    gc.unfreeze()
    return median(costs), median(bare)


async def measure_writes(at_home: Home) -> Writes:
    """Return the writes of a poll."""
    is_alone = False
    while not is_alone:
        writes = Writes()
        with writes.counted(at_home.hass):
            _, is_alone = await at_home.poll()
    return writes


async def measure_setup() -> tuple[float, float, float]:
    """Return the milliseconds until set-up returns, the last entity exists, and the last value arrives."""
    moments = {"entity": 0.0, "value": 0.0}

    @callback
    def note(event: Event[EventStateChangedData]) -> None:
        moments["entity" if event.data["old_state"] is None else "value"] = time.perf_counter()

    async with home(Cloud(3, delay=0.1)) as at_home:
        at_home.hass.bus.async_listen(EVENT_STATE_CHANGED, note)
        await async_setup_component(at_home.hass, "frontend", {})
        begun = time.perf_counter()
        await set_up(at_home.hass, at_home.url)
        returned = time.perf_counter()
        await asyncio.sleep(2)
    entity, value = moments["entity"], max(moments.values())
    return (returned - begun) * 1e3, (entity - begun) * 1e3, (value - begun) * 1e3


async def measure_setups() -> None:
    """Print the medians of several set-ups, without the first, which imports the modules."""
    figures = [await measure_setup() for _ in range(SETUPS + 1)][1:]
    returned, entity, value = (median(column) for column in zip(*figures, strict=True))
    print(f"set-up: {returned:.0f} ms, last entity {entity:.0f} ms, last value {value:.0f} ms")


async def measure_idle_day(chargers: int) -> None:
    """Print the writes of a day on which nothing happens."""
    async with home(Cloud(chargers)) as at_home:
        await set_up(at_home.hass, at_home.url)
        await at_home.live(7200)
        writes, asked = Writes(), sum(at_home.cloud.asked)
        with writes.counted(at_home.hass):
            await at_home.live(86_400)
        asked = sum(at_home.cloud.asked) - asked
    print(
        f"idle day, {chargers} charger(s): {writes.nothing:,} writes that change nothing,"
        f" {writes.changed:,} that do, {asked:,} requests"
    )


async def measure_end() -> None:
    """Print the writes after one of three chargers has stopped."""
    async with home(Cloud(3, busy=1)) as at_home:
        await set_up(at_home.hass, at_home.url)
        await at_home.live(7200)
        await at_home.enter(Phase.GROWING)
        await at_home.live(3600)
        at_home.cloud.enter(Phase.ENDED, at_home.clock.time())
        writes = Writes()
        with writes.counted(at_home.hass):
            await at_home.live(900)
    print(
        f"session's end: {writes.nothing} writes that change nothing,"
        f" {writes.changed} that do, to {len(writes.entities)} entities"
    )


def main() -> None:
    """Print the table, and the lines below."""
    logging.disable()
    print(HEADING)
    for chargers in map(int, sys.argv[1:]) if sys.argv[1:] else POLLS:
        asyncio.run(measure_polls(chargers))
    asyncio.run(measure_setups())
    asyncio.run(measure_idle_day(3))
    asyncio.run(measure_end())


if __name__ == "__main__":
    main()
