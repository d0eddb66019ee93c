"""Where Home Assistant meets the client: one web session, gates that outlive reloads, errors in words."""

from typing import TypedDict

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_TOKEN, CONF_URL
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.util.hass_dict import HassKey

from .api import (
    Gate,
    JouloAuthError,
    JouloClient,
    JouloConnectionError,
    JouloError,
    JouloInsecureUrlError,
    JouloNotFoundError,
    JouloRateLimitError,
    JouloResponseError,
    JouloScopeError,
    JouloServerError,
    JouloTooEarlyError,
)
from .const import DOMAIN

type Account = tuple[str, str]
"""The address of the API, and the token."""

_GATES: HassKey[dict[Account, Gate]] = HassKey(f"{DOMAIN}_gates")


_SENTENCES: dict[type[JouloError], str] = {
    JouloAuthError: "invalid_auth",
    JouloConnectionError: "cannot_connect",
    JouloInsecureUrlError: "insecure_url",
    JouloNotFoundError: "not_found",
    JouloRateLimitError: "rate_limited",
    JouloResponseError: "invalid_response",
    JouloScopeError: "missing_scope",
    JouloServerError: "server_error",
    JouloTooEarlyError: "rate_limited",
}


class ErrorText(TypedDict):
    """How Home Assistant's exceptions take a translated sentence."""

    translation_domain: str
    translation_key: str
    translation_placeholders: dict[str, str]


def account_of(entry: ConfigEntry) -> Account:
    """Return which account a config entry is for."""
    return (entry.data[CONF_URL], entry.data[CONF_TOKEN])


@callback
def async_get_client(hass: HomeAssistant, account: Account) -> JouloClient:
    """Return a client whose gate remembers what this account was asked before."""
    url, token = account
    gate = hass.data.setdefault(_GATES, {}).setdefault(account, Gate())
    return JouloClient(async_get_clientsession(hass), token, url=url, gate=gate)


@callback
def async_get_trial_client(
    hass: HomeAssistant, account: Account, known: Account | None
) -> JouloClient:
    """Return a client for what a user has just entered.

    A refused token may be tried again by hand. `known` is the account that a new token is meant for:
    its intervals are kept.
    """
    gates = hass.data.setdefault(_GATES, {})
    before = gates.get(account)
    if before is not None and before.refused:
        gates[account] = before.for_next_token()
        gates[account].take_answers(before)
    elif before is None and known in gates:
        gates[account] = gates[known].for_next_token()
    return async_get_client(hass, account)


@callback
def async_hand_over_answers(hass: HomeAssistant, before: Account, after: Account) -> None:
    """Let the account's next token begin with the answers that its old one got."""
    gates = hass.data.setdefault(_GATES, {})
    if before != after and before in gates:
        gates[after].take_answers(gates.pop(before))


def error_text(error: JouloError) -> ErrorText:
    """Return the sentence that tells a user what went wrong and what to do."""
    return {
        "translation_domain": DOMAIN,
        "translation_key": _SENTENCES[type(error)],
        "translation_placeholders": {name: _in_words(value) for name, value in vars(error).items()},
    }


def _in_words(value: object) -> str:
    if value is None:
        return "?"
    return f"{value:.0f}" if isinstance(value, float) else str(value)
