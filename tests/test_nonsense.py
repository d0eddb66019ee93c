"""Weeks of answers with nonsense in them leave no error, no secret, and nothing that clean answers do not mend."""

from collections import defaultdict
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

# What was told stays told; a session is valued once, by the price of that moment; and a tag stays its own,
# because most answers leave it out.
_FOR_GOOD = ("event.", "last_session_value", "rfid_tag")
# What Joulo expects, and has sold, depends on the day on which it is asked.
_OF_THE_DAY = ("paid_out", "payable", "reserved", "expected_this_year", "unsold_ere")


def lasting(home: Home) -> dict[str, str]:
    """Return the states that the newest answers decide."""
    return {
        entity_id: state
        for entity_id, state in home.states().items()
        if not any(part in entity_id for part in (*_FOR_GOOD, *_OF_THE_DAY))
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
    # Requests may overtake one another: each kind of document draws by itself.
    chances: defaultdict[tuple[str, ...], Random] = defaultdict(lambda: Random(seed))
    home.cloud.garble = lambda document: garbled(document, chances[tuple(document)])
    asked = len(home.cloud.requests)
    while len(home.cloud.requests) < asked + DOCUMENTS:
        await home.hours()
    home.cloud.garble = None
    await home.wait(31 * timing.DAY)
    for _ in range(3):  # everything is read again monthly, and twice where sessions are missing
        await home.hours()
        await home.read_all()
    await home.poll(20)  # a lower meter is believed after a quarter of an hour

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
