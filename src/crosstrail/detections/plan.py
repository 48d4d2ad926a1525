"""Rules as statements over `events`, and the rows that they give as findings.

One pass for all rules: events are joined with the names that rules pin, and what else a rule asks is asked of the events that
its names leave. So the cost grows with what is found, not with the number of rules.

Two forms. Findings are grouped in the database, by rule, account and principal, for a reader. Hits are every event of every
rule by itself, for whoever has to know which were there before. Both ask the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from crosstrail.detections.correlation_plan import correlation_statements
from crosstrail.detections.findings import MAX_EXAMPLES, DetectionFinding, FoundEvent, RuleFacts
from crosstrail.detections.levels import LEVELS, Level
from crosstrail.detections.rule_plan import rule_statements
from crosstrail.detections.rules import Correlation, Rule, RuleSet, at_least
from crosstrail.models import AccountKey

TABLES = 2
"""How many tables the statements give, whatever the rules: those of rules and those of correlations."""
Tables = Sequence[Sequence[Sequence[object]]]


@dataclass(frozen=True, slots=True)
class Hit:
    """One event that a rule matches; of a correlation the event that completed it. `events`: what belongs to it, oldest
    first, at most MAX_EXAMPLES; the event itself comes last, or is alone."""

    rule: RuleFacts
    account: AccountKey
    principal: str
    event: FoundEvent
    events: tuple[FoundEvent, ...]
    group: tuple[tuple[str, str], ...] = ()


def detection_statements(rules: RuleSet, level: Level = "informational", *, repeats: bool = False) -> Sequence[str]:
    """Statements that find what rules of that level or above find, grouped. `repeats`: an event may be in `events` twice
    and counts once all the same, which costs time that a lake by itself does not need."""
    chosen = at_least(rules, level)
    return [*rule_statements(chosen, repeats=repeats), *correlation_statements(chosen, repeats=repeats)]


def hit_statements(rules: RuleSet, level: Level = "informational") -> Sequence[str]:
    """The same, one row for each hit: for a bounded span, such as what was just collected."""
    chosen = at_least(rules, level)
    return [*rule_statements(chosen, grouped=False), *correlation_statements(chosen, grouped=False)]


def read_findings(rules: RuleSet, tables: Tables) -> list[DetectionFinding]:
    """What detection_statements of these rules found: gravest first, then newest."""
    found = [_finding(one, row) for one, row in _rows(rules, tables)]
    return sorted(found, key=lambda each: (-LEVELS.index(each.rule.level), -each.last.timestamp(), each.key))


def read_hits(rules: RuleSet, tables: Tables) -> list[Hit]:
    """What hit_statements of these rules found, oldest first."""
    found = [_hit(one, row) for one, row in _rows(rules, tables)]
    return sorted(found, key=lambda each: (each.event.time, each.event.id, each.rule.id))


def left_out(tables: Tables) -> int:
    """How many findings there are beside those that read_findings reads."""
    return sum(cast(int, rows[0][-1]) - len(rows) for rows in tables if rows)


def findings_of(hits: Iterable[Hit]) -> list[DetectionFinding]:
    """Hits grouped as read_findings gives them."""
    grouped: dict[tuple[object, ...], list[Hit]] = {}
    for hit in hits:
        grouped.setdefault((hit.rule.id, hit.account, hit.principal, hit.group), []).append(hit)
    found = [_together(each) for each in grouped.values()]
    return sorted(found, key=lambda each: (-LEVELS.index(each.rule.level), -each.last.timestamp(), each.key))


def _together(hits: Sequence[Hit]) -> DetectionFinding:
    events = {(one.account, one.id): one for hit in hits for one in hit.events}
    ordered = sorted(events.values(), key=lambda one: (one.time, one.id))
    first = hits[0]
    return DetectionFinding(
        rule=first.rule,
        account=first.account,
        principal=first.principal,
        first=ordered[0].time,
        last=max(hit.event.time for hit in hits),
        count=len({hit.event.id for hit in hits}),
        events=tuple(ordered[:MAX_EXAMPLES]),
        group=dict(first.group),
    )


def _rows(rules: RuleSet, tables: Tables) -> Iterable[tuple[Rule | Correlation, Sequence[object]]]:
    kinds: tuple[Sequence[Rule | Correlation], ...] = (rules.rules, rules.correlations)
    for kind, rows in zip(kinds, tables, strict=True):
        for row in rows:
            yield kind[cast(int, row[0])], row


def _finding(one: Rule | Correlation, row: Sequence[object]) -> DetectionFinding:
    _, cloud, account, principal, first, last, count, events, group, _ = row
    return DetectionFinding(
        rule=one.facts,
        account=(str(cloud), str(account)),
        principal=str(principal or ""),
        first=_time(first),
        last=_time(last),
        count=cast(int, count),
        events=_events(str(cloud), events),
        group=dict(_group(one, group)),
    )


def _hit(one: Rule | Correlation, row: Sequence[object]) -> Hit:
    _, cloud, account, principal, events, group = row
    found = _events(str(cloud), events)
    return Hit(one.facts, (str(cloud), str(account)), str(principal or ""), found[-1], found, _group(one, group))


def _group(one: Rule | Correlation, values: object) -> tuple[tuple[str, str], ...]:
    if isinstance(one, Rule):
        return ()
    return tuple(zip(one.group_by, map(str, cast("Sequence[object]", values)), strict=True))


def _events(cloud: str, rows: object) -> tuple[FoundEvent, ...]:
    return tuple(
        FoundEvent(
            cloud=cloud,
            account=row["account"] or "",
            id=row["id"] or "",
            time=_time(row["time"]),
            name=row["name"] or "",
            source=row["source"] or "",
            region=row["region"] or "",
            address=row["address"] or "",
            error=row["error"] or "",
        )
        for row in cast("Sequence[dict[str, str | None]]", rows)
    )


def _time(value: object) -> datetime:
    return datetime.fromisoformat(cast(str, value))
