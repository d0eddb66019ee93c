"""What an account consists of: chargers, and the charging sessions on them."""

from dataclasses import dataclass, field
import datetime as dt
from decimal import Decimal
from functools import lru_cache
from uuid import uuid4

from .clock import local, whole_second
from .figures import ZERO, ere_credits, hundredths

_MICROSECOND = dt.timedelta(microseconds=1)
_MICROSECONDS_PER_HOUR = 3_600_000_000

# Most sessions are over, and every answer adds them up again.
_remembering = lru_cache(maxsize=16_384)
_local_start = _remembering(local)
_ere_credits = _remembering(ere_credits)


def new_id() -> str:
    """Return a fresh UUID."""
    return str(uuid4())


@dataclass(slots=True, kw_only=True)
class SimulatedCharger:
    """A charger: what the service knows of it apart from its sessions."""

    nickname: str
    id: str = field(default_factory=new_id)
    connection_type: str = "easee"
    status: str = "online"
    mid_certified: bool = True
    # The reading in Wh before the first known session; None for a charger without a meter.
    meter_start_wh: int | None = None
    ocpp_identity: str | None = None
    linked: bool = True
    rebooted_at: dt.datetime | None = None


@dataclass(slots=True, kw_only=True)
class SimulatedSession:
    """A charging session whose energy follows from the clock alone.

    It draws `power_kw` from `started_at` until `ends_at`, which may lie ahead or be unknown yet.
    `final_kwh` replaces the computed energy once the session has ended.
    """

    charger_id: str
    started_at: dt.datetime
    ends_at: dt.datetime | None = None
    power_kw: float = 11.0
    tag: str | None = None
    final_kwh: Decimal | None = None
    id: str = field(default_factory=new_id)

    def __post_init__(self) -> None:
        """Keep to whole seconds: a listed `started_at` must find its session again."""
        self.started_at = whole_second(self.started_at)
        if self.ends_at is not None:
            self.ends_at = whole_second(self.ends_at)

    @property
    def local_start(self) -> dt.datetime:
        """The start in Europe/Amsterdam: it decides the month and the year."""
        return _local_start(self.started_at)

    def has_started(self, now: dt.datetime) -> bool:
        """Tell whether the session exists yet."""
        return self.started_at <= now

    def has_ended(self, now: dt.datetime) -> bool:
        """Tell whether the session is completed."""
        return self.ends_at is not None and self.ends_at <= now

    def is_running(self, now: dt.datetime) -> bool:
        """Tell whether the session is in progress."""
        return self.has_started(now) and not self.has_ended(now)

    def kwh_at(self, now: dt.datetime) -> Decimal:
        """Return the energy delivered until `now` in kWh, in hundredths."""
        if self.ends_at is None or now < self.ends_at:
            return _delivered(self.power_kw, self.started_at, now)
        if self.final_kwh is not None:
            return self.final_kwh
        return _delivered_in_all(self.power_kw, self.started_at, self.ends_at)

    def ere_at(self, now: dt.datetime) -> Decimal | None:
        """Return the ERE credits earned until `now`; None without energy."""
        return _ere_credits(self.kwh_at(now), self.local_start.year)

    def end(self, moment: dt.datetime) -> None:
        """Let the session end, or have ended, at `moment`."""
        self.ends_at = whole_second(moment)

    def overlaps(self, other: SimulatedSession) -> bool:
        """Tell whether both sessions would hold one charger at some moment."""
        return (
            self.charger_id == other.charger_id
            and (self.ends_at is None or other.started_at < self.ends_at)
            and (other.ends_at is None or self.started_at < other.ends_at)
        )


def _delivered(power_kw: float, start: dt.datetime, end: dt.datetime) -> Decimal:
    """Return the energy that `power_kw` comes to in kWh, in hundredths; zero before the start."""
    if end <= start:
        return ZERO
    microseconds = Decimal((end - start) // _MICROSECOND)
    return hundredths(Decimal(str(power_kw)) * microseconds / _MICROSECONDS_PER_HOUR)


_delivered_in_all = _remembering(_delivered)
