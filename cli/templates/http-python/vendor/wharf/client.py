"""Asking other services: those that `egress` in wharf.toml names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from . import host
from .message import Request, Response


async def fetch(
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
    body: bytes | str = b"",
) -> Response:
    """Sends a request and reads the response, whatever its status. A ConnectionError if there is none."""
    return await host.current().fetch(Request(url, method=method, headers=headers, body=body))
