"""A charger that two accounts know: its statistics are written by one, with the past of both."""

from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.joulo.api import AccountProfile, ChargingSession
from custom_components.joulo.statistics.importer import StatisticsImporter
from tests.conftest import Advance
from tests.statistics import (
    ENERGY,
    ERE,
    HOUR,
    QUIET,
    VALUE,
    Recorded,
    add_device,
    list_sessions,
    session,
    set_price,
    sum_of,
)


async def move(
    hass: HomeAssistant,
    importer: StatisticsImporter,
    other_importer: StatisticsImporter,
    advance: Advance,
    *sessions: ChargingSession,
) -> None:
    """Let the charger go from one account to another, which lists the given sessions of it."""
    device = add_device(hass, importer.entry)
    list_sessions(importer.history, session())
    await advance(QUIET)
    add_device(hass, other_importer.entry)
    dr.async_get(hass).async_remove_device(device.id)
    list_sessions(other_importer.history, *sessions)
    await advance(QUIET)


@pytest.mark.parametrize("with_its_past", [True, False])
async def test_a_charger_that_moves_to_another_account_keeps_its_past(
    hass: HomeAssistant,
    importer: StatisticsImporter,
    other_importer: StatisticsImporter,
    advance: Advance,
    recorded: Recorded,
    *,
    with_its_past: bool,
) -> None:
    moved = [session(), session("new", -2, 1)]
    listed = moved if with_its_past else moved[1:]
    await move(hass, importer, other_importer, advance, *listed)
    assert sum_of(await recorded(ENERGY)) == pytest.approx(20)
    assert sum_of(await recorded(ERE)) == pytest.approx(10)


@pytest.mark.parametrize("listing", ["both", "none"])
async def test_a_charger_that_two_accounts_know_is_written_by_one(
    hass: HomeAssistant,
    importer: StatisticsImporter,
    other_importer: StatisticsImporter,
    advance: Advance,
    recorded: Recorded,
    handed_over: list[str],
    listing: str,
) -> None:
    for each in (importer, other_importer):
        if listing == "both":
            add_device(hass, each.entry)
        # Both know the session, and have valued it by the price of another time.
        list_sessions(each.history, session())
        price = 0.2 if each is importer else 0.4
        set_price(each.history, AccountProfile(ere_price_mid=price, effective_fee_pct=0))
    await advance(QUIET)
    assert sum_of(await recorded(VALUE)) == pytest.approx(1)
    handed_over.clear()
    for _ in range(5):
        await advance(HOUR)
    assert handed_over == []


async def test_the_past_of_a_charger_in_another_account_stays_while_that_is_not_set_up(
    hass: HomeAssistant,
    owner: MockConfigEntry,
    importer: StatisticsImporter,
    other_importer: StatisticsImporter,
    advance: Advance,
    recorded: Recorded,
) -> None:
    """What is stored of that account counts."""
    await move(hass, importer, other_importer, advance, session("new", -2, 1))
    await importer.history.async_close()
    await owner._async_process_on_unload(hass)
    await advance(HOUR + 60)
    assert sum_of(await recorded(ENERGY)) == pytest.approx(20)
