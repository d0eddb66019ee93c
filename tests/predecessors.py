"""Entries of the other Joulo integrations, with the devices and entities that their own code leaves behind."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.joulo.const import DOMAIN
from tests.simulator import DEMO_TOKEN, GARAGE_ID, OPRIT_ID

ENTRY_ID = "01THEIRS"


@dataclass(frozen=True, kw_only=True)
class Predecessor:
    """One of the others: its data and options, and of each entity the unique id, the id, and ours in its place.

    `{entry}` stands for the entry's id, `{charger}` for a charger's; such an entity is there for each charger.
    """

    data: dict[str, str]
    options: dict[str, float] = field(default_factory=dict)
    unique_id: str | None = None
    title: str = "Joulo"
    has_chargers: bool = False
    """Whether chargers have a device of their own."""
    kept: Mapping[str, str]
    """Our unique id by theirs: with the platform in front, `sensor.`."""
    gone: tuple[str, ...]
    """Unique ids without a counterpart."""


CRRYP = Predecessor(
    data={"api_token": DEMO_TOKEN},
    options={"chargers_scan_interval": 30.0, "sessions_scan_interval": 600.0},
    unique_id=sha256(DEMO_TOKEN.encode()).hexdigest()[:16],
    has_chargers=True,
    kept={
        "sensor.{charger}_status": "{charger}_status",
        "sensor.{charger}_active_tag_id": "{charger}_active_tag_id",
        "sensor.{charger}_session_energy": "{charger}_session_energy",
        "sensor.{charger}_meter_reading": "{charger}_meter_reading",
        "binary_sensor.{charger}_is_charging": "{charger}_charging",
        "sensor.{entry}_total_energy": "{entry}_total_energy",
        "sensor.{entry}_total_ere_credits": "{entry}_total_ere",
        "sensor.{entry}_total_sessions": "{entry}_total_sessions",
        "sensor.{entry}_ere_paid": "{entry}_paid_out",
        "sensor.{entry}_ere_payable": "{entry}_payable",
        "sensor.{entry}_ere_reserved": "{entry}_reserved",
        "sensor.{entry}_ere_total_expected": "{entry}_expected_this_year",
        "sensor.{entry}_ere_fee_pct": "{entry}_platform_fee",
    },
    gone=("sensor.{entry}_ere_unsold_ytd_ere", "sensor.{entry}_ere_indicative_price"),
)
ONSMAM = Predecessor(
    data={"api_token": DEMO_TOKEN, "widget_token": "widget"},
    unique_id=DEMO_TOKEN[:8],
    title="Joulo account",
    kept={
        "sensor.{entry}_total_kwh": "{entry}_total_energy",
        "sensor.{entry}_total_ere_credits": "{entry}_total_ere",
        "sensor.{entry}_total_sessions": "{entry}_total_sessions",
        "sensor.{entry}_ere_paid_eur": "{entry}_paid_out",
        "sensor.{entry}_ere_payable_eur": "{entry}_payable",
        "sensor.{entry}_ere_reserved_eur": "{entry}_reserved",
        "sensor.{entry}_ere_total_expected_eur": "{entry}_expected_this_year",
        "sensor.{entry}_ere_effective_fee_pct": "{entry}_platform_fee",
        "sensor.{entry}_ere_price_mid": "{entry}_ere_price",
    },
    gone=(
        "sensor.{entry}_ere_unsold_credits",
        "sensor.{entry}_indicative_price",
        "sensor.{entry}_last_session_kwh",
        "sensor.{entry}_last_session_ere",
    ),
)
BORONZ = Predecessor(
    data={"api_key": f"Bearer {DEMO_TOKEN}"},
    title="Youlo",
    kept={
        "sensor.joulo_energy_total_mid_kwh": "{entry}_total_energy",
        "sensor.joulo_energy_total_all_kwh": "{entry}_total_energy_all",
        "sensor.joulo_energy_total_ere": "{entry}_total_ere",
        "sensor.joulo_ere_paid_eur": "{entry}_paid_out",
        "sensor.joulo_ere_expected_eur": "{entry}_expected_this_year",
        "sensor.joulo_ere_unsold_credits": "{entry}_unsold_ere",
    },
    gone=("sensor.joulo_ere_payable_eur", "sensor.joulo_chargers_total"),
)
CHARGERS = {GARAGE_ID: "Garage", OPRIT_ID: "Oprit"}


def entity_id_of(unique_id: str, language: str = "en") -> str:
    """Return the entity id that one of theirs has, without its platform: from its name, in one language or another."""
    word = {"en": "own", "nl": "eigen"}[language]
    for charger_id, name in CHARGERS.items():
        unique_id = unique_id.replace(charger_id, name.lower())
    return f"{word}_{unique_id.replace(ENTRY_ID, 'joulo')}".lower()


def filled(template: str, entry_id: str = ENTRY_ID) -> list[str]:
    """Return the unique ids that a template stands for."""
    template = template.replace("{entry}", entry_id)
    if "{charger}" not in template:
        return [template]
    return [template.replace("{charger}", charger_id) for charger_id in CHARGERS]


def kept_by(predecessor: Predecessor, entry_id: str = ENTRY_ID) -> dict[str, str]:
    """Return our unique id by theirs, for every entity that goes on; both with the platform in front."""
    return {
        old: f"{old.split('.')[0]}.{new}"
        for theirs, ours in predecessor.kept.items()
        for old, new in zip(filled(theirs, entry_id), filled(ours, entry_id), strict=True)
    }


def add_entry(
    hass: HomeAssistant, predecessor: Predecessor, entry_id: str = ENTRY_ID, **changes: Any
) -> MockConfigEntry:
    """Add an entry as the other integration has left it."""
    entry = MockConfigEntry(
        domain=DOMAIN,
        entry_id=entry_id,
        version=1,
        minor_version=1,
        **{
            "title": predecessor.title,
            "data": predecessor.data,
            "options": predecessor.options,
            "unique_id": predecessor.unique_id,
        }
        | changes,
    )
    entry.add_to_hass(hass)
    return entry


def add_entities(
    hass: HomeAssistant, entry: MockConfigEntry, predecessor: Predecessor, language: str = "en"
) -> None:
    """Add the devices and entities of the other integration to an entry."""
    devices, entities = dr.async_get(hass), er.async_get(hass)
    account = devices.async_get_or_create(
        config_entry_id=entry.entry_id, identifiers={(DOMAIN, entry.entry_id)}, name="Joulo"
    )
    chargers = {
        charger_id: devices.async_get_or_create(
            config_entry_id=entry.entry_id, identifiers={(DOMAIN, charger_id)}, name=name
        )
        for charger_id, name in CHARGERS.items()
        if predecessor.has_chargers
    }
    for template in (*predecessor.kept, *predecessor.gone):
        for full_id in filled(template, entry.entry_id):
            platform, unique_id = full_id.split(".")
            owners = [each for charger_id, each in chargers.items() if charger_id in unique_id]
            is_meter = unique_id.endswith("_meter_reading")
            entities.async_get_or_create(
                platform,
                DOMAIN,
                unique_id,
                config_entry=entry,
                device_id=(owners or [account])[0].id,
                suggested_object_id=entity_id_of(unique_id, language),
                disabled_by=er.RegistryEntryDisabler.INTEGRATION if is_meter else None,
            )
