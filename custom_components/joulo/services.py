"""Actions: what charging sessions came to, and how a new charger is registered."""

from dataclasses import dataclass
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

from .api import ChargingSession
from .const import DEAREST_KWH, DOMAIN
from .data import JouloConfigEntry
from .devices import charger_ids, charger_names
from .helpers import async_send_command
from .localizer import Localizer, async_localizer
from .sessions import queries, transitions
from .sessions.model import HistoryState
from .sessions.vehicles import NOBODY, Vehicle, attribute, comparable
from .statement import Row, as_csv, row, totals

ATTR_END: Final = "end"
ATTR_FORMAT: Final = "format"
ATTR_NICKNAME: Final = "nickname"
ATTR_OCPP_IDENTITY: Final = "ocpp_identity"
ATTR_PRICE_PER_KWH: Final = "price_per_kwh"
ATTR_SESSION_ID: Final = "session_id"
ATTR_START: Final = "start"
ATTR_TAG_ID: Final = "tag_id"
ATTR_VEHICLE: Final = "vehicle"

FORMAT_CSV: Final = "csv"
FORMAT_JSON: Final = "json"

SERVICE_ASSIGN_SESSION: Final = "assign_session"
SERVICE_GET_SESSIONS: Final = "get_sessions"
SERVICE_REGISTER_CHARGER: Final = "register_charger"

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
        probatio.Optional(ATTR_SESSION_ID): probatio.All(cv.ensure_list, [cv.string]),
        probatio.Optional(ATTR_PRICE_PER_KWH): probatio.All(
            probatio.Coerce(float), probatio.Range(min=0, max=DEAREST_KWH)
        ),
        probatio.Optional(ATTR_FORMAT, default=FORMAT_JSON): probatio.In([FORMAT_JSON, FORMAT_CSV]),
    }
)

ASSIGN_SESSION: Final = probatio.Schema(
    _ACCOUNT
    | {
        probatio.Optional(ATTR_SESSION_ID): cv.string,
        probatio.Optional(ATTR_DEVICE_ID): DeviceSelector(),
        probatio.Optional(ATTR_VEHICLE): DeviceSelector(),
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
    hass.services.async_register(
        DOMAIN,
        SERVICE_GET_SESSIONS,
        _async_get_sessions,
        schema=GET_SESSIONS,
        supports_response=SupportsResponse.ONLY,
    )
    hass.services.async_register(
        DOMAIN,
        SERVICE_ASSIGN_SESSION,
        _async_assign_session,
        schema=ASSIGN_SESSION,
        supports_response=SupportsResponse.OPTIONAL,
    )
    # The response holds a password that lets a charger join the account.
    service.async_register_admin_service(
        hass,
        DOMAIN,
        SERVICE_REGISTER_CHARGER,
        _async_register_charger,
        schema=REGISTER_CHARGER,
        supports_response=SupportsResponse.ONLY,
    )


async def _async_get_sessions(call: ServiceCall) -> ServiceResponse:
    """Answer with completed sessions and their totals, from the history: no request is sent."""
    await async_load_integrations(call.hass, {DOMAIN})
    entry, chargers, vehicle_id = _account_and_target(call)
    start, end = _period(call)
    state = entry.runtime_data.history.state
    if not queries.has_read_since(state, start):
        raise _incomplete(queries.coverage(state))
    selection = _Selection(
        history=state,
        charger_ids=chargers,
        vehicle_id=vehicle_id,
        start=start,
        end=end,
        tag_id=call.data.get(ATTR_TAG_ID),
        session_ids=_session_ids(call),
        price_per_kwh=call.data.get(ATTR_PRICE_PER_KWH),
        charger_names=charger_names(dr.async_get(call.hass), entry),
        now=dt_util.utcnow(),
    )
    localizer = async_localizer(call.hass)
    is_csv = call.data[ATTR_FORMAT] == FORMAT_CSV
    return await call.hass.async_add_executor_job(_statement, selection, localizer, is_csv)


async def _async_assign_session(call: ServiceCall) -> ServiceResponse:
    """Take note whose session it is, by hand; without a vehicle it is nobody's. Answers the session and its vehicle."""
    session_id, device_id = call.data.get(ATTR_SESSION_ID), call.data.get(ATTR_DEVICE_ID)
    if (session_id is None) is (device_id is None):
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="one_of_both")
    entry, session = _session_of_charger(call) if device_id else _session_by_id(call)
    vehicle = _named_vehicle(call, entry)
    history = entry.runtime_data.history
    history.async_update(transitions.assign_vehicle, session.id, vehicle.id if vehicle else NOBODY)
    # Nobody can tell it again.
    await history.async_save()
    return {"session_id": session.id, "vehicle": vehicle.name if vehicle else None}


def _session_by_id(call: ServiceCall) -> tuple[JouloConfigEntry, ChargingSession]:
    entry: JouloConfigEntry = service.async_get_config_entry(
        call.hass, DOMAIN, call.data.get(ATTR_CONFIG_ENTRY_ID)
    )
    session = queries.find_session(entry.runtime_data.history.state, call.data[ATTR_SESSION_ID])
    if session is None:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="unknown_session")
    return entry, session


def _session_of_charger(call: ServiceCall) -> tuple[JouloConfigEntry, ChargingSession]:
    """Return the running session of the charger that is named, or else its last one."""
    entry, chargers, vehicle_id = _account_and_target(call)
    if vehicle_id is not None:
        raise _not_a_charger(call)
    (charger_id,) = chargers
    session = queries.newest(entry.runtime_data.history.state, charger_id, dt_util.utcnow())
    if session is None:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="no_session")
    return entry, session


def _named_vehicle(call: ServiceCall, entry: JouloConfigEntry) -> Vehicle | None:
    if (device_id := call.data.get(ATTR_VEHICLE)) is None:
        return None
    device = dr.async_get(call.hass).async_get(device_id)
    fleet = entry.runtime_data.history.state.fleet
    vehicle = fleet.find(device.config_subentry_id) if device else None
    if vehicle is None:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="not_a_vehicle")
    return vehicle


async def _async_register_charger(call: ServiceCall) -> ServiceResponse:
    """Answer as Joulo does (developer docs, Chargers), with the password that it tells this once."""
    entry: JouloConfigEntry = service.async_get_config_entry(
        call.hass, DOMAIN, call.data.get(ATTR_CONFIG_ENTRY_ID)
    )
    chargers = entry.runtime_data.chargers
    order = chargers.client.register_charger(
        call.data[ATTR_NICKNAME], call.data.get(ATTR_OCPP_IDENTITY)
    )
    answer = (await async_send_command(order)).to_dict()
    chargers.async_refresh_soon()
    return {key: answer[key] for key in ("id", "nickname", "connection_type", "status", "ocpp")}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Selection:
    """Sessions that a statement is asked for, and what its rows add to them."""

    history: HistoryState
    charger_ids: set[str]
    """Empty for all chargers."""
    vehicle_id: str | None
    """None for all vehicles, and for nobody's sessions too."""
    start: datetime | None
    end: datetime | None
    tag_id: str | None
    session_ids: frozenset[str] | None
    """None for all sessions."""
    price_per_kwh: float | None
    charger_names: dict[str, str]
    now: datetime

    def rows(self) -> list[Row]:
        """Return a row for every session, oldest first."""
        sessions = (
            session
            for charger_id in self.charger_ids or queries.charger_ids(self.history)
            for session in queries.completed(self.history, charger_id)
            if self._includes(session)
        )
        return [
            row(
                session,
                queries.attributes_of(self.history, session, self.now),
                charger_name=self.charger_names.get(session.charger_id) or session.charger_nickname,
                price_per_kwh=self.price_per_kwh,
            )
            for session in sorted(sessions, key=lambda session: (session.started_at, session.id))
        ]

    def _includes(self, session: ChargingSession) -> bool:
        return (
            (self.start is None or self.start <= session.started_at)
            and (self.end is None or session.started_at < self.end)
            and (self.tag_id is None or self._has_tag(session))
            and (self.session_ids is None or session.id in self.session_ids)
            and (self.vehicle_id is None or self._vehicle_of(session) == self.vehicle_id)
        )

    def _has_tag(self, session: ChargingSession) -> bool:
        tag = comparable(self.tag_id or "")
        return bool(tag) and comparable(session.id_tag or "") == tag

    def _vehicle_of(self, session: ChargingSession) -> str | None:
        return attribute(session, self.history.fleet).vehicle_id


def _session_ids(call: ServiceCall) -> frozenset[str] | None:
    """Return the sessions that are asked for by their ids; none of them for an empty list, None for all."""
    return frozenset(call.data[ATTR_SESSION_ID]) if ATTR_SESSION_ID in call.data else None


def _statement(selection: _Selection, localizer: Localizer, is_csv: bool) -> dict[str, Any]:  # noqa: FBT001
    """Return the response. It takes long for a long history: for a thread."""
    rows = selection.rows()
    response: dict[str, Any] = {"sessions": rows, "totals": totals(rows)}
    if is_csv:
        response["csv"] = as_csv(rows, response["totals"], localizer)
    return response


def _incomplete(coverage: queries.Coverage) -> ServiceValidationError:
    """Return the error that says how far the first read of all sessions is: a part would look like the whole."""
    oldest = coverage.oldest
    return ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key="history_incomplete",
        translation_placeholders={
            "sessions": str(coverage.sessions),
            "oldest": dt_util.as_local(oldest).date().isoformat() if oldest else "?",
        },
    )


def _account_and_target(call: ServiceCall) -> tuple[JouloConfigEntry, set[str], str | None]:
    """Return the account, and the id of the charger or the vehicle that is named; none means all."""
    entry: JouloConfigEntry
    entry_id = call.data.get(ATTR_CONFIG_ENTRY_ID)
    if (device_id := call.data.get(ATTR_DEVICE_ID)) is None:
        return service.async_get_config_entry(call.hass, DOMAIN, entry_id), set(), None
    device, entry = service.async_get_device_and_config_entry(call.hass, DOMAIN, device_id)
    chargers = charger_ids(dr.async_get(call.hass), entry)
    named = chargers & {identifier for _, identifier in device.identifiers}
    vehicle_id = device.config_subentry_id
    if not (named or vehicle_id) or entry_id not in (None, entry.entry_id):
        raise _not_a_charger(call)
    return entry, named, vehicle_id


def _not_a_charger(call: ServiceCall) -> ServiceValidationError:
    device_id = call.data[ATTR_DEVICE_ID]
    device = dr.async_get(call.hass).async_get(device_id)
    name = (device.name_by_user or device.name) if device else None
    return ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key="not_a_charger",
        translation_placeholders={"device": name or device_id},
    )


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
