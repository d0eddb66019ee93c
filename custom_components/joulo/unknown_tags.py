"""Asks whose a card is that was used lately and that no vehicle has, once there is a vehicle."""

from datetime import timedelta
from typing import TYPE_CHECKING

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.event import async_call_later
from homeassistant.helpers.translation import async_load_integrations
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .devices import charger_names
from .history import SessionHistory
from .issues import async_keep_unknown_tags, async_raise_unknown_tag
from .localizer import async_localizer
from .sessions import queries
from .sessions.model import Change
from .sessions.vehicles import comparable, tag_ends, tag_hash

if TYPE_CHECKING:
    from .data import JouloConfigEntry

_LATELY = timedelta(days=30)
_SOON = 5
"""Seconds from a change to the comparison."""


class UnknownTagsWatch:
    """Keeps the issues equal to the tags that the history has and the vehicles do not."""

    def __init__(
        self, hass: HomeAssistant, entry: JouloConfigEntry, history: SessionHistory
    ) -> None:
        self._hass = hass
        self._entry = entry
        self._history = history
        self._cancel: CALLBACK_TYPE | None = None

    async def async_start(self) -> None:
        """Compare now and with every news, until the entry is unloaded."""
        await async_load_integrations(self._hass, {DOMAIN})
        self._async_compare()
        # With every read too: a card that was not used for a month is not asked about any more.
        changes = Change.SESSIONS | Change.OBSERVED | Change.VEHICLES | Change.PLANNING
        for unsubscribe in (
            self._history.async_listen(self._async_compare_soon, changes),
            self._async_cancel,
        ):
            self._entry.async_on_unload(unsubscribe)

    @callback
    def _async_compare_soon(self, _change: Change) -> None:
        """Compare in a moment: nobody waits for it, and a page of sessions gives enough to do."""
        if self._cancel is None:
            self._cancel = async_call_later(self._hass, _SOON, self._async_compare)

    @callback
    def _async_cancel(self) -> None:
        if self._cancel is not None:
            self._cancel()
            self._cancel = None

    @callback
    def _async_compare(self, *_: object) -> None:
        self._async_cancel()
        state = self._history.state
        vehicles = state.fleet.vehicles
        uses = queries.tag_uses(state) if vehicles else []
        known = frozenset[str]().union(*(vehicle.tags for vehicle in vehicles))
        since = dt_util.utcnow() - _LATELY
        foreign = [use for use in uses if comparable(use.tag) not in known]
        unknown = [use for use in foreign if use.last >= since]
        ends = tag_ends(use.tag for use in uses) if unknown else {}
        localizer = async_localizer(self._hass)
        names = charger_names(dr.async_get(self._hass), self._entry)
        for use in unknown:
            async_raise_unknown_tag(
                self._hass,
                self._entry,
                tag_hash(use.tag),
                tag=ends[use.tag],
                charger=names.get(use.charger_id) or "?",
                last=localizer.day(use.last),
                sessions=str(use.sessions),
            )
        async_keep_unknown_tags(
            self._hass,
            self._entry,
            {tag_hash(use.tag) for use in unknown},
            {tag_hash(use.tag) for use in foreign},
        )
