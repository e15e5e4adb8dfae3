"""What the task definition grants: plain values and secrets."""

from __future__ import annotations

from . import host


class Secret:
    """A value that does not print: as text it is `Secret(redacted)`."""

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def expose(self) -> str:
        """The value. Called where it is used, so that the uses are easy to find."""
        return self.__value

    def __repr__(self) -> str:
        return "Secret(redacted)"


def env(name: str) -> str | None:
    """The value of a variable of `env` in wharf.toml, or of one that Wharf sets (`WHARF_TASK_ID`, `WHARF_SERVICE`,
    `WHARF_REVISION`, `WHARF_NAMESPACE`). Ask while a request is answered, not at the top of a module: that runs when the
    component is built."""
    return host.current().variable(name)


def secret(name: str) -> Secret:
    """The secret that `secrets` in wharf.toml grants under this name; a KeyError that says how to grant it, if none is."""
    value = host.current().variable(name)
    if value is None:
        raise KeyError(
            f"no secret `{name}`: grant it in wharf.toml, `secrets = {{ {name} = \"the-secret's-name\" }}` under [task]"
        )
    return Secret(value)
