"""What happened when: the events of some accounts as a timeline, and the same in a few lines of text.

Decides what is asked for a picture, how much of it a page or an app gets, and what a text names of it: the times with most events,
the busiest lanes, what findings there are, and the rarest changes and refusals. It draws nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import anyio.to_thread
import orjson

from crosstrail.answers.detect import about_rules, sifted_by
from crosstrail.answers.detection_rules import rules_of
from crosstrail.answers.observe import EventsQuestion, Observed, observe
from crosstrail.answers.render import ANSWER_BYTES, Answer, clean, fence, fit_table, listed, size
from crosstrail.answers.timeline_data import Timeline, wire
from crosstrail.detections.findings import DetectionFinding
from crosstrail.detections.rules import RuleSet, at_least
from crosstrail.detections.timeline import (
    LaneKind,
    TimelineEvent,
    counting_statements,
    counts_of,
    event_statements,
    events_of,
)
from crosstrail.errors import ConfigError
from crosstrail.lake import require_libraries
from crosstrail.lookup.fanout import Progress
from crosstrail.models import Filter
from crosstrail.timerange import TimeRange, iso
from crosstrail.workspace.scoped import ScopedWorkspace

PAGE_EVENTS = 20_000
MAX_FINDINGS = 500
PAGE_RECORD_BYTES, _MARKED_RECORD_BYTES = 12_000_000, 4_000_000
APP_EVENTS, APP_RECORD_BYTES, APP_BYTES = 4_000, 150_000, 500_000
"""Of what a host hands to the page: it passes through the host's memory, and some hosts' limits."""
TEXT_EVENTS = 2_000
"""Among which the rarest changes and refusals are looked for, where nobody asks for a page."""
PAGE_BINS, TEXT_BINS = 400, 48
_TEXT_LANES, _TEXT_FINDINGS, _NOTABLE = 12, 10, 12
_COVERAGE_LINES = 12


@dataclass(frozen=True, slots=True)
class TimelineQuestion:
    """`filters` as `filters.accepted` gives them. `events`: most of them one by one; `bins`: most bins of the counts."""

    selector: str
    region: str
    span: TimeRange
    filters: tuple[Filter, ...]
    lanes: LaneKind = "principal"
    events: int = PAGE_EVENTS
    record_bytes: int = PAGE_RECORD_BYTES
    bins: int = PAGE_BINS
    detect: bool = False
    """With what the rules of the settings find among these events, where they can be read."""


async def timeline(
    workspace: ScopedWorkspace, question: TimelineQuestion, *, progress: Progress | None = None
) -> tuple[Timeline, Observed]:
    """Raises what observe raises."""
    require_libraries()
    rules, about = await _rules(workspace) if question.detect else (None, ())
    statements = [
        *_finding_statements(rules),
        *counting_statements(question.lanes, question.bins),
        *event_statements(question.events, question.record_bytes),
    ]
    asked = EventsQuestion(question.selector, question.region, question.span, question.filters)
    seen = await observe(workspace, asked, statements, progress=progress)
    found = await anyio.to_thread.run_sync(_timeline, question, seen)
    if rules is not None:
        every = _findings(workspace, rules, seen)
        found = replace(found, findings=every[:MAX_FINDINGS])
        if len(every) > MAX_FINDINGS:
            about = (f"{len(every) - MAX_FINDINGS:,} more findings, less grave or older, are not shown.", *about)
        found = await _with_marked(workspace, asked, found, seen)
    return replace(found, coverage=(*about, *found.coverage)), seen


async def _rules(workspace: ScopedWorkspace) -> tuple[RuleSet | None, tuple[str, ...]]:
    """The rules, or why there are none; and what has to be said of them."""
    settings = workspace.settings.detect
    try:
        every = await rules_of(settings)
    except ConfigError as error:
        return None, (f"No finding is marked: {error.text}",)
    return at_least(every, settings.level), tuple(about_rules(every))


def _finding_statements(rules: RuleSet | None) -> Sequence[str]:
    if rules is None:
        return ()
    from crosstrail.detections.plan import detection_statements  # which needs the lake's libraries

    return detection_statements(rules)


def _findings(workspace: ScopedWorkspace, rules: RuleSet, seen: Observed) -> tuple[DetectionFinding, ...]:
    from crosstrail.detections.plan import TABLES, read_findings

    return sifted_by(workspace, read_findings(rules, seen.tables[:TABLES]), seen).shown


async def _with_marked(workspace: ScopedWorkspace, asked: EventsQuestion, found: Timeline, seen: Observed) -> Timeline:
    """With the events of findings that gave way to others. What live accounts gave was little enough to be here already."""
    here = {event.key for event in found.events}
    lacking = sorted(
        {
            one.id
            for each in found.findings or ()
            for one in each.events
            if ((one.cloud, one.account), one.id) not in here
        }
    )
    if not lacking or not seen.of_lake or not found.left_out:
        return found
    of_lake = replace(asked, selector=",".join(one.id for one in seen.of_lake))
    marked = await observe(workspace, of_lake, event_statements(len(lacking), _MARKED_RECORD_BYTES, lacking))
    events = {event.key: event for event in (*found.events, *events_of(marked.tables[0]))}
    return replace(found, events=tuple(sorted(events.values(), key=lambda event: (event.time, event.key))))


def _timeline(question: TimelineQuestion, seen: Observed) -> Timeline:
    *counts, events = seen.tables[-4:]
    accounts = (*seen.of_lake, *seen.live)
    return Timeline(
        title=f"Timeline of {listed([one.name for one in accounts], 4)}",
        asked=_asked(question, len(accounts)),
        lanes=question.lanes,
        counts=counts_of(*counts),
        events=events_of(events),
        findings=None,
        coverage=seen.coverage,
        accounts=accounts,
    )


def _asked(question: TimelineQuestion, accounts: int) -> str:
    where = question.region or "every region"
    filters = [f"{one.key}={one.value}" for one in question.filters]
    parts = [f"{accounts} account{'s' * (accounts != 1)}", where, str(question.span), *filters]
    return ", ".join(clean(part, 200) for part in parts)


def app_data(found: Timeline) -> dict[str, object]:
    """What the page of the MCP App reads of the tool's result, in at most APP_BYTES of JSON: where it is more, whole records go
    first, then reads, then writes."""
    while True:
        data, records = wire(found)
        whole = {**data, "records": records}
        if len(orjson.dumps(whole)) <= APP_BYTES or not found.events:
            return whole
        if any(event.record for event in found.events):
            found = replace(found, events=tuple(replace(event, record=None) for event in found.events))
        else:
            found = replace(found, events=_fewer(found.events))


def _fewer(events: Sequence[TimelineEvent]) -> tuple[TimelineEvent, ...]:
    """Half of them, every other one of the least important kind that there is."""
    kinds = [kind for kind in ("read", "write", "denied") if any(event.kind == kind for event in events)]
    place, kept = 0, []
    for event in events:
        if event.kind == kinds[0]:
            place += 1
            if place % 2 or len(events) == 1:
                continue
        kept.append(event)
    return tuple(kept)


def text(found: Timeline) -> Answer:
    """The timeline within the size of an ordinary answer."""
    head = [*summary(found), *list(found.coverage)[:_COVERAGE_LINES]]
    if found.counts is None:
        return Answer("\n".join(["No event.", *head[1:]]), {"count": 0})
    room = ANSWER_BYTES - size("\n".join(head)) - 400
    blocks: list[str] = []
    for title, columns, rows in _tables(found):
        if rows and room > 300:
            share = min(room, 3_600)
            made = fit_table(columns, rows, share, caps=(90, 60, 40, 28, 20), whole=frozenset({"time"}))
            more = f" ({made.shown} of {len(rows)})" if made.shown < len(rows) else ""
            blocks.append(f"{title}{more}:\n{made.text}")
            room -= size(blocks[-1]) + 2
    facts: dict[str, object] = {
        "count": found.counts.total,
        "first": iso(found.counts.first),
        "last": iso(found.counts.last),
    }
    return Answer("\n".join([*head, fence("\n\n".join(blocks))]), facts)


def summary(found: Timeline) -> list[str]:
    """How many events of which kind, between when, and what was found among them."""
    lines = [f"{found.asked}."]
    if found.counts:
        read, write, denied = found.counts.kinds
        lines = [
            f"{found.asked}: {found.counts.total:,} event{'s' * (found.counts.total != 1)} ({read:,} read, {write:,} write, "
            f"{denied:,} denied), {iso(found.counts.first)} to {iso(found.counts.last)}."
        ]
    if found.findings is not None:
        count = len(found.findings)
        lines.append(f"{count} finding{'s' * (count != 1)} of the rules." if count else "No finding of the rules.")
    return lines


_Block = tuple[str, Sequence[str], Sequence[tuple[str, ...]]]


def _tables(found: Timeline) -> list[_Block]:
    counts = found.counts
    if counts is None:
        return []
    bins = [
        (iso(counts.bins.first + place * counts.bins.step), *map(str, cells))
        for place, cells in enumerate(counts.bins.counts)
        if any(cells)
    ]
    lanes = [(_lane_name(found, one.name), *map(str, map(sum, zip(*one.counts, strict=True)))) for one in counts.lanes]
    findings = [
        (iso(one.first), one.rule.level, one.rule.title, one.principal, found.name_of(one.account), str(one.count))
        for one in (found.findings or ())[:_TEXT_FINDINGS]
    ]
    notable = [
        (
            iso(event.time),
            event.kind,
            event.name,
            event.principal,
            found.name_of(event.key[0]),
            event.address,
            event.error,
            event.id,
        )
        for event in notable_events(found.events)
    ]
    of = f"{min(len(lanes), _TEXT_LANES)} of {counts.lane_count:,}"
    return [
        ("Findings", ("time", "level", "rule", "principal", "account", "events"), findings),
        (f"By {step_words(counts.bins.step)}, empty ones left out", ("time", "read", "write", "denied"), bins),
        (f"By {found.lanes}, {of}, most denied first", (found.lanes, "read", "write", "denied"), lanes[:_TEXT_LANES]),
        (
            "The rarest changes and refusals",
            ("time", "kind", "event", "principal", "account", "address", "error", "event_id"),
            notable,
        ),
    ]


def _lane_name(found: Timeline, name: str) -> str:
    if found.lanes != "account":
        return name
    cloud, _, account = name.partition("/")
    return found.name_of((cloud, account))


def notable_events(events: Sequence[TimelineEvent]) -> list[TimelineEvent]:
    """Of writes and refusals the first of each principal, name and kind, those that come most seldom, oldest first."""
    first: dict[tuple[str, str, str], TimelineEvent] = {}
    many: dict[tuple[str, str, str], int] = {}
    for event in events:
        if event.kind != "read":
            key = (event.principal, event.name, event.kind)
            first.setdefault(key, event)
            many[key] = many.get(key, 0) + 1
    rarest = sorted(first, key=lambda key: (many[key], first[key].time, first[key].id))[:_NOTABLE]
    return sorted((first[key] for key in rarest), key=lambda event: (event.time, event.id))


def step_words(step: timedelta) -> str:
    """`hour`, `10 minutes`."""
    seconds = round(step.total_seconds())
    for unit, name in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        if seconds % unit == 0:
            return name if seconds == unit else f"{seconds // unit:,} {name}s"
    return f"{seconds:,} seconds"


def now() -> datetime:
    """To the second, as times of questions are."""
    return datetime.now(UTC).replace(microsecond=0)
