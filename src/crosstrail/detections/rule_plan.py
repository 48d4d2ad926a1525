"""Rules over single events as statements: which events each of them matches.

Events are joined with the names that rules pin; what a rule asks beside its pins is one of a list of conditions, each of which
stands there once, however many rules ask it. Which one an event is asked is found by halving, so a list ten times as long
costs three more comparisons. Conditions that read wide columns are a scan of their own: the others never load these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crosstrail.detections.address_sql import ADDRESS_MACROS
from crosstrail.detections.field_sql import FIELD_MACROS, RECORD, WIDE, FieldSql
from crosstrail.detections.findings import LEVELS, MAX_EXAMPLES
from crosstrail.detections.rules import LOG_SOURCE, Condition, RuleSet
from crosstrail.lake.reader import quoted

CLOUD = LOG_SOURCE.partition("/")[0]
MACROS = (*FIELD_MACROS, *ADDRESS_MACROS)
"""What conditions call; they run before any."""
COLUMNS = (
    "cloud", "account", "principal", "eventtime", "eventid", "eventname", "eventsource", "awsregion",
    "sourceipaddress", "errorcode",
)  # fmt: skip
"""Of `events`, what is said of one that is found."""
_FOUND = {
    "time": "eventtime", "id": "eventid", "account": "account", "name": "eventname", "source": "eventsource",
    "region": "awsregion", "address": "sourceipaddress", "error": "errorcode",
}  # fmt: skip


def found_event(relation: str = "") -> str:
    """One that is found, as a value that sorts by its time. `relation`: its name and a dot."""
    return "{" + ", ".join(f"'{name}': {relation}{column}" for name, column in _FOUND.items()) + "}"


MAX_FINDINGS = 5_000
"""Most that are read of rules, and of correlations."""
_NAMED_ITSELF = "(eventcategory IS NULL OR eventcategory NOT IN ('Insight', 'Aggregated'))"
"""Statistics of CloudTrail have the name of the events that they count: no such event has happened by that."""
_GROUP = "rule, cloud, account, principal"
_MENDED = (
    "CASE WHEN json_valid(eventjson) THEN eventjson ELSE "
    r"regexp_replace(eventjson, '\\u[dD][89a-fA-F][0-9a-fA-F]{2}', '\\ufffd', 'g') END"
)
"""The record's text without halves of surrogate pairs: one of them would fail the statement for all events."""


def rule_statements(rules: RuleSet, *, grouped: bool = True, repeats: bool = True) -> Sequence[str]:
    """The macros, and one table: a row for each rule, account and principal, or for each hit."""
    chosen = {number: one.condition for number, one in enumerate(rules.rules) if one.shown}
    made, branches = matching(chosen, "sigma_pins", COLUMNS)
    if not branches:
        return [*MACROS, "SELECT 1 FROM events WHERE false"]
    tables = []
    for place, branch in enumerate(branches):  # one after the other: together they would hold what all of them read
        table = f"sigma_found_{place}"
        made = [*made, f"CREATE TEMP TABLE {table} AS {_shown(branch, grouped=grouped, repeats=repeats)}"]
        tables.append(f"SELECT * FROM {table}")  # noqa: S608 - a name of ours
    levels = [LEVELS.index(one.facts.level) for one in rules.rules]
    return [*MACROS, *made, ordered(" UNION ALL ".join(tables), levels, grouped=grouped)]


def ordered(found: str, levels: Sequence[int], *, grouped: bool) -> str:
    """What was found; of groups the gravest, then the newest, up to MAX_FINDINGS, with how many there are."""
    if not grouped:
        return found
    order = f"ORDER BY list_extract({list(levels)}, rule + 1) DESC, last DESC LIMIT {MAX_FINDINGS}"
    return f"SELECT *, count(*) OVER () FROM ({found}) {order}"  # noqa: S608 - made here


def _shown(found: str, *, grouped: bool, repeats: bool) -> str:
    if repeats:
        others = ", ".join(
            f"any_value({one}) AS {one}" for one in COLUMNS if one not in ("cloud", "account", "eventid")
        )
        found = f"SELECT rule, cloud, account, eventid, {others} FROM ({found}) GROUP BY rule, cloud, account, eventid"  # noqa: S608 - made here
    if not grouped:
        return f"SELECT rule, cloud, account, principal, [{found_event()}], CAST([] AS VARCHAR[]) FROM ({found})"  # noqa: S608 - made here
    shown = f"min(eventtime) AS first, max(eventtime) AS last, count(*), min({found_event()}, {MAX_EXAMPLES}), CAST([] AS VARCHAR[])"
    return f"SELECT {_GROUP}, {shown} FROM ({found}) GROUP BY {_GROUP}"  # noqa: S608 - made here


@dataclass(frozen=True, slots=True)
class _Kind:
    """Rules that are found the same way: by the event's name and source, by one of them, or by looking at every event; and
    with the same wide columns, which are loaded for events of these rules alone."""

    pins: tuple[str, ...]
    wide: frozenset[str]


def matching(
    conditions: Mapping[int, Condition],
    table: str,
    columns: Sequence[str],
    values: Mapping[str, FieldSql] | None = None,
) -> tuple[Sequence[str], Sequence[str]]:
    """Statements that make the tables of pins, and queries that together give `rule`, the columns and the fields' values of
    each match. `table`: begins the names of those tables."""
    given = values or {}
    shown = [*columns, *(f"{field.text} AS {name}" for name, field in given.items())]
    kinds: dict[_Kind, list[int]] = {}
    for number, one in conditions.items():
        pins = [name for name, texts in (("name", one.names), ("source", one.sources)) if texts]
        wide = WIDE.intersection(one.reads) | WIDE.intersection(field.reads for field in given.values())
        kinds.setdefault(_Kind(tuple(pins), wide), []).append(number)
    made, branches = [], []
    for place, (kind, numbers) in enumerate(kinds.items()):
        some = {number: conditions[number] for number in numbers}
        reads = {column for one in some.values() for column in one.reads} | {field.reads for field in given.values()}
        listed = [*columns, *sorted(reads - {*columns})]
        if kind.pins:
            made.append(_pins_table(f"{table}_{place}", some))
            branches.append(_pinned(kind, f"{table}_{place}", some, listed, shown))
        else:
            branches.append(_unpinned(kind, some, listed, shown))
    return made, branches


def _texts(conditions: Mapping[int, Condition]) -> list[str]:
    return sorted({one.text for one in conditions.values()})


def _pins_table(table: str, conditions: Mapping[int, Condition]) -> str:
    numbers = {text: number for number, text in enumerate(_texts(conditions))}
    rows = [
        (name, source, numbers[one.text], rule)
        for rule, one in conditions.items()
        for name in one.names or ("",)
        for source in one.sources or ("",)
    ]
    columns = zip(("name", "source", "condition", "rule"), zip(*rows, strict=True), strict=True)
    listed = (f"unnest([{', '.join(map(_literal, values))}]) AS {name}" for name, values in columns)
    return f"CREATE TEMP TABLE {table} AS SELECT {', '.join(listed)}"


def _literal(value: str | int) -> str:
    return quoted(value) if isinstance(value, str) else str(value)


def _pinned(
    kind: _Kind, table: str, conditions: Mapping[int, Condition], reads: Sequence[str], columns: Sequence[str]
) -> str:
    """The names stand in the scan's filter too, so that it loads no other column of events that have none of them. The
    condition is asked above the join: inside it, where the planner would move a filter, it takes three times as long."""
    fields = {"name": "lower(eventname)", "source": "lower(eventsource)"}
    on = " AND ".join(f"pinned.{one} = {fields[one]}" for one in kind.pins)
    texts = (one.names if kind.pins[0] == "name" else one.sources for one in conditions.values())
    named = f"{fields[kind.pins[0]]} IN ({', '.join(map(quoted, sorted(set().union(*texts))))})"
    joined = f"{_events(reads, f'{named} AND {_NAMED_ITSELF}')} JOIN {table} pinned ON {on}"
    found = f"unnest(CASE WHEN {_chosen(_texts(conditions))} THEN [rule] END) AS rule"
    return f"SELECT {found}, {', '.join(columns)} FROM {_mended(kind, joined)}"  # noqa: S608 - quoted, and names of ours


def _unpinned(kind: _Kind, conditions: Mapping[int, Condition], reads: Sequence[str], columns: Sequence[str]) -> str:
    """Every event is asked every condition; rules with the same one are found together."""
    texts = _texts(conditions)
    rules = ", ".join(
        f"CASE WHEN {text or 'true'} THEN {[number for number, one in conditions.items() if one.text == text]} END"
        for text in texts
    )
    found = f"unnest(flatten([{rules}])) AS rule"
    some = " OR ".join(f"({text or 'true'})" for text in texts)
    return f"SELECT {found}, {', '.join(columns)} FROM {_mended(kind, _events(reads, 'true'))} WHERE {some}"  # noqa: S608 - as above


def _events(reads: Sequence[str], where: str) -> str:
    listed = ", ".join(dict.fromkeys(_read(one) for one in ("eventname", "eventsource", *reads)))
    return f"(SELECT {listed} FROM events WHERE cloud = {quoted(CLOUD)} AND {where})"  # noqa: S608 - as above


def _mended(kind: _Kind, joined: str) -> str:
    return f"(SELECT * REPLACE ({_MENDED} AS {RECORD}) FROM {joined})" if RECORD in kind.wide else joined  # noqa: S608 - as above


def _read(column: str) -> str:
    return f'{column} AS "{column}"' if "." in column else column


def _chosen(texts: Sequence[str], first: int = 0) -> str:
    """The condition with the number `condition`, found by halving."""
    if len(texts) == 1:
        return f"({texts[0] or 'true'})"
    half = len(texts) // 2
    low, high = _chosen(texts[:half], first), _chosen(texts[half:], first + half)
    return f"CASE WHEN condition < {first + half} THEN {low} ELSE {high} END"
