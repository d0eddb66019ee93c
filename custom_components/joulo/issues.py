"""Repair issues: what a user has to know and only a user can mend. They are raised and cleared by themselves."""

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, TypedDict, Unpack

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .const import DOMAIN

if TYPE_CHECKING:
    from .data import JouloConfigEntry

_REST_SENSORS = "rest_sensors"
_TWO_FOLDERS = "two_folders"
DER_CONNECT_AUTH = "der_connect_auth"
TAKEN_OVER = "taken_over"
UNKNOWN_TAG = "unknown_tag"
UNLISTED_SESSIONS = "unlisted_sessions"
_DER_CONNECT_ENTITY = "der_connect_entity"
_COSTS = "https://github.com/ha-joulo/ha-joulo/blob/main/docs/costs.md"
_FROM_YAML = "https://github.com/ha-joulo/ha-joulo/blob/main/docs/from-yaml.md"
_SWITCHING = "https://github.com/ha-joulo/ha-joulo/blob/main/docs/switching.md"


@callback
def async_raise_missing_scope(
    hass: HomeAssistant, entry: JouloConfigEntry, path: str, scope: str | None
) -> None:
    """Create the missing-permission issue of an endpoint, with the permission that the token lacks."""
    placeholders = {"account": entry.title, "path": path, "scope": scope or "?"}
    _raise(hass, _missing_scope(entry, path), ir.IssueSeverity.ERROR, "missing_scope", placeholders)


@callback
def async_clear_missing_scope(hass: HomeAssistant, entry: JouloConfigEntry, path: str) -> None:
    """Delete the missing-permission issue of an endpoint."""
    ir.async_delete_issue(hass, DOMAIN, _missing_scope(entry, path))


@callback
def async_raise_totals_mismatch(hass: HomeAssistant, entry: JouloConfigEntry, kwh: float) -> None:
    """Create the issue that the history and Joulo's totals differ by some kWh, also after a full read."""
    placeholders = {"account": entry.title, "kwh": f"{kwh:.2f}"}
    _raise(hass, _totals_mismatch(entry), ir.IssueSeverity.WARNING, "disagreement", placeholders)


@callback
def async_clear_totals_mismatch(hass: HomeAssistant, entry: JouloConfigEntry) -> None:
    """Delete the issue that the history and Joulo's totals differ."""
    ir.async_delete_issue(hass, DOMAIN, _totals_mismatch(entry))


@callback
def async_raise_unlisted_sessions(hass: HomeAssistant, entry: JouloConfigEntry, count: int) -> None:
    """Create the issue that Joulo does not list many sessions any more; its fix flow asks what becomes of them."""
    _raise(
        hass,
        _unlisted_sessions(entry),
        ir.IssueSeverity.WARNING,
        UNLISTED_SESSIONS,
        {"account": entry.title, "count": str(count)},
        fix={"entry_id": entry.entry_id},
    )


@callback
def async_clear_unlisted_sessions(hass: HomeAssistant, entry: JouloConfigEntry) -> None:
    """Delete the issue of the sessions that Joulo does not list any more."""
    ir.async_delete_issue(hass, DOMAIN, _unlisted_sessions(entry))


@callback
def async_raise_unwritable(hass: HomeAssistant, entry: JouloConfigEntry) -> None:
    """Create the issue that the disk does not take the history: events wait, and a restart would lose figures."""
    placeholders = {"account": entry.title}
    _raise(hass, _unwritable(entry), ir.IssueSeverity.ERROR, "unwritable", placeholders)


@callback
def async_clear_unwritable(hass: HomeAssistant, entry: JouloConfigEntry) -> None:
    """Delete the issue that the disk does not take the history."""
    ir.async_delete_issue(hass, DOMAIN, _unwritable(entry))


@callback
def async_raise_rest_sensors(hass: HomeAssistant, entity_ids: list[str]) -> None:
    """Create the issue that sensors of Joulo's own YAML are still there: one, however many accounts there are."""
    placeholders = {"sensors": _listed(entity_ids)}
    severity = ir.IssueSeverity.WARNING
    _raise(hass, _REST_SENSORS, severity, _REST_SENSORS, placeholders, guide=_FROM_YAML)


@callback
def async_clear_rest_sensors(hass: HomeAssistant) -> None:
    """Delete the issue of the YAML sensors, unless a user ignored it before a restart: the sensors may be late."""
    issue = ir.async_get(hass).async_get_issue(DOMAIN, _REST_SENSORS)
    if issue is not None and issue.active:
        ir.async_delete_issue(hass, DOMAIN, _REST_SENSORS)


@callback
def async_raise_taken_over(
    hass: HomeAssistant,
    entry: JouloConfigEntry,
    *,
    kept: Iterable[str],
    ended: Iterable[str],
    removed: Iterable[str],
) -> None:
    """Create the issue that an entry was another integration's; its fix flow has the user confirm that it was read."""
    _raise(
        hass,
        _taken_over(entry),
        ir.IssueSeverity.WARNING,
        TAKEN_OVER,
        {
            "account": entry.title,
            "kept": _listed(kept),
            "ended": _listed(ended),
            "removed": _listed(removed),
            "guide": _SWITCHING,
        },
        fix={"entry_id": entry.entry_id},
        guide=_SWITCHING,
    )


@callback
def async_raise_unknown_tag(
    hass: HomeAssistant, entry: JouloConfigEntry, tag_hash: str, **words: str
) -> None:
    """Create the issue of a tag that no vehicle has; its fix flow finds the tag by its hash."""
    _raise(
        hass,
        f"{_unknown_tag(entry)}_{tag_hash}",
        ir.IssueSeverity.WARNING,
        UNKNOWN_TAG,
        words,
        fix={"entry_id": entry.entry_id, "tag_hash": tag_hash},
    )


@callback
def async_keep_unknown_tags(
    hass: HomeAssistant,
    entry: JouloConfigEntry,
    asked_about: Collection[str],
    unknown: Collection[str],
) -> None:
    """Delete the issues of an account's tags but of those that are asked about.

    A notice that was ignored stays as long as its tag is unknown: a guest who comes again is known as one.
    """
    prefix = f"{_unknown_tag(entry)}_"
    for (domain, issue_id), issue in tuple(ir.async_get(hass).issues.items()):
        if domain != DOMAIN or not issue_id.startswith(prefix):
            continue
        tag_hash = issue_id.removeprefix(prefix)
        is_ignored = issue.dismissed_version is not None and tag_hash in unknown
        if tag_hash not in asked_about and not is_ignored:
            ir.async_delete_issue(hass, DOMAIN, issue_id)


@callback
def async_raise_price_missing(hass: HomeAssistant, entry: JouloConfigEntry, entity_id: str) -> None:
    """Create the issue that a price sensor is gone, or that no prices of it are found."""
    placeholders = {"account": entry.title, "sensor": f"`{entity_id}`"}
    severity = ir.IssueSeverity.WARNING
    _raise(hass, _price_missing(entry), severity, "price_missing", placeholders, guide=_COSTS)


@callback
def async_clear_price_missing(hass: HomeAssistant, entry: JouloConfigEntry) -> None:
    """Delete the issue of the price sensor."""
    ir.async_delete_issue(hass, DOMAIN, _price_missing(entry))


@callback
def async_raise_der_connect_auth(hass: HomeAssistant, entry: JouloConfigEntry) -> None:
    """Create the issue that DER Connect refuses the credentials; its fix flow asks for others."""
    _raise(
        hass,
        _der_connect_auth(entry),
        ir.IssueSeverity.ERROR,
        DER_CONNECT_AUTH,
        {"account": entry.title},
        fix={"entry_id": entry.entry_id},
    )


@callback
def async_clear_der_connect_auth(hass: HomeAssistant, entry: JouloConfigEntry) -> None:
    """Delete the issue of the credentials of DER Connect."""
    ir.async_delete_issue(hass, DOMAIN, _der_connect_auth(entry))


@callback
def async_raise_der_connect_entity(hass: HomeAssistant, vehicle_id: str, name: str) -> None:
    """Create the issue that DER Connect does not know a vehicle's car any more, or does not let it be read."""
    _raise(
        hass,
        _der_connect_entity(vehicle_id),
        ir.IssueSeverity.WARNING,
        _DER_CONNECT_ENTITY,
        {"vehicle": name},
    )


@callback
def async_clear_der_connect_entity(hass: HomeAssistant, vehicle_id: str) -> None:
    """Delete the issue of a vehicle's car at DER Connect."""
    ir.async_delete_issue(hass, DOMAIN, _der_connect_entity(vehicle_id))


@callback
def async_raise_two_folders(hass: HomeAssistant, folder: str) -> None:
    """Create the issue that another folder has an integration with this domain."""
    placeholders = {"folder": f"`{folder}`"}
    severity = ir.IssueSeverity.ERROR
    _raise(hass, _TWO_FOLDERS, severity, _TWO_FOLDERS, placeholders, guide=_SWITCHING)


@callback
def async_clear_two_folders(hass: HomeAssistant) -> None:
    """Delete the issue of the other folder."""
    ir.async_delete_issue(hass, DOMAIN, _TWO_FOLDERS)


@callback
def async_clear_issues(hass: HomeAssistant, entry: JouloConfigEntry) -> None:
    """Delete all issues of an account that is removed."""
    issues = ir.async_get(hass).issues
    owners = (entry.entry_id, *entry.subentries)
    for domain, issue_id in [key for key in issues if key[0] == DOMAIN]:
        if any(owner in issue_id for owner in owners):
            ir.async_delete_issue(hass, domain, issue_id)
    if not hass.config_entries.async_entries(DOMAIN):
        ir.async_delete_issue(hass, DOMAIN, _REST_SENSORS)


class _Ways(TypedDict, total=False):
    """Ways to mend an issue: what its fix flow is given, and the address of a page that tells more."""

    fix: dict[str, str | int | float | None]
    guide: str


def _raise(
    hass: HomeAssistant,
    issue_id: str,
    severity: ir.IssueSeverity,
    key: str,
    placeholders: dict[str, str],
    **ways: Unpack[_Ways],
) -> None:
    """Create an issue that is mended by its fix flow, if it has a way there, or else elsewhere than in the repairs."""
    ir.async_create_issue(
        hass,
        DOMAIN,
        issue_id,
        data=ways.get("fix"),
        is_fixable="fix" in ways,
        learn_more_url=ways.get("guide"),
        severity=severity,
        translation_key=key,
        translation_placeholders=placeholders,
    )


def _listed(entity_ids: Iterable[str]) -> str:
    return ", ".join(f"`{each}`" for each in sorted(entity_ids)) or "–"  # noqa: RUF001


def _missing_scope(entry: JouloConfigEntry, path: str) -> str:
    return f"missing_scope_{entry.entry_id}_{path}"


def _totals_mismatch(entry: JouloConfigEntry) -> str:
    return f"disagreement_{entry.entry_id}"


def _unlisted_sessions(entry: JouloConfigEntry) -> str:
    return f"{UNLISTED_SESSIONS}_{entry.entry_id}"


def _unwritable(entry: JouloConfigEntry) -> str:
    return f"unwritable_{entry.entry_id}"


def _price_missing(entry: JouloConfigEntry) -> str:
    return f"price_missing_{entry.entry_id}"


def _der_connect_auth(entry: JouloConfigEntry) -> str:
    return f"{DER_CONNECT_AUTH}_{entry.entry_id}"


def _der_connect_entity(vehicle_id: str) -> str:
    return f"{_DER_CONNECT_ENTITY}_{vehicle_id}"


def _taken_over(entry: JouloConfigEntry) -> str:
    return f"{TAKEN_OVER}_{entry.entry_id}"


def _unknown_tag(entry: JouloConfigEntry) -> str:
    return f"{UNKNOWN_TAG}_{entry.entry_id}"
