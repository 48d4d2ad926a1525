"""What pySigma's SQLite backend finds in events: to compare with what the compiler of this project finds in the lake.

Events are flattened as that backend expects: a column for each field that rules ask for, of text without regard to case; JSON's
null and no field are NULL, lists and objects their compact JSON.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from sigma.backends.sqlite.correlation import quote
from sigma.backends.sqlite.runtime import execute_plan
from sigma.backends.sqlite.sqlite import sqliteBackend
from sigma.collection import SigmaCollection
from sigma.correlations import SigmaCorrelationRule
from sigma.rule import SigmaRule

Events = Mapping[str, str]
"""Event id -> the record's text."""


def text_of_value(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def flattened(record: Mapping[str, Any], before: str = "") -> dict[str, str | None]:
    """Every path of the record, objects too."""
    found: dict[str, str | None] = {}
    for key, value in record.items():
        found[before + key] = text_of_value(value)
        if isinstance(value, dict):
            found |= flattened(value, f"{before}{key}.")
    return found


def database(events: Events, fields: Iterable[str]) -> sqlite3.Connection:
    """A table `logs` of these fields, `event` the id and `at` the time in milliseconds."""
    connection = sqlite3.connect(":memory:")
    connection.create_function("REGEXP", 2, lambda pattern, text: text is not None and bool(re.search(pattern, text)))
    names = sorted(set(fields))
    columns = ", ".join(f"{quote(name)} TEXT COLLATE NOCASE" for name in names)
    connection.execute(f"CREATE TABLE logs (event TEXT, at REAL, everything TEXT, {columns})")
    rows = []
    for id_, text in events.items():
        record = json.loads(text)
        flat = flattened(record)
        leaves = "\n".join(value for path, value in flat.items() if value is not None)
        rows.append((id_, milliseconds(record.get("eventTime")), leaves, *(flat.get(name) for name in names)))
    connection.executemany(f"INSERT INTO logs VALUES ({', '.join('?' * (len(names) + 3))})", rows)
    return connection


def milliseconds(time: str | None) -> float | None:
    return None if time is None else datetime.fromisoformat(time).timestamp() * 1000


class Backend(Protocol):
    """What is asked of it."""

    def convert_rule(self, rule: SigmaRule) -> list[str]: ...
    def required_fields(self, rule: SigmaRule) -> list[str]: ...
    def convert(self, rules: SigmaCollection, output_format: str) -> str: ...


def backend() -> Backend:
    made: Backend = sqliteBackend(  # type: ignore[no-untyped-call]
        timestamp_field="at", event_id_field="event", timestamp_format="unix_ms", fulltext_field="everything"
    )
    return made


def rules_of(paths: Iterable[Path]) -> list[SigmaRule | SigmaCorrelationRule]:
    """All of the files, correlations with what they name: a title is made a name first, which pySigma knows."""
    found: list[SigmaRule | SigmaCorrelationRule] = []
    for path in paths:
        one = SigmaCollection.from_yaml(path.read_text(), resolve_references=False)
        found += one.rules
    return found


def matched(connection: sqlite3.Connection, rule: SigmaRule) -> set[str]:
    """Ids of the events that it matches."""
    queries: Sequence[str] = backend().convert_rule(rule)
    return {row[0] for query in queries for row in connection.execute(query.replace("SELECT *", "SELECT event", 1))}


def fields_of(rules: Iterable[SigmaRule | SigmaCorrelationRule]) -> set[str]:
    """That they ask for, group by and count; a correlation's come from its document, where aliases are fields as well."""
    found: set[str] = set()
    for rule in rules:
        if isinstance(rule, SigmaRule):
            found |= {*backend().required_fields(rule)}
        else:
            found |= {*(rule.group_by or ())} | {field for alias in rule.aliases for field in alias.mapping.values()}
            counted = getattr(rule.condition, "fieldref", None)
            found |= {counted} if isinstance(counted, str) else set()
    return found - {"everything"}


def completed(
    connection: sqlite3.Connection, rules: Sequence[SigmaRule | SigmaCorrelationRule], title: str
) -> set[tuple[float, tuple[str, ...]]]:
    """(end of the window in seconds, group) of each alert of the correlation with that title."""
    names = {rule.title: f"rule_{place}" for place, rule in enumerate(rules)}
    for rule in rules:
        rule.name = rule.name or names[rule.title]
    for rule in rules:
        if isinstance(rule, SigmaCorrelationRule):
            for reference in rule.rules or []:
                reference.reference = names.get(reference.reference, reference.reference)
    wanted = next(rule for rule in rules if rule.title == title)
    collection = SigmaCollection(list(rules))
    plans = json.loads(backend().convert(collection, "zircolite"))
    plan = next(one["correlation_plan"] for one in plans if one["title"] == wanted.title)
    found, _ = execute_plan(connection, plan, include_events=False)  # type: ignore[no-untyped-call]
    return {(round(row["window_end"], 3), tuple(map(str, row["group_keys"].values()))) for row in found}
