"""A plain client of the simulator, and what the answers hold."""

from collections.abc import Mapping
from dataclasses import dataclass
import datetime as dt
import json
from typing import Any

import aiohttp

from tests.simulator import (
    DEMO_TOKEN,
)

NOON = dt.datetime(2026, 4, 8, 12, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)
HOUR = dt.timedelta(hours=1)
TAG = "DEADBEEF12345678"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: status, headers, and the body as bytes."""

    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        """The body as JSON."""
        return json.loads(self.raw)


@dataclass(slots=True)
class Client:
    """A plain HTTP client of one simulator."""

    http: aiohttp.ClientSession
    url: str
    token: str = DEMO_TOKEN

    async def ask(self, method: str, path: str, **options: Any) -> Answer:
        """Send one request with the token and read the whole answer."""
        options.setdefault("headers", {"Authorization": f"Bearer {self.token}"})
        url = self.url + path
        async with self.http.request(method, url, allow_redirects=False, **options) as response:
            return Answer(response.status, response.headers, await response.read())

    async def get(self, path: str, **query: str | int) -> Answer:
        """GET a path with a query."""
        return await self.ask("GET", path, params=query)

    async def post(self, path: str, body: object) -> Answer:
        """POST a JSON body to a path."""
        return await self.ask("POST", path, json=body)


async def charger(client: Client, position: int = 0) -> dict[str, Any]:
    """Return one charger as the API lists it."""
    found: dict[str, Any] = (await client.get("/chargers")).body["chargers"][position]
    return found


async def listed(client: Client, **query: str | int) -> list[dict[str, Any]]:
    """Return the sessions that the API lists."""
    found: list[dict[str, Any]] = (await client.get("/sessions", **query)).body["sessions"]
    return found


def ids(sessions: list[dict[str, Any]]) -> list[str]:
    """Return the ids of listed sessions."""
    return [session["id"] for session in sessions]
