"""What a timeline shows, and the same as the data of its page.

Decides what of it a page gets: texts cleaned and capped as in every answer, each text once, records as they stand but for
characters that are not visible. It asks nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from crosstrail.answers.render import clean
from crosstrail.detections.findings import DetectionFinding
from crosstrail.detections.timeline import KINDS, Counts, LaneKind, TimelineEvent
from crosstrail.models import Account, AccountKey
from crosstrail.text import escaped

_CELL, _LINE, _TITLE = 400, 2_000, 200
_COLUMNS = ("name", "principal", "account", "region", "source", "address", "agent", "error", "cloud")


@dataclass(frozen=True, slots=True)
class Timeline:
    """`counts`: of all events, None where there is none; `events`: those shown one by one. `findings`: None where nobody looked.
    `asked`: the question in words; `coverage`: a line each."""

    title: str
    asked: str
    lanes: LaneKind
    counts: Counts | None
    events: tuple[TimelineEvent, ...]
    findings: tuple[DetectionFinding, ...] | None
    coverage: tuple[str, ...]
    accounts: tuple[Account, ...] = ()

    @property
    def left_out(self) -> int:
        """Events that are counted and not shown one by one."""
        return (self.counts.total if self.counts else 0) - len(self.events)

    def name_of(self, key: AccountKey) -> str:
        """`prod (111111111111)`."""
        for account in self.accounts:
            if account.key == key and account.alias:
                return f"{account.alias} ({account.id})"
        return key[1]


def wire(timeline: Timeline) -> tuple[dict[str, object], list[str | None]]:
    """The page's data, and the records beside it in the order of its events. timeline_files/data.js reads both."""
    texts = _Texts()
    events, counts = timeline.events, timeline.counts
    names = {event.key[0]: timeline.name_of(event.key[0]) for event in events}
    columns: dict[str, list[object]] = {name: [] for name in ("time", "kind", "id", *_COLUMNS)}
    before = 0
    for event in events:
        at = _ms(event.time)
        columns["time"].append(at - before)
        columns["kind"].append(KINDS.index(event.kind))
        columns["id"].append(clean(event.id, _CELL))
        for name in _COLUMNS:
            text = names[event.key[0]] if name == "account" else str(getattr(event, name))
            columns[name].append(texts.place(text))
        before = at
    first, last = _span(counts)
    ids = {str(texts.place(name)): clean(key[1], _CELL) for key, name in names.items()}
    data: dict[str, object] = {
        "form": 1,
        "title": clean(timeline.title, _TITLE),
        "asked": clean(timeline.asked, _LINE),
        "coverage": [clean(line, _LINE) for line in (*left_out_lines(timeline), *timeline.coverage)],
        "lanes": timeline.lanes,
        "from": _ms(first),
        "to": _ms(last),
        "total": counts.total if counts else 0,
        "writes": counts.kinds[1] if counts else 0,
        "denied": counts.kinds[2] if counts else 0,
        "bins": _bins(counts) if counts and timeline.left_out else None,
        "texts": texts.listed,
        "ids": ids,
        "events": columns,
        "detected": timeline.findings is not None,
        "findings": _findings(timeline),
    }
    return data, [None if event.record is None else escaped(event.record) for event in events]


def left_out_lines(timeline: Timeline) -> list[str]:
    """What a picture of single events does not have."""
    lines = []
    if timeline.left_out:
        lines.append(
            f"{len(timeline.events):,} of {timeline.counts.total if timeline.counts else 0:,} events are here one by one: what was denied "
            "first, then writes, then reads, chosen evenly over the time, and those of findings. The histogram has all of them."
        )
    without = sum(event.record is None for event in timeline.events)
    if without:
        lines.append(f"{without:,} events are here without their whole record, which would have made this too large.")
    return lines


class _Texts:
    """Each text once, cleaned."""

    def __init__(self) -> None:
        self.listed: list[str] = []
        self._places: dict[str, int] = {}
        self._cleaned: dict[str, int] = {}

    def place(self, text: str) -> int:
        known = self._cleaned.get(text)
        if known is None:
            shown = clean(text, _CELL)
            known = self._places.setdefault(shown, len(self.listed))
            if known == len(self.listed):
                self.listed.append(shown)
            self._cleaned[text] = known
        return known


def _span(counts: Counts | None) -> tuple[datetime, datetime]:
    """A little more than the events' own."""
    if counts is None:
        now = datetime.fromtimestamp(0).astimezone()
        return now, now + timedelta(hours=1)
    margin = max((counts.last - counts.first) / 50, timedelta(seconds=5))
    return counts.first - margin, counts.last + margin


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _bins(counts: Counts) -> dict[str, object]:
    bins = counts.bins
    return {"from": _ms(bins.first), "width": round(bins.step.total_seconds() * 1000), "counts": bins.counts}


def _findings(timeline: Timeline) -> list[Mapping[str, object]]:
    places = {event.key: place for place, event in enumerate(timeline.events)}
    return [_finding(timeline, one, places) for one in timeline.findings or ()]


def _finding(
    timeline: Timeline, found: DetectionFinding, places: Mapping[tuple[AccountKey, str], int]
) -> Mapping[str, object]:
    rule = found.rule
    keys: Sequence[tuple[AccountKey, str]] = [((one.cloud, one.account), one.id) for one in found.events]
    return {
        "title": clean(rule.title, _TITLE),
        "level": rule.level,
        "rule": clean(rule.id, _TITLE),
        "principal": clean(found.principal, _CELL),
        "account": clean(timeline.name_of(found.account), _CELL),
        "first": _ms(found.first),
        "last": _ms(found.last),
        "count": found.count,
        "attack": [clean(one, 40) for one in rule.attack],
        "author": clean(rule.author, _TITLE),
        "license": clean(rule.license, _TITLE),
        "link": clean(rule.link, _CELL),
        "note": clean(found.note, _LINE),
        "events": sorted(places[key] for key in keys if key in places),
    }
