"""What a report is made of, before it has a form: sections of paragraphs, lists, tables, and one chart.

Decides what is our own word and what was written by somebody else: a `Quoted` text is of a log, a rule or a file, and every form
shows it as a quotation that can do nothing. A plain `str` is ours, and is escaped all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

Tone = Literal["", "good", "warning", "informational", "low", "medium", "high", "critical"]
"""How grave something is: a form may colour it, and says the same in words."""


@dataclass(frozen=True, slots=True)
class Quoted:
    """A text that strangers chose; it is cleaned and escaped by each form."""

    text: str


Inline = str | Quoted


@dataclass(frozen=True, slots=True)
class Paragraph:
    parts: tuple[Inline, ...]
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class Bullets:
    items: tuple[tuple[Inline, ...], ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """A table; with no `columns`, of names and values."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Inline, ...], ...]
    left_out: int = 0
    """Rows that are not here."""


@dataclass(frozen=True, slots=True)
class ActivityChart:
    """Counts of (read, write, denied) in bins of time, and where in them something was found."""

    first: datetime
    step: timedelta
    counts: tuple[tuple[int, int, int], ...]
    marks: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class Reference:
    """A file that lies beside the report, or an address that is ours to name."""

    words: str
    target: str


Block = Paragraph | Bullets | Grid | ActivityChart | Reference


@dataclass(frozen=True, slots=True)
class Section:
    title: tuple[Inline, ...]
    blocks: tuple[Block, ...] = ()
    sections: tuple[Section, ...] = ()
    tone: Tone = ""
    label: str = ""
    """A word beside the title, such as a finding's level."""


@dataclass(frozen=True, slots=True)
class ReportDocument:
    title: str
    subtitle: str
    sections: tuple[Section, ...]


def said(*parts: Inline, tone: Tone = "") -> Paragraph:
    return Paragraph(parts, tone)


def listing(lines: Sequence[Inline]) -> Bullets:
    """Each line one item."""
    return Bullets(tuple((line,) for line in lines))
