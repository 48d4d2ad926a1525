"""The tree of commands, walked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import click

from crosstrail.cli import crosstrail


@dataclass(frozen=True)
class Entry:
    """`path`: the words after `crosstrail`."""

    path: str
    command: click.Command
    context: click.Context

    @property
    def is_group(self) -> bool:
        return isinstance(self.command, click.Group)


def entries(but: str = "") -> list[Entry]:
    """Every command and group, the program itself first. `but`: a command of the program that is not looked at, nor loaded."""
    return list(_below("", crosstrail, crosstrail.make_context("crosstrail", [], resilient_parsing=True), but))


def _below(path: str, command: click.Command, context: click.Context, but: str = "") -> Iterator[Entry]:
    yield Entry(path, command, context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            if name == but:
                continue
            child = command.get_command(context, name)
            assert child
            inner = child.context_class(child, info_name=name, parent=context, **child.context_settings)
            yield from _below(f"{path} {name}".strip(), child, inner)


def parsed(words: list[str]) -> click.Context:
    """The context of the command that `crosstrail WORDS` runs, not run. Raises click.ClickException."""
    command: click.Command = crosstrail
    context = crosstrail.make_context("crosstrail", list(words))
    while isinstance(command, click.Group):
        rest = [*context._protected_args, *context.args]
        name, inner, rest = command.resolve_command(context, rest)
        assert inner
        context = inner.make_context(name, rest, parent=context)
        command = inner
    return context
