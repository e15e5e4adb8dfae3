"""What stands behind the functions of this package: Wharf itself in a component, what a test pretends elsewhere."""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable
from typing import Protocol

from .message import Request, Response

Handler = Callable[[Request], Awaitable[Response]]


class Host(Protocol):
    """What there is."""

    def variable(self, name: str) -> str | None:
        """A variable of the task's environment."""

    def line(self, text: str) -> None:
        """Writes a line of the task's log."""

    async def fetch(self, request: Request) -> Response:
        """Asks another service."""


# An instance has one request at a time, so there is one host and one request.
_current: Host | None = None
_answering: Request | None = None


def current() -> Host:
    if _current is None:
        raise RuntimeError(
            "env, secret, log and fetch are there while a request is answered: what stands at the top of a module runs "
            'when the component is built. In a test, `Host(env={"NAME": "value"}).call(handle, "/")` of wharf.test is a host'
        )
    return _current


def ids() -> dict[str, str]:
    """What the gateway calls the request that is answered, as a line of the log has it."""
    found: dict[str, str] = {}
    if _answering is not None:
        # Version, trace, parent, flags.
        parts = _answering.headers.get("traceparent", "").split("-")
        if len(parts) > 1:
            found["traceId"] = parts[1]
        request = _answering.headers.get("x-request-id")
        if request:
            found["requestId"] = request
    return found


async def answer(handle: Handler, request: Request, host: Host) -> Response:
    """Answers a request: what goes wrong is told the log, and the client that it did."""
    from . import log

    global _current, _answering
    _current, _answering = host, request
    try:
        response = await handle(request)
        if not isinstance(response, Response):
            raise TypeError(f"handle(request) has to return a Response, and returned {type(response).__name__}")
        return response
    except Exception:
        log.error(traceback.format_exc().rstrip())
        return Response.of_text("internal error\n", status=500)
    finally:
        _current = _answering = None
