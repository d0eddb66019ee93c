"""Rate limiter: it keeps Joulo's intervals between requests, and the last answer of each endpoint."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
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
from .parsing import parse_datetime, parse_non_negative

_MISSING_INTERVAL = 86_400.0
"""Seconds until an optional endpoint that an account lacks is asked again.

One that has answered before counts as lacking only after so many seconds of errors.
"""

_ONE_MOMENT = 30.0
"""Seconds within which several refusals count as one: at set-up, several endpoints are asked at once."""

_LONGEST_WAIT = 86_400.0
"""Seconds; a `Retry-After` counts up to a day, and nothing else makes an endpoint wait for longer."""

_LONG_BODY = 250_000
"""Bytes. Usual answers are a tenth of it; a longer one takes so long to parse that it is done in a thread."""

type Query = Mapping[str, str]
type Get = Callable[[str, Query], Awaitable[bytes]]
"""Sends a request for a path with a query, and returns the body of the answer."""


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

_STORED_ANSWERS = frozenset(
    {Endpoint.CHARGERS, Endpoint.ENERGY, Endpoint.ME, Endpoint.ERE_POSITION}
)
"""Endpoints whose last answer is stored. The sessions are in the history."""


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
class _Answer:
    """Last answer of an endpoint; `body` is the answer before parsing, `response` None until it is parsed."""

    query: Query
    body: bytes
    sent_at: datetime
    response: Response[Any] | None = None


@dataclass(frozen=True, slots=True)
class _Failure:
    """Error of an endpoint's last request, if that failed."""

    query: Query
    error: JouloError


class RateLimiter:
    """Rate limiter of one token.

    It is kept across reloads, and can be stored. A replacement token goes on with its timings.
    """

    def __init__(self) -> None:
        """Allow every request at once."""
        self._timings = {endpoint: _Timing() for endpoint in Endpoint}
        self._answers: dict[Endpoint, _Answer] = {}
        self._failures: dict[Endpoint, _Failure] = {}
        self.token_rejected = False
        """True once Joulo has refused the token twice. No request is sent any more."""
        self._missing_since: dict[Endpoint, float] = {}
        """Times of the first 403 or 404 since an optional endpoint last answered (monotonic seconds)."""
        self._refused_at: float | None = None
        """Time of the first refusal (monotonic seconds) since `/chargers` last answered."""
        self._is_fresh = True
        """Whether nothing was asked, and nothing taken over, in this run."""

    @property
    def is_refused(self) -> bool:
        """Whether the token was refused since `/chargers` last answered."""
        return self._refused_at is not None

    def sent_at(self, endpoint: Endpoint) -> float:
        """Return when this limiter last sent a request (monotonic seconds), or -inf before the first one.

        A request that failed counts too, unlike in `Response.sent_at`.
        """
        return self._timings[endpoint].sent_at

    def retry_in(self, endpoint: Endpoint) -> float:
        """Return the seconds until the next request may be sent."""
        return self._timings[endpoint].retry_in()

    def share_timings(self, earlier: RateLimiter) -> None:
        """Go on with the timings of another token of the same account: Joulo's intervals hold for the account.

        What that token was refused, and the optional endpoints, may be asked at once: this one may have a
        permission that the other lacks.
        """
        self._is_fresh = False
        for endpoint, timing in earlier._timings.items():
            if endpoint not in _OPTIONAL_ENDPOINTS and not earlier._was_refused(endpoint):
                self._timings[endpoint] = timing

    def adopt_answers(self, earlier: RateLimiter) -> None:
        """Take over the answers of another token, once both are known to be of one account.

        Only endpoints that must still wait and have no result of their own take one over. No error is
        taken over, nor an answer that an error followed.
        """
        for endpoint, answer in earlier._answers.items():
            has_failed = endpoint in self._failures or endpoint in earlier._failures
            if self.retry_in(endpoint) and not has_failed:
                self._answers.setdefault(endpoint, answer)

    def allow_one_try(self) -> None:
        """Let a rejected token be tried once more: the user has asked for it. A refusal rejects it again at once."""
        if self.token_rejected:
            self.token_rejected = False
            self._refused_at = -inf

    def to_stored(self, now: datetime) -> dict[str, Any]:
        """Return, ready for JSON, what another run needs: the seconds to wait at this moment, and the last answers."""
        return {
            "at": now.isoformat(),
            "token_rejected": self.token_rejected,
            "waits": {
                # One that is being asked right now will have to wait from then on.
                endpoint.name: endpoint.interval if timing.lock.locked() else timing.retry_in()
                for endpoint, timing in self._timings.items()
            },
            "answers": {
                endpoint.name: {
                    "query": dict(answer.query),
                    "body": answer.body.decode(errors="replace"),
                    "sent_at": answer.sent_at.isoformat(),
                }
                for endpoint in _STORED_ANSWERS
                if (answer := self._answers.get(endpoint)) is not None
                and len(answer.body) <= _LONG_BODY
            },
        }

    def restore(self, document: object, now: datetime, *, is_last: bool) -> None:
        """Continue by what an earlier run has stored, unless this one has begun; a damaged part is left out.

        Where that was not the last that the run did (`is_last`), it may have asked since then: every
        endpoint waits for a whole interval. A clock that has gone back since counts as standing still.
        """
        if not self._is_fresh or not isinstance(document, dict):
            return
        self._is_fresh = False
        if document.get("token_rejected") is True:
            self._refused_at = -inf
        stored_at = parse_datetime(document.get("at")) or now
        elapsed = max(0.0, (now - stored_at).total_seconds())
        waits, answers = document.get("waits"), document.get("answers")
        for endpoint in Endpoint:
            wait = parse_non_negative(waits.get(endpoint.name)) if isinstance(waits, dict) else None
            self._timings[endpoint].block_for(
                max(
                    min(wait or 0.0, _LONGEST_WAIT) - elapsed,
                    0.0 if is_last else endpoint.interval,
                )
            )
            answer = answers.get(endpoint.name) if isinstance(answers, dict) else None
            if endpoint in _STORED_ANSWERS and (parsed := _parse_answer(answer, now)) is not None:
                self._answers.setdefault(endpoint, parsed)

    async def fetch[T](
        self,
        endpoint: Endpoint,
        query: Query,
        get: Get,
        parse: Callable[[bytes], T],
    ) -> Response[T]:
        """Return the parsed body of a request that is sent with `get`.

        Before the interval has passed, nothing is sent: the last response or error is repeated if it was
        for the same query, else JouloTooEarlyError is raised. A body that equals the last one is not
        parsed again. An optional endpoint that has answered before repeats that answer for a day of 403
        and 404, before the error is raised: only then does it count as missing.
        """
        async with self._timings[endpoint].lock:
            self._raise_if_token_rejected()
            try:
                if self.retry_in(endpoint):
                    return self._repeat(endpoint, query, parse)
                return await self._ask(endpoint, query, get, parse)
            except JouloNotFoundError, JouloScopeError:
                is_kept = endpoint in _OPTIONAL_ENDPOINTS and not self._is_missing(endpoint)
                if is_kept and (answer := self._last_response(endpoint, query, parse)):
                    return answer
                raise

    async def _ask[T](
        self,
        endpoint: Endpoint,
        query: Query,
        get: Get,
        parse: Callable[[bytes], T],
    ) -> Response[T]:
        """Send a request, and remember its answer or its error."""
        sent_at = datetime.fromtimestamp(time.time(), UTC)
        try:
            with self._timed(endpoint):
                body = await get(endpoint.path, query)
                data = await self._reuse_or_parse(endpoint, body, parse)
        except JouloError as error:
            self._failures[endpoint] = _Failure(query, error)
            raise
        if endpoint is Endpoint.CHARGERS:
            self._refused_at = None
        self._failures.pop(endpoint, None)
        self._missing_since.pop(endpoint, None)
        response = Response(data, sent_at)
        self._answers[endpoint] = _Answer(query, body, sent_at, response)
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

    def _repeat[T](
        self, endpoint: Endpoint, query: Query, parse: Callable[[bytes], T]
    ) -> Response[T]:
        """Return the endpoint's last response or raise its last error, if it was for the same query."""
        retry_in = self.retry_in(endpoint)
        match self._failures.get(endpoint):
            case None:
                if response := self._last_response(endpoint, query, parse):
                    return response
            case _Failure(error=JouloRateLimitError()):
                raise JouloRateLimitError(retry_in)
            case _Failure(query=last_query, error=error) if last_query == query:
                raise error.with_traceback(None)
        raise JouloTooEarlyError(retry_in)

    def _last_response[T](
        self, endpoint: Endpoint, query: Query, parse: Callable[[bytes], T]
    ) -> Response[T] | None:
        """Return the endpoint's last response, if it was for the same query; one that was stored is parsed now."""
        answer = self._answers.get(endpoint)
        if answer is None or answer.query != query:
            return None
        if answer.response is None:
            try:
                response = Response(parse(answer.body), answer.sent_at)
            except JouloError:
                del self._answers[endpoint]
                return None
            self._answers[endpoint] = answer = replace(answer, response=response)
        return answer.response

    async def _reuse_or_parse[T](
        self, endpoint: Endpoint, body: bytes, parse: Callable[[bytes], T]
    ) -> T:
        match self._answers.get(endpoint):
            case _Answer(body=last_body, response=Response(data=last_data)) if last_body == body:
                data: T = last_data
                return data
        return await asyncio.to_thread(parse, body) if len(body) > _LONG_BODY else parse(body)

    @contextmanager
    def _timed(self, endpoint: Endpoint) -> Generator[None]:
        """Enclose a request, and block its endpoint for the interval afterwards.

        The interval counts from the end of the request: however slow the network is, no two requests
        reach Joulo closer together. It holds for a cancelled request too.
        """
        self._is_fresh = False
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
                first = time.monotonic() if endpoint in self._answers else -inf
                self._missing_since.setdefault(endpoint, first)
                return _MISSING_INTERVAL if self._is_missing(endpoint) else endpoint.interval
        return endpoint.interval

    def _is_missing(self, endpoint: Endpoint) -> bool:
        """Whether the account lacks an optional endpoint, and not only since a moment ago."""
        since = self._missing_since.get(endpoint)
        return since is not None and time.monotonic() - since >= _MISSING_INTERVAL

    def _note_refusal(self, endpoint: Endpoint) -> None:
        """Reject the token if `/chargers` refuses it after an earlier refusal; one alone may be a hiccup of Joulo's."""
        now = time.monotonic()
        if self._refused_at is None:
            self._refused_at = now
        elif endpoint is Endpoint.CHARGERS and now - self._refused_at >= _ONE_MOMENT:
            self.token_rejected = True

    def _was_refused(self, endpoint: Endpoint) -> bool:
        failure = self._failures.get(endpoint)
        return failure is not None and isinstance(failure.error, JouloAuthError)

    def _block_path(self, path: str, error: JouloRateLimitError) -> None:
        """Block all endpoints with the path of a rate-limited request: Joulo does not tell them apart."""
        for endpoint in Endpoint:
            if endpoint.path == path:
                self._timings[endpoint].block_for(error.retry_after)
                self._failures[endpoint] = _Failure({}, error)


def _parse_answer(stored: object, now: datetime) -> _Answer | None:
    """Return an answer that was stored, or None if a part of it is missing."""
    match stored:
        case {"query": dict(query), "body": str(body), "sent_at": sent_at} if at := parse_datetime(
            sent_at
        ):
            return _Answer(query, body.encode(errors="replace"), min(at, now))
    return None
