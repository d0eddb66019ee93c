"""What is written down of the history. What an older version wrote, or is damaged, costs only itself."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from mashumaro import field_options

from .api import ChargingSession, Cursor
from .api.models import Model, parse_models
from .api.parsing import parse_datetime, parse_number, parse_text
from .hours import Reading

_RELOAD = timedelta(seconds=10)
"""A reload takes less, a restart of Home Assistant more."""


def _items(value: object) -> Iterable[tuple[str, Any]]:
    return value.items() if isinstance(value, dict) else ()


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _read_texts(value: object) -> tuple[str, ...]:
    return tuple(text for item in _listed(value) if (text := parse_text(item)) is not None)


type Resume = tuple[datetime, Cursor]
"""When a read of all sessions began, and where its next page begins."""


def _read_resume(value: object) -> Resume | None:
    match value:
        case [begun, str(text)] if (at := parse_datetime(begun)) and (
            moment := parse_datetime(text)
        ):
            return at, Cursor(moment, text)
    return None


def _write_resume(resume: Resume | None) -> tuple[str, str] | None:
    return resume and (resume[0].isoformat(), resume[1].text)


def _read_reading(value: object) -> Reading | None:
    match value:
        case [float(at), float(kwh)]:
            try:
                return datetime.fromtimestamp(at, UTC), kwh
            except ValueError, OverflowError, OSError:
                return None
    return None


def _read_readings(value: object) -> dict[str, tuple[Reading, ...]]:
    return {
        session_id: tuple(reading for item in _listed(items) if (reading := _read_reading(item)))
        for session_id, items in _items(value)
    }


def _write_readings(readings: Mapping[str, Iterable[Reading]]) -> dict[str, list[list[float]]]:
    """Return readings as short as they can be written: there are many."""
    return {
        session_id: [[at.timestamp(), float(kwh)] for at, kwh in items]
        for session_id, items in readings.items()
    }


def _read_values(value: object) -> dict[str, float]:
    return {
        session_id: number
        for session_id, item in _items(value)
        if (number := parse_number(item)) is not None
    }


def _read_told(value: object) -> dict[str, tuple[str, ...]] | None:
    if not isinstance(value, dict):
        return None
    return {session_id: _read_texts(items) for session_id, items in _items(value)}


def _sessions() -> Any:
    read = parse_models(ChargingSession, lambda session: session.id)
    return field(default=(), metadata=field_options(deserialize=read))


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive(Model):
    """The file's content; what the fields mean is said in `SessionHistory`."""

    installed_at: datetime | None = None
    watched_since: datetime | None = None
    watched_until: datetime | None = None
    last_read: datetime | None = None
    last_full_read: datetime | None = None
    reread_after: datetime | None = None
    resume: Resume | None = field(default=None, metadata=field_options(_write_resume, _read_resume))
    sessions: tuple[ChargingSession, ...] = _sessions()
    live: tuple[ChargingSession, ...] = _sessions()
    readings: dict[str, tuple[Reading, ...]] = field(
        default_factory=dict, metadata=field_options(_write_readings, _read_readings)
    )
    values: dict[str, float] = field(
        default_factory=dict, metadata=field_options(deserialize=_read_values)
    )
    told: dict[str, tuple[str, ...]] | None = field(
        default=None, metadata=field_options(deserialize=_read_told)
    )

    def watching_since(self, now: datetime) -> datetime:
        """Return since when nothing can have passed unseen, at a start right now."""
        since, until = self.watched_since, self.watched_until
        was_reload = until is not None and timedelta() <= now - until < _RELOAD
        return since if since and was_reload else now

    def telling_since(self) -> datetime | None:
        """Return from when on sessions are news: what has been told already must not be told again."""
        return self.installed_at if self.told is not None else self.watched_until
