"""Calling the actions, and what the books say to their answers."""

from datetime import datetime, timedelta
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import device_registry as dr
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.joulo.const import DOMAIN
from tests.conftest import NOW
from tests.factories import simulated_session
from tests.simulator import (
    GARAGE_ID,
    SimulatedAccount,
    SimulatedSession,
)

TAG = "DEADBEEF12345678"
HOUR = timedelta(hours=1)


type Answer = dict[str, Any]


async def call(hass: HomeAssistant, action: str, **data: Any) -> Answer:
    """Perform an action and return its answer."""
    answer = await hass.services.async_call(
        DOMAIN, action, data, blocking=True, return_response=True
    )
    assert isinstance(answer, dict)
    return answer


async def get(hass: HomeAssistant, **data: Any) -> Answer:
    """Get sessions."""
    return await call(hass, "get_sessions", **data)


async def refusal(hass: HomeAssistant, action: str = "get_sessions", **data: Any) -> str:
    """Perform an action that cannot be, and return what the user is told."""
    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, action, **data)
    return str(caught.value)


def ids(answer: Answer) -> list[str]:
    """Return the ids of the sessions in an answer."""
    return [row["session_id"] for row in answer["sessions"]]


def device_id(hass: HomeAssistant, entry: MockConfigEntry, identifier: str = GARAGE_ID) -> str:
    """Return the device of a charger, or of the account."""
    device = dr.async_get(hass).async_get_device_by_identifier((DOMAIN, identifier), entry.entry_id)
    assert device is not None
    return device.id


def booked(account: SimulatedAccount, charger_id: str | None = None) -> list[SimulatedSession]:
    """Return the completed sessions in the books, oldest first."""
    return list(account.completed(charger_id))[::-1]


def value_of(account: SimulatedAccount, session: SimulatedSession) -> float:
    """Return what a session pays out by the books, in EUR."""
    if not account.charger(session.charger_id).mid_certified:
        return 0.0
    ere = float(session.ere_at(NOW) or 0)
    return round(ere * account.ere_price_mid * (1 - account.effective_fee_pct / 100), 2)


def record(
    account: SimulatedAccount, start: datetime, *, tag: str | None = None, power_kw: float = 10
) -> SimulatedSession:
    """Enter a session of an hour on the garage's charger in the books."""
    return account.record_session(simulated_session(start, power_kw=power_kw, tag=tag))
