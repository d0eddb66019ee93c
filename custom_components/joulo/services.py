"""Actions: what charging sessions came to, and how a new charger is registered."""

from datetime import date, datetime, timedelta
from typing import Any, Final

from homeassistant.const import ATTR_CONFIG_ENTRY_ID, ATTR_DEVICE_ID
from homeassistant.core import (
    HomeAssistant,
    ServiceCall,
    ServiceResponse,
    SupportsResponse,
    callback,
)
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import config_validation as cv, device_registry as dr, service
from homeassistant.helpers.selector import ConfigEntrySelector, DeviceSelector
from homeassistant.helpers.translation import async_load_integrations
from homeassistant.util import dt as dt_util
import probatio

from .const import DOMAIN
from .coordinator import JouloConfigEntry
from .devices import charger_ids
from .helpers import async_send_command
from .localizer import async_localizer
from .statement import Row, as_csv, row, totals

ATTR_END: Final = "end"
ATTR_FORMAT: Final = "format"
ATTR_NICKNAME: Final = "nickname"
ATTR_OCPP_IDENTITY: Final = "ocpp_identity"
ATTR_PRICE_PER_KWH: Final = "price_per_kwh"
ATTR_START: Final = "start"
ATTR_TAG_ID: Final = "tag_id"

FORMAT_CSV: Final = "csv"
FORMAT_JSON: Final = "json"

SERVICE_GET_SESSIONS: Final = "get_sessions"
SERVICE_REGISTER_CHARGER: Final = "register_charger"

DEAREST_KWH: Final = 10
"""EUR; who asks for more has entered cents."""

_DAY = timedelta(days=1)

_ACCOUNT = {probatio.Optional(ATTR_CONFIG_ENTRY_ID): ConfigEntrySelector({"integration": DOMAIN})}
_DAY_OR_MOMENT = probatio.Any(cv.date, cv.datetime)

GET_SESSIONS: Final = probatio.Schema(
    _ACCOUNT
    | {
        probatio.Optional(ATTR_DEVICE_ID): DeviceSelector(),
        probatio.Optional(ATTR_START): _DAY_OR_MOMENT,
        probatio.Optional(ATTR_END): _DAY_OR_MOMENT,
        probatio.Optional(ATTR_TAG_ID): cv.string,
        probatio.Optional(ATTR_PRICE_PER_KWH): probatio.All(
            probatio.Coerce(float), probatio.Range(min=0, max=DEAREST_KWH)
        ),
        probatio.Optional(ATTR_FORMAT, default=FORMAT_JSON): probatio.In([FORMAT_JSON, FORMAT_CSV]),
    }
)

REGISTER_CHARGER: Final = probatio.Schema(
    _ACCOUNT
    | {
        probatio.Required(ATTR_NICKNAME): cv.string,
        probatio.Optional(ATTR_OCPP_IDENTITY): cv.string,
    }
)


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions."""
    for name, action, schema in (
        (SERVICE_GET_SESSIONS, _async_get_sessions, GET_SESSIONS),
        (SERVICE_REGISTER_CHARGER, _async_register_charger, REGISTER_CHARGER),
    ):
        hass.services.async_register(
            DOMAIN, name, action, schema=schema, supports_response=SupportsResponse.ONLY
        )


async def _async_get_sessions(call: ServiceCall) -> ServiceResponse:
    """Answer with completed sessions and their totals, from what is known: no request is sent."""
    rows = _rows(call)
    answer: dict[str, Any] = {"sessions": rows, "totals": totals(rows)}
    if call.data[ATTR_FORMAT] == FORMAT_CSV:
        await async_load_integrations(call.hass, {DOMAIN})
        answer["csv"] = as_csv(rows, answer["totals"], async_localizer(call.hass))
    return answer


async def _async_register_charger(call: ServiceCall) -> ServiceResponse:
    """Answer as Joulo does (developer docs, Chargers), with the password that it tells this once."""
    entry: JouloConfigEntry = service.async_get_config_entry(
        call.hass, DOMAIN, call.data.get(ATTR_CONFIG_ENTRY_ID)
    )
    chargers = entry.runtime_data.chargers
    order = chargers.client.register_charger(
        call.data[ATTR_NICKNAME], call.data.get(ATTR_OCPP_IDENTITY)
    )
    answer = (await async_send_command(call.hass, entry, order)).to_dict()
    chargers.async_refresh_soon()
    return {key: answer[key] for key in ("id", "nickname", "connection_type", "status", "ocpp")}


def _rows(call: ServiceCall) -> list[Row]:
    """Return what is asked for, oldest first."""
    entry, chargers = _asked_about(call)
    start, end = _period(call)
    tag = call.data.get(ATTR_TAG_ID)
    history = entry.runtime_data.chargers.history
    names = _charger_names(call.hass, entry)
    sessions = (
        session
        for charger_id in chargers or history.charger_ids()
        for session in history.completed(charger_id)
        if (start is None or start <= session.started_at)
        and (end is None or session.started_at < end)
        and (tag is None or session.id_tag == tag)
    )
    return [
        row(
            session,
            history.values.get(session.id),
            charger_name=names.get(session.charger_id) or session.charger_nickname,
            price_per_kwh=call.data.get(ATTR_PRICE_PER_KWH),
        )
        for session in sorted(sessions, key=lambda session: (session.started_at, session.id))
    ]


def _asked_about(call: ServiceCall) -> tuple[JouloConfigEntry, set[str]]:
    """Return the account, and the id of the charger that is named; none means all."""
    entry: JouloConfigEntry
    entry_id = call.data.get(ATTR_CONFIG_ENTRY_ID)
    if (device_id := call.data.get(ATTR_DEVICE_ID)) is None:
        return service.async_get_config_entry(call.hass, DOMAIN, entry_id), set()
    device, entry = service.async_get_device_and_config_entry(call.hass, DOMAIN, device_id)
    chargers = charger_ids(dr.async_get(call.hass), entry)
    named = chargers & {identifier for _, identifier in device.identifiers}
    if not named or entry_id not in (None, entry.entry_id):
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="not_a_charger",
            translation_placeholders={"device": device.name_by_user or device.name or device_id},
        )
    return entry, named


def _period(call: ServiceCall) -> tuple[datetime | None, datetime | None]:
    """Return from when and until when; a day that is the end is part of it."""
    start, end = call.data.get(ATTR_START), call.data.get(ATTR_END)
    begin = _moment(start) if start else None
    finish = _moment(end, following=True) if end else None
    if begin and finish and begin >= finish:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="empty_period")
    return begin, finish


def _moment(when: date, *, following: bool = False) -> datetime:
    """Return when a local day begins, or the following one; a moment is local where it has no zone."""
    if isinstance(when, datetime):
        return when if when.tzinfo else when.replace(tzinfo=dt_util.get_default_time_zone())
    # The calendar ends with 9999-12-31, which some write for "forever".
    return dt_util.start_of_local_day(min(when, date.max - _DAY) + _DAY if following else when)


def _charger_names(hass: HomeAssistant, entry: JouloConfigEntry) -> dict[str, str | None]:
    """Return what the chargers are called here, by id."""
    return {
        identifier: device.name_by_user or device.name
        for device in dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
        for _, identifier in device.identifiers
    }
