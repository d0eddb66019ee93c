"""Notices the `rest:` sensors that Joulo's own page has users paste, and tells that this integration replaces them.

Both together ask Joulo more often than it allows. The YAML: https://joulo.nl/en/home-assistant
"""

from datetime import datetime
import re
from typing import TYPE_CHECKING, Final

from homeassistant.const import Platform
from homeassistant.core import CALLBACK_TYPE, Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers.entity import entity_sources
from homeassistant.helpers.event import (
    async_call_later,
    async_track_state_added_domain,
    async_track_state_removed_domain,
)
from homeassistant.helpers.start import async_at_started

from .issues import async_clear_rest_sensors, async_raise_rest_sensors

if TYPE_CHECKING:
    from .data import JouloConfigEntry

# Exactly those names: whoever reads something else from Joulo with a sensor of their own is not to be warned.
# Home Assistant numbers the copies for a second charger, and the page's card and recipe name a binary sensor.
_FROM_THE_PAGE: Final = re.compile(
    r"(?:binary_)?sensor\.joulo_"
    r"(?:charger_status|is_charging|session_kwh|active_tag_id"
    r"|total_kwh|total_ere|last_session_kwh|last_session_ere)"
    r"(?:_\d+)?"
)
_DOMAINS: Final = [Platform.BINARY_SENSOR, Platform.SENSOR]
_SETTLED: Final = 30
"""Seconds: a reload of the YAML takes its entities away and brings them back within."""


class RestSensorsWatch:
    """Keeps the notice equal to the sensors that there are, once Home Assistant has started."""

    def __init__(self, hass: HomeAssistant, entry: JouloConfigEntry) -> None:
        self._hass = hass
        self._entry = entry
        self._cancel: CALLBACK_TYPE | None = None

    @callback
    def async_start(self) -> None:
        """Watch until the entry is unloaded."""
        self._entry.async_on_unload(async_at_started(self._hass, self._async_begin))
        self._entry.async_on_unload(self._async_cancel)

    @callback
    def _async_begin(self, hass: HomeAssistant) -> None:
        """Compare now, and whenever such a sensor comes or goes: the platform may wait for Joulo to answer."""
        self._async_compare()
        for track in (async_track_state_added_domain, async_track_state_removed_domain):
            self._entry.async_on_unload(track(hass, _DOMAINS, self._async_compare_soon))

    @callback
    def _async_compare_soon(self, event: Event[EventStateChangedData]) -> None:
        """Compare once no more of them come or go: a notice taken back forgets that a user ignores it."""
        if _FROM_THE_PAGE.fullmatch(event.data["entity_id"]):
            self._async_cancel()
            self._cancel = async_call_later(self._hass, _SETTLED, self._async_compare)

    @callback
    def _async_compare(self, _now: datetime | None = None) -> None:
        self._async_cancel()
        if found := _rest_sensors(self._hass):
            async_raise_rest_sensors(self._hass, found)
        else:
            async_clear_rest_sensors(self._hass)

    @callback
    def _async_cancel(self) -> None:
        if self._cancel is not None:
            self._cancel()
            self._cancel = None


def _rest_sensors(hass: HomeAssistant) -> list[str]:
    """Return the ids of the page's sensors; having no unique id, they are in no registry."""
    return sorted(
        entity_id
        for entity_id, source in entity_sources(hass).items()
        if source["domain"] == "rest" and _FROM_THE_PAGE.fullmatch(entity_id)
    )
