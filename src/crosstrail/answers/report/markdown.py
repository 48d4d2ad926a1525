"""A document as Markdown that renders alike everywhere, and holds nothing but text.

Decides how texts are kept from being markup. Those of strangers are code spans, in which no link, no image and no HTML is; ours have
every sign of Markdown escaped, so that an account's alias is no heading and an address no link.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from urllib.parse import quote

from crosstrail.answers.report.document import (
    ActivityChart,
    Block,
    Bullets,
    Grid,
    Inline,
    Paragraph,
    Quoted,
    Reference,
    ReportDocument,
    Section,
)
from crosstrail.text import visible
from crosstrail.timerange import iso

_SIGNS = re.compile(r"([\\`*_{}\[\]<>#+!|~^=$&]|(?<=[A-Za-z0-9]):(?=[^\s0-9]))")
_STARTS = re.compile(r"^(\s*)(\d+)([.)])|^(\s*)([-])")
_AT = re.compile(r"@|(?<=[Ww][Ww][Ww])\.")
_BARS = " ▁▂▃▄▅▆▇█"
_MAX_BINS = 60


def as_markdown(document: ReportDocument) -> str:
    lines = [f"# {_own(document.title)}", "", _own(document.subtitle), ""]
    for one in document.sections:
        lines += _section(one, 2)
    return "\n".join(lines).rstrip() + "\n"


def _own(text: str) -> str:
    """Our text, in which no sign means anything."""
    escaped = _SIGNS.sub(r"\\\1", visible(text))
    escaped = _STARTS.sub(
        lambda found: f"{found[1] or found[4] or ''}{found[2] or ''}\\{found[3] or found[5]}", escaped
    )
    return _AT.sub(lambda found: f"`{found[0]}`", escaped)  # an address of mail, www.: some readers make links of these


def _quotation(text: str) -> str:
    """A stranger's text between more backticks than stand in a row in it. An empty one is nothing."""
    shown = visible(text).strip()
    if not shown:
        return ""
    fence = "`" * (max(map(len, re.findall("`+", shown)), default=0) + 1)
    room = " " if shown[0] == "`" or shown[-1] == "`" else ""
    return f"{fence}{room}{shown}{room}{fence}"


def _inline(parts: Sequence[Inline]) -> str:
    return "".join(_quotation(one.text) if isinstance(one, Quoted) else _own(one) for one in parts)


def _cell(part: Inline) -> str:
    """A bar would end the cell, even inside code; its own escape is taken away before anything else is read."""
    return _inline((part,)).replace("\\|", "|").replace("|", "\\|")


def _section(section: Section, depth: int) -> Iterator[str]:
    label = f"{_own(section.label)} · " if section.label else ""
    yield from (f"{'#' * depth} {label}{_inline(section.title)}", "")
    for block in section.blocks:
        yield from (*_block(block), "")
    for one in section.sections:
        yield from _section(one, depth + 1)


def _block(block: Block) -> Iterator[str]:
    if isinstance(block, Paragraph):
        yield _inline(block.parts)
    elif isinstance(block, Bullets):
        yield from (f"- {_inline(one)}" for one in block.items)
    elif isinstance(block, Reference):
        yield f"[{_own(block.words)}](<{quote(block.target)}>)"
    elif isinstance(block, ActivityChart):
        yield from _chart(block)
    else:
        yield from _table(block)


def _table(grid: Grid) -> Iterator[str]:
    columns = grid.columns or ("", "")
    rows = grid.rows if grid.columns else tuple((row[0], _joined(row[1:])) for row in grid.rows)
    yield "| " + " | ".join(_cell(name) for name in columns) + " |"
    yield "|" + " --- |" * len(columns)
    for row in rows:
        yield "| " + " | ".join(one if isinstance(one, _Done) else _cell(one) for one in row) + " |"
    if grid.left_out:
        yield from ("", _own(f"and {grid.left_out:,} more"))


class _Done(str):
    """Markdown that is written already."""

    __slots__ = ()


def _joined(parts: Sequence[Inline]) -> _Done:
    return _Done("".join(map(_cell, parts)))


def _chart(chart: ActivityChart) -> Iterator[str]:
    """A row of blocks, as many as a line has room for, and the counts."""
    width = -(-len(chart.counts) // _MAX_BINS) or 1
    bins = [sum(map(sum, chart.counts[place : place + width])) for place in range(0, len(chart.counts), width)]
    most = max(bins, default=0) or 1
    drawn = "".join(_BARS[-(-count * (len(_BARS) - 1) // most)] for count in bins)
    read, write, denied = (sum(one[kind] for one in chart.counts) for kind in range(3))
    end = chart.first + chart.step * len(chart.counts)
    yield f"`{iso(chart.first)}` {drawn.replace(' ', '·')} `{iso(end)}`"
    yield ""
    yield _own(f"{read:,} read, {write:,} write, {denied:,} denied.")
