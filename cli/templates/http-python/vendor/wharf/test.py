"""Testing a handler natively: no component, no server, no network."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from . import host
from .message import Request, Response


class Host:
    """What a handler sees of the world in a test: variables, secrets' values, and who answers what it fetches, by origin
    (`https://api.example.com`). There is nothing else."""

    def __init__(
        self,
        *,
        env: Mapping[str, str] | None = None,
        secrets: Mapping[str, str] | None = None,
        upstreams: Mapping[str, Callable[[Request], Response]] | None = None,
    ) -> None:
        self._variables = {**(env or {}), **(secrets or {})}
        self._upstreams = dict(upstreams or {})
        #: The lines that `log` wrote.
        self.log: list[dict[str, Any]] = []
        #: What the handler fetched, in order.
        self.sent: list[Request] = []

    def call(
        self,
        handle: host.Handler,
        path: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        body: bytes | str = b"",
    ) -> Response:
        """Has a request answered."""
        url = path if "://" in path else f"http://test.localhost{path}"
        request = Request(url, method=method, headers=headers, body=body)
        return asyncio.run(host.answer(handle, request, self))

    def variable(self, name: str) -> str | None:
        return self._variables.get(name)

    def line(self, text: str) -> None:
        self.log.append(json.loads(text))

    async def fetch(self, request: Request) -> Response:
        parts = urlsplit(request.url)
        origin = f"{parts.scheme}://{parts.netloc}"
        upstream = self._upstreams.get(origin)
        if upstream is None:
            # As where `egress` doesn't name it.
            raise ConnectionError(f'this test\'s host has no upstream for {origin}: `upstreams={{"{origin}": answer}}`')
        self.sent.append(request)
        return upstream(request)
