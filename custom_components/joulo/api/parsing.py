"""Tolerant parsers of single JSON values. A value that is absent, null or of another kind becomes None."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from enum import StrEnum
import json
from typing import Any

from .errors import JouloResponseError

MAX_TEXT_LENGTH = 255
"""Characters. Home Assistant stores no longer state, and no id, name or tag of Joulo's is longer."""

_MAX_NUMBER = 1e12
"""No figure of Joulo's is larger, and sums and products of figures up to this one stay finite."""

_WHOLE = 100.0
"""Percent."""

_YEARS = range(2000, 2200)
"""Years of a plausible date. Dates far outside them would overflow in calendar arithmetic."""


class UnknownValue(str):
    """A value that Joulo sent for an enumeration and that this version of the client does not list."""

    __slots__ = ()


def parse_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object in a body. Raise JouloResponseError if the body holds anything else.

    NaN and Infinity are accepted in the JSON, so that one of them costs only its own field.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise JouloResponseError("not JSON") from error
    if not isinstance(document, dict):
        raise JouloResponseError("not an object")
    return document


def parse_text(value: object) -> str | None:
    """Return a text without surrounding spaces. An empty or very long text counts as absent."""
    if not isinstance(value, str):
        return None
    # Half a surrogate pair cannot be encoded, and thus be neither stored nor shown: it becomes "?".
    text = value.encode(errors="replace").decode().strip()
    return text if 0 < len(text) <= MAX_TEXT_LENGTH else None


def parse_identifier(value: object) -> str | None:
    """Return an identifier as text, whether Joulo sent it as a text or as a whole number."""
    if isinstance(value, str):
        return parse_text(value)
    number = parse_integer(value)
    return str(number) if number else None


def parse_number(value: object) -> float | None:
    """Return a finite number, whether Joulo sent it as a number or as a text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError, OverflowError:
        return None
    return number if abs(number) <= _MAX_NUMBER else None


def parse_non_negative(value: object) -> float | None:
    """Return a number of at least 0, for amounts that cannot be negative."""
    number = parse_number(value)
    return number if number is not None and number >= 0 else None


def parse_positive(value: object) -> float | None:
    """Return a number above 0, for prices: nothing is sold for nothing."""
    number = parse_number(value)
    return number if number is not None and number > 0 else None


def parse_percentage(value: object) -> float | None:
    """Return a number from 0 to 100."""
    number = parse_number(value)
    return number if number is not None and 0 <= number <= _WHOLE else None


def parse_integer(value: object) -> int | None:
    """Return a whole number."""
    number = parse_number(value)
    return int(number) if number is not None and number.is_integer() else None


def parse_bool(value: object) -> bool | None:
    """Return a boolean. Numbers and texts are not converted."""
    return value if isinstance(value, bool) else None


def parse_datetime(value: object) -> datetime | None:
    """Return an ISO 8601 date and time in UTC. Without a zone, the value is taken as UTC."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except ValueError, OverflowError:
        return None
    return moment if moment.year in _YEARS else None


def parse_month(value: object) -> date | None:
    """Return the first day of a month, whether Joulo sent `YYYY-MM` or a date in that month."""
    if not isinstance(value, str):
        return None
    try:
        year, month, *_ = map(int, value.strip().split("-"))
        first = date(year, month, 1)
    except ValueError, OverflowError:
        return None
    return first if first.year in _YEARS else None


def parse_enum[EnumT: StrEnum](
    enum: type[EnumT],
) -> Callable[[object], EnumT | UnknownValue | None]:
    """Return a parser of an enumeration. It ignores case, and keeps an unlisted value as UnknownValue."""
    members = {member.value: member for member in enum}

    def parse(value: object) -> EnumT | UnknownValue | None:
        text = parse_text(value)
        if text is None:
            return None
        return members.get(text.lower()) or UnknownValue(text)

    return parse
