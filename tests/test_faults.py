"""What a user sees of each fault of Joulo, what the log says, and how many requests go out."""

from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
import logging

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState
from homeassistant.const import CONF_TOKEN, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.joulo.api import Endpoint
from tests import timing
from tests.conftest import Advance, Settle
from tests.home import Home
from tests.simulator import ELSEWHERE, Fault, SimulatedAccount, SimulatedCharger, SimulatedCloud
from tests.timing import DAY, HOUR, PAGE, TERMS


class Effect(Enum):
    """What a fault of one endpoint does to an entry that runs."""

    GONE = "its own entities are unavailable until it answers again"
    KEPT = "nothing"
    REAUTH = "at the second time a new token is asked for, and nothing is sent any more"
    NO_CHARGERS = "what belongs to a charger is unavailable; no charger is removed"
    NO_MONTHS = "months and years are unknown, the totals stay"
    ZERO = "the totals are zero, as sent; months and years are unknown"


GONE, KEPT, REAUTH, NO_CHARGERS, NO_MONTHS, ZERO = Effect
RETRY, LOADED = ConfigEntryState.SETUP_RETRY, ConfigEntryState.LOADED
ERROR = ConfigEntryState.SETUP_ERROR
ACCEPTED = ""
BY_ME = ""
"""Accepted too: `/me` tells that it is the same account."""


@dataclass(frozen=True)
class Row:
    """What a fault does: `/chargers` at first set-up, each endpoint later, `/chargers` in the reauth form.

    None stands for an endpoint that cannot have it.
    """

    fault: Fault
    set_up: ConfigEntryState
    chargers: Effect | None
    sessions: Effect | None
    energy: Effect | None
    me: Effect | None
    ere_position: Effect | None
    form: str
    words: str = ""


# fmt: off
TABLE = (
    #                        set-up  /chargers    /sessions  /energy    /me     /ere-position  reauth form         in the log
    Row(Fault.UNAUTHORIZED,  RETRY,  REAUTH,      GONE,      GONE,      GONE,   GONE,          "invalid_auth",     "does not accept the token"),
    Row(Fault.FORBIDDEN,     RETRY,  GONE,        GONE,      GONE,      KEPT,   KEPT,          "missing_scope",    "lacks a permission ("),
    Row(Fault.FIREWALL,      RETRY,  GONE,        GONE,      GONE,      GONE,   GONE,          "cannot_connect",   "has a fault (HTTP 403)"),
    Row(Fault.NOT_ALLOWED,   RETRY,  GONE,        GONE,      GONE,      GONE,   GONE,          "invalid_response", "cannot be read (HTTP 405)"),
    Row(Fault.NOT_FOUND,     RETRY,  GONE,        GONE,      GONE,      KEPT,   KEPT,          "invalid_response", "has nothing at this address"),
    Row(Fault.RATE_LIMITED,  RETRY,  GONE,        GONE,      GONE,      GONE,   GONE,          BY_ME,              "may be asked again in 14400 s"),
    Row(Fault.SERVER_ERROR,  RETRY,  GONE,        GONE,      GONE,      GONE,   GONE,          "cannot_connect",   "has a fault (HTTP 500)"),
    Row(Fault.BAD_GATEWAY,   RETRY,  GONE,        GONE,      GONE,      GONE,   GONE,          "cannot_connect",   "has a fault (HTTP 502)"),
    Row(Fault.TIMEOUT,       RETRY,  GONE,        GONE,      GONE,      GONE,   GONE,          "cannot_connect",   "cannot be reached (TimeoutError)"),
    Row(Fault.DROPPED,       RETRY,  GONE,        GONE,      GONE,      GONE,   GONE,          "cannot_connect",   "cannot be reached (ServerDisconnectedError)"),
    Row(Fault.CUT_OFF,       RETRY,  GONE,        GONE,      GONE,      GONE,   GONE,          "cannot_connect",   "cannot be reached (ClientPayloadError)"),
    Row(Fault.TRUNCATED,     RETRY,  GONE,        GONE,      GONE,      GONE,   GONE,          "invalid_response", "cannot be read (not JSON)"),
    Row(Fault.NOT_JSON,      RETRY,  GONE,        GONE,      GONE,      GONE,   GONE,          "invalid_response", "cannot be read (not JSON)"),
    Row(Fault.CAPTIVE_PORTAL, RETRY, GONE,        GONE,      GONE,      GONE,   GONE,          "invalid_response", "cannot be read (not JSON)"),
    Row(Fault.REDIRECT,      RETRY,  GONE,        GONE,      GONE,      GONE,   GONE,          "invalid_response", "cannot be read (HTTP 302)"),
    Row(Fault.ENORMOUS,      RETRY,  GONE,        GONE,      GONE,      GONE,   GONE,          "invalid_response", "cannot be read (more than 10 MB)"),
    Row(Fault.WRONG_SHAPE,   RETRY,  GONE,        GONE,      NO_MONTHS, KEPT,   KEPT,          "invalid_response", "cannot be read (no list of"),
    Row(Fault.WRONG_TYPES,   RETRY,  GONE,        GONE,      NO_MONTHS, KEPT,   KEPT,          "invalid_response", "can be read)"),
    Row(Fault.EMPTY_ACCOUNT, LOADED, NO_CHARGERS, KEPT,      ZERO,      KEPT,   KEPT,          ACCEPTED),
    Row(Fault.SHORT_PAGES,   LOADED, None,        KEPT,      None,      None,   None,          ACCEPTED),
    Row(Fault.ONE_MONTH,     LOADED, None,        KEPT,      None,      None,   None,          ACCEPTED),
)
# fmt: on

CHARGERS, SESSIONS, ENERGY, ME = "/chargers", "/sessions", "/energy", "/me"
POSITION = "/ere-position"
COLUMNS = {
    CHARGERS: "chargers",
    SESSIONS: "sessions",
    ENERGY: "energy",
    ME: "me",
    POSITION: "ere_position",
}
# fmt: off
OWN = {
    CHARGERS: {"sensor.garage_status", "sensor.garage_session_energy", "sensor.oprit_meter_reading", "binary_sensor.schuur_charging"},
    SESSIONS: {"sensor.garage_last_session_energy", "sensor.garage_last_session_value", "sensor.schuur_last_session_end"},
    ENERGY: {"sensor.joulo_total_energy", "sensor.joulo_total_sessions", "sensor.joulo_energy_this_month", "sensor.joulo_ere_credits_this_year"},
    ME: {"sensor.joulo_ere_price", "sensor.joulo_platform_fee", "sensor.joulo_total_value"},
    POSITION: {"sensor.joulo_paid_out"},
}
# fmt: on
"""Some entities of each endpoint; those of the last two need an answer of `/energy` too."""
WATCHED = frozenset().union(*OWN.values())
MONTHS = {"sensor.joulo_energy_this_month", "sensor.joulo_ere_credits_this_year"}

POLL = dict.fromkeys(COLUMNS, HOUR) | {CHARGERS: timing.POLL + 1, ME: TERMS, POSITION: TERMS}
SHORTEST = {
    CHARGERS: Endpoint.CHARGERS.interval,
    SESSIONS: Endpoint.SESSIONS.interval,
    ENERGY: Endpoint.ENERGY.interval,
    ME: Endpoint.ME.interval,
    POSITION: Endpoint.ERE_POSITION.interval,
}
RETRY_AFTER = 4 * 3600
BACK = {
    CHARGERS: "Fetching chargers data recovered",
    SESSIONS: "Fetching sessions data recovered",
    ENERGY: "Fetching energy data recovered",
    ME: "Joulo's me can be read again",
    POSITION: "Joulo's ere-position can be read again",
}

EACH_FAULT = pytest.mark.parametrize("row", TABLE, ids=lambda row: row.fault)


def each(*effects: Effect) -> pytest.MarkDecorator:
    """Run a test for each cell of the table that holds one of the effects."""
    cells = [
        pytest.param(row, path, effect, id=f"{path[1:]}-{row.fault}")
        for row in TABLE
        for path, column in COLUMNS.items()
        if (effect := getattr(row, column)) in effects
    ]
    return pytest.mark.parametrize(("row", "path", "effect"), cells)


@dataclass(frozen=True)
class World:
    """A Home Assistant with an entry, and the Joulo that it asks."""

    hass: HomeAssistant
    entry: MockConfigEntry
    account: SimulatedAccount
    cloud: SimulatedCloud
    jump: Advance
    live: Advance
    settle: Settle
    caplog: pytest.LogCaptureFixture

    def states(self) -> dict[str, str]:
        """Return the watched entities' states."""
        return {key: state.state for key in WATCHED if (state := self.hass.states.get(key))}

    def told(self) -> list[str]:
        """Return our lines in the log, without Home Assistant's own in our name and single rows left out."""
        return [
            record.getMessage()
            for record in self.caplog.records
            if record.name.startswith("custom_components.joulo")
            and record.levelno >= logging.INFO
            and not record.getMessage().startswith("Config entry")
            and "is left out" not in record.getMessage()
        ]

    def fail(self, path: str, row: Row) -> None:
        """Let an endpoint fail from now on."""
        limited = row.fault is Fault.RATE_LIMITED
        self.cloud.fail(path, row.fault, retry_after=RETRY_AFTER if limited else None)

    async def set_up(self) -> None:
        """Set the entry up, be it against a Joulo that hangs."""
        self.hass.async_create_task(self.hass.config_entries.async_setup(self.entry.entry_id))
        await self.settle()

    async def reload(self) -> ConfigEntryState:
        """Reload the entry and return how it is then."""
        self.hass.async_create_task(self.hass.config_entries.async_reload(self.entry.entry_id))
        await self.settle()
        return self.entry.state

    async def update_by_hand(self) -> None:
        """Ask for an update of the watched entities as an automation would."""
        await async_setup_component(self.hass, "homeassistant", {})
        await self.hass.services.async_call(
            "homeassistant", "update_entity", {"entity_id": sorted(WATCHED)}, blocking=True
        )

    def reauths(self) -> list[str]:
        """Return the flows that ask for a new token."""
        return [
            flow["flow_id"]
            for flow in self.hass.config_entries.flow.async_progress()
            if flow["context"]["source"] == SOURCE_REAUTH
        ]

    async def submit(self, token: str) -> str:
        """Enter a token in the reauth form; return its error, or why the flow ended."""
        (flow_id,) = self.reauths()
        task = self.hass.async_create_task(
            self.hass.config_entries.flow.async_configure(flow_id, {CONF_TOKEN: token})
        )
        await self.settle()
        result = await task
        errors = result.get("errors")
        return errors["base"] if errors else result["reason"]

    def assert_never_early(self) -> None:
        """Nothing came faster than Joulo's intervals, requests that failed included."""
        for path in COLUMNS:
            asked = [r.at for r in self.cloud.requests if r.path == path and "to" not in r.query]
            gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(asked)]
            assert all(gap >= SHORTEST[path] for gap in gaps), (path, gaps)


def under(effect: Effect, path: str, before: dict[str, str]) -> dict[str, str]:
    """Return the watched states under a fault; what the effect does not touch is as before."""
    match effect:
        case Effect.GONE:
            own = OWN[ENERGY] | OWN[ME] | OWN[POSITION] if path == ENERGY else OWN[path]
            return before | dict.fromkeys(own, STATE_UNAVAILABLE)
        case Effect.NO_CHARGERS:
            return before | dict.fromkeys(OWN[CHARGERS] | OWN[SESSIONS], STATE_UNAVAILABLE)
        case Effect.NO_MONTHS:
            return before | dict.fromkeys(MONTHS, STATE_UNKNOWN)
        case Effect.ZERO:
            zero = {"sensor.joulo_total_energy": "0.0", "sensor.joulo_total_value": "0.0"}
            zero |= {"sensor.joulo_total_sessions": "0"}
            return before | zero | dict.fromkeys(MONTHS, STATE_UNKNOWN)
        case _:
            return before


@pytest.fixture
def world(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    account: SimulatedAccount,
    cloud: SimulatedCloud,
    jump: Advance,
    live: Advance,
    settle: Settle,
    caplog: pytest.LogCaptureFixture,
) -> World:
    """Return the world before the first set-up."""
    caplog.set_level(logging.INFO)
    return World(hass, entry, account, cloud, jump, live, settle, caplog)


@pytest.fixture
async def shown(world: World) -> dict[str, str]:
    """Let the entry run until all is read; return what is shown then, and begin a new log."""
    await world.set_up()
    await world.jump(PAGE)
    world.caplog.clear()
    return world.states()


def test_the_table_knows_every_fault() -> None:
    """A fault that the simulator learns has to find its place here."""
    assert {row.fault for row in TABLE} == set(Fault)


@each(GONE, KEPT, NO_CHARGERS, NO_MONTHS, ZERO)
async def test_a_fault_while_running_touches_only_its_own_entities_and_passes_by_itself(
    world: World, shown: dict[str, str], row: Row, path: str, effect: Effect
) -> None:
    """It lasts for three polls: one line when it comes, one when it goes, one request for each poll."""
    world.fail(path, row)
    asked = world.cloud.count(path)
    for _ in range(3):
        await world.jump(POLL[path])
        assert world.states() == under(effect, path, shown)
    once = row.fault is Fault.RATE_LIMITED and POLL[path] < RETRY_AFTER
    assert world.cloud.count(path) - asked == (1 if once else 3)
    lines = world.told()
    assert len(lines) == (effect is GONE)
    assert all(row.words in line for line in lines)

    world.caplog.clear()
    world.cloud.recover()
    await world.jump(DAY if once else POLL[path])
    assert world.states() == shown
    assert world.told() == ([BACK[path]] if effect is GONE else [])
    assert world.cloud.count(ELSEWHERE) == 0
    world.assert_never_early()


@each(GONE, KEPT, NO_CHARGERS, NO_MONTHS, ZERO)
async def test_a_restart_in_the_middle_of_a_fault_adds_nothing_to_it(
    world: World, shown: dict[str, str], new_home: Home, row: Row, path: str, effect: Effect
) -> None:
    """What the others have answered is there at once, and once the fault has passed all is as before."""
    world.fail(path, row)
    await world.jump(POLL[path])
    await new_home.restart(away=20)
    assert world.entry.state is LOADED
    others = WATCHED - OWN[path] if path != ENERGY else OWN[CHARGERS] | OWN[SESSIONS]
    expected = under(effect, path, shown)
    states = world.states()
    assert {key: states[key] for key in others} == {key: expected[key] for key in others}
    await world.jump(POLL[path])
    # As long as Joulo has asked to wait, the answers of before the restart stand.
    waits = row.fault is Fault.RATE_LIMITED and POLL[path] < RETRY_AFTER
    assert world.states() == (shown if waits else expected)

    world.cloud.recover()
    await world.jump(max(POLL[path], RETRY_AFTER + 1))
    assert world.states() == shown
    assert world.cloud.count(ELSEWHERE) == 0
    world.assert_never_early()


@each(REAUTH)
async def test_a_restart_tries_a_refused_token_once(
    world: World, shown: dict[str, str], new_home: Home, row: Row, path: str, effect: Effect
) -> None:
    world.cloud.fail(path, row.fault)
    for _ in range(2):
        await world.jump(POLL[path])
    world.cloud.forget_requests()
    await new_home.restart(away=70)
    assert world.entry.state is ERROR
    assert len(world.reauths()) == 1
    await world.jump(DAY)
    assert world.cloud.count(path) == 1


@each(REAUTH)
async def test_after_two_401s_nothing_is_sent_until_there_is_a_new_token(
    world: World, shown: dict[str, str], row: Row, path: str, effect: Effect
) -> None:
    """One reauth flow is started; no poll or update by hand sends anything; a reload tries once; a token heals all."""
    world.cloud.fail(path, row.fault)
    await world.jump(POLL[path])
    assert world.reauths() == []
    await world.jump(POLL[path])
    assert len(world.reauths()) == 1
    sent = len(world.cloud.requests)
    await world.jump(DAY)
    await world.update_by_hand()
    assert world.states() == dict.fromkeys(WATCHED, STATE_UNAVAILABLE)
    assert len(world.cloud.requests) == sent
    lines = world.told()
    assert len(lines) == len(set(lines))
    assert all(row.words in line for line in lines)
    world.cloud.forget_requests()
    assert await world.reload() is ERROR
    await world.jump(DAY)
    assert world.cloud.count(path) == 1

    world.cloud.recover()
    assert await world.submit(world.account.rotate_token()) == "reauth_successful"
    await world.jump(POLL[SESSIONS])
    assert world.states() == shown
    world.assert_never_early()


@EACH_FAULT
async def test_what_a_fault_does_to_the_first_set_up(world: World, row: Row) -> None:
    """Home Assistant tries after 5, 15, 35, 75, 155 and 315 s; Joulo is asked once a minute at most."""
    world.fail(CHARGERS, row)
    await world.set_up()
    assert world.entry.state is row.set_up
    await world.live(600)
    state = ERROR if row.fault is Fault.UNAUTHORIZED else row.set_up
    assert world.entry.state is state
    assert len(world.reauths()) == (state is ERROR)
    if state is not LOADED:
        assert world.told() == []
        asked = {Fault.RATE_LIMITED: 1, Fault.UNAUTHORIZED: 2}.get(row.fault, 4)
        assert world.cloud.count(CHARGERS) == asked

    world.cloud.recover()
    await world.live(RETRY_AFTER + 600 if row.fault is Fault.RATE_LIMITED else 600)
    assert world.entry.state is (ERROR if state is ERROR else LOADED)
    world.assert_never_early()


async def test_retry_after_holds_however_often_the_first_set_up_is_tried(world: World) -> None:
    """Home Assistant itself forgets it there; the rate limiter does not."""
    world.cloud.fail(CHARGERS, Fault.RATE_LIMITED, times=1, retry_after=RETRY_AFTER)
    await world.set_up()
    for _ in range(RETRY_AFTER // 60 - 1):
        await world.jump(60)
        assert await world.reload() is RETRY
    assert world.cloud.count(CHARGERS) == 1
    await world.jump(60)
    assert await world.reload() is LOADED


@pytest.mark.parametrize("path", [SESSIONS, ENERGY, ME, POSITION])
@EACH_FAULT
async def test_chargers_alone_decide_whether_the_first_set_up_succeeds(
    world: World, row: Row, path: str
) -> None:
    """What the others would have shown comes by itself."""
    world.fail(path, row)
    await world.set_up()
    assert world.entry.state is LOADED
    assert world.states().keys() >= OWN[CHARGERS]
    world.cloud.recover()
    await world.jump(DAY)
    await world.jump(POLL[path])
    states = world.states()
    assert states.keys() == WATCHED
    assert {STATE_UNAVAILABLE, STATE_UNKNOWN}.isdisjoint(states.values())
    world.assert_never_early()


@pytest.mark.refusals("unauthorized")
@EACH_FAULT
async def test_what_a_fault_does_to_the_reauth_form(world: World, row: Row) -> None:
    """The form says what is wrong; trying again at once sends nothing, trying again later works."""
    world.hass.config_entries.async_update_entry(world.entry, unique_id=world.account.id)
    await world.set_up()
    token = world.account.rotate_token()
    await world.jump(62)
    await world.jump(62)
    world.fail(CHARGERS, row)
    asked = world.cloud.count(CHARGERS)
    assert await world.submit(token) == (row.form or "reauth_successful")
    assert world.cloud.count(CHARGERS) == asked + 1
    if row.form:
        if row.fault is not Fault.UNAUTHORIZED:  # a refused token may be tried again by hand
            assert await world.submit(token) == row.form
            assert world.cloud.count(CHARGERS) == asked + 1
        world.cloud.recover()
        await world.jump(61)
        assert await world.submit(token) == "reauth_successful"
    world.cloud.recover()
    await world.jump(RETRY_AFTER + 1)
    assert world.entry.state is LOADED


@each(GONE)
async def test_asking_again_during_a_fault_repeats_it_without_a_request(
    world: World, shown: dict[str, str], row: Row, path: str, effect: Effect
) -> None:
    """Updates by hand and reloads in quick succession send nothing early, whatever happened last."""
    world.fail(path, row)
    await world.jump(POLL[path])
    asked = world.cloud.count(path)
    for _ in range(3):
        await world.update_by_hand()
        await world.jump(11)
        assert await world.reload() is (RETRY if path == CHARGERS else LOADED)
    assert world.cloud.count(path) == asked
    world.cloud.recover()
    await world.jump(RETRY_AFTER + 2)
    await world.jump(POLL[path])
    assert world.entry.state is LOADED
    assert world.states() == shown
    world.assert_never_early()


async def test_updates_by_hand_and_reloads_in_quick_succession_keep_the_data(
    world: World, shown: dict[str, str]
) -> None:
    """Within a minute of the last poll nothing is asked but the terms of the account, once."""
    await world.jump(POLL[SESSIONS])
    world.cloud.forget_requests()
    for _ in range(5):
        await world.update_by_hand()
        await world.jump(10)
        assert await world.reload() is LOADED
        assert world.states() == shown
    assert sorted(request.path for request in world.cloud.requests) == [POSITION, ME]


async def test_an_account_without_chargers_is_reloaded_without_a_word(world: World) -> None:
    """It has nothing to show, so nothing is amiss while the rate limiter is shut."""
    world.account.empty()
    for session in world.account.sessions:
        world.account.remove_session(session.id)
    await world.set_up()
    assert await world.reload() is LOADED
    assert world.told() == []


async def test_chargers_come_back_whole_after_answers_that_listed_another(
    world: World, shown: dict[str, str]
) -> None:
    """Two answers with other ids remove every charger; the next good one brings all of it back."""
    ours = world.account.chargers
    stranger = world.account.add_charger(SimulatedCharger(nickname="Elsewhere"))
    for charger in ours:
        world.account.remove_charger(charger.id)
    for _ in range(3):
        await world.jump(POLL[CHARGERS])
    for charger in ours:
        world.account.add_charger(charger)
    world.account.remove_charger(stranger.id)
    for _ in range(2):
        await world.jump(POLL[CHARGERS])
    assert world.states() == shown
    world.assert_never_early()
