"""The faults as they appear on the wire."""

from collections.abc import Callable
import datetime as dt
from http import HTTPStatus
import json
from typing import Any

from aiohttp import web

from .faults import ELSEWHERE, Fault, PlannedFault, retry_after_header

_PADDING = 11 * 1024 * 1024
_SHORT_PAGE = 10
_MONTH = dt.timedelta(days=30)
_ERRORS = {
    Fault.UNAUTHORIZED: (HTTPStatus.UNAUTHORIZED, "Missing or invalid API token"),
    Fault.NOT_FOUND: (HTTPStatus.NOT_FOUND, "Not found"),
    Fault.NOT_ALLOWED: (HTTPStatus.METHOD_NOT_ALLOWED, "Method not allowed"),
    Fault.RATE_LIMITED: (HTTPStatus.TOO_MANY_REQUESTS, "Rate limit exceeded"),
    Fault.SERVER_ERROR: (HTTPStatus.INTERNAL_SERVER_ERROR, "Unexpected error"),
}
_PAGES = {
    Fault.FIREWALL: (HTTPStatus.FORBIDDEN, "text/html", "<html><body>Access denied</body></html>"),
    Fault.BAD_GATEWAY: (HTTPStatus.BAD_GATEWAY, "text/html", "<html><body>nginx</body></html>"),
    Fault.CAPTIVE_PORTAL: (HTTPStatus.OK, "text/html", "<html><body>Please log in</body></html>"),
    Fault.NOT_JSON: (HTTPStatus.OK, "application/json", "Joulo is having a break"),
}


def error(
    status: HTTPStatus,
    message: str,
    *,
    headers: dict[str, str] | None = None,
    required_scope: str | None = None,
) -> web.Response:
    """Word an error as the API does: `{"error": "..."}`, with `required_scope` if there is one."""
    scope = {"required_scope": required_scope} if required_scope else {}
    return web.json_response({"error": message, **scope}, status=status, headers=headers)


def spoiled(planned: PlannedFault, path: str) -> web.Response | None:
    """Return the answer that replaces a good one; None if the fault needs the good one."""
    if planned.fault in _ERRORS:
        headers = retry_after_header(planned.retry_after)
        return error(*_ERRORS[planned.fault], headers=headers)
    if planned.fault in _PAGES:
        status, content_type, text = _PAGES[planned.fault]
        return web.Response(status=status, content_type=content_type, text=text)
    match planned.fault:
        case Fault.FORBIDDEN:
            scope = f"{path.split('/')[1]}:read"
            return error(HTTPStatus.FORBIDDEN, "Insufficient scope", required_scope=scope)
        case Fault.REDIRECT:
            return web.Response(status=HTTPStatus.FOUND, headers={"Location": ELSEWHERE})
        case _:
            return None


def damaged(fault: Fault, good: web.Response) -> web.Response:
    """Return the good answer after a fault has been at it; KeyError for one that needs none."""
    body = _DAMAGE[fault](_bytes(good))
    return web.Response(body=body, content_type="application/json")


def garbled(garble: Callable[[Any], Any], good: web.Response) -> web.Response:
    """Return the good answer with another document in it."""
    body = _reworked(garble)(_bytes(good))
    return web.Response(body=body, status=good.status, content_type="application/json")


async def cut_off(request: web.Request, good: web.Response) -> web.StreamResponse:
    """Send half of the announced answer and close the connection."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.content_length = len(_bytes(good))
    await response.prepare(request)
    await response.write(_first_half(_bytes(good)))
    drop(request)
    return response


def drop(request: web.Request) -> web.Response:
    """Close the connection; the response returned goes nowhere."""
    if request.transport is not None:
        request.transport.close()
    return web.Response()


def _bytes(response: web.Response) -> bytes:
    assert isinstance(response.body, bytes)
    return response.body


def _first_half(body: bytes) -> bytes:
    return body[: len(body) // 2]


def _lists_as_objects(value: Any) -> Any:
    match value:
        case list():
            return {str(index): _lists_as_objects(item) for index, item in enumerate(value)}
        case dict():
            return {key: _lists_as_objects(item) for key, item in value.items()}
        case _:
            return value


def _other_types(value: Any) -> Any:
    match value:
        case list():
            return [_other_types(item) for item in value]
        case dict():
            return {key: _other_types(item) for key, item in value.items()}
        case bool() | int() | float():
            return json.dumps(value)
        case str():
            return len(value)
        case _:
            return []


def _short_page(answer: Any) -> Any:
    return (
        answer | {"sessions": answer["sessions"][:_SHORT_PAGE]} if "sessions" in answer else answer
    )


def _last_month(answer: Any) -> Any:
    since = dt.datetime.now(dt.UTC) - _MONTH
    rows = [
        row
        for row in answer.get("sessions", ())
        if dt.datetime.fromisoformat(row["started_at"]) >= since
    ]
    return answer | {"sessions": rows} if "sessions" in answer else answer


def _reworked(change: Callable[[Any], Any]) -> Callable[[bytes], bytes]:
    return lambda body: json.dumps(change(json.loads(body))).encode()


_DAMAGE: dict[Fault, Callable[[bytes], bytes]] = {
    Fault.TRUNCATED: _first_half,
    Fault.WRONG_SHAPE: _reworked(_lists_as_objects),
    Fault.WRONG_TYPES: _reworked(_other_types),
    Fault.SHORT_PAGES: _reworked(_short_page),
    Fault.ONE_MONTH: _reworked(_last_month),
    Fault.ENORMOUS: _reworked(lambda answer: answer | {"padding": "0" * _PADDING}),
}
