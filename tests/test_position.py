"""What the account's ERE credits pay out: shown where Joulo tells it, and missed by nothing where it does not."""

import logging

from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from tests.conftest import Advance
from tests.simulator import Availability, Fault, SimulatedAccount, SimulatedCloud
from tests.simulator.position import ere_position
from tests.timing import DAY, HOUR, TERMS

PATH = "/ere-position"
SENSORS = {
    "sensor.joulo_paid_out",
    "sensor.joulo_payable",
    "sensor.joulo_reserved",
    "sensor.joulo_expected_this_year",
    "sensor.joulo_unsold_ere_credits",
}
EACH_WAY_OF_LACKING_IT = pytest.mark.parametrize(
    "lacking", [Availability.MISSING, Availability.FORBIDDEN]
)


def shown(hass: HomeAssistant) -> dict[str, str]:
    """Return what the sensors of the position show, as far as they exist."""
    return {sensor: state.state for sensor in SENSORS if (state := hass.states.get(sensor))}


def total_energy(hass: HomeAssistant) -> float:
    """Return a sum that does not come from the position."""
    state = hass.states.get("sensor.joulo_total_energy")
    assert state is not None
    return float(state.state)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what the log says of the position."""
    return [message for record in caplog.records if "ere-position" in (message := record.message)]


async def set_up(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Set the entry up."""
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)


@pytest.mark.long_account
async def test_the_sensors_show_what_joulo_sends(
    hass: HomeAssistant, account: SimulatedAccount, joulo: MockConfigEntry
) -> None:
    sent = ere_position(account, {})
    assert {sensor: float(state) for sensor, state in shown(hass).items()} == {
        "sensor.joulo_paid_out": sent["paid"]["net_eur"],
        "sensor.joulo_payable": sent["payable"]["net_eur"],
        "sensor.joulo_reserved": sent["reserved"]["net_eur"],
        "sensor.joulo_expected_this_year": sent["total_expected_eur"],
        "sensor.joulo_unsold_ere_credits": sent["unsold"]["ere"],
    }
    assert sent["total_expected_eur"] > sent["ytd_expected_eur"], "the forecast is in it"


async def test_the_position_is_read_every_six_hours(
    hass: HomeAssistant, cloud: SimulatedCloud, joulo: MockConfigEntry, advance: Advance
) -> None:
    for hour in range(13):
        assert cloud.count(PATH) == 1 + hour // 6
        await advance(HOUR)


@EACH_WAY_OF_LACKING_IT
async def test_an_account_without_a_position_has_no_sensors_for_it_and_is_asked_daily(
    hass: HomeAssistant,
    account: SimulatedAccount,
    cloud: SimulatedCloud,
    entry: MockConfigEntry,
    advance: Advance,
    caplog: pytest.LogCaptureFixture,
    lacking: Availability,
) -> None:
    caplog.set_level(logging.INFO)
    account.ere_position = lacking
    await set_up(hass, entry)
    for _ in range(23):
        await advance(HOUR)
    assert shown(hass) == {}
    assert cloud.count(PATH) == 1
    assert total_energy(hass) == account.energy_total(mid_only=True)
    assert lines(caplog) == []

    account.ere_position = Availability.PRESENT
    await advance(HOUR)
    assert shown(hass).keys() == SENSORS
    assert cloud.count(PATH) == 2


@EACH_WAY_OF_LACKING_IT
async def test_what_was_there_once_is_kept_for_a_day_and_then_unknown(
    hass: HomeAssistant,
    account: SimulatedAccount,
    cloud: SimulatedCloud,
    joulo: MockConfigEntry,
    advance: Advance,
    lacking: Availability,
) -> None:
    before = shown(hass)
    account.ere_position = lacking
    await advance(TERMS - HOUR)
    for _ in range(24):
        await advance(HOUR)
        assert shown(hass) == before
    await advance(HOUR)
    assert shown(hass) == dict.fromkeys(SENSORS, STATE_UNKNOWN)
    account.ere_position = Availability.PRESENT
    cloud.forget_requests()
    await advance(DAY - HOUR)
    assert cloud.count(PATH) == 0, "then it is asked daily"
    await advance(HOUR)
    assert shown(hass).keys() == before.keys()
    assert STATE_UNKNOWN not in shown(hass).values()


@pytest.mark.parametrize("fault", [Fault.SERVER_ERROR, Fault.DROPPED, Fault.NOT_JSON])
async def test_a_fault_touches_nothing_else_and_is_logged_when_it_comes_and_when_it_goes(
    hass: HomeAssistant,
    account: SimulatedAccount,
    cloud: SimulatedCloud,
    joulo: MockConfigEntry,
    advance: Advance,
    caplog: pytest.LogCaptureFixture,
    fault: Fault,
) -> None:
    caplog.set_level(logging.INFO)
    await advance(TERMS - HOUR)
    cloud.fail(PATH, fault)
    for _ in range(3):
        await advance(HOUR)
        assert shown(hass) == dict.fromkeys(SENSORS, STATE_UNAVAILABLE)
        assert total_energy(hass) == account.energy_total(mid_only=True)
    assert len(lines(caplog)) == 1
    assert lines(caplog)[0].startswith("Joulo's ere-position cannot be read: ")
    assert cloud.count(PATH) == 4

    caplog.clear()
    cloud.recover()
    await advance(HOUR)
    assert {STATE_UNAVAILABLE, STATE_UNKNOWN}.isdisjoint(shown(hass).values())
    assert lines(caplog) == ["Joulo's ere-position can be read again"]


async def test_two_endpoints_that_fail_together_come_back_apart(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    joulo: MockConfigEntry,
    advance: Advance,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    await advance(TERMS - HOUR)
    cloud.fail("/me", Fault.SERVER_ERROR, times=1)
    cloud.fail(PATH, Fault.SERVER_ERROR, times=2)
    await advance(HOUR)
    assert hass.states.is_state("sensor.joulo_ere_price", STATE_UNAVAILABLE)
    assert shown(hass) == dict.fromkeys(SENSORS, STATE_UNAVAILABLE)
    await advance(HOUR)
    assert not hass.states.is_state("sensor.joulo_ere_price", STATE_UNAVAILABLE)
    assert shown(hass) == dict.fromkeys(SENSORS, STATE_UNAVAILABLE)
    assert len(lines(caplog)) == 1
    await advance(HOUR)
    assert STATE_UNAVAILABLE not in shown(hass).values()
    assert len(lines(caplog)) == 2


async def test_a_position_that_fails_at_first_appears_when_it_answers(
    hass: HomeAssistant, cloud: SimulatedCloud, entry: MockConfigEntry, advance: Advance
) -> None:
    cloud.fail(PATH, Fault.SERVER_ERROR, times=1)
    await set_up(hass, entry)
    assert shown(hass) == {}
    await advance(HOUR)
    assert {STATE_UNAVAILABLE, STATE_UNKNOWN}.isdisjoint(shown(hass).values())
    assert shown(hass).keys() == SENSORS


@pytest.mark.long_account
async def test_a_part_that_is_missing_is_unknown_and_the_others_stay(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    entry: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent = ere_position(cloud.account, {})
    del sent["reserved"]
    sent["unsold"] = {"ere": None}
    monkeypatch.setattr("tests.simulator.position._Position.answer", lambda _: sent)
    await set_up(hass, entry)
    states = shown(hass)
    unknown = {sensor for sensor, state in states.items() if state == STATE_UNKNOWN}
    assert unknown == {"sensor.joulo_reserved", "sensor.joulo_unsold_ere_credits"}
    assert float(states["sensor.joulo_paid_out"]) == sent["paid"]["net_eur"]
