"""Adds DER Connect to an account: its credentials as a subentry, and the form and the trial that others share."""

from collections.abc import Mapping
import logging
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from homeassistant.config_entries import (
    ConfigSubentry,
    ConfigSubentryFlow,
    SubentryFlowResult,
)
from homeassistant.const import CONF_CLIENT_ID, CONF_CLIENT_SECRET, CONF_URL
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import section
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.selector import (
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)
from homeassistant.util import dt as dt_util
import probatio

from .api import (
    JouloAuthError,
    JouloConnectionError,
    JouloError,
    JouloInsecureUrlError,
    JouloRateLimitError,
    JouloServerError,
)
from .clients import clean_pasted, credentials_in
from .const import CONF_ADVANCED, CONF_TOKEN_URL, SUBENTRY_DER_CONNECT
from .der_connect import DEFAULT_TOKEN_URL, DEFAULT_URL, DerConnectClient

if TYPE_CHECKING:
    from .data import JouloConfigEntry

_LOGGER = logging.getLogger(__name__)

_TITLE: Final = "DER Connect"
_CONF_ENTERED_AT: Final = "entered_at"
_TEXT = TextSelector()
_SECRET = TextSelector(
    TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="current-password")
)
_URL = TextSelector(TextSelectorConfig(type=TextSelectorType.URL))


class Problem(NamedTuple):
    """Key of an error's text in a form, and the words for its placeholders."""

    key: str
    placeholders: Mapping[str, str] = {}


def credentials_form() -> probatio.Schema:
    """Return the form of the credentials, with the addresses folded away."""
    return probatio.Schema(
        {
            probatio.Required(CONF_CLIENT_ID): _TEXT,
            probatio.Required(CONF_CLIENT_SECRET): _SECRET,
            probatio.Required(CONF_ADVANCED): section(
                probatio.Schema(
                    {
                        probatio.Required(CONF_URL, default=DEFAULT_URL): _URL,
                        probatio.Required(CONF_TOKEN_URL, default=DEFAULT_TOKEN_URL): _URL,
                    }
                ),
                {"collapsed": True},
            ),
        }
    )


def known_credentials(subentry: ConfigSubentry) -> dict[str, Any]:
    """Return what the form suggests of credentials that are there: all but the secret."""
    data = subentry.data
    return {
        CONF_CLIENT_ID: data[CONF_CLIENT_ID],
        CONF_ADVANCED: {key: data[key] for key in (CONF_URL, CONF_TOKEN_URL)},
    }


def entered_credentials(user_input: Mapping[str, Any]) -> dict[str, str]:
    """Return the data of the subentry from what was entered, without what comes along when it is copied.

    The moment is part of it: the same credentials, entered again after DER Connect has refused them, are news.
    """
    advanced = user_input[CONF_ADVANCED]
    return {
        CONF_CLIENT_ID: clean_pasted(user_input[CONF_CLIENT_ID]),
        CONF_CLIENT_SECRET: clean_pasted(user_input[CONF_CLIENT_SECRET]),
        CONF_URL: advanced[CONF_URL].strip().rstrip("/"),
        CONF_TOKEN_URL: advanced[CONF_TOKEN_URL].strip(),
        _CONF_ENTERED_AT: dt_util.utcnow().isoformat(),
    }


async def async_try_credentials(hass: HomeAssistant, data: Mapping[str, Any]) -> Problem | None:
    """Ask for a token with credentials; return what is wrong with them, or None."""
    try:
        client = DerConnectClient(async_get_clientsession(hass), credentials_in(data))
        await client.authenticate()
    except JouloError as error:
        return problem_of(error)
    except Exception:
        _LOGGER.exception("Unexpected error while trying the credentials of DER Connect")
        return Problem("unknown")
    return None


def problem_of(error: JouloError) -> Problem:
    """Return the text of an error that concerns the account at DER Connect."""
    match error:
        case JouloAuthError():
            return Problem("invalid_auth")
        case JouloInsecureUrlError():
            return Problem("insecure_url")
        case JouloRateLimitError(retry_after=seconds):
            return Problem("rate_limited", {"retry_after": f"{seconds:.0f}"})
        case JouloConnectionError() | JouloServerError():
            return Problem("cannot_connect")
    return Problem("invalid_response")


class DerConnectFlow(ConfigSubentryFlow):
    """Handle what a user enters about an application at DER Connect."""

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask for the credentials of the account's application."""
        entry: JouloConfigEntry = self._get_entry()
        if entry.get_subentries_of_type(SUBENTRY_DER_CONNECT):
            return self.async_abort(reason="already_configured")
        return await self._async_ask("user", user_input, None)

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Ask for other credentials or addresses."""
        return await self._async_ask("reconfigure", user_input, self._get_reconfigure_subentry())

    async def _async_ask(
        self, step_id: str, user_input: dict[str, Any] | None, known: ConfigSubentry | None
    ) -> SubentryFlowResult:
        """Show the form until the credentials work, then add the subentry or change it."""
        problem = None
        if user_input is not None:
            data = entered_credentials(user_input)
            problem = await async_try_credentials(self.hass, data)
            if problem is None and known is None:
                return self.async_create_entry(
                    title=_TITLE, data=data, unique_id=SUBENTRY_DER_CONNECT
                )
            if problem is None and known is not None:
                return self.async_update_and_abort(self._get_entry(), known, data=data)
        suggested = user_input or (known_credentials(known) if known else None)
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(credentials_form(), suggested),
            errors={"base": problem.key} if problem else {},
            description_placeholders=dict(problem.placeholders) if problem else None,
        )
