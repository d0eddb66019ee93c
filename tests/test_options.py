"""How often the chargers are asked is the user's choice, within Joulo's limits."""

from homeassistant.config_entries import ConfigEntryState, ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, InvalidData
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.joulo.const import CONF_CHARGERS_INTERVAL
from tests.conftest import Advance
from tests.flows import states
from tests.simulator import SimulatedCloud


async def choose(hass: HomeAssistant, entry: MockConfigEntry, seconds: float) -> ConfigFlowResult:
    """Enter an interval, and wait for the reload."""
    form = await hass.config_entries.options.async_init(entry.entry_id)
    assert form["type"] is FlowResultType.FORM
    assert form["step_id"] == "init"
    result = await hass.config_entries.options.async_configure(
        form["flow_id"], {CONF_CHARGERS_INTERVAL: seconds}
    )
    await hass.async_block_till_done(wait_background_tasks=True)
    return result


async def test_the_interval_is_a_minute_until_the_user_chooses(
    hass: HomeAssistant, joulo: MockConfigEntry
) -> None:
    form = await hass.config_entries.options.async_init(joulo.entry_id)
    schema = form["data_schema"]
    assert schema is not None
    assert schema({}) == {CONF_CHARGERS_INTERVAL: 60}


@pytest.mark.parametrize("seconds", [60.0, 300.0, 900.0])
async def test_an_interval_is_kept_as_a_whole_number_and_offered_again(
    hass: HomeAssistant, joulo: MockConfigEntry, seconds: float
) -> None:
    result = await choose(hass, joulo, seconds)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert joulo.options == {CONF_CHARGERS_INTERVAL: seconds}
    assert isinstance(joulo.options[CONF_CHARGERS_INTERVAL], int)
    form = await hass.config_entries.options.async_init(joulo.entry_id)
    field, _ = form["data_schema"].schema  # type: ignore[union-attr]
    assert field.description == {"suggested_value": seconds}


@pytest.mark.parametrize("seconds", [0, 59, 901, -60])
async def test_an_interval_out_of_bounds_is_refused(
    hass: HomeAssistant, joulo: MockConfigEntry, seconds: float
) -> None:
    with pytest.raises(InvalidData):
        await choose(hass, joulo, seconds)
    assert joulo.options == {}


async def test_a_new_interval_holds_from_the_next_poll_on(
    hass: HomeAssistant, cloud: SimulatedCloud, joulo: MockConfigEntry, advance: Advance
) -> None:
    await choose(hass, joulo, 300)
    assert joulo.state is ConfigEntryState.LOADED
    for _ in range(29):
        await advance(10)
    assert cloud.count("/chargers") == 1
    await advance(12)
    assert cloud.count("/chargers") == 2
    await advance(290)
    assert cloud.count("/chargers") == 2
    await advance(12)
    assert cloud.count("/chargers") == 3


async def test_the_reload_asks_nothing_and_loses_nothing(
    hass: HomeAssistant, cloud: SimulatedCloud, joulo: MockConfigEntry
) -> None:
    before = states(hass)
    cloud.forget_requests()
    await choose(hass, joulo, 120)
    assert cloud.requests == []
    assert states(hass) == before
