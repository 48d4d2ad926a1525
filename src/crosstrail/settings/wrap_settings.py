"""Settings of wrapped MCP servers: which programs they are, what each may see and take.

Decides which variables a wrapped server may never be given. It starts nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator

from crosstrail.clouds.base import clouds
from crosstrail.settings_group import SettingsGroup, option


def credential_variables() -> tuple[str, ...]:
    """How variables begin that say whose credentials are used: a wrapped server has its account's, and no others."""
    return tuple(start for cloud in clouds() for start in cloud.credential_variables)


class WrappedServer(SettingsGroup):
    """One MCP server, as `crosstrail wrap` starts it for each account."""

    command: tuple[str, ...] = option((), "", "Program and arguments that serve MCP over stdio.")
    module: str = option(
        "",
        "",
        "A Python module instead of a command.",
        pattern=r"^([A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*)?$",
    )
    python: str = option("", "", "The Python that has the module. Empty: crosstrail's own.")
    env: Mapping[str, SecretStr] = option({}, "", "Variables it needs besides its credentials.")
    pass_env: tuple[str, ...] = option((), "", "Names of variables it gets as crosstrail has them.")
    read_only: bool = option(False, "", "Offer only tools that say they are read-only.")
    allow: tuple[str, ...] = option((), "", "Offer only these tools: names or globs.")
    deny: tuple[str, ...] = option((), "", "Do not offer these: names or globs; before `allow`.")
    per_account: bool = option(
        False, "", "Its tools differ by account: ask it once for each, not only with an account's first call."
    )

    @model_validator(mode="after")
    def _one_program(self) -> Self:
        if bool(self.command) == bool(self.module):
            raise ValueError("give one of command and module")
        return self

    @model_validator(mode="after")
    def _no_identity(self) -> Self:
        """A fixed identity would answer for every account."""
        if named := sorted(name for name in (*self.env, *self.pass_env) if name.startswith(credential_variables())):
            raise ValueError(f"{named[0]} is not passed on: each account's own credentials are")
        return self


class WrapSettings(SettingsGroup):
    """Wrapped MCP servers, served for many accounts."""

    servers: Mapping[Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,31}$")], WrappedServer] = option(
        {}, "", "Name -> command (or module), env, pass_env, read_only, allow, deny, per_account."
    )
    parameter: str = option(
        "target_account_id",
        "CROSSTRAIL_WRAP_PARAMETER",
        "The parameter that names the account.",
        pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$",
    )
    idle: float = option(600.0, "CROSSTRAIL_WRAP_IDLE", "Seconds that a child process without calls is kept.", gt=0)
    max_children: int = option(
        8, "CROSSTRAIL_WRAP_MAX_CHILDREN", "Most child processes at a time, over all servers.", ge=1, le=256
    )
    start_timeout: float = option(
        60.0, "CROSSTRAIL_WRAP_START_TIMEOUT", "Seconds a server may take to start and list what it has.", gt=0
    )
    retry: float = option(
        15.0,
        "CROSSTRAIL_WRAP_RETRY",
        "Seconds before a server that did not start is tried again; twice as long each time, up to 10 minutes.",
        gt=0,
    )
    call_timeout: float = option(600.0, "CROSSTRAIL_WRAP_CALL_TIMEOUT", "Seconds one call may take.", gt=0)
