"""A document as one HTML page: no script, nothing from elsewhere, dark and light, made to be printed.

Decides that every text passes one function on its way into the page. The page's own policy forbids everything but the one style
sheet in it, so that a text which got through would still do nothing.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
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

_STYLE = """
:root{color-scheme:light dark;--ink:#1c2128;--paper:#fff;--soft:#57606a;--line:#d0d7de;--box:#f6f8fa;--read:#8c959f;--write:#0a69da;
--denied:#b35900;--mark:#a40e26;--critical:#82071e;--high:#a40e26;--medium:#7d4e00;--low:#0550ae;--good:#116329}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--paper:#0d1117;--soft:#9198a1;--line:#3d444d;--box:#151b23;--read:#6e7681;
--write:#4493f8;--denied:#e3a008;--mark:#ff7b72;--critical:#ffa198;--high:#ff7b72;--medium:#e3b341;--low:#79c0ff;--good:#56d364}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:68rem;padding:2rem 1.25rem 4rem;background:var(--paper);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
h1{font-size:1.9rem;line-height:1.2;margin:0}h2{font-size:1.35rem;margin:2.5rem 0 .75rem;padding-bottom:.3rem;border-bottom:1px solid var(--line)}
h3{font-size:1.05rem;margin:1.5rem 0 .5rem}p,ul{margin:.5rem 0}ul{padding-left:1.3rem}
.under{color:var(--soft);margin:.4rem 0 0}.warning{color:var(--medium)}.good{color:var(--good)}
.label{display:inline-block;border:1px solid currentColor;border-radius:.3rem;padding:0 .45em;font-size:.8em;margin-right:.5em;font-weight:600}
.critical{color:var(--critical)}.high{color:var(--high)}.medium{color:var(--medium)}.low{color:var(--low)}
code{font:.88em/1.4 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.9rem;margin:.5rem 0}
th,td{text-align:left;vertical-align:top;padding:.3rem .6rem .3rem 0;border-bottom:1px solid var(--line)}
td.t{white-space:nowrap}th{font-weight:600;color:var(--soft);white-space:nowrap}table.facts th{width:11rem}
section section{border:1px solid var(--line);border-radius:.5rem;background:var(--box);padding:.25rem 1rem .75rem;margin:1rem 0}
section section h3{margin-top:.75rem}
nav ul{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;list-style:none;padding:0}a{color:var(--write)}
figure{margin:.5rem 0}svg{width:100%;height:auto;display:block}figcaption{color:var(--soft);font-size:.85rem}
.read{fill:var(--read)}.write{fill:var(--write)}.denied{fill:var(--denied)}.mark{fill:var(--mark)}.axis{stroke:var(--line)}
.tick{fill:var(--soft);font:11px system-ui,sans-serif}
@media print{:root{color-scheme:light}body{max-width:none;padding:0;font-size:11pt}nav{display:none}h2,h3{break-after:avoid}
section section,tr,figure{break-inside:avoid}.wide{overflow:visible}}
"""
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z", re.ASCII)
_WIDTH, _HEIGHT, _ROOM = 960, 150, 22


def as_html(document: ReportDocument) -> str:
    """Raises nothing whatever the texts are."""
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    body = "\n".join(_section(one, number) for number, one in enumerate(document.sections))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_text(policy)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="referrer" content="no-referrer">\n'
        f"<title>{_text(document.title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f'<header>\n<h1>{_text(document.title)}</h1>\n<p class="under">{_text(document.subtitle)}</p>\n{_contents(document)}\n</header>\n'
        f"{body}\n</main>\n</body>\n</html>\n"
    )


def _text(text: str) -> str:
    """The one way of a text into the page: what is not visible goes, what could be markup is none."""
    return html.escape(visible(text), quote=True)


def _inline(parts: Sequence[Inline]) -> str:
    return "".join(f"<code>{_text(one.text)}</code>" if isinstance(one, Quoted) else _text(one) for one in parts)


def _contents(document: ReportDocument) -> str:
    links = "".join(
        f'<li><a href="#s{place}">{_inline(one.title)}</a></li>' for place, one in enumerate(document.sections)
    )
    return f'<nav aria-label="Contents"><ul>{links}</ul></nav>'


def _section(section: Section, number: int) -> str:
    label = f'<span class="label {section.tone}">{_text(section.label)}</span>' if section.label else ""
    inner = "\n".join([*map(_block, section.blocks), *map(_inner, section.sections)])
    return f'<section id="s{number}">\n<h2>{label}{_inline(section.title)}</h2>\n{inner}\n</section>'


def _inner(section: Section) -> str:
    label = f'<span class="label {section.tone}">{_text(section.label)}</span>' if section.label else ""
    inner = "\n".join(map(_block, section.blocks))
    return f"<section>\n<h3>{label}{_inline(section.title)}</h3>\n{inner}\n</section>"


def _block(block: Block) -> str:
    if isinstance(block, Paragraph):
        return f'<p class="{block.tone}">{_inline(block.parts)}</p>' if block.tone else f"<p>{_inline(block.parts)}</p>"
    if isinstance(block, Bullets):
        return "<ul>" + "".join(f"<li>{_inline(one)}</li>" for one in block.items) + "</ul>"
    if isinstance(block, Reference):
        return f'<p><a href="{_text(quote(block.target))}">{_text(block.words)}</a></p>'
    if isinstance(block, ActivityChart):
        return _chart(block)
    return _table(block)


def _table(grid: Grid) -> str:
    if not grid.columns:
        rows = "".join(
            f'<tr><th scope="row">{_inline(row[:1])}</th><td>{_inline(row[1:])}</td></tr>' for row in grid.rows
        )
        return f'<div class="wide"><table class="facts">{rows}</table></div>'
    head = "".join(f'<th scope="col">{_text(name)}</th>' for name in grid.columns)
    rows = "".join("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in grid.rows)
    more = f'<p class="under">and {grid.left_out:,} more</p>' if grid.left_out else ""
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>{more}'


def _cell(part: Inline) -> str:
    """A time is not broken."""
    whole = ' class="t"' if isinstance(part, str) and _TIME.fullmatch(part) else ""
    return f"<td{whole}>{_inline((part,))}</td>"


def _chart(chart: ActivityChart) -> str:
    """Bars of what was read, written and denied, one on the other, with marks above where something was found."""
    most = max((sum(bin_) for bin_ in chart.counts), default=0) or 1
    wide = _WIDTH / max(len(chart.counts), 1)
    bars = "".join(_bars(chart.counts, wide, most))
    marks = "".join(
        f'<path class="mark" d="M{x - 5:.1f} 0h10l-5 9z"><title>{_text(f"found: {iso(when)}")}</title></path>'
        for when, x in _places(chart, wide)
    )
    end = chart.first + chart.step * len(chart.counts)
    read, write, denied = (sum(one[kind] for one in chart.counts) for kind in range(3))
    about = f"{read:,} read, {write:,} write, {denied:,} denied; at most {most:,} events in {_span(chart)}"
    ticks = (
        f'<line class="axis" x1="0" x2="{_WIDTH}" y1="{_HEIGHT}" y2="{_HEIGHT}"></line>'
        f'<text class="tick" x="0" y="{_HEIGHT + 15}">{_text(iso(chart.first))}</text>'
        f'<text class="tick" x="{_WIDTH}" y="{_HEIGHT + 15}" text-anchor="end">{_text(iso(end))}</text>'
    )
    return (
        f'<figure><svg viewBox="0 0 {_WIDTH} {_HEIGHT + _ROOM}" role="img" aria-label="{_text(about)}">{bars}{marks}{ticks}</svg>'
        f"<figcaption>{_text(about)}. Grey: read. Blue: write. Orange: denied. Triangles: findings.</figcaption></figure>"
    )


def _bars(counts: Sequence[tuple[int, int, int]], wide: float, most: int) -> Iterator[str]:
    room = _HEIGHT - 14
    for place, bin_ in enumerate(counts):
        top = float(_HEIGHT)
        for kind, count in zip(("read", "write", "denied"), bin_, strict=True):
            if count:
                high = max(count / most * room, 0.75)
                top -= high
                yield (
                    f'<rect class="{kind}" x="{place * wide:.2f}" y="{top:.2f}" width="{max(wide - 1, 0.75):.2f}" '
                    f'height="{high:.2f}"></rect>'
                )


def _places(chart: ActivityChart, wide: float) -> list[tuple[datetime, float]]:
    step = chart.step.total_seconds() or 1.0
    found = {round(max(0.0, (one - chart.first).total_seconds() / step) * wide, 1): one for one in chart.marks}
    return [(when, min(x, float(_WIDTH))) for x, when in sorted(found.items())]


def _span(chart: ActivityChart) -> str:
    seconds = round(chart.step.total_seconds())
    for unit, name in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= unit and seconds % unit == 0:
            count = seconds // unit
            return f"{count} {name}{'s' * (count != 1)}"
    return f"{seconds} seconds"
