"""The command line: one file a group of commands, imported only when its command runs.

Exit statuses: see statuses.py.
"""

from __future__ import annotations

import importlib
import io
import logging
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import NoReturn, TypeVar

import click

from crosstrail import __version__
from crosstrail.cli.command import Group
from crosstrail.cli.statuses import DONE, FAILED, INTERRUPTED, USAGE
from crosstrail.cli.translation import speak
from crosstrail.cli.words import COMMAND_WORDS, say, say_excerpt
from crosstrail.errors import CrosstrailError, SqlRejected
from crosstrail.settings.language_settings import language_of
from crosstrail.settings.shell_settings import completion_asked
from crosstrail.settings.trust_settings import trust_of
from crosstrail.trust import use
from crosstrail.vocabulary import speaking

_COMMANDS = {
    "access": ("cli.access", "Who may use which accounts."),
    "accounts": ("cli.accounts", "List, check, add, import and remove accounts."),
    "audit": ("cli.audit", "Who asked what of which accounts, from the record."),
    "check": ("cli.check_server", "Check that an MCP server works for many accounts."),
    "client": ("cli.client", "Add this server to Claude, Cursor, Kiro, Trae, VS Code, Codex and others."),
    "collect": ("cli.lake", "Read log files into the lake, for `lookup` and `query`."),
    "completion": ("cli.completion", "Print the script by which your shell completes."),
    "config": ("cli.config", "Show and check the settings."),
    "coverage": ("cli.coverage", "Show which days are proved, collected or missing."),
    "demo": ("cli.demo", "See it work on a made-up organisation with an incident in it."),
    "deploy": ("cli.deploy", "Run it on Amazon Bedrock AgentCore."),
    "detect": ("cli.detect", "Find what is suspicious: rules over the events."),
    "docs": ("cli.docs", "Read and search the documentation, without a network."),
    "doctor": ("cli.doctor", "See what works here, and what to do about the rest."),
    "export": ("cli.export", "Write original records to a file, with proof; check such a file."),
    "help": ("cli.help", "Explain a command or a topic."),
    "iam-policy": ("cli.iam_policy", "Write the least IAM policy that a principal's events need."),
    "init": ("cli.init", "Set crosstrail up: find accounts, write crosstrail.yaml, give a first answer."),
    "lake": ("cli.lake_care", "Care for the lake: see how it is; verify, compact, expire, move it."),
    "lookup": ("cli.events", "List events, newest first, of one account or many."),
    "query": ("cli.events", "Run a CloudTrail Lake SQL query on the lake."),
    "report": ("cli.report", "Write a report of an investigation to hand over."),
    "rules": ("cli.rules", "List, add, check and test the rules that `detect` runs."),
    "serve": ("launch.serve", "Serve the MCP tools."),
    "sql": ("cli.sql", "Ask the lake in a shell: SQL with history and completion."),
    "summarize": ("cli.summarize", "Everything one key, principal, address or resource did."),
    "timeline": ("cli.timeline", "Show events over time, in the terminal or as a page."),
    "verify": ("cli.verify", "Prove that an archive of log files was not tampered with."),
    "wrap": ("launch.wrap", "Serve any MCP server for all accounts."),
}


StatusT = TypeVar("StatusT")
CONFIG_HELP = "Configuration file (else crosstrail.yaml here, else in your configuration folder)."


class _LazyGroup(Group):
    """Knows its commands by name and imports one when it runs: `serve` must not load what `collect` needs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"crosstrail.{_COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="crosstrail")
def crosstrail() -> None:
    """Who did what, where and when, in every account of every cloud."""


def with_settings(command: Callable[..., StatusT]) -> Callable[..., StatusT]:
    """Give a command the options --config and --lake, and in their place one argument: `settings`."""
    return with_settings_after(lambda: None)(command)


def with_settings_after(first: Callable[[], None]) -> Callable[[Callable[..., StatusT]], Callable[..., StatusT]]:
    """The same; `first` is called before settings are loaded, which takes most of a command's start."""
    return partial(_with_settings, first)


def _with_settings(first: Callable[[], None], command: Callable[..., StatusT]) -> Callable[..., StatusT]:
    def load(config: str, lake: str, **rest: object) -> StatusT:
        first()
        from crosstrail.settings.config import load_settings

        return command(settings=load_settings(config, {"lake.path": lake}), **rest)

    load.__doc__ = command.__doc__
    load.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    options = [
        click.option("--config", metavar="FILE", default="", help=CONFIG_HELP),
        click.option("--lake", metavar="FOLDER", default="", help="Folder of the lake (else lake.path)."),
    ]
    for option in reversed(options):
        load = option(load)
    return load


def main() -> None:
    """Run one command of crosstrail and leave with its exit status."""
    if asked := completion_asked():
        from crosstrail.cli.completing import complete

        complete(crosstrail, asked)
        return
    run_command(crosstrail, "crosstrail")


def run_command(command: click.Command, name: str) -> NoReturn:
    """Run a command and leave with its exit status; an error of ours is one line on stderr."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # not every terminal knows every letter
    use(trust_of())
    if language := language_of():
        speak(language)
        from crosstrail.cli.translated_help import translate_help

        translate_help()
    try:
        with speaking(COMMAND_WORDS):
            status = command.main(standalone_mode=False, prog_name=name)
    except click.ClickException as error:
        _show(error)
        status = error.exit_code
    except click.Abort:
        status = INTERRUPTED
    except CrosstrailError as error:
        say(f"{name}: {error.operators_text}", logging.ERROR)
        say_excerpt(error.excerpt if isinstance(error, SqlRejected) else ())
        status = FAILED
    except UnicodeEncodeError as error:
        if not any("\udc80" <= sign <= "\udcff" for sign in error.object):
            raise
        say(f"{name}: {error.object} is no UTF-8 text. Rename it, or write it in another way.", logging.ERROR)
        status = USAGE
    except OSError as error:
        if not isinstance(error, BrokenPipeError):  # that is the reader gone away, as with `| head`
            place = f": {error.filename}" if error.filename else ""
            say(f"{name}: {error.strerror or type(error).__name__}{place}", logging.ERROR)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left to write has nowhere to go
        status = FAILED
    sys.exit(status if isinstance(status, int) else DONE)


def _show(error: click.ClickException) -> None:
    """As click does; what it quotes may be the name of a file that somebody else chose."""
    text = io.StringIO()
    error.show(file=text)
    for line in text.getvalue().splitlines():
        say(line, logging.ERROR)


__all__ = ["CONFIG_HELP", "crosstrail", "main", "run_command", "with_settings", "with_settings_after"]
