"""The log: a line of JSON on standard error each, with level, message, fields and the request's ids, as the SDK for Rust
writes them. `LOG_LEVEL` under `env` in wharf.toml (`off`, `error`, `warn`, `info`, `debug`, `trace`; `info` if it isn't
set) says how much is told.

    log.warn("slow upstream", city="Oslo", ms=812)
"""

from __future__ import annotations

import json

from . import host

_LEVELS = ("off", "error", "warn", "info", "debug", "trace")


def error(message: str, /, **fields: object) -> None:
    _write("error", message, fields)


def warn(message: str, /, **fields: object) -> None:
    _write("warn", message, fields)


def info(message: str, /, **fields: object) -> None:
    _write("info", message, fields)


def debug(message: str, /, **fields: object) -> None:
    _write("debug", message, fields)


def trace(message: str, /, **fields: object) -> None:
    _write("trace", message, fields)


def _write(level: str, message: str, fields: dict[str, object]) -> None:
    there = host.current()
    most = there.variable("LOG_LEVEL")
    if _LEVELS.index(level) > _LEVELS.index(most if most in _LEVELS else "info"):
        return
    line: dict[str, object] = {"level": level, "message": str(message), **host.ids()}
    if fields:
        line["fields"] = fields
    there.line(_text(line))


def _text(line: dict[str, object]) -> str:
    try:
        return json.dumps(line, default=repr, separators=(",", ":"))
    except (TypeError, ValueError):
        # An object within itself, or a key that is none of JSON's.
        return json.dumps({**line, "fields": repr(line.get("fields"))})
