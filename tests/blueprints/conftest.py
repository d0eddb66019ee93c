"""A Home Assistant with the blueprints, and what they send to or choose in."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from pathlib import Path
from shutil import copytree
from typing import Any, override

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.automation import AutomationEntity
from homeassistant.components.automation.const import DOMAIN as AUTOMATION
from homeassistant.components.notify import NotifyEntity
from homeassistant.components.notify.const import (
    DATA_COMPONENT as NOTIFY_ENTITIES,
    DOMAIN as NOTIFY,
    NotifyEntityFeature,
)
from homeassistant.components.select import SelectEntity
from homeassistant.components.select.const import (
    DATA_COMPONENT as SELECT_ENTITIES,
    DOMAIN as SELECT,
)
from homeassistant.const import ATTR_ENTITY_ID, ENTITY_MATCH_ALL, SERVICE_TURN_OFF
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.script import Script
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.joulo.const import DOMAIN
from tests.conftest import Advance
from tests.simulator import GARAGE_ID

REPOSITORY = Path(__file__).parents[2]
BLUEPRINTS = REPOSITORY / "blueprints"


type Automate = Callable[..., Coroutine[Any, Any, None]]
type Device = Callable[..., str]
type Entity = Callable[..., str]


class Phone(NotifyEntity):
    """A phone that shows messages, unless it is out of reach."""

    _attr_name = "Phone"
    _attr_supported_features = NotifyEntityFeature.TITLE

    def __init__(self) -> None:
        self.messages: list[tuple[str | None, str]] = []
        self.is_reachable = True

    @override
    async def async_send_message(self, message: str, title: str | None = None) -> None:
        if not self.is_reachable:
            raise HomeAssistantError("The phone is out of reach")
        self.messages.append((title, message))


class Loadpoint(SelectEntity):
    """The vehicle at a loadpoint of EVCC, as ha-evcc offers it."""

    _attr_options = ["null", "zoe", "db:2"]  # noqa: RUF012
    _attr_current_option = "null"

    def __init__(self, name: str) -> None:
        self._attr_name = name

    @override
    async def async_select_option(self, option: str) -> None:
        self._attr_current_option = option


@pytest.fixture
def hass_config_dir(tmp_path: Path) -> str:
    """Return a folder for the configuration that holds the blueprints as after their import."""
    copytree(BLUEPRINTS, tmp_path / "blueprints")
    return str(tmp_path)


@pytest.fixture(autouse=True)
async def _amsterdam(hass: HomeAssistant) -> None:
    """Live where Joulo's customers do."""
    await hass.config.async_set_time_zone("Europe/Amsterdam")


@pytest.fixture(autouse=True)
async def _no_run_outlives_its_test(hass: HomeAssistant) -> AsyncGenerator[None]:
    """Turn automations off: when it stops, Home Assistant waits for those that wait."""
    yield
    if hass.services.has_service(AUTOMATION, SERVICE_TURN_OFF):
        await hass.services.async_call(
            AUTOMATION, SERVICE_TURN_OFF, {ATTR_ENTITY_ID: ENTITY_MATCH_ALL}, blocking=True
        )


@pytest.fixture
async def phone(hass: HomeAssistant) -> Phone:
    """Return a phone, `notify.phone`."""
    assert await async_setup_component(hass, NOTIFY, {})
    phone = Phone()
    await hass.data[NOTIFY_ENTITIES].async_add_entities([phone])
    return phone


@pytest.fixture
async def loadpoints(hass: HomeAssistant) -> list[Loadpoint]:
    """Return two loadpoints of EVCC, `select.garage_vehicle` and `select.oprit_vehicle`."""
    assert await async_setup_component(hass, SELECT, {})
    loadpoints = [Loadpoint("Garage vehicle"), Loadpoint("Oprit vehicle")]
    await hass.data[SELECT_ENTITIES].async_add_entities(loadpoints)
    return loadpoints


@pytest.fixture
def device(hass: HomeAssistant, joulo: MockConfigEntry) -> Device:
    """Return a function that returns the device of a charger."""

    def device(charger_id: str = GARAGE_ID) -> str:
        registry = dr.async_get(hass)
        found = registry.async_get_device_by_identifier((DOMAIN, charger_id), joulo.entry_id)
        assert found is not None
        return found.id

    return device


@pytest.fixture
def event(hass: HomeAssistant, joulo: MockConfigEntry) -> Entity:
    """Return a function that returns the event entity of a charger."""

    def event(charger_id: str = GARAGE_ID) -> str:
        unique_id = f"{charger_id}_charging_session"
        found = er.async_get(hass).async_get_entity_id("event", DOMAIN, unique_id)
        assert found is not None
        return found

    return event


@pytest.fixture
def automate(hass: HomeAssistant) -> Automate:
    """Return a function that makes automations of a blueprint, each with its own inputs."""

    async def automate(blueprint: str, *inputs: dict[str, Any]) -> None:
        made_from = [{"path": f"joulo/{blueprint}.yaml", "input": given} for given in inputs]
        config = {AUTOMATION: [{"use_blueprint": one} for one in made_from]}
        assert await async_setup_component(hass, AUTOMATION, config)
        await hass.async_block_till_done(wait_background_tasks=True)
        assert [state.state for state in hass.states.async_all(AUTOMATION)] == ["on"] * len(inputs)

    return automate


@pytest.fixture
def advance(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> Advance:
    """Return a function that lets seconds pass, also while automations wait for something."""

    def is_run(task: asyncio.Future[Any]) -> bool:
        return any(f"{kind.__name__}." in repr(task) for kind in (AutomationEntity, Script))

    def is_busy() -> bool:
        return not all(map(is_run, hass._tasks | hass._background_tasks))

    async def advance(seconds: float) -> None:
        freezer.tick(seconds)
        async_fire_time_changed(hass)
        idle = 0
        # What a run does between two waits takes a few rounds of the event loop.
        while idle < 50:
            await asyncio.sleep(0)
            idle = 0 if is_busy() else idle + 1

    return advance
