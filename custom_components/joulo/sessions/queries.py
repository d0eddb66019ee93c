"""Everything that is asked of the charging history: pure functions of its state."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, takewhile
from typing import Any, NamedTuple

from ..api import ChargingSession
from ..der_connect.models import CarSession
from .cars import CarSessions
from .cost import Cost, Pricing, Tariff, is_over, pricing
from .ere import ere_credits
from .figures import as_attributes, average_power, duration, sum_known
from .hourly import MAX_OPEN, hour_of
from .matching import CarMatch, Matching, match
from .model import ChargerHistory, HistoryState, SessionEventType, SessionRecord
from .vehicles import Rule, Vehicle, attribute, comparable, is_there

_NONE = ChargerHistory()
_NO_MATCH = CarMatch()

_LATELY = timedelta(days=2)
_LATEST = timedelta(hours=2)
"""Age of the ends by which a price shows that it can be found: prices of younger ones may still come."""


@dataclass(frozen=True, slots=True)
class Totals:
    """kWh and ERE credits of all sessions of a charger, as far as each is known."""

    kwh: float | None
    ere: float | None


@dataclass(frozen=True, slots=True)
class Sums:
    """kWh, ERE credits and EUR of sessions, and how many of them are completed."""

    kwh: float | None
    ere: float | None
    value: float | None
    completed: int


@dataclass(frozen=True, slots=True)
class CostSums:
    """EUR that completed sessions have cost, less what their ERE credits pay, and how many have no known cost."""

    cost: float | None
    net: float | None
    unpriced: int


class Unpriced(NamedTuple):
    """A session, and its hours that have passed and have no price."""

    session: ChargingSession
    hours: tuple[datetime, ...]


class Charge(NamedTuple):
    """A session that a car has recorded, and Joulo's session that it tells of, if there is one."""

    car: CarSession
    session: ChargingSession | None


@dataclass(frozen=True, slots=True)
class TagUse:
    """A tag as Joulo sent it last, in how many sessions it was used, and when and on which charger last."""

    tag: str
    sessions: int
    last: datetime
    charger_id: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """Extent of the history: sessions that Joulo lists, start of the oldest, last read of them all."""

    sessions: int
    oldest: datetime | None
    last_full_read: datetime | None


@dataclass(frozen=True, slots=True)
class PendingEvent:
    """An event that has not been fired: when it happened, and how Joulo and the charger show its session."""

    at: datetime
    type: SessionEventType
    session: ChargingSession
    is_confirmed: bool
    is_listed_open: bool
    is_observed: bool


def charger_ids(state: HistoryState) -> set[str]:
    """Return the ids of all chargers that have sessions, also of those that the account has no more."""
    return {charger_id for charger_id, charger in state.chargers.items() if charger.records}


def timeline(state: HistoryState, charger_id: str) -> tuple[ChargingSession, ...]:
    """Return all sessions of a charger, oldest first; see `ChargerHistory.timeline`."""
    return state.chargers.get(charger_id, _NONE).timeline


def completed(state: HistoryState, charger_id: str) -> tuple[ChargingSession, ...]:
    """Return the completed sessions of a charger, oldest first; see `ChargerHistory.completed`."""
    return state.chargers.get(charger_id, _NONE).completed


def last_completed(state: HistoryState, charger_id: str, now: datetime) -> ChargingSession | None:
    """Return the newest session of a charger that Joulo lists as ended."""
    return _latest(completed(state, charger_id), now)


def newest(state: HistoryState, charger_id: str, now: datetime) -> ChargingSession | None:
    """Return the session that is active on a charger, or else its last one."""
    charger = state.chargers.get(charger_id, _NONE)
    if (record := _active_record(charger)) is not None:
        return record.shown
    return _latest(charger.timeline, now)


def _latest(sessions: Sequence[ChargingSession], now: datetime) -> ChargingSession | None:
    """Return the latest session that has started: Joulo may list one whose start is wrong and lies ahead."""
    return next((session for session in reversed(sessions) if session.started_at <= now), None)


def is_active(state: HistoryState, charger_id: str) -> bool:
    """Whether a session is active on a charger."""
    return state.chargers.get(charger_id, _NONE).active is not None


def has_active(state: HistoryState) -> bool:
    """Whether a session is active on any charger."""
    return any(charger.active is not None for charger in state.chargers.values())


def awaits_end(state: HistoryState, since: datetime) -> bool:
    """Whether a charger showed an end, after a moment, that Joulo does not list yet."""
    unconfirmed = (record.observed for record in _records(state) if record.is_unconfirmed)
    ends = (session.ended_at for session in unconfirmed if session)
    return any(end is not None and end > since for end in ends)


def active_power(state: HistoryState, charger_id: str) -> float | None:
    """Return the average kW of the active session, from its start until its energy last grew."""
    record = _active_record(state.chargers.get(charger_id, _NONE))
    if record is None or record.observed is None or not record.readings:
        return None
    at, _ = record.readings[-1]
    return average_power(record.observed.kwh, duration(record.observed.started_at, at))


def value_of(state: HistoryState, session: ChargingSession) -> float | None:
    """Return the EUR at which a session was valued; unknown as long as it was not."""
    record = state.chargers.get(session.charger_id, _NONE).records.get(session.id)
    return record.value if record else None


def cost_of(state: HistoryState, session: ChargingSession, now: datetime) -> Cost | None:
    """Return what a session has cost; unknown while there is no price, or too few of its hours have one.

    Hours without a price of their own have that of now, which the last two hours have.
    """
    record = state.chargers.get(session.charger_id, _NONE).records.get(session.id)
    if state.tariff is None or record is None:
        return None
    if session.ended_at is not None:
        return _settled_cost(session, record, state.tariff)
    found = _pricing(session, record, state.tariff, now)
    # What runs has no mean price yet that could stand for the hour under way.
    return None if hour_of(now) in found.unpriced else found.cost


def _settled_cost(
    session: ChargingSession, record: SessionRecord, tariff: Tariff | None
) -> Cost | None:
    """Return what a session has cost that has ended. Sums of years ask for it, so it is remembered where it can be."""
    end = session.ended_at
    if tariff is None or end is None:
        return None
    # A session whose end Joulo lists is the same for ever, until another record takes the place of this one.
    if session is record.listed and end <= tariff.begun:
        return record.pricing.cost
    return _pricing(session, record, tariff, end).cost


def _pricing(
    session: ChargingSession, record: SessionRecord, tariff: Tariff, now: datetime
) -> Pricing:
    """Return what a session has cost by its own prices and those of now."""
    recent = tariff.recent if _is_priced(tariff, session, record) else {}
    return pricing(session, record.readings, {**recent, **dict(record.prices)}, now)


def _is_priced(tariff: Tariff, session: ChargingSession, record: SessionRecord) -> bool:
    """Whether a session is to have prices: all since the price holds, and of earlier ones those that have some."""
    return bool(record.prices) or tariff.holds_at(session.started_at)


def attributes_of(state: HistoryState, session: ChargingSession, now: datetime) -> dict[str, Any]:
    """Return all that is known of a session as the attributes of events and actions; see `as_attributes`."""
    return as_attributes(
        session,
        value_of(state, session),
        vehicle_name(state, session),
        cost_of(state, session, now),
    )


def unpriced_sessions(
    state: HistoryState, now: datetime, not_before: Mapping[datetime, datetime]
) -> Iterator[Unpriced]:
    """Yield the sessions with hours that have passed, have no price, and are to get one now.

    `not_before` has the moments at which some hours may be looked up again.
    """
    for charger in state.chargers.values():
        for session in charger.timeline if state.tariff else ():
            record = charger.records[session.id]
            # Most need no price, or have waited for years: they are passed over as quickly as can be.
            if record.is_confirmed and not _due(record.pricing.unpriced, now, not_before):
                continue
            if hours := _due(unpriced_hours(state, session, now), now, not_before):
                yield Unpriced(session, hours)


def _due(
    hours: tuple[datetime, ...], now: datetime, not_before: Mapping[datetime, datetime]
) -> tuple[datetime, ...]:
    return tuple([hour for hour in hours if not_before.get(hour, now) <= now])


def unpriced_hours(
    state: HistoryState, session: ChargingSession, now: datetime
) -> tuple[datetime, ...]:
    """Return the hours of a session that have passed, have no price, and are to get one.

    Those are all in which the price holds, also of a session that another price has priced in part: it
    may have gone on, or a correction may have brought an hour.
    """
    tariff = state.tariff
    record = state.chargers[session.charger_id].records[session.id]
    if tariff is None or not _is_priced(tariff, session, record):
        return ()
    hours = (
        record.pricing.unpriced
        if record.is_confirmed
        else pricing(session, record.readings, dict(record.prices), now).unpriced
    )
    return tuple(hour for hour in hours if is_over(hour, now) and tariff.holds_at(hour))


def prepare(state: HistoryState) -> None:
    """Compute what is remembered of every charger and session. It takes long for a long history: for a thread."""
    for charger in state.chargers.values():
        _ = charger.completed_ids
        _costs_by_vehicle(state, charger)


def charger_costs(state: HistoryState, charger_id: str) -> CostSums | None:
    """Return what the sessions of a charger have cost; None without a price."""
    charger = state.chargers.get(charger_id, _NONE)
    return _total(state, _costs_by_vehicle(state, charger).values())


def vehicle_costs(state: HistoryState, vehicle_id: str, since: datetime | None) -> CostSums | None:
    """Return what the sessions of a vehicle that started since a moment have cost; None without a price."""
    if since is None:
        found = (_costs_by_vehicle(state, charger) for charger in state.chargers.values())
        return _total(state, [sums for each in found if (sums := each.get(vehicle_id))])
    parts = (_since(part, since) for part in _vehicle_parts(state, vehicle_id))
    sessions = (each for each in chain.from_iterable(parts) if is_completed(state, each))
    return _total(state, [_cost_sums(state, sessions)])


def account_costs(state: HistoryState, since: datetime | None) -> CostSums | None:
    """Return what all sessions that started since a moment have cost; None without a price."""
    chargers = state.chargers.values()
    if since is None:
        found = (_costs_by_vehicle(state, charger).values() for charger in chargers)
        return _total(state, [*chain.from_iterable(found)])
    parts = (_since(charger.completed, since) for charger in chargers)
    return _total(state, [_cost_sums(state, chain.from_iterable(parts))])


def _total(state: HistoryState, parts: Collection[CostSums]) -> CostSums | None:
    """Return the sums of sums. They are unknown until all sessions have been read once."""
    if state.tariff is None:
        return None
    if state.last_full_read is None:
        return CostSums(None, None, 0)
    return CostSums(
        sum_known([part.cost for part in parts]),
        sum_known([part.net for part in parts]),
        sum(part.unpriced for part in parts),
    )


def _costs_by_vehicle(
    state: HistoryState, charger: ChargerHistory
) -> Mapping[str | None, CostSums]:
    """Return what the completed sessions of a charger have cost, by the id of their vehicle."""

    def compute() -> Mapping[str | None, CostSums]:
        completed = charger.completed_ids
        return {
            vehicle_id: _cost_sums(state, [each for each in sessions if each.id in completed])
            for vehicle_id, sessions in charger.of_vehicles(state.fleet).items()
        }

    return charger.remembered("costs_by_vehicle", (state.fleet, state.tariff), compute)


def _cost_sums(state: HistoryState, sessions: Iterable[ChargingSession]) -> CostSums:
    """Return the sums of completed sessions."""
    chargers, tariff = state.chargers, state.tariff
    costs: list[float | None] = []
    nets: list[float | None] = []
    for session in sessions:
        record = chargers[session.charger_id].records[session.id]
        cost = _settled_cost(session, record, tariff)
        value = record.value
        costs.append(cost.eur if cost else None)
        nets.append(cost.eur - value if cost and value is not None else None)
    return CostSums(sum_known(costs), sum_known(nets), costs.count(None))


def lacks_costs(state: HistoryState, now: datetime) -> bool:
    """Whether none of the sessions that ended in the last two days, but over two hours ago, has a known cost."""
    recent = [
        session
        for charger in state.chargers.values()
        for session in _since(charger.completed, now - _LATELY - MAX_OPEN)
        if session.ended_at is not None and _LATEST <= now - session.ended_at <= _LATELY
    ]
    return bool(recent) and all(cost_of(state, each, now) is None for each in recent)


def _since(
    sessions: Sequence[ChargingSession], since: datetime | None
) -> Iterable[ChargingSession]:
    """Return the sessions that started since a moment, of some in their order; None for all."""
    if since is None:
        return sessions
    return takewhile(lambda session: session.started_at >= since, reversed(sessions))


def meter_wh(state: HistoryState, charger_id: str) -> float | None:
    """Return the reading of a charger's meter in Wh, as far as it is believed."""
    meter = state.chargers.get(charger_id, _NONE).meter
    return meter.wh if meter else None


def totals(state: HistoryState, charger_id: str) -> Totals:
    """Return what a charger has delivered and earned; unknown until all sessions have been read once."""
    if state.last_full_read is None:
        return Totals(None, None)
    sessions = timeline(state, charger_id)
    return Totals(
        sum_known([session.kwh for session in sessions]),
        sum_known([ere_credits(session) for session in sessions]),
    )


def find_session(state: HistoryState, session_id: str) -> ChargingSession | None:
    """Return a session by its id, as its charger's timeline has it."""
    sessions = (each for charger in state.chargers.values() for each in charger.timeline)
    return next((session for session in sessions if session.id == session_id), None)


def tag_uses(state: HistoryState) -> list[TagUse]:
    """Return the tags of all sessions, the one that was used last first; spellings of one tag count together."""
    newest: dict[str, ChargingSession] = {}
    counts = Counter[str]()
    for session in chain.from_iterable(each.timeline for each in state.chargers.values()):
        if session.id_tag is not None:
            key = comparable(session.id_tag)
            counts[key] += 1
            if key not in newest or newest[key].started_at <= session.started_at:
                newest[key] = session
    uses = [
        TagUse(tag, counts[key], session.started_at, session.charger_id)
        for key, session in newest.items()
        if (tag := session.id_tag) is not None
    ]
    return sorted(uses, key=lambda use: use.last, reverse=True)


def vehicle_of(state: HistoryState, session: ChargingSession) -> Vehicle | None:
    """Return the vehicle whose session it is; None for nobody's."""
    return state.fleet.find(attribute(session, state.fleet).vehicle_id)


def vehicle_name(state: HistoryState, session: ChargingSession | None) -> str | None:
    """Return the name of the vehicle whose session it is; None for nobody's."""
    vehicle = vehicle_of(state, session) if session else None
    return vehicle.name if vehicle else None


def sessions_by_rule(state: HistoryState) -> dict[Rule, int]:
    """Return how many sessions each rule has given to a vehicle, or to nobody."""
    sessions = (each for charger in state.chargers.values() for each in charger.timeline)
    rules = Counter(attribute(session, state.fleet).rule for session in sessions)
    return {rule: rules[rule] for rule in Rule}


def vehicle_sessions(state: HistoryState, vehicle_id: str) -> list[ChargingSession]:
    """Return all sessions of a vehicle, oldest first."""
    parts = _vehicle_parts(state, vehicle_id)
    return sorted(chain.from_iterable(parts), key=lambda session: session.started_at)


def last_completed_of_vehicle(
    state: HistoryState, vehicle_id: str, now: datetime
) -> ChargingSession | None:
    """Return the newest session of a vehicle that Joulo lists as ended."""
    newest = (
        next(
            (
                each
                for each in reversed(part)
                if each.started_at <= now and is_completed(state, each)
            ),
            None,
        )
        for part in _vehicle_parts(state, vehicle_id)
    )
    return max(filter(None, newest), key=lambda session: session.started_at, default=None)


def is_completed(state: HistoryState, session: ChargingSession) -> bool:
    """Whether a session is completed; see `ChargerHistory.completed`."""
    return session.id in state.chargers[session.charger_id].completed_ids


def running_sessions(state: HistoryState, vehicle_id: str) -> list[ChargingSession]:
    """Return the sessions of a vehicle that are active on a charger, oldest first."""
    records = (_active_record(charger) for charger in state.chargers.values())
    sessions = [record.session for record in records if record is not None]
    own = [each for each in sessions if attribute(each, state.fleet).vehicle_id == vehicle_id]
    return sorted(own, key=lambda session: session.started_at)


def vehicle_totals(state: HistoryState, vehicle_id: str) -> Totals:
    """Return what a vehicle has charged and earned, in all its sessions."""
    sessions = list(chain.from_iterable(_vehicle_parts(state, vehicle_id)))
    return Totals(
        sum_known([session.kwh for session in sessions]),
        sum_known([ere_credits(session) for session in sessions]),
    )


def vehicle_sums(state: HistoryState, vehicle_id: str, since: datetime) -> Sums:
    """Return what the sessions of a vehicle that have started since a moment add up to. Completed ones are counted."""
    parts = (_since(part, since) for part in _vehicle_parts(state, vehicle_id))
    sessions = [*chain.from_iterable(parts)]
    completed = [session for session in sessions if is_completed(state, session)]
    return Sums(
        sum_known([session.kwh for session in sessions]),
        sum_known([ere_credits(session) for session in sessions]),
        # What runs has no value yet, and is not one that is unknown.
        sum_known([value_of(state, session) for session in completed]),
        len(completed),
    )


def _vehicle_parts(state: HistoryState, vehicle_id: str) -> list[tuple[ChargingSession, ...]]:
    """Return the sessions of a vehicle by charger, each oldest first."""
    return [
        charger.of_vehicles(state.fleet).get(vehicle_id, ()) for charger in state.chargers.values()
    ]


def matching(state: HistoryState) -> Matching:
    """Return which of Joulo's sessions the cars tell of. It takes long for a long history: for a thread."""
    chargers = state.chargers.values()
    sessions = chain.from_iterable(charger.timeline for charger in chargers)
    active = {charger.active for charger in chargers if charger.active is not None}
    return match(sessions, active, state.fleet, state.cars)


def last_charge(state: HistoryState, vehicle_id: str, now: datetime) -> Charge | None:
    """Return the newest session that a vehicle's car has recorded since it is this vehicle, wherever it charged."""
    vehicle = state.fleet.find(vehicle_id)
    sessions = reversed(state.cars.get(vehicle_id, ()))
    car = next((session for session in sessions if session.started_at <= now), None)
    if car is None or vehicle is None or not is_there(vehicle, car.started_at):
        return None
    return Charge(car, _told_of(state, vehicle_id, car))


def _told_of(state: HistoryState, vehicle_id: str, car: CarSession) -> ChargingSession | None:
    """Return Joulo's session that a car tells of; None too where it has gone since they were matched."""
    session_id = state.car_matches.get(vehicle_id, _NO_MATCH).matched.get(car.id)
    records = (charger.records.get(session_id or "") for charger in state.chargers.values())
    return next((record.session for record in records if record), None)


def told_by_car(state: HistoryState, vehicle_id: str) -> Mapping[str, Sequence[CarSession]]:
    """Return the sessions that a vehicle's car has recorded by the id of Joulo's that they tell of, oldest first."""
    matched = state.car_matches.get(vehicle_id, _NO_MATCH).matched
    found: dict[str, list[CarSession]] = {}
    for car in state.cars.get(vehicle_id, ()):
        if car.id in matched:
            found.setdefault(matched[car.id], []).append(car)
    return found


def charged_elsewhere(state: HistoryState, vehicle_id: str) -> CarSessions | None:
    """Return the sessions that a vehicle's car alone tells of, oldest first.

    They are unknown until all of Joulo's have been read once, and the car's too.
    """
    found = state.car_matches.get(vehicle_id)
    return None if found is None or state.last_full_read is None else found.elsewhere


def elsewhere_energy(state: HistoryState, vehicle_id: str, since: datetime | None) -> float | None:
    """Return the kWh that a vehicle has charged elsewhere in sessions that started since a moment; None for all."""
    sessions = charged_elsewhere(state, vehicle_id)
    if sessions is None:
        return None
    return sum_known(
        [each.energy_kwh for each in sessions if since is None or each.started_at >= since]
    )


def listed(state: HistoryState) -> Iterator[ChargingSession]:
    """Yield every session that Joulo lists, as it does."""
    for record in _records(state):
        if record.listed is not None:
            yield record.listed


def has_read_since(state: HistoryState, start: datetime | None) -> bool:
    """Whether every session that started at a moment or later has been read; None stands for all."""
    if state.last_full_read is not None:
        return True
    # Sessions are read newest first: the cursor is where the next page begins.
    backfill = state.backfill
    return start is not None and backfill is not None and start > backfill.cursor.moment


def coverage(state: HistoryState) -> Coverage:
    """Return how far the history reaches."""
    starts = [session.started_at for session in listed(state)]
    return Coverage(len(starts), min(starts, default=None), state.last_full_read)


def awaits_second_read(state: HistoryState) -> bool:
    """Whether sessions are missing that a second read of all sessions can remove."""
    return bool(state.missing_since.keys() - state.unlisted)


def without_unlisted(state: HistoryState) -> list[ChargingSession]:
    """Return the sessions of the history without those that Joulo does not list any more."""
    return [session for session in listed(state) if session.id not in state.unlisted]


def unsettled_since(state: HistoryState, overlap: timedelta) -> datetime | None:
    """Return the moment from which on Joulo may still change figures, or has yet to list an end.

    `overlap` is the time before the last complete read that counts as changeable. None asks for all.
    """
    if state.last_read is None:
        return None
    since = state.last_read - overlap
    unconfirmed = (record.session for record in _records(state) if record.is_unconfirmed)
    ended = (session for session in unconfirmed if (session.ended_at or since) > since)
    return min([since, *(session.started_at for session in ended)])


def pending_events(state: HistoryState, charger_id: str, until: datetime) -> Iterator[PendingEvent]:
    """Yield the starts and ends on a charger until a moment that have fired no event."""
    since = state.announce_since
    if since is None:
        return
    charger = state.chargers.get(charger_id, _NONE)
    for session in charger.timeline:
        announced = state.announced.get(session.id, ())
        if {*announced} >= {*SessionEventType}:
            continue
        moments = (
            (SessionEventType.STARTED, session.started_at),
            (SessionEventType.COMPLETED, session.ended_at),
        )
        for event_type, at in moments:
            if at is not None and event_type not in announced and since < at <= until:
                record = charger.records[session.id]
                is_open = record.listed is not None and record.listed.ended_at is None
                yield PendingEvent(
                    at=at,
                    type=event_type,
                    session=session,
                    is_confirmed=record.is_confirmed,
                    is_listed_open=is_open,
                    is_observed=record.observed is not None,
                )


def _active_record(charger: ChargerHistory) -> SessionRecord | None:
    return charger.records.get(charger.active) if charger.active is not None else None


def _records(state: HistoryState) -> Iterator[SessionRecord]:
    for charger in state.chargers.values():
        yield from charger.records.values()
