"""A Home Assistant with one Joulo entry, in verbs: what tests do to it again and again."""

import asyncio
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import EVENT_HOMEASSISTANT_FINAL_WRITE, EVENT_HOMEASSISTANT_STARTED
from homeassistant.core import CoreState, HomeAssistant
from homeassistant.helpers import issue_registry as ir, restore_state
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.joulo.api import ChargingSession
from custom_components.joulo.clients import _RATE_LIMITERS
from custom_components.joulo.const import DOMAIN
from custom_components.joulo.sessions import queries
from tests.simulator import SimulatedCloud
from tests.timing import HOUR, PAGE, POLL

if TYPE_CHECKING:
    from tests.conftest import Advance, Settle

_MOST_PAGES = 100


@dataclass(frozen=True, slots=True)
class Home:
    """A Home Assistant, its Joulo entry, the Joulo that it asks, and the clock of both."""

    hass: HomeAssistant
    entry: MockConfigEntry
    cloud: SimulatedCloud
    storage: dict[str, Any]
    freezer: FrozenDateTimeFactory
    advance: Advance
    settle: Settle

    # Time

    async def wait(self, seconds: float) -> None:
        """Let time pass in one step, and what is due by then happen once."""
        await self.advance(seconds)

    async def poll(self, times: int = 1) -> None:
        """Let the chargers be asked once more, or so many times."""
        for _ in range(times):
            await self.advance(POLL)

    async def hours(self, count: int = 1) -> None:
        """Let time pass hour by hour."""
        for _ in range(count):
            await self.advance(HOUR)

    async def read_pages(self, count: int = 1) -> None:
        """Let so many pages of the past be read, if there are so many."""
        for _ in range(count):
            await self.advance(PAGE)

    async def read_all(self) -> None:
        """Let pages of the past be read until no other is asked for."""
        for _ in range(_MOST_PAGES):
            asked = len(self.cloud.requests)
            await self.advance(PAGE)
            if not any("to" in request.query for request in self.cloud.requests[asked:]):
                return
        raise AssertionError(f"No end of the past after {_MOST_PAGES} pages")

    # The entry

    async def set_up(self) -> None:
        """Set the entry up, and wait for what it reads in the background."""
        self.hass.async_create_task(self.hass.config_entries.async_setup(self.entry.entry_id))
        await self.settle()

    async def reload(self) -> None:
        """Reload the entry as a user does."""
        self.hass.async_create_task(self.hass.config_entries.async_reload(self.entry.entry_id))
        await self.settle()

    async def unload(self) -> None:
        """Unload the entry; what it knows is written."""
        assert await self.hass.config_entries.async_unload(self.entry.entry_id)

    async def save(self) -> None:
        """Let everything that waits to be written be written now."""
        self.hass.bus.async_fire(EVENT_HOMEASSISTANT_FINAL_WRITE)
        await self.hass.async_block_till_done()

    async def restart(self, *, away: float = 0, crash: bool = False) -> None:
        """End Home Assistant and start it so many seconds later, with what is on the disk by then.

        In a crash nothing more is written. Nothing stays in memory, so nothing but what is on the disk
        knows when Joulo was asked last.
        """
        on_disk = self._on_disk() if crash else None
        await self.unload()
        await self.start_again(away, on_disk)

    async def lose_power(self, steps: int, *, away: float) -> None:
        """Let the power fail after so many steps of the event loop, and come back so many seconds later.

        Whatever the process would still do after the failure reaches neither the disk nor Joulo.
        """
        for _ in range(steps):
            await asyncio.sleep(0)
        on_disk = self._on_disk()
        restorable = restore_state.async_get(self.hass)
        shown_again = dict(restorable.last_states)
        self.cloud.unplugged = True
        await self.settle()
        await self.unload()
        # Home Assistant, too, restores nothing that the process has shown after the failure.
        restorable.last_states = shown_again
        self.cloud.unplugged = False
        await self.start_again(away, on_disk)

    def _on_disk(self) -> dict[str, Any]:
        return {
            key: deepcopy(content)
            for key, content in self.storage.items()
            if key.startswith(f"{DOMAIN}.")
        }

    async def start_again(self, away: float, on_disk: dict[str, Any] | None = None) -> None:
        """Start an unloaded entry after a while; by what was on the disk at a moment, or by what is there."""
        if on_disk is not None:
            for key in self._on_disk():
                del self.storage[key]
            self.storage.update(on_disk)
        self.hass.data.pop(_RATE_LIMITERS)
        self.freezer.tick(away)
        self.hass.set_state(CoreState.starting)
        await self.set_up()
        self.hass.set_state(CoreState.running)
        self.hass.bus.async_fire(EVENT_HOMEASSISTANT_STARTED)
        await self.settle()

    # What is there

    @property
    def storage_key(self) -> str:
        """The name of the file that holds the entry's history."""
        return f"{DOMAIN}.{self.entry.entry_id}.history"

    @property
    def known(self) -> dict[str, ChargingSession]:
        """The sessions in the entry's history, by id."""
        listed = queries.listed(self.entry.runtime_data.history.state)
        return {session.id: session for session in listed}

    def state(self, entity_id: str) -> str:
        """Return the state of an entity that there is."""
        state = self.hass.states.get(entity_id)
        assert state is not None, entity_id
        return state.state

    def attribute(self, entity_id: str, name: str) -> Any:
        """Return an attribute of an entity that there is."""
        state = self.hass.states.get(entity_id)
        assert state is not None, entity_id
        return state.attributes[name]

    def number(self, entity_id: str) -> float:
        """Return the number that an entity shows."""
        return float(self.state(entity_id))

    def states(self) -> dict[str, str]:
        """Return the state of every entity."""
        return {state.entity_id: state.state for state in self.hass.states.async_all()}

    def issues(self) -> list[ir.IssueEntry]:
        """Return the integration's issues in Home Assistant's repairs."""
        registry = ir.async_get(self.hass)
        return [issue for (domain, _), issue in registry.issues.items() if domain == DOMAIN]

    async def sessions(self) -> list[dict[str, Any]]:
        """Return the rows of the action `get_sessions`."""
        answer: Any = await self.hass.services.async_call(
            DOMAIN, "get_sessions", {}, blocking=True, return_response=True
        )
        rows: list[dict[str, Any]] = answer["sessions"]
        return rows
