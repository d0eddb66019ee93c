"""Client of DER Connect: its addresses, its token, and a method for each endpoint.

Sources are the DER Connect docs: Authenticate, Charge Sessions API, Activate or deactivate an entity feature. The
address of the battery capacity is a guess by the pattern of the others.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
import logging
import re
import time
from typing import Any, Final

from aiohttp import ClientResponse, ClientSession
from yarl import URL

from ..api.errors import (
    JouloAuthError,
    JouloError,
    JouloNotFoundError,
    JouloRateLimitError,
    JouloResponseError,
    JouloScopeError,
)
from ..api.parsing import parse_object
from ..api.transport import GET_TIMEOUT, MAX_BODY_BYTES, error_of, read_body, request, secure_url
from .documents import PageParser, parse_reason, parse_token
from .errors import DerConnectRefusedError
from .models import CarSession

DEFAULT_URL: Final = "https://api.traxes.io/connect"
DEFAULT_TOKEN_URL: Final = "https://signin.energy/am/oauth2/realms/root/realms/difesp/access_token"  # noqa: S105 - an address
_LOGGER = logging.getLogger(__name__)

_SCOPE = "esp"
_FEATURE = {"feature": "CaptureChargeSessions", "enabled": True}
_MOST_PAGES = 50
_RENEW_BEFORE_END = 60.0
"""Seconds; a token is not used until its very end."""
_DEFAULT_RETRY_AFTER = 3600.0
"""Seconds, where the service asks for a wait and does not say how long."""
_ENTITY_ID = re.compile(r"[\w-]{1,100}", re.ASCII)
"""A UUID, by the docs. Whatever else fits in a path may be one too; a slash or dots would lead elsewhere."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What an application of an organisation opens DER Connect with, and both addresses of the service."""

    client_id: str
    client_secret: str = field(repr=False)
    url: str = DEFAULT_URL
    token_url: str = DEFAULT_TOKEN_URL


class DerConnectClient:
    """Client of DER Connect with the credentials of one application. It keeps its token in memory.

    Every method raises a JouloError if it fails: JouloAuthError if the credentials are refused, JouloNotFoundError
    or JouloScopeError if the car is. After a 429 it sends nothing for as long as the service asked.
    """

    def __init__(self, session: ClientSession, credentials: Credentials) -> None:
        """Raise JouloInsecureUrlError if an address would send the secret or a token in plain text."""
        self.credentials = credentials
        self._session = session
        self._url = secure_url(credentials.url)
        self._token_url = secure_url(credentials.token_url)
        self._token = ""
        self._token_ends_at = 0.0
        self._blocked_until = 0.0
        self._parser = PageParser()

    async def authenticate(self) -> None:
        """Ask for a new token (DER Connect docs, Authenticate)."""
        form = {
            "grant_type": "client_credentials",
            "client_id": self.credentials.client_id,
            "client_secret": self.credentials.client_secret,
            "scope": _SCOPE,
        }
        asked_at = time.monotonic()
        async with self._request("POST", self._token_url, token=None, data=form) as response:
            if response.status != HTTPStatus.OK:
                raise await _login_error(response)
            token = parse_token(await read_body(response))
        self._token = token.text
        # One that is good for a minute or less is used too.
        self._token_ends_at = asked_at + max(token.seconds - _RENEW_BEFORE_END, token.seconds / 2)

    async def charge_sessions(self, entity_id: str, start: datetime) -> tuple[CarSession, ...]:
        """Return the sessions of a car that started at `start` or later, in the service's order.

        Pages are followed by their token alone: a link may name another host, and the token would go there
        (DER Connect docs, List charge sessions).
        """
        sessions: dict[str, CarSession] = {}
        ids: set[str] = set()
        query = {"start": start.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"}
        seen = {""}
        for _ in range(_MOST_PAGES):
            body = await self._call("GET", entity_id, "charge-sessions", params=query)
            page = await asyncio.to_thread(self._parser.parse_page, body)
            for session in page.sessions:
                before = sessions.get(session.id)
                sessions[session.id] = session.later_of(before) if before else session
            if page.continuation_token in seen or page.ids <= ids:
                break
            ids |= page.ids
            seen.add(page.continuation_token)
            query["continuationToken"] = page.continuation_token
        else:
            _LOGGER.warning("DER Connect has more than %d pages; the rest is not read", _MOST_PAGES)
        return tuple(sessions.values())

    async def capture_charge_sessions(self, entity_id: str) -> None:
        """Have the service record the sessions of a car from now on; the provider may charge for that.

        Raise DerConnectRefusedError if it does not (DER Connect docs, Activate an entity feature).
        """
        await self._call("PATCH", entity_id, "features", json=_FEATURE)

    async def set_battery_capacity(self, entity_id: str, kwh: float) -> None:
        """Tell the capacity of a car's battery in kWh; JouloNotFoundError if that cannot be told here."""
        try:
            await self._call("PUT", entity_id, "battery-capacity", json={"batteryCapacity": kwh})
        except DerConnectRefusedError, JouloResponseError:
            # The address is a guess, and so is the body.
            raise JouloNotFoundError from None

    async def _call(self, method: str, entity_id: str, path: str, **options: Any) -> bytes:
        """Return the body of a response about a car. A token that is refused, also a new one, is replaced once."""
        if not _ENTITY_ID.fullmatch(entity_id):
            raise JouloNotFoundError
        if time.monotonic() >= self._token_ends_at:
            await self.authenticate()
        with suppress(JouloAuthError):
            return await self._send(method, entity_id, path, **options)
        await self.authenticate()
        return await self._send(method, entity_id, path, **options)

    async def _send(self, method: str, entity_id: str, path: str, **options: Any) -> bytes:
        url = self._url / "v1" / "entities" / entity_id / path
        async with self._request(method, url, token=self._token, **options) as response:
            if response.status == HTTPStatus.BAD_REQUEST:
                raise DerConnectRefusedError(await self._reason(response))
            if _is_forbidden(response):
                raise JouloScopeError(None)
            if response.status >= HTTPStatus.MULTIPLE_CHOICES:
                raise await error_of(response, _DEFAULT_RETRY_AFTER)
            return await read_body(response, MAX_BODY_BYTES)

    async def _reason(self, response: ClientResponse) -> str:
        """Return the service's own sentence, without the secret and the token."""
        secrets = (self._token, self.credentials.client_secret)
        return parse_reason(await read_body(response), secrets)

    @asynccontextmanager
    async def _request(
        self, method: str, url: URL, *, token: str | None, **options: Any
    ) -> AsyncGenerator[ClientResponse]:
        """Send a request, unless the service has asked to wait; remember if it asks for that now."""
        wait = self._blocked_until - time.monotonic()
        if wait > 0:
            raise JouloRateLimitError(wait)
        try:
            async with request(
                self._session, method, url, token=token, timeout=GET_TIMEOUT, **options
            ) as response:
                yield response
        except JouloRateLimitError as error:
            self._blocked_until = time.monotonic() + error.retry_after
            raise


def _is_forbidden(response: ClientResponse) -> bool:
    """Return whether the service itself forbids something, with a body or without; a firewall's pages are HTML."""
    return response.status == HTTPStatus.FORBIDDEN and response.content_type != "text/html"


async def _login_error(response: ClientResponse) -> JouloError:
    """Return why no token was given. Only an OAuth error is about the credentials (RFC 6749, section 5.2)."""
    if _is_forbidden(response):
        return JouloAuthError()
    match response.status:
        case HTTPStatus.BAD_REQUEST | HTTPStatus.UNAUTHORIZED as status:
            try:
                is_told = bool(parse_object(await read_body(response)).get("error"))
            except JouloResponseError:
                is_told = False
            return JouloAuthError() if is_told else JouloResponseError(f"HTTP {status:d}")
        case HTTPStatus.NOT_FOUND as status:
            return JouloResponseError(f"HTTP {status:d}")
    return await error_of(response, _DEFAULT_RETRY_AFTER)
