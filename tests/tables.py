"""Entities as a table that a person reads in a diff."""

from collections.abc import Iterable, Mapping
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
from pytest_homeassistant_custom_component.common import MockConfigEntry
from syrupy.assertion import SnapshotAssertion

from custom_components.joulo.const import DOMAIN

HEADINGS = (
    "entity id",
    "name",
    "key",
    "state",
    "unit",
    "class",
    "state class",
    "category",
    "decimals",
    "other attributes",
)
_COLUMNS_OF_THEIR_OWN = {
    "device_class",
    "friendly_name",
    "icon",
    "state_class",
    "unit_of_measurement",
}


def table_of(hass: HomeAssistant, registry: er.EntityRegistry, entry: MockConfigEntry) -> str:
    """Return a line for each entity of an entry, by entity id; an absent value is a dash."""
    entities = er.async_entries_for_config_entry(registry, entry.entry_id)
    rows = [_row(hass, entity) for entity in sorted(entities, key=lambda entity: entity.entity_id)]
    widths = [max(map(len, column)) for column in zip(HEADINGS, *rows, strict=True)]
    return "\n".join(_line(row, widths) for row in (HEADINGS, *rows))


def assert_one_in_full(
    hass: HomeAssistant, registry: er.EntityRegistry, entity_id: str, snapshot: SnapshotAssertion
) -> None:
    """Compare everything that is registered of one entity, and its state, with the snapshot."""
    assert registry.async_get(entity_id) == snapshot(name=f"{entity_id}-entry")
    assert hass.states.get(entity_id) == snapshot(name=f"{entity_id}-state")


def _row(hass: HomeAssistant, entity: er.RegistryEntry) -> tuple[str, ...]:
    state = hass.states.get(entity.entity_id)
    assert state is not None, entity.entity_id
    assert entity.translation_key is not None
    assert entity.device_id is not None
    device = dr.async_get(hass).async_get(entity.device_id)
    assert device is not None
    device_key = entity.unique_id.removesuffix(f"_{entity.translation_key}")
    assert device.identifiers == {(DOMAIN, device_key)}
    attributes: dict[str, Any] = dict(state.attributes)
    assert attributes.get("unit_of_measurement") == entity.unit_of_measurement
    assert attributes.get("device_class") == (entity.device_class or entity.original_device_class)
    options: Mapping[str, Any] = entity.options.get(entity.domain, {})
    others = (
        f"{name}={value!s}"
        for name, value in sorted(attributes.items())
        if name not in _COLUMNS_OF_THEIR_OWN
    )
    cells = (
        entity.entity_id,
        state.name,
        entity.translation_key,
        state.state,
        entity.unit_of_measurement,
        attributes.get("device_class"),
        attributes.get("state_class"),
        entity.entity_category,
        options.get("suggested_display_precision"),
        ", ".join(others),
    )
    return tuple("-" if cell is None or cell == "" else str(cell) for cell in cells)


def _line(row: Iterable[str], widths: Iterable[int]) -> str:
    return " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
