"""What an action does not answer, and what the user is told then."""

from datetime import UTC, datetime
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
import probatio
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from tests.actions.calls import (
    TAG,
    device_id,
    get,
    ids,
    refusal,
)
from tests.home import Home
from tests.simulator import (
    GARAGE_ID,
    Fault,
    SimulatedAccount,
    SimulatedCloud,
)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-06-02", "2026-06-01"),
        ("2026-06-02 12:00", "2026-06-02 11:59"),
        ("2026-06-02 12:00", "2026-06-02 12:00"),
    ],
)
async def test_a_period_in_which_nothing_can_start_is_refused(
    hass: HomeAssistant, known: MockConfigEntry, start: str, end: str
) -> None:
    told = await refusal(hass, start=start, end=end)
    assert told == "The end does not lie after the start. Choose a later end"


@pytest.mark.long_account
async def test_a_time_that_has_not_been_read_yet_is_refused_with_how_far_the_history_reaches(
    hass: HomeAssistant, home: Home, account: SimulatedAccount
) -> None:
    """The first page is read at set-up; the others follow."""
    told = await refusal(hass)
    assert told.startswith("The past is still being read: 100 sessions so far, back to 2025-")
    assert await refusal(hass, start="2025-01-01", end="2025-02-01") == told
    answer = await get(hass, start="2026-06-01")
    assert answer["totals"]["sessions"] == sum(
        session.started_at >= datetime(2026, 5, 31, 22, tzinfo=UTC)
        for session in account.completed()
    )
    await home.read_all()
    answer = await get(hass)
    assert answer["totals"]["sessions"] == account.session_total()


async def test_before_the_first_page_nothing_is_answered(
    hass: HomeAssistant, new_home: Home, cloud: SimulatedCloud
) -> None:
    cloud.fail("/sessions", Fault.SERVER_ERROR)
    await new_home.set_up()
    told = await refusal(hass, start="2026-06-01")
    assert told.startswith("The past is still being read: 0 sessions so far, back to ?.")


async def test_the_account_itself_is_no_charger(
    hass: HomeAssistant, known: MockConfigEntry
) -> None:
    told = await refusal(hass, device_id=device_id(hass, known, known.entry_id))
    assert told.startswith("Joulo is not a charger or vehicle of this Joulo account.")


async def test_a_charger_of_another_account_is_refused(
    hass: HomeAssistant, known: MockConfigEntry, second: MockConfigEntry
) -> None:
    told = await refusal(hass, device_id=device_id(hass, known), config_entry_id=second.entry_id)
    assert told.startswith("Garage is not a charger or vehicle of this Joulo account.")


async def test_a_device_that_is_not_joulos_is_refused(
    hass: HomeAssistant, known: MockConfigEntry
) -> None:
    other = MockConfigEntry(domain="other")
    other.add_to_hass(hass)
    device = dr.async_get(hass).async_get_or_create(
        config_entry_id=other.entry_id, identifiers={("other", GARAGE_ID)}, name="Lamp"
    )
    assert "Lamp" in await refusal(hass, device_id=device.id)
    assert "nowhere" in await refusal(hass, device_id="nowhere")


@pytest.mark.parametrize(
    ("action", "data"), [("get_sessions", {}), ("register_charger", {"nickname": "Carport"})]
)
async def test_of_several_accounts_one_has_to_be_named(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    known: MockConfigEntry,
    second: MockConfigEntry,
    action: str,
    data: dict[str, str],
) -> None:
    assert "multiple" in (await refusal(hass, action, **data)).lower()
    assert cloud.requests == []


async def test_each_account_answers_for_itself(
    hass: HomeAssistant, account: SimulatedAccount, known: MockConfigEntry, second: MockConfigEntry
) -> None:
    assert ids(await get(hass, config_entry_id=second.entry_id)) == []
    answer = await get(hass, config_entry_id=known.entry_id)
    assert answer["totals"]["sessions"] == account.session_total()


@pytest.mark.parametrize(
    ("action", "data"), [("get_sessions", {}), ("register_charger", {"nickname": "Carport"})]
)
async def test_an_account_that_is_not_loaded_cannot_answer(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    known: MockConfigEntry,
    action: str,
    data: dict[str, str],
) -> None:
    await hass.config_entries.async_unload(known.entry_id)
    for named in ({}, {"config_entry_id": known.entry_id}):
        assert "not loaded" in await refusal(hass, action, **data, **named)
    assert "unknown" in await refusal(hass, action, **data, config_entry_id="unknown")
    assert cloud.requests == []


@pytest.mark.parametrize(
    "data",
    [
        {"start": "yesterday"},
        {"end": "2026-02-30"},
        {"end": 20260630},
        {"price_per_kwh": -0.01},
        {"price_per_kwh": "nan"},
        {"price_per_kwh": "inf"},
        {"price_per_kwh": 25},
        {"format": "xlsx"},
        {"device_id": ["a", "b"]},
        {"tag": TAG},
    ],
    ids=str,
)
async def test_nonsense_is_refused(
    hass: HomeAssistant, known: MockConfigEntry, data: dict[str, Any]
) -> None:
    with pytest.raises(probatio.Invalid):
        await get(hass, **data)
