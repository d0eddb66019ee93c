"""Tolerant readers of single JSON values: what is absent, null or nonsense becomes `None`."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from enum import StrEnum

LONGEST_TEXT = 255
"""Characters; Home Assistant keeps no longer state, and no id, name or tag of Joulo's is longer."""

_LARGEST = 1e12
"""No figure of Joulo's is larger; sums and products of such figures stay finite."""

_YEARS = range(2000, 2200)
"""A moment outside them is nonsense, and would overflow calendar arithmetic."""


class UnknownValue(str):
    """A word that Joulo sent and this version does not know."""

    __slots__ = ()


def parse_text(value: object) -> str | None:
    """Return a text without surrounding space; an empty one counts as absent."""
    if not isinstance(value, str):
        return None
    # Half a surrogate pair can be neither stored nor shown.
    text = value.encode(errors="replace").decode().strip()
    return text if 0 < len(text) <= LONGEST_TEXT else None


def parse_identifier(value: object) -> str | None:
    """Return a text, also where it is written as a whole number."""
    return (
        parse_text(value) if isinstance(value, str) else parse_text(str(parse_integer(value) or ""))
    )


def parse_number(value: object) -> float | None:
    """Return a finite number; numbers may come as strings."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError, OverflowError:
        return None
    return number if abs(number) <= _LARGEST else None


def parse_non_negative(value: object) -> float | None:
    """Return a number that is not negative: nothing charges less than nothing."""
    number = parse_number(value)
    return number if number is not None and number >= 0 else None


def parse_integer(value: object) -> int | None:
    """Return a whole number."""
    number = parse_number(value)
    return int(number) if number is not None and number.is_integer() else None


def parse_bool(value: object) -> bool | None:
    """Return a boolean; nothing else is taken for one."""
    return value if isinstance(value, bool) else None


def parse_datetime(value: object) -> datetime | None:
    """Return an ISO 8601 moment in UTC, with or without fraction; without a zone it is UTC."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except ValueError, OverflowError:
        return None
    return moment if moment.year in _YEARS else None


def parse_month(value: object) -> date | None:
    """Return the first day of a month written as `YYYY-MM`, or as a day in it."""
    if not isinstance(value, str):
        return None
    try:
        year, month, *_ = map(int, value.strip().split("-"))
        first = date(year, month, 1)
    except ValueError, OverflowError:
        return None
    return first if first.year in _YEARS else None


def parse_enum[WordT: StrEnum](
    words: type[WordT],
) -> Callable[[object], WordT | UnknownValue | None]:
    """Return a reader of an enumeration that keeps unlisted words apart."""

    def read(value: object) -> WordT | UnknownValue | None:
        text = parse_text(value)
        if text is None:
            return None
        try:
            return words(text.lower())
        except ValueError:
            return UnknownValue(text)

    return read
