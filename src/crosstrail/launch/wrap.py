"""`crosstrail wrap`: any MCP server, unedited, for all accounts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, TypedDict, TypeVar, Unpack, get_args

import click

from crosstrail.cli import with_settings
from crosstrail.errors import ConfigError
from crosstrail.launch.server_command import ServerCommand
from crosstrail.stderr_log import LogFormat, log_to_stderr

if TYPE_CHECKING:
    from pydantic import BaseModel

    from crosstrail.settings.config import Settings
    from crosstrail.settings.wrap_settings import WrapSettings

ModelT = TypeVar("ModelT", bound="BaseModel")
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


class _Options(TypedDict):
    """As click gives them: None where one was left out."""

    module: str
    python: str
    env: tuple[str, ...]
    pass_env: tuple[str, ...]
    read_only: bool
    allow: tuple[str, ...]
    deny: tuple[str, ...]
    parameter: str | None
    idle: float | None
    max_children: int | None
    transport: str | None
    host: str | None
    port: int | None
    log_format: str | None
    audit: str


class _Duration(click.ParamType[float]):
    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([smh]?)", str(value))
        if not found:
            self.fail(f"{value!r} is no duration: write 30s, 10m or 1h", param, ctx)
        return float(found.group(1)) * _UNITS[found.group(2)]


@click.command(cls=ServerCommand)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.option("--module", metavar="NAME", default="", help="Wrap a Python module instead of a command.")
@click.option("--python", metavar="PATH", default="", help="The Python that has the module (else crosstrail's own).")
@click.option("--env", metavar="NAME=VALUE", multiple=True, help="A variable the server needs. Repeatable.")
@click.option("--pass-env", metavar="NAME", multiple=True, help="A variable it gets as it is here. Repeatable.")
@click.option("--read-only", is_flag=True, help="Offer only tools that say they are read-only.")
@click.option("--allow", metavar="TOOL", multiple=True, help="Offer only these tools: names or globs. Repeatable.")
@click.option("--deny", metavar="TOOL", multiple=True, help="Do not offer these tools. Repeatable.")
@click.option("--parameter", metavar="NAME", default=None, help="The parameter that names the account.")
@click.option("--idle", type=_Duration(), default=None, help="How long a process without calls is kept, such as 10m.")
@click.option("--max-children", type=int, default=None, help="The largest number of processes at a time.")
@click.option("--transport", type=click.Choice(["stdio", "http"]), default=None, help="stdio, or http at /mcp.")
@click.option("--host", default=None, help="Address to listen on over HTTP.")
@click.option("--port", type=int, default=None, help="Port to listen on over HTTP.")
@click.option(
    "--log-format", type=click.Choice(get_args(LogFormat)), default=None, help="Log lines of text or of json."
)
@click.option("--audit", metavar="FILE", default="", help="Where calls are recorded: a file, stderr or off.")
@click.option("--list-tools", is_flag=True, help="Print what would be served, and leave.")
@with_settings
def wrap(settings: Settings, command: tuple[str, ...], list_tools: bool, **given: Unpack[_Options]) -> None:
    """Serve an MCP server's tools with one more parameter, the account.

    COMMAND starts the server, after `--`: crosstrail wrap -- uvx awslabs.billing-cost-management-mcp-server. Without one
    the servers under `wrap` in crosstrail.yaml are served together. The settings of `serve` hold, its transport
    too; over HTTP those of sign-in and the access rules as well.
    """
    import anyio

    from crosstrail.launch.wrapped import list_wrapped, serve_wrapped
    from crosstrail.settings.server_settings import ServeSettings

    options = {name: given[name] for name in ("transport", "host", "port", "log_format")}
    serve = _checked(ServeSettings, {**settings.serve.model_dump(), **_given(**options)})
    log_to_stderr(settings.log_level, serve.log_format)
    wrapped = _wrapped(settings.wrap, command, given)
    changed: dict[str, object] = {"serve": serve}
    if given["audit"]:
        changed["audit"] = settings.audit.model_copy(update={"to": given["audit"]})
    anyio.run(list_wrapped if list_tools else serve_wrapped, wrapped, settings.model_copy(update=changed))


def _wrapped(settings: WrapSettings, command: tuple[str, ...], given: _Options) -> WrapSettings:
    """What is to be wrapped: the one server of the command line, else those of the settings."""
    from crosstrail.settings.settings_file import anchored_command, anchored_program
    from crosstrail.settings.wrap_settings import WrappedServer, WrapSettings

    limits = _given(parameter=given["parameter"], idle=given["idle"], max_children=given["max_children"])
    values = {**settings.model_dump(exclude={"servers"}), **limits}
    one: dict[str, object] = {
        "module": given["module"],
        "python": given["python"],
        "env": given["env"],
        "pass_env": given["pass_env"],
        "read_only": given["read_only"],
        "allow": given["allow"],
        "deny": given["deny"],
    }
    if command or given["module"]:
        here = Path.cwd()
        one |= {"command": anchored_command(command, here), "env": _pairs(given["env"])}
        one |= {"python": anchored_program(given["python"], here)}
        values["servers"] = {_name(command[0] if command else given["module"]): _checked(WrappedServer, one)}
    elif any(one.values()):
        raise click.UsageError("these options describe one server: name its command after --, or its --module")
    else:
        values["servers"] = settings.servers
    return _checked(WrapSettings, values)


def _given(**options: object) -> dict[str, object]:
    """Those of these options that the command line has."""
    return {name: value for name, value in options.items() if value is not None}


def _name(program: str) -> str:
    """A server's name from its program: what is left of letters, digits, _ and -."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", PurePath(program).name).strip("-_")
    return re.sub(r"^[^A-Za-z]+", "", plain)[:32] or "server"


def _pairs(given: tuple[str, ...]) -> dict[str, str]:
    for one in given:
        if "=" not in one:
            raise click.UsageError(f"--env {one}: write NAME=VALUE, or --pass-env {one}")
    return dict(one.split("=", 1) for one in given)


def _checked(model: type[ModelT], values: Mapping[str, object]) -> ModelT:
    """Raises ConfigError in words, without the values: one may be a secret."""
    from pydantic import ValidationError

    from crosstrail.validation_errors import validation_message

    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise ConfigError(validation_message(error), hint="See: crosstrail wrap --help") from None
