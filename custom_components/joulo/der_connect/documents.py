"""Parsers of the documents that DER Connect sends. What is absent, or in a unit that is not known, becomes None."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
import logging
import re
from typing import Any, NamedTuple

from ..api.errors import JouloResponseError
from ..api.parsing import (
    parse_datetime,
    parse_non_negative,
    parse_number,
    parse_object,
    parse_percentage,
    parse_positive,
    parse_text,
)
from .models import CarSession

_MOST_LOGGED = 50
_LONGEST_REASON = 200
_LONGEST_UNIT = 10
_LONGEST_TOKEN = 16_000
"""Characters; a header may not be much longer."""
_SHORTEST_LIFE = 120.0
"""Seconds for which a token is taken to be good whose life is not told."""
_DEEPEST_ERROR = 4
_SENTENCES = ("detail", "message", "description", "reason", "title")
"""Fields of an error that may hold its sentence, the likeliest first."""
_TAG = re.compile(r"<[^>]*>")

_KWH = {"wh": 1e-3, "kwh": 1.0, "mwh": 1e3}
_KW = {"w": 1e-3, "kw": 1.0}
_KM = {"m": 1e-3, "km": 1.0, "mi": 1.609344}
_PERCENT = {"%": 1.0}
_REGISTERS = ("t1", "t2", "t3", "t4")
"""Of a meter with tariffs; together they are the total."""

_LOGGER = logging.getLogger(__name__)


class Token(NamedTuple):
    """Access token, and the seconds for which it is good."""

    text: str
    seconds: float


class Page(NamedTuple):
    """Sessions of one page, and the token of the next page; empty on the last one."""

    sessions: tuple[CarSession, ...]
    ids: frozenset[str]
    """Of all rows, also of those that cannot be read otherwise."""
    continuation_token: str


def parse_token(body: bytes) -> Token:
    """Return the token in a response (DER Connect docs, Authenticate). Its content is nobody's business here."""
    document = parse_object(body)
    text = document.get("access_token")
    if not isinstance(text, str) or not 0 < len(text) <= _LONGEST_TOKEN:
        raise JouloResponseError("no token")
    return Token(text, parse_positive(document.get("expires_in")) or _SHORTEST_LIFE)


def parse_reason(body: bytes, secrets: Iterable[str] = ()) -> str:
    """Return the sentences in an error's body, whose shape is not documented: at most 200 characters, no markup.

    Dots stand in the place of a secret.
    """
    try:
        document = parse_object(body)
    except JouloResponseError:
        return ""
    # Each once.
    text = " ".join(dict.fromkeys(_sentences(document)))
    text = text.encode(errors="replace").decode()
    # Before the text is cut: the beginning of a secret must not remain either.
    for secret in filter(None, secrets):
        text = text.replace(secret, "...")
    return " ".join(_TAG.sub(" ", text).split())[:_LONGEST_REASON]


def _sentences(value: object, depth: int = 0) -> Iterator[str]:
    """Yield the sentences of an error: those of the errors within come first, for the whole may only count them."""
    if depth > _DEEPEST_ERROR:
        return
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _sentences(each, depth + 1)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, list) or key in {"errors", "error"}:
                yield from _sentences(inner, depth + 1)
        texts = (value.get(key) for key in _SENTENCES)
        yield from [text for text in texts if isinstance(text, str) and text][:1]


class PageParser:
    """Parses pages of charging sessions, and logs each problem once: every page would repeat it."""

    def __init__(self) -> None:
        self._logged: set[str] = set()

    def parse_page(self, body: bytes) -> Page:
        """Return the page in a body (DER Connect docs, List charge sessions). A row that cannot be read is left out."""
        document = parse_object(body)
        rows = document.get("data")
        if rows is None and "data" in document:
            rows = []
        if not isinstance(rows, list):
            raise JouloResponseError("no list of charge sessions")
        sessions = [self._parse_row(row) for row in rows]
        ids = (parse_text(_object(row).get("id")) for row in rows)
        return Page(
            tuple(session for session in sessions if session is not None),
            frozenset(each for each in ids if each is not None),
            _token_of(document.get("meta")),
        )

    def _parse_row(self, row: object) -> CarSession | None:
        outer = _object(row)
        data = _object(outer.get("data"))
        session_id = parse_text(outer.get("id"))
        start, end = (parse_datetime(data.get(key)) for key in ("start", "end"))
        if session_id is None or start is None or end is None:
            self._log_once(
                "A charge session from DER Connect is left out: it has no id, start or end"
            )
            return None
        return self._session(session_id, start, end, outer, data)

    def _session(
        self,
        session_id: str,
        start: datetime,
        end: datetime,
        outer: Mapping[str, Any],
        data: Mapping[str, Any],
    ) -> CarSession:
        charge, reach = _object(data.get("charge")), _object(data.get("range"))
        return CarSession(
            id=session_id,
            created_at=parse_datetime(outer.get("created")),
            started_at=start,
            ended_at=end if end >= start else None,
            energy_kwh=self._energy(_object(charge.get("total"))),
            average_power_kw=self._amount(charge.get("averagePower"), _KW),
            soc_start=self._percentage(charge.get("start")),
            soc_end=self._percentage(charge.get("end")),
            range_start_km=self._amount(reach.get("start"), _KM),
            range_end_km=self._amount(reach.get("end"), _KM),
            label=_label(data.get("locationMatches")),
        )

    def _energy(self, measured: Mapping[str, Any]) -> float | None:
        """Return kWh: the total, or else what the registers of the tariffs add up to."""
        total = parse_non_negative(measured.get("total"))
        if total is None:
            registers = [parse_non_negative(measured.get(key)) for key in _REGISTERS]
            known = [register for register in registers if register is not None]
            total = sum(known) if known else None
        return self._converted(total, measured.get("unit"), _KWH)

    def _amount(self, value: object, units: Mapping[str, float]) -> float | None:
        measured = _object(value)
        return self._converted(
            parse_non_negative(measured.get("value")), measured.get("unit"), units
        )

    def _percentage(self, value: object) -> float | None:
        return parse_percentage(self._amount(value, _PERCENT))

    def _converted(
        self, amount: float | None, unit: object, units: Mapping[str, float]
    ) -> float | None:
        """Return an amount in the unit in which it is kept; None for one in a unit that is not known."""
        if amount is None:
            return None
        factor = units.get(unit.strip().lower()) if isinstance(unit, str) else None
        if factor is None:
            shown = str(unit)[:_LONGEST_UNIT]
            self._log_once(f"DER Connect sent a figure in a unit that is not known: {shown!r}")
            return None
        return parse_number(amount * factor)

    def _log_once(self, message: str) -> None:
        if message not in self._logged and len(self._logged) < _MOST_LOGGED:
            self._logged.add(message)
            _LOGGER.warning(message)


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _token_of(meta: object) -> str:
    token = _object(meta).get("continuationToken")
    return token if isinstance(token, str) and len(token) <= _LONGEST_TOKEN else ""


def _label(matches: object) -> str | None:
    """Return the name of the place that fits most accurately. Where the place itself is, is never read."""
    named = [
        (parse_number(match.get("accuracy")) or 0.0, label)
        for match in (matches if isinstance(matches, list) else [])
        if isinstance(match, dict)
        and (label := parse_text(_object(match.get("location")).get("label")))
    ]
    return max(named, key=lambda each: each[0])[1] if named else None
