"""What an answer says it covered: who was asked, who answered, who failed and why, which time is known at all.

Decides that wording for every tool over targets. It asks nobody, and takes no word from a log but what `clean` leaves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from crosstrail.errors import CloudError, CrosstrailError, own
from crosstrail.lookup import Failure, Listing
from crosstrail.models import AccountKey, Target
from crosstrail.server.render import clean, listed
from crosstrail.targets import Chosen
from crosstrail.timerange import TimeRange, iso

_CAUSES_SHOWN = 8
_CAUSE_BYTES, _CAUSES_BYTES = 300, 1_500
"""Of each cause, where they are many, and of all together."""
_REGIONS_NAMED = 3
"""More of one account are counted."""
_DAY = timedelta(days=1)


def coverage(span: TimeRange, listing: Listing, *, continued: bool) -> list[str]:
    """Who was asked, who answered, who failed and why, what time is really covered, and whether this is all."""
    answered = target_names([target for target, _ in listing.pages])
    count, least = len(listing.events), "further " if continued else ""
    rest = "older ones exist" if listing.next else "no older ones" if continued else "all there are"
    events = f"{count} {least}event{'s' * (count != 1)}, newest first, {rest}" if count else f"no {least}event"
    lines = [f"{asked(listing.targets)}, {span}: {events}."]
    if listing.failures:
        lines.append(f"Answered: {listed(answered) or 'none'}. {failed(listing.failures)}")
    elif len(answered) > 1:
        lines.append(f"Answered: {listed(answered)}.")
    lines += _held(span, listing)
    if listing.next and listing.events:
        lines.append(f"Covered so far: back to {iso(listing.events[-1].time)}.")
    return lines


def asked(targets: Sequence[Target]) -> str:
    """`prod (111111111111) us-east-1`, or `3 accounts x every region`."""
    accounts = dict.fromkeys(target.account.key for target in targets)
    if len(targets) == 1:
        return target_name(targets[0])
    regions = list(dict.fromkeys(target.region for target in targets))
    where = "every region" if regions == [""] else listed([region or "every region" for region in regions])
    pairs = "" if len(targets) == len(accounts) * len(regions) else f" ({len(targets)} pairs)"
    return f"{len(accounts)} account{'s' * (len(accounts) != 1)} x {where}{pairs}"


def target_name(target: Target) -> str:
    """`prod (111111111111) us-east-1`."""
    account = target.account
    name = f"{account.alias} ({account.id})" if account.alias else account.id
    return f"{name} {clean(target.region, 40)}" if target.region else name


def target_names(targets: Sequence[Target]) -> list[str]:
    """The name of each, those of one account together where they are many: `prod (111111111111) in 17 regions`."""
    by_account: dict[AccountKey, list[Target]] = {}
    for target in targets:
        by_account.setdefault(target.account.key, []).append(target)
    names: list[str] = []
    for same in by_account.values():
        if len(same) <= _REGIONS_NAMED:
            names += [target_name(target) for target in same]
        else:
            names.append(f"{target_name(Target(same[0].account))} in {len(same)} regions")
    return names


def failed(failures: Sequence[Failure]) -> str:
    """`Failed: legacy, old (cause and fix); ...`: targets that failed alike are named together; the first few of many."""
    alike: dict[object, list[Failure]] = {}
    for one in failures:
        alike.setdefault(_cause(one.error), []).append(one)
    cap = max(_CAUSE_BYTES, _CAUSES_BYTES // len(alike))
    said = [
        f"{listed(target_names([one.target for one in same]))} ({clean(same[0].error.text, cap).rstrip('.')})"
        for same in alike.values()
    ]
    left = len(said) - _CAUSES_SHOWN
    return f"Failed: {'; '.join(said[:_CAUSES_SHOWN])}{f'; and for {left} other reasons' if left > 0 else ''}."


def _cause(error: CrosstrailError) -> object:
    """The same for errors that differ only in where they happened and in the number of the request."""
    return (type(error), error.code, error.hint) if isinstance(error, CloudError) else error.text


def _held(span: TimeRange, listing: Listing) -> list[str]:
    """What the archives hold, and whose logs leave the span asked uncovered, wholly or in part."""
    lines = _live(span, listing)
    known = [
        (target_name(target), page.held) for target, page in listing.pages if page.held and not target.account.auth
    ]
    empty = [name for name, held in known if not (held.start and held.end)]
    spans = [(name, held.start, held.end) for name, held in known if held.start and held.end]
    lines += [f"Nothing is held of: {listed(empty)}."] if empty else []
    if not spans:
        return lines
    lines.append(
        f"Events held: {iso(min(first for _, first, _ in spans))} to {iso(max(last for _, _, last in spans))}."
    )
    outside = {name for name, first, last in spans if _later(span.start, last) or _later(first, span.end)}
    partly = {name for name, first, last in spans if _later(first, span.start, _DAY) or _later(span.end, last, _DAY)}
    for words, names in (("No log of the span asked", outside), ("Log of a part of it only", partly - outside)):
        said = [f"{name} ({TimeRange(first, last)})" for name, first, last in spans if name in names]
        if said:
            lines.append(f"{words}: {listed(said)}. No event there means no log, not that nothing happened.")
    return lines


def _live(span: TimeRange, listing: Listing) -> list[str]:
    """Where the span asked goes back further than the clouds themselves do."""
    begins = [
        page.held.start for target, page in listing.pages if target.account.auth and page.held and page.held.start
    ]
    if not begins or (span.start and not _later(min(begins), span.start, _DAY)):
        return []
    nothing = " No event of the span asked can be there." if _later(min(begins), span.end) else ""
    return [
        f"Live accounts answer for the time since {iso(min(begins))} only.{nothing} Older events: collect the trail's log "
        "files and ask lake_query."
    ]


def not_asked(chosen: Chosen) -> list[str]:
    """Which targets were one too many, and the way to them."""
    left = target_names(chosen.left_out)
    if not left:
        return []
    return [
        f"NOT asked: {listed(left, 6)}: one call asks {len(chosen.targets)} targets at most. Name fewer accounts or "
        "regions a call, or raise lookup.max_targets (CROSSTRAIL_MAX_TARGETS)."
    ]


def _later(one: datetime | None, other: datetime | None, by: timedelta = timedelta()) -> bool:
    return bool(one and other and one > other + by)


@contextmanager
def named(targets: Sequence[Target]) -> Iterator[None]:
    """Notes on an error which account and region it is about, when only one was asked."""
    try:
        yield
    except CrosstrailError as error:
        if len(targets) != 1:
            raise
        told = own(error)
        told.add_note(f"Asked: {target_name(targets[0])}.")
        raise told from None
