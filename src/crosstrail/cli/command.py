"""What every command and group has beside click's own: examples, lines no wider than the terminal, the nearest name of a wrong one.

`@click.command(cls=Command)` or `@click.group(cls=Group)`; commands of a Group need no `cls`. Decides how help looks, never what
it says.
"""

from __future__ import annotations

import inspect
import shutil
from collections.abc import Iterable
from gettext import gettext as _

import click

from crosstrail.cli.example_lines import example_lines
from crosstrail.cli.examples import EXAMPLES, Example
from crosstrail.cli.wrapping import cells, wrapped

_WIDEST, _NARROWEST = 100, 20
_GAP = 2


class HelpFormatter(click.HelpFormatter):
    """click's, which reckons with at least 50 columns and takes an ideograph for one."""

    def __init__(self, indent_increment: int = 2, width: int | None = None, max_width: int | None = None) -> None:
        # a line that fills a terminal's last column is followed by an empty one on some
        columns = width or max(min(shutil.get_terminal_size().columns, max_width or _WIDEST) - 1, _NARROWEST)
        super().__init__(indent_increment, columns, max_width)

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        usage = f"{prefix or _('Usage:')} {prog}".replace(":  ", ": ")
        self._write(wrapped(f"{usage} {args}".rstrip(), self.width, rest=" " * 4))

    def write_text(self, text: str) -> None:
        """Paragraphs, each wrapped."""
        indent = " " * self.current_indent
        paragraphs = (part.split() for part in inspect.cleandoc(text).split("\n\n"))
        parts = [wrapped(" ".join(words), self.width, first=indent, rest=indent) for words in paragraphs]
        for number, lines in enumerate(parts):
            self._write(["", *lines] if number else lines)

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = _GAP) -> None:
        """Terms, and what they mean beside them, or below where the term is long or the terminal narrow."""
        listed = list(rows)
        most = min(col_max, self.width // 3)
        column = min(max((cells(term) for term, _text in listed), default=0), most) + col_spacing
        indent, rest = " " * self.current_indent, " " * (self.current_indent + column)
        for term, text in listed:
            if text and cells(term) <= column - col_spacing:
                first = indent + term + " " * (column - cells(term))
                self._write(wrapped(text, self.width, first=first, rest=rest))
                continue
            self._write(wrapped(term, self.width, first=indent, rest=indent + " " * 4))
            if text:
                self._write(wrapped(text, self.width, first=rest, rest=rest))

    def _write(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(f"{line}\n")


class _Context(click.Context):
    formatter_class = HelpFormatter


def examples_of(ctx: click.Context) -> tuple[Example, ...]:
    """Those of the command that runs in this context."""
    names: list[str] = []
    while ctx.parent is not None:
        names.insert(0, ctx.info_name or "")
        ctx = ctx.parent
    return EXAMPLES.get(" ".join(names), ())


class Command(click.Command):
    context_class = _Context

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _format_examples(ctx, formatter)


class Group(click.Group):
    context_class = _Context
    command_class = Command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """click's looks for a near name among the commands that are loaded."""
        if not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            raise click.NoSuchCommand(args[0], possibilities=self.list_commands(ctx), ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _format_examples(ctx, formatter)


def _format_examples(ctx: click.Context, formatter: click.HelpFormatter) -> None:
    if examples := examples_of(ctx):
        with formatter.section(_("Examples")):
            for line in example_lines(examples, formatter.width, " " * formatter.current_indent):
                formatter.write(f"{line}\n")
