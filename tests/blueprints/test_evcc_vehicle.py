"""Which vehicle is chosen in EVCC when a session starts."""

from collections.abc import Callable, Coroutine
from typing import Any

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from tests.conftest import NOW, Advance
from tests.simulator import GARAGE_ID, OPRIT_ID, SimulatedAccount
from tests.timing import POLL, READ
from tests.vehicles import add_vehicle

from .conftest import Automate, Entity, Loadpoint

ZOES_TAG = "DEADBEEF12345678"
VEHICLES = [
    {"tag": ZOES_TAG, "vehicle": "zoe"},
    {"tag": " 04a1b2c3 ", "vehicle": "db:2"},
    {"tag": "04F6E5D4", "vehicle": "db:2"},
    {"tag": 12345678, "vehicle": "null"},
]

type Choose = Callable[..., Coroutine[Any, Any, None]]


@pytest.fixture
def inputs(event: Entity) -> dict[str, Any]:
    """Return the inputs for the garage."""
    select = "select.garage_vehicle"
    return {"charger": event(GARAGE_ID), "evcc_select": select, "vehicles": VEHICLES}


@pytest.fixture
def chosen(loadpoints: list[Loadpoint]) -> Callable[[], list[str | None]]:
    """Return a function that returns what is chosen for the garage and for the oprit."""
    return lambda: [loadpoint.current_option for loadpoint in loadpoints]


type Chosen = Callable[[], list[str | None]]


@pytest.mark.parametrize(
    ("tag", "vehicle"),
    [
        (ZOES_TAG, "zoe"),
        (ZOES_TAG.lower(), "zoe"),
        ("04A1B2C3", "db:2"),
        ("04F6E5D4", "db:2"),
    ],
    ids=["as listed", "in other case", "without the spaces", "another tag of the same"],
)
async def test_a_tag_chooses_its_vehicle_when_the_session_starts(
    account: SimulatedAccount,
    inputs: dict[str, Any],
    automate: Automate,
    advance: Advance,
    chosen: Chosen,
    tag: str,
    vehicle: str,
) -> None:
    await automate("evcc_vehicle", inputs)
    account.start_session(GARAGE_ID, tag=tag)
    await advance(POLL)
    assert chosen() == [vehicle, "null"]


async def test_a_tag_may_stand_for_a_guest(
    account: SimulatedAccount,
    inputs: dict[str, Any],
    automate: Automate,
    advance: Advance,
    loadpoints: list[Loadpoint],
) -> None:
    await automate("evcc_vehicle", inputs)
    await loadpoints[0].async_select_option("zoe")
    account.start_session(GARAGE_ID, tag="12345678")
    await advance(POLL)
    assert loadpoints[0].current_option == "null"


@pytest.mark.parametrize(
    ("name", "listed"),
    [
        pytest.param("Zoe", None, id="an option of the same name"),
        pytest.param("Family car", "family car", id="a name that is listed"),
    ],
)
async def test_a_vehicle_of_joulos_own_is_chosen_by_its_name(
    hass: HomeAssistant,
    joulo: MockConfigEntry,
    account: SimulatedAccount,
    inputs: dict[str, Any],
    automate: Automate,
    advance: Advance,
    chosen: Chosen,
    name: str,
    listed: str | None,
) -> None:
    vehicles = [{"tag": listed, "vehicle": "zoe"}] if listed else []
    await automate("evcc_vehicle", inputs | {"vehicles": vehicles})
    await add_vehicle(hass, joulo, name, tags=["FFFFFFFF"])
    account.start_session(GARAGE_ID, tag="FFFFFFFF")
    await advance(POLL)
    assert chosen() == ["zoe", "null"]


@pytest.mark.parametrize("tag", ["FFFFFFFF", None], ids=["unknown", "no card"])
async def test_another_tag_leaves_evcc_alone(
    account: SimulatedAccount,
    inputs: dict[str, Any],
    automate: Automate,
    advance: Advance,
    loadpoints: list[Loadpoint],
    caplog: pytest.LogCaptureFixture,
    tag: str | None,
) -> None:
    await automate("evcc_vehicle", inputs)
    await loadpoints[0].async_select_option("zoe")
    account.start_session(GARAGE_ID, tag=tag)
    await advance(POLL)
    assert loadpoints[0].current_option == "zoe"
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_the_end_of_a_session_leaves_evcc_alone(
    account: SimulatedAccount,
    inputs: dict[str, Any],
    automate: Automate,
    advance: Advance,
    loadpoints: list[Loadpoint],
) -> None:
    await automate("evcc_vehicle", inputs)
    account.start_session(GARAGE_ID, tag=ZOES_TAG)
    await advance(POLL)
    await loadpoints[0].async_select_option("null")
    account.end_session(GARAGE_ID)
    await advance(POLL)
    await advance(READ)
    assert loadpoints[0].current_option == "null"


async def test_a_start_that_is_learnt_of_late_leaves_evcc_alone(
    hass: HomeAssistant,
    account: SimulatedAccount,
    joulo: MockConfigEntry,
    inputs: dict[str, Any],
    automate: Automate,
    advance: Advance,
    chosen: Chosen,
) -> None:
    await automate("evcc_vehicle", inputs)
    await hass.config_entries.async_unload(joulo.entry_id)
    await advance(3600)
    account.start_session(GARAGE_ID, tag=ZOES_TAG, at=NOW)
    await hass.config_entries.async_setup(joulo.entry_id)
    await advance(POLL)
    assert hass.states.get("event.garage_charging_session").attributes["late"]  # type: ignore[union-attr]
    assert chosen() == ["null", "null"]


async def test_a_vehicle_that_evcc_does_not_know_is_named_in_the_log(
    account: SimulatedAccount,
    inputs: dict[str, Any],
    automate: Automate,
    advance: Advance,
    chosen: Chosen,
    caplog: pytest.LogCaptureFixture,
) -> None:
    vehicles = [{"tag": ZOES_TAG, "vehicle": "Zoe"}]
    await automate("evcc_vehicle", inputs | {"vehicles": vehicles})
    account.start_session(GARAGE_ID, tag=ZOES_TAG)
    await advance(POLL)
    assert chosen() == ["null", "null"]
    assert "Option Zoe is not valid for entity select.garage_vehicle" in caplog.text
    assert ZOES_TAG not in caplog.text


async def test_each_charger_has_its_own_loadpoint_also_when_both_start_at_once(
    account: SimulatedAccount,
    inputs: dict[str, Any],
    event: Entity,
    automate: Automate,
    advance: Advance,
    chosen: Chosen,
) -> None:
    oprit = {"charger": event(OPRIT_ID), "evcc_select": "select.oprit_vehicle"}
    await automate("evcc_vehicle", inputs, inputs | oprit)
    account.start_session(GARAGE_ID, tag=ZOES_TAG)
    account.start_session(OPRIT_ID, tag="04A1B2C3")
    await advance(POLL)
    assert chosen() == ["zoe", "db:2"]


async def test_of_two_sessions_in_quick_succession_the_second_one_counts(
    account: SimulatedAccount,
    inputs: dict[str, Any],
    automate: Automate,
    advance: Advance,
    chosen: Chosen,
) -> None:
    await automate("evcc_vehicle", inputs)
    account.start_session(GARAGE_ID, tag=ZOES_TAG)
    await advance(POLL)
    account.end_session(GARAGE_ID)
    account.start_session(GARAGE_ID, tag="04A1B2C3")
    await advance(POLL)
    assert chosen() == ["db:2", "null"]
