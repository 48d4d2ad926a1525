"""What `log_coverage` says: the state of every day of every account and region, the worst first.

Decides which days a map shows where nobody named them, which regions count as never logged, and what gives way where many
accounts are asked: whole days are counted, the rows that do not fit are for the next page. It never asks a cloud.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import chain

import anyio.to_thread

from crosstrail import coverage
from crosstrail.answers.blocks import Paged
from crosstrail.answers.render import ANSWER_BYTES, Answer, Table, clean, fence, fit_table, listed, size
from crosstrail.coverage import MANAGEMENT_ALONE, DayMap, DayState, LogFacts, StateRun, bit_runs, day_map
from crosstrail.lake.log_facts import EVERY_REGION
from crosstrail.lookup.cursor import BlockCursor, stale
from crosstrail.lookup.targets import matching
from crosstrail.models import Account, AccountKey
from crosstrail.timerange import TimeRange, parse_range
from crosstrail.vocabulary import words
from crosstrail.workspace.scoped import ScopedWorkspace

MAX_READ = 1_000
"""Data files that one call reads the regions of: about a second. What was read is known from then on."""
WORST_FIRST = (DayState.MISSING, DayState.PARTLY, DayState.COLLECTED, DayState.PROVED, DayState.NEVER)
WORDS = {state: state.replace("_", " ") for state in DayState}
MEANINGS = {
    DayState.PROVED: "verified digests cover the day, and every log that they name is held",
    DayState.COLLECTED: "held without a gap, as far as files or the cloud's API can tell",
    DayState.PARTLY: "some of it is held",
    DayState.MISSING: "nothing is held of it, and nothing proves that nothing happened",
    DayState.NEVER: "before the first log, or there was never any",
}
_SHORT = {
    coverage.QUIET: "quiet",
    coverage.NOTHING: "nothing",
    coverage.SINCE: "ended",
    coverage.NEIGHBOUR: "edge",
    coverage.UNREADABLE: "unreadable",
    coverage.ARCHIVED: "archived",
    coverage.DENIED: "denied",
    coverage.MANAGEMENT_ALONE: "management_events_only",
    coverage.IN_PART: "in_part",
    coverage.NOT_OVER: "not_over",
}
"""A word for each reason that many days have; the others are told in full."""
_USUAL = {"target_account_id": "", "start_time": "", "end_time": "", "region": ""}
_COLUMNS = ("account", "region", *(state.value for state in WORST_FIRST), "missing_or_partly_days", "why")
_CELL_CAPS = (400, 200, 120)
_RUNS, _REASONS, _NAMES = 6, 3, 6
_REASON_BYTES = 200
_FRAME_BYTES = 1_600
_MAX_ROWS = 400
"""More never fit an answer."""
_FIRST_DAY = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class RegionCoverage:
    """One region of an account; the region is hostile text, and empty where nobody can tell which it is."""

    account: Account
    region: str
    map: DayMap

    @property
    def badness(self) -> tuple[int, int, int]:
        """Sorts the worst first."""
        return (-self.map.days(DayState.MISSING), -self.map.days(DayState.PARTLY), self.map.days(DayState.PROVED))


@dataclass(frozen=True, slots=True)
class LogCoverage:
    """Of the accounts asked, from the day `first` to `last`, in the order of accounts and regions."""

    first: date
    last: date
    rows: tuple[RegionCoverage, ...]
    never: tuple[tuple[Account, tuple[str, ...]], ...] = ()
    """Regions of which there was never a log, by account."""
    unread: tuple[Account, ...] = ()
    """Accounts some days of which could not be told by region yet: asking again goes on."""
    today: date = _FIRST_DAY
    newest: date | None = None
    """The newest day of which anything is known."""

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    def totals(self) -> dict[DayState, int]:
        """Days of all rows together, by state."""
        return {state: sum(row.map.days(state) for row in self.rows) for state in WORST_FIRST}


async def log_coverage(
    workspace: ScopedWorkspace, selector: str, region: str, span: TimeRange, *, most: int = MAX_READ
) -> LogCoverage:
    """`selector`: empty for every account. `span`: open ends mean from the first day known, and to the last one or, where an
    account is live, today.

    Raises AccountNotFound, InvalidRequest for a region that nobody has, LakeError.
    """
    accounts = (await workspace.scope(selector)).accounts
    facts = await workspace.log_facts(accounts, most)
    usual = {account.key: workspace.usual_regions(account) for account in accounts}
    names = {*chain.from_iterable(facts.values()), *chain.from_iterable(usual.values())}
    wanted = matching(region, names) if region.strip() else None
    return await anyio.to_thread.run_sync(_mapped, accounts, facts, usual, wanted, span)


def _mapped(
    accounts: Sequence[Account],
    facts: Mapping[AccountKey, Mapping[str, LogFacts]],
    usual: Mapping[AccountKey, Sequence[str]],
    wanted: frozenset[str] | None,
    span: TimeRange,
) -> LogCoverage:
    today = datetime.now(UTC).date()
    known = {key: _union(one.known() for one in regions.values()) for key, regions in facts.items()}
    first, last, newest = _days(_union(known.values()), span, today, live=any(one.auth for one in accounts))
    rows, never = [], []
    for account in accounts:
        regions = facts.get(account.key, {})
        rows += [
            RegionCoverage(account, name, day_map(one, known[account.key], first, last, today))
            for name, one in sorted(regions.items())
            if wanted is None or name in wanted
        ]
        silent = [name for name in usual[account.key] if name not in regions and (wanted is None or name in wanted)]
        if silent or not regions:
            never.append((account, tuple(silent)))
    unread = tuple(one for one in accounts if EVERY_REGION in facts.get(one.key, {}) and len(facts[one.key]) > 1)
    return LogCoverage(first, last, tuple(rows), tuple(never), unread, today, newest)


def _days(known: int, span: TimeRange, today: date, *, live: bool) -> tuple[date, date, date | None]:
    """(the first day of the map, the last one, the newest day known)."""
    found = list(bit_runs(known & -known)) + list(bit_runs(1 << known.bit_length() >> 1)) if known else []
    oldest, newest = (found[0][0], found[1][0]) if found else (today, None)
    until = span.end.astimezone(UTC).date() if span.end else today if live or newest is None else newest
    last = max(min(until, today), min(newest or today, until))
    first = span.start.astimezone(UTC).date() if span.start else min(oldest, last)
    return max(first, _FIRST_DAY), max(last, first, _FIRST_DAY), newest


def _union(several: Iterable[int]) -> int:
    found = 0
    for bits in several:
        found |= bits
    return found


async def answer(
    workspace: ScopedWorkspace, selector: str, start: str, end: str, region: str, next_token: str = ""
) -> Answer:
    """A page of the regions of the accounts asked, the worst first. Raises what log_coverage does, BadTimeRange, StalePageToken."""
    arguments = {
        "target_account_id": selector.strip(),
        "start_time": start.strip(),
        "end_time": end.strip(),
        "region": region.strip(),
    }
    call, cursor = Paged("log_coverage", arguments, _USUAL, next_token).opened()
    span = parse_range(call.text("start_time"), call.text("end_time"), now=datetime.now(UTC), default_age=None)
    found = await log_coverage(workspace, call.text("target_account_id"), call.text("region"), span)
    return await anyio.to_thread.run_sync(_page, found, call, cursor)


def _page(found: LogCoverage, call: Paged, cursor: BlockCursor | None) -> Answer:
    rows = sorted(found.rows, key=lambda row: row.badness)
    digest = _digest(rows)
    if cursor:
        cursor.check_targets(digest)
        if cursor.start >= len(rows):
            raise stale(f"this {words().next_page} goes on after the last region")
    start = cursor.start if cursor else 0
    head = [*summary(found), *_never(found)] if not start else [_counted(found)]
    shown = [_row(row) for row in rows[start : start + _MAX_ROWS]]
    text, end = "\n".join(head), start
    if shown:
        table = fit_table(_COLUMNS, shown, ANSWER_BYTES - size(text) - _FRAME_BYTES, caps=_CELL_CAPS, fold=True)
        end += table.shown
        text += f"\nThe worst first:\n{fence(table.text)}\n{_reasons(table.text)}".rstrip()
    token = ""
    if end < len(rows):
        said = {name: value for name, value in call.asked.items() if value != call.usual[name]}
        token = BlockCursor(call.tool, said, digest, end).encode()
        clean_left = sum(not any(row.badness[:2]) for row in rows[end:])
        text += (
            f"\nThese are {start + 1:,} to {end:,} of {len(rows):,}; of the {len(rows) - end:,} others {clean_left:,} have no day "
            f'that is missing or partly held.\nNext page: {call.tool}({words().next_page}="{token}")'
        )
    if not start:
        text += f"\n{meanings()}"
    facts = {
        "count": len(rows),
        "first": str(found.first),
        "last": str(found.last),
        "days": {state.value: days for state, days in found.totals().items()},
        **({"next_token": token} if token else {}),
    }
    return Answer(text, facts, tables=[Table(_COLUMNS, shown[: end - start])])


def summary(found: LogCoverage) -> list[str]:
    """What the map is about, and how many days are in which state."""
    lines = [_counted(found)]
    if found.newest and found.newest < found.today:
        days = (found.today - found.newest).days
        lines.append(f"The newest log is of {found.newest}, {days} day{'s' * (days != 1)} before today.")
    if managed := sum(
        run.days for row in found.rows for run in row.map.runs(DayState.COLLECTED) if run.reason == MANAGEMENT_ALONE
    ):
        lines.append(f"Of the collected days {managed:,} are of {MANAGEMENT_ALONE}.")
    if found.unread:
        lines.append(
            f"The regions of some days are not read yet (their row has no region); ask again: "
            f"{listed([one.name for one in found.unread], _NAMES)}."
        )
    return lines


def _counted(found: LogCoverage) -> str:
    accounts = len({row.account.key for row in found.rows})
    totals = ", ".join(f"{days:,} {WORDS[state]}" for state, days in found.totals().items() if days)
    about = (
        f"{accounts} account{'s' * (accounts != 1)}, {len(found.rows):,} region{'s' * (len(found.rows) != 1)} with logs"
    )
    days = f"{found.first} to {found.last} ({found.days:,} day{'s' * (found.days != 1)})"
    return f"{about}, {days}. Days of regions: {totals}." if found.rows else f"No log of any account asked, {days}."


def never_logged(found: LogCoverage) -> list[tuple[str, str]]:
    """(which regions were never logged, of which accounts), alike ones together."""
    alike: dict[tuple[str, ...], list[str]] = {}
    having = {row.account.key for row in found.rows}
    for account, regions in found.never:
        alike.setdefault(regions if account.key in having else (), []).append(account.name)
    said = []
    for regions, names in sorted(alike.items()):
        few = listed([clean(one, 40) for one in regions], _NAMES)
        which = "any region" if not regions else few if len(regions) <= _NAMES else f"{len(regions)} regions ({few})"
        said.append((which, listed(names, _NAMES)))
    return said


def _never(found: LogCoverage) -> list[str]:
    told = never_logged(found)
    more = [f"{len(told) - _NAMES} more kinds of accounts lack other regions."] if len(told) > _NAMES else []
    return [f"Never logged in {which}: {names}." for which, names in told[:_NAMES]] + more


def _reasons(table: str) -> str:
    """What the short words in the table stand for."""
    return " ".join(f"{word}: {reason}." for reason, word in _SHORT.items() if word in table)


def meanings() -> str:
    """What the states mean, on one line."""
    return " ".join(f"{WORDS[state]}: {meaning}." for state, meaning in MEANINGS.items())


def _row(row: RegionCoverage) -> tuple[str, ...]:
    bad = row.map.runs(DayState.MISSING, DayState.PARTLY)
    explained = [*sorted(bad, key=lambda run: WORST_FIRST.index(run.state)), *row.map.runs(DayState.COLLECTED)]
    reasons = list(dict.fromkeys(run.reason for run in explained if run.reason))
    counts = [str(row.map.days(state) or "") for state in WORST_FIRST]
    return (
        f"{row.account.alias} ({row.account.id})" if row.account.alias else row.account.id,
        row.region or "(not known)",
        *counts,
        run_list(bad),
        "; ".join(_SHORT.get(reason) or clean(reason, _REASON_BYTES) for reason in reasons[:_REASONS]),
    )


def run_list(found: Sequence[StateRun], most: int = _RUNS) -> str:
    """`missing 2026-11-04 to 2026-11-05, partly 2026-11-07 and 3 more`: days in a row in one state are named together."""
    joined: list[StateRun] = []
    for run in found:
        if joined and joined[-1].state is run.state and joined[-1].last + timedelta(days=1) == run.first:
            joined[-1] = StateRun(run.state, joined[-1].first, run.last)
        else:
            joined.append(run)
    joined.sort(key=lambda run: WORST_FIRST.index(run.state))
    named, before = [], None
    for run in joined[:most]:
        days = str(run.first) if run.first == run.last else f"{run.first} to {run.last}"
        named.append(days if run.state is before else f"{WORDS[run.state]} {days}")
        before = run.state
    return ", ".join(named) + (f" and {len(joined) - most} more" if len(joined) > most else "")


def _digest(rows: Sequence[RegionCoverage]) -> str:
    names = hashlib.blake2b(digest_size=8)
    for row in rows:
        names.update(f"{row.account.cloud}/{row.account.id}/{row.region}\n".encode())
    return names.hexdigest()
