"""Where the component begins: requests from Wharf to the handler, and what Wharf grants."""

from __future__ import annotations

import asyncio
import sys
from typing import cast
from urllib.parse import urlsplit

from app import handle
from componentize_py_types import Err, Ok
from poll_loop import PollLoop, Sink, Stream, send
from wit_world import exports
from wit_world.imports import environment, types

from .host import answer
from .message import Request, Response

# Headers that the connection has, and that a client may not set.
_CONNECTION = {"connection", "content-length", "host", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"}


class _Wharf:
    """Wharf itself."""

    def __init__(self) -> None:
        self._variables: dict[str, str] | None = None

    def variable(self, name: str) -> str | None:
        # It stays as it is as long as the instance does, and is not there yet when the component is built.
        if self._variables is None:
            self._variables = dict(environment.get_environment())
        return self._variables.get(name)

    def line(self, text: str) -> None:
        # Standard error is the task's log.
        sys.stderr.write(text + "\n")
        sys.stderr.flush()

    async def fetch(self, request: Request) -> Response:
        outgoing, body = _outgoing(request)
        sink = Sink(body)
        try:
            # Under way while the body is written.
            sending = asyncio.get_running_loop().create_task(send(outgoing))
            await sink.send(request.body)
            sink.close()
            incoming = await sending
        except Err as error:
            raise ConnectionError(f"{request.url}: {_told(error)}") from error
        headers = incoming.headers()
        fields = _received(headers)
        status = incoming.status()
        return Response(await _read(Stream(incoming.consume())), status=status, headers=fields)


class IncomingHandler(exports.IncomingHandler):
    """What Wharf calls for each request."""

    def handle(self, request: types.IncomingRequest, response_out: types.ResponseOutparam) -> None:
        loop = PollLoop()
        asyncio.set_event_loop(loop)
        loop.run_until_complete(_handle(request, response_out))


_WHARF = _Wharf()


async def _handle(incoming: types.IncomingRequest, out: types.ResponseOutparam) -> None:
    response = await answer(handle, await _request(incoming), _WHARF)
    fields = types.Fields.from_list([(name, value.encode(errors="surrogateescape")) for name, value in response.headers])
    outgoing = types.OutgoingResponse(fields)
    outgoing.set_status_code(response.status)
    sink = Sink(outgoing.body())
    types.ResponseOutparam.set(out, Ok(outgoing))
    await sink.send(response.body)
    sink.close()


async def _request(incoming: types.IncomingRequest) -> Request:
    scheme = "https" if isinstance(incoming.scheme(), types.Scheme_Https) else "http"
    authority = incoming.authority() or "localhost"
    url = f"{scheme}://{authority}{incoming.path_with_query() or '/'}"
    headers = _received(incoming.headers())
    body = await _read(Stream(incoming.consume()))
    return Request(url, method=_method_name(incoming.method()), headers=headers, body=body)


def _received(fields: types.Fields) -> list[tuple[str, str]]:
    # What is no text is kept byte for byte.
    with fields:
        return [(name, value.decode(errors="surrogateescape")) for name, value in fields.entries()]


async def _read(stream: Stream) -> bytes:
    """A body, whole: the task's memory is its bound."""
    chunks: list[bytes] = []
    while (chunk := await stream.next()) is not None:
        chunks.append(chunk)
    return b"".join(chunks)


def _outgoing(request: Request) -> tuple[types.OutgoingRequest, types.OutgoingBody]:
    parts = urlsplit(request.url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError(f"{request.url} is no URL of http or https")
    fields = [(name, value.encode(errors="surrogateescape")) for name, value in request.headers if name not in _CONNECTION]
    if request.body:
        fields.append(("content-length", str(len(request.body)).encode()))
    outgoing = types.OutgoingRequest(types.Fields.from_list(fields))
    outgoing.set_method(_method(request.method))
    outgoing.set_scheme(types.Scheme_Https() if parts.scheme == "https" else types.Scheme_Http())
    outgoing.set_authority(parts.netloc)
    outgoing.set_path_with_query((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
    return outgoing, outgoing.body()


def _method(name: str) -> types.Method:
    known = getattr(types, f"Method_{name.capitalize()}", None)
    return cast(types.Method, known()) if known and name != "OTHER" else types.Method_Other(name)


def _method_name(method: types.Method) -> str:
    if isinstance(method, types.Method_Other):
        return method.value
    return type(method).__name__.removeprefix("Method_").upper()


def _told(error: Err) -> str:
    code = error.value
    name = type(code).__name__.removeprefix("ErrorCode_")
    detail = getattr(code, "value", None)
    return f"{name}: {detail}" if detail else name
