"""Weeks of answers with nonsense in them leave no error, no secret, and nothing that clean answers do not mend."""

from functools import partial
import os
from random import Random
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
import pytest

from tests import timing
from tests.home import Home
from tests.nonsense import garbled
from tests.simulator import DEMO_TOKEN

DOCUMENTS = int(os.environ.get("NONSENSE_DOCUMENTS", "100"))
WEEK = 7 * 24

# What was told stays told; a session is valued once, by the price of that moment; and a tag stays its own,
# because most answers leave it out.
_FOR_GOOD = ("event.", "last_session_value", "rfid_tag")


def lasting(home: Home) -> dict[str, str]:
    """Return the states that the newest answers decide."""
    return {
        entity_id: state
        for entity_id, state in home.states().items()
        if not any(part in entity_id for part in _FOR_GOOD)
    }


async def rows(home: Home) -> dict[str, Any]:
    """Return the rows of `get_sessions` by id, without what stays."""
    answer = await home.sessions()
    assert len({row["session_id"] for row in answer}) == len(answer)
    return {row["session_id"]: row | {"value_eur": 0, "tag_id": ""} for row in answer}


def devices(hass: HomeAssistant, home: Home) -> set[str | None]:
    """Return the names of the devices."""
    found = dr.async_entries_for_config_entry(dr.async_get(hass), home.entry.entry_id)
    return {device.name for device in found}


@pytest.mark.parametrize("seed", [1, 2])
async def test_clean_answers_heal_what_nonsense_has_done(
    hass: HomeAssistant, home: Home, caplog: pytest.LogCaptureFixture, seed: int
) -> None:
    await home.read_all()
    chance = Random(seed)
    home.cloud.garble = partial(garbled, chance=chance)
    asked = len(home.cloud.requests)
    while len(home.cloud.requests) < asked + DOCUMENTS:
        await home.hours()
    home.cloud.garble = None
    for _ in range(WEEK + 2):  # a comparison with the totals may be put off for a week
        await home.hours()
    await home.wait(timing.DAY)
    await home.poll(2)

    assert "Traceback" not in caplog.text
    for secret in (DEMO_TOKEN, "DEADBEEF12345678", "04A1B2C3D4E580"):
        assert secret not in caplog.text
    states, sessions, names = lasting(home), await rows(home), devices(hass, home)
    await hass.config_entries.async_remove(home.entry.entry_id)
    await home.wait(timing.HOUR)
    home.entry.add_to_hass(hass)
    await home.set_up()
    await home.wait(timing.HOUR)
    await home.read_all()
    assert states == lasting(home)
    assert sessions == await rows(home)
    assert names == devices(hass, home)
