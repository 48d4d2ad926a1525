"""Correlations as statements: which events complete one, each in the window that ends with it.

Windows slide: there is one for each event, and none that begins at a fixed time and cuts a series in two. Events at the same
moment end one window, and rules in order match at different moments. Texts are alike without regard to case, as in conditions.
"""

from __future__ import annotations

from collections.abc import Sequence

from crosstrail.detections.field_sql import FieldSql, field_sql
from crosstrail.detections.findings import LEVELS, MAX_EXAMPLES
from crosstrail.detections.matching import matching
from crosstrail.detections.rule_plan import COLUMNS, found_event, ordered
from crosstrail.detections.rules import Correlation, RuleSet

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
    made: list[str] = []
    tables: list[str] = []
    for number, one in enumerate(rules.correlations):
        if one.shown:
            made += [*_events(rules, number, one, repeats=repeats), *_completed(number, one)]
            tables.append(_shown(number, one, grouped=grouped))
    if not tables:
        return ["SELECT 1 FROM events WHERE false"]
    levels = [LEVELS.index(one.facts.level) for one in rules.correlations]
    return [*made, ordered(" UNION ALL ".join(tables), levels, grouped=grouped)]


def _groups(one: Correlation, relation: str = "") -> str:
    """`, group_0, ...`, so that it may follow something else."""
    before = f"{relation}." if relation else ""
    return "".join(f", {before}group_{place}" for place in range(len(one.group_by)))


def _events(rules: RuleSet, number: int, one: Correlation, *, repeats: bool) -> Sequence[str]:
    """What the rules of one correlation match: `slot` is the place of the rule among its steps."""
    made: list[str] = []
    parts: list[str] = []
    for slot, step in enumerate(one.steps):
        fields = {f"group_{place}": field_sql(name) for place, name in enumerate(step.group_by)}
        values = {name: FieldSql(f"lower({each.text})", each.reads) for name, each in fields.items()}
        values |= {f"shown_{name}": each for name, each in fields.items()}
        if step.value:
            values["value"] = field_sql(step.value)
        condition = {step.rule: rules.rules[step.rule].condition}
        pins, branches = matching(condition, f"sigma_pins_{number}_{slot}", COLUMNS, values)
        made += pins
        parts += [f"SELECT {slot} AS slot, * EXCLUDE (rule) FROM ({branch})" for branch in branches]  # noqa: S608
    there = "".join(f" AND group_{place} IS NOT NULL" for place in range(len(one.group_by)))
    found = f"SELECT * FROM ({' UNION ALL '.join(parts)}) WHERE eventtime IS NOT NULL{there}"  # noqa: S608
    once = "cloud, account, eventid" + (", slot" if one.kind.startswith("temporal") else "") + _groups(one)
    if repeats or len(one.steps) > 1:
        found = f"SELECT DISTINCT ON ({once}) * FROM ({found}) ORDER BY {once}"  # noqa: S608
    return [*made, f"CREATE TEMP TABLE sigma_events_{number} AS {found}"]


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


def _shown(number: int, one: Correlation, *, grouped: bool) -> str:
    """Of a group's first window the events that are in it, of each rule the last one where several are asked for."""
    key = f"cloud, account, principal{_groups(one)}"
    shown = "[" + ", ".join(f"any_value(shown_group_{place})" for place in range(len(one.group_by))) + "]"
    shown = shown if one.group_by else "CAST([] AS VARCHAR[])"
    alike = "".join(f" AND e.group_{place} = c.group_{place}" for place in range(len(one.group_by)))
    ends = "min(eventtime) AS ended, max(eventtime) AS last, count(*) AS windows"
    if not grouped:
        key = f"{key}, eventtime, eventid"
        ends = "eventtime AS ended, any_value(eventtime) AS last, count(*) AS windows"
    completed = f"SELECT {key}, {ends}, {shown} AS shown FROM sigma_completed_{number} GROUP BY {key}"  # noqa: S608
    inside = f"sigma_events_{number} e JOIN completed c ON e.eventtime BETWEEN c.ended - INTERVAL {one.seconds} SECOND AND c.ended{alike}"
    found = found_event("e.")
    if one.kind.startswith("temporal"):
        each = f"SELECT c.number, max({found}) AS found FROM {inside} GROUP BY c.number, e.slot"  # noqa: S608
        evidence = f"SELECT number, list_sort(list(found)) AS events FROM ({each}) GROUP BY number"  # noqa: S608
    else:
        evidence = f"SELECT c.number, list_sort(max({found}, {MAX_EXAMPLES})) AS events FROM {inside} GROUP BY c.number"  # noqa: S608
    columns = "events[1].time AS first, last, windows, events, shown" if grouped else "events, shown"
    return (
        f"(WITH completed AS MATERIALIZED (SELECT *, row_number() OVER () AS number FROM ({completed})) "  # noqa: S608
        f"SELECT {number} AS rule, cloud, account, principal, {columns} FROM completed JOIN ({evidence}) USING (number))"
    )
