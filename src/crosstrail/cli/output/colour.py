"""Colour that means something, and whether there is to be any.

Decides which colour says what: readable on light and on dark backgrounds, so neither yellow nor cyan nor blue. A colour only
repeats what the text says.
"""

from __future__ import annotations

from enum import Enum
from typing import TypedDict

import click

from crosstrail.settings.colour_settings import colour_choice


class Style(TypedDict, total=False):
    """What click.style takes."""

    fg: str
    bg: str
    bold: bool
    dim: bool


class Meaning(Enum):
    """What a value's colour says."""

    FAILED = "failed"
    WRITE = "write"
    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    INFORMATIONAL = "informational"
    WARNING = "warning"


STYLES: dict[Meaning, Style] = {
    Meaning.FAILED: {"fg": "red"},
    Meaning.WRITE: {"fg": "magenta"},
    Meaning.CRITICAL: {"fg": "bright_white", "bg": "red", "bold": True},
    Meaning.HIGH: {"fg": "red", "bold": True},
    Meaning.MEDIUM: {"fg": "magenta"},
    Meaning.INFORMATIONAL: {"dim": True},
    Meaning.WARNING: {"fg": "magenta"},
}


def coloured(text: str, meaning: Meaning | None) -> str:
    """The text in the colour of what it means."""
    return click.style(text, **STYLES[meaning]) if meaning else text


def rich_style(meaning: Meaning | None) -> str:
    """The same colour in rich's words."""
    style = STYLES[meaning] if meaning else Style()
    words = [word for word in ("bold", "dim") if style.get(word)]
    if "fg" in style:
        words.append(style["fg"])
    return " ".join([*words, *(["on", style["bg"]] if "bg" in style else [])])


def wants_colour(*, terminal: bool) -> bool:
    """Whether what goes to a terminal, or elsewhere, is to be coloured: the environment may say so either way."""
    choice = colour_choice()
    return terminal if choice is None else choice


def level_meaning(value: object) -> Meaning | None:
    """Of a level of Sigma; `low` needs no colour."""
    return next((one for one in Meaning if one.value == value and one in _LEVELS), None)


_LEVELS = frozenset({Meaning.CRITICAL, Meaning.HIGH, Meaning.MEDIUM, Meaning.INFORMATIONAL})


__all__ = ["STYLES", "Meaning", "Style", "coloured", "level_meaning", "rich_style", "wants_colour"]
