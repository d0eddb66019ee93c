"""An account whose sessions are all read, and a second one."""

from homeassistant.const import CONF_TOKEN, CONF_URL
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.joulo.const import DOMAIN
from tests.factories import neighbour
from tests.home import Home
from tests.simulator import (
    SimulatedCloud,
)


@pytest.fixture
async def known(home: Home, cloud: SimulatedCloud) -> MockConfigEntry:
    """Return the entry, set up, with all sessions read, and a new record of requests."""
    await home.read_all()
    cloud.forget_requests()
    return home.entry


@pytest.fixture
async def second(
    hass: HomeAssistant, known: MockConfigEntry, cloud: SimulatedCloud
) -> MockConfigEntry:
    """Return the entry of a second account, set up."""
    account = neighbour("Elsewhere", token="joulo_second")
    cloud.accounts.append(account)
    data = {CONF_URL: known.data[CONF_URL], CONF_TOKEN: account.token}
    entry = MockConfigEntry(domain=DOMAIN, title="Second", data=data)
    entry.add_to_hass(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    cloud.forget_requests()
    return entry
