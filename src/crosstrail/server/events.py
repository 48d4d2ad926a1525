"""What `lookup_events` and `describe_trails` do and say: the question, its coverage, the rows.

Decides the wording of coverage and which columns a row has. It never picks accounts or trails (the estate does), never
merges pages (lookup does), and knows no MCP: the command line may use it too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from crosstrail.cursor import Cursor, targets_digest
from crosstrail.errors import CrosstrailError, InvalidRequest, StalePageToken
from crosstrail.estate import Estate
from crosstrail.lookup import Failure, Listing, Progress, ask_each, lookup_events
from crosstrail.models import Event, EventQuery, Position, Target, Trail
from crosstrail.server.render import (
    ANSWER_BYTES,
    LARGE_ANSWER_BYTES,
    Answer,
    Fitted,
    clean,
    fence,
    fit_objects,
    fit_table,
    listed,
    size,
)
from crosstrail.timerange import TimeRange, iso, parse_range

MOST_RESULTS = 50
COLUMNS = ("time", "account", "region", "event", "service", "principal", "source_ip", "error", "resource", "event_id")
_WHOLE_COLUMNS = frozenset({"time", "account", "event_id"})
_CELL_CAPS = (64, 48, 36, 28, 20, 14, 8)
_FENCE_BYTES = 160
_FAILURES_SHOWN = 8
_LONGEST_VALUE = 2_000
_DAY = timedelta(days=1)


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

    def said(self) -> dict[str, str | int]:
        """The arguments that differ from the default, by name."""
        empty = Request()
        return {name: value for name in self.__slots__ if (value := getattr(self, name)) != getattr(empty, name)}

    @classmethod
    def again(cls, said: Mapping[str, str | int]) -> Request:
        """The request that a page token carries. A token is no proof of its maker, so the limits are checked again."""
        values: dict[str, Any] = dict(said)
        most = values.get("max_results", 1)
        texts = [value for name, value in values.items() if name != "max_results"]
        if (
            set(values) <= set(cls.__slots__)
            and isinstance(most, int)
            and 1 <= most <= MOST_RESULTS
            and all(isinstance(text, str) for text in texts)
        ):
            return cls(**values)
        raise StalePageToken("this next_token is not one of lookup_events", hint="Start again without next_token.")


async def look_up(
    estate: Estate,
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
        targets = await estate.targets(request.target_account_id, request.region)
        cursor.check_targets(targets)
    else:
        span = parse_range(request.start_time, request.end_time, now=now or datetime.now(UTC), default_age=None)
        targets = await estate.targets(request.target_account_id, request.region)
    key = _attribute(estate, targets, request)
    query = EventQuery(span, key, request.attribute_value, request.max_results, before, request.detail == "full")
    with _named(targets):
        listing = await lookup_events(estate.trail_of, targets, query, progress=progress)
    token = _token(request, span, listing)
    return _answer(request, span, listing, token, continued=before is not None)


@contextmanager
def _named(targets: Sequence[Target]) -> Iterator[None]:
    """Notes on an error which account and region it is about, when only one was asked."""
    try:
        yield
    except CrosstrailError as error:
        if len(targets) == 1:
            error.add_note(f"Asked: {_target_name(targets[0])}.")
        raise


def _attribute(estate: Estate, targets: Sequence[Target], request: Request) -> str:
    """The attribute key in the cloud's spelling. Raises InvalidRequest for half a pair or an unknown key."""
    key, value = request.attribute_key.strip(), request.attribute_value
    if bool(key) != bool(value.strip()):
        missing = "attribute_value" if key else "attribute_key"
        raise InvalidRequest(f"{missing} is missing", hint="attribute_key and attribute_value go together.")
    if not key:
        return ""
    if len(value) > _LONGEST_VALUE:
        raise InvalidRequest(
            f"attribute_value is longer than {_LONGEST_VALUE} characters", hint="Send its exact value."
        )
    known = sorted({name for target in targets for name in estate.trail_of(target.account).attribute_keys})
    spelling = {_bare(name): name for name in known}
    if _bare(key) not in spelling:
        raise InvalidRequest(
            f"there is no attribute {clean(key, 60)!r}", hint=f"attribute_key is one of {', '.join(known)}."
        )
    return spelling[_bare(key)]


def _bare(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


def _token(request: Request, span: TimeRange, listing: Listing) -> str:
    """Empty when this was all, or when a token cannot go on from here."""
    if listing.next is None:
        return ""
    try:
        return Cursor(request.said(), span, targets_digest(listing.targets), listing.next).encode()
    except StalePageToken:
        return ""


def _answer(request: Request, span: TimeRange, listing: Listing, token: str, *, continued: bool) -> Answer:
    head = "\n".join(_coverage(span, listing, continued=continued))
    budget = LARGE_ANSWER_BYTES if request.detail == "full" else ANSWER_BYTES
    tail_room = size(token) + 300
    room = max(budget - size(head) - tail_room - _FENCE_BYTES, budget // 2)
    fitted = _rows(listing, request.detail, room) if listing.events else None
    parts = [head, fence(fitted.text)] if fitted else [head]
    parts += _next_steps(request, listing, fitted, token)
    facts = {"count": len(listing.events), "more": listing.next is not None, "next_token": token}
    return Answer("\n".join(parts), facts, error=not listing.pages)


def _rows(listing: Listing, detail: str, room: int) -> Fitted:
    if detail == "full":
        return fit_objects([event.record or {} for event in listing.events], room)
    names = {target.account.key: target.account.name for target in listing.targets}
    rows = [_row(event, names.get((event.cloud, event.account), event.account)) for event in listing.events]
    return fit_table(COLUMNS, rows, room, caps=_CELL_CAPS, whole=_WHOLE_COLUMNS, fold=True)


def _row(event: Event, account: str) -> tuple[str, ...]:
    return (
        iso(event.time),
        account,
        event.region,
        event.name,
        event.source.removesuffix(".amazonaws.com"),
        event.principal or event.username,
        event.source_ip,
        event.error_code,
        " ".join(_short_resource(resource.name) for resource in event.resources),
        event.id,
    )


def _short_resource(name: str) -> str:
    """An ARN without its partition, region and account, which the row tells already: `s3:bucket/key`."""
    parts = name.split(":", 5)
    return f"{parts[2]}:{parts[5]}" if len(parts) == 6 and parts[0] in ("arn", "trn") else name


def _coverage(span: TimeRange, listing: Listing, *, continued: bool) -> list[str]:
    """Who was asked, who answered, who failed and why, what time is really covered, and whether this is all."""
    answered = [_target_name(target) for target, _ in listing.pages]
    count, least = len(listing.events), "further " if continued else ""
    rest = "older ones exist" if listing.next else "no older ones" if continued else "all there are"
    events = f"{count} {least}event{'s' * (count != 1)}, newest first, {rest}" if count else f"no {least}event"
    lines = [f"{_asked(listing.targets)}, {span}: {events}."]
    if listing.failures:
        lines.append(f"Answered: {listed(answered) or 'none'}. {failed(listing.failures)}")
    elif len(answered) > 1:
        lines.append(f"Answered: {listed(answered)}.")
    lines += _held(span, listing)
    if listing.next and listing.events:
        lines.append(f"Covered so far: back to {iso(listing.events[-1].time)}.")
    return lines


def _asked(targets: Sequence[Target]) -> str:
    accounts = dict.fromkeys(target.account.key for target in targets)
    if len(targets) == 1:
        return _target_name(targets[0])
    regions = list(dict.fromkeys(target.region for target in targets))
    where = "every region" if regions == [""] else listed(regions)
    return f"{len(accounts)} account{'s' * (len(accounts) != 1)} x {where}"


def _target_name(target: Target) -> str:
    account = target.account
    name = f"{account.alias} ({account.id})" if account.alias else account.id
    return f"{name} {clean(target.region, 40)}" if target.region else name


def failed(failures: Sequence[Failure]) -> str:
    """`Failed: legacy (cause and fix); ...`, the first few of many."""
    said = [f"{_target_name(one.target)} ({clean(one.error.text, 300)})" for one in failures[:_FAILURES_SHOWN]]
    left = len(failures) - len(said)
    return f"Failed: {'; '.join(said)}{f'; and {left} more' if left else ''}."


def _held(span: TimeRange, listing: Listing) -> list[str]:
    """What the archives hold, where the span asked goes beyond it."""
    known = [(target, page.held) for target, page in listing.pages if page.held]
    empty = [_target_name(target) for target, held in known if held.start is None or held.end is None]
    starts = [held.start for _, held in known if held.start]
    ends = [held.end for _, held in known if held.end]
    lines = [f"Nothing is held of: {listed(empty)}."] if empty else []
    if not starts or not ends:
        return lines
    first, last = min(starts), max(ends)
    lines.append(f"Events held: {iso(first)} to {iso(last)}.")
    if (span.end and span.end < first) or (span.start and span.start > last):
        lines[-1] += " The span asked lies outside it: no event there means no log, not that nothing happened."
    elif (span.start and span.start < first - _DAY) or (span.end and span.end > last + _DAY):
        lines[-1] += " The span asked goes beyond it: nothing is known there."
    return lines


def _next_steps(request: Request, listing: Listing, fitted: Fitted | None, token: str) -> list[str]:
    steps = []
    if fitted and fitted.cut:
        steps.append(_about_cuts(request, len(listing.events), fitted.cut))
    if token:
        steps.append(f'Next page: lookup_events(next_token="{token}")')
    elif listing.next:
        steps.append("Too many events share one moment to page on: narrow by attribute or account, or use lake_query.")
    if not fitted:
        steps.append("Next: a longer time span, another account, or fewer conditions; list_accounts says what is held.")
    elif request.detail != "full":
        steps.append('One event whole: attribute_key="EventId", attribute_value=its event_id, detail="full".')
    return steps


def _about_cuts(request: Request, events: int, cut: int) -> str:
    if request.detail != "full":
        return f"{cut} long cells are shortened (…)."
    if events > 1:
        return f'{cut} events are shortened (…): ask for one alone by attribute_key="EventId" with detail="full".'
    return "The event's longest fields are shortened (…): read one field whole with lake_query."


async def describe(estate: Estate, selector: str, names: tuple[str, ...], region: str) -> Answer:
    """The trails of each target. Raises the error of the only target asked; of several, failures are listed."""
    targets = await estate.targets(selector, region)
    with _named(targets):
        trails, failures = await ask_each(
            targets, lambda target: estate.trail_of(target.account).describe_trails(target, names)
        )
    found = [trail for told in trails.values() for trail in told]
    head = f"{_asked(targets)}: {len(found)} trail{'s' * (len(found) != 1)}."
    if failures:
        head += f" {failed(failures)}"
    if not found:
        return Answer(head, error=not trails)
    columns = tuple(_trail_row(found[0]))
    rows = [tuple(_trail_row(trail).values()) for trail in found]
    table = fit_table(columns, rows, ANSWER_BYTES - size(head) - 2 * _FENCE_BYTES, caps=(200, 100, 64, 32), fold=True)
    note = f"\n{len(rows) - table.shown} more do not fit: name fewer accounts." if table.shown < len(rows) else ""
    return Answer(f"{head}\n{fence(table.text)}{note}", {"count": len(found)})


def _trail_row(trail: Trail) -> Mapping[str, str]:
    return {
        "trail": trail.name,
        "account": trail.account,
        "region": trail.region,
        "destination": trail.destination,
        "multi_region": _yes_no(trail.multi_region),
        "organization": _yes_no(trail.organization),
        "validates_files": _yes_no(trail.validates_files),
        "logging": _yes_no(trail.logging),
        "latest_delivery": iso(trail.latest_delivery) if trail.latest_delivery else "",
        "latest_error": trail.latest_error,
    }


def _yes_no(value: bool | None) -> str:
    return "" if value is None else "yes" if value else "no"
