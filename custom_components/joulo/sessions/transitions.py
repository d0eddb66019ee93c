"""Every way in which the charging history may change: pure functions from a state to the next one.

Each returns the new state and what has changed in it. Where nothing has, that is the given state itself.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from ..api import AccountProfile, Charger, ChargingSession, CurrentSession
from .cars import CarSessions
from .cost import Tariff, merged
from .ere import ere_credits, estimated_ere, session_value
from .hourly import HOUR, Reading, hour_of
from .matching import Matching
from .model import (
    Backfill,
    Change,
    ChargerHistory,
    HistoryState,
    Meter,
    RemovedSession,
    SessionEventType,
    SessionRecord,
)
from .vehicles import Vehicle

type Transition = tuple[HistoryState, Change]

_CONFIRM_REMOVAL = timedelta(minutes=10)
"""Time between the two complete reads that have to miss a session before it goes."""
_MOST_REMOVED = 5
_MOST_REMOVED_SHARE = 0.1
"""Sessions that may go at once, and the share of those in the time of the read. More than both is no correction."""
_SET_ASIDE_FOR = timedelta(days=30)
_MOST_AHEAD = timedelta(days=1)
"""Time that a start may lie in the future: Joulo's clock is not ours."""
_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
"""Before all sessions."""
_BELIEVE_METER = timedelta(minutes=15)
"""Time between two answers that have to show a jump of the meter before it is believed."""
_MOST_METERED_WH = 1_000_000
"""A rise between two answers that no charger delivers in a week."""
_CONFIRM_SESSION = timedelta(hours=1)
"""Time from the end of a session for which Joulo may not list it yet: it reads some chargers every 15 minutes."""
_LONGEST_GAP = timedelta(minutes=20)
"""Time between two reports beyond which a session counts as ended at the first, not at the second."""


def apply_report(
    state: HistoryState,
    chargers: Iterable[Charger],
    at: datetime,
    previous_at: datetime | None = None,
) -> Transition:
    """Take over what `/chargers` showed at a moment of the sessions that are active.

    `previous_at` is the moment of the report before: a session whose energy grows now had paused until then.
    """
    draft = _Draft(state)
    chargers = tuple(chargers)
    holders = _holders(draft, chargers)
    for charger in chargers:
        draft.certify(charger)
        draft.read_meter(charger, at)
        current = charger.current_session
        # A session that two chargers show is the first one's.
        if current is None or holders[current.id] == charger.id:
            _apply_charger(draft, charger, at, previous_at)
    return draft.finish()


def _holders(draft: _Draft, chargers: Iterable[Charger]) -> dict[str, str]:
    """Return the charger of each session that is shown: the one it was active on before, else the first."""
    holders: dict[str, str] = {}
    for charger in chargers:
        if (current := charger.current_session) is not None:
            holders.setdefault(current.id, charger.id)
            if draft.active(charger.id) == current.id:
                holders[current.id] = charger.id
    return holders


def _apply_charger(
    draft: _Draft, charger: Charger, at: datetime, previous_at: datetime | None
) -> None:
    current = charger.current_session
    if current is not None and is_ahead(current.started_at, at):
        return
    if current is None or _has_ended(draft, charger, current):
        # An answer that says "charging" and shows no session is no news.
        if current is not None or not charger.is_charging:
            _end_active(draft, charger.id, _end_between(previous_at, at))
        return
    if (previous := draft.active(charger.id)) != current.id:
        # However late that is seen: the session before had ended when this one began.
        _end_active(draft, charger.id, min(at, current.started_at))
        if previous is not None:
            _drop_other_id(draft, previous, charger, current)
        draft.activate(charger.id, current.id)
    before = draft.record_or_removed(current.id, charger.id)
    observed = _observed(charger, current, before.observed)
    readings = before.readings
    if current.kwh_so_far is not None and not _is_known(readings, current.kwh_so_far):
        if previous_at is not None and before.observed is not None:
            readings = _with_pause(readings, previous_at, at, before.observed.kwh)
        readings = _with_reading(readings, at, current.kwh_so_far)
    if observed == before.observed and readings is before.readings:
        return
    is_progress = (
        before.observed is not None
        and before.observed.id_tag == observed.id_tag
        and len(readings) == len(before.readings)
    )
    draft.put(
        observed.id,
        replace(before, observed=observed, readings=readings),
        Change.PROGRESS if is_progress else Change.OBSERVED,
    )


def _drop_other_id(
    draft: _Draft, session_id: str, charger: Charger, current: CurrentSession
) -> None:
    """Drop a session that began at the moment of the one shown now: it was the same one, by an id that was wrong.

    A session that Joulo lists stays.
    """
    record = draft.record(session_id, charger.id)
    if record is None or record.listed is not None or record.session.charger_id != charger.id:
        return
    if record.session.started_at == current.started_at:
        draft.remove(session_id, charger.id)


def _end_between(previous_at: datetime | None, at: datetime) -> datetime:
    """Return when a session ended that the report before showed and this one does not."""
    if previous_at is None or at - previous_at <= _LONGEST_GAP:
        return at
    return previous_at


def is_ahead(start: datetime, now: datetime) -> bool:
    """Whether a start lies so far in the future that it cannot be right."""
    return start - now > _MOST_AHEAD


def _has_ended(draft: _Draft, charger: Charger, current: CurrentSession) -> bool:
    """Whether Joulo lists the end of a session that a charger shows: here, or while another charger had it."""
    record = draft.record(current.id, charger.id)
    if record is None or not record.is_confirmed:
        return False
    return not charger.is_charging or record.session.charger_id != charger.id


def _observed(
    charger: Charger, current: CurrentSession, before: ChargingSession | None
) -> ChargingSession:
    return ChargingSession(
        id=current.id,
        charger_id=charger.id,
        charger_nickname=charger.nickname,
        started_at=current.started_at,
        kwh=current.kwh_so_far,
        ere_credits=estimated_ere(current.kwh_so_far, current.started_at),
        # The card stays the same for a whole session, even if an answer leaves it out.
        id_tag=current.id_tag or (before.id_tag if before else None),
    )


def _is_known(readings: tuple[Reading, ...], kwh: float | None) -> bool:
    """Whether an energy is that of the last reading: an equal one tells nothing."""
    return bool(readings) and readings[-1][1] == kwh


def _with_reading(readings: tuple[Reading, ...], at: datetime, kwh: float) -> tuple[Reading, ...]:
    """Keep the last reading of every hour in which the energy changed."""
    if readings and hour_of(readings[-1][0]) == hour_of(at):
        readings = readings[:-1]
    return (*readings, (at, kwh))


def _with_pause(
    readings: tuple[Reading, ...], previous_at: datetime, at: datetime, kwh: float | None
) -> tuple[Reading, ...]:
    """Add the end of a pause, so that no energy is spread over its hours.

    The pause lasted until the report before, which showed the energy of the last reading. It is noted up
    to the end of the hour before the one in which the energy grows: an hour keeps one reading.
    """
    end = min(previous_at, hour_of(at) - timedelta.resolution)
    if not _is_known(readings, kwh) or kwh is None or end <= readings[-1][0]:
        return readings
    return _with_reading(readings, end, kwh)


def _with_meter(before: Meter | None, wh: float | None, at: datetime) -> Meter | None:
    """Return the believed reading. Meters only count up, and slowly: a 0 is none, and other jumps have to be shown twice."""
    if wh is None or (before is not None and before.wh and not wh):
        return before
    if before is None or before.wh <= wh <= before.wh + _MOST_METERED_WH:
        return Meter(wh)
    since = before.doubted_since or at
    return Meter(wh) if at - since >= _BELIEVE_METER else Meter(before.wh, since)


def end_active(state: HistoryState, charger_ids: Iterable[str], at: datetime) -> Transition:
    """End the active sessions of chargers that the account has no more."""
    draft = _Draft(state)
    for charger_id in charger_ids:
        _end_active(draft, charger_id, at)
    return draft.finish()


def _end_active(draft: _Draft, charger_id: str, at: datetime) -> None:
    session_id = draft.active(charger_id)
    if session_id is None:
        return
    draft.activate(charger_id, None)
    record = draft.record(session_id, charger_id)
    # A session that has moved goes on at another charger.
    if record is not None and record.observed is not None and not draft.is_active(session_id):
        ended = replace(record.observed, ended_at=max(at, record.observed.started_at))
        draft.put(session_id, replace(record, observed=ended), Change.OBSERVED)


def upsert_listed(state: HistoryState, sessions: Iterable[ChargingSession]) -> Transition:
    """Take over and value what `/sessions` lists. A session that was set aside gets back what was known of it."""
    draft = _Draft(state)
    for session in sessions:
        before = draft.record_or_removed(session.id, session.charger_id)
        after = _with_listed(before, session)
        if after.is_confirmed and not draft.is_active(session.id):
            after = replace(after, observed=None)
        is_back = session.id in state.set_aside
        if after != before or is_back:
            is_news = after.listed != before.listed or is_back
            draft.put(session.id, after, Change.SESSIONS if is_news else Change.OBSERVED)
    return draft.finish()


def _with_listed(before: SessionRecord, session: ChargingSession) -> SessionRecord:
    session = _with_known(session, before)
    if session == before.listed:
        return before
    known = before.listed
    gains_ere = known and ere_credits(session) and not ere_credits(known)
    counts_otherwise = known and (session.counts_for_ere is False) != (
        known.counts_for_ere is False
    )
    # A session that was worth nothing for want of energy, counts otherwise or goes on after all, is valued anew.
    is_anew = gains_ere or counts_otherwise or session.ended_at is None
    value = None if is_anew else before.value
    return replace(before, listed=session, value=value)


def _with_known(session: ChargingSession, before: SessionRecord) -> ChargingSession:
    """Return a session with the tag and the numbers that an earlier answer had and this one lacks."""
    known = before.listed
    kwh, ere = session.kwh, session.ere_credits
    if known is not None:
        kwh = known.kwh if kwh is None else kwh
        # Without energy there are no credits, and Joulo sends none.
        ere = known.ere_credits if ere is None and kwh else ere
    tag = session.id_tag or _known_tag(before)
    if (kwh, ere, tag) == (session.kwh, session.ere_credits, session.id_tag):
        return session
    return replace(session, kwh=kwh, ere_credits=ere, id_tag=tag)


def _known_tag(record: SessionRecord) -> str | None:
    """Return the tag that an earlier answer showed."""
    earlier = (record.listed, record.observed)
    return next((session.id_tag for session in earlier if session and session.id_tag), None)


def assign_values(state: HistoryState, profile: AccountProfile | None) -> Transition:
    """Value every completed session that has no value yet; a later price does not change a value."""
    if profile == state.profile:
        return state, Change.NONE
    draft = _Draft(replace(state, profile=profile))
    for charger_id in state.chargers:
        draft.assign_values(charger_id)
    return draft.finish()


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteRead:
    """A read of `/sessions` that reached its far end: the ids that it listed, and the time that it covers.

    `since` is None where it covers all. `charger_ids` are those that the account has.
    """

    seen: Collection[str]
    since: datetime | None
    until: datetime
    charger_ids: Collection[str]

    def covers(self, record: SessionRecord) -> bool:
        """Whether the read should list a session."""
        start = _listed_start(record)
        return (self.since is None or start >= self.since) and start <= self.until

    def missing(self, state: HistoryState) -> dict[str, str]:
        """Return the sessions that the read should list and does not: charger id by session id.

        A session that is older than all that Joulo still lists was archived, and one whose charger
        neither the account nor the read has went with its charger, if Joulo ever listed that: neither is
        missing. Nor is one that is active or has just ended, or that the user keeps.
        """
        records = [
            (session_id, charger_id, record)
            for charger_id, charger in state.chargers.items()
            for session_id, record in charger.records.items()
        ]
        shown = {*self.charger_ids}
        shown.update(key for key, charger in state.chargers.items() if not charger.was_listed)
        shown.update(charger_id for each, charger_id, _ in records if each in self.seen)
        exempt = {charger.active for charger in state.chargers.values()} | state.kept
        absent = [
            (session_id, charger_id, record)
            for session_id, charger_id, record in records
            if session_id not in self.seen and self.covers(record)
        ]
        absent_ids = {session_id for session_id, _, _ in absent}
        oldest = min(
            (_listed_start(record) for each, _, record in records if each not in absent_ids),
            default=None,
        )
        return {
            session_id: charger_id
            for session_id, charger_id, record in absent
            if session_id not in exempt
            and charger_id in shown
            and not self._may_be_listed_later(record)
            and (oldest is None or _listed_start(record) >= oldest)
        }

    def _may_be_listed_later(self, record: SessionRecord) -> bool:
        """Whether a session was seen to end so short a time ago that Joulo may not list it yet."""
        end = record.observed.ended_at if record.observed and record.listed is None else None
        return end is not None and self.until - end < _CONFIRM_SESSION


def _listed_start(record: SessionRecord) -> datetime:
    return (record.listed or record.session).started_at


def remove_missing(state: HistoryState, read: CompleteRead, at: datetime) -> Transition:
    """Set aside the sessions that two complete reads of their time, ten minutes apart, did not list.

    `HistoryState.missing_since` holds the sessions that wait for a second read. Where more are gone at
    once than Joulo corrects in practice, they stay, and `HistoryState.unlisted` holds them.
    """
    if not read.seen:
        return state, Change.NONE
    covered = {
        session_id
        for charger in state.chargers.values()
        for session_id, record in charger.records.items()
        if read.covers(record)
    }
    missing = read.missing(state)
    since = {each: state.missing_since.get(each, at) for each in missing}
    gone = {each for each in missing if at - since[each] >= _CONFIRM_REMOVAL}
    is_too_many = len(gone) > max(_MOST_REMOVED, _MOST_REMOVED_SHARE * len(covered))
    removed = set() if is_too_many else gone
    elsewhere = {each: first for each, first in state.missing_since.items() if each not in covered}
    state, _ = _with(
        state,
        Change.NONE,
        missing_since=elsewhere | {each: since[each] for each in since if each not in removed},
        kept=state.kept - {*read.seen},
        set_aside={
            each: session
            for each, session in state.set_aside.items()
            if at - session.at < _SET_ASIDE_FOR
        },
    )
    unlisted = state.unlisted - covered | (gone - removed)
    state, change = _with(state, Change.UNLISTED, unlisted=unlisted)
    state, removal = _set_aside(state, removed, at)
    return state, change | removal


def remove_unlisted(state: HistoryState, at: datetime) -> Transition:
    """Set aside all sessions that Joulo does not list any more, however many."""
    state, removal = _set_aside(state, state.unlisted, at)
    state, change = _with(state, Change.UNLISTED, unlisted=frozenset())
    return state, change | removal


def keep_unlisted(state: HistoryState) -> Transition:
    """Keep all sessions that Joulo does not list any more, as long as it does not list them again."""
    kept = state.kept | state.unlisted
    return _with(state, Change.UNLISTED, kept=kept, unlisted=frozenset())


def _set_aside(state: HistoryState, session_ids: Collection[str], at: datetime) -> Transition:
    """Remove sessions, and keep what is known of them for a while: Joulo may list them again."""
    draft = _Draft(state)
    set_aside = dict(state.set_aside)
    for charger_id, charger in state.chargers.items():
        for session_id in charger.records.keys() & session_ids:
            set_aside[session_id] = RemovedSession(at, charger.records[session_id])
            draft.remove(session_id, charger_id)
    state, change = draft.finish()
    waiting = {each: at for each, at in state.missing_since.items() if each not in session_ids}
    return replace(state, set_aside=set_aside, missing_since=waiting) if change else state, change


def begin_announcing(
    state: HistoryState, at: datetime, ahead: Iterable[ChargingSession] = ()
) -> Transition:
    """Take all that is known for the past, which fires no event, once; an open session fires its end.

    That is done when all sessions have been read for the first time, by Joulo's own moments. Those that
    lie ahead of this clock, which may be wrong as theirs may, are remembered one by one. `ahead` are the
    sessions that were left out because they start in the future: by a clock that is wrong all may.
    """
    if state.announce_since is not None:
        return state, Change.NONE
    records = [record for charger in state.chargers.values() for record in charger.records.values()]
    starts = (record.session.started_at for record in records)
    since = max((start for start in starts if start <= at), default=_BEGINNING)
    # An end that was only observed is one of our clock, and to be told.
    known = [record.listed or replace(record.session, ended_at=None) for record in records]
    announced = {
        session.id: types for session in [*known, *ahead] if (types := _types_after(since, session))
    }
    return _with(
        state,
        Change.PLANNING,
        announce_since=since,
        announced=announced | dict(state.announced),
    )


def _types_after(since: datetime, session: ChargingSession) -> tuple[SessionEventType, ...]:
    """Return the events of a session that lie after a moment."""
    moments = {
        SessionEventType.STARTED: session.started_at,
        SessionEventType.COMPLETED: session.ended_at,
    }
    return tuple(each for each, moment in moments.items() if moment is not None and moment > since)


def set_backfill(state: HistoryState, backfill: Backfill | None) -> Transition:
    """Remember where a read of all sessions goes on after a restart, or that there is none."""
    return _with(state, Change.PLANNING, backfill=backfill)


def finish_read(state: HistoryState, begun: datetime, *, full: bool) -> Transition:
    """Record that a read reached its far end; `begun` is when it began, and `full` that it covered all sessions."""
    if not full:
        return _with(state, Change.PLANNING, last_read=begun)
    change = Change.PLANNING | Change.SYNC
    return _with(state, change, last_read=begun, last_full_read=begun, backfill=None)


def snooze_mismatch(state: HistoryState, until: datetime | None) -> Transition:
    """Set the moment until which a difference from Joulo's totals causes no full read."""
    return _with(state, Change.PLANNING, mismatch_snoozed_until=until)


def name_statistics(state: HistoryState, names: Mapping[str, str]) -> Transition:
    """Remember the names of statistics, by charger id. A name that is known stays."""
    return _with(state, Change.NAMED, statistics=dict(names) | dict(state.statistics))


def set_vehicles(state: HistoryState, vehicles: Iterable[Vehicle]) -> Transition:
    """Take over the vehicles as the user has set them up."""
    return _with(state, Change.VEHICLES, fleet=replace(state.fleet, vehicles=tuple(vehicles)))


def set_cars(state: HistoryState, cars: Mapping[str, CarSessions]) -> Transition:
    """Take over what cars record themselves, by vehicle id."""
    return _with(state, Change.CARS, cars=dict(cars))


def set_matching(state: HistoryState, matching: Matching) -> Transition:
    """Take over which of Joulo's sessions the cars tell of, and so whose those are that nobody has claimed."""
    state, cars = _with(state, Change.CARS, car_matches=matching.cars)
    state, vehicles = _with(state, Change.VEHICLES, fleet=matching.fleet)
    return state, cars | vehicles


def assign_vehicle(state: HistoryState, session_id: str, vehicle_id: str) -> Transition:
    """Take over whose session it is by hand: a vehicle's id, or NOBODY."""
    assigned = {**state.fleet.assigned, session_id: vehicle_id}
    return _with(state, Change.VEHICLES, fleet=replace(state.fleet, assigned=assigned))


def set_tariff(state: HistoryState, priced_by: str | None, since: datetime | None) -> Transition:
    """Take over the price that the user has set: its setting, and from when on it holds; None for no price.

    Where another one has priced the sessions that started since then, they lose its prices, to be priced anew.
    Earlier ones keep theirs, and so do all while there is no price.
    """
    if priced_by is None:
        return _with(state, Change.TARIFF, tariff=None)
    dropped = Change.NONE
    if state.priced_by not in (None, priced_by):
        state, dropped = _drop_prices(state, since)
    state, change = _with(state, Change.TARIFF, tariff=Tariff(since=since), priced_by=priced_by)
    return state, change | dropped


def _drop_prices(state: HistoryState, since: datetime | None) -> Transition:
    """Take the prices from all sessions that started since a moment, also from those that may come back."""
    draft = _Draft(state)
    draft.drop_prices(since)
    state, change = draft.finish()
    set_aside = {
        session_id: removed._replace(record=_without_prices(removed.record, since))
        for session_id, removed in state.set_aside.items()
    }
    return replace(state, set_aside=set_aside), change


def _without_prices(record: SessionRecord, since: datetime | None) -> SessionRecord:
    """Return a record without prices, if its session started since a moment; else the record itself."""
    if not record.prices or (since is not None and record.session.started_at < since):
        return record
    return replace(record, prices=())


def rename_tariff(state: HistoryState, priced_by: str) -> Transition:
    """Take over that the price setting is called otherwise: it is the same price."""
    return _with(state, Change.PLANNING, priced_by=priced_by)


def show_price(state: HistoryState, hour: datetime, price: float | None) -> Transition:
    """Take over what a kWh costs in the hour under way, in EUR; None where that is not known."""
    if state.tariff is None:
        return state, Change.NONE
    recent = {each: eur for each, eur in state.tariff.recent.items() if each == hour - HOUR}
    if price is not None:
        recent[hour] = price
    return _with(state, Change.TARIFF, tariff=replace(state.tariff, recent=recent))


class FoundPrices(NamedTuple):
    """Prices of hours of a session, which most likely is on the given charger."""

    session_id: str
    charger_id: str
    prices: Mapping[datetime, float]


def add_prices(state: HistoryState, found: Iterable[FoundPrices]) -> Transition:
    """Take over prices of hours for good. An hour that has one keeps it."""
    draft = _Draft(state)
    for each in found:
        record = draft.record(each.session_id, each.charger_id)
        # The session may be gone by now.
        if record is not None and (prices := merged(record.prices, each.prices)) != record.prices:
            draft.put(each.session_id, replace(record, prices=prices), Change.PRICES)
    return draft.finish()


def mark_announced(
    state: HistoryState, events: Iterable[tuple[str, SessionEventType]]
) -> Transition:
    """Remember events as fired, by session id and type."""
    announced = dict(state.announced)
    for session_id, event_type in events:
        before = announced.get(session_id, ())
        if event_type not in before:
            announced[session_id] = (*before, event_type)
    return _with(state, Change.ANNOUNCED, announced=announced)


def forget_announced(
    state: HistoryState, events: Iterable[tuple[str, SessionEventType]]
) -> Transition:
    """Take back that events were fired, by session id and type: they were not."""
    taken_back = set(events)
    announced = {
        session_id: kept
        for session_id, types in state.announced.items()
        if (kept := tuple(each for each in types if (session_id, each) not in taken_back))
    }
    return _with(state, Change.ANNOUNCED, announced=announced)


def _with(state: HistoryState, change: Change, **fields: Any) -> Transition:
    """Return a state with other fields and the change that this is; the state itself where they are equal."""
    if all(getattr(state, name) == value for name, value in fields.items()):
        return state, Change.NONE
    return replace(state, **fields), change


class _ChargerDraft:
    """A charger's history that may be changed. Its records are copied when the first one is."""

    def __init__(self, before: ChargerHistory) -> None:
        self._before = before
        self.records: Mapping[str, SessionRecord] = before.records
        self._copy: dict[str, SessionRecord] | None = None
        self.active = before.active
        self.mid_certified = before.mid_certified
        self.meter = before.meter
        self.was_listed = before.was_listed

    @property
    def own_records(self) -> dict[str, SessionRecord]:
        """The records, to be changed."""
        if self._copy is None:
            self.records = self._copy = dict(self._before.records)
        return self._copy

    def freeze(self) -> ChargerHistory:
        history = ChargerHistory(
            records=self.records,
            active=self.active,
            mid_certified=self.mid_certified,
            meter=self.meter,
            was_listed=self.was_listed,
        )
        history.remember_from(self._before)
        return history


class _Draft:
    """Changes to a state that come into force together; a charger is copied when it is first touched."""

    def __init__(self, state: HistoryState) -> None:
        self._state = state
        self._touched: dict[str, _ChargerDraft] = {}
        self._active_ids: set[str | None] | None = None
        """Ids that are active, or were when this was first asked. Made when it is needed."""
        self._holders: dict[str, str] | None = None
        """Charger id by session id. Made when it is needed."""
        self._put: set[str] = set()
        """Ids of the sessions that were stored."""
        self._change = Change.NONE

    def finish(self) -> Transition:
        """Return the next state, and what has changed in it."""
        if not self._touched:
            return self._state, self._change
        chargers = dict(self._state.chargers)
        chargers |= {charger_id: draft.freeze() for charger_id, draft in self._touched.items()}
        set_aside = self._state.set_aside
        if self._put & set_aside.keys():
            set_aside = {key: each for key, each in set_aside.items() if key not in self._put}
        return replace(self._state, chargers=chargers, set_aside=set_aside), self._change

    def active(self, charger_id: str) -> str | None:
        """Return the id of the session that is active on a charger."""
        charger = self._look(charger_id)
        return charger.active if charger else None

    def is_active(self, session_id: str) -> bool:
        """Whether a session is active on any charger."""
        if self._active_ids is None:
            self._active_ids = {charger.active for charger in self._state.chargers.values()}
            self._active_ids.update(charger.active for charger in self._touched.values())
        return session_id in self._active_ids and any(
            self.active(charger_id) == session_id for charger_id in self._charger_ids()
        )

    def is_confirmed(self, session_id: str, charger_id: str) -> bool:
        """Whether Joulo lists a session with its end."""
        record = self.record(session_id, charger_id)
        return record is not None and record.is_confirmed

    def record(self, session_id: str, charger_id: str) -> SessionRecord | None:
        """Return what is known of a session, which most likely is on the given charger."""
        holder = self._holder(session_id, charger_id)
        charger = self._look(holder) if holder is not None else None
        return charger.records[session_id] if charger else None

    def record_or_removed(self, session_id: str, charger_id: str) -> SessionRecord:
        """Return what is known of a session, also if it was set aside; an empty record where nothing is."""
        if (record := self.record(session_id, charger_id)) is not None:
            return record
        removed = self._state.set_aside.get(session_id)
        return replace(removed.record, observed=None) if removed else SessionRecord()

    def activate(self, charger_id: str, session_id: str | None) -> None:
        """Set the active session of a charger, or that it has none."""
        self._touch(charger_id).active = session_id
        if self._active_ids is not None:
            self._active_ids.add(session_id)
        self._change |= Change.ACTIVE

    def certify(self, charger: Charger) -> None:
        """Take over that a charger is listed, whether it is MID-certified, and value what waited for that."""
        before = self._look(charger.id)
        if before is None or not before.was_listed:
            self._touch(charger.id).was_listed = True
        if before is None or before.mid_certified is not charger.mid_certified:
            self._touch(charger.id).mid_certified = charger.mid_certified
            self.assign_values(charger.id)

    def read_meter(self, charger: Charger, at: datetime) -> None:
        """Take over what a charger's meter shows."""
        history = self._look(charger.id)
        before = history.meter if history else None
        after = _with_meter(before, charger.latest_meter_wh, at)
        if after != before:
            self._touch(charger.id).meter = after
            self._change |= Change.PROGRESS

    def put(self, session_id: str, record: SessionRecord, change: Change) -> None:
        """Store a record at the charger of its session, and value it."""
        self._put.add(session_id)
        charger_id = record.session.charger_id
        holder = self._holder(session_id, charger_id)
        if holder is not None and holder != charger_id:
            del self._touch(holder).own_records[session_id]
            self._change |= Change.MOVED
            if self.active(holder) == session_id:
                self.activate(holder, None)
        if self._holders is not None:
            self._holders[session_id] = charger_id
        self._touch(charger_id).own_records[session_id] = self._valued(record)
        self._change |= change

    def remove(self, session_id: str, charger_id: str) -> None:
        """Delete a session."""
        del self._touch(charger_id).own_records[session_id]
        self._holders = None
        self._change |= Change.SESSIONS

    def assign_values(self, charger_id: str) -> None:
        """Value the sessions of a charger that can be valued by now."""
        charger = self._look(charger_id)
        for session_id, record in tuple(charger.records.items()) if charger else ():
            if (valued := self._valued(record)) is not record:
                self._touch(charger_id).own_records[session_id] = valued

    def drop_prices(self, since: datetime | None) -> None:
        """Take the prices from all sessions that started since a moment; None for all there are."""
        for charger_id, charger in self._state.chargers.items():
            for session_id, record in charger.records.items():
                if (unpriced := _without_prices(record, since)) is not record:
                    self._touch(charger_id).own_records[session_id] = unpriced
                    self._change |= Change.PRICES

    def _valued(self, record: SessionRecord) -> SessionRecord:
        listed = record.listed
        if record.value is not None or listed is None or listed.ended_at is None:
            return record
        charger = self._look(listed.charger_id)
        value = session_value(
            listed,
            self._state.profile,
            mid_certified=charger.mid_certified if charger else None,
        )
        if value is None:
            return record
        self._change |= Change.VALUES
        return replace(record, value=value)

    def _holder(self, session_id: str, charger_id: str) -> str | None:
        """Return the id of the charger that has a session; the given one is looked at first."""
        if self._holds(charger_id, session_id):
            return charger_id
        if self._holders is None:
            self._holders = {
                each: holder
                for holder in self._charger_ids()
                if (charger := self._look(holder)) is not None
                for each in charger.records
            }
        return self._holders.get(session_id)

    def _holds(self, charger_id: str, session_id: str) -> bool:
        charger = self._look(charger_id)
        return charger is not None and session_id in charger.records

    def _charger_ids(self) -> Collection[str]:
        return self._state.chargers.keys() | self._touched.keys()

    def _look(self, charger_id: str) -> ChargerHistory | _ChargerDraft | None:
        return self._touched.get(charger_id) or self._state.chargers.get(charger_id)

    def _touch(self, charger_id: str) -> _ChargerDraft:
        if charger_id not in self._touched:
            before = self._state.chargers.get(charger_id, ChargerHistory())
            self._touched[charger_id] = _ChargerDraft(before)
        return self._touched[charger_id]
