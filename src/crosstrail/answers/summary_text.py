"""A summary in words, inside a budget of bytes, and as data.

Decides what gives way where a summary is too long: the rarer of each list first, then the ends of long names; what is left out is
counted. Everything from a log is cleaned, and stands inside one fence where the reader obeys text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from crosstrail.answers.render import Table, clean, fence, listed, size
from crosstrail.answers.summarize import Summarized
from crosstrail.detections.baselines import LEARNING_DAYS
from crosstrail.detections.chains import Branch, tree
from crosstrail.detections.subject_news import SubjectNews
from crosstrail.detections.subjects import SubjectKind
from crosstrail.detections.summary import CountedList, RecordedChange, Summary
from crosstrail.models import DEFAULT_CLOUD, AccountKey
from crosstrail.timerange import iso

_CREATED = re.compile(r":(Create|Run|Allocate|Register|Import|Copy|Launch|Add|Generate|Upload|Publish|Request)")
_DELETED = re.compile(r":(Batch)?(Delete|Terminate|Remove|Deregister|Release|Purge|Leave|Schedule\w*Deletion|Detach)")
_CLASSES = ("Created", "Changed", "Deleted")
COLUMNS = ("section", "value", "count", "first", "last")


@dataclass(frozen=True, slots=True)
class Detail:
    """How much is shown: values of a list, actions that changed something, names of each, branches; bytes of a name."""

    values: int
    actions: int
    names: int
    branches: int
    cap: int


WHOLE = Detail(60, 300, 8, 400, 300)
_DETAILS = (
    Detail(25, 30, 6, 40, 200),
    Detail(15, 20, 4, 25, 150),
    Detail(10, 12, 3, 16, 120),
    Detail(6, 8, 2, 10, 90),
    Detail(4, 5, 1, 6, 70),
    Detail(2, 3, 1, 4, 48),
)
"""Falling: the first that fits is taken."""


@dataclass(frozen=True, slots=True)
class _Grouped:
    """One action that changed something, over all its resources."""

    action: str
    names: tuple[str, ...]
    by: str
    error: str
    count: int
    first: datetime
    last: datetime


def head(found: Summarized) -> list[str]:
    """How the subject was understood and what there is of it: no text of a log but ids of accounts."""
    summary = found.summary
    lines = [_understood(found)]
    if not summary.events or not summary.first or not summary.last:
        return [*lines, f"No event of it, {found.span}."]
    failed = f", {summary.failed:,} failed" if summary.failed else ""
    every = summary.denied == summary.failed
    denied = f", {'all' if every else f'{summary.denied:,} of them'} denied" if summary.denied else ""
    copies = f"; {summary.copies:,} are another account's copies of the same calls" if summary.copies else ""
    whose = "by it" if summary.acts else "of what was done to it"
    lines.append(
        f"{summary.events:,} event{'s' * (summary.events != 1)} {whose}, first seen {iso(summary.first)}, last seen "
        f"{iso(summary.last)}{failed}{denied}{copies}. Asked: {found.span}."
    )
    names = found.observed.names
    of_each = [f"{_account(_key(row.value), names)} {row.count:,}" for row in summary.accounts.rows]
    more = f" and {summary.accounts.total - 12} more" if summary.accounts.total > 12 else ""
    lines.append(f"Accounts: {', '.join(of_each[:12])}{more}.")
    return lines


def body(found: Summarized, detail: Detail) -> list[str]:
    """Everything that is text of a log."""
    summary = found.summary
    lines = [f"Event asked: {clean(found.of_event, 200)}"] if found.of_event else []
    lines += [
        *_list("Read", summary.reads, detail, noun="action"),
        *_list("Write", summary.writes, detail, noun="action"),
        *_list("Denied", summary.denials, detail, noun="action"),
        *_list("Errors", summary.errors, detail),
    ]
    lines += _list("Who", summary.principals, detail, times=True)
    lines += _list("Access keys", summary.keys, detail, times=True)
    lines += _list("From", summary.addresses, detail, times=True)
    lines += [
        *_list("Programs", summary.agents, detail),
        *_list("Regions", summary.regions, detail),
        *_list("MFA", summary.mfa, detail),
    ]
    lines += _news(found.news, detail)
    for name, actions in _by_class(summary.changes).items():
        lines += _actions(name, actions, detail)
    lines += _actions("Done to it by others", _grouped(summary.done_to_it), detail, by=True)
    lines += _tree(summary, found.observed.names, detail)
    return lines


def text(found: Summarized, tail: Sequence[str], budget: int) -> str:
    """In at most `budget` bytes; `tail` comes after the fence."""
    first, last = head(found), [*found.observed.coverage, *tail]
    if not found.summary.events and not found.summary.done_to_it:
        return "\n".join([*first, *last])
    made = ""
    for detail in _DETAILS:
        made = "\n".join([*first, fence("\n".join(body(found, detail))), *last])
        if size(made) <= budget:
            break
    return made


def tables(summary: Summary) -> list[Table]:
    """The lists as rows, for programs."""
    rows: list[tuple[str, str, str, str, str]] = []
    for name, one in lists(summary).items():
        rows += [(name, row.text, str(row.count), iso(row.first), iso(row.last)) for row in one.rows]
    for name, actions in {**_by_class(summary.changes), "done to it": _grouped(summary.done_to_it)}.items():
        rows += [
            (name.lower(), f"{one.action} {', '.join(one.names)}", str(one.count), iso(one.first), iso(one.last))
            for one in actions
        ]
    return [Table(COLUMNS, rows)] if rows else []


def lists(summary: Summary) -> dict[str, CountedList]:
    """Its lists by name."""
    return {
        "accounts": summary.accounts,
        "regions": summary.regions,
        "read_actions": summary.reads,
        "write_actions": summary.writes,
        "denied_actions": summary.denials,
        "errors": summary.errors,
        "principals": summary.principals,
        "access_keys": summary.keys,
        "addresses": summary.addresses,
        "programs": summary.agents,
        "mfa": summary.mfa,
    }


def data(found: Summarized) -> dict[str, object]:
    """All of it, for programs."""
    summary = found.summary
    return {
        "subject": found.call.subject,
        "understood_as": [{"kind": one.kind, "value": one.value, "events": count} for one, count in summary.kinds],
        "event": found.of_event or None,
        "span": {"start": _iso(found.span.start), "end": _iso(found.span.end)},
        "events": summary.events,
        "first": _iso(summary.first),
        "last": _iso(summary.last),
        "failed": summary.failed,
        "denied": summary.denied,
        "copies": summary.copies,
        "acts": summary.acts,
        **{name: _counted(one) for name, one in lists(summary).items()},
        "new": {
            "since": _iso(found.news.cut),
            "learned_from": _iso(found.news.since),
            "enough_history": found.news.known,
            "values": [
                {"kind": one.kind, "value": one.value, "events": one.count, "first": iso(one.first)}
                for one in found.news.values
            ],
        },
        "changes": [_changed(one) for one in summary.changes],
        "done_to_it": [_changed(one) for one in summary.done_to_it],
        "sessions": [_branch(one) for one in tree(summary.chain)],
        "complete": found.observed.complete,
        "coverage": list(found.observed.coverage),
    }


def _understood(found: Summarized) -> str:
    counts = [(one, count) for one, count in found.summary.kinds if count]
    if not counts:
        kinds = " or ".join(one.kind for one, _ in found.summary.kinds)
        return f"{clean(found.call.subject, 300)}: taken for {kinds}; nothing matches."
    acting = [f"{one.kind} ({count:,})" for one, count in counts if one.acts]
    about = [f"{one.kind} ({count:,})" for one, count in counts if not one.acts]
    said = f"understood as {' and '.join(acting or about)}"
    if acting and about:
        said += f"; what others did to it as {about[0]} stands apart"
    whose = f", the caller of the event {clean(found.call.subject, 80)}" if found.of_event else ""
    named = next(one.value for one, _ in counts)
    alone = ""
    if len(acting) > 1:
        forms = {
            SubjectKind.USER: "user/NAME",
            SubjectKind.SESSION: "assumed-role/ROLE/NAME",
            SubjectKind.ROLE: "role/NAME",
        }
        alone = f" These are together here; for one alone ask for {' or '.join(forms[one.kind] for one, _ in counts if one.kind in forms)}."
    return f"{clean(named, 300)}: {said}{whose}.{alone}"


def _key(value: Sequence[str]) -> AccountKey:
    cloud, account = value
    return cloud, account


def _account(key: AccountKey, names: Mapping[AccountKey, str]) -> str:
    name = names.get(key, key[1])
    shown = clean(f"{name} ({key[1]})" if name != key[1] else name, 120)
    return shown if key[0] == DEFAULT_CLOUD else f"{shown} of {key[0]}"


def _list(name: str, found: CountedList, detail: Detail, *, noun: str = "", times: bool = False) -> list[str]:
    if not found.rows:
        return []
    shown = []
    for row in found.rows[: detail.values]:
        value = clean(":".join(row.value) if noun else row.text, detail.cap)
        when = f" ({iso(row.first)}{f' to {iso(row.last)}' if row.count > 1 else ''})" if times else ""
        shown.append(f"{value} {row.count:,}{when}")
    left = found.total - len(shown)
    about = f" ({found.total:,} {noun}{'s' * (found.total != 1)})" if noun else ""
    return [f"{name}{about}: {', '.join(shown)}{f', and {left:,} more' if left > 0 else ''}"]


def _by_class(changes: Sequence[RecordedChange]) -> dict[str, list[_Grouped]]:
    found: dict[str, list[_Grouped]] = {name: [] for name in _CLASSES}
    for one in _grouped(changes):
        kind = "Created" if _CREATED.search(one.action) else "Deleted" if _DELETED.search(one.action) else "Changed"
        found[kind].append(one)
    return found


def _grouped(changes: Sequence[RecordedChange]) -> list[_Grouped]:
    """Newest first."""
    alike: dict[tuple[str, str, str], list[RecordedChange]] = {}
    for one in changes:
        alike.setdefault((one.action, one.by, one.error), []).append(one)
    return [
        _Grouped(
            action,
            tuple(dict.fromkeys(name for one in same for name in one.names)),
            by,
            error,
            sum(one.count for one in same),
            min(one.first for one in same),
            max(one.last for one in same),
        )
        for (action, by, error), same in alike.items()
    ]


def _actions(name: str, actions: Sequence[_Grouped], detail: Detail, *, by: bool = False) -> list[str]:
    if not actions:
        return []
    lines = [f"{name}:"]
    for one in actions[: detail.actions]:
        when = iso(one.last) if one.count == 1 else f"{one.count:,} times, {iso(one.first)} to {iso(one.last)}"
        names = listed([clean(part, detail.cap) for part in one.names], detail.names)
        who = f" by {clean(one.by, detail.cap)}" if by else ""
        error = f" [{clean(one.error, 60)}]" if one.error else ""
        lines.append(f"  {clean(one.action, 90)}{error}{': ' if names else ''}{names}{who} ({when})")
    left = len(actions) - detail.actions
    return [*lines, f"  and {left:,} more actions"] if left > 0 else lines


def _news(found: SubjectNews, detail: Detail) -> list[str]:
    if not found.cut or not found.since:
        return []
    if not found.known:
        return [
            f"New: not told, for it is known since {iso(found.since)} alone; {LEARNING_DAYS} days before {iso(found.cut)} are needed"
        ]
    by_kind: dict[str, list[str]] = {}
    for one in found.values:
        by_kind.setdefault(one.kind, []).append(f"{clean(one.value, detail.cap)} {one.count:,}")
    said = "; ".join(f"{kind}s {listed(values, detail.values)}" for kind, values in by_kind.items()) or "nothing"
    return [f"New since {iso(found.cut)}, learned from {iso(found.since)} on: {said}"]


def _tree(summary: Summary, names: Mapping[AccountKey, str], detail: Detail) -> list[str]:
    branches = tree(summary.chain)
    if not any(one.branches for one in branches):
        return []
    lines: list[str] = []
    for one in branches:
        lines += _branch_lines(one, 1, detail)
    shown = lines[: detail.branches]
    if left := len(lines) - len(shown):
        shown.append(f"  and {left:,} more")
    cut = " (the newest sessions alone)" if summary.chain.cut else ""
    return [f"Credentials, who got them from whom{cut}; * is the subject:", *shown]


def _branch_lines(one: Branch, depth: int, detail: Detail) -> list[str]:
    """A line, and those of the branches below it."""
    mark = "*" if one.of_subject else ""
    keys = listed([clean(key, 40) for key in one.keys], 2)
    got = ""
    if one.action and one.first and one.last:
        times = iso(one.first) if one.times == 1 else f"{one.times:,} times, {iso(one.first)} to {iso(one.last)}"
        got = f"{clean(one.action, 40)} {times} -> "
    identity = f", source identity {clean(one.identity, 60)}" if one.identity else ""
    where = f" in {listed([clean(part, 40) for part in one.accounts], 3)}" if one.accounts else ""
    failed = f", {one.failed:,} failed" if one.failed else ""
    used = (
        f"{one.events:,} event{'s' * (one.events != 1)}{where}{failed}"
        if one.events
        else "no event of it in the accounts asked"
    )
    line = f"{'  ' * depth}{got}{mark}{clean(one.label, detail.cap) or 'somebody'}{f' ({keys})' if keys else ''}{identity}: {used}"
    return [line, *(inner for below in one.branches for inner in _branch_lines(below, depth + 1, detail))]


def _iso(moment: datetime | None) -> str | None:
    return iso(moment) if moment else None


def _counted(found: CountedList) -> dict[str, object]:
    rows = [
        {"value": row.text, "events": row.count, "first": iso(row.first), "last": iso(row.last)} for row in found.rows
    ]
    return {"total": found.total, "rows": rows}


def _changed(one: RecordedChange) -> dict[str, object]:
    return {
        "action": one.action,
        "names": list(one.names),
        "cloud": one.account[0],
        "account": one.account[1],
        "region": one.region,
        "by": one.by,
        "error": one.error or None,
        "events": one.count,
        "first": iso(one.first),
        "last": iso(one.last),
    }


def _branch(one: Branch) -> dict[str, object]:
    return {
        "principal": one.label,
        "got_by": one.action or None,
        "times": one.times,
        "first": _iso(one.first),
        "last": _iso(one.last),
        "access_keys": list(one.keys),
        "events": one.events,
        "failed": one.failed,
        "accounts": list(one.accounts),
        "subject": one.of_subject,
        "source_identity": one.identity or None,
        "gave": [_branch(below) for below in one.branches],
    }
