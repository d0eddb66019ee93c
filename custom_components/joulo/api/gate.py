"""The gate through which every request goes: it keeps Joulo's intervals and remembers what came of the last.

Asked too early, it sends nothing and repeats the last outcome, answer or error.
"""

import asyncio
from collections.abc import Awaitable, Callable
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
    Assistant", Rate limiting); for older pages and `/me` it names none, so these are ours.
    """

    CHARGERS = ("chargers", 60.0)
    SESSIONS = ("sessions", 600.0)
    HISTORY = ("sessions", 5.0)
    ENERGY = ("energy", 600.0)
    ME = ("me", 60.0)

    def __init__(self, path: str, interval: float) -> None:
        self.path = path
        self.interval = interval


OPTIONAL = frozenset({Door.ME})
"""What an account may lack; what is missing is asked for again after a day."""


@dataclass(slots=True)
class _Outcome:
    """What came of the last request through a door, and when (monotonic seconds) it opens again."""

    opens_at: float = -inf
    query: object = None
    answer: Any = None
    error: JouloError | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def opens_in(self) -> float:
        return max(0.0, self.opens_at - time.monotonic())

    def repeat(self, query: object) -> Any:
        """Return or raise once more what the same request brought."""
        if query != self.query or (self.answer is None and self.error is None):
            raise JouloTooEarlyError(self.opens_in)
        if isinstance(self.error, JouloRateLimitError):
            raise JouloRateLimitError(self.opens_in)
        if self.error is not None:
            raise self.error.with_traceback(None)
        return self.answer


class Gate:
    """One account's gate; it belongs to one token and outlives the clients that use it."""

    def __init__(self) -> None:
        self._outcomes = {door: _Outcome() for door in Door}
        self._refused = False

    @property
    def refused(self) -> bool:
        """Whether Joulo refused the token: then nothing is sent any more."""
        return self._refused

    def opens_in(self, door: Door) -> float:
        """Return the seconds until a request through this door would be sent."""
        return self._outcomes[door].opens_in

    def for_next_token(self) -> Gate:
        """Return the gate for another token of the same account.

        Joulo's intervals go on; answers, refusals and what the old token lacked do not.
        """
        gate = Gate()
        for door in Door:
            if door not in OPTIONAL:
                gate._outcomes[door].opens_at = self._outcomes[door].opens_at
        return gate

    def take_answers(self, before: Gate) -> None:
        """Take over what the same account's gate was answered, where it may not be asked again yet."""
        for door, outcome in self._outcomes.items():
            earlier = before._outcomes[door]
            if outcome.opens_in and outcome.answer is None and outcome.error is None:
                outcome.query, outcome.answer = earlier.query, earlier.answer

    async def ask[AnswerT](
        self, door: Door, query: object, send: Callable[[], Awaitable[AnswerT]]
    ) -> AnswerT:
        """Return what `send` brings, or, too early, what the last equal query through the door brought.

        Raises JouloTooEarlyError when it is too early and the last query was another one.
        """
        outcome = self._outcomes[door]
        async with outcome.lock:
            if self._refused:
                raise JouloAuthError
            if outcome.opens_in:
                answer: AnswerT = outcome.repeat(query)
                return answer
            wait = door.interval
            try:
                answer = await send()
            except JouloError as error:
                self._refused |= isinstance(error, JouloAuthError)
                wait = self._wait_after(error, door)
                outcome.query, outcome.answer, outcome.error = query, None, error
                raise
            else:
                outcome.query, outcome.answer, outcome.error = query, answer, None
                return answer
            finally:
                self._close(door, wait)

    def _wait_after(self, error: JouloError, door: Door) -> float:
        match error:
            case JouloRateLimitError():
                for other in Door:
                    if other.path == door.path:
                        self._close(other, error.retry_after)
                return max(error.retry_after, door.interval)
            case JouloNotFoundError() | JouloScopeError() if door in OPTIONAL:
                return _DAY
            case JouloConnectionError(sent=False) | JouloAuthError():
                # Nothing was asked of the account; its next token may be tried at once.
                return 0.0
        return door.interval

    def _close(self, door: Door, seconds: float) -> None:
        # From the end of the request: however slow the network, two never arrive closer together.
        outcome = self._outcomes[door]
        outcome.opens_at = max(outcome.opens_at, time.monotonic() + seconds)
