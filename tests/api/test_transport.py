"""The transport sends one request, and turns its status into an error."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from http import HTTPStatus

from aiohttp import ClientSession, web
import pytest

from custom_components.joulo.api import (
    JouloAuthError,
    JouloConnectionError,
    JouloError,
    JouloInsecureUrlError,
    JouloNotFoundError,
    JouloRateLimitError,
    JouloResponseError,
    JouloServerError,
)
from custom_components.joulo.api.transport import Transport, error_of, read_body, read_error_field

from . import Handler, error_of as raised_by, server

pytestmark = pytest.mark.usefixtures("socket_enabled")

TOKEN = "joulo_secret"


@asynccontextmanager
async def transport_to(handler: Handler) -> AsyncGenerator[Transport]:
    """Yield a transport to a loopback server."""
    async with server(handler) as url, ClientSession() as session:
        yield Transport(session, TOKEN, url)


@asynccontextmanager
async def transport_receiving(status: int, body: str = "") -> AsyncGenerator[Transport]:
    """Yield a transport to a server that responds with this status and body to everything."""

    async def handle(_request: web.BaseRequest) -> web.Response:
        return web.Response(status=status, text=body, headers={"Retry-After": "120"})

    async with transport_to(handle) as transport:
        yield transport


async def test_get_sends_the_query_and_the_token_and_returns_the_body() -> None:
    async def handle(request: web.BaseRequest) -> web.Response:
        assert (request.method, request.path_qs) == ("GET", "/chargers?limit=100")
        assert request.headers["Authorization"] == f"Bearer {TOKEN}"
        assert request.headers["Accept"] == "application/json"
        return web.Response(body=b"{ }")

    async with transport_to(handle) as transport:
        assert await transport.get("chargers", {"limit": "100"}) == b"{ }"


async def test_post_sends_the_command_as_json_and_yields_the_response_of_any_status() -> None:
    async def handle(request: web.BaseRequest) -> web.Response:
        assert (request.method, request.path_qs) == ("POST", "/chargers/reboot")
        return web.json_response({"error": (await request.json())["type"]}, status=409)

    async with (
        transport_to(handle) as transport,
        transport.post("chargers/reboot", {"type": "Soft"}) as response,
    ):
        assert response.status == HTTPStatus.CONFLICT
        assert await read_body(response) == b'{"error": "Soft"}'


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (201, JouloResponseError),
        (204, JouloResponseError),
        (302, JouloResponseError),
        (400, JouloResponseError),
        (401, JouloAuthError),
        (403, JouloServerError),
        (404, JouloNotFoundError),
        (429, JouloRateLimitError),
        (500, JouloServerError),
        (502, JouloServerError),
        (503, JouloRateLimitError),
    ],
)
async def test_each_status_but_200_is_an_error(status: int, error: type[JouloError]) -> None:
    async with transport_receiving(status) as transport:
        assert type(await raised_by(transport.get("energy", {}))) is error
        async with transport.post("chargers", {}) as response:
            assert type(await error_of(response)) is error


async def test_an_error_has_text_fields_only_in_a_json_object() -> None:
    for body, field in (('{"error": "taken"}', "taken"), ('{"error": 7}', None), ("<html>", None)):
        async with (
            transport_receiving(400, body) as transport,
            transport.post("chargers", {}) as response,
        ):
            assert await read_error_field(response, "error") == field


async def test_a_request_whose_connection_is_lost_is_not_sent_again() -> None:
    requests = 0

    async def drop(request: web.BaseRequest) -> web.Response:
        nonlocal requests
        requests += 1
        if requests > 1:
            assert request.transport
            request.transport.close()
        return web.Response(body=b"{}")

    async with transport_to(drop) as transport:
        await transport.get("energy", {})
        error = await raised_by(transport.get("energy", {}))
    assert isinstance(error, JouloConnectionError)
    assert error.sent
    assert requests == 2


async def test_a_text_is_shown_without_the_token() -> None:
    async with transport_receiving(200) as transport:
        assert transport.without_token(f"Bearer {TOKEN} expired") == "Bearer ... expired"


async def test_an_insecure_address_is_refused() -> None:
    async with ClientSession() as session:
        with pytest.raises(JouloInsecureUrlError):
            Transport(session, TOKEN, "http://api.joulo.nl")
