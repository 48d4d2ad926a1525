"""Which events match which rules, as queries: by the names that rules pin, and by conditions on what these leave.

A condition stands in a query once, however many rules ask it; which one an event is asked is found by halving, so a list ten
times as long costs three more comparisons. Wide columns (the record's text, maps of parameters) are read of events with a name
that a rule pins who asks for them, and of no others: these events are found first, by narrow columns alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from crosstrail.detections.field_sql import RECORD, WIDE, FieldSql
from crosstrail.detections.rules import LOG_SOURCE, Condition
from crosstrail.lake.reader import quoted

CLOUD = LOG_SOURCE.partition("/")[0]
_NAMED_ITSELF = "(eventcategory IS NULL OR eventcategory NOT IN ('Insight', 'Aggregated'))"
"""Statistics of CloudTrail have the name of the events that they count: no such event has happened by that."""
_MENDED = (
    "CASE WHEN json_valid(eventjson) THEN eventjson ELSE "
    r"regexp_replace(eventjson, '\\u[dD][89a-fA-F][0-9a-fA-F]{2}', '\\ufffd', 'g') END"
)
"""The record's text without halves of surrogate pairs: one of them would fail the statement for all events."""
_SOURCE_FITS = "(pinned.source = '' OR pinned.source = lower(eventsource))"
_EVENT = "account, eventtime, eventid"
"""What tells an event from all others, its time first: data files that have no such time are not read."""
_PIN = ("kind", "name", "source", "condition", "rule")
"""What events are joined with lies in lists of one row. The planner takes a lake for one row, and holds the smaller of two sides in
memory: beside a table of many rows that would be the lake, read by two threads and asked by one."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """Rules that are found the same way. `pin`: by the event's name, by its source, or empty for a look at every event; `wide`:
    the wide columns that they read."""

    pin: str
    wide: frozenset[str]
    conditions: Mapping[int, Condition]
    columns: Sequence[str]
    """Of `events`, all that are read."""

    @property
    def texts(self) -> list[str]:
        return sorted({one.text for one in self.conditions.values()})

    def pins(self) -> Iterator[tuple[str, str, int, int]]:
        """(name, source, place of the condition, rule); empty for what is not pinned."""
        places = {text: place for place, text in enumerate(self.texts)}
        for rule, one in self.conditions.items():
            for name in one.names or ("",):
                for source in one.sources or ("",):
                    yield name, source, places[one.text], rule


def matching(
    conditions: Mapping[int, Condition],
    table: str,
    columns: Sequence[str],
    values: Mapping[str, FieldSql] | None = None,
) -> tuple[Sequence[str], Sequence[str]]:
    """Statements that make temporary tables, and queries that together give `rule`, the columns and the fields' values of each
    match. `table`: begins the names of those tables."""
    given = values or {}
    shown = ", ".join([*columns, *(f"{field.text} AS {name}" for name, field in given.items())])
    kinds = _kinds(conditions, columns, {field.reads for field in given.values()})
    made: list[str] = []
    branches: list[str] = []
    wide = [asked for asked in kinds if asked.pin == "name" and asked.wide]
    if wide:
        made += [_pins_table(f"{table}_wide", wide), _near(f"{table}_near", f"{table}_wide", wide)]
        branches += [_wide(f"{table}_near", kind, asked, shown) for kind, asked in enumerate(wide)]
    for place, asked in enumerate(one for one in kinds if one not in wide):
        if asked.pin:
            made.append(_pins_table(f"{table}_{place}", [asked]))
            branches.append(_pinned(f"{table}_{place}", asked, shown))
        else:
            branches.append(_unpinned(asked, shown))
    return made, branches


def _kinds(conditions: Mapping[int, Condition], columns: Sequence[str], values: set[str]) -> list[_Asked]:
    kinds: dict[tuple[str, frozenset[str]], dict[int, Condition]] = {}
    for number, one in conditions.items():
        pin = "name" if one.names else "source" if one.sources else ""
        wide = WIDE.intersection(one.reads) | WIDE.intersection(values)
        kinds.setdefault((pin, wide), {})[number] = one
    made = []
    for (pin, wide), some in kinds.items():
        reads = {column for one in some.values() for column in one.reads} | values
        made.append(_Asked(pin, wide, some, [*columns, *sorted(reads - {*columns})]))
    return made


def _pins_table(table: str, kinds: Sequence[_Asked]) -> str:
    rows = [(kind, *pin) for kind, asked in enumerate(kinds) for pin in asked.pins()]
    columns = zip(_PIN, zip(*rows, strict=True), strict=True)
    listed = (f"[{', '.join(map(_literal, values))}] AS {name}" for name, values in columns)
    return f"CREATE TEMP TABLE {table} AS SELECT {', '.join(listed)}"


def _pins(table: str) -> str:
    return f"(SELECT {', '.join(f'unnest({name}) AS {name}' for name in _PIN)} FROM {table}) pinned"  # noqa: S608 - names of ours


def _literal(value: str | int) -> str:
    return quoted(value) if isinstance(value, str) else str(value)


def _pinned(pins: str, asked: _Asked, shown: str) -> str:
    """The condition is asked above the join: inside it, where the planner would move a filter, it takes three times as long."""
    field = {"name": "eventname", "source": "eventsource"}[asked.pin]
    joined = f"{_events(asked.columns, _named(asked))} JOIN {_pins(pins)} ON pinned.{asked.pin} = lower({field})"
    fits = f"{_SOURCE_FITS} AND {_chosen(asked.texts)}" if asked.pin == "name" else _chosen(asked.texts)
    found = f"unnest(CASE WHEN {fits} THEN [rule] END) AS rule"
    return f"SELECT {found}, {shown} FROM {_mended(asked, joined)}"  # noqa: S608 - quoted, and names of ours


def _near(table: str, pins: str, kinds: Sequence[_Asked]) -> str:
    """Events that have a name which a rule pins who reads wide columns, with what they are to be asked."""
    named = _named(*kinds)
    joined = f"{_events(_EVENT.split(', '), named)} JOIN {_pins(pins)} ON pinned.name = lower(eventname)"
    near = f"SELECT DISTINCT {_EVENT}, kind, condition, rule FROM {joined} WHERE {_SOURCE_FITS}"  # noqa: S608 - as above
    asked = ", ".join(f"'{one}': {one}" for one in (*_EVENT.split(", "), "condition", "rule"))
    return f"CREATE TEMP TABLE {table} AS SELECT kind, list({{{asked}}}) AS asked FROM ({near}) GROUP BY kind"  # noqa: S608


def _wide(near: str, kind: int, asked: _Asked, shown: str) -> str:
    found = f"unnest(CASE WHEN {_chosen(asked.texts)} THEN [rule] END) AS rule"
    some = f"(SELECT unnest(asked, max_depth := 2) FROM {near} WHERE kind = {kind})"  # noqa: S608 - as above
    joined = f"{_events([*_EVENT.split(', '), *asked.columns], 'true')} JOIN {some} USING ({_EVENT})"
    return f"SELECT {found}, {shown} FROM {_mended(asked, joined)}"  # noqa: S608 - as above


def _unpinned(asked: _Asked, shown: str) -> str:
    """Every event is asked every condition; rules with the same one are found together."""
    rules = ", ".join(
        f"CASE WHEN {text or 'true'} THEN {[number for number, one in asked.conditions.items() if one.text == text]} END"
        for text in asked.texts
    )
    found = f"unnest(flatten([{rules}])) AS rule"
    some = " OR ".join(f"({text or 'true'})" for text in asked.texts)
    return f"SELECT {found}, {shown} FROM {_mended(asked, _events(asked.columns, 'true'))} WHERE {some}"  # noqa: S608 - as above


def _named(*kinds: _Asked) -> str:
    """For the scan's own filter: where no event has one of the names it loads no other column. An IN of many names would be no
    filter but a join, past which every column of every event is read."""
    by_name = kinds[0].pin == "name"
    conditions = [one for asked in kinds for one in asked.conditions.values()]
    texts = {text for one in conditions for text in (one.names if by_name else one.sources)}
    field = "eventname" if by_name else "eventsource"
    return f"list_position([{', '.join(map(quoted, sorted(texts)))}], lower({field})) > 0 AND {_NAMED_ITSELF}"


def _events(reads: Sequence[str], where: str) -> str:
    listed = ", ".join(dict.fromkeys(_read(one) for one in ("eventname", "eventsource", *reads)))
    return f"(SELECT {listed} FROM events WHERE cloud = {quoted(CLOUD)} AND {where})"  # noqa: S608 - as above


def _read(column: str) -> str:
    return f'{column} AS "{column}"' if "." in column else column


def _mended(asked: _Asked, joined: str) -> str:
    return f"(SELECT * REPLACE ({_MENDED} AS {RECORD}) FROM {joined})" if RECORD in asked.wide else joined  # noqa: S608 - as above


def _chosen(texts: Sequence[str], first: int = 0) -> str:
    """The condition with the number `condition`, found by halving."""
    if len(texts) == 1:
        return f"({texts[0] or 'true'})"
    half = len(texts) // 2
    low, high = _chosen(texts[:half], first), _chosen(texts[half:], first + half)
    return f"CASE WHEN condition < {first + half} THEN {low} ELSE {high} END"
