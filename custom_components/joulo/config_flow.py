"""Set-up by API token, and its upkeep: reauthentication and reconfiguration."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain, count
import logging
from typing import TYPE_CHECKING, Any, override

from homeassistant.config_entries import (
    SOURCE_REAUTH,
    ConfigFlow,
    ConfigFlowResult,
    ConfigSubentryFlow,
)
from homeassistant.const import CONF_TOKEN, CONF_URL
from homeassistant.core import DOMAIN as HOMEASSISTANT_DOMAIN, callback
from homeassistant.data_entry_flow import AbortFlow, section
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.selector import (
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)
import probatio

from .api import API_URL, Charger, JouloAuthError, JouloError, JouloRateLimitError
from .clients import (
    Credentials,
    async_end_trial,
    async_forget_credentials,
    async_get_trial_client,
    async_join_account,
    clean_token,
)
from .const import CONF_ADVANCED, DOMAIN, SUBENTRY_DER_CONNECT
from .der_connect_flow import DerConnectFlow
from .devices import charger_ids

if TYPE_CHECKING:
    from .data import JouloConfigEntry
from .helpers import translated_error
from .options_flow import JouloOptionsFlow
from .switching import MINOR_VERSION, stored_token
from .vehicle_flow import VehicleFlow
from .vehicles import SUBENTRY_VEHICLE

_LOGGER = logging.getLogger(__name__)

_IN_A_FORM = {"server_error": "cannot_connect", "not_found": "invalid_response"}
"""A form tells less apart than a log."""

_MOST_NAMES = 3
"""Chargers that a title names."""

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


@dataclass(frozen=True, slots=True)
class _Identity:
    """Identity of the account behind a token that Joulo has accepted."""

    credentials: Credentials
    account_id: str | None
    chargers: tuple[Charger, ...]

    @property
    def charger_ids(self) -> set[str]:
        return {charger.id for charger in self.chargers}

    @property
    def charger_names(self) -> str:
        """Names of the chargers that have one, the first of many."""
        names = [charger.nickname for charger in self.chargers if charger.nickname]
        return ", ".join(names[:_MOST_NAMES]) + (" …" if len(names) > _MOST_NAMES else "")

    @property
    def entry_data(self) -> dict[str, str]:
        return {CONF_URL: self.credentials.url, CONF_TOKEN: self.credentials.token}


class JouloConfigFlow(ConfigFlow, domain=DOMAIN):
    """Handle what a user enters, and make sure that it is the right account."""

    VERSION = 1
    MINOR_VERSION = MINOR_VERSION

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: JouloConfigEntry) -> JouloOptionsFlow:
        return JouloOptionsFlow()

    @classmethod
    @callback
    @override
    def async_get_supported_subentry_types(
        cls, config_entry: JouloConfigEntry
    ) -> dict[str, type[ConfigSubentryFlow]]:
        return {SUBENTRY_VEHICLE: VehicleFlow, SUBENTRY_DER_CONNECT: DerConnectFlow}

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the token of a new account."""
        return await self._async_ask("user", _form(API_URL), user_input, None)

    async def async_step_reauth(self, _entry_data: Mapping[str, Any]) -> ConfigFlowResult:
        """Joulo does not accept the token any more."""
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for a new token of the same account."""
        entry = self._get_reauth_entry()
        return await self._async_ask("reauth_confirm", _REAUTH_FORM, user_input, entry)

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for another token or address of the same account."""
        entry = self._get_reconfigure_entry()
        return await self._async_ask(
            "reconfigure", _form(entry.data.get(CONF_URL, API_URL)), user_input, entry
        )

    async def _async_ask(
        self,
        step_id: str,
        form: probatio.Schema,
        user_input: dict[str, Any] | None,
        entry: JouloConfigEntry | None,
    ) -> ConfigFlowResult:
        """Show a form until a token works, then create an entry or renew the given one."""
        errors: dict[str, str] = {}
        placeholders = {"name": entry.title} if entry else {}
        if user_input is not None:
            advanced = user_input.get(CONF_ADVANCED) or (entry.data if entry else {})
            url = advanced[CONF_URL].strip().rstrip("/")
            entered = Credentials(url, clean_token(user_input[CONF_TOKEN]))
            if entry is None:
                self._async_abort_entries_match({CONF_TOKEN: entered.token})
            try:
                identity = await self._async_identify(entered, entry)
            except JouloError as error:
                text = translated_error(error)
                key = text["translation_key"]
                errors["base"] = _IN_A_FORM.get(key, key)
                placeholders |= text["translation_placeholders"]
            except Exception:
                _LOGGER.exception("Unexpected error while trying a token")
                errors["base"] = "unknown"
            else:
                if entry is None:
                    return await self._async_create(identity)
                return self._async_renew(entry, identity)
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(form, user_input),
            errors=errors,
            description_placeholders=placeholders,
        )

    async def _async_create(self, identity: _Identity) -> ConfigFlowResult:
        await self.async_set_unique_id(identity.account_id)
        self._abort_if_configured(identity)
        async_end_trial(self.hass, identity.credentials, identity.account_id)
        return self.async_create_entry(title=self._title(identity), data=identity.entry_data)

    def _title(self, identity: _Identity) -> str:
        """Return a title that no other account has: repairs and forms tell accounts apart by it."""
        taken = {entry.title for entry in self._async_current_entries(include_ignore=False)}
        names = identity.charger_names
        candidates = chain(
            ["Joulo"], [f"Joulo ({names})"] if names else [], (f"Joulo {n}" for n in count(2))
        )
        return next(title for title in candidates if title not in taken)

    def _async_renew(self, entry: JouloConfigEntry, identity: _Identity) -> ConfigFlowResult:
        self._abort_if_configured(identity, besides=entry)
        is_known = entry.unique_id is not None or self._registered_charger_ids(entry)
        if is_known and not self._is_same_account(entry, identity):
            return self.async_abort(reason="unique_id_mismatch")
        account_id = identity.account_id or entry.unique_id
        async_end_trial(self.hass, identity.credentials, account_id, replaces=entry)
        # Its set-up has an update listener, which heeds options and subentries alone.
        self.hass.config_entries.async_update_entry(
            entry, unique_id=account_id, data=identity.entry_data
        )
        self.hass.config_entries.async_schedule_reload(entry.entry_id)
        reason = "reauth_successful" if self.source == SOURCE_REAUTH else "reconfigure_successful"
        return self.async_abort(reason=reason, translation_domain=HOMEASSISTANT_DOMAIN)

    async def _async_identify(
        self, entered: Credentials, entry: JouloConfigEntry | None
    ) -> _Identity:
        """Learn whose token it is; raises JouloError."""
        client = async_get_trial_client(self.hass, entered, entry)
        account_id, refusal = None, None
        try:
            account_id = (await client.account_profile()).data.id
        except JouloAuthError as error:
            refusal = error
        except JouloError:
            # An account may do without its profile: the chargers decide.
            pass
        if account_id is not None:
            async_join_account(self.hass, client, account_id)
        try:
            chargers = (await client.chargers()).data
        except JouloRateLimitError:
            # The chargers were polled just now with the old token: then `/me` alone tells of the new one.
            if refusal is not None:
                raise refusal from None
            if account_id is None or entry is None or entry.unique_id is None:
                raise
            return _Identity(entered, account_id, ())
        except JouloAuthError:
            async_forget_credentials(self.hass, entered)
            raise
        return _Identity(entered, account_id, chargers)

    def _abort_if_configured(
        self, identity: _Identity, besides: JouloConfigEntry | None = None
    ) -> None:
        for entry in self._async_current_entries(include_ignore=False):
            if entry is not besides and self._is_same_account(entry, identity):
                raise AbortFlow("already_configured")

    def _is_same_account(self, entry: JouloConfigEntry, identity: _Identity) -> bool:
        if identity.credentials.token == stored_token(entry.data):
            return True
        if identity.account_id is not None and entry.unique_id is not None:
            return identity.account_id == entry.unique_id
        return bool(identity.charger_ids & self._registered_charger_ids(entry))

    def _registered_charger_ids(self, entry: JouloConfigEntry) -> set[str]:
        return charger_ids(dr.async_get(self.hass), entry)
