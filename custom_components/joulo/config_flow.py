"""Set-up by API token, and its upkeep: reauthentication, reconfiguration, options."""

from collections.abc import Iterable, Mapping
import logging
from typing import Any, override

from homeassistant.config_entries import (
    ConfigEntry,
    ConfigFlow,
    ConfigFlowResult,
    OptionsFlowWithReload,
)
from homeassistant.const import CONF_TOKEN, CONF_URL, UnitOfTime
from homeassistant.core import callback
from homeassistant.data_entry_flow import AbortFlow, section
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.selector import (
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)
import probatio

from .api import API_URL, JouloAuthError, JouloClient, JouloError, JouloRateLimitError
from .cloud import Account, account_of, async_get_trial_client, async_hand_over_answers, error_text
from .const import (
    CHARGERS_INTERVAL,
    CONF_ADVANCED,
    CONF_CHARGERS_INTERVAL,
    DOMAIN,
    LONGEST_CHARGERS_INTERVAL,
)
from .devices import charger_ids

_LOGGER = logging.getLogger(__name__)

_IN_A_FORM = {"server_error": "cannot_connect", "not_found": "invalid_response"}
"""A form tells less apart than a log."""

_TOKEN = TextSelector(
    TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="current-password")
)
_URL = TextSelector(TextSelectorConfig(type=TextSelectorType.URL))


def _form(url: str) -> probatio.Schema:
    """Return the form of the token, with the address folded away."""
    return probatio.Schema(
        {
            probatio.Required(CONF_TOKEN): _TOKEN,
            probatio.Required(CONF_ADVANCED): section(
                probatio.Schema({probatio.Required(CONF_URL, default=url): _URL}),
                {"collapsed": True},
            ),
        }
    )


_REAUTH_FORM = probatio.Schema({probatio.Required(CONF_TOKEN): _TOKEN})

_OPTIONS_FORM = probatio.Schema(
    {
        probatio.Required(CONF_CHARGERS_INTERVAL, default=CHARGERS_INTERVAL): NumberSelector(
            NumberSelectorConfig(
                min=CHARGERS_INTERVAL,
                max=LONGEST_CHARGERS_INTERVAL,
                step=1,
                mode=NumberSelectorMode.BOX,
                unit_of_measurement=UnitOfTime.SECONDS,
            )
        )
    }
)


def clean_token(pasted: str) -> str:
    """Return the token without what comes along when it is copied: spaces, quotes, `Bearer`."""
    token = pasted.strip().strip("\"'").strip()
    if token.lower().startswith("bearer "):
        token = token[len("bearer ") :]
    return token.strip().strip("\"'").strip()


class JouloConfigFlow(ConfigFlow, domain=DOMAIN):
    """Handle what a user enters, and make sure that it is the right account."""

    VERSION = 1
    MINOR_VERSION = 1

    def __init__(self) -> None:
        """Begin without an answer."""
        self._charger_ids: set[str] = set()
        self._account_id: str | None = None

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: ConfigEntry) -> JouloOptionsFlow:
        return JouloOptionsFlow()

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the token of a new account."""
        errors: dict[str, str] = {}
        placeholders: dict[str, str] = {}
        if user_input is not None:
            account = (user_input[CONF_ADVANCED][CONF_URL], clean_token(user_input[CONF_TOKEN]))
            errors, placeholders = await self._async_try(account, None)
            if not errors:
                return await self._async_create(account)
        return self.async_show_form(
            step_id="user",
            data_schema=self.add_suggested_values_to_schema(_form(API_URL), user_input),
            errors=errors,
            description_placeholders=placeholders,
        )

    async def async_step_reauth(self, _entry_data: Mapping[str, Any]) -> ConfigFlowResult:
        """Joulo does not accept the token any more."""
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for a new token of the same account."""
        entry = self._get_reauth_entry()
        return await self._async_renew(entry, "reauth_confirm", _REAUTH_FORM, user_input)

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for another token or address of the same account."""
        entry = self._get_reconfigure_entry()
        form = _form(entry.data[CONF_URL])
        return await self._async_renew(entry, "reconfigure", form, user_input)

    async def _async_create(self, account: Account) -> ConfigFlowResult:
        await self.async_set_unique_id(self._account_id)
        self._abort_if_unique_id_configured()
        self._abort_if_known(account, self._async_current_entries(include_ignore=False))
        url, token = account
        return self.async_create_entry(title="Joulo", data={CONF_URL: url, CONF_TOKEN: token})

    async def _async_renew(
        self,
        entry: ConfigEntry,
        step_id: str,
        form: probatio.Schema,
        user_input: dict[str, Any] | None,
    ) -> ConfigFlowResult:
        """Show a form for another token, and take it when it is of the same account."""
        errors: dict[str, str] = {}
        placeholders: dict[str, str] = {}
        if user_input is not None:
            before = account_of(entry)
            advanced = user_input.get(CONF_ADVANCED, entry.data)
            account = (advanced[CONF_URL], clean_token(user_input[CONF_TOKEN]))
            errors, placeholders = await self._async_try(account, entry)
            if not errors:
                others = [other for other in self._async_current_entries() if other is not entry]
                self._abort_if_known(account, others)
                if not self._may_replace(entry, account):
                    return self.async_abort(reason="unique_id_mismatch")
                async_hand_over_answers(self.hass, before, account)
                url, token = account
                return self.async_update_reload_and_abort(
                    entry,
                    unique_id=self._account_id or entry.unique_id,
                    data={CONF_URL: url, CONF_TOKEN: token},
                )
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(form, user_input),
            errors=errors,
            description_placeholders=placeholders,
        )

    async def _async_try(
        self, account: Account, entry: ConfigEntry | None
    ) -> tuple[dict[str, str], dict[str, str]]:
        """Learn whose token it is; return the form's errors and their placeholders."""
        known = account_of(entry) if entry else None
        try:
            client = async_get_trial_client(self.hass, account, known)
            await self._async_identify(client, entry)
        except JouloError as error:
            text = error_text(error)
            key = text["translation_key"]
            return {"base": _IN_A_FORM.get(key, key)}, text["translation_placeholders"]
        except Exception:
            _LOGGER.exception("Unexpected error while trying a token")
            return {"base": "unknown"}, {}
        return {}, {}

    async def _async_identify(self, client: JouloClient, entry: ConfigEntry | None) -> None:
        self._charger_ids = set()
        try:
            self._charger_ids = {charger.id for charger in await client.chargers()}
        except JouloRateLimitError:
            # The chargers were polled just now with the old token: then `/me` vouches for the new one.
            self._account_id = await self._async_account_id(client)
            if self._account_id is None or entry is None or entry.unique_id is None:
                raise
        else:
            self._account_id = await self._async_account_id(client)

    async def _async_account_id(self, client: JouloClient) -> str | None:
        try:
            return (await client.me()).id
        except JouloAuthError:
            raise
        except JouloError:
            return None

    def _abort_if_known(self, account: Account, entries: Iterable[ConfigEntry]) -> None:
        if any(self._is_same_account(entry, account) for entry in entries):
            raise AbortFlow("already_configured")

    def _is_same_account(self, entry: ConfigEntry, account: Account) -> bool:
        if self._account_id is not None and entry.unique_id is not None:
            return self._account_id == entry.unique_id
        return account[1] == entry.data[CONF_TOKEN] or bool(self._charger_ids & self._known(entry))

    def _may_replace(self, entry: ConfigEntry, account: Account) -> bool:
        """Whether the entry is the same account, or nothing is known of it that could be mixed up."""
        nothing_known = entry.unique_id is None and not self._known(entry)
        return nothing_known or self._is_same_account(entry, account)

    def _known(self, entry: ConfigEntry) -> set[str]:
        return charger_ids(dr.async_get(self.hass), entry)


class JouloOptionsFlow(OptionsFlowWithReload):
    """Handle how often the chargers are polled."""

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the interval in seconds."""
        if user_input is not None:
            seconds = int(user_input[CONF_CHARGERS_INTERVAL])
            return self.async_create_entry(data={CONF_CHARGERS_INTERVAL: seconds})
        return self.async_show_form(
            step_id="init",
            data_schema=self.add_suggested_values_to_schema(
                _OPTIONS_FORM, self.config_entry.options
            ),
        )
