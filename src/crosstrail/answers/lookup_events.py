"""What `lookup_events` does and says: the question, the rows, the next step.

Decides which columns a row has and how a page goes on. It never picks accounts or trails (the workspace does), never
merges pages (lookup does), and knows no MCP: the command line may use it too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import anyio.to_thread

from crosstrail.answers.coverage_text import block, coverage, named, verified_facts
from crosstrail.answers.filter_hints import why_nothing_matched
from crosstrail.answers.objects import fit_objects
from crosstrail.answers.render import (
    ANSWER_BYTES,
    LARGE_ANSWER_BYTES,
    Answer,
    Fitted,
    Table,
    clean,
    fence,
    fit_table,
    listed,
    size,
)
from crosstrail.errors import CrosstrailError, InvalidRequest, StalePageToken
from crosstrail.filters import accepted, parse, spelled
from crosstrail.lookup.cursor import Cursor, stale
from crosstrail.lookup.fanout import LookupPage, Progress, lookup_events
from crosstrail.lookup.targets import Chosen, OpenTarget
from crosstrail.models import AttributeKey, Event, EventQuery, Filter, Position
from crosstrail.timerange import TimeRange, iso, parse_range
from crosstrail.vocabulary import words
from crosstrail.workspace.scoped import ScopedWorkspace

MAX_RESULTS = 50
COLUMNS = ("time", "account", "region", "event", "service", "principal", "source_ip", "error", "resource", "event_id")
_WHOLE_COLUMNS = frozenset({"time", "account", "event_id"})
_CELL_CAPS = (64, 48, 36, 28, 20, 14, 8)
_FENCE_BYTES = 160
_FEW = 20
_PLAIN_ID = re.compile(r"[0-9A-Za-z]{1,12}(?:-[0-9A-Za-z]{1,12}){1,6}", re.ASCII)
"""Events whose rows take less time than the way to a thread and back."""
_LIVE_DEFAULT = timedelta(hours=24)
"""How far back a live account is asked when the call does not say."""


@dataclass(frozen=True, slots=True)
class Request:
    """The arguments of lookup_events as they came; empty texts and the defaults say nothing."""

    target_account_id: str = ""
    start_time: str = ""
    end_time: str = ""
    attribute_key: str = ""
    attribute_value: str = ""
    max_results: int = 10
    region: str = ""
    detail: str = "summary"
    filters: str = ""

    def said(self) -> dict[str, str | int]:
        """The arguments that differ from the default, by name."""
        empty = Request()
        return {name: value for name in self.__slots__ if (value := getattr(self, name)) != getattr(empty, name)}

    @classmethod
    def again(cls, said: Mapping[str, str | int]) -> Request:
        """The request that a page token carries. A token is no proof of its maker, so the limits are checked again."""
        most = said.get("max_results", cls().max_results)
        others = {name: value for name, value in said.items() if name != "max_results"}
        texts = {name: value for name, value in others.items() if isinstance(value, str)}
        if (
            set(said) <= set(cls.__slots__)
            and isinstance(most, int)
            and 1 <= most <= MAX_RESULTS
            and len(texts) == len(others)
        ):
            return cls(max_results=most, **texts)
        raise stale(f"this {words().next_page} is not one of {words().lookup}")


async def look_up(
    workspace: ScopedWorkspace,
    request: Request,
    next_token: str = "",
    *,
    now: datetime | None = None,
    progress: Progress | None = None,
) -> Answer:
    """Raises InvalidRequest, AccountNotFound, BadTimeRange, StalePageToken, or the error of the only target asked."""
    before: Position | None = None
    if next_token:
        cursor = Cursor.decode(next_token)
        cursor.check(request.said())
        request, span, before = Request.again(cursor.asked), cursor.span, cursor.position
        chosen = await workspace.targets(request.target_account_id, request.region, start=cursor.start)
        cursor.check_targets(chosen.digest)
        if not chosen.targets:
            raise stale(f"this {words().next_page} goes on after the last account")
    else:
        now = now or datetime.now(UTC).replace(microsecond=0)
        # A time that cannot be read is told before an account that cannot be found.
        parse_range(request.start_time, request.end_time, now=now, default_age=None)
        chosen = await workspace.targets(request.target_account_id, request.region)
        age = _default_age(request, live=chosen.live)
        span = parse_range(request.start_time, request.end_time, now=now, default_age=age)
    targets = chosen.targets
    filters = _filters(targets, _written(request))
    query = EventQuery(span, filters, request.max_results, before, request.detail == "full")
    with named(targets):
        listing = await lookup_events(targets, query, progress=progress, alone=chosen.total == len(targets))
    token = _token(request, span, chosen, listing)
    first, *others = coverage(span, listing, continued=before is not None)
    head = [first, *block(chosen, sorted_by_time=True), *others]
    head += (await workspace.listed()).warnings
    if request.detail != "full" and 0 < len(listing.events) <= _FEW:
        return _answer(request, filters, "\n".join(head), listing, token)
    # In a thread: whole events may be megabytes of hostile text, and the hints where there is none read files.
    return await anyio.to_thread.run_sync(_answer, request, filters, "\n".join(head), listing, token)


def _default_age(request: Request, *, live: bool) -> timedelta | None:
    """None: as far back as anything is held. One event by its id is wanted whenever it was."""
    by_id = any(spelled(one.key) == AttributeKey.EVENT_ID for one in _written(request))
    return _LIVE_DEFAULT if live and not by_id else None


def _written(request: Request) -> tuple[Filter, ...]:
    """The filters as they came. Raises InvalidRequest for half a pair, or for text that is no filters."""
    key, value = request.attribute_key.strip(), request.attribute_value
    if bool(key) != bool(value.strip()):
        pair = words().filter_key, words().filter_value
        raise InvalidRequest(f"{pair[bool(key)]} is missing", hint=f"{pair[0]} and {pair[1]} go together.")
    return (*((Filter(key, value),) if key else ()), *parse(request.filters))


def accepted_filters(targets: Sequence[OpenTarget], filters: str) -> tuple[Filter, ...]:
    """`ErrorCode=AccessDenied, ...` in our spelling. Raises InvalidRequest, also for a key that no trail of these has."""
    return _filters(targets, parse(filters))


def _filters(targets: Sequence[OpenTarget], written: tuple[Filter, ...]) -> tuple[Filter, ...]:
    """The filters in our spelling. Raises InvalidRequest, also for a key that none of the targets' trails has."""
    if not written:
        return ()
    known: set[str] = set()
    for target in targets:
        with suppress(CrosstrailError):  # a trail that cannot be opened says so itself, as a failed target
            known |= target.trail.attribute_keys
    named = [Filter(spelled(one.key, known), one.value) for one in written]
    if known and (unknown := [one.key for one in named if one.key not in known]):
        raise InvalidRequest(
            f"there is no attribute {clean(unknown[0], 60)!r}",
            hint=f"{words().filter_key} is one of {', '.join(sorted(known))}. By anything else filter in {words().sql}.",
        )
    return accepted(named, known) if known else tuple(named)


def _token(request: Request, span: TimeRange, chosen: Chosen, listing: LookupPage) -> str:
    """Of the block's next page, else of the next block. Empty when this was all, or when a token cannot go on from here."""
    if listing.next is None and not chosen.left:
        return ""
    start = chosen.start if listing.next else chosen.start + len(chosen.targets)
    try:
        return Cursor(request.said(), span, chosen.digest, listing.next, start).encode()
    except StalePageToken:
        return ""


def _answer(request: Request, filters: Sequence[Filter], head: str, listing: LookupPage, token: str) -> Answer:
    budget = LARGE_ANSWER_BYTES if request.detail == "full" else ANSWER_BYTES
    tail_room = size(token) + 300
    room = max(budget - size(head) - tail_room - _FENCE_BYTES, budget // 2)
    fitted = _rows(listing, request.detail, room) if listing.events else None
    parts = [head, fence(fitted.text)] if fitted else [head]
    parts += _next_steps(request, filters, listing, fitted, token)
    facts: dict[str, object] = {"count": len(listing.events), "more": bool(listing.next or token), "next_token": token}
    facts |= verified_facts(listing.verified)
    if listing.examined:
        facts |= {"examined": listing.examined, "back_to": iso(listing.back_to) if listing.back_to else ""}
    return Answer("\n".join(parts), facts, error=not listing.pages, tables=[_as_table(listing, fitted, request.detail)])


def _as_table(listing: LookupPage, fitted: Fitted | None, detail: str) -> Table:
    """The events of the page, as many as the text shows; whole ones as the text has them, a line of JSON each."""
    rows = summaries(listing)[: fitted.shown if fitted else 0]
    if detail != "full" or not fitted:
        return Table(COLUMNS, rows)
    lines = fitted.text.split("\n")
    return Table((*COLUMNS, "record"), [(*row, line) for row, line in zip(rows, lines, strict=True)])


def _rows(listing: LookupPage, detail: str, room: int) -> Fitted:
    if detail == "full":
        records = [event.record or {} for event in listing.events]
        return fit_objects(records, [event.id for event in listing.events], room)
    return fit_table(COLUMNS, summaries(listing), room, caps=_CELL_CAPS, whole=_WHOLE_COLUMNS, fold=True)


def summaries(listing: LookupPage) -> list[tuple[str, ...]]:
    """A row of COLUMNS for each event, accounts by alias. The cells are as hostile as the log."""
    names = {target.account.key: target.account.name for target in listing.targets}
    return [_row(event, names.get((event.cloud, event.account), event.account)) for event in listing.events]


def other_versions(listing: LookupPage) -> list[str]:
    """A line that names the events with other contents under their ids: whoever reads one of them must know."""
    found = [event.id for event in listing.events if event.other_versions]
    if not found:
        return []
    named = [one for one in found if _PLAIN_ID.fullmatch(one)]  # other ids are text that anybody chose
    said = f": {listed(named, 5)}" if len(named) == len(found) else ""
    return [
        f"{len(found)} of these came with other content too, an addendum's original or a conflict{said}. The column "
        "other_versions has it, in SQL."
    ]


def _row(event: Event, account: str) -> tuple[str, ...]:
    return (
        iso(event.time),
        account,
        event.region,
        event.name,
        event.source.removesuffix(".amazonaws.com"),
        event.principal or event.username,
        event.source_ip,
        event.error,
        " ".join(short_resource(resource.name) for resource in event.resources),
        event.id,
    )


def short_resource(name: str) -> str:
    """An ARN without its partition, region and account, which the row tells already: `s3:bucket/key`."""
    parts = name.split(":", 5)
    return f"{parts[2]}:{parts[5]}" if len(parts) == 6 and parts[0] in ("arn", "trn") else name


def _next_steps(
    request: Request, filters: Sequence[Filter], listing: LookupPage, fitted: Fitted | None, token: str
) -> list[str]:
    steps = other_versions(listing)
    if fitted and fitted.cut:
        steps.append(_about_cuts(request, len(listing.events), fitted.cut))
    if token:
        steps.append(f'Next page: {words().lookup}({words().next_page}="{token}")')
    elif listing.next:
        steps.append(
            f"Too many events share one moment to page on: narrow by attribute or account, or use {words().sql}."
        )
    if not fitted and not token:
        steps += why_nothing_matched(filters)
        steps.append(
            f"Next: a longer time span, another account, or fewer conditions; {words().accounts} says what is held."
        )
    elif request.detail != "full":
        steps.append(
            f'One event whole: {words().filter_key}="EventId", {words().filter_value}=its event_id, detail="full".'
        )
    return steps


def _about_cuts(request: Request, events: int, cut: int) -> str:
    if request.detail != "full":
        return f"{cut} long cell{'s are' if cut > 1 else ' is'} shortened (…)."
    if events > 1:
        return (
            f'{cut} events are shortened (…): ask for one alone by {words().filter_key}="EventId" with detail="full".'
        )
    return f"The event's longest fields are shortened (…): read one field whole with {words().sql}."
