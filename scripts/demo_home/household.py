"""What the household of the demo has set up beside its account, its vehicles and a price, and what must follow from them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tests.simulator import (
    DEMO_CAR_ID,
    DER_CONNECT_ID,
    DER_CONNECT_SECRET,
    GARAGE_ID,
    TAGS,
)

from . import prices
from .home import Connection, Home, Json
from .service import DemoError

VEHICLES: Final[dict[str, Json]] = {
    "Zoe": {"tags": [TAGS[0]], "chargers": []},
    "ID.3": {"tags": [TAGS[1]], "chargers": []},
    "Company car": {"tags": [], "chargers": [GARAGE_ID]},
}
"""By name. The third card is nobody's, and its owner is asked for."""
CAR: Final = "Zoe"
"""The vehicle that DER Connect knows, and that charges at work too."""

_PATIENCE = 40  # quarters of a second, for a reload
_ROUNDING = 0.011
_MOST_RUNNING = 12  # kWh or EUR of the session that runs
_HOUR = timedelta(hours=1)


async def move_in(home: Home, entry_id: str, der_connect_url: str) -> None:
    """Add DER Connect, the vehicles and the price, by the forms that a user has."""
    subentries = "subentries/flow"
    await _fill_in(home, subentries, [entry_id, "der_connect"], _credentials(der_connect_url))
    for name, data in VEHICLES.items():
        car = {"entity_id": DEMO_CAR_ID} if name == CAR else {}
        answers = ({"name": name, **data}, {"capture": bool(car), **car})
        await _fill_in(home, subentries, [entry_id, "vehicle"], *answers)
    options = {"chargers_interval": 60, "price": {"price_entity": prices.SENSOR}}
    await _fill_in(home, "options/flow", entry_id, options)
    await _until_loaded(home, entry_id)


def _credentials(der_connect_url: str) -> Json:
    return {
        "client_id": DER_CONNECT_ID,
        "client_secret": DER_CONNECT_SECRET,
        "advanced": {"url": der_connect_url, "token_url": f"{der_connect_url}/access_token"},
    }


async def _until_loaded(home: Home, entry_id: str) -> None:
    """Wait until the reload is done that the last form has caused."""
    for _ in range(_PATIENCE):
        await asyncio.sleep(0.25)
        async with home.connection() as connection:
            entry = (await connection.ask("config_entries/get_single", entry_id=entry_id))[
                "config_entry"
            ]
        if entry["state"] == "loaded":
            return
    raise DemoError("The account is not set up again.")


async def _fill_in(home: Home, path: str, handler: Any, *answers: Json) -> None:
    """Fill a form in, as soon as the reload that the one before has caused is done: it closes open forms."""
    for _ in range(_PATIENCE):
        try:
            await home.fill_in(path, handler, *answers)
        except DemoError as error:
            if not any(cause in str(error) for cause in ("entry_not_loaded", "Invalid flow")):
                raise
            await asyncio.sleep(0.25)
        else:
            return
    raise DemoError(f"The form {path} cannot be opened: the account is not set up.")


async def differences(connection: Connection, rows: list[Json]) -> AsyncIterator[str]:
    """Yield a sentence for each thing in which vehicles and costs are wrong, by the answer of `get_sessions`."""
    past = datetime.now(UTC) - timedelta(days=1)
    for row in rows:
        # Of the last day the recorder has details that the sums by hand do not know.
        if datetime.fromisoformat(row["ended_at"]) < past:
            wanted = cost_by_hand(row)
            if row["cost_eur"] is None or abs(row["cost_eur"] - wanted) > _ROUNDING:
                yield f"{row['started_at']}: the cost is {row['cost_eur']}, by hand {wanted:.2f}."
    totals = await _statistics(connection)
    for figure, key in (("charged energy", "energy_kwh"), ("charging cost", "cost_eur")):
        for owner, own in _by_owner(rows).items():
            wanted, total = sum(row[key] or 0 for row in own), totals.get(f"{owner} {figure}", 0)
            # Rows are rounded, and what runs is in the statistic as soon as an hour has passed.
            if not -0.01 * len(own) <= total - wanted <= 0.01 * len(own) + _MOST_RUNNING:
                yield f"The statistic {owner} {figure} says {total:.2f}, the sessions {wanted:.2f}."
    names = {row["vehicle"] for row in rows}
    if names != {*VEHICLES, None}:
        yield f"The sessions are those of {names}."
    issues = (await connection.ask("repairs/list_issues"))["issues"]
    asked = [issue for issue in issues if issue["translation_key"] == "unknown_tag"]
    if len(asked) != 1:
        yield f"{len(asked)} cards are asked for, not one."


def cost_by_hand(row: Json) -> float:
    """Return the EUR of a session of the past, which is spread evenly over its time."""
    start, end = (datetime.fromisoformat(row[key]) for key in ("started_at", "ended_at"))
    cost, hour = 0.0, start.replace(minute=0, second=0, microsecond=0)
    while hour < end:
        share = (min(hour + _HOUR, end) - max(hour, start)) / (end - start)
        cost += row["energy_kwh"] * share * prices.hourly_price(hour)
        hour += _HOUR
    return cost


def _by_owner(rows: list[Json]) -> dict[str, list[Json]]:
    """Return the sessions by the name of their charger, and again by that of their vehicle."""
    owned: dict[str, list[Json]] = {}
    for row in rows:
        for owner in (row["charger_name"], row["vehicle"]):
            if owner is not None:
                owned.setdefault(owner, []).append(row)
    return owned


async def _statistics(connection: Connection) -> dict[str, float]:
    """Return the last sums of the statistics of chargers and vehicles, by name."""
    known = await connection.ask("recorder/list_statistic_ids", statistic_type="sum")
    names = {each["statistic_id"]: each["name"] for each in known if each["source"] == "joulo"}
    rows: dict[str, list[Any]] = await connection.ask(
        "recorder/statistics_during_period",
        start_time=datetime.fromtimestamp(0, UTC).isoformat(),
        statistic_ids=[*names, "joulo:none"],
        period="hour",
        types=["sum"],
    )
    return {names[key]: each[-1]["sum"] for key, each in rows.items()}


async def assignment_problems(connection: Connection) -> AsyncIterator[str]:
    """Say by hand whose a session is that is nobody's, see that it is, and take it back."""
    rows = (await _call(connection, "get_sessions", {}))["sessions"]
    session_id = next(row["session_id"] for row in rows if row["vehicle"] is None)
    devices = await connection.ask("config/device_registry/list")
    zoe = next(device["id"] for device in devices if device["name"] == "Zoe")
    for vehicle, name in ((zoe, "Zoe"), (None, None)):
        data = {"session_id": session_id} | ({"vehicle": vehicle} if vehicle else {})
        answer = await _call(connection, "assign_session", data)
        if answer != {"session_id": session_id, "vehicle": name}:
            yield f"An assignment to {name} answers {answer}."
        sessions = (await _call(connection, "get_sessions", {}))["sessions"]
        found = next(row["vehicle"] for row in sessions if row["session_id"] == session_id)
        if found != name:
            yield f"A session that was assigned to {name} is {found}'s."


async def _call(connection: Connection, action: str, data: Json) -> Any:
    answer = await connection.ask(
        "call_service", domain="joulo", service=action, service_data=data, return_response=True
    )
    return answer["response"]
