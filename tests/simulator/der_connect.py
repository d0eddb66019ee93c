"""A DER Connect cloud: its login, the features of cars, and the charging sessions that it calculates once a day."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
import datetime as dt
from http import HTTPStatus
from typing import Any

from aiohttp import web

from .answers import Json
from .charging import new_id
from .clock import Clock, system_clock
from .faults import EVERYWHERE, Fault, PlannedFault
from .misbehaviour import drop, error, spoiled
from .server import serve_app

DER_CONNECT_ID, DER_CONNECT_SECRET = "esp_demo_001", "a-secret-of-the-demo"
ANOTHER_HOST = "https://elsewhere.example/v1/entities"
"""Where the links to further pages lead: nobody may go there."""

_CALCULATED_AT = dt.time(1, 30, tzinfo=dt.UTC)
_TOKEN = "/access_token"


@dataclass(slots=True, kw_only=True)
class CarCharge:
    """A charging session of a car, wherever it was."""

    started_at: dt.datetime
    ended_at: dt.datetime
    kwh: float | None = None
    power_kw: float | None = None
    soc: tuple[float, float] | None = None
    range_km: tuple[float, float] | None = None
    label: str | None = None
    id: str = field(default_factory=new_id)
    calculated_at: dt.datetime | None = None
    """When the service lists it; by default at the next calculation after its end."""

    @property
    def created(self) -> dt.datetime:
        """The moment from which it is listed, at most a day after its end."""
        if self.calculated_at is not None:
            return self.calculated_at
        same_day = dt.datetime.combine(self.ended_at.astimezone(dt.UTC).date(), _CALCULATED_AT)
        return same_day if same_day >= self.ended_at else same_day + dt.timedelta(days=1)


@dataclass(slots=True, kw_only=True)
class SimulatedCar:
    """A car that the application may see: what it recorded, and whether it may be told to."""

    entity_id: str = field(default_factory=new_id)
    charges: list[CarCharge] = field(default_factory=list)
    captures: bool = False
    refusal: str | None = None
    """The service's sentence where it does not record this car."""
    needs_capacity: bool = False
    capacity_kwh: float | None = None
    is_writable: bool = True
    is_readable: bool = True


@dataclass(slots=True, kw_only=True)
class DerConnectRequest:
    """A request as it came in."""

    method: str
    path: str
    query: dict[str, str]
    body: Json | None
    at: dt.datetime


class SimulatedDerConnect:
    """A DER Connect with the cars of one organisation; `wall` tells its time."""

    def __init__(self, *cars: SimulatedCar, wall: Clock = system_clock) -> None:
        self.cars = list(cars)
        self.wall = wall
        self.secret = DER_CONNECT_SECRET
        self.requests: list[DerConnectRequest] = []
        self.page_size = 25
        self.token_seconds = 3599
        self.capacity_refusal: HTTPStatus | None = None
        """How the address that the client guesses refuses the capacity of a battery; None if it takes it."""
        self.repeats_page_token = False
        self.garble: Callable[[Json], Any] | None = None
        self._tokens: dict[str, dt.datetime] = {}
        self._faults: dict[str, PlannedFault] = {}

    def car(self, entity_id: str) -> SimulatedCar | None:
        """Return a car by its id."""
        return next((car for car in self.cars if car.entity_id == entity_id), None)

    def count(self, path: str) -> int:
        """Return how many requests came in for what a path ends with, such as `charge-sessions`."""
        return sum(request.path.endswith(path) for request in self.requests)

    def fail(
        self,
        path: str,
        fault: Fault,
        *,
        times: int | None = None,
        retry_after: int | str | None = None,
    ) -> None:
        """Spoil the answers for what a path ends with, or all, until `recover` or so many times."""
        self._faults[path] = PlannedFault(fault, times, retry_after)

    def recover(self) -> None:
        """Answer well again."""
        self._faults.clear()

    def expire_tokens(self) -> None:
        """Let every token that was given open nothing any more."""
        self._tokens.clear()

    def next_fault(self, path: str) -> PlannedFault | None:
        """Return the fault that spoils the next answer, and count it."""
        for ending, planned in self._faults.items():
            if (ending == EVERYWHERE or path.endswith(ending)) and planned.use():
                return planned
        return None

    def new_token(self) -> str:
        """Give out a token."""
        token = f"token-{len(self._tokens) + 1}-{new_id()}"
        self._tokens[token] = self.wall() + dt.timedelta(seconds=self.token_seconds)
        return token

    def opens(self, token: str) -> bool:
        """Tell whether a token is good at this moment."""
        ends_at = self._tokens.get(token)
        return ends_at is not None and self.wall() < ends_at


@asynccontextmanager
async def serve_der_connect(service: SimulatedDerConnect, port: int = 0) -> AsyncGenerator[str]:
    """Serve it on 127.0.0.1 and yield its URL; the login is at `/access_token`."""
    async with serve_app(create_der_connect_app(service), port) as url:
        yield url


def create_der_connect_app(service: SimulatedDerConnect) -> web.Application:
    """Make the application."""
    app = web.Application(middlewares=[_contract(service)])
    of_car = "/v1/entities/{entity_id}"
    app.router.add_post(_TOKEN, _login(service))
    app.router.add_patch(f"{of_car}/features", _set_feature(service))
    app.router.add_put(f"{of_car}/battery-capacity", _set_capacity(service))
    app.router.add_get(f"{of_car}/charge-sessions", _list_sessions(service), allow_head=False)
    return app


type _Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _contract(service: SimulatedDerConnect) -> Callable[..., Awaitable[web.StreamResponse]]:
    """Make the middleware that holds what is the same for every path."""

    @web.middleware
    async def keep(request: web.Request, handler: _Handler) -> web.StreamResponse:
        is_login = request.path == _TOKEN
        body = await request.json() if request.content_type == "application/json" else None
        service.requests.append(
            DerConnectRequest(
                method=request.method,
                path=request.path,
                query=dict(request.query),
                body=body,
                at=service.wall(),
            )
        )
        planned = service.next_fault(request.path)
        if planned is not None:
            if planned.fault is Fault.DROPPED:
                return drop(request)
            if (answer := spoiled(planned, "/entities")) is not None:
                return answer
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if not is_login and not (scheme == "Bearer" and service.opens(token)):
            return error(HTTPStatus.UNAUTHORIZED, "Unauthorized")
        return await handler(request)

    return keep


def _login(service: SimulatedDerConnect) -> _Handler:
    async def handle(request: web.Request) -> web.Response:
        form = await request.post()
        wanted = {
            "grant_type": "client_credentials",
            "client_id": DER_CONNECT_ID,
            "client_secret": service.secret,
            "scope": "esp",
        }
        if dict(form) != wanted:
            refusal = {
                "error": "invalid_client",
                "error_description": "Client authentication failed",
            }
            return web.json_response(refusal, status=HTTPStatus.UNAUTHORIZED)
        token = service.new_token()
        answer = {
            "access_token": token,
            "expires_in": service.token_seconds,
            "token_type": "Bearer",
        }
        return web.json_response(answer)

    return handle


def _refused(title: str, detail: str, status: HTTPStatus) -> web.Response:
    return web.json_response({"errors": [{"code": title, "message": detail}]}, status=status)


def _set_feature(service: SimulatedDerConnect) -> _Handler:
    async def handle(request: web.Request) -> web.Response:
        car = service.car(request.match_info["entity_id"])
        body = await request.json()
        if car is None:
            return _refused("NotFound", "Entity not found", HTTPStatus.NOT_FOUND)
        if not car.is_writable:
            return web.Response(status=HTTPStatus.FORBIDDEN)
        if body != {"feature": "CaptureChargeSessions", "enabled": True}:
            return _refused("Invalid", "Unknown feature", HTTPStatus.BAD_REQUEST)
        if car.refusal is not None:
            return _refused("Unsupported", car.refusal, HTTPStatus.BAD_REQUEST)
        if car.needs_capacity and car.capacity_kwh is None:
            sentence = "The battery capacity of the entity has to be set first."
            return _refused("MissingCapacity", sentence, HTTPStatus.BAD_REQUEST)
        car.captures = True
        return web.json_response([body])

    return handle


def _set_capacity(service: SimulatedDerConnect) -> _Handler:
    async def handle(request: web.Request) -> web.Response:
        car = service.car(request.match_info["entity_id"])
        if service.capacity_refusal is not None:
            return _refused("Refused", "The batteryCapacity is invalid", service.capacity_refusal)
        if car is None:
            return _refused("NotFound", "Entity not found", HTTPStatus.NOT_FOUND)
        car.capacity_kwh = (await request.json())["batteryCapacity"]
        return web.Response(status=HTTPStatus.NO_CONTENT)

    return handle


def _list_sessions(service: SimulatedDerConnect) -> _Handler:
    async def handle(request: web.Request) -> web.Response:
        car = service.car(request.match_info["entity_id"])
        if car is None:
            return _refused("NotFound", "Entity not found", HTTPStatus.NOT_FOUND)
        if not car.is_readable:
            return web.Response(status=HTTPStatus.FORBIDDEN)
        start = dt.datetime.fromisoformat(request.query["start"])
        listed = sorted(
            (c for c in car.charges if c.created <= service.wall() and c.started_at >= start),
            key=lambda charge: charge.started_at,
            reverse=True,
        )
        token = request.query.get("continuationToken", "page-0")
        first = int(token.removeprefix("page-"))
        rows = listed[first : first + service.page_size]
        following = f"page-{first + service.page_size}" if len(listed) > first + len(rows) else None
        if service.repeats_page_token and following:
            following = "page-0"
        answer: Json = {
            "data": [_row(car, charge) for charge in rows] or None,
            "links": {"next": f"{ANOTHER_HOST}/{car.entity_id}" if following else None},
            "meta": {"continuationToken": following, "pageSize": service.page_size},
        }
        return web.json_response(answer if service.garble is None else service.garble(answer))

    return handle


def _row(car: SimulatedCar, charge: CarCharge) -> Json:
    """Word a session as the docs do: with every place hidden but its label."""
    measured: Json = {}
    if charge.kwh is not None:
        measured["total"] = {"total": charge.kwh, "unit": "kWh"}
    if charge.power_kw is not None:
        measured["averagePower"] = {"unit": "kW", "value": charge.power_kw}
    data: Json = {
        "start": _moment(charge.started_at),
        "end": _moment(charge.ended_at),
        "charge": measured | _ends("%", charge.soc),
        "range": _ends("km", charge.range_km),
    }
    if charge.label is not None:
        place = {"id": new_id(), "label": charge.label}
        data["locationMatches"] = [{"accuracy": 0.9, "location": place}]
    return {
        "id": charge.id,
        "entityId": car.entity_id,
        "created": _moment(charge.created),
        "data": data,
    }


def _ends(unit: str, values: tuple[float, float] | None) -> Json:
    if values is None:
        return {}
    start, end = values
    return {"start": {"unit": unit, "value": start}, "end": {"unit": unit, "value": end}}


def _moment(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
