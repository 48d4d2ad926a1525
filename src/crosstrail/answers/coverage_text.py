"""What an answer says it covered: who was asked, who answered, who failed and why, which time is known at all.

Decides that wording for every tool over targets. It asks nobody, and takes no word from a log but what `clean` leaves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from crosstrail.answers.held_days import KINDS, NAMES, Held, held_lines, later, uncovered_alike
from crosstrail.answers.render import clean, listed
from crosstrail.coverage import NOTHING_PROVED, Days, Verified
from crosstrail.errors import CloudError, CrosstrailError, own
from crosstrail.lookup.fanout import Failure, LookupPage
from crosstrail.lookup.targets import Chosen
from crosstrail.models import Account, AccountKey, Target
from crosstrail.timerange import TimeRange, iso
from crosstrail.vocabulary import words
from crosstrail.workspace.on_demand import OnDemandCollection
from crosstrail.workspace.scoped import ScopedWorkspace

_CAUSES_SHOWN = 8
_CAUSE_BYTES, _CAUSES_BYTES = 300, 1_500
"""Of each cause, where they are many, and of all together."""
_REGIONS_NAMED = 3
"""More of one account are counted."""
_DAY = timedelta(days=1)
_RUNS = 4


def coverage(span: TimeRange, listing: LookupPage, *, continued: bool) -> list[str]:
    """Who was asked, who answered, who failed and why, what time is really covered, and whether this is all."""
    answered = target_names([target for target, _ in listing.pages])
    count, least = len(listing.events), "further " if continued else ""
    older = "older ones may exist" if listing.examined else "older ones exist"
    rest = older if listing.next else "no older ones" if continued else "all there are"
    none = f"no {least}event{' so far' * bool(listing.next)}"
    events = f"{count} {least}event{'s' * (count != 1)}, newest first, {rest}" if count else none
    lines = [f"{asked(listing.targets)}, {span}: {events}."]
    if listing.failures:
        lines.append(f"Answered: {listed(answered) or 'none'}. {failed(listing.failures)}")
    elif len(answered) > 1:
        lines.append(f"Answered: {listed(answered)}.")
    if span.start and span.start > datetime.now(UTC):
        lines.append(
            f"All of the span asked lies in the future: now is {iso(datetime.now(UTC).replace(microsecond=0))}."
        )
    lines += [*_held(span, listing), *verified(listing.verified)]
    if listing.back_to:
        lines.append(f"Covered so far: back to {iso(listing.back_to)}.{_examined(listing)}")
    elif listing.examined:
        lines.append(_examined(listing).strip())
    return lines


def verified(share: Verified) -> list[str]:
    """`Read from the lake: verified 98 % of 12,345 events, 3 failed.`, where anything was read. No part is rounded up to all."""
    if not share.events:
        return []
    part = "none" if not share.valid else "all" if share.valid == share.events else _percent(share)
    failed = f", {share.failed:,} failed" if share.failed else ""
    return [f"Read from the lake: verified {part} of {share.events:,} event{'s' * (share.events != 1)}{failed}."]


def _percent(share: Verified) -> str:
    thousandths = 1_000 * share.valid // share.events
    return f"{thousandths / 10:g} %" if thousandths else "less than 0.1 %"


def verified_facts(share: Verified) -> dict[str, int]:
    """The same for programs."""
    if not share.events:
        return {}
    return {"events_read": share.events, "events_verified": share.valid, "events_failed": share.failed}


def _examined(listing: LookupPage) -> str:
    if not listing.examined:
        return ""
    return f" {listing.examined:,} events were read one by one: no cloud picks by these filters itself."


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


def _held(span: TimeRange, listing: LookupPage) -> list[str]:
    """What the archives hold, and whose logs leave the span asked uncovered, wholly or in part."""
    lines = [*_live(span, listing), *_collected(listing)]
    archives = [(target, page) for target, page in listing.pages if page.held and not target.account.auth]
    empty = target_names([target for target, page in archives if not page.days])
    held = [
        Held(target_name(target), page.held.start, page.held.end, page.days, page.proofs)
        for target, page in archives
        if page.held and page.held.start and page.held.end and page.days
    ]
    lines += [f"Nothing is held of: {listed(empty, NAMES)}."] if empty else []
    return lines + held_lines(held, span)


async def readable(workspace: ScopedWorkspace, accounts: Sequence[Account], sql: str = "") -> list[str]:
    """What SQL over these accounts could read: without it, 0 rows over an account never collected would be an answer.

    `sql`: accounts that it names come first where there is no room for all.
    """
    names = {account.key: account for account in sorted(accounts, key=lambda one: not _is_named(one, sql))}
    held = {one.key: one for one in await workspace.held() if one.key in names}
    lines = []
    if held:
        proofs = await workspace.proofs_of([one for key, one in names.items() if key in held])
        known = [
            Held(one.name, held[key].first, held[key].last, held[key].days, proofs.get(key, NOTHING_PROVED))
            for key, one in names.items()
            if key in held
        ]
        first, last = min(one.first for one in known), max(one.last for one in known)
        days = (datetime.now(UTC) - last) // _DAY
        age = f", {days} day{'s' * (days != 1)} before now" if days > 0 else ""
        span = TimeRange(first, last)
        lines.append(f"Readable: {listed([one.name for one in known])}; events held {span}{age}.")
        lines += uncovered_alike(known, last)
    nothing = [account for key, account in names.items() if key not in held]
    for live in (False, True):
        if lacking := [account for account in nothing if bool(account.auth) is live]:
            lines.append(_never_collected(lacking, live=live))
    lines += _regions(await workspace.regions_held([one for key, one in names.items() if key in held]))
    return lines


async def span_held(workspace: ScopedWorkspace, accounts: Sequence[Account], span: TimeRange) -> list[str]:
    """What the lake holds of these accounts, and whose days leave the span uncovered, wholly or in part."""
    summaries = {one.key: one for one in await workspace.held()}
    proofs = await workspace.proofs_of([one for one in accounts if one.key in summaries])
    held = [
        Held(one.name, found.first, found.last, found.days, proofs.get(one.key, NOTHING_PROVED))
        for one in accounts
        if (found := summaries.get(one.key))
    ]
    empty = [one.name for one in accounts if one.key not in summaries]
    return [*held_lines(held, span), *([f"Nothing is held of: {listed(empty, NAMES)}."] if empty else [])]


def _regions(held: Sequence[tuple[Account, Mapping[str, Days]]]) -> list[str]:
    """Regions that an account lists and nothing is held of, and those whose events end before the account's."""
    lines, earlier = [], []
    for account, days in held:
        if lacking := [clean(region, 40) for region in account.regions if region not in days]:
            lines.append(f"Nothing is held of {account.name} in: {listed(lacking, NAMES)}.")
        newest = max((runs[-1][1] for runs in days.values()), default=None)
        earlier += [
            f"{account.name} {clean(region, 40)} ({runs[-1][1]})"
            for region, runs in sorted(days.items())
            if newest and runs[-1][1] < newest
        ]
    left = len(lines) - KINDS
    lines[KINDS:] = [f"{left} more accounts have regions of which nothing is held."] if left > 0 else []
    return [*lines, f"Regions ending earlier: {listed(earlier, NAMES)}."] if earlier else lines


def _never_collected(accounts: Sequence[Account], *, live: bool) -> str:
    named = listed([account.name for account in accounts], NAMES)
    if not live:
        return f"The lake holds no event of {named}: run `crosstrail collect` on their log files first."
    return (
        f"The lake holds no event of {named}: live accounts, never collected, so SQL cannot see what happened there. Ask "
        f"{words().lookup}, run `crosstrail collect --api --account {_selector(accounts)}` for the last 90 days of management "
        "events, or `crosstrail collect` on their trails' log files."
    )


def on_demand(found: OnDemandCollection | None) -> list[str]:
    """What was collected for a statement before it ran, and what was not."""
    if found is None:
        return []
    span = f"{iso(found.span.start)} to {iso(found.span.end)}"
    if found.default:
        span += ", because the statement names no eventtime to begin from"
    if found.busy:
        return [f"NOT collected on demand ({span}): other statements were collecting. Ask again."]
    several = f"{found.targets} targets" if found.targets != 1 else "1 target"
    lines = [
        f"Collected on demand from LookupEvents: {found.events:,} events of {several}, {span}; management events alone."
    ]
    lacking = [f"{target_name(target)} ({clean(error.text, _CAUSE_BYTES)})" for target, error in found.failures]
    lines += [f"NOT collected: {listed(lacking, KINDS)}."] if lacking else []
    if found.left:
        accounts = list({target.account.key: target.account for target in found.left}.values())
        lines.append(
            f"NOT collected whole, for lake.on_demand_requests or lake.on_demand_seconds was reached: "
            f"{listed(target_names(found.left), NAMES)}. Ask again, or run `crosstrail collect --api --account {_selector(accounts)}`."
        )
    return lines


def _selector(accounts: Sequence[Account]) -> str:
    return ",".join(account.name for account in accounts) if len(accounts) <= NAMES else "'*'"


def _is_named(account: Account, sql: str) -> bool:
    text = sql.lower()
    return any(name and name.lower() in text for name in (account.id, account.alias, account.store_id))


def _live(span: TimeRange, listing: LookupPage) -> list[str]:
    """Where the span asked goes back further than the clouds themselves do."""
    begins = [
        page.held.start for target, page in listing.pages if target.account.auth and page.held and page.held.start
    ]
    if not begins or (span.start and not later(min(begins), span.start, _DAY)):
        return []
    nothing = " No event of the span asked can be there." if later(min(begins), span.end) else ""
    return [
        f"Live accounts answer for the time since {iso(min(begins))} only.{nothing} Older events: collect the trail's log "
        f"files and ask {words().sql}."
    ]


def _collected(listing: LookupPage) -> list[str]:
    """Which part of what live accounts were asked came from the lake."""
    lines = []
    for proved, why in ((False, "collected from LookupEvents"), (True, "proved by digests, as far as the trail logs")):
        spans: dict[tuple[TimeRange, ...], list[Target]] = {}
        for target, page in listing.pages:
            if found := page.proved if proved else page.collected:
                spans.setdefault(found, []).append(target)
        for parts, targets in list(spans.items())[:KINDS]:
            said = listed([f"{iso(part.start)} to {iso(part.end)}" for part in parts if part.start and part.end], _RUNS)
            names = listed(target_names(targets), NAMES)
            lines.append(f"From the lake, {why}: {said} of {names}; the rest live.")
        if left := sum(len(targets) for targets in list(spans.values())[KINDS:]):
            lines.append(f"Other parts of {left} more came from the lake, {why}.")
    return lines


def block(chosen: Chosen, *, sorted_by_time: bool = False) -> list[str]:
    """Which part of all targets this page is about, and who could not be asked at all."""
    lines = []
    if chosen.total > len(chosen.targets):
        first, last = chosen.start + 1, chosen.start + len(chosen.targets)
        among = "newest first is among these alone, and " if sorted_by_time else ""
        lines.append(
            f"These are targets {first:,} to {last:,} of {chosen.total:,}, an account in a region each, in the order of "
            f"{words().accounts}; {among}{chosen.left:,} are left to ask by {words().next_page}."
        )
    if chosen.without:
        named = listed([account.name for account in chosen.without], 6)
        lines.append(f"NOT asked, because their cloud has no such region: {named}.")
    if chosen.nowhere:
        lines.append(f"NOT asked: {listed(chosen.nowhere, 6)}, which no account asked has.")
    return lines


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
