"""Answers a shell that completes a command line, by click's own machinery, with the values of completion_values.py.

It never prints an error and leaves with status 0: a key press is no place for one. What is wrong is told when the command runs.
"""

from __future__ import annotations

import os
from contextlib import suppress

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
    shell_complete,
)

from crosstrail.cli.completion_scripts import BASH, FISH, ZSH
from crosstrail.cli.completion_values import Source, completed, source_of
from crosstrail.settings.completion_settings import completion_settings
from crosstrail.settings.shell_settings import VARIABLE

PROGRAM = "crosstrail"


class _Value(click.ParamType[str]):
    """A text whose values are known."""

    name = "text"

    def __init__(self, source: Source) -> None:
        self._source = source

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        given = (ctx.params.get(name) for name in ("config", "lake"))
        config, lake = (value if isinstance(value, str) else "" for value in given)
        return completed(self._source, completion_settings(config, lake), incomplete)


class _Words(click.ParamType[str]):
    """What `help` takes: a command's words, or a topic."""

    name = "text"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        from crosstrail.documentation import topics

        words: tuple[str, ...] = ctx.params.get("topic") or ()
        context, command = ctx.find_root(), ctx.find_root().command
        for word in words:
            below = command.get_command(context, word) if isinstance(command, click.Group) else None
            if below is None:
                return []
            command = below
        names = command.list_commands(context) if isinstance(command, click.Group) else []
        offered = dict.fromkeys((*names, *(topics() if not words else ())))
        return [CompletionItem(name) for name in offered if name.startswith(incomplete)]


class _Completing(ShellComplete):
    """Of one shell: click finds what is being written, this gives parameters their values."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[str]]:
        self._name_values(args)
        option, equals, value = incomplete.partition("=")
        if not (equals and option.startswith("--")):
            return super().get_completions(args, incomplete)
        found = super().get_completions([*args, option], value)
        return [CompletionItem(f"{option}={one.value}", type=one.type, help=one.help) for one in found]

    def _name_values(self, args: list[str]) -> None:
        """Tell the parameters of the commands that these words name where their values come from."""
        command, path = self.cli, ""
        context = click.Context(command)
        for word in args:
            below = command.get_command(context, word) if isinstance(command, click.Group) else None
            if below is None:
                continue
            command, path = below, f"{path} {word}".strip()
            for param in command.params:
                source = source_of(path, param)
                if path == "help" and param.name == "topic":
                    param.type = _Words()
                elif source is not None:
                    param.type = _Value(source)


class Bash(_Completing, BashComplete):
    source_template = BASH

    @staticmethod
    def _check_version() -> None:
        """The script says which version it needs; no shell is started to print it."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """bash parts `--option=value` at the sign."""
        args, incomplete = super().get_completion_args()
        return [word for word in args if word != "="], "" if incomplete == "=" else incomplete


class Zsh(_Completing, ZshComplete):
    source_template = ZSH


class Fish(_Completing, FishComplete):
    source_template = FISH


SHELLS: dict[str, type[ShellComplete]] = {"bash": Bash, "zsh": Zsh, "fish": Fish}


def script(command: click.Command, shell: str) -> str:
    """What the shell is to read."""
    return SHELLS[shell](command, {}, PROGRAM, VARIABLE).source()


def complete(command: click.Command, asked: str) -> None:
    """`asked`: such as bash_complete."""
    for shell in SHELLS.values():
        add_completion_class(shell)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    with suppress(Exception):
        shell_complete(command, {}, PROGRAM, VARIABLE, asked)
