"""`crosstrail lookup` and `crosstrail query`: the two questions about events, for people and scripts.

The answer goes to stdout, what it covers to stderr, so that a pipe holds events alone.
"""

from __future__ import annotations

import csv
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import anyio
import click

from crosstrail.cli import Settings, with_settings
from crosstrail.cli.statuses import status_of
from crosstrail.cli.tables import print_table
from crosstrail.cli.words import in_options, out_json, say
from crosstrail.engines.base import finished, run
from crosstrail.estate import LAKE_ENGINE, Estate
from crosstrail.filters import KEYS, FilterKey, accepted
from crosstrail.lookup import Failure, Listing, lookup_events
from crosstrail.models import AttributeKey, Event, EventPage, EventQuery, Filter, Position, ResultPage, Target
from crosstrail.server.coverage import block, coverage, readable
from crosstrail.server.events import COLUMNS, other_versions, summaries
from crosstrail.server.filter_hints import why_nothing_matched
from crosstrail.targets import Chosen
from crosstrail.text import csv_cell
from crosstrail.timerange import iso, parse_range
from crosstrail.visible import Visible

_PAGE = 1000
_READING_SECONDS = 120.0
"""For each block of targets, where events must be read one by one: 12,000 of each target at CloudTrail's pace."""
_FIRST_TO_GO = ("region", "resource", "service", "source_ip", "error")
_FILTERS: dict[str, tuple[str, str]] = {
    "name": (AttributeKey.EVENT_NAME, "Event name, such as ConsoleLogin."),
    "user": (AttributeKey.USERNAME, "User name, or the session name of an assumed role."),
    "role": (FilterKey.ROLE, "Role, by name or ARN: everything its sessions did."),
    "arn": (FilterKey.PRINCIPAL, "ARN of who did it, or the principal as the table shows it."),
    "ip": (FilterKey.SOURCE_IP, "Source address, or a network such as 10.0.0.0/8."),
    "error": (FilterKey.ERROR_CODE, "Error code, such as AccessDenied; * for any failure."),
    "user_agent": (FilterKey.USER_AGENT, "A part of the user agent."),
    "access_key": (AttributeKey.ACCESS_KEY_ID, "Access key id."),
    "source": (AttributeKey.EVENT_SOURCE, "Service, such as iam or iam.amazonaws.com."),
    "resource": (AttributeKey.RESOURCE_NAME, "Resource name or ARN."),
    "resource_type": (AttributeKey.RESOURCE_TYPE, "Resource type, such as AWS::S3::Bucket."),
    "event_id": (AttributeKey.EVENT_ID, "Event id."),
    "read_only": (AttributeKey.READ_ONLY, "true or false."),
}


def _filters(command: Any) -> Any:
    for name, (_, text) in reversed(_FILTERS.items()):
        command = click.option(f"--{name.replace('_', '-')}", name, default="", help=text)(command)
    return command


@click.command()
@click.option("--account", default="", help="Id, alias, glob, comma list, or * for all.")
@click.option("--region", default="", help="Region, comma list, or all.")
@click.option("--since", default="", help="From when: 24h, 7d, '1 month ago', 2026-11-20, 2026-11-20T09:00Z.")
@click.option("--until", default="", help="To when, a date as that whole day; now if not given.")
@_filters
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="Most events to list.")
@click.option("--json", "as_json", is_flag=True, help="Whole events as JSON, one a line.")
@with_settings
def lookup(
    settings: Settings, account: str, region: str, since: str, until: str, limit: int, as_json: bool, **filters: str
) -> int:
    """List events, newest first. Filters may be combined: events meet all of them.

    Exit status 3: some account or region could not be asked, or is in no cloud that was; 1: none could.
    """
    given = accepted([Filter(_FILTERS[name][0], value) for name, value in filters.items() if value], KEYS)
    span = parse_range(since, until, now=datetime.now(UTC).replace(microsecond=0), default_age=None)
    query = EventQuery(span, given, limit, with_record=as_json)
    listing, chosen, warnings = anyio.run(_lookup, settings, account, region, query)
    if as_json:
        for event in listing.events:
            marked = {"other_versions": event.other_versions} if event.other_versions else {}
            out_json({"account": event.account, "cloud": event.cloud, "event": event.record} | marked)
    elif listing.events:
        rows = [row[:-1] for row in summaries(listing)]  # ids are for --json
        print_table(COLUMNS[:-1], rows, whole=("time", "account"), first_to_go=_FIRST_TO_GO)
    for line in [*other_versions(listing), *coverage(span, listing, continued=False), *block(chosen), *warnings]:
        say(in_options(line))
    if given and not listing.events and not listing.next:
        for line in why_nothing_matched(given, _as_option):
            say(in_options(line))
    if listing.next and len(listing.events) < limit:
        say(f"There was not the time to read further: go on with --until {iso(listing.next.time)}.")
    elif listing.next:
        say("For more raise --limit, or narrow the time.")
    unknown = len(warnings) if any(sign in account for sign in "*?[") else 0  # a pattern may mean accounts not known
    absent = len(chosen.without) + len(chosen.nowhere)
    return status_of(done=len(listing.pages), failed=len(listing.failures) + unknown + absent)


def _as_option(one: Filter) -> str:
    name = next(name for name, (key, _) in _FILTERS.items() if key == one.key)
    return f"--{name.replace('_', '-')} {one.value}"


async def _lookup(
    settings: Settings, account: str, region: str, query: EventQuery
) -> tuple[Listing, Chosen, tuple[str, ...]]:
    """Block after block of all targets: what they gave together, newest first, up to the limit; all targets; warnings about
    accounts."""
    estate = Estate(settings)
    visible = Visible(estate)
    listings: list[Listing] = []
    try:
        while True:
            done = sum(len(one.targets) for one in listings)
            chosen = await visible.targets(account, region, start=done)
            await estate.open_trails(chosen.targets)
            alone = chosen.total == len(chosen.targets)
            listings.append(await _block(estate, chosen.targets, query, alone=alone))
            if not chosen.left:
                together = _together(listings, query.limit)
                chosen = replace(chosen, start=0, targets=together.targets)
                return together, chosen, (await visible.listed()).warnings
    finally:
        await estate.aclose()


async def _block(estate: Estate, targets: tuple[Target, ...], query: EventQuery, *, alone: bool) -> Listing:
    """Pages until the limit is reached, or the time that reading events one by one may take: one listing of all of them.

    A target that failed once has failed: what it did not say of an earlier page nobody has asked it again.
    """
    events: list[Event] = []
    answered: dict[Target, EventPage] = {}
    failures: dict[Target, Failure] = {}
    end = anyio.current_time() + _READING_SECONDS
    while True:
        listing = await lookup_events(estate.trail_of, targets, query, alone=alone)
        events += listing.events
        failures = {one.target: one for one in listing.failures} | failures
        for target, page in listing.pages:
            before = answered[target].examined if target in answered else 0
            answered[target] = replace(page, events=(), examined=before + page.examined)
        left = query.limit - len(listing.events)
        if not listing.next or left <= 0 or (listing.examined and anyio.current_time() > end):
            pages = tuple((target, page) for target, page in answered.items() if target not in failures)
            return replace(listing, events=tuple(events), pages=pages, failures=tuple(failures.values()))
        query = replace(query, before=listing.next, limit=left)


def _together(listings: list[Listing], limit: int) -> Listing:
    """Of all blocks the newest events that none of them may have newer ones than, up to the limit."""
    events = sorted((event for one in listings for event in one.events), key=lambda event: event.time, reverse=True)
    floor = max((one.next.time for one in listings if one.next), default=None)
    shown = [event for event in events if floor is None or event.time >= floor][:limit]
    position = Position(floor, frozenset()) if floor else None
    if len(shown) < len(events) and (floor is None or len(shown) == limit):
        position = Position(shown[-1].time, frozenset())
    return Listing(
        tuple(shown),
        tuple(target for one in listings for target in one.targets),
        tuple(page for one in listings for page in one.pages),
        tuple(failure for one in listings for failure in one.failures),
        position,
    )


@click.command()
@click.argument("sql")
@click.option("--account", default="", help="Only these accounts: id, alias, glob, comma list.")
@click.option("--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True)
@click.option("--limit", type=click.IntRange(min=1), default=None, help="Most rows to print; a table stops at 100.")
@with_settings
def query(settings: Settings, sql: str, account: str, form: str, limit: int | None) -> None:
    """Run one SELECT in CloudTrail Lake's SQL. FROM names `events`, an account, or an event data store id."""
    if limit is None and form == "table":
        limit = 100
    columns, rows, total, covered = anyio.run(_query, settings, sql, account, limit)
    if form == "json":
        for row in rows:
            out_json(dict(zip(columns, row, strict=True)))
    elif form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerows([csv_cell(value or "") for value in row] for row in [columns, *rows])
    else:
        print_table(columns, rows)
    for line in covered:
        say(in_options(line))
    if total > len(rows):
        say(f"{len(rows):,} of {total:,} rows; --limit {total} or --format csv gives all.")


async def _query(
    settings: Settings, sql: str, account: str, limit: int | None
) -> tuple[tuple[str, ...], list[tuple[str | None, ...]], int, list[str]]:
    """(columns, rows up to the limit, rows in all, what the statement could read)."""
    estate = Estate(settings)
    visible = Visible(estate)
    try:
        scope = await visible.scope(account)
        engine = await estate.engine_for(sql, scope)
        page: ResultPage = await run(
            engine, sql, scope, limit=min(limit or _PAGE, _PAGE), wait_seconds=settings.query.time_limit * 2
        )
        rows = list(page.rows)
        while page.next_token and (limit is None or len(rows) < limit):
            page = finished(await engine.results(page.status.ref, scope, page_token=page.next_token, limit=_PAGE))
            rows += page.rows
        kept = rows[:limit]
        covered = await readable(visible, scope.accounts, sql) if engine.name == LAKE_ENGINE else []
        return page.columns, kept, max(page.status.rows or 0, len(kept)), covered
    finally:
        await estate.aclose()
