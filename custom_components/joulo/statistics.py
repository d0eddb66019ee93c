"""Keeps the recorder's long-term statistics equal to the history; writing twice changes nothing.

What is right follows from the history alone. It is compared with what the recorder holds and written
from the first difference to the end, so that a crash, a correction or a deletion heals by itself.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import batched, dropwhile
import logging
from math import isclose
from typing import NamedTuple

from homeassistant.components.recorder.models import (
    StatisticData,
    StatisticMeanType,
    StatisticMetaData,
)
from homeassistant.components.recorder.statistics import (
    StatisticsRow,
    async_add_external_statistics,
    get_metadata,
    statistics_during_period,
)
from homeassistant.components.recorder.tasks import SynchronizeTask
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import UnitOfEnergy
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.event import async_call_later, async_track_utc_time_change
from homeassistant.helpers.recorder import get_instance
from homeassistant.util import dt as dt_util, slugify
from homeassistant.util.hass_dict import HassKey
from homeassistant.util.unit_conversion import EnergyConverter
from sqlalchemy.exc import SQLAlchemyError

from .api import ChargingSession
from .const import DOMAIN, ERE, EURO
from .devices import charger_ids
from .history import SessionHistory
from .hours import HourlyRow, Hours, Reading, hour_of, in_proportion, rows, spread
from .sessions import LONGEST_OPEN, ere_credits

_LOGGER = logging.getLogger(__name__)

_QUIET = 30.0
"""Seconds without news before it is written: the pages of a long read come faster, and count as one."""
_BATCH = 1000
"""Rows in one job of the recorder, which stores states between two of them."""
_TOLERANCE = 1e-6
"""kWh, ERE credits or EUR; databases may round the last digit."""
_EPOCH = dt_util.utc_from_timestamp(0)


_WRITERS: HassKey[list[StatisticsWriter]] = HassKey(f"{DOMAIN}_statistics")
"""Those of all accounts that are set up."""


class _Statistic(NamedTuple):
    """A figure of a charger's sessions that is kept by the hour."""

    key: str
    name: str
    unit: str
    unit_class: str | None


_STATISTICS = (
    _Statistic("energy", "charged energy", UnitOfEnergy.KILO_WATT_HOUR, EnergyConverter.UNIT_CLASS),
    _Statistic("ere", "ERE credits", ERE, None),
    _Statistic("value", "ERE value", EURO, None),
)


def statistic_id(charger_id: str, key: str) -> str:
    """Return the id of a charger's statistic: `energy`, `ere` or `value`."""
    return f"{DOMAIN}:{slugify(charger_id)}_{key}"


class StatisticsWriter:
    """Writes soon after the history has changed, and past every full hour; one write at a time."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry, history: SessionHistory) -> None:
        """Prepare to write what an entry's history holds."""
        self._hass = hass
        self.entry = entry
        self.history = history
        self._devices = dr.async_get(hass)
        self._writers = hass.data.setdefault(_WRITERS, [])
        self._cancel: CALLBACK_TYPE | None = None
        self._write: asyncio.Task[None] | None = None

    @callback
    def async_start(self) -> None:
        """Write from now on, until the entry is unloaded."""
        self._writers.append(self)
        self._async_write_soon()
        for stop in (
            partial(self._writers.remove, self),
            self.history.async_listen(self._async_write_soon),
            # By then the chargers have told what they had delivered by the full hour.
            async_track_utc_time_change(self._hass, self._async_write_now, minute=1, second=30),
            self._async_cancel,
        ):
            self.entry.async_on_unload(stop)

    @callback
    def _async_write_soon(self) -> None:
        """Write once no more news comes."""
        self._async_cancel()
        self._cancel = async_call_later(self._hass, _QUIET, self._async_write_now)

    @callback
    def _async_write_now(self, _now: datetime) -> None:
        """Write, unless a write is under way: then after it."""
        self._async_cancel()
        if self._write is not None and not self._write.done():
            self._async_write_soon()
            return
        self._write = self.entry.async_create_background_task(
            self._hass, self.async_write(), "Writing charging sessions to the statistics"
        )

    @callback
    def _async_cancel(self) -> None:
        if self._cancel is not None:
            self._cancel()
            self._cancel = None

    async def async_write(self) -> None:
        """Write what the recorder lacks, once all is known: what is not read yet would count as gone."""
        if self.history.last_full_read is None:
            return
        try:
            for charger_id in self._own_chargers():
                await self._async_write_charger(charger_id)
        except SQLAlchemyError as error:
            _LOGGER.warning("The statistics are written later: %s", error)

    def _own_chargers(self) -> list[str]:
        """Return the chargers that this account writes: each by the first that lists it, or else that knows it."""
        writers: dict[str, StatisticsWriter] = {}
        candidates = [*self._writers, self]
        for writer in candidates:
            for charger_id in charger_ids(self._devices, writer.entry):
                writers.setdefault(charger_id, writer)
        for writer in candidates:
            for charger_id in writer.history.charger_ids():
                writers.setdefault(charger_id, writer)
        return sorted(charger_id for charger_id, writer in writers.items() if writer is self)

    async def _async_write_charger(self, charger_id: str) -> None:
        await self._async_catch_up()
        changes = await get_instance(self._hass).async_add_executor_job(
            _changes, self._hass, self._snapshot(charger_id)
        )
        for change in changes:
            # Without rows there still is a name to write.
            for batch in [*batched(change.rows, _BATCH, strict=False)] or [()]:
                async_add_external_statistics(self._hass, change.metadata, batch)
                await self._async_catch_up()

    async def _async_catch_up(self) -> None:
        """Wait until the recorder has written what it was given: what it holds is compared with."""
        # Its own `async_block_till_done` does not wait for the task that is under way.
        written = self._hass.loop.create_future()
        get_instance(self._hass).queue_task(SynchronizeTask(written))
        await written

    def _snapshot(self, charger_id: str) -> _Snapshot:
        """Return what all accounts know of a charger: one that has moved has a past in another."""
        known: dict[str, ChargingSession] = {}
        readings: dict[str, tuple[Reading, ...]] = {}
        values: dict[str, float] = {}
        others = [writer.history for writer in self._writers if writer is not self]
        # The later one wins: this account's own.
        for history in (*others, self.history):
            known |= {session.id: session for session in history.of_charger(charger_id)}
            readings |= history.readings
            values |= history.values
        sessions = tuple(sorted(known.values(), key=lambda session: session.started_at))
        return _Snapshot(
            charger_id,
            self._charger_name(charger_id, sessions),
            sessions,
            readings,
            values,
            dt_util.utcnow(),
        )

    def _charger_name(self, charger_id: str, sessions: Sequence[ChargingSession]) -> str:
        """Return what a charger is called in Home Assistant, or was by Joulo before it was removed."""
        device = self._devices.async_get_device_by_identifier(
            (DOMAIN, charger_id), self.entry.entry_id
        )
        names = [session.charger_nickname for session in sessions]
        if device is not None:
            names += [device.name, device.name_by_user]
        return next(filter(None, reversed(names)), "Charger")


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """What is known of a charger's sessions at a moment; a thread can read it, for nothing changes in it."""

    charger_id: str
    charger_name: str
    sessions: tuple[ChargingSession, ...]
    readings: Mapping[str, tuple[Reading, ...]]
    values: Mapping[str, float]
    at: datetime

    def statistics(self) -> Iterator[tuple[StatisticMetaData, list[Hours]]]:
        """Yield every statistic, and what each session adds to its hours."""
        shares = [self._shares(session) for session in self.sessions]
        for index, statistic in enumerate(_STATISTICS):
            yield self._metadata(statistic), [share[index] for share in shares]

    def _metadata(self, statistic: _Statistic) -> StatisticMetaData:
        return StatisticMetaData(
            has_sum=True,
            mean_type=StatisticMeanType.NONE,
            name=f"{self.charger_name} {statistic.name}",
            source=DOMAIN,
            statistic_id=statistic_id(self.charger_id, statistic.key),
            unit_class=statistic.unit_class,
            unit_of_measurement=statistic.unit,
        )

    def _shares(self, session: ChargingSession) -> tuple[Hours, Hours, Hours]:
        """Return a session's energy, ERE credits and value by hour."""
        start, kwh, ere = session.started_at, session.kwh, ere_credits(session)
        readings = self.readings.get(session.id, ())
        energy = spread(start, session.ended_at or self._known_until(session), kwh or 0.0, readings)
        return (
            self._settled(session, energy),
            self._settled(session, _share(ere, energy, start)),
            self._settled(session, _share(self.values.get(session.id), energy, start)),
        )

    def _known_until(self, session: ChargingSession) -> datetime:
        """Return the moment at which a session without end had delivered what is known of it."""
        if readings := self.readings.get(session.id):
            return readings[-1][0]
        return min(self.at, session.started_at + LONGEST_OPEN)

    def _settled(self, session: ChargingSession, hours: Hours) -> Hours:
        """Leave out the hour in which a session still runs."""
        if session.ended_at is not None:
            return hours
        return {hour: amount for hour, amount in hours.items() if hour < hour_of(self.at)}


def _share(amount: float | None, energy: Hours, start: datetime) -> Hours:
    return {} if amount is None else in_proportion(energy, amount, start)


class _Change(NamedTuple):
    """What the recorder lacks of a statistic: rows, or the charger's new name."""

    metadata: StatisticMetaData
    rows: Sequence[StatisticData]


def _changes(hass: HomeAssistant, snapshot: _Snapshot) -> list[_Change]:
    """Return what the recorder lacks. It computes and reads long: not for the event loop."""
    changes = [
        _Change(metadata, _rows_to_write(hass, metadata["statistic_id"], hours))
        for metadata, hours in snapshot.statistics()
    ]
    return [change for change in changes if change.rows or _is_renamed(hass, change.metadata)]


def _rows_to_write(
    hass: HomeAssistant, statistic_id: str, sessions: Iterable[Hours]
) -> list[StatisticData]:
    """Return the rows from the first one on that the recorder lacks or holds otherwise."""
    recorded = dict(_recorded(hass, statistic_id))
    # An hour that the recorder holds is never left out: without energy it has just the sum.
    wanted = rows((*sessions, dict.fromkeys(recorded, 0.0)))
    return [
        StatisticData(start=row.start, state=row.state, sum=row.sum)
        for row in dropwhile(lambda row: _is_same(row, recorded.get(row.start)), wanted)
    ]


def _recorded(hass: HomeAssistant, statistic_id: str) -> Iterator[tuple[datetime, StatisticsRow]]:
    found = statistics_during_period(
        hass, _EPOCH, None, {statistic_id}, "hour", None, {"state", "sum"}
    )
    for row in found.get(statistic_id, ()):
        yield dt_util.utc_from_timestamp(row["start"]), row


def _is_same(row: HourlyRow, recorded: StatisticsRow | None) -> bool:
    return recorded is not None and all(
        figure is not None and isclose(figure, wanted, rel_tol=0.0, abs_tol=_TOLERANCE)
        for figure, wanted in (
            (recorded.get("state"), row.state),
            (recorded.get("sum"), row.sum),
        )
    )


def _is_renamed(hass: HomeAssistant, metadata: StatisticMetaData) -> bool:
    known = get_metadata(hass, statistic_ids={metadata["statistic_id"]})
    return any(recorded["name"] != metadata["name"] for _, recorded in known.values())
