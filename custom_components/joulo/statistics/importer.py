"""Keeps the recorder's long-term statistics equal to the history; writing twice changes nothing.

The right rows follow from the history alone. They are compared with the recorder's and written from the
first difference to the end, so that a crash, a correction or a deletion heals by itself.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import partial
from itertools import batched
import logging
from typing import TYPE_CHECKING, NamedTuple

from homeassistant.components.recorder.models import (
    StatisticData,
    StatisticMeanType,
    StatisticMetaData,
)
from homeassistant.components.recorder.statistics import (
    async_add_external_statistics,
    get_metadata,
    statistics_during_period,
)
from homeassistant.components.recorder.tasks import SynchronizeTask
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.exceptions import UnsupportedStorageVersionError
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.event import async_call_later, async_track_utc_time_change
from homeassistant.helpers.recorder import get_instance
from homeassistant.util import dt as dt_util, slugify
from homeassistant.util.hass_dict import HassKey
from sqlalchemy.exc import SQLAlchemyError

from ..const import DOMAIN
from ..devices import charger_ids, charger_name
from ..history import SessionHistory, async_stored_state
from ..sessions import queries, transitions
from ..sessions.hourly import HourlyAmounts
from ..sessions.model import Change, HistoryState
from ..vehicles import entity_ids_of, vehicle_key
from .series import (
    RecordedRow,
    Series,
    Statistic,
    charger_series,
    rows_to_write,
    unused_names,
    vehicle_series,
)

if TYPE_CHECKING:
    from ..data import JouloConfigEntry

_LOGGER = logging.getLogger(__name__)

_QUIET = 30.0
"""Seconds without news before a write: the pages of a long read come faster, and count as one."""
_BATCH = 1000
"""Rows in one job of the recorder, which stores states between two jobs."""
_EPOCH = dt_util.utc_from_timestamp(0)

_IMPORTERS: HassKey[list[StatisticsImporter]] = HassKey(f"{DOMAIN}_statistics")
"""Importers of all accounts that are set up."""


_LONGEST_SLUG = 200
"""Characters of a charger's id. The recorder takes 255, with the domain, a number and the key of the statistic."""


def statistic_slug(charger_id: str) -> str:
    """Return a charger's id in the characters that the id of a statistic may have."""
    return slugify(charger_id)[:_LONGEST_SLUG].strip("_")


def statistic_id(name: str, key: str) -> str:
    """Return the id of a statistic, `energy`, `ere` or `value`, by the name of its charger's statistics."""
    return f"{DOMAIN}:{name}_{key}"


class StatisticsImporter:
    """Writes soon after the history has changed, and past every full hour; one write at a time."""

    def __init__(
        self, hass: HomeAssistant, entry: JouloConfigEntry, history: SessionHistory
    ) -> None:
        """Prepare to write what an entry's history holds."""
        self._hass = hass
        self.entry = entry
        self.history = history
        self._last_read = history.state.last_read if history.was_away else None
        """Beginning of the last read before a start of Home Assistant; None after a reload, which is no absence."""
        self._devices = dr.async_get(hass)
        self._importers = hass.data.setdefault(_IMPORTERS, [])
        self._cancel: CALLBACK_TYPE | None = None
        self._write: asyncio.Task[None] | None = None
        self._has_failed = False

    @callback
    def async_start(self) -> None:
        """Write from now on, until the entry is unloaded."""
        self._importers.append(self)
        self._async_write_soon()
        changes = (
            Change.SESSIONS
            | Change.VALUES
            | Change.SYNC
            | Change.PLANNING
            | Change.VEHICLES
            | Change.PRICES
            | Change.CARS
        )
        for unsubscribe in (
            partial(self._importers.remove, self),
            self.history.async_listen(self._async_write_soon, changes),
            # By then the chargers have shown their energy of the full hour.
            async_track_utc_time_change(self._hass, self._async_write_now, minute=1, second=30),
            self._async_cancel,
        ):
            self.entry.async_on_unload(unsubscribe)

    @callback
    def _async_write_soon(self, _change: Change = Change.NONE) -> None:
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
        """Write the rows that the recorder lacks, once all is known: a session not read yet would count as gone.

        After a start of Home Assistant the history may be an old file, and a read has to have been completed since.
        """
        state = self.history.state
        if state.last_full_read is None or state.last_read == self._last_read:
            return
        try:
            await self._async_write_all()
        except (SQLAlchemyError, UnsupportedStorageVersionError) as error:
            level = logging.DEBUG if self._has_failed else logging.WARNING
            _LOGGER.log(level, "The statistics are written later: %s", error)
            self._has_failed = True
        else:
            self._has_failed = False

    async def _async_write_all(self) -> None:
        recorded = await get_instance(self._hass).async_add_executor_job(_recorded_ids, self._hass)
        others = await self._async_other_states()
        self.history.async_update(transitions.name_statistics, self._new_names(others, recorded))
        for charger_id in self._own_chargers():
            state = self.history.state
            await self._async_write_series(
                state.statistics[charger_id],
                charger_name(self._devices, self.entry, charger_id),
                partial(charger_series, state, others, charger_id, dt_util.utcnow()),
            )
        cars = entity_ids_of(self.entry)
        for vehicle in self.history.state.fleet.vehicles:
            await self._async_write_series(
                vehicle_key(vehicle.id).lower(),
                vehicle.name,
                partial(
                    vehicle_series,
                    self.history.state,
                    vehicle.id,
                    dt_util.utcnow(),
                    has_car=vehicle.id in cars,
                ),
            )

    def _new_names(
        self, others: Sequence[HistoryState], recorded: Collection[str]
    ) -> dict[str, str]:
        """Return the names of statistics that get one: of every charger that Joulo lists, and of those written before.

        An id that stands in a session only may be junk, and what the recorder has been given stays.
        """
        state = self.history.state
        listed = charger_ids(self._devices, self.entry)
        known = queries.charger_ids(state) | listed
        named = dict(state.statistics)
        for other in others:
            # A charger that has moved goes on with its statistics.
            named |= {each: other.statistics[each] for each in known & other.statistics.keys()}
        used = {*named.values(), *(name for other in others for name in other.statistics.values())}
        slugs = {each: statistic_slug(each) for each in sorted(listed - named.keys())}
        named |= unused_names(slugs, used)
        used |= {*named.values()}
        gone = {each: statistic_slug(each) for each in sorted(known - named.keys())}
        return named | {
            each: slug
            for each, slug in gone.items()
            if slug not in used and statistic_id(slug, "energy") in recorded
        }

    def _own_chargers(self) -> list[str]:
        """Return the chargers that this account writes: the first account that lists one writes it, or else knows it."""
        importers: dict[str, StatisticsImporter] = {}
        candidates = [*self._importers, self]
        for importer in candidates:
            for charger_id in charger_ids(self._devices, importer.entry):
                importers.setdefault(charger_id, importer)
        for importer in candidates:
            for charger_id in importer.history.state.statistics:
                importers.setdefault(charger_id, importer)
        names = self.history.state.statistics
        return sorted(each for each in names if importers[each] is self)

    async def _async_write_series(
        self, name: str, title: str | None, compute: Callable[[], Series]
    ) -> None:
        """Write the statistics of a charger or a vehicle, by their name in ids and by that for the user."""
        await self._async_catch_up()
        changes = await get_instance(self._hass).async_add_executor_job(
            _changes, self._hass, name, title, compute
        )
        for change in changes:
            # Without rows there still is a name to write.
            for batch in [*batched(change.rows, _BATCH, strict=False)] or [()]:
                async_add_external_statistics(self._hass, change.metadata, batch)
                await self._async_catch_up()

    async def _async_catch_up(self) -> None:
        """Wait until the recorder has written its queue: the rows that it holds are compared with."""
        # Its own `async_block_till_done` does not wait for the task that is under way.
        written = self._hass.loop.create_future()
        get_instance(self._hass).queue_task(SynchronizeTask(written))
        await written

    async def _async_other_states(self) -> list[HistoryState]:
        """Return the histories of the other accounts, stored ones too: a charger that has moved has a past there."""
        stored = {
            entry.entry_id: await async_stored_state(self._hass, entry.entry_id)
            for entry in self._hass.config_entries.async_entries(DOMAIN)
            if entry is not self.entry
            and all(importer.entry is not entry for importer in self._importers)
        }
        running = {importer.entry.entry_id: importer.history.state for importer in self._importers}
        states = stored | running
        return [state for entry_id, state in states.items() if entry_id != self.entry.entry_id]


class _Change(NamedTuple):
    """Rows that the recorder lacks of a statistic, or its metadata."""

    metadata: StatisticMetaData
    rows: Sequence[StatisticData]


def _recorded_ids(hass: HomeAssistant) -> set[str]:
    return {*get_metadata(hass, statistic_source=DOMAIN)}


def _changes(
    hass: HomeAssistant,
    name: str,
    title: str | None,
    compute: Callable[[], Series],
) -> list[_Change]:
    """Return the changes that the recorder lacks. It computes and reads long: for a thread."""
    series = compute()
    # A charger without a device is called as Joulo called it last.
    title = title or series.nickname or "Charger"
    changes = [
        _Change(metadata, _rows(hass, metadata["statistic_id"], hours))
        for statistic, hours in series.amounts().items()
        for metadata in [_metadata(name, title, statistic)]
    ]
    return [change for change in changes if change.rows or _differs(hass, change.metadata)]


def _metadata(name: str, title: str, statistic: Statistic) -> StatisticMetaData:
    return StatisticMetaData(
        has_sum=True,
        mean_type=StatisticMeanType.NONE,
        name=f"{title} {statistic.name}",
        source=DOMAIN,
        statistic_id=statistic_id(name, statistic.key),
        unit_class=statistic.unit_class,
        unit_of_measurement=statistic.unit,
    )


def _rows(
    hass: HomeAssistant, statistic_id: str, sessions: Sequence[HourlyAmounts]
) -> list[StatisticData]:
    found = statistics_during_period(
        hass, _EPOCH, None, {statistic_id}, "hour", None, {"state", "sum"}
    )
    recorded: dict[datetime, RecordedRow] = {
        dt_util.utc_from_timestamp(row["start"]): (row.get("state"), row.get("sum"))
        for row in found.get(statistic_id, ())
    }
    return [
        StatisticData(start=row.start, state=row.state, sum=row.sum)
        for row in rows_to_write(sessions, recorded)
    ]


def _differs(hass: HomeAssistant, metadata: StatisticMetaData) -> bool:
    """Whether the recorder holds a statistic by another name, or in another unit that a user has chosen for it."""
    known = get_metadata(hass, statistic_ids={metadata["statistic_id"]})
    return any(not metadata.items() <= recorded.items() for _, recorded in known.values())
