"""An export by account, time and filters: all pages of a lookup over archives and live accounts, written as they come.

Decides how far it goes on, and what is said of accounts that could not be asked, or of events beyond the limit. It asks by the
lookup's own door, so coverage is the lookup's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio
import anyio.to_thread
import orjson

from crosstrail.answers.coverage_text import block, coverage
from crosstrail.answers.evidence import Exported, about
from crosstrail.evidence.forms import ExportedRecord
from crosstrail.evidence.manifest import Form
from crosstrail.evidence.writer import EvidenceWriter
from crosstrail.lookup.fanout import Failure, LookupPage, Progress, lookup_events
from crosstrail.lookup.targets import Chosen, OpenTarget
from crosstrail.models import Event, EventPage, EventQuery, Filter, Position
from crosstrail.timerange import TimeRange, iso
from crosstrail.workspace.scoped import ScopedWorkspace

_LAKE_PAGE, _LIVE_PAGE = 1_000, 500
"""Events asked, and held, at once: a live account gives 50 a request, twice a second, and each page has a deadline."""
_MAX_NOTED = 500
"""Accounts and regions named in a manifest's scope; all are counted."""


@dataclass(frozen=True, slots=True)
class LookupExport:
    """What is looked up, in our spelling. `limit` and `max_bytes`: most records, and most bytes of them together."""

    selector: str
    region: str
    span: TimeRange
    filters: tuple[Filter, ...]
    limit: int
    max_bytes: int
    seconds: float = float("inf")
    """After which no further page is asked for."""


@dataclass(slots=True)
class _Progress:
    """What was asked and answered so far, of all blocks."""

    targets: list[OpenTarget] = field(default_factory=list)
    pages: dict[OpenTarget, EventPage] = field(default_factory=dict)
    failures: dict[OpenTarget, Failure] = field(default_factory=dict)
    last: Event | None = None
    next: Position | None = None
    """Where events that were not exported begin."""
    chosen: Chosen = field(default_factory=lambda: Chosen(()))
    """The last block."""

    @property
    def reads_lake(self) -> bool:
        return any(not target.account.auth for target in self.targets)

    left: int = 0
    """Targets that were not asked, because an end came before."""


async def export_lookup(
    workspace: ScopedWorkspace,
    question: LookupExport,
    folder: Path,
    form: Form,
    *,
    by: str = "",
    progress: Progress | None = None,
) -> tuple[Exported, LookupPage]:
    """The files, and the lookup without its events. Raises AccountNotFound, InvalidRequest, the error of the only target."""
    seen = _Progress()
    reserialized = 0
    table, before = await workspace.lake_snapshot()
    with EvidenceWriter(folder, form, "records") as writer:
        async for events in _pages(workspace, question, seen, writer, progress):
            records = [_record(event) for event in events]
            reserialized += sum(not event.text for event in events)
            await anyio.to_thread.run_sync(writer.add_all, records)
        listing = LookupPage(
            (seen.last,) * writer.records if seen.last else (),  # whoever words the coverage counts them
            tuple(seen.targets),
            tuple((target, page) for target, page in seen.pages.items() if target not in seen.failures),
            tuple(seen.failures.values()),
            seen.next,
        )
        lines = coverage(question.span, listing, continued=False)
        lines += block(replace(seen.chosen, start=0, targets=listing.targets, total=len(listing.targets)))
        lines += (await workspace.listed()).warnings
        if seen.left:
            lines.append(f"{seen.left:,} accounts in a region were not asked: the export had its limit before.")
        complete = seen.next is None and not seen.left and not seen.failures
        of_one = (await workspace.lake_snapshot()) == (table, before)  # else pages of several
        origin = (
            {"table": table, "snapshot": before if of_one else None}
            if seen.reads_lake
            else {"table": "", "snapshot": None}
        )
        said = {"form": form, **origin, "complete": complete, "reserialized": reserialized}
        summary = await anyio.to_thread.run_sync(writer.finish, said)
    accounts = list(dict.fromkeys(target.account for target in listing.targets))
    regions = list(dict.fromkeys(target.region or "every region" for target in listing.targets))
    stated = about(
        _said(question), accounts[:_MAX_NOTED], lines, by, regions=regions[:_MAX_NOTED], targets=seen.chosen.total
    )
    return Exported(summary, stated, lines), listing


async def _pages(
    workspace: ScopedWorkspace,
    question: LookupExport,
    seen: _Progress,
    writer: EvidenceWriter,
    progress: Progress | None,
) -> AsyncIterator[Sequence[Event]]:
    """Page after page of block after block of all targets."""
    end = anyio.current_time() + question.seconds
    start = 0
    while True:
        chosen = await workspace.targets(question.selector, question.region, start=start)
        seen.targets += chosen.targets
        seen.chosen = chosen
        page = _LIVE_PAGE if chosen.live else _LAKE_PAGE
        query = EventQuery(question.span, question.filters, page, with_record=True)
        while True:
            query = replace(query, limit=min(page, question.limit - writer.records))
            alone = chosen.total == len(chosen.targets)
            listing = await lookup_events(chosen.targets, query, progress=progress, alone=alone)
            _note(seen, listing)
            yield listing.events
            full = writer.records >= question.limit or writer.bytes >= question.max_bytes
            if listing.next is None or full or anyio.current_time() > end:
                break
            query = replace(query, before=listing.next)
        start += len(chosen.targets)
        if listing.next is not None:
            seen.next = listing.next
        if not chosen.left or full or anyio.current_time() > end:
            seen.left = chosen.left
            return


def _note(seen: _Progress, listing: LookupPage) -> None:
    """A target that failed once has failed: what it did not say of an earlier page nobody has asked it again."""
    seen.failures = {one.target: one for one in listing.failures} | seen.failures
    seen.last = listing.events[-1] if listing.events else seen.last
    for target, page in listing.pages:
        before = seen.pages[target].examined if target in seen.pages else 0
        seen.pages[target] = replace(page, events=(), examined=before + page.examined)


def _record(event: Event) -> ExportedRecord:
    """Its own text; where the cloud has none, its JSON written anew."""
    text = event.text.encode("utf-8", "surrogateescape") or orjson.dumps(event.record or {}, default=str)
    return ExportedRecord(text, event.cloud, event.account, event.id, event.source_object, event.verified)


def _said(question: LookupExport) -> dict[str, object]:
    span = question.span
    return {
        "account": question.selector,
        "region": question.region,
        "since": iso(span.start) if span.start else None,
        "until": iso(span.end) if span.end else None,
        "filters": [{"key": one.key, "value": one.value} for one in question.filters],
        "limit": question.limit,
    }
