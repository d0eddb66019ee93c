"""A quarter with Joulo and everything that goes wrong in one, drawn by chance from a seed."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from functools import partial
from random import Random
from typing import Any

from homeassistant.util import dt as dt_util

from tests.home import Home
from tests.prices import SENSOR, record_prices, show_price
from tests.simulator import GARAGE_ID, PATHS, TAGS, Fault, SimulatedAccount, SimulatedSession
from tests.simulator.clock import system_clock
from tests.timing import READ

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# A refused token is a test of its own; an enormous answer just takes long.
_FAULTS = sorted(set(Fault) - {Fault.UNAUTHORIZED, Fault.ENORMOUS})
_BEGINNINGS = (
    datetime(2026, 10, 12, 12, 0, tzinfo=UTC),  # the clock goes back on the 25th
    datetime(2027, 3, 15, 12, 0, tzinfo=UTC),  # and forward on the 28th
)
_TIME_ZONES = ("Europe/Amsterdam", "Pacific/Auckland", "America/St_Johns")
ZOE, ID3 = "zoe", "id3"
"""Ids of the vehicles' subentries."""
FIRST_PRICE, SECOND_PRICE, SENSORS_PRICE = 0.25, 0.4, 0.1
_WATCHED_FOR = 14 * DAY
"""How far back every read of `/sessions` reaches; what is older is found by the daily comparison."""


def beginning(seed: int) -> datetime:
    """Return the moment of installation: every other seed has the other change of the clock."""
    return _BEGINNINGS[seed % len(_BEGINNINGS)]


def time_zone(seed: int) -> str:
    """Return the time zone of the Home Assistant of a seed."""
    return _TIME_ZONES[seed % len(_TIME_ZONES)]


@dataclass(slots=True)
class WorldClock:
    """The true time, from which the clock of Home Assistant's machine may go astray."""

    astray: timedelta = timedelta()

    def __call__(self) -> datetime:
        """Return the true moment in UTC."""
        return system_clock() - self.astray


@dataclass
class Quarter:
    """What happens to an account in so many days from its installation, drawn by `chance`."""

    home: Home
    world: WorldClock
    chance: Random
    days: int
    sessions: list[SimulatedSession] = field(default_factory=list)
    """Those that end within the days, also if they are removed later."""
    charged_at: dict[str, str] = field(default_factory=dict)
    """The charger of each session, as it was when its events were due."""
    revised: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    """By charger: the kWh that corrections, removals, returns and moves have added."""
    late: set[str] = field(default_factory=set)
    """Ids of the sessions that Joulo lists days after they have ended."""
    prices: list[tuple[datetime, float]] = field(default_factory=list)
    """EUR per kWh from a moment on, latest last."""
    happenings: list[tuple[datetime, Callable[[], Awaitable[None]]]] = field(default_factory=list)
    """What is still to come, by true time, soonest first."""

    def __post_init__(self) -> None:
        """Draw what happens, and when."""
        self.begin = self.world()
        self._draw_sessions()
        self._draw_late_sessions()
        self._draw_revisions()
        self._draw_outages()
        self._draw_restarts()
        self._draw_settings()
        self._sort()

    @property
    def account(self) -> SimulatedAccount:
        """The account at Joulo."""
        return self.home.cloud.account

    async def pass_by(self, jump: Callable[[float], Awaitable[None]]) -> None:
        """Let the days pass and, so that all is found, two more."""
        while (now := self.world()) < self.begin + (self.days + 2) * DAY:
            if self.happenings and self.happenings[0][0] <= now:
                await self.happenings.pop(0)[1]()
                continue
            charges = any(s.started_at <= now < end_of(s) + HOUR for s in self.sessions)
            stops = [now + (self._hours(0.02, 0.25) if charges else self._hours(0.1, 3))]
            stops += [session.started_at for session in self.sessions if session.started_at > now]
            stops += [at for at, _ in self.happenings[:1]]
            await jump((min(stops) - now).total_seconds())

    def _sort(self) -> None:
        self.happenings.sort(key=lambda happening: happening[0])

    def _later(self, at: datetime, happening: Callable[[], Awaitable[None]]) -> None:
        self.happenings.append((at, happening))

    def _hours(self, least: float, most: float) -> timedelta:
        return self.chance.uniform(least, most) * HOUR

    # Sessions

    def _draw_sessions(self) -> None:
        """Plan a session on many days, the first of which runs at installation, and one in each clock change."""
        self._plan(GARAGE_ID, self.begin - HOUR, self.begin + HOUR)
        for charger in self.account.chargers:
            for day in range(1, self.days - 1):
                start = self.begin + day * DAY + self._hours(0, 11)
                if (self.begin + day * DAY).weekday() == 5 and charger.id == GARAGE_ID:
                    # Through the night from Saturday to Sunday, in which clocks are changed.
                    start = self.begin + day * DAY + self._hours(10, 12)
                    self._plan(charger.id, start, start + self._hours(3, 6))
                elif self.chance.random() < 0.25:
                    self._plan(charger.id, start, start + self._hours(0.05, 6))

    def _plan(self, charger_id: str, start: datetime, end: datetime) -> None:
        power = self.chance.choice((0, 3.7, 7.4, 11))
        tag = self.chance.choice(TAGS)
        self._expect(self.account.plan_session(charger_id, start, end, power_kw=power, tag=tag))

    def _expect(self, session: SimulatedSession) -> None:
        self.sessions.append(session)
        self.charged_at[session.id] = session.charger_id

    def _draw_late_sessions(self) -> None:
        """Let Joulo list some sessions days after they have ended."""
        for day in self.chance.sample(range(8, self.days - 1), max(1, self.days // 20)):
            self._later(self.begin + day * DAY + self._hours(0, 23), self._list_late)

    async def _list_late(self) -> None:
        start = self.world() - self._hours(30, 6 * 24)
        charger = self.chance.choice(self.account.chargers)
        session = SimulatedSession(
            charger_id=charger.id, started_at=start, ends_at=start + self._hours(0.2, 5)
        )
        self.account.put_back_session(session)
        self.late.add(session.id)
        self._expect(session)

    # Revisions

    def _draw_revisions(self) -> None:
        """Revise sessions within the two weeks that are read again, and old ones by much."""
        early = [s for s in self.sessions if end_of(s) < self.begin + (self.days - 13) * DAY]
        kinds = (self._correct, self._correct, self._remove, self._remove_for_a_while, self._move)
        for number, session in enumerate(
            self.chance.sample(early, min(self.days // 3, len(early)))
        ):
            at = end_of(session) + self._hours(24, 11 * 24)
            self._later(at, partial(kinds[number % len(kinds)], session))
        old = (
            session
            for session in self.account.completed(GARAGE_ID)
            if session.started_at < self.begin - _WATCHED_FOR and session.kwh_at(self.begin) > 15
        )
        self._later(self.begin + self._hours(2 * 24, 6 * 24), partial(self._remove, next(old)))
        self._later(self.begin + self._hours(12 * 24, 16 * 24), partial(self._correct, next(old)))

    def _kwh(self, session: SimulatedSession) -> float:
        return float(session.kwh_at(self.world()))

    async def _correct(self, session: SimulatedSession) -> None:
        before = self._kwh(session)
        after = round(before * self.chance.choice((0.3, 0.9, 1.1, 1.7)) + 0.01, 2)
        end = self.chance.choice((None, session.started_at + HOUR / 2))
        self.account.correct_session(session.id, kwh=after, ended_at=end)
        self.revised[session.charger_id] += after - before

    async def _remove(self, session: SimulatedSession) -> None:
        self.account.remove_session(session.id)
        self.revised[session.charger_id] -= self._kwh(session)

    async def _remove_for_a_while(self, session: SimulatedSession) -> None:
        await self._remove(session)
        # What returns later is found by the daily comparison, which a mismatch may put off for a week.
        until = min(session.started_at + 13 * DAY, self.begin + self.days * DAY)
        days = self.chance.uniform(0.1, 1) * ((until - self.world()) / DAY)
        self._later(self.world() + days * DAY, partial(self._return, session))
        self._sort()

    async def _return(self, session: SimulatedSession) -> None:
        self.account.put_back_session(session)
        self.revised[session.charger_id] += self._kwh(session)

    async def _move(self, session: SimulatedSession) -> None:
        others = [c.id for c in self.account.chargers if c.id != session.charger_id]
        self.revised[session.charger_id] -= self._kwh(session)
        self.account.move_session(session.id, self.chance.choice(others))
        self.revised[session.charger_id] += self._kwh(session)

    # Faults

    def _draw_outages(self) -> None:
        """Let everything fail for hours, each path in its own way and every hour in another."""
        for day in self.chance.sample(range(1, self.days - 2), max(2, self.days // 15)):
            begin = self.begin + day * DAY + self._hours(0, 16)
            hours = self.chance.randrange(2, 8)
            for hour in range(hours):
                self._later(begin + hour * HOUR, partial(self._fail, PATHS))
            self._later(begin + hours * HOUR, partial(self._fail, ()))

    async def _fail(self, paths: Iterable[str]) -> None:
        self.home.cloud.recover()
        for path in paths:
            wait = self.chance.randrange(7200)
            self.home.cloud.fail(path, self.chance.choice(_FAULTS), retry_after=wait)

    def _draw_restarts(self) -> None:
        """Miss whole sessions; cut the power while one runs and soon after another has ended; set clocks wrong."""
        count = max(1, self.days // 30)
        drawn = self.chance.sample(self.sessions[1:], 4 * count)
        for missed, begun, ended, astray in zip(*[iter(drawn)] * 4, strict=True):
            margin = self._hours(0, 1)
            absence = end_of(missed) - missed.started_at + 2 * margin
            self._later(missed.started_at - margin, partial(self._restart, absence))
            self._later(begun.started_at + self._hours(0, 0.5), self._cut_power)
            self._later(end_of(ended) + self._hours(0, 0.3), self._cut_power)
            self._later(end_of(astray) - self._hours(0, 0.5), self._set_clock_wrong)

    async def _restart(self, away: timedelta) -> None:
        await self.home.restart(away=away.total_seconds())

    async def _cut_power(self) -> None:
        """Let the power fail between any two steps of the event loop, and come back at once or later."""
        away = self.chance.choice((timedelta(seconds=20), self._hours(0.1, 6)))
        self.home.freezer.tick(self.chance.uniform(0, 901))
        await self.home.lose_power(self.chance.randrange(300), away=away.total_seconds())
        # Sessions are read ten minutes later, before an end has waited for a quarter of an hour: not in one step.
        self._later(self.world() + timedelta(seconds=READ + 3), self._pause)
        self._sort()

    async def _pause(self) -> None:
        """Let time stand still for a moment."""

    async def _set_clock_wrong(self) -> None:
        """Restart with a clock that is hours or days off, and some hours later with one that is right."""
        error = self.chance.choice((-3 * HOUR, -2 * DAY, 3 * HOUR, 20 * DAY))
        await self._restart_with_clock(error)
        self._later(self.world() + self._hours(1, 8), partial(self._restart_with_clock, -error))
        self._sort()

    async def _restart_with_clock(self, change: timedelta) -> None:
        # A clock that has jumped ahead cannot tell that a request comes too early.
        away = self._hours(0.2, 0.5)
        self.world.astray += change
        await self.home.restart(away=(away + change).total_seconds())

    # Settings

    def price_of(self, start: datetime) -> float:
        """Return what a kWh costs in a session that starts at a moment."""
        return next(price for since, price in reversed(self.prices) if since <= start)

    def may_lack_a_price(self, row: dict[str, Any]) -> bool:
        """Whether a session may have come too late for the price of its day: another one holds since a later day.

        One that delivered nothing needs no price until it is corrected.
        """
        start = datetime.fromisoformat(row["started_at"])
        changes = [since for since, _ in self.prices[1:]]
        was_empty = row["energy_kwh"] <= 0.01
        return (
            row["session_id"] in self.late
            or was_empty
            or any(timedelta() < since - start < 3 * DAY for since in changes)
        )

    def _draw_settings(self) -> None:
        """Let a card move to the other vehicle, and the price change twice: to another one, and to a sensor's."""
        self.prices.append((datetime.min.replace(tzinfo=UTC), FIRST_PRICE))
        third = self.days / 3 * DAY
        self._later(self.begin + third, partial(self._change_price, SECOND_PRICE))
        self._later(self.begin + third * 1.5, self._move_card)
        self._later(self.begin + 2 * third, self._use_sensor)

    async def _change_price(self, price: float, **setting: Any) -> None:
        zone = dt_util.get_default_time_zone()
        day = self.world().astimezone(zone).date()
        self.prices.append((datetime.combine(day, time(), zone), price))
        section = {**(setting or {"fixed_price": price}), "price_since": day.isoformat()}
        entry = self.home.entry
        self.home.hass.config_entries.async_update_entry(
            entry, options={**entry.options, "price": section}
        )
        await self.home.settle()

    async def _use_sensor(self) -> None:
        hour = self.begin.replace(minute=0) - 60 * DAY
        hours = [hour + number * HOUR for number in range((self.days + 70) * 24)]
        await record_prices(self.home.hass, dict.fromkeys(hours, SENSORS_PRICE))
        show_price(self.home.hass, SENSORS_PRICE)
        await self._change_price(SENSORS_PRICE, price_entity=SENSOR)

    async def _move_card(self) -> None:
        """Give the first vehicle's card to the second one, with its whole past."""
        entry = self.home.entry
        for vehicle_id, tags in ((ZOE, []), (ID3, [TAGS[1], TAGS[0]])):
            vehicle = entry.subentries[vehicle_id]
            self.home.hass.config_entries.async_update_subentry(
                entry, vehicle, data={**vehicle.data, "tags": tags}
            )
        await self.home.settle()


def end_of(session: SimulatedSession) -> datetime:
    """Return the planned end of a session."""
    assert session.ends_at is not None
    return session.ends_at
