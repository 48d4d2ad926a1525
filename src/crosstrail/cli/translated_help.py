"""The help of commands in another language than English: click lays it out in English, and each of its texts is translated here.

Words that stand for values (`FILE`) are translated where they stand alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import click

from crosstrail.cli.command import HelpContext, HelpFormatter
from crosstrail.cli.translation import catalog, translated

_METAVAR = re.compile(r"(?<![\w-])[A-Z][A-Z_]*(?: RANGE)?(?![\w-])")
_EXTRA = re.compile(r"(?s)(.*?)(?:  |^)\[((?:env var|default|required|x[<>]|\d+<).*)\]")


class TranslatedHelp(HelpFormatter):
    """What click writes, in the language that is spoken."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        super().write_usage(prog, _metavars(args), translated(prefix or "Usage:"))

    def write_heading(self, heading: str) -> None:
        self.write(f"{'':>{self.current_indent}}{translated(heading + ':')}\n")

    def write_text(self, text: str) -> None:
        super().write_text("\n\n".join(map(_translated, re.split(r"\n\s*\n", text.strip("\n")))))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        super().write_dl([(_term(term), _explained(text)) for term, text in rows], col_max, col_spacing)


def _translated(paragraph: str) -> str:
    """Lines of one that begins with a line of \\b are texts by themselves."""
    if paragraph.startswith("\b"):
        return "\n".join(map(translated, paragraph.splitlines()))
    return translated(" ".join(paragraph.split()))


def _term(text: str) -> str:
    """An option or a command; what stands for a value is in capitals."""
    return _metavars(text) if text.startswith(("-", "[")) or text.isupper() else text


def _metavars(text: str) -> str:
    return _METAVAR.sub(lambda found: catalog().exactly(found[0]) or found[0], text)


def _explained(text: str) -> str:
    """An option's help, with what click adds about its default and its range."""
    if not (found := _EXTRA.fullmatch(text)):
        return translated(text)
    extras = "；".join(translated(one) for one in found[2].split("; "))
    return f"{translated(found[1])}  [{extras}]" if found[1] else f"[{extras}]"


def translate_help() -> None:
    """From now on click lays out help by this; for a process that speaks another language than English."""
    click.Context.formatter_class = HelpContext.formatter_class = TranslatedHelp
