"""Which chargers have statistics, and under which names: what has been written once stays, whoever is gone."""

from dataclasses import replace

from homeassistant.components.recorder.core import Recorder
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.joulo.api import RateLimiter
from custom_components.joulo.const import DOMAIN
from custom_components.joulo.history import SessionHistory
from custom_components.joulo.statistics.importer import (
    StatisticsImporter,
    statistic_id,
    statistic_slug,
)
from tests.conftest import Advance
from tests.home import Home
from tests.simulator import GARAGE_ID, SimulatedAccount
from tests.statistics import (
    CHARGER,
    ENERGY,
    HOUR,
    QUIET,
    Recorded,
    add_device,
    finish_reading,
    list_sessions,
    session,
    sum_of,
)

ALIKE = "a1 B2"
"""Another charger's id: in the id of a statistic it would look like the first one's."""
ALIKE_ENERGY = "joulo:a1_b2_2_energy"


@pytest.mark.usefixtures("importer")
async def test_a_charger_that_joulo_never_listed_has_no_statistics(
    history: SessionHistory, advance: Advance, recorded: Recorded
) -> None:
    """An id that stands in a session only may be anything."""
    list_sessions(history, session(), session("junk", -2, 1, charger_id="0"))
    await advance(QUIET)
    assert sum_of(await recorded(ENERGY)) == pytest.approx(10)
    assert await recorded("joulo:0_energy") == []


async def test_chargers_whose_ids_look_alike_have_statistics_of_their_own(
    hass: HomeAssistant,
    owner: MockConfigEntry,
    history: SessionHistory,
    importer: StatisticsImporter,
    advance: Advance,
    recorded: Recorded,
) -> None:
    list_sessions(history, session())
    await advance(QUIET)
    add_device(hass, owner, ALIKE)
    list_sessions(history, session("other", -2, 1, kwh=4, charger_id=ALIKE))
    await advance(QUIET)
    assert sum_of(await recorded(ENERGY)) == pytest.approx(10)
    assert sum_of(await recorded(ALIKE_ENERGY)) == pytest.approx(4)

    # Each keeps its name, also once the charger is gone that had it first.
    dr.async_get(hass).async_remove_device(add_device(hass, owner).id)
    list_sessions(history, session("more", -1, 1, kwh=2, charger_id=ALIKE))
    await advance(QUIET)
    assert sum_of(await recorded(ENERGY)) == pytest.approx(10)
    assert sum_of(await recorded(ALIKE_ENERGY)) == pytest.approx(6)


async def test_chargers_of_two_accounts_whose_ids_look_alike_have_statistics_of_their_own(
    hass: HomeAssistant,
    importer: StatisticsImporter,
    other_importer: StatisticsImporter,
    advance: Advance,
    recorded: Recorded,
) -> None:
    add_device(hass, other_importer.entry, ALIKE)
    list_sessions(importer.history, session())
    list_sessions(other_importer.history, session("other", -2, 1, kwh=4, charger_id=ALIKE))
    await advance(QUIET)
    names = {**importer.history.state.statistics, **other_importer.history.state.statistics}
    sums = {
        charger_id: sum_of(await recorded(statistic_id(name, "energy")))
        for charger_id, name in names.items()
    }
    assert sums == {CHARGER: pytest.approx(10), ALIKE: pytest.approx(4)}


async def test_a_charger_whose_sessions_have_moved_to_another_id_holds_nothing(
    hass: HomeAssistant,
    owner: MockConfigEntry,
    history: SessionHistory,
    importer: StatisticsImporter,
    advance: Advance,
    recorded: Recorded,
) -> None:
    device = add_device(hass, owner)
    list_sessions(history, session("first"), session("second", -2, 1))
    await advance(QUIET)
    dr.async_get(hass).async_remove_device(device.id)
    add_device(hass, owner, "new")
    list_sessions(
        history,
        session("first", charger_id="new"),
        session("second", -2, 1, charger_id="new"),
    )
    await advance(QUIET)
    assert {(row.state, row.sum) for row in await recorded(ENERGY)} == {(0, 0)}
    assert sum_of(await recorded("joulo:new_energy")) == pytest.approx(20)


async def test_a_charger_that_was_linked_again_holds_nothing_under_its_old_id(
    hass: HomeAssistant,
    recorder: Recorder,
    home: Home,
    account: SimulatedAccount,
    recorded: Recorded,
) -> None:
    """Also after a restart: the entry remembers what it has ever written."""
    await home.read_all()
    await home.hours()
    old = statistic_id(statistic_slug(GARAGE_ID), "energy")
    complete = sum_of(await recorded(old))
    assert complete == pytest.approx(account.energy_total(GARAGE_ID), abs=0.01)

    account.add_charger(replace(account.charger(GARAGE_ID), id="again"))
    account.remove_charger(GARAGE_ID)
    for moved in account.sessions_of(GARAGE_ID):
        account.move_session(moved.id, "again")
    await home.poll(3)
    await home.restart(away=HOUR)
    await home.hours(26)
    assert sum_of(await recorded(old)) == 0
    assert sum_of(await recorded("joulo:again_energy")) == pytest.approx(complete, abs=0.01)


async def test_the_statistics_of_a_charger_that_is_gone_are_put_right_by_a_new_entry_too(
    hass: HomeAssistant,
    owner: MockConfigEntry,
    history: SessionHistory,
    importer: StatisticsImporter,
    advance: Advance,
    recorded: Recorded,
) -> None:
    """They outlive the entry that has written them, and Joulo still lists the sessions."""
    list_sessions(history, session())
    await advance(QUIET)
    await hass.config_entries.async_remove(owner.entry_id)
    await owner._async_process_on_unload(hass)

    entry = MockConfigEntry(domain=DOMAIN, entry_id="again")
    entry.add_to_hass(hass)
    again = StatisticsImporter(hass, entry, SessionHistory(hass, "again", RateLimiter()))
    again.async_start()
    list_sessions(again.history, session(kwh=12))
    finish_reading(again.history)
    await advance(QUIET)
    assert sum_of(await recorded(ENERGY)) == pytest.approx(12)
    await entry._async_process_on_unload(hass)
