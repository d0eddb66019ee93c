"""Rate limiter: it keeps Joulo's intervals between requests, and the result of each endpoint's last request."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from math import inf
import time
from typing import Any

from .errors import (
    JouloAuthError,
    JouloConnectionError,
    JouloError,
    JouloNotFoundError,
    JouloRateLimitError,
    JouloScopeError,
    JouloTooEarlyError,
)

_MISSING_INTERVAL = 86_400.0
"""Seconds until an optional endpoint that an account lacks is asked again.

One that has answered before counts as lacking only after so many seconds of errors.
"""

_ONE_MOMENT = 30.0
"""Seconds within which several refusals count as one: at set-up, several endpoints are asked at once."""

type Query = Mapping[str, str]


class Endpoint(Enum):
    """A kind of request: its path, and the least number of seconds between two requests.

    The 60 s of CHARGERS and the 600 s of SESSIONS and ENERGY are Joulo's own ("Charging sessions, ERE
    and status in Home Assistant", Rate limiting). Joulo documents no interval for the others. HISTORY is
    `/sessions` with an upper bound, for the pages of older sessions. REGISTRATION and RESTART are
    commands, which wait only after a `Retry-After`.
    """

    CHARGERS = ("chargers", 60.0)
    SESSIONS = ("sessions", 600.0)
    HISTORY = ("sessions", 5.0)
    ENERGY = ("energy", 600.0)
    ME = ("me", 60.0)
    ERE_POSITION = ("ere-position", 600.0)
    REGISTRATION = ("chargers", 0.0)
    RESTART = ("chargers/reboot", 0.0)

    def __init__(self, path: str, interval: float) -> None:
        self.path = path
        self.interval = interval


_OPTIONAL_ENDPOINTS = frozenset({Endpoint.ME, Endpoint.ERE_POSITION})
"""Endpoints that an account or a token may lack."""


@dataclass(frozen=True, slots=True)
class Response[T]:
    """Data that Joulo sent, and when the request for it was sent (UTC).

    A repeated response keeps its `sent_at`, which tells it from a new one.
    """

    data: T
    sent_at: datetime


@dataclass(slots=True)
class _Timing:
    """Timing of an endpoint: when it was last asked, and when it may be asked again (monotonic seconds).

    The lock lets callers at the same time share one request.
    """

    sent_at: float = -inf
    next_allowed_at: float = -inf
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def retry_in(self) -> float:
        return max(0.0, self.next_allowed_at - time.monotonic())

    def block_for(self, seconds: float) -> None:
        self.next_allowed_at = max(self.next_allowed_at, time.monotonic() + seconds)


@dataclass(frozen=True, slots=True)
class _Success:
    """Last request of an endpoint, if it brought a response; `body` is the response before parsing."""

    query: Query
    body: bytes
    response: Response[Any]


@dataclass(frozen=True, slots=True)
class _Failure:
    """Last request of an endpoint, if it failed."""

    query: Query
    error: JouloError


type _Result = _Success | _Failure


class RateLimiter:
    """Rate limiter of one token.

    It is kept across reloads; a replacement token takes over its timing, not its responses.
    """

    def __init__(
        self,
        timings: Mapping[Endpoint, _Timing] | None = None,
        earlier_results: Mapping[Endpoint, _Result] | None = None,
    ) -> None:
        """Allow every request at once, or continue another limiter's timings."""
        self._timings = {endpoint: _Timing() for endpoint in Endpoint} | dict(timings or {})
        self._results: dict[Endpoint, _Result] = {}
        self._earlier_results = earlier_results or {}
        self.token_rejected = False
        """True once Joulo has refused the token twice. No request is sent any more."""
        self._answered: set[Endpoint] = set()
        """Endpoints that have answered."""
        self._missing_since: dict[Endpoint, float] = {}
        """Times of the first 403 or 404 since an optional endpoint last answered (monotonic seconds)."""
        self._refused_at: float | None = None
        """Time of the first refusal (monotonic seconds) since `/chargers` last answered."""

    @property
    def is_refused(self) -> bool:
        """Whether the token was refused since `/chargers` last answered."""
        return self._refused_at is not None

    def sent_at(self, endpoint: Endpoint) -> float:
        """Return when the last request was sent (monotonic seconds), or -inf before the first one.

        A request that failed counts too, unlike in `Response.sent_at`.
        """
        return self._timings[endpoint].sent_at

    def retry_in(self, endpoint: Endpoint) -> float:
        """Return the seconds until the next request may be sent."""
        return self._timings[endpoint].retry_in()

    def is_missing(self, endpoint: Endpoint) -> bool:
        """Whether the account lacks an optional endpoint, and not only since a moment ago."""
        since = self._missing_since.get(endpoint)
        return since is not None and time.monotonic() - since >= _MISSING_INTERVAL

    def for_replacement_token(self) -> RateLimiter:
        """Return the rate limiter of another token for the same account, or of a new try of this one.

        It shares the timings, since Joulo's intervals hold for the account. What this token was refused,
        and the optional endpoints, may be asked at once: the new token may have a permission that this one
        lacks.
        """
        timings = {
            endpoint: timing
            for endpoint, timing in self._timings.items()
            if endpoint not in _OPTIONAL_ENDPOINTS and not self._was_refused(endpoint)
        }
        return RateLimiter(timings, self._results)

    def allow_one_try(self) -> None:
        """Let a rejected token be tried once more: the user has asked for it. A refusal rejects it again at once."""
        if self.token_rejected:
            self.token_rejected = False
            self._refused_at = -inf

    def adopt_responses(self) -> None:
        """Take over the responses of the token before, once both are known to be of one account.

        Only endpoints that must still wait and have no result of their own take one over. No error is
        taken over.
        """
        for endpoint, result in self._earlier_results.items():
            if self.retry_in(endpoint) and isinstance(result, _Success):
                self._results.setdefault(endpoint, result)
        self._earlier_results = {}

    async def fetch[T](
        self,
        endpoint: Endpoint,
        query: Query,
        get: Callable[[str, Query], Awaitable[bytes]],
        parse: Callable[[bytes], T],
    ) -> Response[T]:
        """Return the parsed body of a request that is sent with `get`.

        Before the interval has passed, nothing is sent: the last response or error is repeated if it was
        for the same query, else JouloTooEarlyError is raised. A body that equals the last one is not
        parsed again.
        """
        async with self._timings[endpoint].lock:
            self._raise_if_token_rejected()
            if self.retry_in(endpoint):
                return self._repeat(endpoint, query)
            sent_at = datetime.now(UTC)
            try:
                with self._timed(endpoint):
                    body = await get(endpoint.path, query)
                    data = self._reuse_or_parse(endpoint, body, parse)
            except JouloError as error:
                self._results[endpoint] = _Failure(query, error)
                raise
            if endpoint is Endpoint.CHARGERS:
                self._refused_at = None
            self._answered.add(endpoint)
            self._missing_since.pop(endpoint, None)
            response = Response(data, sent_at)
            self._results[endpoint] = _Success(query, body, response)
            return response

    @asynccontextmanager
    async def command_slot(self, endpoint: Endpoint) -> AsyncGenerator[None]:
        """Enclose the sending of a command, which is neither repeated nor remembered.

        Raise JouloRateLimitError while a `Retry-After` of Joulo's blocks the endpoint's path.
        """
        async with self._timings[endpoint].lock:
            self._raise_if_token_rejected()
            if retry_in := self.retry_in(endpoint):
                raise JouloRateLimitError(retry_in)
            with self._timed(endpoint):
                yield

    def _raise_if_token_rejected(self) -> None:
        if self.token_rejected:
            raise JouloAuthError

    def _repeat(self, endpoint: Endpoint, query: Query) -> Response[Any]:
        """Return the endpoint's last response or raise its last error, if it was for the same query."""
        retry_in = self.retry_in(endpoint)
        match self._results.get(endpoint):
            case _Failure(error=JouloRateLimitError()):
                raise JouloRateLimitError(retry_in)
            case _Failure(query=last_query, error=error) if last_query == query:
                raise error.with_traceback(None)
            case _Success(query=last_query, response=response) if last_query == query:
                return response
        raise JouloTooEarlyError(retry_in)

    def _reuse_or_parse[T](self, endpoint: Endpoint, body: bytes, parse: Callable[[bytes], T]) -> T:
        match self._results.get(endpoint):
            case _Success(body=last_body, response=response) if last_body == body:
                data: T = response.data
                return data
        return parse(body)

    @contextmanager
    def _timed(self, endpoint: Endpoint) -> Generator[None]:
        """Enclose a request, and block its endpoint for the interval afterwards.

        The interval counts from the end of the request: however slow the network is, no two requests
        reach Joulo closer together. It holds for a cancelled request too.
        """
        timing = self._timings[endpoint]
        timing.sent_at = time.monotonic()
        wait = endpoint.interval
        try:
            yield
        except JouloError as error:
            wait = self._wait_after(error, endpoint)
            raise
        finally:
            timing.block_for(wait)

    def _wait_after(self, error: JouloError, endpoint: Endpoint) -> float:
        """Return the seconds for which an error blocks its endpoint; apply its effect on other requests."""
        match error:
            case JouloAuthError():
                self._note_refusal(endpoint)
            case JouloConnectionError(sent=False):
                return 0.0
            case JouloRateLimitError():
                self._block_path(endpoint.path, error)
            case JouloNotFoundError() | JouloScopeError() if endpoint in _OPTIONAL_ENDPOINTS:
                first = time.monotonic() if endpoint in self._answered else -inf
                self._missing_since.setdefault(endpoint, first)
                return _MISSING_INTERVAL if self.is_missing(endpoint) else endpoint.interval
        return endpoint.interval

    def _note_refusal(self, endpoint: Endpoint) -> None:
        """Reject the token if `/chargers` refuses it after an earlier refusal; one alone may be a hiccup of Joulo's."""
        now = time.monotonic()
        if self._refused_at is None:
            self._refused_at = now
        elif endpoint is Endpoint.CHARGERS and now - self._refused_at >= _ONE_MOMENT:
            self.token_rejected = True

    def _was_refused(self, endpoint: Endpoint) -> bool:
        match self._results.get(endpoint):
            case _Failure(error=JouloAuthError()):
                return True
        return False

    def _block_path(self, path: str, error: JouloRateLimitError) -> None:
        """Block all endpoints with the path of a rate-limited request: Joulo does not tell them apart."""
        for endpoint in Endpoint:
            if endpoint.path == path:
                self._timings[endpoint].block_for(error.retry_after)
                self._results[endpoint] = _Failure({}, error)
