"""Rules as values: what one says, which events it can match at all, and the condition that decides, as text of DuckDB's SQL.

A rule comes from a file of Sigma (loading.py); plan.py runs it. Nothing here knows Sigma's syntax or loads its library.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import ceil, floor
from typing import Literal

from crosstrail.detections.findings import RuleFacts
from crosstrail.detections.levels import LEVELS, Level

CorrelationKind = Literal[
    "event_count",
    "value_count",
    "value_sum",
    "value_avg",
    "value_median",
    "value_percentile",
    "temporal",
    "temporal_ordered",
]
LOG_SOURCE = "aws/cloudtrail"
"""Product and service of the rules that are used: the lake has other clouds' events in the same columns."""
Comparison = Literal["<", "<=", ">", ">=", "=", "<>"]


@dataclass(frozen=True, slots=True)
class Condition:
    """Which events a rule matches.

    `names`, `sources`: lower-case texts of which the event's eventName and eventSource must be one; empty where the rule
    does not say. `text`: what must hold beside them, over the columns of `events`; empty for nothing. It is never NULL
    where it matters: NULL is no match.
    """

    names: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    text: str = ""
    reads: tuple[str, ...] = ()
    """The columns of `events` that `text` stands on. A part of one has dots: it is a column of that name."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule over single events. `place`: the file it came from, for its reader."""

    facts: RuleFacts
    place: str
    condition: Condition
    fields: tuple[str, ...] = ()
    """The fields of the record that it asks for, as it writes them; `` for a search in all values."""
    shown: bool = True
    """False for one that is there for a correlation alone: what it matches by itself is no finding."""
    name: str = ""
    """What correlations may call it beside its id and its title."""


@dataclass(frozen=True, slots=True)
class Step:
    """One rule that a correlation watches: its place in RuleSet.rules, and the fields of its events that they are grouped by,
    and whose value is counted."""

    rule: int
    group_by: tuple[str, ...] = ()
    value: str = ""


@dataclass(frozen=True, slots=True)
class Correlation:
    """Events within `seconds` before one of them and alike in `group_by`; an event that lacks one of these is left out.

    What is compared with `count` is the number of events, of values, or of rules that match there; of values of a field their
    sum, mean, median or `percentile`. `mask`: of `temporal`, in place of that number, which rules must match: a condition in
    SQL on `mask`, whose bits are the steps.
    """

    facts: RuleFacts
    place: str
    kind: CorrelationKind
    steps: tuple[Step, ...]
    seconds: int
    comparison: Comparison
    count: float
    group_by: tuple[str, ...] = ()
    mask: str = ""
    percentile: int = 50
    name: str = ""
    shown: bool = True

    @property
    def length(self) -> int:
        """Of `temporal_ordered`: how many rules have to match one after the other."""
        return floor(self.count) + 1 if self.comparison == ">" else ceil(self.count)


@dataclass(frozen=True, slots=True)
class RuleProblem:
    """Why a rule is not used or, as a warning, what will surprise whoever uses it. `title`: empty where a file has no rule."""

    place: str
    title: str
    reason: str

    def __str__(self) -> str:
        titled = f" ({self.title})" if self.title else ""
        return f"{self.place}{titled}: {self.reason}"


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Rules that were loaded together, so that correlations find what they name. `problems`: each rule that is not in it;
    `warnings`: of rules that are."""

    rules: tuple[Rule, ...] = ()
    correlations: tuple[Correlation, ...] = ()
    problems: tuple[RuleProblem, ...] = ()
    warnings: tuple[RuleProblem, ...] = ()
    places: tuple[str, ...] = field(default=())
    """Files and folders that were read."""

    def __iter__(self) -> Iterator[Rule | Correlation]:
        """Those whose findings are shown."""
        every: tuple[Rule | Correlation, ...] = (*self.rules, *self.correlations)
        return (one for one in every if one.shown)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def at_least(rules: RuleSet, level: Level) -> RuleSet:
    """Only findings of that level or above; what a remaining correlation watches stays, unshown."""
    wanted = LEVELS[LEVELS.index(level) :]
    return replace(
        rules,
        rules=tuple(replace(one, shown=one.shown and one.facts.level in wanted) for one in rules.rules),
        correlations=tuple(replace(one, shown=one.shown and one.facts.level in wanted) for one in rules.correlations),
    )


def only(rules: RuleSet, ids: Sequence[str]) -> RuleSet:
    """Only findings of the rules with these ids."""
    return replace(
        rules,
        rules=tuple(replace(one, shown=one.shown and one.facts.id in ids) for one in rules.rules),
        correlations=tuple(replace(one, shown=one.shown and one.facts.id in ids) for one in rules.correlations),
    )
