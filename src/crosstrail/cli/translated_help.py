"""The help of commands in another language than English: click lays it out in English, and each of its texts is translated here.

Wraps by cells, since click counts characters. Words that stand for values (`FILE`) are translated where they stand alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain

import click

from crosstrail.cli.cells import width_of, wrapped
from crosstrail.cli.translation import catalog, translated

_UNCUT = 100_000
"""The width that click sees: it would cut short texts to it, and a text that was cut is in no catalog."""
_METAVAR = re.compile(r"(?<![\w-])[A-Z][A-Z_]*(?: RANGE)?(?![\w-])")
_EXTRA = re.compile(r"(?s)(.*?)(?:  |^)\[((?:env var|default|required|x[<>]|\d+<).*)\]")


class TranslatedHelp(click.HelpFormatter):
    """What click writes, in the language that is spoken."""

    def __init__(self, indent_increment: int = 2, width: int | None = None, max_width: int | None = None) -> None:
        super().__init__(indent_increment, width, max_width)
        self._cells, self.width = self.width, _UNCUT

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """One line, or more where it is too long; the later ones begin under the first argument."""
        start = f"{translated(prefix or 'Usage:').rstrip()}{prog} "
        lines = wrapped(_metavars(args), self._cells - width_of(start))
        for number, line in enumerate(lines or [""]):
            self.write(f"{start if not number else ' ' * width_of(start)}{line}".rstrip() + "\n")

    def write_heading(self, heading: str) -> None:
        self.write(f"{'':>{self.current_indent}}{translated(heading + ':')}\n")

    def write_text(self, text: str) -> None:
        """Paragraphs with an empty line between them; one that begins with a line of \\b keeps its lines."""
        for line in _paragraphs(text, self._cells - self.current_indent):
            self.write(f"{'':>{self.current_indent if line else 0}}{line}\n")

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Terms and what they mean."""
        shown = [(_term(term), _explained(text)) for term, text in rows]
        column = min(max((width_of(term) for term, _ in shown), default=0), col_max) + col_spacing
        for term, text in shown:
            self.write(f"{'':>{self.current_indent}}{term}")
            lines = _paragraphs(text, max(self._cells - self.current_indent - column, 10)) if text else iter(())
            room = column - width_of(term)
            first = next(lines, "")
            if room >= col_spacing or not first:
                self.write(f"{' ' * room * bool(first)}{first}\n")
                rest = lines
            else:
                self.write("\n")
                rest = chain([first], lines)
            for line in rest:
                self.write(f"{'':>{self.current_indent + column}}{line}\n")


def _paragraphs(text: str, width: int) -> Iterator[str]:
    for number, paragraph in enumerate(re.split(r"\n\s*\n", text.strip("\n"))):
        if number:
            yield ""
        if paragraph.startswith("\b"):
            for line in paragraph.splitlines()[1:]:
                yield translated(line)
        else:
            yield from wrapped(translated(" ".join(paragraph.split())), width)


def _term(text: str) -> str:
    """An option or a command; what stands for a value is in capitals."""
    return _metavars(text) if text.startswith(("-", "[")) or text.isupper() else text


def _metavars(text: str) -> str:
    return _METAVAR.sub(lambda found: catalog().exactly(found[0]) or found[0], text)


def _explained(text: str) -> str:
    """An option's help, with what click adds about its default and its range."""
    if not (found := _EXTRA.fullmatch(text)):
        return text
    extras = "；".join(translated(one) for one in found[2].split("; "))
    return f"{translated(found[1])}  [{extras}]" if found[1] else f"[{extras}]"


def translate_help() -> None:
    """From now on click lays out help by this; for a process that speaks another language than English."""
    click.Context.formatter_class = TranslatedHelp
