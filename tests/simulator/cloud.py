"""The cloud around the accounts: tokens, rate limits, faults, and a record of every request."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
import datetime as dt
from typing import Any

from .account import SimulatedAccount
from .answers import Json
from .clock import Clock, system_clock
from .faults import EVERYWHERE, Fault, PlannedFault
from .limits import RateLimits

PATHS = (
    "/chargers",
    "/sessions",
    "/energy",
    "/me",
    "/ere-position",
    "/chargers/reboot",
)


@dataclass(slots=True, kw_only=True)
class RecordedRequest:
    """A request as it came in, and what became of it."""

    method: str
    path: str
    query: dict[str, str]
    at: dt.datetime
    body: Json | None = None
    authorized: bool = False
    refused: bool = False  # by the rate limit
    fault: Fault | None = None
    status: int | None = None  # None while unanswered, and when no answer was given


class SimulatedCloud:
    """A Joulo cloud that serves one or more accounts.

    `wall` tells the time that rate limits and records follow, whatever the accounts' clocks show. What
    came too early, or with a token that opens nothing, stays on record when `requests` is forgotten.
    """

    def __init__(
        self, account: SimulatedAccount, *others: SimulatedAccount, wall: Clock = system_clock
    ) -> None:
        self.accounts = [account, *others]
        self.wall = wall
        self.limits = RateLimits()
        self.requests: list[RecordedRequest] = []
        self.ever_refused: list[RecordedRequest] = []
        self.ever_unauthorized: list[RecordedRequest] = []
        self.retry_after_as_date = False
        self.unplugged = False  # requests reach nobody, and leave no record
        self.garble: Callable[[Json], Any] | None = None  # what becomes of every good answer
        self.hanging = (
            asyncio.Event()
        )  # set when a request gets no answer, for whoever wants to wait that out
        self._faults: dict[str, PlannedFault] = {}

    @property
    def account(self) -> SimulatedAccount:
        """The first account, which is the only one in most tests."""
        return self.accounts[0]

    def account_of(self, token: str) -> SimulatedAccount | None:
        """Return the account that `token` opens at this moment."""
        return next((account for account in self.accounts if account.token == token), None)

    # The record

    def count(self, path: str, method: str = "GET") -> int:
        """Return how many requests came in for `path`, refused ones included."""
        return sum((r.method, r.path) == (method, path) for r in self.requests)

    def refused(self) -> list[RecordedRequest]:
        """Return the requests that came faster than the rate limits allow."""
        return [request for request in self.requests if request.refused]

    def forget_requests(self) -> None:
        """Start a new record; the rate limits remember."""
        self.requests.clear()

    # Faults

    def fail(
        self,
        path: str,
        fault: Fault,
        *,
        times: int | None = None,
        retry_after: int | str | dt.datetime | None = None,
    ) -> None:
        """Answer `path` with a fault the next `times` times, or until `recover`.

        `path` may be EVERYWHERE; a fault planned for the path itself goes first.
        """
        if path not in (*PATHS, EVERYWHERE):
            raise ValueError(f"The API has no path {path}")
        self._faults[path] = PlannedFault(fault, times, retry_after)

    def recover(self) -> None:
        """Take every fault back."""
        self._faults.clear()

    def next_fault(self, path: str) -> PlannedFault | None:
        """Return the fault that the next answer to `path` shows, and count it."""
        for key in (path, EVERYWHERE):
            if (planned := self._faults.get(key)) is not None and planned.use():
                return planned
        return None
