"""Tests of the client, and what they share: payloads from files, and a Joulo that says what it is told."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import chain, repeat
import json
from pathlib import Path
import traceback
from typing import Any

from aiohttp import ClientSession, web
from hypothesis import settings
import pytest

from custom_components.joulo.api import JouloClient, JouloError, RateLimiter
from tests.simulator import DEMO_TOKEN

type Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

TRIALS = settings(max_examples=200, deadline=None, derandomize=True)
# Home Assistant's plugin freezes the garbage collector; hypothesis then misses its own reference.
FROZEN_GARBAGE = pytest.mark.filterwarnings("ignore:It looks like `register_random`")

_FIXTURES = Path(__file__).parent.parent / "fixtures"
_JSON = "application/json"


def payload(name: str) -> Any:
    """Return what Joulo answers, from a file in `tests/fixtures`."""
    return json.loads((_FIXTURES / f"{name}.json").read_bytes())


@asynccontextmanager
async def asking(
    url: str, *, token: str = DEMO_TOKEN, rate_limiter: RateLimiter | None = None
) -> AsyncGenerator[JouloClient]:
    """Yield a client with a web session of its own."""
    async with ClientSession() as http:
        yield JouloClient(http, token, url=url, rate_limiter=rate_limiter)


@asynccontextmanager
async def handled_by(handler: Handler) -> AsyncGenerator[JouloClient]:
    """Yield a client of a loopback server that does the same at every path."""
    runner = web.ServerRunner(
        web.Server(handler, access_log=None, handler_cancellation=True), shutdown_timeout=1
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with asking(f"http://127.0.0.1:{runner.addresses[0][1]}") as client:
            yield client
    finally:
        await runner.cleanup()


@asynccontextmanager
async def told(*answers: object) -> AsyncGenerator[JouloClient]:
    """Yield a client that is told these documents (bytes as they are) in turn, the last one ever after."""
    turns = chain(answers, repeat(answers[-1]))

    async def handle(_request: web.BaseRequest) -> web.Response:
        answer = next(turns)
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        return web.Response(body=body, content_type=_JSON)

    async with handled_by(handle) as client:
        yield client


async def error_of(asked: Awaitable[object]) -> JouloError:
    """Return the error that an answer turns out to be; it does not hold the token."""
    with pytest.raises(JouloError) as caught:
        await asked
    assert str(caught.value)
    shown = [str(caught.value), repr(caught.value), *traceback.format_exception(caught.value)]
    assert DEMO_TOKEN not in "".join(shown)
    return caught.value


def reported(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the lines that the client has logged."""
    name = "custom_components.joulo.api.client"
    return [record.getMessage() for record in caplog.records if record.name == name]


async def until(happened: Callable[[], bool]) -> None:
    """Let the loop run until something has happened."""
    while not happened():  # noqa: ASYNC110 - the network tells nobody
        await asyncio.sleep(0)
