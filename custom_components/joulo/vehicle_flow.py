"""Adds and changes the vehicles of an account: subentries, in the user interface."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
import logging
from typing import TYPE_CHECKING, Any, Final

from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    ConfigEntryState,
    ConfigSubentry,
    ConfigSubentryFlow,
    SubentryFlowResult,
)
from homeassistant.const import CONF_ENTITY_ID, CONF_NAME, UnitOfEnergy
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.selector import (
    BooleanSelector,
    DateSelector,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
)
from homeassistant.util import dt as dt_util
import probatio

from .api import JouloError, JouloNotFoundError, JouloScopeError
from .clients import async_der_connect_client, clean_pasted, der_connect_credentials
from .der_connect import DerConnectClient, DerConnectRefusedError
from .der_connect_flow import Problem, problem_of
from .devices import charger_ids, charger_names
from .localizer import async_localizer
from .price import day_of
from .sessions import queries
from .sessions.vehicles import comparable, tag_ends
from .vehicles import (
    CONF_CHARGERS,
    CONF_SINCE,
    CONF_TAGS,
    LONGEST_NAME,
    since_of,
    vehicle_subentries,
)

if TYPE_CHECKING:
    from .data import JouloConfigEntry


_LOGGER = logging.getLogger(__name__)

CONF_CAPTURE: Final = "capture"
CONF_BATTERY_CAPACITY: Final = "battery_capacity"
_FIELDS = {
    CONF_BATTERY_CAPACITY: CONF_BATTERY_CAPACITY,
    "battery_capacity_elsewhere": CONF_BATTERY_CAPACITY,
    "entity_taken": CONF_ENTITY_ID,
    "no_access": CONF_ENTITY_ID,
    "not_supported": CONF_CAPTURE,
    "unknown_entity": CONF_ENTITY_ID,
}
"""Fields that errors stand at; the others concern all of it."""
_CAPACITY = NumberSelector(
    NumberSelectorConfig(
        min=5,
        max=250,
        step="any",
        mode=NumberSelectorMode.BOX,
        unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
    )
)
_TRIAL = timedelta(days=1)


class VehicleFlow(ConfigSubentryFlow):
    """Handle what a user enters about a vehicle."""

    _name: str
    _data: dict[str, Any]

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask about a new vehicle."""
        return await self._async_ask("user", user_input, None)

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Ask what has changed about a vehicle."""
        return await self._async_ask("reconfigure", user_input, self._get_reconfigure_subentry())

    async def _async_ask(
        self, step_id: str, user_input: dict[str, Any] | None, vehicle: ConfigSubentry | None
    ) -> SubentryFlowResult:
        """Show the form until it fits the other vehicles, then add the vehicle or change it."""
        entry: JouloConfigEntry = self._get_entry()
        if entry.state is not ConfigEntryState.LOADED:
            # The tags to choose from come from the history.
            return self.async_abort(reason="entry_not_loaded")
        errors: dict[str, str] = {}
        placeholders: dict[str, str] = {}
        if user_input is not None:
            name, data = user_input[CONF_NAME].strip(), _data_of(user_input)
            errors, placeholders = _conflicts(entry, vehicle, name, data)
            if not errors:
                self._name, self._data = name, data
                if der_connect_credentials(entry) is not None:
                    return await self.async_step_der_connect()
                return self._finish(vehicle.data.get(CONF_ENTITY_ID) if vehicle else None)
        known = {CONF_NAME: vehicle.title, **vehicle.data} if vehicle else {}
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(
                self._form(entry, vehicle), user_input or known
            ),
            errors=errors,
            description_placeholders=placeholders,
        )

    def _finish(self, entity_id: str | None) -> SubentryFlowResult:
        """Add the vehicle, or change it; its id at DER Connect is kept also while that is not set up."""
        data = self._data | ({CONF_ENTITY_ID: entity_id} if entity_id else {})
        if (vehicle := self._vehicle()) is None:
            return self.async_create_entry(title=self._name, data=data)
        return self.async_update_and_abort(self._get_entry(), vehicle, title=self._name, data=data)

    def _vehicle(self) -> ConfigSubentry | None:
        """Return the vehicle that is changed; None for a new one."""
        return self._get_reconfigure_subentry() if self.source == SOURCE_RECONFIGURE else None

    async def async_step_der_connect(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Ask which car it is at DER Connect, and have its sessions recorded there."""
        entry: JouloConfigEntry = self._get_entry()
        if entry.state is not ConfigEntryState.LOADED:
            return self.async_abort(reason="entry_not_loaded")
        vehicle = self._vehicle()
        known = vehicle.data.get(CONF_ENTITY_ID) if vehicle else None
        errors: dict[str, str] = {}
        placeholders: Mapping[str, str] = {}
        if user_input is not None:
            entity_id = clean_pasted(user_input.get(CONF_ENTITY_ID, ""))
            problem = await self._async_connect(entity_id, known, user_input)
            if problem is None:
                return self._finish(entity_id)
            errors = {_FIELDS.get(problem.key, "base"): problem.key}
            placeholders = problem.placeholders
        suggested = user_input or {CONF_ENTITY_ID: known or ""}
        is_capacity_asked = CONF_BATTERY_CAPACITY in {*errors, *(user_input or ())}
        form = _car_form(is_new=known is None, is_capacity_asked=is_capacity_asked)
        return self.async_show_form(
            step_id="der_connect",
            data_schema=self.add_suggested_values_to_schema(form, suggested),
            errors=errors,
            description_placeholders={"name": self._name, **placeholders},
        )

    async def _async_connect(
        self, entity_id: str, known: str | None, user_input: Mapping[str, Any]
    ) -> Problem | None:
        """Switch the recording on if that is wanted, and see that the car can be read; return what is wrong."""
        entry: JouloConfigEntry = self._get_entry()
        captures = user_input[CONF_CAPTURE]
        if not entity_id or (entity_id == known and not captures):
            return None
        for other in _others(entry, self._vehicle()):
            if other.data.get(CONF_ENTITY_ID, "").casefold() == entity_id.casefold():
                return Problem("entity_taken", {"vehicle": other.title})
        if (client := async_der_connect_client(self.hass, entry)) is None:
            return Problem("invalid_auth")
        capacity = user_input.get(CONF_BATTERY_CAPACITY)
        try:
            if capacity is not None:
                await _async_tell_capacity(client, entity_id, capacity)
            if captures:
                await client.capture_charge_sessions(entity_id)
            await client.charge_sessions(entity_id, dt_util.utcnow() - _TRIAL)
        except JouloError as error:
            return _problem_with_car(error)
        except Exception:
            _LOGGER.exception("Unexpected error while trying a car at DER Connect")
            return Problem("unknown")
        return None

    def _form(self, entry: JouloConfigEntry, vehicle: ConfigSubentry | None) -> probatio.Schema:
        registry = dr.async_get(self.hass)
        # One that is gone can be kept, or taken away.
        stored = vehicle.data[CONF_CHARGERS] if vehicle else ()
        names = charger_names(registry, entry)
        chargers = [
            SelectOptionDict(value=charger_id, label=names.get(charger_id, charger_id))
            for charger_id in sorted({*charger_ids(registry, entry), *stored})
        ]
        return probatio.Schema(
            {
                probatio.Required(CONF_NAME): TextSelector(),
                probatio.Optional(CONF_TAGS, default=[]): SelectSelector(
                    SelectSelectorConfig(
                        options=list(self._tag_options(entry, vehicle)),
                        multiple=True,
                        custom_value=True,
                        mode=SelectSelectorMode.DROPDOWN,
                    )
                ),
                probatio.Optional(CONF_CHARGERS, default=[]): SelectSelector(
                    SelectSelectorConfig(
                        options=chargers, multiple=True, mode=SelectSelectorMode.DROPDOWN
                    )
                ),
                probatio.Optional(CONF_SINCE): DateSelector(),
            }
        )

    def _tag_options(
        self, entry: JouloConfigEntry, vehicle: ConfigSubentry | None
    ) -> Iterator[SelectOptionDict]:
        """Yield the tags of the history, newest use first, then those of other vehicles; each by its end only."""
        localizer = async_localizer(self.hass)
        owners = {
            comparable(tag): other.title
            for other in _others(entry, vehicle)
            for tag in other.data[CONF_TAGS]
        }
        uses = queries.tag_uses(entry.runtime_data.history.state)
        used = {comparable(use.tag) for use in uses}
        # As this vehicle spells them, so that they are shown as chosen.
        own = {comparable(tag): tag for tag in (vehicle.data[CONF_TAGS] if vehicle else ())}
        stored = [tag for key, tag in own.items() if key not in used]
        ends = tag_ends([*(use.tag for use in uses), *stored])
        for use in sorted(uses, key=lambda use: comparable(use.tag) in owners):
            key = comparable(use.tag)
            label = localizer.text(
                "tag_use" if use.sessions > 1 else "tag_used_once",
                end=ends[use.tag],
                sessions=str(use.sessions),
                last=localizer.day(use.last),
            )
            if key in owners:
                label = f"{label} · {owners[key]}"
            yield SelectOptionDict(value=own.get(key, use.tag), label=label)
        for tag in stored:
            yield SelectOptionDict(value=tag, label=localizer.text("tag", end=ends[tag]))


class _CapacityElsewhereError(JouloError):
    """The capacity of the battery cannot be told at the address where we expect it."""


async def _async_tell_capacity(client: DerConnectClient, entity_id: str, kwh: float) -> None:
    try:
        await client.set_battery_capacity(entity_id, kwh)
    except JouloNotFoundError:
        # The address is a guess, and the car was found just before.
        raise _CapacityElsewhereError from None


def _problem_with_car(error: JouloError) -> Problem:
    """Return the text of an error that concerns one car, or else the account."""
    match error:
        case _CapacityElsewhereError():
            return Problem("battery_capacity_elsewhere")
        case DerConnectRefusedError(is_about_capacity=True):
            return Problem(CONF_BATTERY_CAPACITY)
        case DerConnectRefusedError(reason=reason):
            return Problem("not_supported", {"reason": reason or "?"})
        case JouloNotFoundError():
            return Problem("unknown_entity")
        case JouloScopeError():
            return Problem("no_access")
    return problem_of(error)


def _car_form(*, is_new: bool, is_capacity_asked: bool) -> probatio.Schema:
    """Return the form of a car. What is recorded already need not be switched on again."""
    form: dict[Any, Any] = {
        probatio.Optional(CONF_ENTITY_ID): TextSelector(),
        probatio.Required(CONF_CAPTURE, default=is_new): BooleanSelector(),
    }
    if is_capacity_asked:
        form[probatio.Optional(CONF_BATTERY_CAPACITY)] = _CAPACITY
    return probatio.Schema(form)


def _others(entry: JouloConfigEntry, vehicle: ConfigSubentry | None) -> list[ConfigSubentry]:
    """Return the other vehicles of the account."""
    return [
        each
        for each in vehicle_subentries(entry)
        if vehicle is None or each.subentry_id != vehicle.subentry_id
    ]


def _data_of(user_input: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data of a vehicle, with each tag once."""
    tags = {
        comparable(tag): tag.strip() for tag in user_input.get(CONF_TAGS, ()) if comparable(tag)
    }
    data: dict[str, Any] = {
        CONF_TAGS: list(tags.values()),
        CONF_CHARGERS: list(user_input.get(CONF_CHARGERS, ())),
    }
    if since := user_input.get(CONF_SINCE):
        data[CONF_SINCE] = day_of(since).isoformat()
    return data


def _conflicts(
    entry: JouloConfigEntry, vehicle: ConfigSubentry | None, name: str, data: dict[str, Any]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the errors by field, and the name of the vehicle with which a tag or a charger is shared."""
    tags = {comparable(tag) for tag in data[CONF_TAGS]}
    if not name:
        return {CONF_NAME: "name_taken"}, {}
    if len(name) > LONGEST_NAME:
        return {CONF_NAME: "name_too_long"}, {}
    for other in _others(entry, vehicle):
        shared = {"vehicle": other.title}
        if other.title.casefold() == name.casefold():
            return {CONF_NAME: "name_taken"}, shared
        if since_of(other.data) != since_of(data):
            continue
        if tags & {comparable(tag) for tag in other.data[CONF_TAGS]}:
            return {CONF_TAGS: "tag_taken"}, shared
        if {*data[CONF_CHARGERS]} & {*other.data[CONF_CHARGERS]}:
            return {CONF_CHARGERS: "charger_taken"}, shared
    return {}, {}
