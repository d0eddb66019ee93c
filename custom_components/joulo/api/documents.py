"""Parsers of the documents that Joulo sends: from the body of a response to models."""

from collections.abc import Iterator
from itertools import pairwise
import logging
from typing import Any, Final

from .errors import JouloResponseError
from .models import (
    AccountProfile,
    Charger,
    ChargingSession,
    Cursor,
    Energy,
    ErePosition,
    Model,
    RegisteredCharger,
    SessionPage,
)
from .parsing import UnknownValue, parse_datetime, parse_integer, parse_object, parse_text

MAX_PAGE_SIZE: Final = 100
"""Sessions that Joulo sends on a page at most."""

_MOST_ROWS = 1000
"""Rows of a document that are read. Sessions beyond them follow on further pages."""

_MOST_LOGGED = 50
"""Different problems that are logged at most: a document of nonsense would fill the log with words of its own."""

_LOGGER = logging.getLogger(__name__)


class DocumentParser:
    """Parses documents, and logs each problem once: polling would repeat the same line every minute.

    A document without a single usable part raises JouloResponseError.
    """

    def __init__(self) -> None:
        self._logged: set[str] = set()

    def parse_chargers(self, body: bytes) -> tuple[Charger, ...]:
        """Return the chargers in a body of `/chargers`."""
        rows = _parse_list(parse_object(body), "chargers")
        chargers = self._parse_rows(Charger, rows)
        if rows and not chargers:
            raise JouloResponseError("no charger can be read")
        for charger in chargers:
            self._log_unknown("status", charger.status)
            self._log_unknown("connection type", charger.connection_type)
        return chargers

    def parse_session_page(self, body: bytes) -> SessionPage:
        """Return the page of charging sessions in a body of `/sessions`."""
        document = parse_object(body)
        rows = _parse_list(document, "sessions")
        ids = _parse_ids(rows)
        if rows and not ids:
            raise JouloResponseError("no session can be read")
        cursors = list(_parse_cursors(rows))
        sessions = self._parse_rows(ChargingSession, rows)
        for session in sessions:
            self._log_unknown("session status", session.status)
        return SessionPage(
            sessions=sessions,
            ids=ids,
            oldest=min(cursors, default=None),
            newest=max((cursor.moment for cursor in cursors), default=None),
            row_count=len(rows),
            is_full=len(rows) >= _parse_page_size(document.get("limit")),
            is_newest_first=all(one.moment >= other.moment for one, other in pairwise(cursors)),
        )

    def _parse_rows[ModelT: (Charger, ChargingSession)](
        self, model: type[ModelT], rows: list[Any]
    ) -> tuple[ModelT, ...]:
        """Return the models of the rows, the first of each id. A row that cannot be parsed is left out."""
        models: dict[str, ModelT] = {}
        for row in rows:
            try:
                parsed = _parse_row(model, row)
            except ValueError as error:
                self._log_once(f"A {model.__name__} from Joulo is left out: {error}")
            else:
                models.setdefault(parsed.id, parsed)
        return tuple(models.values())

    def _log_unknown(self, field: str, value: object) -> None:
        if isinstance(value, UnknownValue):
            self._log_once(f"Joulo sent a {field} that this version does not know: {value!r}")

    def _log_once(self, message: str) -> None:
        if message not in self._logged and len(self._logged) < _MOST_LOGGED:
            self._logged.add(message)
            _LOGGER.warning(message)


def parse_energy(body: bytes) -> Energy:
    """Return the totals in a body of `/energy`."""
    energy = Energy.from_dict(parse_object(body))
    if energy == Energy():
        raise JouloResponseError("no totals")
    return energy


def parse_account_profile(body: bytes) -> AccountProfile:
    """Return the account's profile in a body of `/me`. All its fields may be absent."""
    return AccountProfile.from_dict(parse_object(body))


def parse_ere_position(body: bytes) -> ErePosition:
    """Return the amounts in a body of `/ere-position`. All of them may be absent."""
    return ErePosition.from_dict(parse_object(body))


def parse_registered_charger(body: bytes) -> RegisteredCharger:
    """Return the charger in the response to a registration."""
    try:
        return RegisteredCharger.from_dict(parse_object(body))
    except LookupError, ValueError:
        # The cause is left out: its message may hold the password.
        raise JouloResponseError("no charger") from None


def _parse_list(document: dict[str, Any], key: str) -> list[Any]:
    rows = document.get(key)
    if not isinstance(rows, list):
        raise JouloResponseError(f"no list of {key}")
    return rows[:_MOST_ROWS]


def _parse_row[ModelT: Model](model: type[ModelT], row: object) -> ModelT:
    """Return the model of a row. Raise ValueError with the reason if it lacks what the model requires."""
    if not isinstance(row, dict):
        raise ValueError("not an object")  # noqa: TRY004 - bad data, not a bad argument
    try:
        return model.from_dict(row)
    except LookupError:
        raise ValueError("incomplete") from None


def _parse_ids(rows: list[Any]) -> frozenset[str]:
    """Return the ids of all rows, including rows that cannot be parsed otherwise."""
    ids = (parse_text(row.get("id")) for row in rows if isinstance(row, dict))
    return frozenset(session_id for session_id in ids if session_id)


def _parse_cursors(rows: list[Any]) -> Iterator[Cursor]:
    """Yield the cursor of every row with a valid start, including rows that cannot be parsed otherwise."""
    for row in rows:
        if isinstance(row, dict) and (moment := parse_datetime(row.get("started_at"))):
            yield Cursor(moment, row["started_at"])


def _parse_page_size(limit: object) -> int:
    """Return how many sessions fill a page: the requested number, unless `limit` in the page is lower."""
    size = parse_integer(limit)
    return size if size and 0 < size < MAX_PAGE_SIZE else MAX_PAGE_SIZE
