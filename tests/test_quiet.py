"""An answer that changes nothing writes no state; a change writes the entities that it concerns, each once."""

from collections import Counter

from homeassistant.const import EVENT_STATE_CHANGED, EVENT_STATE_REPORTED
from homeassistant.core import (
    Event,
    EventStateChangedData,
    EventStateReportedData,
    HomeAssistant,
    callback,
)
from homeassistant.helpers import entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from tests.conftest import Advance
from tests.simulator import GARAGE_ID, OPRIT_ID, SCHUUR_ID, SimulatedAccount

POLL = 61
READ = 602
HOUR = 3601

pytestmark = pytest.mark.usefixtures("all_entities_enabled")


@callback
def _is_any(_data: EventStateReportedData) -> bool:
    return True


class Writes:
    """How often entities were written since this was last asked: with a change, and without."""

    def __init__(self, hass: HomeAssistant) -> None:
        self._registry = er.async_get(hass)
        self._changed: Counter[str] = Counter()
        self._reported: Counter[str] = Counter()
        # A reported state is announced to filtered listeners only.
        hass.bus.async_listen(EVENT_STATE_CHANGED, self._async_count_change)
        hass.bus.async_listen(EVENT_STATE_REPORTED, self._async_count_report, _is_any)

    @callback
    def _async_count_change(self, event: Event[EventStateChangedData]) -> None:
        # The meter of the simulated charger has another moment in every answer.
        if event.data["entity_id"] != "sensor.oprit_meter_updated":
            self._changed[event.data["entity_id"]] += 1

    @callback
    def _async_count_report(self, event: Event[EventStateReportedData]) -> None:
        self._reported[event.data["entity_id"]] += 1

    def forget(self) -> None:
        """Begin to count anew."""
        self._changed.clear()
        self._reported.clear()

    @property
    def idle(self) -> dict[str, int]:
        """Writes that changed nothing, by entity."""
        return dict(self._reported)

    @property
    def changes(self) -> dict[str, int]:
        """Writes that changed something, by entity."""
        return dict(self._changed)

    def keys(self, device_key: str) -> dict[str, int]:
        """Return the changes of a device's entities by their key."""
        found: dict[str, int] = {}
        for entity_id, count in self._changed.items():
            entity = self._registry.async_get(entity_id)
            assert entity is not None
            if entity.unique_id.startswith(f"{device_key}_"):
                found[entity.unique_id.removeprefix(f"{device_key}_")] = count
        return found


@pytest.fixture
async def writes(hass: HomeAssistant, joulo: MockConfigEntry, advance: Advance) -> Writes:
    """Return the count of writes from the moment on at which all has been read."""
    for _ in range(8):
        await advance(7)
    for _ in range(2):
        await advance(HOUR)
    return Writes(hass)


async def test_an_unchanged_poll_writes_nothing(
    hass: HomeAssistant, writes: Writes, advance: Advance
) -> None:
    assert len(hass.states.async_all()) > 60
    for _ in range(5):
        await advance(POLL)
    assert (writes.changes, writes.idle) == ({}, {})


async def test_an_unchanged_poll_of_an_active_session_writes_nothing(
    account: SimulatedAccount, writes: Writes, advance: Advance
) -> None:
    account.start_session(GARAGE_ID, power_kw=0)
    await advance(POLL)
    await advance(READ)
    writes.forget()
    for _ in range(5):
        await advance(POLL)
    assert (writes.changes, writes.idle) == ({}, {})


async def test_a_start_writes_only_the_entities_of_its_charger_and_each_once(
    account: SimulatedAccount, writes: Writes, advance: Advance
) -> None:
    account.start_session(GARAGE_ID, tag="DEADBEEF12345678")
    await advance(POLL)
    assert writes.idle == {}
    assert set(writes.changes.values()) == {1}
    keys = writes.keys(GARAGE_ID)
    assert len(keys) == len(writes.changes), "no other device has changed"
    assert {"charging", "charging_session", "session_start", "active_tag_id"} <= keys.keys()
    assert not {key for key in keys if key.startswith("last_session")}
    assert not {"restart", "hard_restart", "mid_certified", "connection_type"} & keys.keys()


async def test_a_growing_energy_writes_what_shows_it_and_nothing_else(
    account: SimulatedAccount, writes: Writes, advance: Advance
) -> None:
    account.start_session(GARAGE_ID)
    await advance(POLL)
    await advance(READ)
    writes.forget()
    await advance(POLL)
    assert writes.idle == {}
    assert writes.keys(GARAGE_ID) == {
        "charging_sessions": 1,
        "session_average_power": 1,
        "session_energy": 1,
        "session_ere": 1,
        "total_energy": 1,
        "total_ere": 1,
    }
    assert len(writes.changes) == 6


async def test_a_charger_that_goes_offline_writes_only_its_own_entities(
    account: SimulatedAccount, writes: Writes, advance: Advance
) -> None:
    account.charger(OPRIT_ID).status = "offline"
    await advance(POLL)
    assert writes.idle == {}
    assert writes.keys(OPRIT_ID) == {"status": 1, "connectivity": 1}
    assert len(writes.changes) == 2


async def test_the_end_of_a_session_writes_each_entity_once_for_each_change(
    account: SimulatedAccount, writes: Writes, advance: Advance
) -> None:
    account.start_session(GARAGE_ID)
    await advance(POLL)
    for _ in range(2):
        await advance(READ)
    writes.forget()
    account.end_session(GARAGE_ID)
    await advance(POLL)
    assert writes.idle == {}
    assert set(writes.changes.values()) == {1}
    assert "charging" in writes.keys(GARAGE_ID)
    assert len(writes.keys(GARAGE_ID)) == len(writes.changes)

    writes.forget()
    await advance(READ)
    assert writes.idle == {}, "Joulo lists the end, with its figures and value"
    keys = writes.keys(GARAGE_ID)
    assert {"last_session_energy", "last_session_end", "charging_session"} <= keys.keys()
    assert set(writes.changes.values()) == {1}
    assert not writes.keys(OPRIT_ID)
    assert not writes.keys(SCHUUR_ID)


async def test_an_idle_day_has_no_write_that_changes_nothing(
    account: SimulatedAccount, joulo: MockConfigEntry, writes: Writes, advance: Advance
) -> None:
    for _ in range(24):
        for seconds in (POLL, POLL, HOUR - 2 * POLL):
            await advance(seconds)
    assert writes.idle == {}
    assert not any(writes.keys(charger.id) for charger in account.chargers)


@pytest.mark.refusals("unauthorized")
async def test_an_outage_writes_each_entity_once_as_it_comes_and_goes(
    hass: HomeAssistant, account: SimulatedAccount, writes: Writes, advance: Advance
) -> None:
    account.rotate_token()
    for _ in range(3):
        await advance(POLL)
    assert writes.idle == {}
    assert set(writes.changes.values()) == {1}
