"""One HTTP request: its header and limits, and the error that each status stands for."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientHandlerType,
    ClientOSError,
    ClientRequest,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ServerDisconnectedError,
)
from yarl import URL

from .errors import (
    JouloAuthError,
    JouloConnectionError,
    JouloError,
    JouloInsecureUrlError,
    JouloNotFoundError,
    JouloRateLimitError,
    JouloResponseError,
    JouloScopeError,
    JouloServerError,
)
from .parsing import parse_number, parse_object, parse_text

GET_TIMEOUT = ClientTimeout(total=15)
_POST_TIMEOUT = ClientTimeout(total=60)
"""Joulo may wait until a charger has booted before it responds to a command."""
_MEGABYTE = 1_000_000
MAX_BODY_BYTES = 10 * _MEGABYTE
_MAX_SHORT_BYTES = _MEGABYTE // 10
"""Of the answer to a command and of an error, which are parsed at once."""
_CHUNK_BYTES = 65_536
_MAX_RETRY_AFTER = 86_400.0
_DEFAULT_RETRY_AFTER = 60.0
_LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})


class Transport:
    """Sends single requests to Joulo with the token in the Authorization header.

    A request has a timeout, is sent at most once and follows no redirect. A request without a complete
    response raises JouloConnectionError.
    """

    def __init__(self, session: ClientSession, token: str, url: str) -> None:
        """Raise JouloInsecureUrlError if `url` would send the token in plain text."""
        self._session = session
        self._token = token
        self._url = secure_url(url)

    async def get(self, path: str, query: Mapping[str, str]) -> bytes:
        """Return the body of the response. A status other than 200 raises its JouloError."""
        async with self._request("GET", path, params=query, timeout=GET_TIMEOUT) as response:
            if response.status != HTTPStatus.OK:
                raise await error_of(response)
            return await read_body(response, MAX_BODY_BYTES)

    def post(
        self, path: str, command: Mapping[str, str]
    ) -> AbstractAsyncContextManager[ClientResponse]:
        """Send a command as JSON and yield the response, of any status."""
        return self._request("POST", path, json=command, timeout=_POST_TIMEOUT)

    def without_token(self, text: str) -> str:
        """Return a text of Joulo's that may be shown: where it repeats the token, dots stand instead."""
        return text.replace(self._token.strip(), "...")

    def _request(
        self, method: str, path: str, **options: Any
    ) -> AbstractAsyncContextManager[ClientResponse]:
        return request(self._session, method, self._url / path, token=self._token, **options)


@asynccontextmanager
async def request(
    session: ClientSession, method: str, url: URL, *, token: str | None, **options: Any
) -> AsyncGenerator[ClientResponse]:
    """Send a request, at most once and without following a redirect, and yield the response, of any status.

    A token that fits in no header raises JouloAuthError, a response that does not come JouloConnectionError.
    """
    headers = {"Accept": "application/json"}
    if token is not None:
        if not _fits_in_header(token):
            raise JouloAuthError
        headers["Authorization"] = f"Bearer {token}"
    try:
        async with session.request(
            method,
            url,
            headers=headers,
            allow_redirects=False,
            middlewares=(_send_once,),
            **options,
        ) as response:
            yield response
    # aiohttp's errors may hold the request and with it the token: they are not kept as a cause.
    except ClientConnectorError as error:
        raise JouloConnectionError(type(error).__name__, sent=False) from None
    except (ClientError, TimeoutError) as error:
        raise JouloConnectionError(type(error).__name__, sent=True) from None


async def read_body(response: ClientResponse, most: int = _MAX_SHORT_BYTES) -> bytes:
    """Return the body of a response. One of more bytes, unpacked, raises JouloResponseError."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        body += chunk
        if len(body) > most:
            raise JouloResponseError(f"more than {most / _MEGABYTE:g} MB")
    return bytes(body)


async def read_error_field(response: ClientResponse, key: str) -> str | None:
    """Return a text field of an error's body, or None without one. A gateway's errors are HTML pages."""
    try:
        return parse_text(parse_object(await read_body(response)).get(key))
    except JouloResponseError:
        return None


async def error_of(
    response: ClientResponse, default_retry_after: float = _DEFAULT_RETRY_AFTER
) -> JouloError:
    """Return the error that the status of a response stands for.

    `default_retry_after` is the wait in seconds where a 429 tells none.
    """
    retry_after = response.headers.get("Retry-After")
    is_rate_limited = response.status == HTTPStatus.TOO_MANY_REQUESTS
    if is_rate_limited or (response.status == HTTPStatus.SERVICE_UNAVAILABLE and retry_after):
        wait = _parse_retry_after(retry_after, response.headers.get("Date"))
        return JouloRateLimitError(default_retry_after if wait is None else wait)
    match response.status:
        case HTTPStatus.UNAUTHORIZED:
            return JouloAuthError()
        case HTTPStatus.FORBIDDEN:
            return await _forbidden(response)
        case HTTPStatus.NOT_FOUND:
            return JouloNotFoundError()
        case status if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return JouloServerError(status)
        case status:
            return JouloResponseError(f"HTTP {status}")


async def _forbidden(response: ClientResponse) -> JouloError:
    """Return the error of a 403. Without JSON it comes from a firewall before Joulo, and tells nothing of the token."""
    try:
        document = parse_object(await read_body(response))
    except JouloResponseError:
        return JouloServerError(response.status)
    return JouloScopeError(parse_text(document.get("required_scope")))


def secure_url(url: str) -> URL:
    """Return the parsed address: HTTPS, or HTTP to this machine, and without a login of its own."""
    try:
        parsed = URL(url)
    except ValueError as error:
        raise JouloInsecureUrlError from error
    is_loopback = parsed.scheme == "http" and parsed.host in _LOOPBACK_HOSTS
    has_login = parsed.user or parsed.password
    if not parsed.host or has_login or (parsed.scheme != "https" and not is_loopback):
        raise JouloInsecureUrlError
    return parsed


def _fits_in_header(token: str) -> bool:
    return token.isascii() and token.isprintable() and token.split() == [token]


async def _send_once(request: ClientRequest, send: ClientHandlerType) -> ClientResponse:
    """Keep aiohttp from repeating a request whose connection is lost: Joulo may have received it.

    aiohttp repeats a request after its own errors only, not after a JouloConnectionError.
    """
    try:
        return await send(request)
    except ClientConnectorError:
        raise
    except (ClientOSError, ServerDisconnectedError) as error:
        raise JouloConnectionError(type(error).__name__, sent=True) from None


def _parse_retry_after(header: str | None, date: str | None) -> float | None:
    """Return the wait in seconds, at most a day, from a number or a date (RFC 9110, Retry-After); None without one.

    A date is compared with the response's own `date`, because the clock of this machine may be wrong.
    """
    text = (header or "").strip()
    if text.isdecimal():
        # Nine digits already exceed a day; more of them would exceed the largest number we parse.
        text = text.lstrip("0")[:9] or "0"
    if (seconds := parse_number(text)) is None:
        if (moment := _parse_http_date(text)) is None:
            return None
        seconds = (moment - (_parse_http_date(date or "") or datetime.now(UTC))).total_seconds()
    return min(max(seconds, 0.0), _MAX_RETRY_AFTER)


def _parse_http_date(text: str) -> datetime | None:
    """Return the moment of an HTTP date (RFC 9110, Date/Time Formats)."""
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except ValueError, OverflowError:
        return None
