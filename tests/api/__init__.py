"""Tests of the client, and their helpers: payloads from files, and clients of small loopback servers."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import chain, repeat
import json
import os
from pathlib import Path
import traceback
from typing import Any

from aiohttp import ClientSession, web
from hypothesis import settings
import pytest

from custom_components.joulo.api import JouloClient, JouloError, RateLimiter
from tests.simulator import DEMO_TOKEN

type Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

TRIALS = settings(
    max_examples=int(os.environ.get("NONSENSE_TRIALS", "200")), deadline=None, derandomize=True
)
# Home Assistant's plugin freezes the garbage collector; hypothesis then misses its own reference.
FROZEN_GARBAGE = pytest.mark.filterwarnings("ignore:It looks like `register_random`")

_FIXTURES = Path(__file__).parent.parent / "fixtures"
_JSON = "application/json"


def payload(name: str) -> Any:
    """Return a document as Joulo sends it, from a file in `tests/fixtures`."""
    return json.loads((_FIXTURES / f"{name}.json").read_bytes())


@asynccontextmanager
async def client_of(
    url: str, *, token: str = DEMO_TOKEN, rate_limiter: RateLimiter | None = None
) -> AsyncGenerator[JouloClient]:
    """Yield a client of the API at an address, with a web session of its own."""
    async with ClientSession() as http:
        yield JouloClient(http, token, url=url, rate_limiter=rate_limiter)


@asynccontextmanager
async def server(handler: Handler) -> AsyncGenerator[str]:
    """Yield the address of a loopback server that handles every path alike."""
    runner = web.ServerRunner(
        web.Server(handler, access_log=None, handler_cancellation=True), shutdown_timeout=1
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def client_of_server(handler: Handler) -> AsyncGenerator[JouloClient]:
    """Yield a client of a loopback server that handles every path alike."""
    async with server(handler) as url, client_of(url) as client:
        yield client


@asynccontextmanager
async def client_receiving(*documents: object) -> AsyncGenerator[JouloClient]:
    """Yield a client that receives these documents in turn, then always the last one.

    A document in bytes is sent as it is, any other one as JSON.
    """
    remaining = chain(documents, repeat(documents[-1]))

    async def handle(_request: web.BaseRequest) -> web.Response:
        document = next(remaining)
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        return web.Response(body=body, content_type=_JSON)

    async with client_of_server(handle) as client:
        yield client


async def error_of(request: Awaitable[object]) -> JouloError:
    """Return the error that a request raises. Neither its text nor its traceback holds the token."""
    with pytest.raises(JouloError) as caught:
        await request
    assert str(caught.value)
    shown = [str(caught.value), repr(caught.value), *traceback.format_exception(caught.value)]
    assert DEMO_TOKEN not in "".join(shown)
    return caught.value


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the lines that the client has logged about documents."""
    name = "custom_components.joulo.api.documents"
    return [record.getMessage() for record in caplog.records if record.name == name]


async def until(happened: Callable[[], bool]) -> None:
    """Let the event loop run until something has happened."""
    while not happened():  # noqa: ASYNC110 - the network notifies nobody
        await asyncio.sleep(0)
