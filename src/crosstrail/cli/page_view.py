"""Shows Markdown: rendered in a terminal, through a pager where it is longer than the screen; as it is written into a pipe.

Decides how a page looks. Code stands in its own lines, uncut, so that it can be copied; links to other pages name the command
that shows them.
"""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, ClassVar

import click

from crosstrail.documentation import with_commands_for_links
from crosstrail.text import visible

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

_WIDEST = 100
"""Columns: longer lines are hard to read."""
_STYLES = {
    "markdown.code": "cyan",
    "markdown.table.border": "dim",
    "markdown.table.header": "bold",
    "markdown.block_quote": "none",
}
"""Those of light terminals and dark ones alike: no background of our own."""


def show_markdown(text: str) -> None:
    """`text`: of this package, whose own control characters are none; its lines are cleaned all the same."""
    if not sys.stdout.isatty():
        click.echo(
            "\n".join(map(visible, text.splitlines()))
        )  # a page has its own translation: no line of it is looked up
        return
    rendered = _rendered(with_commands_for_links("\n".join(map(visible, text.splitlines()))))
    if rendered.count("\n") < shutil.get_terminal_size().lines:
        click.echo(rendered, nl=False)
    else:
        click.echo_via_pager(rendered)


def _rendered(text: str) -> str:
    from rich.console import Console
    from rich.markdown import Heading, Markdown, MarkdownElement, TextElement
    from rich.padding import Padding
    from rich.segment import Segment
    from rich.text import Text
    from rich.theme import Theme

    class Code(TextElement):
        style_name = "none"

        def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
            lines = str(self.text).rstrip("\n").split("\n")
            yield from (Segment(f"    {line}\n", console.get_style("cyan")) for line in lines)

    class Title(Heading):
        def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
            yield Padding(Text(str(self.text), style="bold" if self.tag != "h1" else "bold underline"), (1, 0, 0, 0))

    class Shown(Markdown):
        elements: ClassVar[dict[str, type[MarkdownElement]]] = {
            **Markdown.elements,
            "fence": Code,
            "code_block": Code,
            "heading_open": Title,
        }

    width = min(shutil.get_terminal_size().columns, _WIDEST)
    console = Console(width=width, highlight=False, theme=Theme(_STYLES))
    with console.capture() as captured:
        console.print(Shown(text, hyperlinks=False), crop=False)
    return "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n"
