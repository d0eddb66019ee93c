"""A quarter with Joulo and DER Connect together; in the end no energy is missing, and none counts twice.

Two cars charge at home and elsewhere. The service calculates once a day and lists late, some sessions twice and some
with other figures days later; Joulo lists some late, corrects others, and removes a few. Time moves by hours or by days.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from math import fsum
from random import Random

from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.joulo.sessions import queries
from custom_components.joulo.sessions.vehicles import attribute
from custom_components.joulo.statistics.series import ELSEWHERE, vehicle_series
from tests.cars import (
    ID3,
    ID3_ENTITY,
    ZOE,
    ZOE_ENTITY,
    add_car,
    add_credentials,
    car_charge,
    in_calendar,
    put,
)
from tests.home import Home
from tests.simulator import (
    GARAGE_ID,
    OPRIT_ID,
    SCHUUR_ID,
    CarCharge,
    SimulatedAccount,
    SimulatedCharger,
    SimulatedDerConnect,
    SimulatedSession,
)

BEGIN = datetime(2026, 9, 1, 0, 0, tzinfo=UTC)  # the clock goes back on 25 October
DAYS = 91
STEPS = (6.1, 24, 36, 60)
"""Hours by which time moves: some reads follow one another, others are missed."""
DAY, HOUR, MINUTE, SECOND = (
    timedelta(**{unit: 1}) for unit in ("days", "hours", "minutes", "seconds")
)
TAG = "04A1B2C3D4E580"


@pytest.fixture(autouse=True)
def _now(freezer: FrozenDateTimeFactory) -> None:
    """Begin with the quarter."""
    freezer.move_to(BEGIN)


@pytest.fixture
def account() -> SimulatedAccount:
    """Return an account with three chargers and no past."""
    account = SimulatedAccount()
    for charger_id, nickname in ((GARAGE_ID, "Garage"), (OPRIT_ID, "Oprit"), (SCHUUR_ID, "Schuur")):
        account.add_charger(SimulatedCharger(id=charger_id, nickname=nickname))
    return account


@dataclass
class Truth:
    """What a car has charged, as the last word of both services tells it."""

    at_home: list[SimulatedSession] = field(default_factory=list)
    told_at_home: dict[str, CarCharge] = field(default_factory=dict)
    elsewhere: dict[str, CarCharge] = field(default_factory=dict)


@dataclass
class Quarter:
    """What happens, drawn by chance from a seed."""

    account: SimulatedAccount
    service: SimulatedDerConnect
    chance: Random
    truths: dict[str, Truth] = field(default_factory=lambda: {ZOE: Truth(), ID3: Truth()})
    happenings: list[tuple[datetime, Callable[[], object]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Draw every day."""
        self._ids = map("session-{}".format, count())
        for number in range(DAYS):
            self._draw_day(BEGIN + number * DAY)
        self.happenings.sort(key=lambda happening: happening[0])

    def happen(self, until: datetime) -> None:
        """Let happen what is due by a moment."""
        while self.happenings and self.happenings[0][0] <= until:
            self.happenings.pop(0)[1]()

    def _later(self, at: datetime, happening: Callable[[], object]) -> None:
        self.happenings.append((at, happening))

    def _time(self, least: float, most: float, unit: timedelta = HOUR) -> timedelta:
        return self.chance.uniform(least, most) * unit

    def _draw_day(self, day: datetime) -> None:
        zoe = self.chance.choice(("card", "card", "no card", "work", "work", "none"))
        if zoe in {"card", "no card"}:
            self._charge_at_home(ZOE, day, GARAGE_ID, TAG if zoe == "card" else None)
        elif zoe == "work":
            self._charge_elsewhere(ZOE, day)
        # Two cars without a card at one time could be told apart by their energy only, if at all.
        id3 = "none" if zoe == "no card" else self.chance.choice(("home", "trip", "none"))
        if id3 == "home":
            self._charge_at_home(ID3, day, OPRIT_ID, None)
        elif id3 == "trip":
            self._charge_elsewhere(ID3, day)
        if self.chance.random() < 0.2:
            # A guest, whose car takes more than ours ever do.
            start = day + self._time(8, 12)
            self.account.plan_session(SCHUUR_ID, start, start + 9 * HOUR, power_kw=10)

    def _charge_at_home(
        self, vehicle_id: str, day: datetime, charger_id: str, tag: str | None
    ) -> None:
        start = day + self._time(16, 18)
        end = start + self._time(1, 6)
        power = self.chance.choice((3.7, 7.4, 9))
        session = SimulatedSession(
            charger_id=charger_id, started_at=start, ends_at=end, power_kw=power, tag=tag
        )
        truth = self.truths[vehicle_id]
        kind = self.chance.random()
        if kind < 0.05:
            self._later(
                end + self._time(2, 5, DAY), partial(self.account.put_back_session, session)
            )
        else:
            self.account.record_session(session)
        if kind > 0.97:
            # Joulo takes the session back: from then on the car alone tells of it.
            self._later(
                end + self._time(2, 5, DAY), partial(self.account.remove_session, session.id)
            )
            self._tell_all(vehicle_id, session, truth.elsewhere)
            return
        if kind > 0.9:
            kwh = round(float(session.kwh_at(end)) * 1.02, 2)
            correct = partial(self.account.correct_session, session.id, kwh=kwh)
            # Later than the longest step, at whose beginning the clock still is.
            self._later(end + self._time(3, 5, DAY), correct)
        truth.at_home.append(session)
        self._tell_all(vehicle_id, session, truth.told_at_home)

    def _tell_all(
        self, vehicle_id: str, session: SimulatedSession, told: dict[str, CarCharge]
    ) -> None:
        """Let a car tell of a session at home: in one piece or in two, and a little off."""
        assert session.ends_at is not None
        length = session.ends_at - session.started_at
        kwh = float(session.kwh_at(session.ends_at)) * self.chance.uniform(0.85, 0.99)
        pieces = self.chance.choice((1, 1, 1, 2))
        for piece in range(pieces):
            start = session.started_at + piece / pieces * length + self._time(0, 14, MINUTE)
            end = session.started_at + (piece + 1) / pieces * length + self._time(-10, 10, MINUTE)
            self._tell(vehicle_id, start, end, kwh / pieces, told)

    def _charge_elsewhere(self, vehicle_id: str, day: datetime) -> None:
        start = day + self._time(6, 10)
        end = start + self._time(0.3, 4)
        self._tell(
            vehicle_id, start, end, self.chance.uniform(2, 60), self.truths[vehicle_id].elsewhere
        )

    def _tell(
        self,
        vehicle_id: str,
        start: datetime,
        end: datetime,
        kwh: float,
        told: dict[str, CarCharge],
    ) -> None:
        """Let the service list what a car tells: late, twice perhaps, and perhaps with other figures later."""
        listed = end.replace(hour=1, minute=30) + DAY + self._time(0, 20)
        charge = car_charge(next(self._ids), start, end, kwh=round(kwh, 3), calculated_at=listed)
        entity_id = ZOE_ENTITY if vehicle_id == ZOE else ID3_ENTITY
        put(self.service, charge, entity_id)
        told[charge.id] = charge
        kind, later = self.chance.random(), listed + self._time(1, 3, DAY)
        if kind < 0.1:
            del told[charge.id]
            double = replace(
                charge,
                id=next(self._ids),
                started_at=start + self._time(-50, 50, SECOND),
                kwh=round(kwh * 1.01, 3),
                calculated_at=later,
            )
            put(self.service, double, entity_id)
            told[double.id] = double
        elif kind < 0.2:
            moved = replace(
                charge,
                started_at=start - self._time(1, 10, MINUTE),
                kwh=round(kwh * 0.99, 3),
                calculated_at=later,
            )
            self._later(later, partial(put, self.service, moved, entity_id))
            told[charge.id] = moved


def assert_nothing_counts_twice(home: Home) -> None:
    """Check that each of a car's sessions is either elsewhere or told of by one session of its vehicle."""
    state = home.entry.runtime_data.history.state
    for vehicle_id, cars in state.cars.items():
        match = state.car_matches[vehicle_id]
        assert sorted([*match.matched, *(each.id for each in match.elsewhere)]) == sorted(
            each.id for each in cars
        )
        for session_id in match.matched.values():
            session = queries.find_session(state, session_id)
            assert session is not None
            assert attribute(session, state.fleet).vehicle_id == vehicle_id


@pytest.mark.parametrize("seed", range(10))
async def test_after_a_quarter_both_services_together_tell_what_each_car_has_charged(
    new_home: Home,
    account: SimulatedAccount,
    service: SimulatedDerConnect,
    service_url: str,
    seed: int,
) -> None:
    home, quarter = new_home, Quarter(account, service, Random(seed))
    add_credentials(home, service_url)
    add_car(home, ZOE, ZOE_ENTITY, tags=[TAG])
    add_car(home, ID3, ID3_ENTITY, chargers=[OPRIT_ID])
    await home.set_up()
    now = BEGIN
    while now < BEGIN + (DAYS + 7) * DAY:
        step = quarter.chance.choice(STEPS) * HOUR
        quarter.happen(now)
        await home.wait(step.total_seconds())
        now += step
        if quarter.chance.random() < 0.02:
            await home.restart()
        if quarter.chance.random() < 0.1:
            assert_nothing_counts_twice(home)
    await home.wait(700)  # a removal takes two reads

    assert quarter.happenings == []
    assert_nothing_counts_twice(home)
    for vehicle_id, name in ((ZOE, "zoe"), (ID3, "id_3")):
        truth = quarter.truths[vehicle_id]
        elsewhere = fsum(each.kwh or 0.0 for each in truth.elsewhere.values())
        told_at_home = fsum(each.kwh or 0.0 for each in truth.told_at_home.values())
        at_home = fsum(float(each.kwh_at(BEGIN + 200 * DAY)) for each in truth.at_home)
        assert home.number(f"sensor.{name}_energy_charged_elsewhere") == pytest.approx(elsewhere)
        assert home.number(f"sensor.{name}_total_energy") == pytest.approx(at_home, abs=0.01)
        # All that the car charged, by its own figures and by Joulo's: they differ by the losses alone.
        assert 0.75 * at_home <= told_at_home <= 1.1 * at_home
        state = home.entry.runtime_data.history.state
        known = {each.id: each.energy_kwh for each in state.cars[vehicle_id]}
        final = truth.elsewhere | truth.told_at_home
        assert known == {key: each.kwh for key, each in final.items()}
        hours = vehicle_series(state, vehicle_id, now).amounts()[ELSEWHERE]
        assert fsum(fsum(each.values()) for each in hours) == pytest.approx(elsewhere)
        shown = await in_calendar(home.hass, BEGIN, now, name)
        assert len(shown) == len(truth.at_home) + len(truth.elsewhere)
