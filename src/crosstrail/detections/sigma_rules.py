"""Documents of Sigma to rules: pySigma parses them, conditions.py compiles them.

Only what is about CloudTrail is taken, since the lake has other clouds' events in the same columns: a rule of another log
source is refused by name. pySigma's data of ATT&CK, which it would download, are never asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Self, cast

from sigma.collection import NestedDict, SigmaCollection
from sigma.conditions import ConditionOR
from sigma.correlations import SigmaCorrelationRule
from sigma.filters import SigmaFilter
from sigma.policy import SigmaPolicy
from sigma.policy.regex_engine import RE2RegexEngine, RegexPattern
from sigma.rule import SigmaRule, SigmaRuleBase

from crosstrail.detections.conditions import compiled
from crosstrail.detections.field_sql import TOP_FIELDS, is_known
from crosstrail.detections.rule_facts import facts_of
from crosstrail.detections.rule_files import RuleFile, documents
from crosstrail.detections.rules import LOG_SOURCE, Rule, RuleProblem
from crosstrail.detections.value_tests import NotCompiled

_LONGEST_CONDITION = 20_000
_MOST_STARS = 8
_DEEPEST_CONDITION = 40


@dataclass
class Parsed:
    """What files gave, as pySigma has it, each with its file; and what they did not give."""

    rules: list[tuple[SigmaRule, RuleFile]] = field(default_factory=list)
    correlations: list[tuple[SigmaCorrelationRule, RuleFile]] = field(default_factory=list)
    filters: list[tuple[SigmaFilter, RuleFile]] = field(default_factory=list)
    problems: list[RuleProblem] = field(default_factory=list)


def parse(file: RuleFile, into: Parsed) -> None:
    """Adds what the file holds."""
    found = documents(file)
    if isinstance(found, RuleProblem):
        into.problems.append(found)
        return
    if not found:
        into.problems.append(RuleProblem(file.place, "", "it holds no rule"))
    chained = any(isinstance(one, dict) and "action" in one for one in found)
    for some in [found] if chained else [[one] for one in found]:
        _parse_documents(file, some, into)


def _parse_documents(file: RuleFile, found: Sequence[object], into: Parsed) -> None:
    title = _title(found[0])
    if not all(isinstance(one, dict) for one in found):
        into.problems.append(RuleProblem(file.place, title, "it is no rule of Sigma: a document is not a mapping"))
        return
    try:
        given = SigmaCollection.from_dicts(
            cast("list[NestedDict]", list(found)),
            collect_errors=True,
            collect_filters=True,
            resolve_references=False,
            policy=_policy(),
        )
    except Exception as error:  # noqa: BLE001 - a hostile document fails pySigma in any way
        into.problems.append(RuleProblem(file.place, title, f"it is no rule of Sigma: {one_line(error)}"))
        return
    loose = [error for error in given.errors if not any(error in one.errors for one in [*given.rules, *given.filters])]
    into.problems += [RuleProblem(file.place, title, one_line(error)) for error in loose]
    every: Sequence[SigmaRuleBase] = [*given.rules, *given.filters]
    for one in every:
        if one.errors:
            reasons = "; ".join(map(one_line, one.errors))
            into.problems.append(RuleProblem(file.place, str(one.title or title), reasons))
        elif isinstance(one, SigmaFilter):
            into.filters.append((one, file))
        elif isinstance(one, SigmaCorrelationRule):
            into.correlations.append((one, file))
        elif isinstance(one, SigmaRule):
            into.rules.append((one, file))


class _QuietEngine(RE2RegexEngine):
    """pySigma's own; RE2 would write what it does not take, as a rule has it, on the terminal of whoever loads the rule."""

    def __deepcopy__(self, memo: object) -> Self:
        """Rules are copied with their engine when filters are applied, and a module cannot be."""
        return self

    def compile(self, pattern: str, flags: int = 0) -> RegexPattern:
        options = self._re2.Options()
        options.log_errors = False
        letters = {re.IGNORECASE: "i", re.MULTILINE: "m", re.DOTALL: "s"}
        inline = "".join(letter for flag, letter in letters.items() if flags & flag)
        return cast(RegexPattern, self._re2.compile(f"(?{inline}){pattern}" if inline else pattern, options))


@cache
def _policy() -> SigmaPolicy:
    return SigmaPolicy(regex_engine=_QuietEngine())


def _title(document: object) -> str:
    found = document.get("title") if isinstance(document, dict) else None
    return found[:256] if isinstance(found, str) else ""


def one_line(error: object) -> str:
    text = re.sub(r"\s+", " ", str(error)).strip()
    return text[:300] or type(error).__name__


def filtered(rule: SigmaRule, filters: Sequence[SigmaFilter]) -> tuple[SigmaRule, Mapping[int, str]]:
    """The rule with the conditions of the filters that are for it, and those filters by their places, each with why it could not be
    applied, or ''. A filter names rules by id, name or title, or all of its log source with `any`."""
    applied: dict[int, str] = {}
    for place, one in enumerate(filters):
        if rule.logsource not in one.logsource or not _names(one, rule):
            continue
        narrowed = deepcopy(rule)
        try:
            replace(one, filter=replace(one.filter, rules="any")).apply_on_rule(narrowed)
            for condition in narrowed.detection.parsed_condition:
                _ = condition.parsed  # which raises for what the filter does not define
        except Exception as error:  # noqa: BLE001 - as above
            applied[place] = one_line(error)
            continue
        rule, applied[place] = narrowed, ""
    return rule, applied


def _names(one: SigmaFilter, rule: SigmaRule) -> bool:
    named = one.filter.rules
    if isinstance(named, str):
        return True
    return bool({str(rule.id), rule.name, str(rule.title)} & {each.reference for each in named})


def compile_rule(rule: SigmaRule, file: RuleFile, license_: str, link: str) -> Rule:
    """Raises NotCompiled."""
    source = rule.logsource
    product, service = LOG_SOURCE.split("/")
    named = "/".join(filter(None, (source.product, source.service, source.category)))
    if named not in (LOG_SOURCE, product, service):
        raise NotCompiled(f"it is of {named or 'no log source'}, and only rules of {LOG_SOURCE} are used")
    for text in rule.detection.condition:
        _check_condition(text)
    try:
        parsed = [one.parsed for one in rule.detection.parsed_condition]
        condition, fields = compiled(parsed[0] if len(parsed) == 1 else ConditionOR(list(parsed)))
    except NotCompiled:
        raise
    except Exception as error:  # noqa: BLE001 - as above
        raise NotCompiled(one_line(error)) from None
    return Rule(
        facts=facts_of(rule, "rule", license_=license_, link=link, place=file.place),
        place=file.place,
        condition=condition,
        fields=fields,
        name=rule.name or "",
    )


def _check_condition(text: object) -> None:
    """Before it is parsed, which takes time and depth that grow faster than the text."""
    if not isinstance(text, str):
        raise NotCompiled("its condition is no text")
    depth = deepest = 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        deepest = max(deepest, depth)
    if len(text) > _LONGEST_CONDITION or deepest > _DEEPEST_CONDITION or text.count("not not") > 2:
        raise NotCompiled("its condition is too long, or nested too deeply")
    if any(word.count("*") > _MOST_STARS for word in text.split()):
        raise NotCompiled("its condition has a pattern with too many wildcards")


def unknown_fields(rule: Rule) -> list[str]:
    """A warning for each field that no event of CloudTrail has."""
    return [_unknown(name) for name in rule.fields if name and not is_known(name)]


def _unknown(name: str) -> str:
    from difflib import get_close_matches

    top = name.partition(".")[0]
    near = next((one for one in TOP_FIELDS if one.lower() == top.lower() and one != top), "")
    near = near or next(iter(get_close_matches(top, TOP_FIELDS, 1)), "")
    hint = f"; did it mean {near}?" if near and near != top else ""
    return f"no event of CloudTrail has the field {name}{hint}"
