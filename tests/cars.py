"""Vehicles whose cars are at DER Connect, as subentries, and what the calendar shows of them."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant

from tests.home import Home
from tests.simulator import (
    DER_CONNECT_ID,
    DER_CONNECT_SECRET,
    CarCharge,
    SimulatedCar,
    SimulatedDerConnect,
)

ZOE, ID3 = "01ZOE", "01ID3"
"""Ids of the vehicles' subentries."""
ZOE_ENTITY, ID3_ENTITY = (
    "7ac991f9-0000-4000-8000-1577b91625b5",
    "7ac991f9-0000-4000-8000-1577b91625b6",
)
"""Ids of their cars at DER Connect."""
CREDENTIALS = "01DERCONNECT"
"""Id of the subentry with the credentials."""


def add_subentry(
    home: Home, subentry_id: str, kind: str, title: str, data: Mapping[str, Any]
) -> None:
    """Add a subentry to an account."""
    subentry = ConfigSubentry(
        data=MappingProxyType(dict(data)),
        subentry_id=subentry_id,
        subentry_type=kind,
        title=title,
        unique_id=kind if kind == "der_connect" else None,
    )
    home.hass.config_entries.async_add_subentry(home.entry, subentry)


def add_car(
    home: Home, vehicle_id: str = ZOE, entity_id: str | None = ZOE_ENTITY, **data: Any
) -> None:
    """Add a vehicle that is a car at DER Connect; without an id there, one that is none."""
    data = {"tags": [], "chargers": [], **data}
    if entity_id is not None:
        data["entity_id"] = entity_id
    add_subentry(home, vehicle_id, "vehicle", "Zoe" if vehicle_id == ZOE else "ID.3", data)


async def in_calendar(
    hass: HomeAssistant, start: datetime, end: datetime, vehicle: str = "zoe"
) -> list[dict[str, Any]]:
    """Return what a vehicle's calendar shows between two moments."""
    entity_id = f"calendar.{vehicle}_charging_sessions"
    span = {"start_date_time": start, "end_date_time": end}
    answer: Any = await hass.services.async_call(
        "calendar",
        "get_events",
        {"entity_id": entity_id, **span},
        blocking=True,
        return_response=True,
    )
    events: list[dict[str, Any]] = answer[entity_id]["events"]
    return events


def add_credentials(home: Home, url: str, secret: str = DER_CONNECT_SECRET) -> None:
    """Add the credentials of DER Connect, which is served at an address."""
    data = {
        "client_id": DER_CONNECT_ID,
        "client_secret": secret,
        "url": url,
        "token_url": f"{url}/access_token",
    }
    add_subentry(home, CREDENTIALS, "der_connect", "DER Connect", data)


def car_charge(session_id: str, start: datetime, end: datetime, **figures: Any) -> CarCharge:
    """Return a session that a car has recorded, listed as soon as it ended; with no figure unless one is given."""
    figures.setdefault("calculated_at", end)
    return CarCharge(id=session_id, started_at=start, ended_at=end, **figures)


def put(service: SimulatedDerConnect, charge: CarCharge, entity_id: str = ZOE_ENTITY) -> None:
    """Let the service list a session of a car, in the place of one with its id."""
    forget(service, charge.id, entity_id)
    car_of(service, entity_id).charges.append(charge)


def forget(service: SimulatedDerConnect, session_id: str, entity_id: str = ZOE_ENTITY) -> None:
    """Let the service list a session no more."""
    car = car_of(service, entity_id)
    car.charges = [charge for charge in car.charges if charge.id != session_id]


def car_of(service: SimulatedDerConnect, entity_id: str = ZOE_ENTITY) -> SimulatedCar:
    """Return a car at the service, which has to be there."""
    car = service.car(entity_id)
    assert car is not None
    return car


def reads(service: SimulatedDerConnect, entity_id: str = "") -> int:
    """Return how often the service was asked for the sessions of a car, or of all."""
    return service.count(f"{entity_id}/charge-sessions")
