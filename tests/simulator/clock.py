"""The clocks of the simulator: one for the world, one for the wall."""

from collections.abc import Callable
from dataclasses import dataclass, field
import datetime as dt  # through the module, so that a test's frozen time is seen
from zoneinfo import ZoneInfo

type Clock = Callable[[], dt.datetime]

AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def system_clock() -> dt.datetime:
    """Return the present moment in UTC, frozen time included."""
    return dt.datetime.now(dt.UTC)


def standing_clock(moment: dt.datetime) -> Clock:
    """Return a clock that always shows `moment`."""
    return lambda: moment


@dataclass(frozen=True, slots=True)
class ScaledClock:
    """A clock that shows `start` when made and runs `speed` times as fast from there."""

    speed: float
    start: dt.datetime
    made_at: dt.datetime = field(default_factory=system_clock, init=False)

    def __call__(self) -> dt.datetime:
        """Return the scaled moment in UTC."""
        return self.start + (system_clock() - self.made_at) * self.speed


def whole_second(moment: dt.datetime) -> dt.datetime:
    """Return `moment` in UTC, cut off to the whole seconds that the API can express."""
    return moment.astimezone(dt.UTC).replace(microsecond=0)


def timestamp(moment: dt.datetime) -> str:
    """Word `moment` as the API does, such as `2026-04-08T18:30:00Z`."""
    return whole_second(moment).strftime("%Y-%m-%dT%H:%M:%SZ")


def local(moment: dt.datetime) -> dt.datetime:
    """Return `moment` on the clock that Joulo's months and years follow."""
    return moment.astimezone(AMSTERDAM)
