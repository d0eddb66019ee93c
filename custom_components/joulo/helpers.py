"""Clients for config entries, with rate limiters that are kept across reloads, and translated errors."""

from collections.abc import Awaitable
from typing import TYPE_CHECKING, NamedTuple, TypedDict

from homeassistant.const import CONF_TOKEN, CONF_URL
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.util.hass_dict import HassKey

from .api import (
    JouloAuthError,
    JouloChargerOfflineError,
    JouloClient,
    JouloConnectionError,
    JouloCooldownError,
    JouloError,
    JouloInsecureUrlError,
    JouloNotFoundError,
    JouloRateLimitError,
    JouloRejectedError,
    JouloResponseError,
    JouloScopeError,
    JouloServerError,
    JouloTooEarlyError,
    RateLimiter,
)
from .const import DOMAIN

if TYPE_CHECKING:
    from .data import JouloConfigEntry


class Credentials(NamedTuple):
    """Address of the API and token of an account."""

    url: str
    token: str


_RATE_LIMITERS: HassKey[dict[Credentials, RateLimiter]] = HassKey(f"{DOMAIN}_rate_limiters")


_TRANSLATION_KEYS: dict[type[JouloError], str] = {
    JouloAuthError: "invalid_auth",
    JouloChargerOfflineError: "charger_offline",
    JouloConnectionError: "cannot_connect",
    JouloCooldownError: "restart_cooldown",
    JouloInsecureUrlError: "insecure_url",
    JouloNotFoundError: "not_found",
    JouloRateLimitError: "rate_limited",
    JouloRejectedError: "rejected",
    JouloResponseError: "invalid_response",
    JouloScopeError: "missing_scope",
    JouloServerError: "server_error",
    JouloTooEarlyError: "rate_limited",
}


class TranslatedError(TypedDict):
    """Keyword arguments of Home Assistant's exceptions for a translated sentence."""

    translation_domain: str
    translation_key: str
    translation_placeholders: dict[str, str]


def credentials_of(entry: JouloConfigEntry) -> Credentials:
    """Return what a config entry opens its account with."""
    return Credentials(entry.data[CONF_URL], entry.data[CONF_TOKEN])


@callback
def async_get_client(hass: HomeAssistant, credentials: Credentials) -> JouloClient:
    """Return a client whose rate limiter remembers what was asked with these credentials before.

    A token that Joulo has rejected may be tried once more.
    """
    rate_limiter = hass.data.setdefault(_RATE_LIMITERS, {}).setdefault(credentials, RateLimiter())
    rate_limiter.allow_one_try()
    session = async_get_clientsession(hass)
    return JouloClient(session, credentials.token, url=credentials.url, rate_limiter=rate_limiter)


@callback
def async_get_trial_client(
    hass: HomeAssistant, entered: Credentials, current: Credentials | None
) -> JouloClient:
    """Return a client for what a user has just entered.

    A refused token may be tried again by hand. `current` are the credentials that the entered ones are
    to replace: their intervals are kept.
    """
    rate_limiters = hass.data.setdefault(_RATE_LIMITERS, {})
    before = rate_limiters.get(entered)
    if before is not None and before.is_refused:
        rate_limiters[entered] = before.for_replacement_token()
    elif before is None and current in rate_limiters:
        rate_limiters[entered] = rate_limiters[current].for_replacement_token()
    return async_get_client(hass, entered)


@callback
def async_adopt_rate_limiter(hass: HomeAssistant, before: Credentials, after: Credentials) -> None:
    """Hand the old token's rate limiter and responses to the new token, so that a reload repeats no request."""
    rate_limiters = hass.data.setdefault(_RATE_LIMITERS, {})
    if before != after:
        rate_limiters.pop(before, None)
    rate_limiters[after].adopt_responses()


def translated_error(error: JouloError) -> TranslatedError:
    """Return the sentence that tells a user what went wrong and what to do."""
    return {
        "translation_domain": DOMAIN,
        "translation_key": _TRANSLATION_KEYS[type(error)],
        # What an error knows are its attributes, and its sentence names them.
        "translation_placeholders": {name: _in_words(value) for name, value in vars(error).items()},
    }


async def async_send_command[AnswerT](command: Awaitable[AnswerT]) -> AnswerT:
    """Return the result of a command to Joulo. Raise a translated HomeAssistantError if it fails."""
    try:
        return await command
    except JouloError as error:
        text = translated_error(error)
        if isinstance(error, JouloConnectionError) and error.sent:
            # Unlike a read, a command is not repeated: Joulo may have carried it out.
            text["translation_key"] = "no_answer"
        raise HomeAssistantError(**text) from error


def _in_words(value: object) -> str:
    if value is None:
        return "?"
    return f"{value:.0f}" if isinstance(value, float) else str(value)
