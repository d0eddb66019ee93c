"""Matches the sessions that cars record with Joulo's, in a thread: a long history takes long."""

from dataclasses import replace
from typing import TYPE_CHECKING

from homeassistant.core import HomeAssistant, callback

from ..history import SessionHistory
from ..sessions import queries, transitions
from ..sessions.matching import Matching
from ..sessions.model import Change, HistoryState

if TYPE_CHECKING:
    from ..data import JouloConfigEntry

_MATCHED_BY = (
    Change.ACTIVE | Change.OBSERVED | Change.SESSIONS | Change.MOVED | Change.VEHICLES | Change.CARS
)


class SessionMatcher:
    """Matches cars' records with Joulo's sessions, and again whenever either changes."""

    def __init__(
        self, hass: HomeAssistant, entry: JouloConfigEntry, history: SessionHistory
    ) -> None:
        self._hass = hass
        self._entry = entry
        self._history = history
        self._is_due = False
        self._is_running = False

    @callback
    def async_start(self) -> None:
        """Match from now on, until the entry is unloaded."""
        self._entry.async_on_unload(self._history.async_listen(self._async_match_soon, _MATCHED_BY))

    @callback
    def _async_match_soon(self, _change: Change) -> None:
        """Match, unless that is under way: then after it."""
        state = self._history.state
        if not state.cars and not state.car_matches:
            return
        self._is_due = True
        if not self._is_running:
            self._is_running = True
            # Not at once: the thread would slow down what else follows this change.
            self._entry.async_create_background_task(
                self._hass,
                self._async_match_until_done(),
                "Match the sessions of cars",
                eager_start=False,
            )

    async def _async_match_until_done(self) -> None:
        try:
            while self._is_due:
                await self.async_match()
        finally:
            self._is_running = False

    async def async_match(self) -> None:
        """Match what there is now, and tell the history, unless that has changed meanwhile."""
        self._is_due = False
        state = self._history.state
        matching = await self._hass.async_add_executor_job(_prepared_matching, state)
        if not self._is_due and self._history.state.fleet is state.fleet:
            self._history.async_update(transitions.set_matching, matching)
            # What this has changed itself is no news.
            self._is_due = False


def _prepared_matching(state: HistoryState) -> Matching:
    """Return the match, with all computed that is remembered of a history in which it counts."""
    matching = queries.matching(state)
    queries.prepare(replace(state, fleet=matching.fleet))
    return matching
