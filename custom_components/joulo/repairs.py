"""Fix flows of the repair issues that a user can mend in Home Assistant."""

from types import MappingProxyType
from typing import Any, Final, override

from homeassistant.components.repairs import (
    ConfirmRepairFlow,
    RepairsFlow,
    RepairsFlowResult,
)
from homeassistant.config_entries import ConfigEntryState, ConfigSubentry
from homeassistant.const import CONF_NAME
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.selector import (
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
)
from homeassistant.util import dt as dt_util
import probatio

from .const import DOMAIN, SUBENTRY_DER_CONNECT
from .data import JouloConfigEntry
from .der_connect_flow import (
    async_try_credentials,
    credentials_form,
    entered_credentials,
    known_credentials,
)
from .history import SessionHistory
from .issues import DER_CONNECT_AUTH, TAKEN_OVER, UNKNOWN_TAG
from .localizer import async_localizer
from .sessions import queries, transitions
from .sessions.vehicles import comparable, tag_hash
from .switching import async_confirm_takeover
from .vehicles import (
    CONF_CHARGERS,
    CONF_TAGS,
    LONGEST_NAME,
    SUBENTRY_VEHICLE,
    vehicle_subentries,
    vehicle_tags,
)

CONF_VEHICLE: Final = "vehicle"
_NEW_VEHICLE: Final = "new_vehicle"


async def async_create_fix_flow(
    _hass: HomeAssistant, issue_id: str, data: dict[str, str | int | float | None] | None
) -> RepairsFlow:
    """Return the fix flow of an issue; `data` names its account."""
    data = data or {}
    entry_id = str(data.get("entry_id"))
    if issue_id.startswith(DER_CONNECT_AUTH):
        return DerConnectAuthFlow(entry_id)
    if issue_id.startswith(UNKNOWN_TAG):
        return UnknownTagFlow(entry_id, str(data.get("tag_hash")))
    flow = TakenOverFlow if issue_id.startswith(TAKEN_OVER) else UnlistedSessionsFlow
    return flow(entry_id)


class UnknownTagFlow(RepairsFlow):
    """Asks whose a card is: one of the vehicles', or a new one's."""

    def __init__(self, entry_id: str, tag_hash: str) -> None:
        """Prepare to give a tag to a vehicle; the hash tells which, without telling the tag."""
        self._entry_id = entry_id
        self._tag_hash = tag_hash

    async def async_step_init(self, _user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Ask at once."""
        return await self.async_step_assign()

    async def async_step_assign(
        self, user_input: dict[str, Any] | None = None
    ) -> RepairsFlowResult:
        """Ask which vehicle it is."""
        entry = _loaded_entry(self.hass, self._entry_id)
        if entry is None or (tag := self._tag(entry)) is None:
            return self.async_abort(reason="entry_not_loaded")
        vehicles = {each.subentry_id: each for each in vehicle_subentries(entry)}
        if any(comparable(tag) in vehicle_tags(each) for each in vehicles.values()):
            # It was given to one meanwhile, in another window.
            return self.async_create_entry(data={})
        chosen = user_input[CONF_VEHICLE] if user_input else None
        if chosen == _NEW_VEHICLE:
            return await self.async_step_name()
        if (vehicle := vehicles.get(chosen or "")) is None:
            options = [
                *(SelectOptionDict(value=key, label=each.title) for key, each in vehicles.items()),
                SelectOptionDict(
                    value=_NEW_VEHICLE, label=async_localizer(self.hass).text(_NEW_VEHICLE)
                ),
            ]
            form = {
                probatio.Required(CONF_VEHICLE): SelectSelector(
                    SelectSelectorConfig(options=options, mode=SelectSelectorMode.LIST)
                )
            }
            return self._show("assign", form)
        tags = [*vehicle.data[CONF_TAGS], tag]
        self.hass.config_entries.async_update_subentry(
            entry, vehicle, data={**vehicle.data, CONF_TAGS: tags}
        )
        return self.async_create_entry(data={})

    async def async_step_name(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Ask what the new vehicle is called."""
        entry = _loaded_entry(self.hass, self._entry_id)
        if entry is None or (tag := self._tag(entry)) is None:
            return self.async_abort(reason="entry_not_loaded")
        errors = {}
        if user_input is not None:
            name = user_input[CONF_NAME].strip()
            taken = {each.title.casefold() for each in vehicle_subentries(entry)}
            if len(name) > LONGEST_NAME:
                errors[CONF_NAME] = "name_too_long"
            elif name and name.casefold() not in taken:
                vehicle = ConfigSubentry(
                    data=MappingProxyType({CONF_TAGS: [tag], CONF_CHARGERS: []}),
                    subentry_type=SUBENTRY_VEHICLE,
                    title=name,
                    unique_id=None,
                )
                self.hass.config_entries.async_add_subentry(entry, vehicle)
                return self.async_create_entry(data={})
            else:
                errors[CONF_NAME] = "name_taken"
        return self._show("name", {probatio.Required(CONF_NAME): TextSelector()}, errors)

    def _show(
        self, step_id: str, form: dict[Any, Any], errors: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        issue = ir.async_get(self.hass).async_get_issue(DOMAIN, self.issue_id)
        return self.async_show_form(
            step_id=step_id,
            data_schema=probatio.Schema(form),
            errors=errors,
            description_placeholders=issue.translation_placeholders if issue else None,
        )

    def _tag(self, entry: JouloConfigEntry) -> str | None:
        uses = queries.tag_uses(entry.runtime_data.history.state)
        return next((use.tag for use in uses if tag_hash(use.tag) == self._tag_hash), None)


class DerConnectAuthFlow(RepairsFlow):
    """Asks for other credentials of DER Connect, which has refused those that it has."""

    def __init__(self, entry_id: str) -> None:
        """Prepare to change the credentials of an account."""
        self._entry_id = entry_id

    async def async_step_init(self, _user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Ask at once."""
        return await self.async_step_credentials()

    async def async_step_credentials(
        self, user_input: dict[str, Any] | None = None
    ) -> RepairsFlowResult:
        """Ask until the credentials work."""
        entry: JouloConfigEntry | None = self.hass.config_entries.async_get_entry(self._entry_id)
        known = entry.get_subentries_of_type(SUBENTRY_DER_CONNECT) if entry else []
        if entry is None or not known:
            return self.async_abort(reason="not_set_up")
        problem = None
        if user_input is not None:
            data = entered_credentials(user_input)
            problem = await async_try_credentials(self.hass, data)
            if problem is None:
                self.hass.config_entries.async_update_subentry(entry, known[0], data=data)
                return self.async_create_entry(data={})
        suggested = user_input or known_credentials(known[0])
        return self.async_show_form(
            step_id="credentials",
            data_schema=self.add_suggested_values_to_schema(credentials_form(), suggested),
            errors={"base": problem.key} if problem else {},
            description_placeholders={
                "account": entry.title,
                **(problem.placeholders if problem else {}),
            },
        )


class TakenOverFlow(ConfirmRepairFlow):
    """Shows what was taken over from another integration, until the user confirms to have read it."""

    def __init__(self, entry_id: str) -> None:
        """Prepare to note it in the entry."""
        self._entry_id = entry_id

    @override
    async def async_step_confirm(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Ask for the confirmation."""
        entry = self.hass.config_entries.async_get_entry(self._entry_id)
        if user_input is not None and entry is not None:
            async_confirm_takeover(self.hass, entry)
        return await super().async_step_confirm(user_input)


class UnlistedSessionsFlow(RepairsFlow):
    """Asks what becomes of the sessions that Joulo does not list any more: keep them, or follow Joulo."""

    def __init__(self, entry_id: str) -> None:
        """Prepare to change the history of an account."""
        self._entry_id = entry_id

    async def async_step_init(self, _user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Show both choices."""
        return self.async_show_menu(menu_options=["keep", "follow"])

    async def async_step_keep(self, _user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Keep the sessions, although Joulo does not list them."""
        if (history := self._history()) is None:
            return self.async_abort(reason="entry_not_loaded")
        history.async_update(transitions.keep_unlisted)
        return self.async_create_entry(data={})

    async def async_step_follow(
        self, _user_input: dict[str, Any] | None = None
    ) -> RepairsFlowResult:
        """Remove the sessions, as Joulo has."""
        if (history := self._history()) is None:
            return self.async_abort(reason="entry_not_loaded")
        history.async_update(transitions.remove_unlisted, dt_util.utcnow())
        return self.async_create_entry(data={})

    def _history(self) -> SessionHistory | None:
        """Return the history of the account, if it is loaded."""
        entry = _loaded_entry(self.hass, self._entry_id)
        return entry.runtime_data.history if entry else None


def _loaded_entry(hass: HomeAssistant, entry_id: str) -> JouloConfigEntry | None:
    """Return an account, if it is loaded."""
    entry: JouloConfigEntry | None = hass.config_entries.async_get_entry(entry_id)
    return entry if entry is not None and entry.state is ConfigEntryState.LOADED else None
