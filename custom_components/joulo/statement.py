"""Rows of charging sessions, their totals, and the CSV statement that is made of both.

Pure functions. Every figure is rounded once, in its row, and a total adds what the rows show: whoever
adds a statement up by hand gets its last line.
"""

from collections.abc import Sequence
import csv
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from io import StringIO
import re
from typing import Any

from homeassistant.util import dt as dt_util

from .api import ChargingSession, SessionStatus
from .localizer import Localizer
from .sessions.figures import net_cost, rounded, sum_known

type Row = dict[str, Any]

_CENT = Decimal("0.01")

_DECIMALS = {
    "duration_minutes": 1,
    "energy_kwh": 3,
    "cost_eur": 2,
    "ere_credits": 3,
    "value_eur": 2,
    "net_cost_eur": 2,
}
_SUMMED = ("energy_kwh", "ere_credits", "value_eur", "cost_eur", "net_cost_eur")
_COLUMNS = (
    "started_at",
    "ended_at",
    "duration_minutes",
    "charger_name",
    "vehicle",
    "tag_id",
    "energy_kwh",
    "cost_eur",
    "ere_credits",
    "value_eur",
    "net_cost_eur",
    "session_id",
    "cost_estimated",
)
_MOMENTS = ("started_at", "ended_at")

_INVISIBLE = r"\s\"\x00-\x1f\x7f-\x9f\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff"
_RUN_BY_SPREADSHEETS = re.compile(rf"((?:^|[,;|\t\r\n])[{_INVISIBLE}]*)(?=[=+@\-＝＋－＠])")  # noqa: RUF001
"""Beginning of a formula in a cell.

Separators of other dialects count too, since the spreadsheet may split there. So do characters that are not seen,
and the full-width forms of `=`, `+`, `-` and `@`, which some spreadsheets run as well.
"""


def row(
    session: ChargingSession,
    attributes: Row,
    *,
    charger_name: str | None,
    price_per_kwh: float | None,
) -> Row:
    """Return a session as a row: its attributes, its charger, and its cost at a price in EUR per kWh, if one is given."""
    if price_per_kwh is not None:
        eur = _cost(attributes["energy_kwh"], price_per_kwh)
        attributes = attributes | {
            "cost_eur": eur,
            "cost_estimated": None if eur is None else False,
            "net_cost_eur": net_cost(eur, attributes["value_eur"]),
        }
    return attributes | {
        "charger_id": session.charger_id,
        "charger_name": charger_name,
        "status": session.status.value if isinstance(session.status, SessionStatus) else None,
    }


def totals(rows: Sequence[Row]) -> Row:
    """Return the count and the sums of rows.

    A sum leaves out what is unknown, and is itself unknown where that is every row's figure.
    """
    return {"sessions": len(rows)} | {
        figure: rounded(sum_known([row[figure] for row in rows]), _DECIMALS[figure])
        for figure in _SUMMED
    }


def as_csv(rows: Sequence[Row], sums: Row, localizer: Localizer) -> str:
    """Return a table with headings, a line for each row, and the sums; moments are local."""
    table = StringIO()
    writer = csv.writer(table, delimiter=";" if localizer.has_decimal_comma else ",")
    writer.writerow([localizer.text(f"statement_{column}") for column in _COLUMNS])
    for line in rows:
        writer.writerow([_cell(column, line[column], localizer) for column in _COLUMNS])
    last = [_cell(column, sums.get(column), localizer) for column in _COLUMNS[1:]]
    writer.writerow([localizer.text("statement_total"), *last])
    return table.getvalue()


def _cost(kwh: float | None, price_per_kwh: float) -> float | None:
    """Return EUR to cents, halves upwards as on any bill; binary fractions would miss some halves."""
    if kwh is None:
        return None
    cost = Decimal(str(kwh)) * Decimal(str(price_per_kwh))
    return float(cost.quantize(_CENT, ROUND_HALF_UP))


def _cell(column: str, value: Any, localizer: Localizer) -> str:
    if value is None:
        return ""
    if column in _DECIMALS:
        return localizer.number(value, _DECIMALS[column])
    if column == "cost_estimated":
        return localizer.text("estimated") if value else ""
    if column in _MOMENTS:
        return f"{dt_util.as_local(datetime.fromisoformat(value)):%Y-%m-%d %H:%M:%S}"
    return _defused(value)


def _defused(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula (OWASP, CSV injection)."""
    return _RUN_BY_SPREADSHEETS.sub(r"\1'", text)
