"""What the sensors show: all of them at a glance, then how a charging session passes through them."""

from datetime import UTC, datetime, timedelta
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.sensor import DATA_COMPONENT as SENSORS, SensorEntity
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from syrupy.assertion import SnapshotAssertion

from tests.conftest import NOW, Advance
from tests.prices import set_price
from tests.simulator import GARAGE_ID, OPRIT_ID, SimulatedAccount, SimulatedCloud
from tests.tables import assert_one_in_full, table_of
from tests.timing import HOUR, PAGE, POLL, READ, TERMS
from tests.vehicles import add_vehicle

TAG = "DEADBEEF12345678"


def shown(hass: HomeAssistant, entity: str) -> str:
    """Return the state of a sensor."""
    state = hass.states.get(f"sensor.{entity}")
    assert state is not None
    return state.state


def last_reset(hass: HomeAssistant, entity: str) -> datetime:
    """Return since when a sensor counts."""
    state = hass.states.get(f"sensor.{entity}")
    assert state is not None
    return datetime.fromisoformat(state.attributes["last_reset"])


async def set_up(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Set the entry up."""
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)


@pytest.mark.usefixtures("all_entities_enabled")
@pytest.mark.long_account
async def test_all_sensors(
    hass: HomeAssistant,
    account: SimulatedAccount,
    entry: MockConfigEntry,
    entity_registry: er.EntityRegistry,
    snapshot: SnapshotAssertion,
) -> None:
    account.start_session(GARAGE_ID, tag=TAG, at=NOW - timedelta(hours=2))
    with patch("custom_components.joulo.PLATFORMS", [Platform.SENSOR]):
        await set_up(hass, entry)
    assert table_of(hass, entity_registry, entry) == snapshot(name="table")
    assert_one_in_full(hass, entity_registry, "sensor.garage_session_energy", snapshot)


@pytest.mark.usefixtures("all_entities_enabled")
async def test_the_history_of_every_number_is_drawn_as_a_line(
    hass: HomeAssistant, joulo: MockConfigEntry
) -> None:
    """The frontend does so with a unit or a state class; what has neither is a timeline of colours."""
    await set_price(hass, joulo, fixed_price=0.25)
    await add_vehicle(hass, joulo, chargers=[GARAGE_ID])
    drawn = {
        entity.entity_id: entity.native_unit_of_measurement or entity.state_class
        for entity in hass.data[SENSORS].entities
        if isinstance(entity, SensorEntity) and isinstance(entity.native_value, int | float)
    }
    assert {"sensor.joulo_sessions_known", "sensor.zoe_sessions_this_month"} <= drawn.keys()
    assert [entity_id for entity_id, by in drawn.items() if not by] == []


async def test_these_are_disabled_until_a_user_wants_them(
    joulo: MockConfigEntry, entity_registry: er.EntityRegistry
) -> None:
    disabled = {
        entity.unique_id.removeprefix(f"{GARAGE_ID}_")
        for entity in er.async_entries_for_config_entry(entity_registry, joulo.entry_id)
        if entity.disabled and entity.unique_id.startswith(GARAGE_ID)
    }
    assert disabled == {
        "session_average_power",
        "meter_updated",
        "connection_type",
        "last_session_start",
        "last_session_average_power",
    }


async def test_a_session_starts_grows_ends_and_stays_until_the_next(
    hass: HomeAssistant, account: SimulatedAccount, joulo: MockConfigEntry, advance: Advance
) -> None:
    session = account.start_session(GARAGE_ID, power_kw=12, tag=TAG)
    await advance(POLL)
    assert shown(hass, "garage_session_energy") == "0.2"
    assert shown(hass, "garage_active_rfid_tag") == TAG
    assert shown(hass, "garage_session_start") == session.started_at.isoformat()

    await advance(3600 - POLL)
    assert shown(hass, "garage_session_energy") == "12.0"
    assert float(shown(hass, "garage_session_ere_credits")) == pytest.approx(12 * 0.505 * 0.6588)

    account.end_session(GARAGE_ID)
    account.correct_session(session.id, kwh=12.34)
    await advance(POLL)
    assert shown(hass, "garage_active_rfid_tag") == "unknown"
    assert shown(hass, "garage_session_energy") == "12.0", "the last that the charger showed"

    await advance(READ)
    assert shown(hass, "garage_session_energy") == "12.34", "Joulo's final figure"
    assert shown(hass, "garage_session_ere_credits") == "4.11"
    assert shown(hass, "garage_last_session_energy") == "12.34"
    assert shown(hass, "garage_last_session_rfid_tag") == TAG

    following = account.start_session(GARAGE_ID)
    await advance(POLL)
    assert shown(hass, "garage_session_energy") == "0.19"
    assert shown(hass, "garage_active_rfid_tag") == "unknown", "no card was used"
    assert shown(hass, "garage_session_start") == following.started_at.isoformat()


@pytest.mark.usefixtures("all_entities_enabled")
async def test_the_average_power_is_known_only_while_a_session_runs(
    hass: HomeAssistant, account: SimulatedAccount, joulo: MockConfigEntry, advance: Advance
) -> None:
    assert shown(hass, "garage_session_average_power") == "unknown"
    account.start_session(GARAGE_ID, power_kw=7.4)
    await advance(3600)
    assert float(shown(hass, "garage_session_average_power")) == pytest.approx(7.4, abs=0.01)
    account.end_session(GARAGE_ID)
    await advance(POLL)
    assert shown(hass, "garage_session_average_power") == "unknown"


async def test_the_tag_stays_although_an_answer_omits_it(
    hass: HomeAssistant, account: SimulatedAccount, joulo: MockConfigEntry, advance: Advance
) -> None:
    session = account.start_session(GARAGE_ID, tag=TAG)
    await advance(POLL)
    session.tag = None
    await advance(POLL)
    assert shown(hass, "garage_active_rfid_tag") == TAG
    account.end_session(GARAGE_ID)
    await advance(POLL)
    await advance(READ)
    assert shown(hass, "garage_last_session_rfid_tag") == TAG


async def test_a_tag_that_comes_late_is_shown_when_it_comes(
    hass: HomeAssistant, account: SimulatedAccount, joulo: MockConfigEntry, advance: Advance
) -> None:
    session = account.start_session(GARAGE_ID)
    await advance(POLL)
    assert shown(hass, "garage_active_rfid_tag") == "unknown"
    session.tag = TAG
    await advance(POLL)
    assert shown(hass, "garage_active_rfid_tag") == TAG


async def test_a_reload_in_the_middle_of_a_session_changes_nothing(
    hass: HomeAssistant,
    account: SimulatedAccount,
    cloud: SimulatedCloud,
    joulo: MockConfigEntry,
    advance: Advance,
) -> None:
    session = account.start_session(GARAGE_ID, tag=TAG)
    await advance(POLL)
    session.tag = None
    before = {state.entity_id: state.state for state in hass.states.async_all()}
    cloud.forget_requests()
    await hass.config_entries.async_reload(joulo.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert {state.entity_id: state.state for state in hass.states.async_all()} == before
    assert cloud.requests == [] or {request.path for request in cloud.requests} == {"/me"}


async def test_a_session_that_passed_while_home_assistant_was_down_is_shown(
    hass: HomeAssistant,
    account: SimulatedAccount,
    joulo: MockConfigEntry,
    advance: Advance,
    freezer: FrozenDateTimeFactory,
) -> None:
    account.start_session(GARAGE_ID, tag=TAG)
    await advance(POLL)
    await hass.config_entries.async_unload(joulo.entry_id)
    freezer.tick(3600)
    account.end_session(GARAGE_ID)
    account.plan_session(
        GARAGE_ID, NOW + timedelta(hours=2), NOW + timedelta(hours=3), power_kw=10, tag="OTHER"
    )
    freezer.tick(3 * 3600)
    await hass.config_entries.async_setup(joulo.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert shown(hass, "garage_session_energy") == "10.0"
    assert shown(hass, "garage_session_start") == (NOW + timedelta(hours=2)).isoformat()
    assert shown(hass, "garage_last_session_rfid_tag") == "OTHER"
    assert shown(hass, "garage_active_rfid_tag") == "unknown"


async def test_a_session_is_valued_once_at_the_price_of_its_end(
    hass: HomeAssistant, account: SimulatedAccount, joulo: MockConfigEntry, advance: Advance
) -> None:
    account.start_session(GARAGE_ID, power_kw=10)
    await advance(HOUR)
    account.end_session(GARAGE_ID)
    await advance(POLL)
    await advance(READ)
    await advance(READ)
    value = float(shown(hass, "garage_last_session_value"))
    ere = float(shown(hass, "garage_last_session_ere_credits"))
    assert value == pytest.approx(ere * account.ere_price_mid * 0.8)
    month_before = float(shown(hass, "joulo_value_this_month"))

    account.ere_price_mid *= 2
    await advance(TERMS)
    assert float(shown(hass, "garage_last_session_value")) == value
    assert float(shown(hass, "joulo_value_this_month")) == pytest.approx(2 * month_before)


async def test_a_meter_reading_appears_once_the_charger_has_sent_one(
    hass: HomeAssistant, account: SimulatedAccount, joulo: MockConfigEntry, advance: Advance
) -> None:
    assert hass.states.get("sensor.garage_meter_reading") is None
    account.charger(GARAGE_ID).meter_start_wh = 5_000_000
    await advance(POLL)
    assert float(shown(hass, "garage_meter_reading")) >= 5000


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ("online", "online"),
        ("OFFLINE", "offline"),
        ("active", "active"),
        ("unavailable", "out_of_service"),
        ("unknown", "unknown"),
        ("hibernating", "unknown"),
    ],
)
async def test_a_status_that_joulo_does_not_document_is_unknown(
    hass: HomeAssistant,
    account: SimulatedAccount,
    entry: MockConfigEntry,
    sent: str,
    status: str,
) -> None:
    account.charger(GARAGE_ID).status = sent
    await set_up(hass, entry)
    assert shown(hass, "garage_status") == status
    assert shown(hass, "oprit_status") == "online"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("2026-06-30T21:30:00Z", "2026-06-30T22:00:01Z", id="month in summer"),
        pytest.param("2026-11-30T22:30:00Z", "2026-11-30T23:00:01Z", id="month in winter"),
    ],
)
async def test_a_month_turns_at_midnight_in_amsterdam(
    hass: HomeAssistant,
    account: SimulatedAccount,
    entry: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
    advance: Advance,
    before: str,
    after: str,
) -> None:
    freezer.move_to(before)
    account.start_session(GARAGE_ID, at=datetime.fromisoformat(before) - timedelta(hours=2))
    account.end_session(GARAGE_ID, at=datetime.fromisoformat(before) - timedelta(hours=1))
    await set_up(hass, entry)
    assert shown(hass, "joulo_sessions_this_month") != "0"
    await advance((datetime.fromisoformat(after) - datetime.fromisoformat(before)).total_seconds())
    assert shown(hass, "joulo_energy_this_month") == "0.0"
    assert shown(hass, "joulo_sessions_this_month") == "0"
    assert last_reset(hass, "joulo_energy_this_month").astimezone(UTC) == datetime.fromisoformat(
        after
    ) - timedelta(seconds=1)
    assert float(shown(hass, "joulo_energy_this_year")) > 0


async def test_the_account_shows_what_the_books_say(
    hass: HomeAssistant, account: SimulatedAccount, joulo: MockConfigEntry
) -> None:
    assert float(shown(hass, "joulo_total_energy")) == account.energy_total(mid_only=True)
    assert float(shown(hass, "joulo_total_energy_of_all_chargers")) == account.energy_total()
    assert float(shown(hass, "joulo_total_ere_credits")) == account.ere_total(mid_only=True)
    assert float(shown(hass, "joulo_total_sessions")) == account.session_total(mid_only=True)


async def test_an_account_that_sends_no_figure_for_all_chargers_has_no_such_sensor(
    hass: HomeAssistant, account: SimulatedAccount, entry: MockConfigEntry, advance: Advance
) -> None:
    account.dialect.all_charger_fields = False
    await set_up(hass, entry)
    assert hass.states.get("sensor.joulo_total_energy_of_all_chargers") is None
    account.dialect.all_charger_fields = True
    await advance(HOUR)
    assert float(shown(hass, "joulo_total_energy_of_all_chargers")) == account.energy_total()


@pytest.mark.long_account
async def test_the_last_session_of_a_charger_that_is_rarely_used_is_found_on_later_pages(
    hass: HomeAssistant,
    account: SimulatedAccount,
    entry: MockConfigEntry,
    advance: Advance,
) -> None:
    oldest = min(account.sessions_of(OPRIT_ID), key=lambda session: session.started_at)
    for session in account.sessions_of(OPRIT_ID):
        if session is not oldest:
            account.remove_session(session.id)
    await set_up(hass, entry)
    assert shown(hass, "oprit_last_session_energy") == "unknown"
    for _ in range(5):
        await advance(PAGE)
    assert float(shown(hass, "oprit_last_session_energy")) == float(oldest.kwh_at(NOW))


@pytest.mark.long_account
async def test_what_a_charger_delivered_in_all_is_unknown_until_everything_was_read(
    hass: HomeAssistant,
    account: SimulatedAccount,
    joulo: MockConfigEntry,
    advance: Advance,
) -> None:
    for name in ("garage", "oprit", "schuur"):
        assert shown(hass, f"{name}_total_energy") == "unknown"
        assert shown(hass, f"{name}_total_ere_credits") == "unknown"
    newest = next(account.completed(GARAGE_ID))
    assert shown(hass, "garage_last_session_energy") == str(float(newest.kwh_at(NOW)))
    for _ in range(5):
        await advance(PAGE)
    for charger in account.chargers:
        name = charger.nickname.lower()
        kwh, ere = account.energy_total(charger.id), account.ere_total(charger.id)
        assert float(shown(hass, f"{name}_total_energy")) == pytest.approx(kwh)
        assert float(shown(hass, f"{name}_total_ere_credits")) == pytest.approx(ere)


async def test_what_a_charger_delivered_in_all_grows_with_a_session_and_follows_corrections(
    hass: HomeAssistant,
    account: SimulatedAccount,
    joulo: MockConfigEntry,
    advance: Advance,
) -> None:
    for _ in range(5):
        await advance(PAGE)
    before = account.energy_total(GARAGE_ID)
    session = account.start_session(GARAGE_ID, power_kw=10)
    await advance(3600)
    assert float(shown(hass, "garage_total_energy")) == pytest.approx(before + 10)
    account.end_session(GARAGE_ID)
    await advance(POLL)
    await advance(READ)
    assert float(shown(hass, "garage_total_energy")) == pytest.approx(
        account.energy_total(GARAGE_ID)
    )
    account.correct_session(session.id, kwh=4)
    await advance(HOUR)
    assert float(shown(hass, "garage_total_energy")) == pytest.approx(before + 4)
    assert float(shown(hass, "garage_total_ere_credits")) == pytest.approx(
        account.ere_total(GARAGE_ID)
    )


@pytest.mark.long_account
async def test_how_far_the_history_reaches_is_shown_while_it_is_read(
    hass: HomeAssistant, account: SimulatedAccount, joulo: MockConfigEntry, advance: Advance
) -> None:
    def reach() -> tuple[str, object, object, object]:
        state = hass.states.get("sensor.joulo_sessions_known")
        assert state is not None
        names = ("oldest", "complete", "last_full_read")
        oldest, complete, last_full_read = (state.attributes[name] for name in names)
        return state.state, oldest, complete, last_full_read

    sessions = account.sessions
    assert reach() == ("100", sessions[99].started_at, False, None)
    await advance(PAGE)
    assert reach() == ("199", sessions[198].started_at, False, None)
    for _ in range(4):
        await advance(PAGE)
    assert reach() == (str(len(sessions)), sessions[-1].started_at, True, NOW)
