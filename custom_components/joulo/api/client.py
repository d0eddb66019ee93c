"""Client of the Joulo API: one method for each endpoint, and every request through the rate limiter."""

from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

from aiohttp import ClientResponse, ClientSession

from .documents import (
    MAX_PAGE_SIZE,
    DocumentParser,
    parse_account_profile,
    parse_energy,
    parse_ere_position,
    parse_registered_charger,
)
from .errors import (
    JouloChargerOfflineError,
    JouloCooldownError,
    JouloError,
    JouloRejectedError,
    JouloResponseError,
)
from .models import (
    AccountProfile,
    Charger,
    Cursor,
    Energy,
    ErePosition,
    RegisteredCharger,
    SessionPage,
)
from .parsing import parse_bool, parse_object
from .rate_limiter import Endpoint, Query, RateLimiter, Response
from .transport import Transport, error_of, read_body, read_error_field

API_URL: Final = "https://api.joulo.nl/functions/v1/api"


class JouloClient:
    """Client of the Joulo API with one token.

    Every method raises a JouloError if it fails. A read that is asked for too early repeats the last
    response or error without a request, or raises JouloTooEarlyError if the last query was another one.
    """

    def __init__(
        self,
        session: ClientSession,
        token: str,
        *,
        url: str = API_URL,
        rate_limiter: RateLimiter | None = None,
    ) -> None:
        """Raise JouloInsecureUrlError if `url` would send the token in plain text."""
        self.rate_limiter = rate_limiter or RateLimiter()
        self._transport = Transport(session, token, url)
        self._parser = DocumentParser()

    async def chargers(self) -> Response[tuple[Charger, ...]]:
        """Return all chargers of the account (Joulo developer docs, Chargers)."""
        return await self._fetch(Endpoint.CHARGERS, {}, self._parser.parse_chargers)

    async def session_page(
        self, *, since: datetime | None = None, until: Cursor | None = None, offset: int = 0
    ) -> Response[SessionPage]:
        """Return at most 100 charging sessions, newest first (Joulo developer docs, Sessions).

        `since` and `until` bound the start of a session, and are both inclusive. `offset` skips sessions
        of that range. A page with `until` counts as an older one and may follow 5 s after the last;
        without it, 600 s must pass.
        """
        query = {"limit": str(MAX_PAGE_SIZE)}
        if offset:
            query["offset"] = str(offset)
        if since is not None:
            query["from"] = since.astimezone(UTC).isoformat().replace("+00:00", "Z")
        if until is not None:
            query["to"] = until.text
        endpoint = Endpoint.SESSIONS if until is None else Endpoint.HISTORY
        return await self._fetch(endpoint, query, self._parser.parse_session_page)

    async def energy(self) -> Response[Energy]:
        """Return the account's totals: overall and by month (Joulo developer docs, Energy statistics)."""
        return await self._fetch(Endpoint.ENERGY, {}, parse_energy)

    async def account_profile(self) -> Response[AccountProfile]:
        """Return the account's id, ERE price and platform fee (`/me`; Joulo developer docs, Sessions)."""
        return await self._fetch(Endpoint.ME, {}, parse_account_profile)

    async def ere_position(self) -> Response[ErePosition]:
        """Return the EUR amounts of the account's ERE credits (undocumented; seen in other clients)."""
        return await self._fetch(Endpoint.ERE_POSITION, {}, parse_ere_position)

    async def register_charger(
        self, nickname: str, ocpp_identity: str | None = None
    ) -> RegisteredCharger:
        """Register an OCPP charger and return its access data (Joulo developer docs, Chargers).

        Without an OCPP identity Joulo chooses one. Raise JouloRejectedError if Joulo refuses the name,
        the identity or the type.
        """
        command = {"nickname": nickname, "connection_type": "ocpp"}
        if ocpp_identity is not None:
            command["ocpp_identity"] = ocpp_identity
        async with (
            self.rate_limiter.command_slot(Endpoint.REGISTRATION),
            self._transport.post(Endpoint.REGISTRATION.path, command) as response,
        ):
            if response.status not in {HTTPStatus.OK, HTTPStatus.CREATED}:
                raise await self._rejection(response)
            return parse_registered_charger(await read_body(response))

    async def restart_charger(self, charger_id: str, *, hard: bool) -> bool:
        """Restart an OCPP charger (undocumented; seen in another client).

        Return True if Joulo saw the charger boot, False if it only accepted the command. Raise
        JouloCooldownError within five minutes of the last restart, and JouloChargerOfflineError if the
        charger has no connection with Joulo.
        """
        command = {"charger_id": charger_id, "type": "Hard" if hard else "Soft"}
        async with (
            self.rate_limiter.command_slot(Endpoint.RESTART),
            self._transport.post(Endpoint.RESTART.path, command) as response,
        ):
            match response.status:
                case HTTPStatus.OK:
                    document = parse_object(await read_body(response))
                    return parse_bool(document.get("confirmed_by_boot")) is True
                case HTTPStatus.ACCEPTED:
                    return False
                case HTTPStatus.CONFLICT:
                    raise JouloCooldownError
                # A gateway that cannot reach Joulo sends a 503 too, but without Joulo's error text.
                case HTTPStatus.SERVICE_UNAVAILABLE if await read_error_field(response, "error"):
                    raise JouloChargerOfflineError
            raise await error_of(response)

    async def _fetch[T](
        self, endpoint: Endpoint, query: Query, parse: Callable[[bytes], T]
    ) -> Response[T]:
        return await self.rate_limiter.fetch(endpoint, query, self._transport.get, parse)

    async def _rejection(self, response: ClientResponse) -> JouloError:
        """Return why Joulo rejected a command, in Joulo's own sentence where the status says little."""
        error = await error_of(response)
        if not isinstance(error, JouloResponseError) or response.ok:
            return error
        sentence = await read_error_field(response, "error") or error.reason
        return JouloRejectedError(self._transport.without_token(sentence))
