"""The bodies of the read endpoints, worded from an account at the present moment of its world."""

from collections.abc import Mapping
import datetime as dt
from http import HTTPStatus
from itertools import groupby
from typing import Any

from .account import SimulatedAccount
from .charging import SimulatedCharger, SimulatedSession
from .clock import timestamp
from .figures import total

type Json = dict[str, Any]
type Query = Mapping[str, str]

DEFAULT_LIMIT = 20
MAX_LIMIT = 100


class Refusal(Exception):  # noqa: N818 - the API refuses; the simulator is fine
    """A request that the API answers with an error: a status, a sentence, and a missing scope."""

    def __init__(self, status: HTTPStatus, message: str, required_scope: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.required_scope = required_scope


def chargers(account: SimulatedAccount, _query: Query) -> Json:
    """Answer GET /chargers (Joulo developer docs, Chargers)."""
    return {"chargers": [charger_body(account, charger) for charger in account.chargers]}


def charger_body(account: SimulatedAccount, charger: SimulatedCharger) -> Json:
    """Word one charger, `current_session` and meter as far as it has them."""
    now = account.clock()
    running = account.running_session(charger.id)
    # An OCPP charger is live and says what it does; a cloud-connected one says it is online.
    live = running is not None and charger.connection_type == "ocpp" and charger.status == "online"
    body: Json = {
        "id": charger.id,
        "nickname": charger.nickname,
        "connection_type": charger.connection_type,
        "status": "charging" if live else charger.status,
        "mid_certified": charger.mid_certified,
        "is_charging": running is not None,
    }
    if running is not None:
        body["current_session"] = _current_session(running, now)
    elif account.dialect.idle_session_is_null:
        body["current_session"] = None
    minute = now.replace(second=0, microsecond=0)
    if (reading := account.meter_wh(charger, minute)) is not None:
        body |= {"latest_meter_wh": reading, "meter_updated_at": timestamp(minute)}
    return body


def _current_session(session: SimulatedSession, now: dt.datetime) -> Json:
    body: Json = {
        "id": session.id,
        "started_at": timestamp(session.started_at),
        "kwh_so_far": float(session.kwh_at(now)),
    }
    if session.tag is not None:
        body["id_tag"] = session.tag
    return body


def sessions(account: SimulatedAccount, query: Query) -> Json:
    """Answer GET /sessions; Refusal 400 for a parameter that cannot be read or is out of range."""
    limit = _whole_number(query, "limit", DEFAULT_LIMIT, range(1, MAX_LIMIT + 1))
    offset = _whole_number(query, "offset", 0, range(2**31))
    first, last = _moment(query, "from"), _moment(query, "to")
    charger_id = query.get("charger_id")
    found = [
        session
        for session in account.sessions
        if (charger_id is None or session.charger_id == charger_id)
        and (first is None or first <= session.started_at)
        and (last is None or session.started_at <= last)
    ]
    page = found[offset : offset + limit]
    return {
        "sessions": [session_body(account, session) for session in page],
        "limit": limit,
        "offset": offset,
    }


def session_body(account: SimulatedAccount, session: SimulatedSession) -> Json:
    """Word one session as the list of sessions does."""
    now = account.clock()
    charger = account.charger(session.charger_id)
    ended_at = session.ends_at if session.has_ended(now) else None
    ere = session.ere_at(now)
    body: Json = {
        "id": session.id,
        "charger_id": charger.id,
        "charger_nickname": charger.nickname,
        "started_at": timestamp(session.started_at),
        "ended_at": None if ended_at is None else timestamp(ended_at),
        "kwh": float(session.kwh_at(now)),
        "status": _status(session, now),
        "ere_credits": None if ere is None else float(ere),
    }
    if account.dialect.session_extras:
        body |= {"id_tag": session.tag, "counts_for_ere": charger.mid_certified}
    return body


def _status(session: SimulatedSession, now: dt.datetime) -> str:
    if session.has_ended(now):
        return "completed"
    return "charging" if session.power_kw else "active"


def energy(account: SimulatedAccount, _query: Query) -> Json:
    """Answer GET /energy from the completed sessions, newest month first.

    Beside the `_all` fields the plain ones count MID-certified chargers only.
    """
    every = list(account.completed())
    months = groupby(every, key=_month_of)
    suffix = "-01" if account.dialect.month_with_day else ""
    return {
        **{f"total_{key}": value for key, value in _sums(account, every).items()},
        "months": [
            {"month": month + suffix, **_sums(account, list(sessions_))}
            for month, sessions_ in months
        ],
    }


def _month_of(session: SimulatedSession) -> str:
    start = session.local_start
    return f"{start.year}-{start.month:02}"


def _sums(account: SimulatedAccount, every: list[SimulatedSession]) -> Json:
    now = account.clock()
    with_all = account.dialect.all_charger_fields
    counted = [s for s in every if not with_all or account.charger(s.charger_id).mid_certified]
    sums: Json = {
        "kwh": float(total(session.kwh_at(now) for session in counted)),
        "ere_credits": float(total(session.ere_at(now) for session in counted)),
        "sessions": len(counted),
    }
    if with_all:
        sums["kwh_all"] = float(total(session.kwh_at(now) for session in every))
        sums["sessions_all"] = len(every)
    return sums


def me(account: SimulatedAccount, _query: Query) -> Json:
    """Answer GET /me: the price in EUR per ERE before the fee, and the fee in percent."""
    return {
        "id": account.id,
        "ere_price_mid": account.ere_price_mid,
        "effective_fee_pct": account.effective_fee_pct,
    }


def _whole_number(query: Query, name: str, default: int, allowed: range) -> int:
    try:
        number = int(query.get(name, default))
    except ValueError:
        number = -1
    if number not in allowed:
        raise Refusal(HTTPStatus.BAD_REQUEST, f"Invalid {name}")
    return number


def _moment(query: Query, name: str) -> dt.datetime | None:
    if name not in query:
        return None
    try:
        moment = dt.datetime.fromisoformat(query[name])
    except ValueError:
        raise Refusal(HTTPStatus.BAD_REQUEST, f"Invalid {name}") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
