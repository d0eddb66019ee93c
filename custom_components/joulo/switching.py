"""Takes over entries of the other Joulo integrations, which have the same domain: data, entities, statistics.

Home Assistant calls a migration once, and writes its registries later than the entry: after a power cut in between,
the entry is ours and the entities are still theirs. So what becomes of them is decided in the migration, kept in the
entry, and done by every set-up until the user has confirmed that it was. What they store was read from entries,
registries and recorders as those of crryp 1.1.1, onsmam 1.0.0 and boronz 1.0.0 (the folder `youlo`) leave them.
"""

from collections.abc import Iterable, Mapping
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from homeassistant.components.recorder.const import DOMAIN as RECORDER_DOMAIN
from homeassistant.components.recorder.statistics import (
    async_update_statistics_metadata,
    get_metadata,
)
from homeassistant.components.sensor.const import DOMAIN as SENSOR_DOMAIN
from homeassistant.const import CONF_TOKEN, CONF_URL, UnitOfEnergy
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.recorder import get_instance
from homeassistant.util.json import load_json_object

from .api import API_URL
from .api.parsing import parse_number
from .clients import clean_token
from .const import (
    CHARGERS_INTERVAL,
    CONF_CHARGERS_INTERVAL,
    CONF_TAKEN_OVER,
    DOMAIN,
    ERE,
    EURO_PER_ERE,
    LONGEST_CHARGERS_INTERVAL,
)
from .devices import unique_id
from .issues import async_clear_two_folders, async_raise_taken_over, async_raise_two_folders

if TYPE_CHECKING:
    from .data import JouloConfigEntry

MINOR_VERSION: Final = 2
"""Minor version of our entries; theirs, and those of our first version, have 1."""

_TOKENS: Final = ("api_token", "api_key")
_SCAN_INTERVAL: Final = "chargers_scan_interval"

_OF_CHARGER: Final = {
    "status": "status",
    "active_tag_id": "active_tag_id",
    "session_energy": "session_energy",
    "meter_reading": "meter_reading",
    "is_charging": "charging",
}
"""Our key by theirs; each unique id is `<charger id>_<key>`."""
_OF_ACCOUNT: Final = {
    "total_energy": "total_energy",
    "total_kwh": "total_energy",
    "total_sessions": "total_sessions",
    "total_ere_credits": "total_ere",
    "ere_price_mid": "ere_price",
    "ere_fee_pct": "platform_fee",
    "ere_effective_fee_pct": "platform_fee",
    "ere_paid": "paid_out",
    "ere_paid_eur": "paid_out",
    "ere_payable": "payable",
    "ere_payable_eur": "payable",
    "ere_reserved": "reserved",
    "ere_reserved_eur": "reserved",
    "ere_total_expected": "expected_this_year",
    "ere_total_expected_eur": "expected_this_year",
}
"""Our key by theirs; each unique id is `<entry id>_<key>`."""
_OF_YOULO: Final = {
    "joulo_energy_total_mid_kwh": "total_energy",
    "joulo_energy_total_all_kwh": "total_energy_all",
    "joulo_energy_total_ere": "total_ere",
    "joulo_ere_paid_eur": "paid_out",
    "joulo_ere_expected_eur": "expected_this_year",
    "joulo_ere_unsold_credits": "unsold_ere",
}
"""Our key by their whole unique id."""

_UNITS: Final = {"total_ere": ERE, "total_sessions": None, "ere_price": EURO_PER_ERE}
"""Units of the account's sensors whose statistics theirs have recorded in another one."""
_ENDED: Final = (
    "_session_energy",
    "_platform_fee",
    "_paid_out",
    "_payable",
    "_reserved",
    "_expected_this_year",
)
"""Ends of the unique ids of sensors that have long-term statistics with one of them, and none with us."""

_OTHER_FOLDER: Final = "custom_components/youlo"


class EntityRow(NamedTuple):
    """An entity in Home Assistant's registry: `sensor`, its unique id, and its entity id."""

    platform: str
    unique_id: str
    entity_id: str


class Takeover(NamedTuple):
    """What becomes of the entities: their new unique ids, and those without a counterpart."""

    renamed: list[tuple[EntityRow, str]]
    removed: list[EntityRow]


def stored_token(data: Mapping[str, Any]) -> str:
    """Return the token in the data of an entry, ours or one that was not taken over yet."""
    values = (data.get(key) for key in (CONF_TOKEN, *_TOKENS))
    return next((clean_token(value) for value in values if isinstance(value, str)), "")


def plan(rows: Iterable[EntityRow], entry_id: str) -> Takeover:
    """Decide what becomes of the entities of an entry, in which two of the others may have left theirs.

    Each of our unique ids is given once: to the entity that has it already, or else to the first.
    """
    targets = {row: _target(row.unique_id, entry_id) for row in rows}
    renamed: dict[tuple[str, str], EntityRow] = {}
    for row in sorted(targets, key=lambda row: row.unique_id != targets[row]):
        if (target := targets[row]) is not None:
            renamed.setdefault((row.platform, target), row)
    taken = {row: target for (_, target), row in renamed.items()}
    return Takeover([*taken.items()], [row for row in targets if row not in taken])


def _target(theirs: str, entry_id: str) -> str | None:
    """Return our unique id in the place of theirs; None where we have no such entity."""
    if (key := _OF_YOULO.get(theirs)) is not None:
        return unique_id(entry_id, key)
    if theirs.startswith(f"{entry_id}_"):
        key = _OF_ACCOUNT.get(theirs.removeprefix(f"{entry_id}_"))
        return key and unique_id(entry_id, key)
    for suffix, key in _OF_CHARGER.items():
        charger_id = theirs.removesuffix(f"_{suffix}")
        if charger_id != theirs:
            return unique_id(charger_id, key)
    return None


@callback
def async_migrate(hass: HomeAssistant, entry: JouloConfigEntry) -> None:
    """Make an entry of an earlier version, or of another integration, one of ours."""
    if entry.minor_version > MINOR_VERSION:
        # A later version's, which may be used with this one.
        return
    if CONF_TOKEN in entry.data:
        hass.config_entries.async_update_entry(entry, minor_version=MINOR_VERSION)
        return
    rows = [
        EntityRow(row.domain, row.unique_id, row.entity_id)
        for row in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    ]
    hass.config_entries.async_update_entry(
        entry,
        data={
            CONF_URL: API_URL,
            CONF_TOKEN: stored_token(entry.data),
            CONF_TAKEN_OVER: plan(rows, entry.entry_id)._asdict(),
        },
        options=_options(entry.options),
        title=_title(hass, entry),
        # Theirs is a part or a fingerprint of the token. The account's own id is learned from `/me`.
        unique_id=None,
        minor_version=MINOR_VERSION,
    )


def _options(theirs: Mapping[str, Any]) -> dict[str, int]:
    if (interval := parse_number(theirs.get(_SCAN_INTERVAL))) is None:
        return {}
    seconds = min(max(round(interval), CHARGERS_INTERVAL), LONGEST_CHARGERS_INTERVAL)
    return {CONF_CHARGERS_INTERVAL: seconds}


def _title(hass: HomeAssistant, entry: JouloConfigEntry) -> str:
    """Return the title of an entry, which no other account has."""
    taken = {other.title for other in hass.config_entries.async_entries(DOMAIN) if other != entry}
    titles = (entry.title if n == 1 else f"{entry.title} {n}" for n in count(1))
    return next(title for title in titles if title not in taken)


@callback
def async_take_over_entities(hass: HomeAssistant, entry: JouloConfigEntry) -> None:
    """Give the entities of another integration our unique ids, remove those without a counterpart, and tell the user.

    What is done already is not done again. It has to be done before our own entities are added.
    """
    if (stored := entry.data.get(CONF_TAKEN_OVER)) is None:
        return
    registry = er.async_get(hass)
    takeover = Takeover(
        [(EntityRow(*row), target) for row, target in stored["renamed"]],
        [EntityRow(*row) for row in stored["removed"]],
    )
    for row, target in takeover.renamed:
        _rename(registry, entry, row, target)
    for row in takeover.removed:
        _remove(registry, entry, row)
    ours = er.async_entries_for_config_entry(registry, entry.entry_id)
    for entity in ours:
        if entity.unique_id.endswith("_meter_reading"):
            _show_meter(registry, entity)
    targets = {target for _, target in takeover.renamed}
    kept = [entity for entity in ours if entity.unique_id in targets]
    async_raise_taken_over(
        hass,
        entry,
        kept=[entity.entity_id for entity in kept],
        ended=[entity.entity_id for entity in kept if entity.unique_id.endswith(_ENDED)],
        removed=[row.entity_id for row in takeover.removed],
    )


def _own_row(
    registry: er.EntityRegistry, entry: JouloConfigEntry, row: EntityRow
) -> er.RegistryEntry | None:
    """Return an entity as it is by now, unless it is gone or another account's."""
    entity_id = registry.async_get_entity_id(row.platform, DOMAIN, row.unique_id)
    entity = registry.async_get(entity_id) if entity_id else None
    return entity if entity and entity.config_entry_id == entry.entry_id else None


def _rename(
    registry: er.EntityRegistry, entry: JouloConfigEntry, row: EntityRow, target: str
) -> None:
    if row.unique_id == target or (entity := _own_row(registry, entry, row)) is None:
        return
    if registry.async_get_entity_id(row.platform, DOMAIN, target) is None:
        registry.async_update_entity(entity.entity_id, new_unique_id=target)
    else:
        # Another entry of the same account has that entity, and keeps it.
        registry.async_remove(entity.entity_id)


def _remove(registry: er.EntityRegistry, entry: JouloConfigEntry, row: EntityRow) -> None:
    if (entity := _own_row(registry, entry, row)) is not None:
        registry.async_remove(entity.entity_id)


def _show_meter(registry: er.EntityRegistry, entity: er.RegistryEntry) -> None:
    """Enable a meter reading that theirs had disabled by itself, and show it in kWh instead of Wh."""
    if entity.disabled_by is er.RegistryEntryDisabler.INTEGRATION:
        registry.async_update_entity(entity.entity_id, disabled_by=None)
    registry.async_update_entity_options(
        entity.entity_id,
        f"{SENSOR_DOMAIN}.private",
        {"suggested_unit_of_measurement": UnitOfEnergy.KILO_WATT_HOUR},
    )


async def async_take_over_statistics(hass: HomeAssistant, entry: JouloConfigEntry) -> None:
    """Give the recorded statistics the units that our sensors have, so that their sums go on."""
    if CONF_TAKEN_OVER not in entry.data or RECORDER_DOMAIN not in hass.config.components:
        return
    registry = er.async_get(hass)
    units = {
        entity_id: unit
        for key, unit in _UNITS.items()
        if (
            entity_id := registry.async_get_entity_id(
                SENSOR_DOMAIN, DOMAIN, unique_id(entry.entry_id, key)
            )
        )
    }
    recorded = await get_instance(hass).async_add_executor_job(
        partial(get_metadata, hass, statistic_ids={*units})
    )
    for entity_id, (_, metadata) in recorded.items():
        if metadata["unit_of_measurement"] != units[entity_id]:
            async_update_statistics_metadata(
                hass,
                entity_id,
                new_unit_class=None,
                new_unit_of_measurement=units[entity_id],
            )


@callback
def async_confirm_takeover(hass: HomeAssistant, entry: JouloConfigEntry) -> None:
    """Take note that the user knows what was taken over: by now it is written wherever it has to be."""
    data = {key: value for key, value in entry.data.items() if key != CONF_TAKEN_OVER}
    hass.config_entries.async_update_entry(entry, data=data)


async def async_check_folders(hass: HomeAssistant) -> None:
    """Tell the user of a second folder with this domain: which of the two Home Assistant loads is chance."""
    if await hass.async_add_executor_job(_has_other_folder, Path(hass.config.config_dir)):
        async_raise_two_folders(hass, _OTHER_FOLDER)
    else:
        async_clear_two_folders(hass)


def _has_other_folder(config: Path) -> bool:
    try:
        manifest = load_json_object(config / _OTHER_FOLDER / "manifest.json")
    except HomeAssistantError:
        return False
    return manifest.get("domain") == DOMAIN
