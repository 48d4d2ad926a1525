"""What every command and group has beside click's own: examples, lines no wider than the terminal, the nearest name of a wrong one.

`@click.command(cls=Command)` or `@click.group(cls=Group)`; commands of a Group need no `cls`. Decides how help looks, never what
it says.
"""

from __future__ import annotations

import inspect
import re
import shutil
from collections.abc import Iterable
from gettext import gettext as _

import click

from crosstrail.cli.cells import width_of, wrapped
from crosstrail.cli.example_lines import example_lines
from crosstrail.cli.examples import EXAMPLES, Example

_WIDEST, _NARROWEST = 100, 20
_GAP = 2


class HelpFormatter(click.HelpFormatter):
    """click's, which reckons with at least 50 columns and takes an ideograph for one."""

    def __init__(self, indent_increment: int = 2, width: int | None = None, max_width: int | None = None) -> None:
        # a line that fills a terminal's last column is followed by an empty one on some
        columns = width or max(min(shutil.get_terminal_size().columns, max_width or _WIDEST) - 1, _NARROWEST)
        super().__init__(indent_increment, columns, max_width)

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        usage = (prefix or _("Usage:")).rstrip()
        self._wrap(f"{usage}{' ' * usage.isascii()}{prog} {args}".rstrip(), "", " " * 4)

    def write_text(self, text: str) -> None:
        """Paragraphs; of one that begins with a line of \\b each line is one."""
        indent = " " * self.current_indent
        for number, paragraph in enumerate(re.split(r"\n\s*\n", inspect.cleandoc(text))):
            self.write("\n" if number else "")
            kept = paragraph.startswith("\b")
            for line in paragraph.splitlines()[1:] if kept else [" ".join(paragraph.split())]:
                self._wrap(line, indent, indent)

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = _GAP) -> None:
        """Terms, and what they mean beside them, or below where the term is long or the terminal narrow."""
        listed = list(rows)
        most = min(col_max, self.width // 3)
        column = min(max((width_of(term) for term, _text in listed), default=0), most) + col_spacing
        indent, rest = " " * self.current_indent, " " * (self.current_indent + column)
        for term, text in listed:
            if text and width_of(term) <= column - col_spacing:
                self._wrap(text, indent + term + " " * (column - width_of(term)), rest)
                continue
            self._wrap(term, indent, indent + " " * 4)
            if text:
                self._wrap(text, rest, rest)

    def _wrap(self, text: str, first: str, rest: str) -> None:
        self.write("".join(f"{line}\n" for line in wrapped(text, self.width, first=first, rest=rest, cut_words=True)))


class HelpContext(click.Context):
    formatter_class = HelpFormatter


def words_of(ctx: click.Context) -> str:
    """The words of the command that runs in this context, after the name of the program."""
    names: list[str] = []
    while ctx.parent is not None:
        names.insert(0, ctx.info_name or "")
        ctx = ctx.parent
    return " ".join(names)


def examples_of(ctx: click.Context) -> tuple[Example, ...]:
    """Those of the command that runs in this context."""
    return EXAMPLES.get(words_of(ctx), ())


class Command(click.Command):
    context_class = HelpContext

    def invoke(self, ctx: click.Context) -> object:
        """Stopped by Ctrl-C, a command says what it leaves."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            from crosstrail.cli.interrupted import say_kept

            say_kept(words_of(ctx))
            raise click.Abort from None

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _format_examples(ctx, formatter)


class Group(click.Group):
    context_class = HelpContext
    command_class = Command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """click's looks for a near name among the commands that are loaded."""
        if not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            raise click.NoSuchCommand(args[0], possibilities=self.list_commands(ctx), ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """click's cuts what they are for to a line."""
        named = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        with formatter.section(_("Commands")):
            formatter.write_dl([(name, summary(command)) for name, command in named if command and not command.hidden])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _format_examples(ctx, formatter)


def summary(command: click.Command) -> str:
    """What stands beside a command in a list: the first sentence of its help, or its own short one."""
    text = " ".join(inspect.cleandoc(command.help or "").split("\n\n")[0].split())
    return command.short_help or re.split(r"(?<=[.]) (?=[A-Z-])", text)[0]


def _format_examples(ctx: click.Context, formatter: click.HelpFormatter) -> None:
    if examples := examples_of(ctx):
        with formatter.section(_("Examples")):
            for line in example_lines(examples, formatter.width, " " * formatter.current_indent):
                formatter.write(f"{line}\n")
