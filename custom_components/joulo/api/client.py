"""The Joulo cloud as a Python object: one method per endpoint, every request through the rate limiter."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
import json
import logging
from typing import Any, Final

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
)
from .models import (
    AccountProfile,
    Charger,
    ChargingSession,
    Cursor,
    Energy,
    ErePosition,
    RegisteredCharger,
    SessionPage,
)
from .parsing import (
    UnknownValue,
    parse_bool,
    parse_datetime,
    parse_integer,
    parse_number,
    parse_text,
)
from .rate_limiter import Endpoint, RateLimiter

API_URL: Final = "https://api.joulo.nl/functions/v1/api"
LARGEST_PAGE: Final = 100
"""Sessions; Joulo sends no more on a page."""

_LOGGER = logging.getLogger(__name__)
_TIMEOUT = ClientTimeout(total=15)
_ORDER_TIMEOUT = ClientTimeout(total=60)
"""Joulo may wait for a charger to boot before it answers."""
_LARGEST_BODY = 10_000_000
_CHUNK = 65_536
_LONGEST_RETRY = 86_400.0
_DEFAULT_RETRY = 60.0
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class JouloClient:
    """Asks Joulo on behalf of one token.

    A method that fails raises a JouloError: auth, scope, not found, rate limit (JouloTooEarlyError where
    we hold back ourselves), connection, server or response.
    """

    def __init__(
        self,
        session: ClientSession,
        token: str,
        *,
        url: str = API_URL,
        rate_limiter: RateLimiter | None = None,
    ) -> None:
        """Raise JouloInsecureUrlError for an address that would send the token in plain text."""
        self.rate_limiter = rate_limiter or RateLimiter()
        self._session = session
        self._token = token
        self._url = _checked_url(url)
        self._reported: set[str] = set()

    async def chargers(self) -> tuple[Charger, ...]:
        """Return all chargers of the account (Joulo developer docs, Chargers)."""

        async def send() -> tuple[Charger, ...]:
            rows = _rows(await self._get(Endpoint.CHARGERS), "chargers")
            chargers = self._read_all(Charger, rows)
            if rows and not chargers:
                raise JouloResponseError("no charger can be read")
            for charger in chargers:
                self._report_unknown("status", charger.status)
                self._report_unknown("connection type", charger.connection_type)
            return chargers

        return await self.rate_limiter.fetch(Endpoint.CHARGERS, None, send)

    async def session_page(
        self,
        *,
        since: datetime | None = None,
        until: Cursor | None = None,
        offset: int = 0,
    ) -> SessionPage:
        """Return a page of at most 100 charging sessions, newest first (Joulo developer docs, Sessions).

        Both ends include the sessions that start just then.
        """
        query = {"limit": str(LARGEST_PAGE)}
        if offset:
            query["offset"] = str(offset)
        if since is not None:
            query["from"] = since.astimezone(UTC).isoformat().replace("+00:00", "Z")
        if until is not None:
            query["to"] = until.text
        # What is new may be asked for every ten minutes; what is older does not change that fast.
        endpoint = Endpoint.SESSIONS if until is None else Endpoint.HISTORY

        async def send() -> SessionPage:
            document = await self._get(endpoint, query)
            rows = _rows(document, "sessions")
            objects = [row for row in rows if isinstance(row, dict)]
            ids = {session_id for row in objects if (session_id := parse_text(row.get("id")))}
            if rows and not ids:
                raise JouloResponseError("no session can be read")
            starts = [
                Cursor(moment, row["started_at"])
                for row in objects
                if (moment := parse_datetime(row.get("started_at")))
            ]
            sessions = self._read_all(ChargingSession, rows)
            for session in sessions:
                self._report_unknown("session status", session.status)
            return SessionPage(
                sessions=sessions,
                ids=frozenset(ids),
                oldest=min(starts, default=None),
                rows=len(rows),
                full=len(rows) >= _page_size(document.get("limit")),
            )

        return await self.rate_limiter.fetch(endpoint, query, send)

    async def energy(self) -> Energy:
        """Return the account's sums, in all and by month (Joulo developer docs, Energy statistics)."""

        async def send() -> Energy:
            energy = Energy.from_dict(_object(await self._get(Endpoint.ENERGY)))
            if energy == Energy():
                raise JouloResponseError("no totals")
            return energy

        return await self.rate_limiter.fetch(Endpoint.ENERGY, None, send)

    async def me(self) -> AccountProfile:
        """Return whose token it is and what an ERE credit is worth (Joulo developer docs, Sessions)."""

        async def send() -> AccountProfile:
            return AccountProfile.from_dict(_object(await self._get(Endpoint.ME)))

        return await self.rate_limiter.fetch(Endpoint.ME, None, send)

    async def ere_position(self) -> ErePosition:
        """Return what the ERE credits have paid out and will (undocumented; as seen in other clients)."""

        async def send() -> ErePosition:
            return ErePosition.from_dict(_object(await self._get(Endpoint.ERE_POSITION)))

        return await self.rate_limiter.fetch(Endpoint.ERE_POSITION, None, send)

    async def register_charger(
        self, nickname: str, ocpp_identity: str | None = None
    ) -> RegisteredCharger:
        """Register an OCPP charger and return how it connects (Joulo developer docs, Chargers).

        Raises JouloRejectedError where Joulo objects; without an OCPP identity Joulo chooses one.
        """
        order = {"nickname": nickname, "connection_type": "ocpp"}
        if ocpp_identity is not None:
            order["ocpp_identity"] = ocpp_identity

        async def send() -> RegisteredCharger:
            async with self._post(Endpoint.REGISTRATION, order) as response:
                if response.status not in {HTTPStatus.OK, HTTPStatus.CREATED}:
                    raise await self._objection(response)
                document = _object(_parse(await _read_body(response)))
            try:
                return RegisteredCharger.from_dict(document)
            except LookupError, ValueError:
                raise JouloResponseError("no charger") from None

        return await self.rate_limiter.send_command(Endpoint.REGISTRATION, send)

    async def restart_charger(self, charger_id: str, *, hard: bool) -> bool:
        """Restart an OCPP charger; return whether it was seen to boot (undocumented; as in another client).

        Raises JouloCooldownError within five minutes of the last restart, and
        JouloChargerOfflineError where Joulo cannot reach the charger.
        """
        order = {"charger_id": charger_id, "type": "Hard" if hard else "Soft"}

        async def send() -> bool:
            async with self._post(Endpoint.RESTART, order) as response:
                match response.status:
                    case HTTPStatus.OK:
                        answer = _object(_parse(await _read_body(response)))
                        return parse_bool(answer.get("confirmed_by_boot")) is True
                    case HTTPStatus.ACCEPTED:
                        return False
                    case HTTPStatus.CONFLICT:
                        raise JouloCooldownError
                    # A gateway that cannot reach Joulo says 503 too, but not in Joulo's words.
                    case HTTPStatus.SERVICE_UNAVAILABLE if await _read_error(response, "error"):
                        raise JouloChargerOfflineError
                raise await _error_of(response)

        return await self.rate_limiter.send_command(Endpoint.RESTART, send)

    async def _objection(self, response: ClientResponse) -> JouloError:
        """Return why an order was refused, in Joulo's own sentence where the status alone says little."""
        error = await _error_of(response)
        if not isinstance(error, JouloResponseError) or response.ok:
            return error
        sentence = await _read_error(response, "error") or error.reason
        return JouloRejectedError(sentence.replace(self._token.strip(), "..."))

    def _read_all[ModelT: (Charger, ChargingSession)](
        self, model: type[ModelT], rows: list[Any]
    ) -> tuple[ModelT, ...]:
        """Return the rows that can be read, the first of those with the same id; report the others."""
        items: dict[str, ModelT] = {}
        for row in rows:
            try:
                item = model.from_dict(_object(row))
            except (JouloResponseError, LookupError, ValueError) as error:
                self._report(f"A {model.__name__} from Joulo is left out: {_reason(error)}")
            else:
                items.setdefault(item.id, item)
        return tuple(items.values())

    def _report_unknown(self, what: str, value: object) -> None:
        if isinstance(value, UnknownValue):
            self._report(f"Joulo sent a {what} that is not known here: {value!r}")

    def _report(self, message: str) -> None:
        """Log a message once; polling would repeat it every minute."""
        if message not in self._reported:
            self._reported.add(message)
            _LOGGER.warning(message)

    async def _get(self, endpoint: Endpoint, query: dict[str, str] | None = None) -> Any:
        """Ask for something and return the JSON document that comes."""
        async with self._answer("GET", endpoint, params=query, timeout=_TIMEOUT) as response:
            if response.status != HTTPStatus.OK:
                raise await _error_of(response)
            return _parse(await _read_body(response))

    def _post(
        self, endpoint: Endpoint, order: dict[str, str]
    ) -> AbstractAsyncContextManager[ClientResponse]:
        """Order something and yield what comes of it."""
        return self._answer("POST", endpoint, json=order, timeout=_ORDER_TIMEOUT)

    @asynccontextmanager
    async def _answer(
        self, method: str, endpoint: Endpoint, **content: Any
    ) -> AsyncGenerator[ClientResponse]:
        """Send a request and yield the answer; what breaks off is a JouloConnectionError."""
        if not _fits_a_header(self._token):
            raise JouloAuthError
        try:
            async with self._session.request(
                method,
                self._url / endpoint.path,
                headers={"Authorization": f"Bearer {self._token}", "Accept": "application/json"},
                allow_redirects=False,
                middlewares=(_send_once,),
                **content,
            ) as response:
                yield response
        # The causes are left out: they may hold the request, and with it the token.
        except ClientConnectorError as error:
            raise JouloConnectionError(type(error).__name__, sent=False) from None
        except (ClientError, TimeoutError) as error:
            raise JouloConnectionError(type(error).__name__, sent=True) from None


def _checked_url(url: str) -> URL:
    try:
        checked = URL(url)
    except ValueError as error:
        raise JouloInsecureUrlError from error
    loopback = checked.scheme == "http" and checked.host in _LOOPBACK
    has_login = checked.user or checked.password
    if not checked.host or has_login or (checked.scheme != "https" and not loopback):
        raise JouloInsecureUrlError
    return checked


def _fits_a_header(token: str) -> bool:
    return token.isascii() and token.isprintable() and token.split() == [token]


async def _send_once(request: ClientRequest, send: ClientHandlerType) -> ClientResponse:
    """Keep aiohttp from sending a request a second time, faster than Joulo allows, when it is dropped."""
    try:
        return await send(request)
    except ClientConnectorError:
        raise
    except (ClientOSError, ServerDisconnectedError) as error:
        raise JouloConnectionError(type(error).__name__, sent=True) from None


async def _read_body(response: ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        body += chunk
        if len(body) > _LARGEST_BODY:
            raise JouloResponseError("more than 10 MB")
    return bytes(body)


def _parse(body: bytes) -> Any:
    # The standard library reads NaN and Infinity too, which then count as absent, field by field.
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise JouloResponseError("not JSON") from error


async def _error_of(response: ClientResponse) -> JouloError:
    """Return what the status means; of the body only the name of the missing scope is used."""
    retry_after = response.headers.get("Retry-After")
    match response.status:
        case HTTPStatus.UNAUTHORIZED:
            return JouloAuthError()
        case HTTPStatus.FORBIDDEN:
            return JouloScopeError(await _read_error(response, "required_scope"))
        case HTTPStatus.NOT_FOUND:
            return JouloNotFoundError()
        case HTTPStatus.TOO_MANY_REQUESTS | HTTPStatus.SERVICE_UNAVAILABLE as status if (
            status == HTTPStatus.TOO_MANY_REQUESTS or retry_after
        ):
            return JouloRateLimitError(_retry_after(retry_after))
        case status if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return JouloServerError(status)
        case status:
            return JouloResponseError(f"HTTP {status}")


async def _read_error(response: ClientResponse, key: str) -> str | None:
    """Return a text from what Joulo tells about an error; a gateway's page has none."""
    try:
        return parse_text(_object(_parse(await _read_body(response))).get(key))
    except JouloResponseError:
        return None


def _retry_after(header: str | None) -> float:
    """Return the seconds to wait, at most a day, from either form of `Retry-After` (RFC 9110)."""
    text = (header or "").strip()
    if text.isdecimal():
        # However many digits there are, nine of them say enough.
        text = text.lstrip("0")[:9] or "0"
    if (seconds := parse_number(text)) is None:
        try:
            moment = parsedate_to_datetime(text)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
            seconds = (moment - datetime.now(UTC)).total_seconds()
        except ValueError, OverflowError:
            return _DEFAULT_RETRY
    return min(max(seconds, 0.0), _LONGEST_RETRY)


def _object(document: Any) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise JouloResponseError("not an object")
    return document


def _rows(document: Any, key: str) -> list[Any]:
    rows = _object(document).get(key)
    if not isinstance(rows, list):
        raise JouloResponseError(f"no list of {key}")
    return rows


def _page_size(limit: object) -> int:
    """Return how many sessions fill a page: as many as asked for, unless Joulo says it sends fewer."""
    echoed = parse_integer(limit)
    return echoed if echoed and 0 < echoed < LARGEST_PAGE else LARGEST_PAGE


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, (JouloResponseError, ValueError)) else "incomplete"
