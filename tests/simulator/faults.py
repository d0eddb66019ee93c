"""Faults that the simulator can be told to show."""

from dataclasses import dataclass
import datetime as dt
from email.utils import format_datetime
from enum import StrEnum

EVERYWHERE = "*"


class Fault(StrEnum):
    """A way in which an answer of the API can go wrong."""

    UNAUTHORIZED = "unauthorized"  # 401
    FORBIDDEN = "forbidden"  # 403 with the scope that is missing
    FIREWALL = "firewall"  # 403 with a page of HTML
    NOT_FOUND = "not_found"  # 404
    NOT_ALLOWED = "not_allowed"  # 405
    RATE_LIMITED = "rate_limited"  # 429, with `Retry-After` if one was planned
    SERVER_ERROR = "server_error"  # 500 with a JSON error
    BAD_GATEWAY = "bad_gateway"  # 502 with a page of HTML
    TIMEOUT = "timeout"  # no answer, ever
    DROPPED = "dropped"  # the connection closes instead of an answer
    TRUNCATED = "truncated"  # half the JSON, honestly announced as that long
    CUT_OFF = "cut_off"  # the connection closes halfway through the announced JSON
    WRONG_SHAPE = "wrong_shape"  # objects where lists belong
    WRONG_TYPES = "wrong_types"  # numbers as strings, and so on
    NOT_JSON = "not_json"  # a sentence that claims to be JSON
    CAPTIVE_PORTAL = "captive_portal"  # 200 with a page of HTML that wants a login
    REDIRECT = "redirect"  # 302 to ELSEWHERE
    ENORMOUS = "enormous"  # good JSON of more than 10 MB
    EMPTY_ACCOUNT = "empty_account"  # the answer of an account without chargers
    SHORT_PAGES = "short_pages"  # ten sessions, on a page that claims to hold a hundred
    ONE_MONTH = "one_month"  # only the sessions of the last month


# Where a redirect leads: a path that the API does not have, so that a visit shows in the record.
ELSEWHERE = "/elsewhere"

# Faults that come before any work is done, so that they do not start a rate limit's interval.
# Dropped is one of them because aiohttp, unasked, sends a dropped GET a second time.
UNCOUNTED = frozenset({Fault.UNAUTHORIZED, Fault.RATE_LIMITED, Fault.DROPPED})


@dataclass(slots=True)
class PlannedFault:
    """A fault, how many answers it still spoils (None: all), and the wait that it asks for."""

    fault: Fault
    times: int | None = None
    retry_after: int | str | dt.datetime | None = None

    def use(self) -> bool:
        """Count one answer; False when the fault is used up."""
        if self.times is None:
            return True
        self.times -= 1
        return self.times >= 0


def retry_after_header(wait: int | str | dt.datetime | None) -> dict[str, str]:
    """Word `Retry-After`: seconds, a moment as an HTTP date, text as it is, or no header."""
    if wait is None:
        return {}
    if isinstance(wait, dt.datetime):
        return {"Retry-After": format_datetime(wait.astimezone(dt.UTC), usegmt=True)}
    return {"Retry-After": str(wait)}
