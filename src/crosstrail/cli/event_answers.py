"""What `crosstrail lookup` and `crosstrail query` print.

The answer goes to stdout, what it covers to stderr, so that a pipe holds events alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime

import anyio

from crosstrail.answers.coverage_text import block, coverage
from crosstrail.answers.filter_hints import why_nothing_matched
from crosstrail.answers.lookup_events import other_versions
from crosstrail.cli.event_rows import EVENTS, event_row
from crosstrail.cli.output import CommandOutput
from crosstrail.cli.progress import progress_line
from crosstrail.cli.sql_session import SqlAnswer, SqlSession
from crosstrail.cli.statuses import status_of
from crosstrail.cli.words import out, say
from crosstrail.detections.ocsf.events import ocsf_event
from crosstrail.filters import KEYS, accepted
from crosstrail.lookup.fanout import Failure, LookupPage, Progress, lookup_events
from crosstrail.lookup.targets import Chosen, OpenTarget
from crosstrail.models import Event, EventPage, EventQuery, Filter, Position
from crosstrail.settings.config import Settings
from crosstrail.timerange import iso, parse_range
from crosstrail.workspace.scoped import ScopedWorkspace
from crosstrail.workspace.workspace import Workspace

_PAGE = 1000
_TERMINAL_ROWS = 100
_READING_SECONDS = 120.0
"""For each block of targets, where events must be read one by one: 12,000 of each target at CloudTrail's pace."""


def read_as_of(settings: Settings, text: str) -> Settings:
    """The same, reading the lake as it was at that time; the time of the settings where none is given. Raises BadTimeRange."""
    now = datetime.now(UTC)
    lake = settings.lake.model_copy(update={"as_of": text or settings.lake.as_of})
    moment = lake.moment(now)
    if moment is None:
        return settings
    say(f"From the lake as it was at {iso(moment)}; no live account is asked.")
    return settings.model_copy(update={"lake": lake.model_copy(update={"as_of": iso(moment)})})


def print_events(
    settings: Settings,
    account: str,
    region: str,
    between: tuple[str, str],
    limit: int,
    filters: Sequence[tuple[str, str]],
    options: Mapping[str, str],
    output: CommandOutput,
) -> int:
    """The exit status. `between`: since and until, `filters`: (key, value) as written, `options`: key -> option."""
    given = accepted([Filter(key, value) for key, value in filters], KEYS)
    span = parse_range(*between, now=datetime.now(UTC).replace(microsecond=0), default_age=None)
    records = output.form == "ocsf" or output.older or output.shows(EVENTS, "record")
    query = EventQuery(span, given, limit, with_record=records)
    with progress_line("Looking up events", "targets") as bar:
        listing, chosen, warnings = anyio.run(_lookup, settings, account, region, query, bar.counted)
    _write_events(listing, output)
    for line in [*other_versions(listing), *coverage(span, listing, continued=False), *block(chosen), *warnings]:
        say(line)
    if given and not listing.events and not listing.next:
        for line in why_nothing_matched(given, lambda one: f"{options[one.key]} {one.value}"):
            say(line)
    if listing.next and len(listing.events) < limit:
        say(f"There was not the time to read further: go on with --until {iso(listing.next.time)}.")
    elif listing.next:
        say("For more raise --limit, or narrow the time.")
    unknown = len(warnings) if any(sign in account for sign in "*?[") else 0  # a pattern may mean accounts not known
    absent = len(chosen.without) + len(chosen.nowhere)
    return status_of(done=len(listing.pages), failed=len(listing.failures) + unknown + absent)


def _write_events(listing: LookupPage, output: CommandOutput) -> None:
    if output.form == "ocsf":
        for event in listing.events:
            output.json_line(ocsf_event(event))
    elif output.older:
        for event in listing.events:
            marked = {"other_versions": event.other_versions} if event.other_versions else {}
            output.json_line({"account": event.account, "cloud": event.cloud, "event": event.record} | marked)
    else:
        names = {target.account.key: target.account.name for target in listing.targets}
        with output.rows(EVENTS) as rows:
            rows.write_all(
                event_row(event, names.get((event.cloud, event.account), event.account)) for event in listing.events
            )


async def _lookup(
    settings: Settings, account: str, region: str, query: EventQuery, progress: Progress
) -> tuple[LookupPage, Chosen, tuple[str, ...]]:
    """Block after block of all targets: what they gave together, newest first, up to the limit; all targets; warnings about
    accounts."""
    workspace = Workspace(settings)
    visible = ScopedWorkspace(workspace)
    listings: list[LookupPage] = []
    try:
        while True:
            done = sum(len(one.targets) for one in listings)
            chosen = await visible.targets(account, region, start=done)
            alone = chosen.total == len(chosen.targets)
            listings.append(await _block(chosen.targets, query, progress, alone=alone))
            if not chosen.left:
                together = _together(listings, query.limit)
                chosen = replace(chosen, start=0, targets=together.targets)
                return together, chosen, (await visible.listed()).warnings
    finally:
        await workspace.aclose()


async def _block(targets: tuple[OpenTarget, ...], query: EventQuery, progress: Progress, *, alone: bool) -> LookupPage:
    """Pages until the limit is reached, or the time that reading events one by one may take: one listing of all of them.

    A target that failed once has failed: what it did not say of an earlier page nobody has asked it again.
    """
    events: list[Event] = []
    answered: dict[OpenTarget, EventPage] = {}
    failures: dict[OpenTarget, Failure] = {}
    end = anyio.current_time() + _READING_SECONDS
    while True:
        listing = await lookup_events(targets, query, progress=progress, alone=alone)
        events += listing.events
        failures = {one.target: one for one in listing.failures} | failures
        for target, page in listing.pages:
            before = answered.get(target, EventPage(()))
            share = max(before.verified, page.verified, key=lambda one: one.events)  # pages read some of the same files
            answered[target] = replace(page, events=(), examined=before.examined + page.examined, verified=share)
        left = query.limit - len(listing.events)
        if not listing.next or left <= 0 or (listing.examined and anyio.current_time() > end):
            pages = tuple((target, page) for target, page in answered.items() if target not in failures)
            return replace(listing, events=tuple(events), pages=pages, failures=tuple(failures.values()))
        query = replace(query, before=listing.next, limit=left)


def _together(listings: list[LookupPage], limit: int) -> LookupPage:
    """Of all blocks the newest events that none of them may have newer ones than, up to the limit."""
    events = sorted((event for one in listings for event in one.events), key=lambda event: event.time, reverse=True)
    floor = max((one.next.time for one in listings if one.next), default=None)
    shown = [event for event in events if floor is None or event.time >= floor][:limit]
    position = Position(floor, frozenset()) if floor else None
    if len(shown) < len(events) and (floor is None or len(shown) == limit):
        position = Position(shown[-1].time, frozenset())
    return LookupPage(
        tuple(shown),
        tuple(target for one in listings for target in one.targets),
        tuple(page for one in listings for page in one.pages),
        tuple(failure for one in listings for failure in one.failures),
        position,
    )


def print_explained(settings: Settings, sql: str, account: str, engine: str) -> None:
    """What the statement would read, and what each engine would be sent."""

    async def explained() -> str:
        async with aclosing(SqlSession(settings, account, engine)) as session:
            return await session.explained(sql)

    out(anyio.run(explained))


def print_rows(
    settings: Settings, sql: str, account: str, output: CommandOutput, limit: int | None, engine: str
) -> None:
    """Every row; on a terminal the first 100 of a table, where nothing else is asked for."""
    most = _TERMINAL_ROWS if limit is None and output.on_terminal else limit

    async def written() -> tuple[SqlAnswer, int]:
        async with aclosing(SqlSession(settings, account, engine)) as session:
            with progress_line("Running the query") as bar:
                answer = await session.ask(sql, first_rows=most or _PAGE, progress=bar.waited)
            return answer, await answer.write(output, most)

    answer, shown = anyio.run(written)
    for line in answer.covered:
        say(line)
    if answer.total > shown:
        say(f"{shown:,} of {answer.total:,} rows; --limit {answer.total}, a pipe or -o FILE gives all.")
