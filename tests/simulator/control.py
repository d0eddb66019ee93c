"""A side door without a lock, for those who watch the simulator from another process."""

from collections import Counter
from http import HTTPStatus

from aiohttp import web

from .account import SimulatedAccount
from .answers import Json, charger_body, energy, session_body
from .clock import timestamp
from .cloud import SimulatedCloud
from .faults import EVERYWHERE, Fault
from .keys import CLOUD
from .misbehaviour import error

PREFIX = "/_simulator"


def add_routes(app: web.Application) -> None:
    """Add the side door to the application; it is neither recorded nor limited."""
    app.router.add_get(f"{PREFIX}/books", _tell_books)
    app.router.add_post(f"{PREFIX}/faults", _plan_fault)
    app.router.add_delete(f"{PREFIX}/faults", _recover)


async def _tell_books(request: web.Request) -> web.Response:
    cloud = request.app[CLOUD]
    return web.json_response(
        {
            "accounts": [_books(account) for account in cloud.accounts],
            "requests": _traffic(cloud),
        }
    )


def _books(account: SimulatedAccount) -> Json:
    """Word the books of an account: its completed sessions, by month too, and what runs on its chargers."""
    return {
        "now": timestamp(account.clock()),
        **_sums(account),
        "months": energy(account, {})["months"],
        "chargers": [
            {
                **charger_body(account, charger),
                **_sums(account, charger.id),
                "newest_session": next(
                    (session_body(account, s) for s in account.sessions_of(charger.id)), None
                ),
            }
            for charger in account.chargers
        ],
    }


def _sums(account: SimulatedAccount, charger_id: str | None = None) -> Json:
    return {
        "total_kwh": account.energy_total(charger_id),
        "total_ere_credits": account.ere_total(charger_id),
        "total_sessions": account.session_total(charger_id),
    }


def _traffic(cloud: SimulatedCloud) -> Json:
    return {
        "total": len(cloud.requests),
        "refused": len(cloud.refused()),
        "by_path": Counter(request.path for request in cloud.requests),
    }


async def _plan_fault(request: web.Request) -> web.Response:
    """Plan a fault from `{"fault", "path"?, "times"?, "retry_after"?}`; 400 for a wrong one."""
    try:
        plan = await request.json()
        request.app[CLOUD].fail(
            plan.get("path", EVERYWHERE),
            Fault(plan["fault"]),
            times=plan.get("times"),
            retry_after=plan.get("retry_after"),
        )
    except AttributeError, KeyError, ValueError:
        return error(HTTPStatus.BAD_REQUEST, "Wanted: fault, and if need be path, times")
    return web.Response(status=HTTPStatus.NO_CONTENT)


async def _recover(request: web.Request) -> web.Response:
    request.app[CLOUD].recover()
    return web.Response(status=HTTPStatus.NO_CONTENT)
