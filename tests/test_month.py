"""A month with Joulo and everything that goes wrong in one; in the end all books agree.

While something charges, time moves by minutes; else by hours, with what is due run once: timer by timer a
month would take minutes. Polls come every 15 minutes, and the account's past is two months.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import product
import logging
from math import fsum
import random
from random import Random
from typing import Any
from unittest.mock import patch

from homeassistant.components.recorder.core import Recorder
from homeassistant.components.recorder.statistics import get_last_statistics
from homeassistant.const import EVENT_HOMEASSISTANT_STARTED, EVENT_STATE_CHANGED
from homeassistant.core import CoreState, Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers.storage import Store
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)

from custom_components.joulo.helpers import _RATE_LIMITERS
from tests.conftest import NOW, Advance, Settle
from tests.simulator import (
    GARAGE_ID,
    OPRIT_ID,
    PATHS,
    Fault,
    SimulatedAccount,
    SimulatedCloud,
    SimulatedSession,
    seeded_account,
)
from tests.timing import POLL, READ

HOUR, DAY, MONTH = timedelta(hours=1), timedelta(days=1), timedelta(days=30)
HISTORY = "joulo.01JOULO.history"
STARTED, COMPLETED = "session_started", "session_completed"
# A refused token stays refused; an enormous answer just takes long.
FAULTS = sorted(set(Fault) - {Fault.UNAUTHORIZED, Fault.ENORMOUS})

type Told = dict[tuple[str, str], dict[str, Any]]
"""What event entities have told, by entity and moment: a restart shows the last of it again."""
type Restart = Callable[..., Coroutine[Any, Any, None]]


@pytest.fixture
def account() -> SimulatedAccount:
    """Return an account with two months of sessions on three chargers."""
    return seeded_account(NOW, days=60)


@pytest.fixture
def recorder_config() -> dict[str, Any]:
    """Let the recorder keep statistics only."""
    return {"exclude": {"entity_globs": ["*"]}}


@pytest.fixture
def recorder(_now: None, recorder_mock: Recorder, caplog: pytest.LogCaptureFixture) -> Recorder:
    """Return a recorder that has begun when the test does; a month of details stays out of the log."""
    for name in (None, "homeassistant.components.recorder", "sqlalchemy.engine"):
        caplog.set_level(logging.WARNING, name)
    return recorder_mock


@pytest.fixture
def told(hass: HomeAssistant) -> Told:
    """Return what the event entities have told so far, as it grows."""
    told: Told = {}

    @callback
    def listen(event: Event[EventStateChangedData]) -> None:
        state = event.data["new_state"]
        if state is not None and state.domain == "event" and "session_id" in state.attributes:
            told[state.entity_id, state.state] = dict(state.attributes)

    hass.bus.async_listen(EVENT_STATE_CHANGED, listen)
    return told


def tally(events: Iterable[dict[str, Any]]) -> Counter[tuple[str, str]]:
    """Return how often each start and each completion was told."""
    return Counter((event["event_type"], event["session_id"]) for event in events)


@pytest.fixture
def restart(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    hass_storage: dict[str, Any],
    jump: Advance,
    settle: Settle,
) -> Restart:
    """Return a function that ends Home Assistant, in order or in a crash, and starts it some time later."""

    async def restart(away: timedelta, *, crash: bool) -> None:
        on_disk = deepcopy(hass_storage[HISTORY])
        await hass.config_entries.async_unload(entry.entry_id)
        if crash:
            hass_storage[HISTORY] = on_disk
        hass.data.pop(_RATE_LIMITERS)
        await jump(away.total_seconds())
        hass.set_state(CoreState.starting)
        hass.async_create_task(hass.config_entries.async_setup(entry.entry_id))
        await settle()
        hass.set_state(CoreState.running)
        hass.bus.async_fire(EVENT_HOMEASSISTANT_STARTED)
        await settle()

    return restart


def end_of(session: SimulatedSession) -> datetime:
    assert session.ends_at is not None
    return session.ends_at


@dataclass
class Month:
    """What happens to an account in a month, drawn by chance."""

    account: SimulatedAccount
    cloud: SimulatedCloud
    restart: Restart
    chance: Random
    sessions: list[SimulatedSession] = field(default_factory=list)
    """Those that end in the month, also if they are removed later."""
    revised: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    """By charger: the kWh that corrections and removals have added."""
    happenings: list[tuple[datetime, Callable[[], Awaitable[None]]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Draw what happens, and when."""
        self._draw_sessions()
        self._draw_revisions()
        self._draw_outages()
        self._draw_restarts()
        self.happenings.sort(key=lambda happening: happening[0])

    async def pass_by(self, jump: Advance) -> None:
        """Let the month pass, and another day."""
        while (now := dt_util.utcnow()) < NOW + MONTH + DAY:
            if self.happenings and self.happenings[0][0] <= now:
                await self.happenings.pop(0)[1]()
                continue
            charges = any(s.started_at <= now < end_of(s) + HOUR for s in self.sessions)
            stops = [now + (self._hours(0.02, 0.25) if charges else self._hours(0.1, 3))]
            stops += [session.started_at for session in self.sessions if session.started_at > now]
            stops += [at for at, _ in self.happenings[:1]]
            await jump((min(stops) - now).total_seconds())

    def _hours(self, least: float, most: float) -> timedelta:
        return self.chance.uniform(least, most) * HOUR

    def _draw_sessions(self) -> None:
        """Plan a session on most days, the first of which runs at installation."""
        self._plan(GARAGE_ID, NOW - HOUR, NOW + HOUR)
        for charger in self.account.chargers:
            for day in range(1, 30):
                if self.chance.random() < 0.25:
                    start = NOW + day * DAY + self._hours(0, 12)
                    self._plan(charger.id, start, start + self._hours(0.05, 6))

    def _plan(self, charger_id: str, start: datetime, end: datetime) -> None:
        power = self.chance.choice((0, 3.7, 7.4, 11))
        self.sessions.append(self.account.plan_session(charger_id, start, end, power_kw=power))

    def _draw_revisions(self) -> None:
        """Revise sessions within the two weeks that are read again, and old ones by much."""
        early = [session for session in self.sessions if end_of(session) < NOW + 17 * DAY]
        for number, session in enumerate(self.chance.sample(early, min(8, len(early)))):
            at = end_of(session) + self._hours(24, 12 * 24)
            self.happenings.append((at, partial(self._revise, session, remove=number % 4 == 0)))
        old = (
            session
            for session in self.account.completed(GARAGE_ID)
            if session.started_at < NOW - 14 * DAY and session.kwh_at(NOW) > 15
        )
        for day, remove in ((2, True), (12, False)):
            at = NOW + day * DAY + self._hours(0, 4 * 24)
            self.happenings.append((at, partial(self._revise, next(old), remove=remove)))

    async def _revise(self, session: SimulatedSession, *, remove: bool) -> None:
        before, after = float(session.kwh_at(dt_util.utcnow())), 0.0
        if remove:
            self.account.remove_session(session.id)
        else:
            after = round(before * self.chance.choice((0.3, 0.9, 1.1, 1.7)) + 0.01, 2)
            end = self.chance.choice((None, session.started_at + HOUR / 2))
            self.account.correct_session(session.id, kwh=after, ended_at=end)
        self.revised[session.charger_id] += after - before

    def _draw_outages(self) -> None:
        """Let everything fail for hours, each path in its own way and every hour in another."""
        for day in self.chance.sample(range(1, 28), 2):
            begin = NOW + day * DAY + self._hours(0, 16)
            hours = self.chance.randrange(2, 8)
            for hour in range(hours):
                self.happenings.append((begin + hour * HOUR, partial(self._fail, PATHS)))
            self.happenings.append((begin + hours * HOUR, partial(self._fail, ())))

    async def _fail(self, paths: Iterable[str]) -> None:
        self.cloud.recover()
        for path in paths:
            wait = self.chance.randrange(7200)
            self.cloud.fail(path, self.chance.choice(FAULTS), retry_after=wait)

    def _draw_restarts(self) -> None:
        """Miss a whole session; crash soon after one has begun, and soon after another has ended."""
        missed, begun, ended = self.chance.sample(self.sessions[1:], 3)
        margin = self._hours(0, 1)
        missing = end_of(missed) - missed.started_at + 2 * margin
        for at, away, crash in (
            (missed.started_at - margin, missing, self.chance.random() < 0.5),
            (begun.started_at + self._hours(0, 0.5), self._hours(0, 6), True),
            (end_of(ended) + self._hours(0, 0.5), self._hours(0, 6), True),
        ):
            # Who forgets what was asked last and comes back sooner, Joulo would refuse.
            restart = partial(self.restart, max(away, HOUR / 5), crash=crash)
            self.happenings.append((at, restart))


def shown(hass: HomeAssistant, entity_id: str) -> float:
    """Return the number that an entity shows."""
    state = hass.states.get(f"sensor.{entity_id}")
    assert state is not None, entity_id
    return float(state.state)


async def in_calendar(hass: HomeAssistant, name: str) -> list[float]:
    """Return the kWh of every session in a charger's calendar."""
    entity_id = f"calendar.{name}_charging_sessions"
    data = {"entity_id": entity_id, "start_date_time": NOW - 3 * MONTH, "duration": 5 * MONTH}
    answer: Any = await hass.services.async_call(
        "calendar", "get_events", data, blocking=True, return_response=True
    )
    return [float(event["summary"].split()[0]) for event in answer[entity_id]["events"]]


async def in_statistics(hass: HomeAssistant, recorder: Recorder, charger_id: str) -> float:
    """Return the last sum of a charger's energy."""
    await async_wait_recording_done(hass)
    statistic = f"joulo:{charger_id.replace('-', '_')}_energy"
    last = partial(get_last_statistics, hass, 1, statistic, convert_units=False, types={"sum"})
    total = (await recorder.async_add_executor_job(last))[statistic][0]["sum"]
    assert total is not None
    return total


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_after_a_month_of_trouble_all_books_agree_and_each_session_was_told_once(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    account: SimulatedAccount,
    entry: MockConfigEntry,
    recorder: Recorder,
    restart: Restart,
    told: Told,
    jump: Advance,
    seed: int,
) -> None:
    """Sessions, corrections, removals, two outages and three restarts, of which two or three are crashes."""
    past = {charger.id: account.energy_total(charger.id) for charger in account.chargers}
    month = Month(account, cloud, restart, Random(seed))
    random.seed(seed)  # of which Home Assistant draws when in a second it polls
    hass.loop.set_debug(enabled=False)
    hass.config_entries.async_update_entry(entry, options={"chargers_interval": 900})
    await hass.config_entries.async_setup(entry.entry_id)
    await month.pass_by(jump)

    assert month.happenings == []
    due = [(COMPLETED, session.id) for session in month.sessions]
    due += [(STARTED, session.id) for session in month.sessions if session.started_at >= NOW]
    assert tally(told.values()) == Counter(due)
    delivered = {
        event["session_id"]: event["energy_kwh"]
        for event in told.values()
        if event["event_type"] == COMPLETED
    }
    for charger in account.chargers:
        name = charger.nickname.lower()
        calendar = await in_calendar(hass, name)
        assert len(calendar) == account.session_total(charger.id)
        events = [delivered[s.id] for s in month.sessions if s.charger_id == charger.id]
        books = {
            "statistics": await in_statistics(hass, recorder, charger.id),
            "calendar": fsum(calendar),
            "sensor": shown(hass, f"{name}_total_energy"),
            "events": past[charger.id] + fsum(events) + month.revised[charger.id],
        }
        joulo = account.energy_total(charger.id)
        assert books == pytest.approx(dict.fromkeys(books, joulo), abs=0.01)
    of_account = {
        "joulo_total_energy": account.energy_total(mid_only=True),
        "joulo_total_energy_of_all_chargers": account.energy_total(),
        "joulo_sessions_known": account.session_total(),
    }
    assert {key: shown(hass, key) for key in of_account} == pytest.approx(of_account)


@dataclass
class PowerCut:
    """Cuts the power when an announcement is about to be remembered on the disk, or has just been."""

    announcement: int
    remembered: bool
    has_struck: bool = False
    is_dark: bool = False
    heard: set[tuple[str, str]] = field(default_factory=set)  # before that


@pytest.fixture
def power_cut(
    request: pytest.FixtureRequest, hass_storage: dict[str, Any], told: Told
) -> Generator[PowerCut]:
    """Return the power cut that the parameter describes; while it is dark, nothing reaches the disk."""
    cut = PowerCut(*request.param)
    to_disk = Store._async_write_data

    async def write(store: Store[Any], data: dict[str, Any]) -> None:
        if store.key == HISTORY and not cut.has_struck:
            content = data["data"] if "data" in data else data["data_func"]()
            if sum(map(len, content["told"].values())) == cut.announcement:
                cut.has_struck, cut.is_dark, cut.heard = True, True, set(told)
                if cut.remembered:
                    await to_disk(store, data)
        if cut.is_dark:
            raise asyncio.CancelledError
        await to_disk(store, data)

    with patch.object(Store, "_async_write_data", write):
        yield cut


@pytest.mark.parametrize("power_cut", product((2, 4), (False, True)), indirect=True, ids=str)
async def test_a_crash_costs_at_most_what_was_remembered_and_not_yet_told_and_repeats_nothing(
    account: SimulatedAccount,
    joulo: MockConfigEntry,
    power_cut: PowerCut,
    restart: Restart,
    told: Told,
    jump: Advance,
) -> None:
    """Two sessions start together and end together; the power fails at the write for either pair of events."""
    unheard: set[tuple[str, str]] = set()

    async def go_on(seconds: float) -> None:
        await jump(seconds)
        if power_cut.is_dark:
            # Without power nobody heard of what this process still did.
            unheard.update(told.keys() - power_cut.heard)
            power_cut.is_dark = False
            await restart(HOUR / 5, crash=True)

    await go_on(POLL)
    sessions = [account.start_session(charger_id) for charger_id in (GARAGE_ID, OPRIT_ID)]
    await go_on(POLL)
    await go_on(READ)
    for session in sessions:
        account.end_session(session.id)
    await go_on(POLL)
    for _ in range(3):
        await go_on(READ)

    assert power_cut.has_struck
    due = Counter((kind, session.id) for session in sessions for kind in (STARTED, COMPLETED))
    was_told = tally(event for moment, event in told.items() if moment not in unheard)
    assert was_told <= due
    assert (due - was_told).total() == (2 if power_cut.remembered else 0), "a write is for a pair"
