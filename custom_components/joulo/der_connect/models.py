"""What DER Connect answers, as values."""

from dataclasses import dataclass
from datetime import UTC, datetime

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class CarSession:
    """A charging session as the car recorded it, wherever it charged (DER Connect docs, List charge sessions).

    A figure that the service did not send is None. Exact places are not kept.
    """

    id: str
    created_at: datetime | None
    """When the service calculated it; of two records of one session the later one counts."""
    started_at: datetime
    ended_at: datetime | None
    """None where the service sent an end before the start: the length is unknown then."""
    energy_kwh: float | None
    average_power_kw: float | None
    soc_start: float | None
    """Percent of the battery, as `soc_end`."""
    soc_end: float | None
    range_start_km: float | None
    range_end_km: float | None
    label: str | None
    """Name that the user gave the place; of several the one that fits most accurately."""

    def later_of(self, before: CarSession) -> CarSession:
        """Return the one that was calculated later of two records of a session; this one where neither tells."""
        return self if (self.created_at or _NEVER) >= (before.created_at or _NEVER) else before
