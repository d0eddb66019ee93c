"""Clients of accounts at Joulo and at DER Connect. What they have to wait for outlives reloads in memory.

A rate limiter of Joulo's outlives new tokens and a removal of the account too.
"""

from collections.abc import Mapping
import hashlib
import secrets
import string
from typing import TYPE_CHECKING, Any, NamedTuple

from homeassistant.const import CONF_CLIENT_ID, CONF_CLIENT_SECRET, CONF_TOKEN, CONF_URL
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.util.hass_dict import HassKey

from .api import JouloClient, RateLimiter
from .const import CONF_TOKEN_URL, DOMAIN, SUBENTRY_DER_CONNECT
from .der_connect import Credentials as DerConnectCredentials, DerConnectClient

if TYPE_CHECKING:
    from .data import JouloConfigEntry


class Credentials(NamedTuple):
    """Address of the API and token of an account."""

    url: str
    token: str


_QUOTES = "\"'`‘’“”\ufeff\u200b"  # noqa: RUF001
_QUOTES_TO_SPACES = str.maketrans(dict.fromkeys(_QUOTES, " "))
_AROUND = f"{_QUOTES}{string.whitespace}\xa0"

_RATE_LIMITERS: HassKey[dict[str, RateLimiter]] = HassKey(f"{DOMAIN}_rate_limiters")
"""By account id; by a digest of the credentials while the id is not known."""
_DER_CONNECT_CLIENTS: HassKey[dict[str, DerConnectClient]] = HassKey(f"{DOMAIN}_der_connect")
"""By the id of the account's entry."""

_DIGEST_KEY = secrets.token_bytes(32)
"""Known to this run alone: a digest can be traced to no token."""


def credentials_of(entry: JouloConfigEntry) -> Credentials:
    """Return what a config entry opens its account with."""
    return Credentials(entry.data[CONF_URL], entry.data[CONF_TOKEN])


def clean_token(pasted: str) -> str:
    """Return the token without what comes along when it is copied: spaces, quotes, `Bearer`."""
    words = pasted.translate(_QUOTES_TO_SPACES).split()
    while words and words[0].lower() in {"authorization:", "bearer"}:
        del words[0]
    return " ".join(words)


def clean_pasted(pasted: str) -> str:
    """Return what was pasted without the spaces and quotes around it; a secret may have some within."""
    return pasted.strip(_AROUND)


@callback
def async_get_client(hass: HomeAssistant, entry: JouloConfigEntry) -> JouloClient:
    """Return a client of an entry, whose rate limiter remembers what was asked for the account before.

    A token that Joulo has rejected may be tried once more.
    """
    rate_limiters = hass.data.setdefault(_RATE_LIMITERS, {})
    rate_limiter = _take_rate_limiter(hass, entry) or RateLimiter()
    rate_limiters[entry.unique_id or _digest(credentials_of(entry))] = rate_limiter
    rate_limiter.allow_one_try()
    return _client(hass, credentials_of(entry), rate_limiter)


@callback
def async_get_trial_client(
    hass: HomeAssistant, entered: Credentials, entry: JouloConfigEntry | None
) -> JouloClient:
    """Return a client for what a user has just entered: for a new account, or for the one of an entry.

    A refused token may be tried again by hand, and another token goes on with the entry's intervals.
    """
    rate_limiters = hass.data.setdefault(_RATE_LIMITERS, {})
    tried = rate_limiters.get(_digest(entered))
    if tried is not None and not tried.is_refused:
        return _client(hass, entered, tried)
    rate_limiter = rate_limiters[_digest(entered)] = RateLimiter()
    if tried is not None:
        rate_limiter.share_timings(tried)
        rate_limiter.adopt_answers(tried)
    elif entry is not None and (before := _find_rate_limiter(hass, entry)) is not None:
        rate_limiter.share_timings(before)
    return _client(hass, entered, rate_limiter)


@callback
def async_join_account(hass: HomeAssistant, client: JouloClient, account_id: str) -> None:
    """Let a trial go on where the account's rate limiter is, now that Joulo has told whose token it is."""
    known = hass.data[_RATE_LIMITERS].setdefault(account_id, client.rate_limiter)
    client.rate_limiter.share_timings(known)
    client.rate_limiter.adopt_answers(known)


@callback
def async_end_trial(
    hass: HomeAssistant,
    entered: Credentials,
    account_id: str | None = None,
    *,
    replaces: JouloConfigEntry | None = None,
) -> None:
    """File the rate limiter of a trial that has succeeded, for the set-up that follows.

    It takes over the answers of the entry that it `replaces`, so that a reload repeats no request.
    """
    rate_limiters = hass.data[_RATE_LIMITERS]
    rate_limiter = rate_limiters.pop(_digest(entered))
    if replaces is not None and (before := _take_rate_limiter(hass, replaces)) is not None:
        rate_limiter.adopt_answers(before)
    rate_limiters[account_id or _digest(entered)] = rate_limiter


@callback
def async_forget_credentials(hass: HomeAssistant, credentials: Credentials) -> None:
    """Forget the rate limiter of credentials that Joulo has refused, or whose account has one by its id."""
    hass.data.get(_RATE_LIMITERS, {}).pop(_digest(credentials), None)


def _client(
    hass: HomeAssistant, credentials: Credentials, rate_limiter: RateLimiter
) -> JouloClient:
    session = async_get_clientsession(hass)
    return JouloClient(session, credentials.token, url=credentials.url, rate_limiter=rate_limiter)


def _find_rate_limiter(hass: HomeAssistant, entry: JouloConfigEntry) -> RateLimiter | None:
    rate_limiters = hass.data[_RATE_LIMITERS]
    # While its id was not known, it was filed by its credentials.
    by_credentials = rate_limiters.get(_digest(credentials_of(entry)))
    return by_credentials or rate_limiters.get(entry.unique_id or "")


def _take_rate_limiter(hass: HomeAssistant, entry: JouloConfigEntry) -> RateLimiter | None:
    """Return the rate limiter of an entry, which is to be filed anew; its id may have been told since."""
    rate_limiter = _find_rate_limiter(hass, entry)
    hass.data[_RATE_LIMITERS].pop(entry.unique_id or "", None)
    async_forget_credentials(hass, credentials_of(entry))
    return rate_limiter


def _digest(credentials: Credentials) -> str:
    text = "\n".join(credentials)
    return hashlib.blake2b(text.encode(), key=_DIGEST_KEY).hexdigest()


def der_connect_credentials(entry: JouloConfigEntry) -> DerConnectCredentials | None:
    """Return what an account opens DER Connect with; None where that is not set up."""
    subentries = entry.get_subentries_of_type(SUBENTRY_DER_CONNECT)
    return credentials_in(subentries[0].data) if subentries else None


def credentials_in(data: Mapping[str, Any]) -> DerConnectCredentials:
    """Return the credentials of DER Connect that the data of a subentry holds."""
    return DerConnectCredentials(
        client_id=data[CONF_CLIENT_ID],
        client_secret=data[CONF_CLIENT_SECRET],
        url=data[CONF_URL],
        token_url=data[CONF_TOKEN_URL],
    )


@callback
def async_der_connect_client(
    hass: HomeAssistant, entry: JouloConfigEntry
) -> DerConnectClient | None:
    """Return the client of DER Connect; None where that is not set up.

    It is the same one for forms and for reading, also after a reload: it remembers how long the service wants to wait.
    """
    clients = hass.data.setdefault(_DER_CONNECT_CLIENTS, {})
    if (credentials := der_connect_credentials(entry)) is None:
        return None
    known = clients.get(entry.entry_id)
    if known is None or known.credentials != credentials:
        known = DerConnectClient(async_get_clientsession(hass), credentials)
        clients[entry.entry_id] = known
    return known


@callback
def async_forget_der_connect(hass: HomeAssistant, entry: JouloConfigEntry) -> None:
    """Forget the client of an account whose credentials were removed, and with it the secret and the token."""
    hass.data.get(_DER_CONNECT_CLIENTS, {}).pop(entry.entry_id, None)
