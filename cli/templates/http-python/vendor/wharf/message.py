"""Requests and responses."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit


class Headers:
    """Headers, in order; a name's case doesn't matter, and it may be there several times."""

    def __init__(self, headers: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        self._pairs = [(name.lower(), value) for name, value in pairs]

    def get(self, name: str, default: str | None = None) -> str | None:
        """The first of this name."""
        return next((value for key, value in self._pairs if key == name.lower()), default)

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def __iter__(self):
        return iter(self._pairs)

    def with_default(self, name: str, value: str) -> Headers:
        """These, and one more if there is none of its name."""
        return self if name in self else Headers([*self._pairs, (name.lower(), value)])


class _Message:
    headers: Headers
    body: bytes

    @property
    def text(self) -> str:
        """The body, as UTF-8."""
        return self.body.decode()

    def json(self) -> Any:
        """The body, as JSON."""
        return json.loads(self.body)


class Request(_Message):
    """A request: one that is answered, or one to another service."""

    def __init__(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        body: bytes | str = b"",
    ) -> None:
        self.method = method.upper()
        self.url = url
        self.headers = Headers(headers)
        self.body = body.encode() if isinstance(body, str) else body

    @property
    def _parts(self) -> SplitResult:
        return urlsplit(self.url)

    @property
    def path(self) -> str:
        """The path as a person reads it: `%20` is a space."""
        return unquote(self._parts.path) or "/"

    @property
    def query(self) -> dict[str, str]:
        """The query's values by name; of several of one name, the last."""
        return dict(parse_qsl(self._parts.query, keep_blank_values=True))


class Response(_Message):
    """A response: `Response.of_text(…)`, `Response.of_json(…)`, or any bytes."""

    def __init__(
        self,
        body: bytes = b"",
        *,
        status: int = 200,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
    ) -> None:
        self.status = status
        self.headers = Headers(headers)
        self.body = body

    @classmethod
    def of_text(cls, text: str, *, status: int = 200, headers: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> Response:
        """Text, as UTF-8."""
        typed = Headers(headers).with_default("content-type", "text/plain; charset=utf-8")
        return cls(text.encode(), status=status, headers=typed)

    @classmethod
    def of_json(cls, value: object, *, status: int = 200, headers: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> Response:
        """A value, as JSON."""
        typed = Headers(headers).with_default("content-type", "application/json")
        return cls(json.dumps(value, ensure_ascii=False).encode(), status=status, headers=typed)
