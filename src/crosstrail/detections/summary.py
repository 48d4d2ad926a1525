"""Everything one subject did: the statements that ask it of `events`, and their rows as one value.

Decides what a summary says: who, where, which actions, what changed, what was done to it. Of a subject that acts, its own events are
summarized and what others did to it is listed apart; of one that only is acted on, what was done to it is all there is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from crosstrail.detections.chains import SessionChain, chain_statements, read_chain
from crosstrail.detections.event_facts import DENIED, ERROR, FAILED, READS, WHO
from crosstrail.detections.subjects import SubjectReading
from crosstrail.engines.analysis import Rows
from crosstrail.models import AccountKey

MAX_ROWS = 60
"""Of each list; how many there are in all comes with it."""
MAX_CHANGES = 300
_MFA = (
    "CASE lower(coalesce(useridentity.sessioncontext.attributes.mfaauthenticated, additionaleventdata['MFAUsed'])) "
    "WHEN 'true' THEN 'yes' WHEN 'yes' THEN 'yes' WHEN 'false' THEN 'no' WHEN 'no' THEN 'no' END"
)
_COUNTS = "sum(n), min(first), max(last), count(*) OVER ()"
_NAMING = "(Name|Names|Id|Ids|Arn|ARN|name|id|key|url|Url)$"
_MADE = "(Id|Arn|ARN|Url)$"
_INSIDE = (
    ("instancesSet", "$.items[*].instanceId"),
    ("accessKey", "$.accessKeyId"),
    ("user", "$.arn"),
    ("role", "$.arn"),
    ("policy", "$.arn"),
    ("group", "$.arn"),
    ("keyMetadata", "$.arn"),
    ("vpc", "$.vpcId"),
    ("subnet", "$.subnetId"),
)
"""Where answers name what was made."""


@dataclass(frozen=True, slots=True)
class Counted:
    """`value` is text of a log, or several."""

    value: tuple[str, ...]
    count: int
    first: datetime
    last: datetime

    @property
    def text(self) -> str:
        return " ".join(part for part in self.value if part)


@dataclass(frozen=True, slots=True)
class CountedList:
    """The most frequent ones first; `total` counts those that are left out too."""

    rows: tuple[Counted, ...] = ()
    total: int = 0

    @property
    def events(self) -> int:
        return sum(row.count for row in self.rows)


@dataclass(frozen=True, slots=True)
class RecordedChange:
    """Something created, changed or deleted, or done to the subject. `names`: what the event names, hostile text."""

    action: str
    names: tuple[str, ...]
    account: AccountKey
    region: str
    by: str
    error: str
    count: int
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class Summary:
    """`kinds`: each reading of the subject with the events that it has. `copies`: events that another account's log has too, of
    the same call."""

    kinds: tuple[tuple[SubjectReading, int], ...]
    events: int = 0
    first: datetime | None = None
    last: datetime | None = None
    failed: int = 0
    denied: int = 0
    copies: int = 0
    acts: bool = True
    accounts: CountedList = CountedList()
    regions: CountedList = CountedList()
    reads: CountedList = CountedList()
    writes: CountedList = CountedList()
    denials: CountedList = CountedList()
    errors: CountedList = CountedList()
    principals: CountedList = CountedList()
    keys: CountedList = CountedList()
    addresses: CountedList = CountedList()
    agents: CountedList = CountedList()
    mfa: CountedList = CountedList()
    changes: tuple[RecordedChange, ...] = ()
    done_to_it: tuple[RecordedChange, ...] = ()
    chain: SessionChain = field(default_factory=SessionChain)


_LISTS = (
    ("accounts", "cloud, account", ""),
    ("regions", "region", "region <> ''"),
    ("reads", "service, eventname", "reads AND NOT denied"),
    ("writes", "service, eventname", "NOT reads AND NOT denied"),
    ("denials", "service, eventname", "denied"),
    ("errors", "error", "failed"),
    ("principals", "who, kind", ""),
    ("keys", "access_key_id", "access_key_id <> ''"),
    ("addresses", "address", "address <> ''"),
    ("agents", "agent", "agent <> ''"),
    ("mfa", "mfa", "mfa IS NOT NULL"),
)
"""Field of a summary, what is counted, of which events."""


def own_statements(found: Sequence[SubjectReading]) -> tuple[str, ...]:
    """What makes the table `own`: the subject's events, those alike together; none of them yields rows."""
    flags = ", ".join(f"coalesce({one.condition}, false) AS r{place}" for place, one in enumerate(found))
    return (
        _matched(*_conditions(found), flags),
        "CREATE TEMP TABLE acting AS SELECT coalesce(bool_or(acts), false) AS acts FROM matched",
        "CREATE TEMP VIEW own AS SELECT * FROM matched WHERE acts = (SELECT acts FROM acting)",
    )


def statements(found: Sequence[SubjectReading]) -> tuple[str, ...]:
    """They end with those of the chain."""
    acting, about = _conditions(found)
    return (
        *own_statements(found),
        f"SELECT {', '.join(f'coalesce(sum(n) FILTER (r{place}), 0)' for place in range(len(found)))} FROM matched",  # noqa: S608
        "SELECT coalesce(sum(n), 0), min(first), max(last), coalesce(sum(n) FILTER (failed), 0), "
        "coalesce(sum(n) FILTER (denied), 0), coalesce(sum(shared) - count(DISTINCT share), 0), (SELECT acts FROM acting) FROM own",
        *(_list(columns, which) for _, columns, which in _LISTS),
        _changes(acting if acting != "false" else about, done_to=False),
        _changes(about if acting != "false" else "false", done_to=True),
        *chain_statements(),
    )


def _conditions(found: Sequence[SubjectReading]) -> tuple[str, str]:
    """(of what it did, of what others did to it): no event meets both. Each is simple enough for a scan to pass over what lacks it."""
    acting = " OR ".join(one.condition for one in found if one.acts)
    about = " OR ".join(one.condition for one in found if not one.acts)
    if not acting or not about:
        return acting or "false", about or "false"
    return acting, f"({about}) AND NOT coalesce({acting}, false)"


def read_summary(found: Sequence[SubjectReading], tables: Sequence[Rows]) -> Summary:
    """The tables of `statements`, in their order."""
    rest: Iterator[Rows] = iter(tables)
    counts = next(rest)[0]
    events, first, last, failed, denied, copies, acts = next(rest)[0]
    lists = {name: _listing(next(rest)) for name, _, _ in _LISTS}
    changes, done_to_it = _read_changes(next(rest)), _read_changes(next(rest))
    return Summary(
        tuple((one, number(count)) for one, count in zip(found, counts, strict=True)),
        number(events),
        at(first) if first else None,
        at(last) if last else None,
        number(failed),
        number(denied),
        number(copies),
        bool(acts) or not events,
        **lists,
        changes=changes,
        done_to_it=done_to_it if acts else (),
        chain=read_chain(list(rest)),
    )


def _matched(acting: str, about: str, flags: str) -> str:
    return f"""CREATE TEMP TABLE matched AS SELECT cloud, account, coalesce(awsregion, '') AS region,
regexp_replace(coalesce(eventsource, ''), '[.]amazonaws[.]com$', '') AS service, eventname, {READS} AS reads, {FAILED} AS failed,
{DENIED} AS denied, {ERROR} AS error, {WHO} AS who, coalesce(useridentity.type, '') AS kind, coalesce(access_key_id, '') AS access_key_id,
coalesce(sourceipaddress, '') AS address, regexp_extract(coalesce(useragent, ''), '^[^ ]*') AS agent, {_MFA} AS mfa,
sharedeventid AS share, acts, {flags}, count(*) AS n, count(sharedeventid) AS shared, min(eventtime) AS first, max(eventtime) AS last
FROM (SELECT *, true AS acts FROM events WHERE {acting} UNION ALL SELECT *, false AS acts FROM events WHERE {about})
GROUP BY ALL"""  # noqa: S608 - conditions quote their values


def _list(columns: str, which: str) -> str:
    where = f" WHERE {which}" if which else ""
    return f"SELECT {columns}, {_COUNTS} FROM own{where} GROUP BY {columns} ORDER BY sum(n) DESC, {columns} LIMIT {MAX_ROWS}"  # noqa: S608


def _changes(condition: str, *, done_to: bool) -> str:
    """What events that succeeded changed; of what was done to the subject, also what failed."""
    succeeded = "" if done_to else f" AND NOT {FAILED}"
    return f"""SELECT regexp_replace(coalesce(eventsource, ''), '[.]amazonaws[.]com$', '') || ':' || coalesce(eventname, ''),
list_distinct(list_concat(CASE WHEN len(resource_names) > 0 THEN resource_names ELSE {_named("requestparameters", _NAMING)} END,
{_named("responseelements", _MADE)}, {_lists()})) AS names, cloud, account, coalesce(awsregion, ''), {WHO} AS who,
CASE WHEN {FAILED} THEN {ERROR} ELSE '' END AS error, count(*), min(eventtime), max(eventtime) AS newest
FROM events WHERE ({condition}) AND NOT {READS}{succeeded} AND eventname NOT IN ('ConsoleLogin', 'CheckMfa', 'UserAuthentication')
GROUP BY ALL ORDER BY newest DESC LIMIT {MAX_CHANGES}"""  # noqa: S608


def _named(column: str, pattern: str) -> str:
    """Up to four short values of the parameters whose names end like that."""
    chosen = f"list_filter(map_entries({column}), lambda e: regexp_matches(e.key, '{pattern}') AND e.key NOT IN ('requestId', 'ownerId', 'accountId', 'clientRequestToken') AND length(e.value) < 300)"
    return f"coalesce(list_slice(list_transform({chosen}, lambda e: e.value), 1, 4), [])"


def _lists() -> str:
    return ", ".join(
        f"coalesce(json_extract_string(responseelements['{key}'], '{path}'), [])"
        if "*" in path
        else f"list_filter([json_extract_string(responseelements['{key}'], '{path}')], lambda e: e IS NOT NULL)"
        for key, path in _INSIDE
    )


def _listing(rows: Rows) -> CountedList:
    found = tuple(
        Counted(tuple(str(cell or "") for cell in row[:-4]), number(row[-4]), at(row[-3]), at(row[-2])) for row in rows
    )
    return CountedList(found, number(rows[0][-1]) if rows else 0)


def _read_changes(rows: Rows) -> tuple[RecordedChange, ...]:
    return tuple(
        RecordedChange(
            str(action),
            shortest(names if isinstance(names, list) else []),
            (str(cloud), str(account)),
            str(region),
            str(by),
            str(error),
            number(count),
            at(first),
            at(last),
        )
        for action, names, cloud, account, region, by, error, count, first, last in rows
    )


def shortest(names: Sequence[object]) -> tuple[str, ...]:
    """Without names that the end of another one says."""
    texts = list(dict.fromkeys(str(name) for name in names if name))
    return tuple(
        one for one in texts if not any(other != one and other.endswith((f"/{one}", f":{one}")) for other in texts)
    )


def number(value: object) -> int:
    """A count of a row."""
    if not isinstance(value, int | float):
        raise TypeError(f"a count is a {type(value).__name__}")
    return int(value)


def at(value: object) -> datetime:
    """A time of a row."""
    return datetime.fromisoformat(str(value))
