"""Correlations of Sigma: which rules they name, and what they ask of events together.

A rule is named by its id, its name or its title; a title that two rules have names neither. What crosstrail does not do is
refused with its reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sigma.correlations import (
    CorrelationConditionAND,
    CorrelationConditionOR,
    SigmaCorrelationCondition,
    SigmaCorrelationRule,
    SigmaExtendedCorrelationCondition,
    SigmaRuleReference,
)

from crosstrail.detections.field_sql import is_known
from crosstrail.detections.rule_facts import facts_of
from crosstrail.detections.rule_files import RuleFile
from crosstrail.detections.rules import Comparison, Correlation, CorrelationKind, Rule, Step
from crosstrail.detections.value_tests import NotCompiled

_COMPARISONS: Mapping[str, Comparison] = {"LT": "<", "LTE": "<=", "GT": ">", "GTE": ">=", "EQ": "=", "NEQ": "<>"}
_KINDS: Mapping[str, CorrelationKind] = {
    "EVENT_COUNT": "event_count",
    "VALUE_COUNT": "value_count",
    "VALUE_SUM": "value_sum",
    "VALUE_AVG": "value_avg",
    "VALUE_MEDIAN": "value_median",
    "VALUE_PERCENTILE": "value_percentile",
    "TEMPORAL": "temporal",
    "TEMPORAL_ORDERED": "temporal_ordered",
}
_MOST_STEPS = 30
_MOST_SECONDS = 366 * 86_400


class Names:
    """Rules by what a correlation may call them."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._places: dict[str, list[int]] = {}
        for place, rule in enumerate(rules):
            for name in {rule.facts.id, rule.name, rule.facts.title} - {""}:
                self._places.setdefault(name, []).append(place)
        self._rules = rules

    def place(self, name: str, file: str) -> int:
        """Of several, one of the same file is meant. Raises NotCompiled."""
        found = self._places.get(name) or self._places.get(name.lower(), [])
        if len(found) > 1:
            found = [place for place in found if self._rules[place].place == file] or found
        if len(found) != 1:
            raise NotCompiled(f"it names {name[:100]!r}, as {len(found) or 'no'} rules that can be used are named")
        return found[0]


def compile_correlation(
    rule: SigmaCorrelationRule, file: RuleFile, names: Names, license_: str, link: str
) -> Correlation:
    """Raises NotCompiled."""
    kind = _KINDS[rule.type.name]
    references = _references(rule)
    if not 0 < len(references) <= _MOST_STEPS:
        raise NotCompiled(f"it names {len(references)} rules: from 1 to {_MOST_STEPS} can be watched together")
    if not 0 < rule.timespan.seconds <= _MOST_SECONDS:
        raise NotCompiled(f"its timespan is not between a second and {_MOST_SECONDS // 86_400} days")
    comparison, count, mask = _asked(rule, references)
    group = tuple(rule.group_by or ())
    field = _field(rule)
    steps = tuple(_step(rule, name, names.place(name, file.place), group, field) for name in references)
    made = Correlation(
        facts=facts_of(rule, "correlation", license_=license_, link=link, place=file.place),
        place=file.place,
        kind=kind,
        steps=steps,
        seconds=rule.timespan.seconds,
        comparison=comparison,
        count=count,
        group_by=group,
        mask=mask,
        percentile=_percentile(rule),
        name=rule.name or "",
    )
    if kind == "temporal_ordered":
        _check_ordered(made)
    return made


def _references(rule: SigmaCorrelationRule) -> list[str]:
    if rule.rules is not None:
        return [one.reference for one in rule.rules]
    condition = rule.condition
    return condition.get_referenced_rules() if isinstance(condition, SigmaExtendedCorrelationCondition) else []


def _asked(rule: SigmaCorrelationRule, references: Sequence[str]) -> tuple[Comparison, float, str]:
    condition = rule.condition
    if isinstance(condition, SigmaExtendedCorrelationCondition):
        return ">=", 1, _mask(condition.parsed, references)
    return _COMPARISONS[condition.op.name], condition.count, ""


def _mask(node: object, references: Sequence[str]) -> str:
    """Raises NotCompiled for `not`: that nothing happens until a time is nothing that an event completes."""
    if isinstance(node, SigmaRuleReference):
        return f"(mask & {1 << references.index(node.reference)}) <> 0"
    if isinstance(node, CorrelationConditionAND | CorrelationConditionOR):
        word = " AND " if isinstance(node, CorrelationConditionAND) else " OR "
        return "(" + word.join(_mask(one, references) for one in node.args) + ")"
    raise NotCompiled("`not` in a correlation's condition is not supported")


def _check_ordered(one: Correlation) -> None:
    if one.mask:
        raise NotCompiled("a condition of words is not supported for rules in order")
    if one.comparison not in (">", ">="):
        raise NotCompiled("rules in order can be asked for with gte and gt only")
    if not 1 <= one.length <= len(one.steps):
        raise NotCompiled("its condition asks for more rules, or fewer, than it names")


def _field(rule: SigmaCorrelationRule) -> str:
    found = rule.condition.fieldref if isinstance(rule.condition, SigmaCorrelationCondition) else None
    if isinstance(found, list):
        raise NotCompiled("several fields in a correlation's condition are not supported")
    return str(found or "")


def _percentile(rule: SigmaCorrelationRule) -> int:
    found = rule.condition.percentile if isinstance(rule.condition, SigmaCorrelationCondition) else None
    if rule.type.name == "VALUE_PERCENTILE" and (found is None or not 0 <= found <= 100):
        raise NotCompiled("its condition names no percentile between 0 and 100")
    return 50 if found is None else found


def _step(rule: SigmaCorrelationRule, name: str, place: int, group: Sequence[str], field: str) -> Step:
    fields = {
        alias.alias: real
        for alias in rule.aliases
        for target, real in alias.mapping.items()
        if target.reference == name
    }
    return Step(place, tuple(fields.get(one, one) for one in group), fields.get(field, field))


def unknown_group_fields(one: Correlation) -> list[str]:
    """A warning for each field that no event has: nothing is ever grouped by it."""
    fields = dict.fromkeys(name for step in one.steps for name in (*step.group_by, step.value) if name)
    return [f"no event of CloudTrail has the field {name}" for name in fields if not is_known(name)]
