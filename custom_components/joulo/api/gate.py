"""The gate through which every request goes: it keeps Joulo's intervals and remembers what came of the last.

Asked too early, it sends nothing and repeats the last outcome, answer or error.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
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


class Door(Enum):
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


OPTIONAL = frozenset({Door.ME, Door.ERE_POSITION})
"""What an account may lack; what is missing is asked for again after a day."""


@dataclass(slots=True)
class _Pace:
    """When a request was last sent through a door, and when the next may be (monotonic seconds)."""

    sent_at: float = -inf
    opens_at: float = -inf
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def opens_in(self) -> float:
        return max(0.0, self.opens_at - time.monotonic())

    def close(self, seconds: float) -> None:
        # From the end of the request: however slow the network, two never arrive closer together.
        self.opens_at = max(self.opens_at, time.monotonic() + seconds)


@dataclass(slots=True)
class _Outcome:
    """What came of the last request through a door."""

    query: object = None
    answer: Any = None
    error: JouloError | None = None

    def repeat(self, query: object, opens_in: float) -> Any:
        """Return or raise once more what the same request brought."""
        if isinstance(self.error, JouloRateLimitError):
            raise JouloRateLimitError(opens_in)
        if query != self.query or (self.answer is None and self.error is None):
            raise JouloTooEarlyError(opens_in)
        if self.error is not None:
            raise self.error.with_traceback(None)
        return self.answer


class Gate:
    """One token's gate; it outlives the clients that use it, and its pace outlives the token."""

    def __init__(
        self,
        paces: Mapping[Door, _Pace] | None = None,
        earlier: Mapping[Door, _Outcome] | None = None,
    ) -> None:
        """Begin open; or with the paces that an account's other gate keeps, and what it brought."""
        self._paces = {door: _Pace() for door in Door} | dict(paces or {})
        self._outcomes = {door: _Outcome() for door in Door}
        self._earlier = earlier or {}
        self.refused = False
        """Whether Joulo refused the token: then nothing is sent any more."""

    def sent_at(self, door: Door) -> float:
        """Return when the last request was sent through a door (monotonic seconds)."""
        return self._paces[door].sent_at

    def opens_in(self, door: Door) -> float:
        """Return the seconds until a request through this door would be sent."""
        return self._paces[door].opens_in

    def for_next_token(self) -> Gate:
        """Return the gate for another try at the same account.

        Joulo's intervals go on; answers and refusals, and what the old token lacked, do not.
        """
        kept = {door: pace for door, pace in self._paces.items() if door not in OPTIONAL}
        return Gate(kept, self._outcomes)

    def accept(self) -> None:
        """Take over what the gate before was answered: the token is of the same account."""
        for door, earlier in self._earlier.items():
            outcome = self._outcomes[door]
            if self.opens_in(door) and outcome.answer is None and outcome.error is None:
                outcome.query, outcome.answer = earlier.query, earlier.answer
        self._earlier = {}

    async def ask[AnswerT](
        self, door: Door, query: object, send: Callable[[], Awaitable[AnswerT]]
    ) -> AnswerT:
        """Return what `send` brings, or, too early, what the last equal query through the door brought.

        Raises JouloTooEarlyError when it is too early and the last query was another one.
        """
        pace, outcome = self._paces[door], self._outcomes[door]
        async with pace.lock:
            if self.refused:
                raise JouloAuthError
            if pace.opens_in:
                answer: AnswerT = outcome.repeat(query, pace.opens_in)
                return answer
            wait = door.interval
            pace.sent_at = time.monotonic()
            try:
                answer = await send()
            except JouloError as error:
                wait = self._learn(error, door)
                outcome.query, outcome.answer, outcome.error = query, None, error
                raise
            else:
                outcome.query, outcome.answer, outcome.error = query, answer, None
                return answer
            finally:
                pace.close(wait)

    async def order[AnswerT](self, door: Door, send: Callable[[], Awaitable[AnswerT]]) -> AnswerT:
        """Return what `send` brings, which changes something: it is never repeated, nor remembered.

        Raises JouloRateLimitError while Joulo wants no request at the door's path.
        """
        pace = self._paces[door]
        async with pace.lock:
            if self.refused:
                raise JouloAuthError
            if pace.opens_in:
                raise JouloRateLimitError(pace.opens_in)
            try:
                return await send()
            except JouloError as error:
                pace.close(self._learn(error, door))
                raise

    def _learn(self, error: JouloError, door: Door) -> float:
        """Take note of what an error means for other requests; return how long the door stays shut."""
        match error:
            case JouloAuthError():
                # The account's next token may be tried at once.
                self.refused = True
                return 0.0
            case JouloConnectionError(sent=False):
                # Nothing was asked of the account.
                return 0.0
            case JouloRateLimitError():
                self._hold_back(door, error)
                return max(error.retry_after, door.interval)
            case JouloNotFoundError() | JouloScopeError() if door in OPTIONAL:
                return _DAY
        return door.interval

    def _hold_back(self, door: Door, error: JouloRateLimitError) -> None:
        """Shut every door with the same path: Joulo does not tell them apart."""
        for other in Door:
            if other.path == door.path:
                self._paces[other].close(error.retry_after)
                self._outcomes[other].error = error
