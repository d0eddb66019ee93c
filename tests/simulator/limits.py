"""The rate limits (Joulo for Home Assistant guide, Rate limiting), kept per account."""

import datetime as dt
from typing import Protocol

_NONE = dt.timedelta()
_HISTORY = dt.timedelta(seconds=5)  # invented: the pace that a reader of past pages should keep
_INTERVALS = {
    "/chargers": dt.timedelta(seconds=60),
    "/sessions": dt.timedelta(seconds=600),
    "/energy": dt.timedelta(seconds=600),
}


class Limited(Protocol):
    """What the limits look at in a request."""

    method: str
    path: str
    query: dict[str, str]


class RateLimits:
    """Remembers when each account last had an answer under each interval.

    Pages of the past (`/sessions` with `to`) have an interval of their own.
    """

    def __init__(self) -> None:
        self._last: dict[tuple[str, str, bool], dt.datetime] = {}

    def remaining(self, account_id: str, request: Limited, now: dt.datetime) -> dt.timedelta:
        """Return how much too early a request comes; zero or less when it may be answered."""
        last = self._last.get(_key(account_id, request))
        return _NONE if last is None else last + _interval(request) - now

    def note(self, account_id: str, request: Limited, now: dt.datetime) -> None:
        """Start the interval anew: a request was let through."""
        self._last[_key(account_id, request)] = now


def _key(account_id: str, request: Limited) -> tuple[str, str, bool]:
    return account_id, f"{request.method} {request.path}", _reads_the_past(request)


def _interval(request: Limited) -> dt.timedelta:
    if request.method != "GET":
        return _NONE
    return _HISTORY if _reads_the_past(request) else _INTERVALS.get(request.path, _NONE)


def _reads_the_past(request: Limited) -> bool:
    return request.path == "/sessions" and "to" in request.query
