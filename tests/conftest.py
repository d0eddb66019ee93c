"""What most tests begin with: a simulated Joulo, and a Home Assistant that is set up against it."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from datetime import UTC, datetime, timedelta
import logging
from math import inf
import os
from typing import Any
from unittest.mock import PropertyMock, patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import CONF_TOKEN, CONF_URL, EVENT_STATE_CHANGED, STATE_UNAVAILABLE
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers.entity import Entity
from homeassistant.util.async_ import get_scheduled_timer_handles
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed
from pytest_homeassistant_custom_component.syrupy import HomeAssistantSnapshotExtension
from syrupy.assertion import SnapshotAssertion

import custom_components.joulo  # noqa: F401 (else the plugin's own package would shadow it)
from custom_components.joulo.const import DOMAIN
from tests.cars import ID3_ENTITY, ZOE_ENTITY
from tests.events import Told
from tests.home import Home
from tests.simulator import (
    DEMO_TOKEN,
    SimulatedAccount,
    SimulatedCar,
    SimulatedCloud,
    SimulatedDerConnect,
    seeded_account,
    serve,
    serve_der_connect,
)

collect_ignore = ["browser"]
"""Those tests have a Home Assistant of their own: `scripts/browser` runs them."""

NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)

type Advance = Callable[[float], Coroutine[Any, Any, None]]
type Settle = Callable[[], Coroutine[Any, Any, None]]


def recent_account() -> SimulatedAccount:
    """Return an account with three chargers and 45 days of sessions, which fit on one page."""
    return seeded_account(NOW, days=45)


@pytest.fixture
def recorder() -> None:
    """Do without a recorder; tests that need one put `recorder_mock` in its place."""


@pytest.fixture(autouse=True)
def _custom_integrations(request: pytest.FixtureRequest, recorder: None) -> None:
    """Let Home Assistant load the integration; a recorder has to be there before.

    A test that asks for no Home Assistant gets none: to start one takes longer than most such tests.
    """
    if "hass" in request.fixturenames:
        request.getfixturevalue("enable_custom_integrations")


@pytest.fixture(autouse=True)
async def enable_event_loop_debug() -> None:
    """Switch asyncio's debug mode on only if `EVENT_LOOP_DEBUG=1` asks for it.

    The fixture replaces the plugin's own of this name, which switches debug mode on in every test and makes most tests
    much slower. The workflow `event-loop-debug.yaml` sets the variable once a week.
    """
    asyncio.get_running_loop().set_debug(os.environ.get("EVENT_LOOP_DEBUG") == "1")


@pytest.fixture(autouse=True)
def _no_access_log(caplog: pytest.LogCaptureFixture) -> None:
    """Keep aiohttp from writing local times, which it cannot while time stands still."""
    caplog.set_level(logging.WARNING, "aiohttp.access")


@pytest.fixture(autouse=True)
def _now(freezer: FrozenDateTimeFactory) -> None:
    """Begin every test at the same moment."""
    freezer.move_to(NOW)


@pytest.fixture
def snapshot(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """Write snapshots as Home Assistant does, without what differs from run to run."""
    return snapshot.use_extension(HomeAssistantSnapshotExtension)


@pytest.fixture
def account(request: pytest.FixtureRequest) -> SimulatedAccount:
    """Return the recent account; for the marker `long_account`, with two years of sessions on four pages."""
    is_long = request.node.get_closest_marker("long_account") is not None
    return seeded_account(NOW) if is_long else recent_account()


@pytest.fixture
def cloud(request: pytest.FixtureRequest, account: SimulatedAccount) -> Generator[SimulatedCloud]:
    """Return the cloud that serves the account, and check in the end what the integration asked of it.

    No request came too early or with a token that opens nothing; the marker `refusals` allows the
    reasons that it names.
    """
    cloud = SimulatedCloud(account)
    yield cloud
    marker = request.node.get_closest_marker("refusals")
    allowed = () if marker is None else marker.args
    if "too early" not in allowed:
        assert cloud.ever_refused == [], "too early"
    if "unauthorized" not in allowed:
        assert cloud.ever_unauthorized == [], "with a token that opens nothing"


@pytest.fixture
async def url(cloud: SimulatedCloud, socket_enabled: None) -> AsyncGenerator[str]:
    """Serve the cloud on loopback and return its address."""
    async with serve(cloud) as address:
        yield address


@pytest.fixture
def service() -> SimulatedDerConnect:
    """Return a DER Connect with two cars that have recorded nothing yet."""
    return SimulatedDerConnect(*(SimulatedCar(entity_id=each) for each in (ZOE_ENTITY, ID3_ENTITY)))


@pytest.fixture
async def service_url(service: SimulatedDerConnect, socket_enabled: None) -> AsyncGenerator[str]:
    """Serve DER Connect on loopback and return its address."""
    async with serve_der_connect(service) as address:
        yield address


@pytest.fixture
def entry(hass: HomeAssistant, url: str) -> MockConfigEntry:
    """Return an entry for the account, known to Home Assistant and not set up yet."""
    entry = MockConfigEntry(
        domain=DOMAIN,
        entry_id="01JOULO",
        title="Joulo",
        data={CONF_URL: url, CONF_TOKEN: DEMO_TOKEN},
    )
    entry.add_to_hass(hass)
    return entry


@pytest.fixture
async def joulo(hass: HomeAssistant, entry: MockConfigEntry) -> MockConfigEntry:
    """Return the entry, set up."""
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    return entry


@pytest.fixture
def new_home(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    cloud: SimulatedCloud,
    hass_storage: dict[str, Any],
    freezer: FrozenDateTimeFactory,
    advance: Advance,
    settle: Settle,
) -> Home:
    """Return the home of the entry, which is not set up yet."""
    return Home(hass, entry, cloud, hass_storage, freezer, advance, settle)


@pytest.fixture
async def home(new_home: Home) -> Home:
    """Return the home of the entry, set up."""
    await new_home.set_up()
    return new_home


@pytest.fixture
def identified(
    hass: HomeAssistant, joulo: MockConfigEntry, account: SimulatedAccount
) -> MockConfigEntry:
    """Return the entry, set up, with the account's id, as a set-up by the user leaves it."""
    hass.config_entries.async_update_entry(joulo, unique_id=account.id)
    return joulo


@pytest.fixture
def advance(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> Advance:
    """Return a function that lets seconds pass, with everything that is due in them."""

    async def advance(seconds: float) -> None:
        freezer.tick(seconds)
        async_fire_time_changed(hass)
        await hass.async_block_till_done(wait_background_tasks=True)

    return advance


@pytest.fixture
def told(hass: HomeAssistant, cloud: SimulatedCloud) -> Told:
    """Return what the event entities have told so far, as it grows; after a power cut nobody hears."""
    told: Told = []

    @callback
    def listen(event: Event[EventStateChangedData]) -> None:
        before, state = event.data["old_state"], event.data["new_state"]
        # An entity that is added shows again what it has fired before.
        is_added = before is None or before.state == STATE_UNAVAILABLE
        if state is None or is_added or cloud.unplugged:
            return
        if state.domain == "event" and "session_id" in state.attributes:
            told.append(dict(state.attributes))

    hass.bus.async_listen(EVENT_STATE_CHANGED, listen)
    return told


@pytest.fixture
def all_entities_enabled() -> Generator[None]:
    """Enable the entities that are disabled by default."""
    with patch.object(Entity, "entity_registry_enabled_default", PropertyMock(return_value=True)):
        yield


@pytest.fixture
def settle(hass: HomeAssistant, cloud: SimulatedCloud, freezer: FrozenDateTimeFactory) -> Settle:
    """Return a function that waits for what is under way; a request that hangs is waited out."""

    async def settle() -> None:
        done = asyncio.ensure_future(hass.async_block_till_done(wait_background_tasks=True))
        while not done.done():
            hanging = asyncio.ensure_future(cloud.hanging.wait())
            await asyncio.wait({done, hanging}, return_when=asyncio.FIRST_COMPLETED)
            hanging.cancel()
            if cloud.hanging.is_set():
                cloud.hanging.clear()
                for _ in range(200):  # what is answered at the same time does not time out
                    await asyncio.sleep(0)
                freezer.tick(16)

    return settle


@pytest.fixture
def jump(hass: HomeAssistant, freezer: FrozenDateTimeFactory, settle: Settle) -> Advance:
    """Return a function that lets seconds pass at once; the event loop itself runs what is due, once."""

    async def jump(seconds: float) -> None:
        # A microsecond more, so that rounding leaves no timer a hair too early.
        freezer.tick(timedelta(seconds=max(seconds, 0.0), microseconds=1))
        await asyncio.sleep(0)
        await settle()

    # With the clock moved, every callback would be reported as slow.
    hass.loop.slow_callback_duration = inf
    return jump


@pytest.fixture
def live(hass: HomeAssistant, jump: Advance) -> Advance:
    """Return a function that lets seconds pass from timer to timer, each at its own moment."""

    async def live(seconds: float) -> None:
        end = hass.loop.time() + seconds
        while (now := hass.loop.time()) < end:
            timers = get_scheduled_timer_handles(hass.loop)
            due = min((timer.when() for timer in timers if not timer.cancelled()), default=end)
            await jump(min(due, end) - now)

    return live
