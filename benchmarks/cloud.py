"""A small Joulo cloud in a process of its own, so that its CPU time is not the client's.

`tests.simulator` is faithful, but takes seconds to answer for a thousand chargers.
"""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from itertools import groupby
import multiprocessing
from typing import Any

from aiohttp import web

START = datetime(2026, 6, 15, 10, tzinfo=UTC)
"""Start of the newest session of each charger; the client's clock begins here."""

type Json = dict[str, Any]


class Phase(IntEnum):
    """Activity of the chargers."""

    IDLE = 0
    STANDING = 1
    GROWING = 2
    ENDED = 3


class Cloud:
    """A server for one account without rate limits; its first `busy` chargers charge, by default all."""

    def __init__(self, chargers: int, busy: int | None = None, delay: float = 0.0) -> None:
        context = multiprocessing.get_context("fork")
        self._chargers = chargers
        self._busy = chargers if busy is None else busy
        self._delay = delay
        self._kwh = 1.0
        self._phase = context.Value("i", Phase.IDLE)
        self._ended_at = context.Value("d", 0.0)
        self._asked = context.Array("q", 2)
        self._port = context.SimpleQueue()
        self._process = context.Process(target=lambda: asyncio.run(self._serve()), daemon=True)

    @contextmanager
    def running(self) -> Generator[str]:
        """Serve on loopback and yield the address."""
        self._process.start()
        try:
            yield f"http://127.0.0.1:{self._port.get()}"
        finally:
            self._process.terminate()
            self._process.join()

    @property
    def asked(self) -> tuple[int, int]:
        """Number of requests for `/chargers`, and for all other paths together."""
        return self._asked[0], self._asked[1]

    def enter(self, phase: Phase, now: float) -> None:
        """Change the chargers' activity from the next answer on."""
        self._ended_at.value = now
        self._phase.value = phase

    async def _serve(self) -> None:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self._port.put(runner.addresses[0][1])
        await asyncio.Event().wait()

    async def _answer(self, request: web.Request) -> web.Response:
        path = request.match_info["path"]
        self._asked[path != "chargers"] += 1
        await asyncio.sleep(self._delay)
        match path:
            case "chargers":
                return web.json_response(self.chargers())
            case "sessions":
                return web.json_response(self._page(request))
            case "energy":
                return web.json_response(self._energy())
            case "me":
                return web.json_response({"ere_price_mid": 0.495, "effective_fee_pct": 20})
        return web.json_response(_POSITION)

    def chargers(self) -> Json:
        """Return the answer of `/chargers`; in the growing phase, every session has grown."""
        if self._phase.value == Phase.GROWING:
            self._kwh = round(self._kwh + 0.18, 2)
        return {"chargers": [self._charger(number) for number in range(self._chargers)]}

    def _charger(self, number: int) -> Json:
        is_busy = number < self._busy
        is_charging = is_busy and self._phase.value in {Phase.STANDING, Phase.GROWING}
        kwh = self._kwh if is_busy else 1.0
        body: Json = {
            "id": _id("a", number),
            "nickname": f"Garage {number}",
            "connection_type": "ocpp",
            "status": "charging" if is_charging else "online",
            "mid_certified": True,
            "is_charging": is_charging,
            "latest_meter_wh": 5_000_000 + round(kwh * 1000),
            "meter_updated_at": _timestamp(START + timedelta(minutes=kwh // 0.18)),
        }
        if is_charging:
            body["current_session"] = {
                "id": _id("c", number),
                "started_at": _timestamp(START - timedelta(seconds=number)),
                "kwh_so_far": kwh,
                "id_tag": "04A1B2C3D4E580",
            }
        return body

    def _sessions(self) -> list[Json]:
        """Return the newest sessions, unless the chargers are idle, and one of each a month ago."""
        phase, numbers = self._phase.value, range(self._chargers)
        month_ago = START - timedelta(days=31)
        end = datetime.fromtimestamp(self._ended_at.value, UTC) if phase == Phase.ENDED else None
        newest = [] if phase == Phase.IDLE else list(numbers)[: self._busy]
        return [_session("c", number, START, end, self._kwh) for number in newest] + [
            _session("b", number, month_ago, month_ago + timedelta(hours=3), 22.5)
            for number in numbers
        ]

    def _page(self, request: web.Request) -> Json:
        first, last = request.query.get("from", ""), request.query.get("to", "9")
        limit = int(request.query.get("limit", 20))
        offset = int(request.query.get("offset", 0))
        found = [s for s in self._sessions() if first[:19] <= s["started_at"][:19] <= last[:19]]
        return {"sessions": found[offset : offset + limit], "limit": limit, "offset": offset}

    def _energy(self) -> Json:
        completed = [session for session in self._sessions() if session["ended_at"]]
        by_month = groupby(completed, key=lambda session: session["started_at"][:7])
        months = [{"month": month} | _sums(list(sessions)) for month, sessions in by_month]
        return {f"total_{key}": value for key, value in _sums(completed).items()} | {
            "months": months
        }


def _id(kind: str, number: int) -> str:
    return f"{kind}1b2c3d4-e5f6-4890-abcd-{number:012}"


def _timestamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _session(kind: str, number: int, start: datetime, end: datetime | None, kwh: float) -> Json:
    return {
        "id": _id(kind, number),
        "charger_id": _id("a", number),
        "charger_nickname": f"Garage {number}",
        "started_at": _timestamp(start - timedelta(seconds=number)),
        "ended_at": _timestamp(end) if end else None,
        "kwh": kwh,
        "status": "completed" if end else "charging",
        "ere_credits": round(kwh * 0.505 * 0.6588, 2),
        "id_tag": "04A1B2C3D4E580",
        "counts_for_ere": True,
    }


def _sums(sessions: list[Json]) -> Json:
    kwh = round(sum(session["kwh"] for session in sessions), 2)
    ere = round(sum(session["ere_credits"] for session in sessions), 2)
    sums = {"kwh": kwh, "ere_credits": ere, "sessions": len(sessions)}
    return sums | {"kwh_all": kwh, "sessions_all": len(sessions)}


_AMOUNT = {"ere": 120.5, "net_eur": 47.72, "price_per_ere": 0.495}
_POSITION = {
    "compliance_year": 2026,
    "effective_fee_pct": 20,
    "indicative_price_per_ere": 0.495,
    "realized_avg_price": 0.495,
    "allocatable_ere": 300.0,
    "pending_ere": 2.5,
    "pending_forecast_net_eur": 0.99,
    "ytd_expected_eur": 143.16,
    "total_expected_eur": 310.2,
    "forecast_confidence": "medium",
    "forecast_history_days": 365,
    **dict.fromkeys(("paid", "payable", "reserved"), _AMOUNT),
    "unsold": {"ere": 400.0, "ytd_ere": 300.0, "future_ere": 100.0, "forecast_net_eur": 158.4},
    "quarters": [{"quarter": f"2026-Q{quarter}", "final": False, **_AMOUNT} for quarter in (1, 2)],
}
