"""Sessions and accounts that tests make by hand, with what a test does not care about filled in."""

from datetime import datetime, timedelta

from custom_components.joulo.api import ChargingSession
from custom_components.joulo.der_connect.models import CarSession
from tests.simulator import GARAGE_ID, SimulatedAccount, SimulatedCharger, SimulatedSession

NEIGHBOUR_TOKEN = "joulo_neighbour"


def simulated_session(
    start: datetime,
    *,
    hours: float | None = 1,
    charger_id: str = GARAGE_ID,
    power_kw: float = 10,
    tag: str | None = None,
) -> SimulatedSession:
    """Return a session for `SimulatedAccount.record_session`; `hours=None` leaves its end open."""
    return SimulatedSession(
        charger_id=charger_id,
        started_at=start,
        ends_at=None if hours is None else start + timedelta(hours=hours),
        power_kw=power_kw,
        tag=tag,
    )


def listed_session(
    session_id: str,
    start: datetime,
    end: datetime | None,
    *,
    charger_id: str = GARAGE_ID,
    kwh: float | None = None,
) -> ChargingSession:
    """Return a session as the client reads it from Joulo's list, with no figure unless one is given."""
    return ChargingSession(
        id=session_id, charger_id=charger_id, started_at=start, ended_at=end, kwh=kwh
    )


def neighbour(*nicknames: str, token: str = NEIGHBOUR_TOKEN) -> SimulatedAccount:
    """Return another account, with a charger for each nickname and no sessions."""
    account = SimulatedAccount(token=token)
    for nickname in nicknames:
        account.add_charger(SimulatedCharger(nickname=nickname))
    return account


def car_session(
    session_id: str,
    start: datetime,
    end: datetime | None,
    *,
    kwh: float | None = None,
    created: datetime | None = None,
    label: str | None = None,
    soc: tuple[float | None, float | None] = (None, None),
) -> CarSession:
    """Return a session as a car has recorded it, with no figure unless one is given."""
    return CarSession(
        id=session_id,
        created_at=created,
        started_at=start,
        ended_at=end,
        energy_kwh=kwh,
        average_power_kw=None,
        soc_start=soc[0],
        soc_end=soc[1],
        range_start_km=None,
        range_end_km=None,
        label=label,
    )
