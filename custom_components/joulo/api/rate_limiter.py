"""The rate limiter through which every request goes: it keeps Joulo's intervals and remembers what came of the last.

Asked too early, it sends nothing and repeats the last outcome, answer or error.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
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

_DAY = 86400.0


class Endpoint(Enum):
    """A kind of request: its path, and the seconds that lie between two of them.

    A minute and ten minutes are Joulo's own limits ("Charging sessions, ERE and status in Home
    Assistant", Rate limiting); for older pages, `/me` and `/ere-position` it names none, so these are
    ours. Orders are held back only where Joulo asks for that.
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


OPTIONAL = frozenset({Endpoint.ME, Endpoint.ERE_POSITION})
"""What an account may lack; what is missing is asked for again after a day."""


@dataclass(slots=True)
class _Pace:
    """When a request was last sent through an endpoint, and when the next may be (monotonic seconds)."""

    sent_at: float = -inf
    next_allowed_at: float = -inf
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def retry_in(self) -> float:
        return max(0.0, self.next_allowed_at - time.monotonic())

    def block_for(self, seconds: float) -> None:
        # From the end of the request: however slow the network, two never arrive closer together.
        self.next_allowed_at = max(self.next_allowed_at, time.monotonic() + seconds)


@dataclass(frozen=True, slots=True)
class Response[DataT]:
    """Data that Joulo sent, and when it was asked for them."""

    data: DataT
    sent_at: datetime


@dataclass(slots=True)
class _Outcome:
    """What came of the last request through an endpoint."""

    query: object = None
    answer: Any = None
    error: JouloError | None = None

    def repeat(self, query: object, retry_in: float) -> Any:
        """Return or raise once more what the same request brought."""
        if isinstance(self.error, JouloRateLimitError):
            raise JouloRateLimitError(retry_in)
        if query != self.query or (self.answer is None and self.error is None):
            raise JouloTooEarlyError(retry_in)
        if self.error is not None:
            raise self.error.with_traceback(None)
        return self.answer


class RateLimiter:
    """One token's rate limiter; it outlives the clients that use it, and its pace outlives the token."""

    def __init__(
        self,
        paces: Mapping[Endpoint, _Pace] | None = None,
        earlier: Mapping[Endpoint, _Outcome] | None = None,
    ) -> None:
        """Begin open; or with the paces that an account's other gate keeps, and what it brought."""
        self._paces = {endpoint: _Pace() for endpoint in Endpoint} | dict(paces or {})
        self._outcomes = {endpoint: _Outcome() for endpoint in Endpoint}
        self._earlier = earlier or {}
        self.token_rejected = False
        """Whether Joulo refused the token: then nothing is sent any more."""

    def sent_at(self, endpoint: Endpoint) -> float:
        """Return when the last request was sent through an endpoint (monotonic seconds)."""
        return self._paces[endpoint].sent_at

    def retry_in(self, endpoint: Endpoint) -> float:
        """Return the seconds until a request through this endpoint would be sent."""
        return self._paces[endpoint].retry_in

    def for_next_token(self) -> RateLimiter:
        """Return the rate limiter for another try at the same account.

        Joulo's intervals go on; answers and refusals, and what the old token lacked, do not.
        """
        kept = {
            endpoint: pace for endpoint, pace in self._paces.items() if endpoint not in OPTIONAL
        }
        return RateLimiter(kept, self._outcomes)

    def accept(self) -> None:
        """Take over what the rate limiter before was answered: the token is of the same account."""
        for endpoint, earlier in self._earlier.items():
            outcome = self._outcomes[endpoint]
            if self.retry_in(endpoint) and outcome.answer is None and outcome.error is None:
                outcome.query, outcome.answer = earlier.query, earlier.answer
        self._earlier = {}

    async def fetch[AnswerT](
        self, endpoint: Endpoint, query: object, send: Callable[[], Awaitable[AnswerT]]
    ) -> Response[AnswerT]:
        """Return what `send` brings, or, too early, what the last equal query through the endpoint brought.

        Raises JouloTooEarlyError when it is too early and the last query was another one.
        """
        pace, outcome = self._paces[endpoint], self._outcomes[endpoint]
        async with pace.lock:
            if self.token_rejected:
                raise JouloAuthError
            if pace.retry_in:
                answer: Response[AnswerT] = outcome.repeat(query, pace.retry_in)
                return answer
            wait = endpoint.interval
            pace.sent_at = time.monotonic()
            sent_at = datetime.now(UTC)
            try:
                answer = Response(await send(), sent_at)
            except JouloError as error:
                wait = self._learn(error, endpoint)
                outcome.query, outcome.answer, outcome.error = query, None, error
                raise
            else:
                outcome.query, outcome.answer, outcome.error = query, answer, None
                return answer
            finally:
                pace.block_for(wait)

    async def send_command[AnswerT](
        self, endpoint: Endpoint, send: Callable[[], Awaitable[AnswerT]]
    ) -> AnswerT:
        """Return what `send` brings, which changes something: it is never repeated, nor remembered.

        Raises JouloRateLimitError while Joulo wants no request at the endpoint's path.
        """
        pace = self._paces[endpoint]
        async with pace.lock:
            if self.token_rejected:
                raise JouloAuthError
            if pace.retry_in:
                raise JouloRateLimitError(pace.retry_in)
            try:
                return await send()
            except JouloError as error:
                pace.block_for(self._learn(error, endpoint))
                raise

    def _learn(self, error: JouloError, endpoint: Endpoint) -> float:
        """Take note of what an error means for other requests; return how long the endpoint stays shut."""
        match error:
            case JouloAuthError():
                # The account's next token may be tried at once.
                self.token_rejected = True
                return 0.0
            case JouloConnectionError(sent=False):
                # Nothing was asked of the account.
                return 0.0
            case JouloRateLimitError():
                self._hold_back(endpoint, error)
                return max(error.retry_after, endpoint.interval)
            case JouloNotFoundError() | JouloScopeError() if endpoint in OPTIONAL:
                return _DAY
        return endpoint.interval

    def _hold_back(self, endpoint: Endpoint, error: JouloRateLimitError) -> None:
        """Shut every endpoint with the same path: Joulo does not tell them apart."""
        for other in Endpoint:
            if other.path == endpoint.path:
                self._paces[other].block_for(error.retry_after)
                self._outcomes[other].error = error
