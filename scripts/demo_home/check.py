"""What the integration must show, held against what it shows and against the simulator's books."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
import json
from pathlib import Path
import re
from typing import Any

from . import history, household
from .home import Connection, Json
from .stage import Introduction, Stage

_OF_A_CHARGER = (
    "calendar.charging_sessions",
    "event.charging_session",
    "binary_sensor.charging",
    "binary_sensor.connectivity",
    "binary_sensor.mid_certified",
    "sensor.status",
    "sensor.session_energy",
    "sensor.session_ere",
    "sensor.session_start",
    "sensor.active_tag_id",
    "sensor.last_session_energy",
    "sensor.last_session_ere",
    "sensor.last_session_value",
    "sensor.last_session_end",
    "sensor.last_session_duration",
    "sensor.last_session_tag_id",
    "sensor.total_energy",
    "sensor.total_ere",
    "sensor.session_cost",
    "sensor.last_session_cost",
    "sensor.total_cost",
    "sensor.active_vehicle",
    "sensor.last_session_vehicle",
)
_OF_A_METER = ("sensor.meter_reading",)
_OF_THE_ACCOUNT = (
    "sensor.total_energy",
    "sensor.total_energy_all",
    "sensor.total_ere",
    "sensor.total_sessions",
    "sensor.total_value",
    "sensor.month_energy",
    "sensor.month_ere",
    "sensor.month_sessions",
    "sensor.month_value",
    "sensor.year_energy",
    "sensor.year_ere",
    "sensor.year_value",
    "sensor.total_cost",
    "sensor.month_cost",
    "sensor.year_cost",
    "sensor.month_net_cost",
    "sensor.year_net_cost",
    "sensor.ere_price",
    "sensor.history_sessions",
    "sensor.paid_out",
    "sensor.payable",
    "sensor.reserved",
    "sensor.expected_this_year",
    "sensor.unsold_ere",
    "sensor.platform_fee",
)
_OF_A_VEHICLE = (
    "binary_sensor.charging",
    "calendar.charging_sessions",
    "sensor.charger",
    "sensor.total_energy",
    "sensor.total_ere",
    "sensor.total_cost",
    "sensor.month_energy",
    "sensor.month_sessions",
    "sensor.month_value",
    "sensor.month_cost",
    "sensor.year_energy",
    "sensor.year_value",
    "sensor.year_cost",
    "sensor.last_session_energy",
    "sensor.last_session_cost",
    "sensor.last_session_charger",
)
_OF_A_CAR = (
    "sensor.last_charge_energy",
    "sensor.last_charge_end",
    "sensor.last_charge_location",
    "sensor.last_charge_soc_start",
    "sensor.last_charge_soc_end",
    "sensor.last_charge_range_end",
    "sensor.elsewhere_energy",
    "sensor.month_elsewhere_energy",
    "sensor.year_elsewhere_energy",
)
# A charger without a running session, or without a card, has nothing to tell about these.
_MAY_BE_UNKNOWN = re.compile(
    r"sensor\.(session_.+|active_.+|last_session_(tag_id|vehicle)|total_.+|charger)|event\..+"
)
_NEEDS_A_SESSION = re.compile(r"sensor\.last_session_.+")

_TRANSLATIONS = Path(__file__).parents[2] / "custom_components" / "joulo" / "translations"
_PATIENCE = 40  # seconds for the entities to be complete
_ROUNDING = 0.011  # the API rounds each sum to two decimals

# A record of Home Assistant's log that is a warning or worse, with the lines that belong to it.
_RECORD = re.compile(
    r"^\d{4}-\d\d-\d\d \S+ (?:WARNING|ERROR|CRITICAL) .*(?:\n(?!\d{4}-\d\d-\d\d ).*)*", re.MULTILINE
)
_OURS = re.compile(r"custom_components[./]joulo|(?<![/\w])joulo\b")
_LOADER = "We found a custom integration joulo which has not been tested by Home Assistant"


async def problems(stage: Stage, introduction: Introduction) -> list[str]:
    """Wait for the entities, print them, and return a sentence for each thing that is wrong.

    They must also be complete after an update by hand and a reload, and Joulo not be asked too soon.
    """
    async with stage.home.connection() as connection:
        found = await _settled(stage, introduction, connection)
        if not found:
            entities = await _entities(connection, introduction.entry_id)
            everything = {"entity_id": [entity.entity_id for entity in entities.values()]}
            await stage.home.call("POST", "/api/services/homeassistant/update_entity", everything)
            entry = f"/api/config/config_entries/entry/{introduction.entry_id}"
            await stage.home.call("POST", f"{entry}/reload")
            found = await _settled(stage, introduction, connection)
        found += await history.problems(stage, introduction, connection)
        print(_table(await _entities(connection, introduction.entry_id)))
    _, traffic = await stage.books()
    if refused := traffic["refused"]:
        found.append(f"The simulator refused {refused} of {traffic['total']} requests as too fast.")
    return found


async def _settled(stage: Stage, introduction: Introduction, connection: Connection) -> list[str]:
    """Return what is wrong with the entities: nothing as soon as they are complete."""
    names = _translated_names(stage.language)
    for _ in range(_PATIENCE):
        entities = await _entities(connection, introduction.entry_id)
        books, _ = await stage.books()
        found = list(_entity_problems(introduction, entities, names, books))
        if not found:
            break
        await asyncio.sleep(1)
    return found


@dataclass(frozen=True, slots=True)
class Entity:
    """An enabled entity and its state, if it has one."""

    entity_id: str
    unique_id: str
    name: str | None
    state: str | None
    unit: str


async def _entities(connection: Connection, entry_id: str) -> dict[str, Entity]:
    """Return the enabled entities of a config entry by their unique ids."""
    states = {state["entity_id"]: state for state in await connection.ask("get_states")}
    nothing: Json = {"state": None, "attributes": {}}
    return {
        entry["unique_id"]: Entity(
            entity_id=entry["entity_id"],
            unique_id=entry["unique_id"],
            name=entry["original_name"],
            state=(state := states.get(entry["entity_id"], nothing))["state"],
            unit=state["attributes"].get("unit_of_measurement", ""),
        )
        for entry in await connection.ask("config/entity_registry/list")
        if entry["config_entry_id"] == entry_id and entry["disabled_by"] is None
    }


def _table(entities: dict[str, Entity]) -> str:
    """Return a line for each entity: its id, state and unit."""
    rows = sorted(entities.values(), key=lambda entity: entity.entity_id)
    width = max((len(row.entity_id) for row in rows), default=0)
    return "\n".join(f"{row.entity_id:{width}}  {row.state} {row.unit}".rstrip() for row in rows)


def _entity_problems(
    introduction: Introduction, entities: dict[str, Entity], names: Json, now: Json
) -> Iterator[str]:
    """Yield a sentence for each entity that is missing or wrong.

    The account's books were read before the entities and after them: a total lies in between.
    """
    for charger in now["chargers"]:
        meter = _OF_A_METER if "latest_meter_wh" in charger else ()
        for expected in _OF_A_CHARGER + meter:
            may_be_unknown = _MAY_BE_UNKNOWN.fullmatch(expected) or (
                _NEEDS_A_SESSION.fullmatch(expected) and not charger["total_sessions"]
            )
            fault = _fault(entities, names, charger["id"], expected)
            if fault and not (may_be_unknown and fault == "unknown"):
                yield f"{charger['nickname']}: {expected} is {fault}."
    lowest, highest = _totals(introduction.first_books), _totals(now)
    for expected in _OF_THE_ACCOUNT:
        if fault := _fault(entities, names, introduction.entry_id, expected):
            yield f"Account: {expected} is {fault}."
    yield from _vehicle_problems(introduction, entities, names)
    for key, low in lowest.items():
        entity = entities.get(f"{introduction.entry_id}_{key}")
        if entity and not _is_between(entity.state, low, highest[key]):
            yield f"Account: {key} is {entity.state}, but {highest[key]} in the simulator's books."


def _vehicle_problems(
    introduction: Introduction, entities: dict[str, Entity], names: Json
) -> Iterator[str]:
    for vehicle_id, name in introduction.vehicles.items():
        for expected in _OF_A_VEHICLE + (_OF_A_CAR if name == household.CAR else ()):
            fault = _fault(entities, names, f"vehicle_{vehicle_id}", expected)
            if fault and not (_MAY_BE_UNKNOWN.fullmatch(expected) and fault == "unknown"):
                yield f"{name}: {expected} is {fault}."


def _fault(entities: dict[str, Entity], names: Json, owner: str, expected: str) -> str | None:
    domain, key = expected.split(".")
    entity = entities.get(f"{owner}_{key}")
    if entity is None or not entity.entity_id.startswith(f"{domain}."):
        return "missing"
    if entity.name != names.get(domain, {}).get(key, {}).get("name"):
        return f"named {entity.name}, not as the translation has it"
    if entity.state in {None, "unavailable", "unknown"}:
        return entity.state or "without a state"
    return None


def _is_between(state: str | None, low: float, high: float) -> bool:
    try:
        return low - _ROUNDING <= float(state or "") <= high + _ROUNDING
    except ValueError:
        return False


def _translated_names(language: str) -> Json:
    """Return the integration's names of entities; Home Assistant, too, falls back to English."""
    file = _TRANSLATIONS / f"{language}.json"
    texts = file if file.exists() else _TRANSLATIONS / "en.json"
    names: Json = json.loads(texts.read_text("utf-8"))["entity"]
    return names


def _totals(books: Json) -> dict[str, float]:
    """Return what the account's totals show: of MID-certified chargers, but for the first."""
    certified: list[Any] = [charger for charger in books["chargers"] if charger["mid_certified"]]
    return {
        "total_energy_all": books["total_kwh"],
        "total_energy": round(sum(charger["total_kwh"] for charger in certified), 2),
        "total_ere": round(sum(charger["total_ere_credits"] for charger in certified), 2),
        "total_sessions": sum(charger["total_sessions"] for charger in certified),
    }


def log_problems(log: str) -> Iterator[str]:
    """Yield each warning and error that is about the integration, but for the loader's own."""
    for record in _RECORD.findall(log):
        if _OURS.search(record) and _LOADER not in record:
            yield f"Home Assistant's log says: {record.rstrip()}"
