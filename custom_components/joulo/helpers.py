"""Errors of the client in words, translated."""

from collections.abc import Awaitable
from typing import TypedDict

from homeassistant.exceptions import HomeAssistantError

from .api import (
    JouloAuthError,
    JouloChargerOfflineError,
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
)
from .const import DOMAIN

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
