"""An export by account, time and filters: all pages of a lookup over archives and live accounts, written as they come.

Decides what is said of accounts that could not be asked, or of events beyond the limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import anyio.to_thread
import orjson

from crosstrail.answers.evidence import Exported, about
from crosstrail.answers.lookup_pages import PagesSeen, Paging, pages
from crosstrail.evidence.forms import ExportedRecord
from crosstrail.evidence.manifest import Form
from crosstrail.evidence.writer import EvidenceWriter
from crosstrail.lookup.fanout import LookupPage, Progress
from crosstrail.lookup.targets import Chosen
from crosstrail.models import Event, Filter
from crosstrail.timerange import TimeRange, iso
from crosstrail.workspace.scoped import ScopedWorkspace

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
    seen = PagesSeen()
    reserialized = 0
    table, before = await workspace.lake_snapshot()
    asked = Paging(question.span, question.filters, question.limit, question.seconds)
    with EvidenceWriter(folder, form, "records") as writer:

        async def choose(start: int) -> Chosen:
            return await workspace.targets(question.selector, question.region, start=start)

        def full() -> bool:
            return writer.bytes >= question.max_bytes

        async for events in pages(choose, asked, seen, progress, full=full):
            records = [_record(event) for event in events]
            reserialized += sum(not event.text for event in events)
            await anyio.to_thread.run_sync(writer.add_all, records)
        listing = seen.listing()
        lines = seen.coverage(question.span)
        lines += (await workspace.listed()).warnings
        if seen.left:
            lines.append(f"{seen.left:,} accounts in a region were not asked: the export had its limit before.")
        complete = seen.complete
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
