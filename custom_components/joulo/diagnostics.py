"""Diagnostics of an account and of a charger, without what identifies or opens anything."""

from dataclasses import asdict
from typing import Any

from homeassistant.components.diagnostics import REDACTED, async_redact_data
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import (
    CONF_CLIENT_ID,
    CONF_CLIENT_SECRET,
    CONF_ENTITY_ID,
    CONF_TOKEN,
    CONF_URL,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers.device_registry import DeviceEntry

from .api import Endpoint, UnknownValue
from .const import CONF_TAKEN_OVER, CONF_TOKEN_URL, DOMAIN
from .coordinator import AccountState, ChargerState, JouloCoordinator
from .data import JouloConfigEntry, JouloData
from .sessions import queries
from .vehicles import CONF_CHARGERS, CONF_TAGS

_PRIVATE = {
    CONF_TAKEN_OVER,
    CONF_CHARGERS,
    CONF_CLIENT_ID,
    CONF_CLIENT_SECRET,
    CONF_ENTITY_ID,
    CONF_TAGS,
    CONF_TOKEN,
    CONF_TOKEN_URL,
    CONF_URL,
    # Tokens in the entries of other integrations that were not taken over yet.
    "api_key",
    "api_token",
    "widget_token",
    "id",
    "charger_id",
    "charger_nickname",
    "id_tag",
    "label",
    "nickname",
    "slug",
    "vehicle",
}


async def async_get_config_entry_diagnostics(
    _hass: HomeAssistant, entry: JouloConfigEntry
) -> dict[str, Any]:
    """Return what the integration knows, and when it may ask again; of an entry that is not set up, why."""
    diagnostics: dict[str, Any] = {
        "entry": {
            "data": async_redact_data(entry.data, _PRIVATE),
            "options": dict(entry.options),
            "subentries": [
                {
                    "type": each.subentry_type,
                    "data": async_redact_data(dict(each.data), _PRIVATE),
                }
                for each in entry.subentries.values()
            ],
            "has_account_id": entry.unique_id is not None,
            "state": entry.state.value,
            "reason": entry.reason,
        }
    }
    if entry.state is not ConfigEntryState.LOADED:
        return diagnostics
    data = entry.runtime_data
    client = data.chargers.client
    costs = queries.account_costs(data.history.state, None)
    return diagnostics | {
        "rate_limiter": {
            "token_rejected": client.rate_limiter.token_rejected,
            "retry_in": {
                endpoint.name.lower(): round(client.rate_limiter.retry_in(endpoint))
                for endpoint in Endpoint
            },
        },
        "coordinators": {
            coordinator.name: _coordinator(coordinator)
            for coordinator in (data.chargers, data.sessions, data.account)
        },
        "chargers": [_charger(state) for state in data.chargers.data.values()],
        "history": {
            "sessions": queries.coverage(data.history.state).sessions,
            "last_read": data.history.state.last_read,
            "unpriced_sessions": costs.unpriced if costs else None,
        },
        "vehicles": {
            "vehicles": len(data.history.state.fleet.vehicles),
            "sessions_by_rule": queries.sessions_by_rule(data.history.state),
        },
        "der_connect": _der_connect(data),
        "account": [_account(state) for state in data.account.data.values()],
    }


async def async_get_device_diagnostics(
    _hass: HomeAssistant, entry: JouloConfigEntry, device: DeviceEntry
) -> dict[str, Any]:
    """Return what is known of a charger; of the account's own device, nothing beyond the entry's."""
    if entry.state is not ConfigEntryState.LOADED:
        return {"chargers": []}
    data = entry.runtime_data
    return {
        "chargers": [
            _charger(state) | {"last_session": _redacted(asdict(data.sessions.data[charger_id]))}
            for charger_id, state in data.chargers.data.items()
            if (DOMAIN, charger_id) in device.identifiers
        ],
    }


def _charger(state: ChargerState) -> dict[str, Any]:
    return _redacted(asdict(state))


def _redacted(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document without what identifies a person, and without words that may be anything."""
    return async_redact_data(_without_unlisted(document), _PRIVATE)


def _without_unlisted(document: dict[str, Any]) -> dict[str, Any]:
    words = {key: REDACTED for key, value in document.items() if isinstance(value, UnknownValue)}
    parts = {
        key: _without_unlisted(value) for key, value in document.items() if isinstance(value, dict)
    }
    return document | words | parts


def _account(state: AccountState) -> dict[str, Any]:
    return {
        "day": state.day.isoformat(),
        "energy": state.energy.to_dict(),
        "me": async_redact_data(state.profile.to_dict(), _PRIVATE) if state.profile else None,
        "position": state.position.to_dict() if state.position else None,
        "failed": sorted(endpoint.path for endpoint in state.failed),
    }


def _der_connect(data: JouloData) -> dict[str, Any]:
    """Return how the reading of the cars goes, and what came of it: how many sessions, and how many were elsewhere."""
    records, state = data.der_connect.records, data.history.state
    return {
        "is_refused": records.is_refused,
        "next_read": records.next_read,
        "not_before": records.not_before,
        "cars": [
            {
                "last_read": car.last_read,
                "is_due": car.is_due,
                "is_closed": car.is_closed,
                "sessions": len(car.sessions),
                "elsewhere": len(queries.charged_elsewhere(state, car.vehicle_id) or ()),
                "last_session": _redacted(asdict(car.sessions[-1])) if car.sessions else None,
            }
            for car in records.cars.values()
        ],
    }


def _coordinator(coordinator: JouloCoordinator[Any]) -> dict[str, Any]:
    return {
        "last_update_success": coordinator.last_update_success,
        "last_error": str(coordinator.last_exception) if coordinator.last_exception else None,
        "update_interval": str(coordinator.update_interval),
    }
