"""The simulator as an aiohttp application, and a server for it on the loopback address."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
import datetime as dt
from http import HTTPStatus
import json
import math

from aiohttp import web

from . import answers, control, orders, position
from .account import SimulatedAccount
from .answers import Json, Query, Refusal
from .cloud import RecordedRequest, SimulatedCloud
from .faults import UNCOUNTED, Fault, PlannedFault, retry_after_header
from .keys import ACCOUNT, CLOUD, STOPPING
from .misbehaviour import cut_off, damaged, drop, error, garbled, spoiled

HOST = "127.0.0.1"

type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
type Reader = Callable[[SimulatedAccount, Query], Json]
type Order = Callable[[SimulatedAccount, Json, dt.datetime], tuple[HTTPStatus, Json]]

_READERS: dict[str, Reader] = {
    "/chargers": answers.chargers,
    "/sessions": answers.sessions,
    "/energy": answers.energy,
    "/me": answers.me,
    "/ere-position": position.ere_position,
}
_ORDERS: dict[str, Order] = {
    "/chargers": orders.register_charger,
    "/chargers/reboot": orders.reboot_charger,
}


@asynccontextmanager
async def serve(cloud: SimulatedCloud, port: int = 0, *, prefix: str = "") -> AsyncGenerator[str]:
    """Serve the cloud on 127.0.0.1 and yield its URL, prefix included; port 0 takes a free one."""
    async with serve_app(create_app(cloud, prefix), port) as url:
        yield url + prefix


@asynccontextmanager
async def serve_app(app: web.Application, port: int) -> AsyncGenerator[str]:
    """Serve an application on 127.0.0.1 and yield its address."""
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, port).start()
        yield f"http://{HOST}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def create_app(cloud: SimulatedCloud, prefix: str = "") -> web.Application:
    """Make the application; `prefix`, such as `/functions/v1/api`, stands before every path."""
    app = web.Application(middlewares=[_contract(cloud, prefix)])
    app[CLOUD] = cloud
    app[STOPPING] = asyncio.Event()
    app.on_shutdown.append(_stop)
    for path, reader in _READERS.items():
        app.router.add_get(prefix + path, _reading(reader), allow_head=False)
    for path, order in _ORDERS.items():
        app.router.add_post(prefix + path, _ordering(order))
    control.add_routes(app)
    return app


async def _stop(app: web.Application) -> None:
    app[STOPPING].set()


def _reading(reader: Reader) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        return web.json_response(reader(request[ACCOUNT], request.query))

    return handle


def _ordering(order: Order) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        body = await _body_of(request)
        if body is None:
            return error(HTTPStatus.BAD_REQUEST, "Invalid JSON body")
        status, answer = order(request[ACCOUNT], body, request.app[CLOUD].wall())
        return web.json_response(answer, status=status)

    return handle


def _contract(cloud: SimulatedCloud, prefix: str) -> Callable[..., Awaitable[web.StreamResponse]]:
    """Make the middleware that holds what is the same for every path of the API."""

    @web.middleware
    async def keep(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(control.PREFIX):
            return await handler(request)
        if cloud.unplugged:
            return drop(request)
        record = RecordedRequest(
            method=request.method,
            path=request.path.removeprefix(prefix),
            query=dict(request.query),
            at=cloud.wall(),
            body=await _body_of(request),
        )
        cloud.requests.append(record)
        response = await _answer(cloud, record, request, handler)
        if record.fault not in (Fault.TIMEOUT, Fault.DROPPED):
            record.status = response.status
        return response

    return keep


async def _answer(
    cloud: SimulatedCloud, record: RecordedRequest, request: web.Request, handler: Handler
) -> web.StreamResponse:
    account = _account_behind(cloud, request)
    if account is None:
        cloud.ever_unauthorized.append(record)
        return error(HTTPStatus.UNAUTHORIZED, "Missing or invalid API token")
    record.authorized = True
    wait = cloud.limits.remaining(account.id, record, record.at)
    if wait > dt.timedelta():
        record.refused = True
        cloud.ever_refused.append(record)
        return _too_early(record.at, wait, as_date=cloud.retry_after_as_date)
    planned = cloud.next_fault(record.path)
    if planned is None or planned.fault not in UNCOUNTED:
        cloud.limits.note(account.id, record, record.at)
    request[ACCOUNT] = account
    if planned is None:
        good = await _good(request, handler)
        return good if cloud.garble is None else garbled(cloud.garble, good)
    record.fault = planned.fault
    return await _faulty(planned, record.path, request, handler)


def _account_behind(cloud: SimulatedCloud, request: web.Request) -> SimulatedAccount | None:
    """Return the account of a Bearer token; a token in the query is refused in any case."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or "token" in request.query:
        return None
    return cloud.account_of(token)


def _too_early(now: dt.datetime, wait: dt.timedelta, *, as_date: bool) -> web.Response:
    """Ask for the wait in whole seconds, or until a moment in whole seconds, rounded up."""
    seconds = math.ceil(wait.total_seconds())
    moment = dt.datetime.fromtimestamp(math.ceil((now + wait).timestamp()), dt.UTC)
    headers = retry_after_header(moment if as_date else seconds)
    return error(HTTPStatus.TOO_MANY_REQUESTS, "Rate limit exceeded", headers=headers)


async def _good(request: web.Request, handler: Handler) -> web.Response:
    """Return what the handler answers, errors worded as the API words them."""
    try:
        response = await handler(request)
    except Refusal as refusal:
        return error(refusal.status, refusal.message, required_scope=refusal.required_scope)
    except web.HTTPMethodNotAllowed as refusal:
        allowed = {"Allow": ", ".join(sorted(refusal.allowed_methods))}
        return error(HTTPStatus.METHOD_NOT_ALLOWED, "Method not allowed", headers=allowed)
    except web.HTTPNotFound:
        return error(HTTPStatus.NOT_FOUND, "Not found")
    assert isinstance(response, web.Response)
    return response


async def _faulty(
    planned: PlannedFault, path: str, request: web.Request, handler: Handler
) -> web.StreamResponse:
    if (answer := spoiled(planned, path)) is not None:
        return answer
    match planned.fault:
        case Fault.TIMEOUT:
            request.app[CLOUD].hanging.set()
            await request.app[STOPPING].wait()
            return drop(request)
        case Fault.DROPPED:
            return drop(request)
        case Fault.CUT_OFF:
            return await cut_off(request, await _good(request, handler))
        case Fault.EMPTY_ACCOUNT:
            account = request[ACCOUNT]
            request[ACCOUNT] = SimulatedAccount(id=account.id, clock=account.clock)
            return await _good(request, handler)
        case fault:
            return damaged(fault, await _good(request, handler))


async def _body_of(request: web.Request) -> Json | None:
    """Return the JSON object that a request carries; None if it carries none."""
    try:
        body = await request.json()
    except json.JSONDecodeError, UnicodeDecodeError:
        return None
    return body if isinstance(body, dict) else None
