"""Errors of the client in words."""

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.translation import async_get_exception_message
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.joulo.api import (
    JouloAuthError,
    JouloConnectionError,
    JouloError,
    JouloNotFoundError,
    JouloRateLimitError,
    JouloResponseError,
    JouloScopeError,
    JouloServerError,
    JouloTooEarlyError,
)
from custom_components.joulo.const import DOMAIN
from custom_components.joulo.helpers import translated_error


@pytest.mark.parametrize(
    ("error", "key", "placeholders", "sentence"),
    [
        (JouloAuthError(), "invalid_auth", {}, "Joulo does not accept the token."),
        (
            JouloScopeError("energy:read"),
            "missing_scope",
            {"scope": "energy:read"},
            "The token lacks a permission (energy:read).",
        ),
        (
            JouloScopeError(None),
            "missing_scope",
            {"scope": "?"},
            "The token lacks a permission (?).",
        ),
        (
            JouloConnectionError("TimeoutError", sent=True),
            "cannot_connect",
            {"reason": "TimeoutError", "sent": "True"},
            "Joulo cannot be reached (TimeoutError)",
        ),
        (
            JouloServerError(502),
            "server_error",
            {"status": "502"},
            "Joulo has a fault (HTTP 502)",
        ),
        (
            JouloRateLimitError(59.6),
            "rate_limited",
            {"retry_after": "60"},
            "Joulo may be asked again in 60 seconds",
        ),
        (
            JouloTooEarlyError(12.0),
            "rate_limited",
            {"retry_after": "12"},
            "Joulo may be asked again in 12 seconds",
        ),
        (JouloNotFoundError(), "not_found", {}, "Joulo has nothing at this address."),
        (
            JouloResponseError("not JSON"),
            "invalid_response",
            {"reason": "not JSON"},
            "Joulo's answer cannot be read (not JSON)",
        ),
    ],
    ids=str,
)
async def test_an_error_tells_a_user_what_went_wrong(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    error: JouloError,
    key: str,
    placeholders: dict[str, str],
    sentence: str,
) -> None:
    text = translated_error(error)
    assert text == {
        "translation_domain": DOMAIN,
        "translation_key": key,
        "translation_placeholders": placeholders,
    }
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    message = async_get_exception_message(DOMAIN, key, text["translation_placeholders"])
    assert message.startswith(sentence)
    assert str(HomeAssistantError(**text)) == message
