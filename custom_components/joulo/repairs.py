"""Fix flows of the repair issues that a user can mend in Home Assistant."""

from typing import Any

from homeassistant.components.repairs import RepairsFlow, RepairsFlowResult
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .data import JouloConfigEntry
from .history import SessionHistory
from .issues import TAKEN_OVER
from .sessions import transitions
from .switching import async_confirm_takeover


async def async_create_fix_flow(
    _hass: HomeAssistant, issue_id: str, data: dict[str, str | int | float | None] | None
) -> RepairsFlow:
    """Return the fix flow of an issue; `data` names its account."""
    flow = TakenOverFlow if issue_id.startswith(TAKEN_OVER) else UnlistedSessionsFlow
    return flow(str((data or {}).get("entry_id")))


class TakenOverFlow(RepairsFlow):
    """Shows what was taken over from another integration, until the user confirms to have read it."""

    def __init__(self, entry_id: str) -> None:
        """Prepare to note it in the entry."""
        self._entry_id = entry_id

    async def async_step_init(self, _user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Show what was taken over."""
        return await self.async_step_confirm()

    async def async_step_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> RepairsFlowResult:
        """Ask for the confirmation."""
        if user_input is None:
            issue = ir.async_get(self.hass).async_get_issue(DOMAIN, self.issue_id)
            return self.async_show_form(
                step_id="confirm",
                description_placeholders=issue.translation_placeholders if issue else None,
            )
        if (entry := self.hass.config_entries.async_get_entry(self._entry_id)) is not None:
            async_confirm_takeover(self.hass, entry)
        return self.async_create_entry(data={})


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
        entry: JouloConfigEntry | None = self.hass.config_entries.async_get_entry(self._entry_id)
        if entry is None or entry.state is not ConfigEntryState.LOADED:
            return None
        return entry.runtime_data.history
