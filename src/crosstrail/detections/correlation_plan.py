"""Correlations as statements: which events complete one, each in the window that ends with it.

Windows slide: there is one for each event, and none that begins at a fixed time and cuts a series in two. Events at the same
moment end one window, and rules in order match at different moments. Texts are alike without regard to case, as in conditions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from crosstrail.detections.field_sql import WIDE, FieldSql, field_sql
from crosstrail.detections.findings import MAX_EXAMPLES
from crosstrail.detections.levels import LEVELS
from crosstrail.detections.matching import CLOUD, matching
from crosstrail.detections.rule_plan import found_event, ordered
from crosstrail.detections.rules import Correlation, RuleSet, Step
from crosstrail.lake.reader import quoted

_COLUMNS = ("account", "principal", "eventtime", "eventid")
"""All that is held of an event while windows are made; the rest is read of those that are found."""
_AGGREGATES = {
    "event_count": "count(*)",
    "value_count": "count(DISTINCT lower(value))",
    "value_sum": "sum(sigma_number(value))",
    "value_avg": "avg(sigma_number(value))",
    "value_median": "quantile_cont(sigma_number(value), 0.5)",
    "temporal": "bit_count(bit_or(1::BIGINT << slot))",
}


def correlation_statements(rules: RuleSet, *, grouped: bool = True, repeats: bool = True) -> Sequence[str]:
    """One table: a row for each correlation, group and principal, or for each event that completed one. The macros of
    rule_statements are there before it."""
    shown = {number: one for number, one in enumerate(rules.correlations) if one.shown}
    if not shown:
        return ["SELECT 1 FROM events WHERE false"]
    watched = _watched(shown.values())
    made = [statement for one in watched.values() for statement in one.statements(rules)]
    for number, one in shown.items():
        made += [_events(watched, number, one, repeats=repeats), *_completed(number, one), _found(number, one, grouped)]
        made += [f"CREATE OR REPLACE TEMP TABLE sigma_{name}_{number} AS SELECT 1" for name in ("events", "completed")]
    levels = [LEVELS.index(one.facts.level) for one in rules.correlations]
    tables = " UNION ALL ".join(f"SELECT * FROM sigma_found_together_{number}" for number in shown)  # noqa: S608 - ours
    return [*made, _detailed(ordered(tables, levels, grouped=grouped), grouped=grouped)]


def _detailed(found: str, *, grouped: bool) -> str:
    """The same with all that is said of events, which is read of these events alone."""
    shown = "first, last, windows, evidence, shown, total" if grouped else "evidence, shown"
    numbered = f"SELECT *, row_number() OVER () AS number FROM ({found})"  # noqa: S608 - made here
    return (
        f"WITH found AS MATERIALIZED ({numbered}), wanted AS (SELECT number, unnest(events) AS one FROM found), "  # noqa: S608
        f"detailed AS (SELECT number, list_sort(list(DISTINCT {found_event('e.')})) AS evidence "
        "FROM wanted w JOIN events e ON e.account = w.one.account AND e.eventtime = w.one.time AND e.eventid = w.one.id "
        f"WHERE e.cloud = {quoted(CLOUD)} GROUP BY number) "
        f"SELECT rule, {quoted(CLOUD)}, account, principal, {shown} FROM found JOIN detailed USING (number) ORDER BY number"
    )


@dataclass
class _Watched:
    """What rules match that correlations watch, found once for all of them: those whose fields lie in the same wide columns."""

    table: str
    rules: set[int] = field(default_factory=set)
    fields: dict[str, FieldSql] = field(default_factory=dict)

    def column(self, name: str) -> str:
        """Of the field's text."""
        return f"field_{list(self.fields).index(name)}"

    def statements(self, rules: RuleSet) -> Sequence[str]:
        conditions = {rule: rules.rules[rule].condition for rule in sorted(self.rules)}
        values = {self.column(name): one for name, one in self.fields.items()}
        made, branches = matching(conditions, f"{self.table}_pins", _COLUMNS, values)
        return [*made, f"CREATE TEMP TABLE {self.table} AS {' UNION ALL '.join(branches)}"]


def _fields(step: Step) -> dict[str, FieldSql]:
    return {name: field_sql(name) for name in (*step.group_by, step.value) if name}


def _wide(step: Step) -> frozenset[str]:
    return WIDE.intersection(one.reads for one in _fields(step).values())


def _watched(correlations: Iterable[Correlation]) -> dict[frozenset[str], _Watched]:
    found: dict[frozenset[str], _Watched] = {}
    for step in (step for one in correlations for step in one.steps):
        there = found.setdefault(_wide(step), _Watched(f"sigma_watched_{len(found)}"))
        there.rules.add(step.rule)
        there.fields |= _fields(step)
    return found


def _groups(one: Correlation, relation: str = "") -> str:
    """`, group_0, ...`, so that it may follow something else."""
    before = f"{relation}." if relation else ""
    return "".join(f", {before}group_{place}" for place in range(len(one.group_by)))


def _events(watched: Mapping[frozenset[str], _Watched], number: int, one: Correlation, *, repeats: bool) -> str:
    """What the rules of one correlation match: `slot` is the place of the rule among its steps."""
    parts: list[str] = []
    for slot, step in enumerate(one.steps):
        there = watched[_wide(step)]
        columns = [f"{slot} AS slot", *_COLUMNS]
        for place, name in enumerate(step.group_by):
            text = there.column(name)
            columns += [f"{text} AS shown_group_{place}", f"md5_number(lower({text})) AS group_{place}"]
        if step.value:
            columns.append(f"{there.column(step.value)} AS value")
        parts.append(f"SELECT {', '.join(columns)} FROM {there.table} WHERE rule = {step.rule}")  # noqa: S608 - ours
    some = "".join(f" AND group_{place} IS NOT NULL" for place in range(len(one.group_by)))
    found = f"SELECT * FROM ({' UNION ALL '.join(parts)}) WHERE eventtime IS NOT NULL{some}"  # noqa: S608 - ours
    once = "account, eventid" + (", slot" if one.kind.startswith("temporal") else "") + _groups(one)
    if repeats or len(one.steps) > 1:
        found = f"SELECT DISTINCT ON ({once}) * FROM ({found}) ORDER BY {once}"  # noqa: S608 - ours
    return f"CREATE TEMP TABLE sigma_events_{number} AS {found}"


def _completed(number: int, one: Correlation) -> Sequence[str]:
    """sigma_completed_N: of each window that fits the event that ends it."""
    events = f"sigma_events_{number}"
    partition = f"PARTITION BY {_groups(one)[2:]} " if one.group_by else ""
    window = f"{partition}ORDER BY eventtime RANGE BETWEEN INTERVAL {one.seconds} SECOND PRECEDING AND CURRENT ROW"
    if one.kind == "temporal_ordered":
        fits = f"SELECT * EXCLUDE (begun) FROM ({_chained(one, events, partition)}) WHERE begun >= eventtime - INTERVAL {one.seconds} SECOND"  # noqa: S608
    elif one.mask:
        fits = f"SELECT * EXCLUDE (mask) FROM (SELECT *, bit_or(1::BIGINT << slot) OVER ({window}) AS mask FROM {events}) WHERE {one.mask}"  # noqa: S608
    else:
        metric = _AGGREGATES.get(one.kind, f"quantile_cont(sigma_number(value), {one.percentile / 100})")
        if one.kind == "temporal":
            metric = f"bit_count(bit_or(1::BIGINT << slot) OVER ({window}))"
        else:
            metric = f"{metric} OVER ({window})"
        fits = f"SELECT * EXCLUDE (metric) FROM (SELECT *, {metric} AS metric FROM {events}) WHERE metric {one.comparison} {one.count!r}"  # noqa: S608
    last = f"SELECT DISTINCT ON (eventtime{_groups(one)}) * FROM ({fits}) ORDER BY eventtime{_groups(one)}, eventid DESC, slot DESC"  # noqa: S608
    return [f"CREATE TEMP TABLE sigma_completed_{number} AS {last}"]


def _chained(one: Correlation, events: str, partition: str) -> str:
    """`begun`: the latest moment at which rules in order, as many as are asked for, began before or at each event.

    One rule after the other: of events of each rule the latest beginning of a chain of so many rules that ends there.
    """
    slots = range(len(one.steps))
    before = f"{partition}ORDER BY eventtime RANGE BETWEEN UNBOUNDED PRECEDING AND INTERVAL 1 MICROSECOND PRECEDING"
    found = f"SELECT *, eventtime AS begun FROM {events}"  # noqa: S608
    for _ in range(one.length - 1):
        latest = ", ".join(
            f"max(CASE WHEN slot = {slot} THEN begun END) OVER ({before}) AS latest_{slot}" for slot in slots
        )
        begun = " ".join(
            f"WHEN {slot} THEN greatest({', '.join(f'latest_{earlier}' for earlier in range(slot))})"
            for slot in slots[1:]
        )
        dropped = ", ".join(f"latest_{slot}" for slot in slots)
        found = (
            f"SELECT * EXCLUDE (begun, {dropped}), CASE slot {begun} END AS begun "  # noqa: S608
            f"FROM (SELECT *, {latest} FROM ({found}))"
        )
    now = f"{partition}ORDER BY eventtime RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"
    return f"SELECT * EXCLUDE (begun), max(begun) OVER ({now}) AS begun FROM ({found})"  # noqa: S608


def _found(number: int, one: Correlation, grouped: bool) -> str:
    """Of a group's first window the events that are in it, of each rule the last one where several are asked for."""
    key = f"account, principal{_groups(one)}" + ("" if grouped else ", eventtime, eventid")
    ends = f"{'min(eventtime)' if grouped else 'eventtime'} AS ended, max(eventtime) AS last, count(*) AS windows"
    shown = ", ".join(f"any_value(shown_group_{place})" for place in range(len(one.group_by)))
    completed = (
        f"SELECT {key}, {ends}, CAST([{shown}] AS VARCHAR[]) AS shown FROM sigma_completed_{number} GROUP BY {key}"  # noqa: S608
    )
    alike = "".join(f" AND e.group_{place} = c.group_{place}" for place in range(len(one.group_by)))
    window = f"c.ended - INTERVAL {one.seconds} SECOND AND c.ended"
    inside = f"sigma_events_{number} e JOIN completed c ON e.eventtime BETWEEN {window}{alike}"
    found = "{'time': e.eventtime, 'id': e.eventid, 'account': e.account}"
    if one.kind.startswith("temporal"):
        each = f"SELECT c.number, max({found}) AS found FROM {inside} GROUP BY c.number, e.slot"  # noqa: S608
        evidence = f"SELECT number, list_sort(list(found)) AS events FROM ({each}) GROUP BY number"  # noqa: S608
    else:
        evidence = f"SELECT c.number, list_sort(max({found}, {MAX_EXAMPLES})) AS events FROM {inside} GROUP BY c.number"  # noqa: S608
    columns = "events[1].time AS first, last, windows, events, shown" if grouped else "events, shown"
    return (
        f"CREATE TEMP TABLE sigma_found_together_{number} AS "  # noqa: S608
        f"WITH completed AS MATERIALIZED (SELECT *, row_number() OVER () AS number FROM ({completed})) "
        f"SELECT {number} AS rule, account, principal, {columns} FROM completed JOIN ({evidence}) USING (number)"
    )
