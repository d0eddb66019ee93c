"""On-disk format of the charging history.

A field that is missing or damaged falls back to its default; the others are kept.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
import re
from typing import Any, NamedTuple

from mashumaro import field_options

from ..api import ChargingSession, Cursor
from ..api.models import Model, parse_model, parse_models
from ..api.parsing import parse_datetime, parse_number, parse_text
from .hourly import Reading
from .model import (
    LONGEST_SNOOZE,
    Backfill,
    ChargerHistory,
    HistoryState,
    Meter,
    RemovedSession,
    SessionEventType,
    SessionRecord,
)
from .vehicles import Fleet

_COMPOUND = (Model, dict, list, tuple)

_NAME = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*")
"""What the id of a statistic may consist of."""

_RELOAD = timedelta(seconds=10)
"""A reload takes less, a restart of Home Assistant more."""


class Restored(NamedTuple):
    """A state that was stored, and the keys of the document of which something could not be read."""

    state: HistoryState
    damaged: tuple[str, ...]


def from_stored(document: object, now: datetime) -> HistoryState:
    """Return the state that a stored document holds, at a start of the integration right now."""
    return restore(document, now).state


def restore(document: object, now: datetime) -> Restored:
    """Return the state that a stored document holds, and what is damaged in it."""
    stored = parse_model(_StoredHistory)(document)
    if stored is None:
        return Restored(HistoryState(observing_since=now), () if document is None else ("all",))
    try:
        damaged = tuple(_damaged(document, stored))
    except RecursionError:
        damaged = ("nested",)
    return Restored(_state(stored, now), damaged)


def _damaged(document: Any, stored: _StoredHistory) -> Iterator[str]:
    """Yield the keys of a document that hold more than could be read."""
    # What cannot be read of these is taken for more than it is.
    is_told = all(_holds_types(types) for _, types in _items(document.get("told")))
    for each in fields(stored):
        is_whole = is_told or each.name != "told"
        if not is_whole or _extent(document.get(each.name)) > _extent(getattr(stored, each.name)):
            yield each.name


def _extent(value: object) -> int:
    """Return how many single values there are in a part of a document, or of what was read of it."""
    match value:
        case Model():
            return _extent(value.to_dict())
        case dict():
            return _extent([*value.values()])
        case list() | tuple():
            # Most are single values, and there are many: a call for each would take longer than all else.
            return sum(
                _extent(item) if isinstance(item, _COMPOUND) else item is not None for item in value
            )
    return int(value is not None)


def _state(stored: _StoredHistory, now: datetime) -> HistoryState:
    chargers = _chargers(stored)
    # Without a record of events that were fired, none is fired twice.
    announce_since = stored.installed_at if stored.told is not None else stored.watched_until
    if announce_since is None and stored.last_full_read is not None:
        # It is set with the first read of all sessions, so it was there.
        announce_since = stored.watched_until or stored.last_full_read
    return HistoryState(
        chargers=chargers,
        announced=stored.told or {},
        announce_since=_not_after(announce_since, max([now, *_moments(chargers)])),
        observing_since=_observing_since(stored, now),
        last_read=_not_after(stored.last_read, now),
        last_full_read=_not_after(stored.last_full_read, now),
        backfill=stored.resume,
        mismatch_snoozed_until=_not_after(stored.reread_after, now + LONGEST_SNOOZE),
        set_aside={
            each.session.id: RemovedSession(
                min(each.removed_at, now), _record(stored, each.session)
            )
            for each in stored.set_aside
        },
        kept=frozenset(stored.kept),
        fleet=Fleet(assigned=stored.assigned),
        priced_by=stored.priced_by,
        statistics=stored.statistics,
    )


def _not_after(moment: datetime | None, latest: datetime) -> datetime | None:
    """Return a stored moment, or the latest plausible one: a clock that was ahead when it was stored is right by now."""
    return moment and min(moment, latest)


def _moments(chargers: Mapping[str, ChargerHistory]) -> Iterator[datetime]:
    """Yield the starts and ends of all sessions."""
    for charger in chargers.values():
        for session in charger.timeline:
            yield session.started_at
            if session.ended_at is not None:
                yield session.ended_at


def to_stored(state: HistoryState, now: datetime) -> dict[str, Any]:
    """Return the document to store. It takes long for a long history: not for the event loop."""
    records = {
        session_id: record
        for charger in state.chargers.values()
        for session_id, record in charger.records.items()
    }
    removed = {session_id: each.record for session_id, each in state.set_aside.items()}
    details = removed | records
    return _StoredHistory(
        installed_at=state.announce_since,
        watched_since=state.observing_since,
        watched_until=now,
        last_read=state.last_read,
        last_full_read=state.last_full_read,
        reread_after=state.mismatch_snoozed_until,
        resume=state.backfill,
        sessions=tuple(record.listed for record in records.values() if record.listed),
        live=tuple(record.observed for record in records.values() if record.observed),
        readings={key: record.readings for key, record in details.items() if record.readings},
        values={key: record.value for key, record in details.items() if record.value is not None},
        prices={key: record.prices for key, record in details.items() if record.prices},
        priced_by=state.priced_by,
        told=dict(state.announced),
        set_aside=tuple(
            _StoredRemoval(removed_at=each.at, session=each.record.session)
            for each in state.set_aside.values()
        ),
        kept=tuple(sorted(state.kept)),
        meters={key: each.meter.wh for key, each in state.chargers.items() if each.meter},
        chargers=tuple(key for key, each in state.chargers.items() if each.was_listed),
        statistics=dict(state.statistics),
        assigned=dict(state.fleet.assigned),
    ).to_dict()


def _record(stored: _StoredHistory, session: ChargingSession) -> SessionRecord:
    return SessionRecord(listed=session, **_details(stored, session.id))


def _details(stored: _StoredHistory, session_id: str) -> dict[str, Any]:
    """Return what is known of a session beside what Joulo has sent."""
    return {
        "readings": stored.readings.get(session_id, ()),
        "value": stored.values.get(session_id),
        "prices": stored.prices.get(session_id, ()),
    }


def _chargers(stored: _StoredHistory) -> dict[str, ChargerHistory]:
    listed = {session.id: session for session in stored.sessions}
    observed = {session.id: session for session in stored.live}
    chargers: dict[str, dict[str, SessionRecord]] = {}
    for session_id in listed | observed:
        record = SessionRecord(
            listed=listed.get(session_id),
            observed=observed.get(session_id),
            **_details(stored, session_id),
        )
        chargers.setdefault(record.session.charger_id, {})[session_id] = record
    return {
        charger_id: ChargerHistory(
            records=chargers.get(charger_id, {}),
            meter=Meter(stored.meters[charger_id]) if charger_id in stored.meters else None,
            # An earlier version did not note it, and took every id for a charger's.
            was_listed=stored.chargers is None or charger_id in stored.chargers,
        )
        for charger_id in chargers | stored.meters | dict.fromkeys(stored.chargers or ())
    }


def _observing_since(stored: _StoredHistory, now: datetime) -> datetime:
    since, until = stored.watched_since, stored.watched_until
    was_reload = until is not None and timedelta() <= now - until < _RELOAD
    return since if since and was_reload else now


def _items(value: object) -> Iterable[tuple[str, Any]]:
    return value.items() if isinstance(value, dict) else ()


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _parse_texts(value: object) -> tuple[str, ...]:
    return tuple(text for item in _list(value) if (text := parse_text(item)) is not None)


def _parse_backfill(value: object) -> Backfill | None:
    match value:
        case [begun, str(text)] if (at := parse_datetime(begun)) and (
            moment := parse_datetime(text)
        ):
            return Backfill(at, Cursor(moment, text))
    return None


def _format_backfill(backfill: Backfill | None) -> tuple[str, str] | None:
    return backfill and (backfill.begun.isoformat(), backfill.cursor.text)


def _parse_reading(value: object) -> Reading | None:
    match value:
        case [float(at), float(figure)] if parse_number(figure) is not None:
            try:
                return datetime.fromtimestamp(at, UTC), figure
            except ValueError, OverflowError, OSError:
                return None
    return None


def _parse_readings(value: object) -> dict[str, tuple[Reading, ...]]:
    return {
        session_id: tuple(reading for item in _list(items) if (reading := _parse_reading(item)))
        for session_id, items in _items(value)
    }


def _format_readings(readings: Mapping[str, Iterable[Reading]]) -> dict[str, list[list[float]]]:
    """Return readings as short as they can be written: there are many."""
    return {
        session_id: [[at.timestamp(), float(kwh)] for at, kwh in items]
        for session_id, items in readings.items()
    }


def _parse_values(value: object) -> dict[str, float]:
    return {
        session_id: number
        for session_id, item in _items(value)
        # No session and no charger has an empty id.
        if session_id and (number := parse_number(item)) is not None
    }


def _parse_chargers(value: object) -> tuple[str, ...] | None:
    return _parse_texts(value) if isinstance(value, list) else None


def _parse_names(value: object) -> dict[str, str]:
    names = {key: parse_text(item) for key, item in _items(value)}
    # The recorder takes no others, and one would stop the rest.
    return {key: name for key, name in names.items() if name and _NAME.fullmatch(name)}


def _parse_assigned(value: object) -> dict[str, str]:
    return {key: item for key, item in _items(value) if isinstance(item, str)}


def _parse_announced(value: object) -> dict[str, tuple[str, ...]] | None:
    if not isinstance(value, dict):
        return None
    return {session_id: _parse_types(items) for session_id, items in _items(value)}


def _parse_types(value: object) -> tuple[str, ...]:
    """Return the event types that were fired; of what cannot be read all are taken for fired, so that none is twice."""
    return _parse_texts(value) if _holds_types(value) else tuple(SessionEventType)


def _holds_types(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _sessions() -> Any:
    parse = parse_models(ChargingSession, lambda session: session.id)
    return field(default=(), metadata=field_options(deserialize=parse))


@dataclass(frozen=True, slots=True, kw_only=True)
class _StoredRemoval(Model):
    """A session that was removed, and when."""

    required = ("removed_at", "session")

    removed_at: datetime
    session: ChargingSession = field(
        metadata=field_options(deserialize=parse_model(ChargingSession))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _StoredHistory(Model):
    """The document. Its keys stay as the first version wrote them, whatever the state calls them."""

    installed_at: datetime | None = None
    watched_since: datetime | None = None
    watched_until: datetime | None = None
    last_read: datetime | None = None
    last_full_read: datetime | None = None
    reread_after: datetime | None = None
    resume: Backfill | None = field(
        default=None, metadata=field_options(_format_backfill, _parse_backfill)
    )
    sessions: tuple[ChargingSession, ...] = _sessions()
    live: tuple[ChargingSession, ...] = _sessions()
    readings: dict[str, tuple[Reading, ...]] = field(
        default_factory=dict, metadata=field_options(_format_readings, _parse_readings)
    )
    values: dict[str, float] = field(
        default_factory=dict, metadata=field_options(deserialize=_parse_values)
    )
    prices: dict[str, tuple[Reading, ...]] = field(
        default_factory=dict, metadata=field_options(_format_readings, _parse_readings)
    )
    priced_by: str | None = None
    told: dict[str, tuple[str, ...]] | None = field(
        default=None, metadata=field_options(deserialize=_parse_announced)
    )
    set_aside: tuple[_StoredRemoval, ...] = field(
        default=(),
        metadata=field_options(
            deserialize=parse_models(_StoredRemoval, lambda removal: removal.session.id)
        ),
    )
    meters: dict[str, float] = field(
        default_factory=dict, metadata=field_options(deserialize=_parse_values)
    )
    kept: tuple[str, ...] = field(default=(), metadata=field_options(deserialize=_parse_texts))
    chargers: tuple[str, ...] | None = field(
        default=None, metadata=field_options(deserialize=_parse_chargers)
    )
    """Ids of those that Joulo has ever listed."""
    statistics: dict[str, str] = field(
        default_factory=dict, metadata=field_options(deserialize=_parse_names)
    )
    assigned: dict[str, str] = field(
        default_factory=dict, metadata=field_options(deserialize=_parse_assigned)
    )
