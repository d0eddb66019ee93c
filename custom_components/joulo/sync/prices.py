"""Gives charging sessions the prices of their hours, by the price that the user has set.

A sensor's prices come from its statistics in the recorder, so they are there also for hours in which Joulo could not
be reached, and for years before this integration was installed.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import groupby
import logging
from typing import TYPE_CHECKING

from homeassistant.core import (
    CALLBACK_TYPE,
    Event,
    EventStateChangedData,
    HomeAssistant,
    callback,
)
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.event import (
    async_call_later,
    async_track_entity_registry_updated_event,
    async_track_state_change_event,
    async_track_utc_time_change,
)
from homeassistant.helpers.recorder import get_instance
from homeassistant.util import dt as dt_util
from sqlalchemy.exc import SQLAlchemyError

from ..history import SessionHistory
from ..issues import async_clear_price_missing, async_raise_price_missing
from ..price import CONF_PRICE, CONF_PRICE_ENTITY, Price
from ..price_sensor import price_of_now, recorded_prices
from ..sessions import queries, transitions
from ..sessions.hourly import hour_of
from ..sessions.model import Change, HistoryState
from ..sessions.queries import Unpriced
from ..sessions.transitions import FoundPrices

if TYPE_CHECKING:
    from ..data import JouloConfigEntry

_LOGGER = logging.getLogger(__name__)

_ASK_AGAIN = timedelta(days=1)
"""Time for which an hour is not looked up again in which no price was found."""
_ASK_AGAIN_LATELY = timedelta(minutes=10)
"""The same, for an hour whose price the recorder may still be writing."""
_LATELY = timedelta(hours=3)
_SHOWN_EVERY = 60
"""Seconds between two prices of now."""


def _month(unpriced: Unpriced) -> tuple[int, int]:
    start = unpriced.session.started_at
    return start.year, start.month


class SessionPricer:
    """Looks prices up, a month at a time and the newest first, and tells the price of now."""

    def __init__(
        self, hass: HomeAssistant, entry: JouloConfigEntry, history: SessionHistory, price: Price
    ) -> None:
        self._hass = hass
        self._entry = entry
        self._history = history
        self._price = price
        self._not_before: dict[datetime, datetime] = {}
        """Moments at which hours may be looked up again in which no price was found."""
        self._cancel_show: CALLBACK_TYPE | None = None
        self._is_running = False
        self._is_due = False
        self._is_check_due = False
        self._has_failed = False

    @callback
    def async_start(self) -> None:
        """Price sessions from now on, until the entry is unloaded."""
        for unsubscribe in (
            # A new hour begins with the price of before.
            async_track_utc_time_change(self._hass, self.async_show_price, minute=0, second=0),
            async_track_utc_time_change(self._hass, self._async_end_hour, minute=1, second=5),
            self._history.async_listen(
                self._async_price_soon, Change.SESSIONS | Change.OBSERVED | Change.SYNC
            ),
            self._async_cancel_show,
        ):
            self._entry.async_on_unload(unsubscribe)
        if (entity_id := self._price.entity_id) is not None:
            for unsubscribe in (
                async_track_state_change_event(self._hass, entity_id, self._async_show_price_soon),
                async_track_entity_registry_updated_event(
                    self._hass, entity_id, self._async_follow_sensor
                ),
            ):
                self._entry.async_on_unload(unsubscribe)
        self._async_price_soon()

    @callback
    def async_show_price(self, *_: object) -> None:
        """Tell the history what a kWh costs now."""
        self._async_cancel_show()
        entity_id = self._price.entity_id
        price = self._price.fixed if entity_id is None else price_of_now(self._hass, entity_id)
        self._history.async_update(transitions.show_price, hour_of(dt_util.utcnow()), price)

    @callback
    def _async_show_price_soon(self, _event: Event[EventStateChangedData]) -> None:
        """Tell it within a minute: a price that changes with every ray of sun is shown as often as the energy is."""
        if self._cancel_show is None:
            self._cancel_show = async_call_later(self._hass, _SHOWN_EVERY, self.async_show_price)

    @callback
    def _async_cancel_show(self) -> None:
        if self._cancel_show is not None:
            self._cancel_show()
            self._cancel_show = None

    @callback
    def _async_follow_sensor(self, event: Event[er.EventEntityRegistryUpdatedData]) -> None:
        """Go on with a sensor that is renamed; say so where it is removed."""
        data = event.data
        if data["action"] == "remove":
            async_raise_price_missing(self._hass, self._entry, data["entity_id"])
        elif data["action"] == "update" and "entity_id" in data["changes"]:
            renamed = self._price.renamed(data["entity_id"])
            self._history.async_update(transitions.rename_tariff, renamed.fingerprint)
            options = self._entry.options
            section = {**options[CONF_PRICE], CONF_PRICE_ENTITY: data["entity_id"]}
            self._hass.config_entries.async_update_entry(
                self._entry, options={**options, CONF_PRICE: section}
            )

    @callback
    def _async_end_hour(self, _now: datetime) -> None:
        """Price the hour that has passed, and look whether prices are found at all."""
        self._is_check_due = True
        self._async_price_soon()

    @callback
    def _async_price_soon(self, _change: Change = Change.NONE) -> None:
        """Look up what is missing, unless that is under way: then after it."""
        self._is_due = True
        if not self._is_running:
            self._is_running = True
            self._entry.async_create_background_task(
                self._hass, self._async_price(), "Price charging sessions"
            )

    async def _async_price(self) -> None:
        try:
            while self._is_due:
                self._is_due = False
                await self._async_price_all()
        except SQLAlchemyError as error:
            level = logging.DEBUG if self._has_failed else logging.WARNING
            _LOGGER.log(level, "The prices of charging sessions are looked up later: %s", error)
            self._has_failed = True
        else:
            self._has_failed = False
        finally:
            self._is_running = False
        if self._is_check_due:
            self._is_check_due = False
            self._check()

    async def _async_price_all(self) -> None:
        now = dt_util.utcnow()
        months = await self._hass.async_add_executor_job(
            self._months_to_price, self._history.state, now
        )
        for sessions in months:
            found = await self._async_look_up(sessions)
            self._note_missing(sessions, found, now)
            self._history.async_update(transitions.add_prices, found)

    def _months_to_price(self, state: HistoryState, now: datetime) -> list[list[Unpriced]]:
        """Return what is to be looked up by month, the newest first. It takes long for a long history: for a thread."""
        due = sorted(queries.unpriced_sessions(state, now, self._not_before), key=_month)
        return [[*sessions] for _, sessions in groupby(due, _month)][::-1]

    async def _async_look_up(self, sessions: Sequence[Unpriced]) -> list[FoundPrices]:
        fixed, entity_id = self._price.fixed, self._price.entity_id
        if entity_id is not None and "recorder" in self._hass.config.components:
            return await get_instance(self._hass).async_add_executor_job(
                recorded_prices, self._hass, entity_id, sessions
            )
        return [
            FoundPrices(
                session.id,
                session.charger_id,
                {} if fixed is None else dict.fromkeys(hours, fixed),
            )
            for session, hours in sessions
        ]

    def _note_missing(
        self, asked: Iterable[Unpriced], found: Iterable[FoundPrices], now: datetime
    ) -> None:
        for (_, hours), answer in zip(asked, found, strict=True):
            for hour in hours:
                if hour not in answer.prices:
                    pause = _ASK_AGAIN_LATELY if now - hour < _LATELY else _ASK_AGAIN
                    self._not_before[hour] = now + pause

    def _check(self) -> None:
        """Raise the issue that no prices are found, or delete it."""
        entity_id = self._price.entity_id
        if entity_id is not None and (
            self._is_gone(entity_id) or queries.lacks_costs(self._history.state, dt_util.utcnow())
        ):
            async_raise_price_missing(self._hass, self._entry, entity_id)
        else:
            async_clear_price_missing(self._hass, self._entry)

    def _is_gone(self, entity_id: str) -> bool:
        is_registered = er.async_get(self._hass).async_get(entity_id) is not None
        return not is_registered and self._hass.states.get(entity_id) is None
