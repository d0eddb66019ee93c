"""Keeps the recorder's long-term statistics equal to the history; writing twice changes nothing.

The right rows follow from the history alone. They are compared with the recorder's and written from the
first difference to the end, so that a crash, a correction or a deletion heals by itself.
"""

import asyncio
from collections.abc import Sequence
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
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.event import async_call_later, async_track_utc_time_change
from homeassistant.helpers.recorder import get_instance
from homeassistant.util import dt as dt_util, slugify
from homeassistant.util.hass_dict import HassKey
from sqlalchemy.exc import SQLAlchemyError

from ..const import DOMAIN
from ..devices import charger_ids
from ..history import SessionHistory, async_stored_state
from ..sessions import queries
from ..sessions.hourly import HourlyAmounts
from ..sessions.model import Change, HistoryState
from .series import RecordedRow, Statistic, charger_series, rows_to_write

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


def statistic_id(charger_id: str, key: str) -> str:
    """Return the id of a charger's statistic: `energy`, `ere` or `value`."""
    return f"{DOMAIN}:{slugify(charger_id)}_{key}"


class StatisticsImporter:
    """Writes soon after the history has changed, and past every full hour; one write at a time."""

    def __init__(
        self, hass: HomeAssistant, entry: JouloConfigEntry, history: SessionHistory
    ) -> None:
        """Prepare to write what an entry's history holds."""
        self._hass = hass
        self.entry = entry
        self.history = history
        self._last_read = history.state.last_read
        """Beginning of the last read of an earlier run."""
        self._devices = dr.async_get(hass)
        self._importers = hass.data.setdefault(_IMPORTERS, [])
        self._cancel: CALLBACK_TYPE | None = None
        self._write: asyncio.Task[None] | None = None

    @callback
    def async_start(self) -> None:
        """Write from now on, until the entry is unloaded."""
        self._importers.append(self)
        self._async_write_soon()
        changes = Change.SESSIONS | Change.VALUES | Change.SYNC | Change.PLANNING
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

        The history may be an old file, so this run has to have completed a read of its own.
        """
        state = self.history.state
        if state.last_full_read is None or state.last_read == self._last_read:
            return
        states = await self._async_states()
        try:
            for charger_id in self._own_chargers():
                await self._async_write_charger(charger_id, states)
        except SQLAlchemyError as error:
            _LOGGER.warning("The statistics are written later: %s", error)

    def _own_chargers(self) -> list[str]:
        """Return the chargers that this account writes: the first account that lists one writes it, or else knows it."""
        importers: dict[str, StatisticsImporter] = {}
        candidates = [*self._importers, self]
        for importer in candidates:
            for charger_id in charger_ids(self._devices, importer.entry):
                importers.setdefault(charger_id, importer)
        for importer in candidates:
            for charger_id in queries.charger_ids(importer.history.state):
                importers.setdefault(charger_id, importer)
        return sorted(charger_id for charger_id, importer in importers.items() if importer is self)

    async def _async_write_charger(self, charger_id: str, others: Sequence[HistoryState]) -> None:
        await self._async_catch_up()
        changes = await get_instance(self._hass).async_add_executor_job(
            _changes,
            self._hass,
            charger_id,
            self._charger_name(charger_id),
            [*others, self.history.state],
            dt_util.utcnow(),
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

    async def _async_states(self) -> list[HistoryState]:
        """Return the histories of the other accounts, stored ones too: a charger that has moved has a past there."""
        running = {importer.entry.entry_id: importer.history.state for importer in self._importers}
        return [
            running.get(entry.entry_id) or await async_stored_state(self._hass, entry.entry_id)
            for entry in self._hass.config_entries.async_entries(DOMAIN)
            if entry.entry_id != self.entry.entry_id
        ]

    def _charger_name(self, charger_id: str) -> str | None:
        """Return the name of a charger in Home Assistant; unknown once its device was removed."""
        device = self._devices.async_get_device_by_identifier(
            (DOMAIN, charger_id), self.entry.entry_id
        )
        return (device.name_by_user or device.name) if device else None


class _Change(NamedTuple):
    """Rows that the recorder lacks of a statistic, or its new name."""

    metadata: StatisticMetaData
    rows: Sequence[StatisticData]


def _changes(
    hass: HomeAssistant,
    charger_id: str,
    charger_name: str | None,
    states: Sequence[HistoryState],
    now: datetime,
) -> list[_Change]:
    """Return the changes that the recorder lacks. It computes and reads long: for a thread."""
    series = charger_series(states, charger_id, now)
    # A charger without a device is called as Joulo called it last.
    name = charger_name or series.nickname or "Charger"
    changes = [
        _Change(metadata, _rows(hass, metadata["statistic_id"], hours))
        for statistic, hours in series.amounts().items()
        for metadata in [_metadata(charger_id, name, statistic)]
    ]
    return [change for change in changes if change.rows or _is_renamed(hass, change.metadata)]


def _metadata(charger_id: str, charger_name: str, statistic: Statistic) -> StatisticMetaData:
    return StatisticMetaData(
        has_sum=True,
        mean_type=StatisticMeanType.NONE,
        name=f"{charger_name} {statistic.name}",
        source=DOMAIN,
        statistic_id=statistic_id(charger_id, statistic.key),
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


def _is_renamed(hass: HomeAssistant, metadata: StatisticMetaData) -> bool:
    known = get_metadata(hass, statistic_ids={metadata["statistic_id"]})
    return any(recorded["name"] != metadata["name"] for _, recorded in known.values())
