"""`crosstrail serve`: the MCP tools, to one client over stdio or to many over HTTP."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal, TypeVar, get_args, get_origin

import click

from crosstrail.cli import CONFIG_HELP
from crosstrail.cli.words import say
from crosstrail.errors import ConfigError
from crosstrail.launch.server_command import ServerCommand
from crosstrail.stderr_log import log_to_stderr

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo
    from starlette.applications import Starlette

    from crosstrail.accounts.policy import AccessRule
    from crosstrail.server.http.listener import Listener
    from crosstrail.settings.config import Settings

StatusT = TypeVar("StatusT")


def _serving_options(command: Callable[..., StatusT]) -> Callable[..., StatusT]:
    """An option for each setting of `serve` that names one, with that setting's help."""
    from crosstrail.settings.server_settings import ServeSettings
    from crosstrail.settings.setting_fields import facts_of

    for field in reversed(ServeSettings.model_fields.values()):
        if not (flag := facts_of(field).flag):
            continue
        if field.annotation is bool:
            command = click.option(flag, is_flag=True, help=field.description)(command)
        else:
            command = click.option(flag, type=_type_of(field), default=None, help=field.description)(command)
    return command


def _type_of(field: FieldInfo) -> click.ParamType[str] | type:
    if get_origin(field.annotation) is Literal:
        return click.Choice(get_args(field.annotation))
    return int if field.annotation is int else str


@click.command(cls=ServerCommand)
@click.option("--demo", is_flag=True, help="Serve the made-up organisation of `crosstrail demo`.")
@_serving_options
@click.option(
    "--allow-writes", is_flag=True, help="Offer the tools that change something, to whom a rule says `write`."
)
@click.option("--audit", metavar="FILE", default="", help="Where calls are recorded: a file, stderr or off.")
@click.option("--config", metavar="FILE", default="", help=CONFIG_HELP)
@click.option("--lake", metavar="FOLDER", default="", help="Folder of the lake (else lake.path).")
def serve(demo: bool, allow_writes: bool, audit: str, config: str, lake: str, **given: object) -> None:
    """Serve the MCP tools; what is logged goes to stderr.

    Over stdio to one client, who may see every account. Over HTTP (--transport http) at /mcp, to whom the access rules
    let in.
    """
    from crosstrail.settings.config import load_settings

    flags = {f"serve.{name}": value or "" for name, value in given.items() if value != 0} | {
        "allow_writes": allow_writes or "",
        "audit.to": audit,
        "lake.path": lake,
    }
    if given.get("port") == 0:
        flags["serve.port"] = "0"
    settings = load_settings(config, flags)
    log_to_stderr(settings.log_level, settings.serve.log_format)
    if demo:
        from crosstrail.demo import prepare

        ours = {"serve": settings.serve, "audit": settings.audit, "log_level": settings.log_level}
        settings = prepare().model_copy(update=ours)
    if settings.serve.transport == "stdio":
        _over_stdio(settings)
    else:
        _over_http(settings)


def _over_stdio(settings: Settings) -> None:
    import anyio

    from crosstrail.server.stdio import serve_stdio
    from crosstrail.settings.server_settings import check
    from crosstrail.workspace.workspace import Workspace

    check(settings.serve, settings.jwt, settings.oauth, rules=settings.access)
    if sys.stdin.isatty():
        say(
            "Speaking MCP over stdio. An MCP client starts this command by itself; for several clients: --transport http."
        )
    anyio.run(serve_stdio, Workspace(settings))


def _over_http(settings: Settings) -> None:
    import anyio

    from crosstrail.server.access.audit import retention
    from crosstrail.server.http.serve_app import app_factory, listener_of, serve_app
    from crosstrail.settings.server_settings import check

    rules = settings.access or anyio.run(_rules, settings)
    has_rules = bool(rules)
    check(settings.serve, settings.jwt, settings.oauth, rules=rules)
    say(f"record of calls: {retention(settings.audit, default='stderr')}")
    workers, listener = settings.serve.workers, listener_of(settings)
    with ExitStack() as held:
        if workers > 1:
            folder = held.enter_context(_counting_folder())
            app: Starlette | Callable[[], Starlette] = app_factory(
                settings, has_rules=has_rules, counted_in=str(Path(folder) / "limits.db")
            )
        else:
            app = serve_app(settings, has_rules=has_rules)
        answer_over_http(app, listener, sse=settings.serve.transport == "sse", workers=workers)


def answer_over_http(
    app: Starlette | Callable[[], Starlette],
    listener: Listener,
    *,
    sse: bool,
    name: str = "crosstrail",
    workers: int = 1,
) -> None:
    """Serve an application until it is told to stop, and say where. `name`: of the server. Raises ConfigError."""
    from crosstrail.server.http.connections import TimelyHttp
    from crosstrail.server.http.http_app import HTTP_PATH, SSE_PATH, serve_http
    from crosstrail.server.http.listener import listening

    with listening(listener) as socket:
        address = listener.address(socket)
        say(f"{name} serves {' and '.join(address + path for path in (HTTP_PATH, SSE_PATH)[: 1 + sse])}")
        serve_http(app, listener, socket, protocol=TimelyHttp, workers=workers)


def _counting_folder() -> TemporaryDirectory[str]:
    """Where workers count calls together. Raises ConfigError."""
    try:
        return TemporaryDirectory(prefix="crosstrail-")
    except OSError:
        raise ConfigError(
            "workers count calls together in a temporary file, and there is no place for one",
            hint="Set TMPDIR to a folder that can be written, or workers to 1.",
        ) from None


async def _rules(settings: Settings) -> tuple[AccessRule, ...]:
    from crosstrail.workspace.workspace import Workspace

    workspace = Workspace(settings)
    try:
        return await workspace.access_rules()
    finally:
        await workspace.aclose()
