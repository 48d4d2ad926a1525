"""Statements of this project's own over what is known of accounts: by the lake, and live where the lake holds nothing of one.

Decides where each account's events come from. What a live account's own history gives (the newest events, so many at most) is
written beside the lake's files for as long as the statements run, so that they need not know of the difference. Whoever asks words
the answer; what was covered, and what was not, comes with the rows.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio.to_thread

from crosstrail.answers.coverage_text import span_held, verified
from crosstrail.answers.lookup_pages import PagesSeen, Paging, pages
from crosstrail.answers.render import clean
from crosstrail.engines.analysis import Analysis, Rows
from crosstrail.lookup.fanout import Progress
from crosstrail.lookup.targets import Chosen
from crosstrail.models import Account, AccountKey, Event, Filter
from crosstrail.timerange import TimeRange
from crosstrail.workspace.scoped import ScopedWorkspace

LIVE_EVENTS = 5_000
LIVE_SECONDS = 30.0
"""Of LookupEvents: 50 events a request, twice a second in each account and region."""
LIVE_BYTES = 64 * 2**20
"""Of their records together, give or take a page: all are held at once, and one may have 256 KB."""
_ALL = ("", "*", "all")


@dataclass(frozen=True, slots=True)
class EventsQuestion:
    """Whose events, of when. `selector` and `region` as everywhere; of a lake an empty region is every region. `filters` as
    `filters.accepted` gives them."""

    selector: str
    region: str = ""
    span: TimeRange = TimeRange()
    filters: tuple[Filter, ...] = ()
    live_lookups: tuple[tuple[Filter, ...], ...] = ()
    """What live accounts alone are asked instead of `filters`: one lookup after the other, each event once. The first is what the
    coverage is about."""
    rows: int = 100_000
    """Most of each table."""
    live_events: int = LIVE_EVENTS
    live_seconds: float = LIVE_SECONDS


@dataclass(frozen=True, slots=True)
class Observed:
    """`coverage`: what was asked, answered and missing, a line each. `of_lake` and `live`: whose events were read from where."""

    tables: tuple[Rows, ...]
    coverage: tuple[str, ...]
    of_lake: tuple[Account, ...]
    live: tuple[Account, ...]
    complete: bool
    """Whether every account answered, with all that it has of the span."""

    @property
    def names(self) -> dict[AccountKey, str]:
        """What accounts are called."""
        return {account.key: account.name for account in (*self.of_lake, *self.live)}


async def observe(
    workspace: ScopedWorkspace, question: EventsQuestion, statements: Sequence[str], *, progress: Progress | None = None
) -> Observed:
    """The tables that the statements give (engines/analysis.py). Raises AccountNotFound, InvalidRequest, LakeError, QueryTimedOut, the
    error of the only target."""
    accounts = (await workspace.registry()).select(question.selector.strip() or "*")
    held = {one.key for one in await workspace.held()}
    of_lake = tuple(one for one in accounts if one.key in held or not one.auth)
    live = tuple(one for one in accounts if one.auth and one.key not in held)
    if question.region and of_lake:
        await workspace.targets_of(of_lake, question.region)  # which knows what is no region of theirs
    seen = [PagesSeen() for _ in _lookups(question)]
    with tempfile.TemporaryDirectory(prefix="crosstrail-") as folder:
        further = await _live_events(workspace, question, live, seen, Path(folder), progress) if live else ()
        found = await workspace.analyze(
            Analysis(
                statements,
                [one.key for one in of_lake],
                question.span,
                filters=question.filters,
                regions=_regions(question.region),
                further=further,
                rows=question.rows,
            )
        )
    lines = [*verified(found.verified)]
    if of_lake:
        lines += await span_held(workspace, of_lake, question.span)
    if live:
        first, *others = seen[0].coverage(question.span)
        lines += [f"Live: {first}", *others, *_also_asked(question, seen)]
    lines += (await workspace.listed()).warnings
    return Observed(found.tables, tuple(lines), of_lake, live, all(one.complete for one in seen))


async def _live_events(
    workspace: ScopedWorkspace,
    question: EventsQuestion,
    accounts: Sequence[Account],
    seen: Sequence[PagesSeen],
    folder: Path,
    progress: Progress | None,
) -> list[Path]:
    """One file of what these accounts' histories gave, to each lookup of the question in turn."""
    from crosstrail.lake.event_file import write_events

    async def choose(start: int) -> Chosen:
        return await workspace.targets_of(accounts, question.region, start=start)

    events: dict[str, Event] = {}
    left = LIVE_BYTES

    def full() -> bool:
        return left <= 0

    for filters, pages_seen in zip(_lookups(question), seen, strict=True):
        asked = Paging(question.span, filters, question.live_events, question.live_seconds / len(seen))
        async for page in pages(choose, asked, pages_seen, progress, full=full):
            events |= {event.identity: event for event in page}
            left -= sum(len(event.text) for event in page)
    path = folder / "live.parquet"
    await anyio.to_thread.run_sync(write_events, path, list(events.values()))
    return [path]


def _lookups(question: EventsQuestion) -> Sequence[tuple[Filter, ...]]:
    return question.live_lookups or (question.filters,)


def _also_asked(question: EventsQuestion, seen: Sequence[PagesSeen]) -> list[str]:
    """What the lookups after the first one gave, where there were any."""
    said = []
    for filters, one in zip(_lookups(question)[1:], seen[1:], strict=True):
        asked = ", ".join(f"{part.key}={clean(part.value, 200)}" for part in filters)
        said.append(f"{asked} ({one.events:,} event{'s' * (one.events != 1)}{'' if one.complete else ', not all'})")
    return [f"Live, also asked: {'; '.join(said)}."] if said else []


def _regions(region: str) -> tuple[str, ...]:
    names = [part.strip().lower() for part in region.split(",") if part.strip()]
    return () if not names or any(name in _ALL for name in names) else tuple(names)
