"""What the integration must have made of the past: sessions, statistics and what an action answers."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

from . import household
from .home import Connection, Json
from .service import DemoError
from .stage import Introduction, Stage

_PATIENCE = 80  # seconds: the pages of two years, and a pause before they are written
_ROUNDING = 0.02


async def problems(stage: Stage, introduction: Introduction, connection: Connection) -> list[str]:
    """Wait for the whole history, and return a sentence for each thing in which it is wrong."""
    for _ in range(_PATIENCE):
        books, _ = await stage.books()
        found = [problem async for problem in _differences(introduction, connection, books)]
        if not found:
            break
        await asyncio.sleep(1)
    else:
        return found
    return [problem async for problem in household.assignment_problems(connection)]


async def _differences(
    introduction: Introduction, connection: Connection, books: Json
) -> AsyncIterator[str]:
    try:
        listed = await _listed(introduction, connection)
    except DemoError as error:
        # While the past is being read, the action answers no part of it.
        yield str(error)
        return
    rows, listed = listed["sessions"], listed["totals"]
    wanted = introduction.first_books["total_sessions"]
    if not wanted <= listed["sessions"] <= books["total_sessions"]:
        yield f"joulo.get_sessions answers {listed['sessions']} sessions of {wanted}."
    told = {
        "statistic": await _statistics(connection, books["chargers"]),
        "sensor": await _totals(connection, books["chargers"]),
    }
    for what, sums in told.items():
        for before, charger in zip(
            introduction.first_books["chargers"], books["chargers"], strict=True
        ):
            kwh = sums[charger["id"]]
            if not before["total_kwh"] - _ROUNDING <= kwh <= _highest(charger):
                yield f"{charger['nickname']}: the energy {what} says {kwh:.2f} kWh of {charger['total_kwh']}."
    for problem in await _energy_dashboard(connection, books["chargers"]):
        yield problem
    async for problem in household.differences(connection, rows):
        yield problem


async def _listed(introduction: Introduction, connection: Connection) -> Json:
    """Return what the action answers."""
    answer = await connection.ask(
        "call_service",
        domain="joulo",
        service="get_sessions",
        service_data={"config_entry_id": introduction.entry_id},
        return_response=True,
    )
    response: Json = answer["response"]
    return response


async def _statistics(connection: Connection, chargers: list[Json]) -> dict[str, float]:
    """Return the last sum of every charger's energy statistic, 0 where there is none yet."""
    ids = {charger["id"]: _statistic_id(charger) for charger in chargers}
    rows: dict[str, list[Any]] = await connection.ask(
        "recorder/statistics_during_period",
        start_time=datetime.fromtimestamp(0, UTC).isoformat(),
        statistic_ids=list(ids.values()),
        period="hour",
        types=["sum"],
    )
    return {
        charger_id: rows[key][-1]["sum"] if key in rows else 0.0 for charger_id, key in ids.items()
    }


async def _totals(connection: Connection, chargers: list[Json]) -> dict[str, float]:
    """Return what the sensor of every charger's total energy shows, 0 where it is not known yet."""
    entities = {
        entity["unique_id"]: entity["entity_id"]
        for entity in await connection.ask("config/entity_registry/list")
    }
    states = {state["entity_id"]: state["state"] for state in await connection.ask("get_states")}
    totals = {
        charger["id"]: states[entities[f"{charger['id']}_total_energy"]] for charger in chargers
    }
    unknown = {"unknown", "unavailable"}
    return {key: 0.0 if state in unknown else float(state) for key, state in totals.items()}


async def _energy_dashboard(connection: Connection, chargers: list[Json]) -> Iterator[str]:
    """Give the Energy dashboard the statistics, and return what it has to say about them."""
    devices = [{"stat_consumption": _statistic_id(charger)} for charger in chargers]
    await connection.ask("energy/save_prefs", device_consumption=devices)
    validation = await connection.ask("energy/validate")
    return (
        f"The Energy dashboard complains: {issue}"
        for issues in validation["device_consumption"]
        for issue in issues
    )


def _statistic_id(charger: Json) -> str:
    return f"joulo:{charger['id'].replace('-', '_')}_energy"


def _highest(charger: Json) -> float:
    """Return what a charger has delivered, with the session that runs on it."""
    running: float = charger.get("current_session", {}).get("kwh_so_far", 0.0)
    total: float = charger["total_kwh"]
    return total + running + _ROUNDING
