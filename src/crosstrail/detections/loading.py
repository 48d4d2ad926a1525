"""Rules from files of Sigma, and those that come with crosstrail: SigmaHQ's for CloudTrail.

Decides what is loaded together, whose licence a rule has and what a correlation names. Sigma's library is imported here, on
first use. Every rule that is not used is among the problems, with its reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from crosstrail.detections.rule_files import MAX_FILES, RuleFile, rule_files
from crosstrail.detections.rules import Rule, RuleProblem, RuleSet
from crosstrail.errors import ConfigError
from crosstrail.origin import install_hint

if TYPE_CHECKING:
    from crosstrail.detections.sigma_rules import Parsed

PACKAGED = Path(__file__).with_name("sigma_cloudtrail")
PACKAGED_NAME = "SigmaHQ"
"""What a reader sees as the place of a rule that comes with crosstrail, before the name of its file."""
_COMMIT = "8eaafff"
_PACKAGED_LINK = f"https://github.com/SigmaHQ/sigma/blob/{_COMMIT}/rules/cloud/aws/cloudtrail/"
_PACKAGED_LICENSE = "DRL 1.1"


def load_rules(paths: Sequence[Path] = (), *, packaged: bool = True) -> RuleSet:
    """The rules of the files and folders, and those that come with crosstrail unless `packaged` is False.

    A rule that cannot be used is among the problems, with the reason; of two with the same id the one of the path that is
    named first is used. Raises ConfigError where a path is not there, and where the extra is not installed.
    """
    if find_spec("sigma") is None:
        raise ConfigError("rules need pySigma, which is not installed", hint=install_hint("detect"))
    from crosstrail.detections.sigma_rules import Parsed, parse

    parsed = Parsed()
    for file in _files(paths, packaged=packaged, into=parsed.problems):
        parse(file, parsed)
    return _loaded(parsed, tuple(map(str, paths)))


@cache
def packaged_rules() -> RuleSet:
    """Those that come with crosstrail alone, loaded once."""
    return load_rules()


def _files(paths: Sequence[Path], *, packaged: bool, into: list[RuleProblem]) -> Iterable[RuleFile]:
    count = 0
    for path in paths:
        if not path.exists():
            raise ConfigError(
                f"{path}: there is no such file or folder of rules", hint="Name a file or folder that is there."
            )
        for file in rule_files(path):
            count += 1
            if count > MAX_FILES:
                into.append(RuleProblem(str(path), "", f"only the first {MAX_FILES:,} files were read"))
                return
            yield file
    if packaged:
        for path in sorted(PACKAGED.glob("*.yml")):
            yield RuleFile(path, f"{PACKAGED_NAME}/{path.name}", PACKAGED)


def _loaded(parsed: Parsed, places: tuple[str, ...]) -> RuleSet:
    from crosstrail.detections.sigma_rules import compile_rule, filtered, unknown_fields
    from crosstrail.detections.value_tests import NotCompiled

    rules: list[Rule] = []
    by_id: dict[str, Rule] = {}
    problems, warnings = list(parsed.problems), []
    filters, used = [one for one, _ in parsed.filters], dict[int, str]()
    for found, file in parsed.rules:
        title = str(found.title)
        try:
            narrowed, applied = filtered(found, filters)
            used |= applied
            made = compile_rule(narrowed, file, *_origin(file))
        except NotCompiled as why:
            problems.append(RuleProblem(file.place, title, str(why)))
            continue
        if there := by_id.get(made.facts.id):
            if there.condition == made.condition and there.facts.title == title:
                rules.append(replace(made, shown=False))  # for a correlation in its file; its findings are the other's
                continue
            if file.folder == PACKAGED:
                warnings.append(RuleProblem(file.place, title, f"{there.place} takes its place, by its id"))
                continue
            made = replace(made, facts=replace(made.facts, id=f"{made.facts.id}#{len(rules)}"))
            warnings.append(
                RuleProblem(file.place, title, f"it has the id of {there.place}: here it has {made.facts.id}")
            )
        rules.append(made)
        by_id[made.facts.id] = made
        warnings += [RuleProblem(file.place, title, text) for text in unknown_fields(made)]
    problems += _idle_filters(parsed, used)
    found_rules = RuleSet(tuple(rules), (), tuple(problems), tuple(warnings), places)
    return _correlated(parsed, found_rules)


def _idle_filters(parsed: Parsed, used: Mapping[int, str]) -> list[RuleProblem]:
    """Filters that leave out nothing: what they should leave out is found."""
    idle = "it filters no rule: none that is here has a log source and a name of its own"
    reasons = [used.get(place, idle) for place in range(len(parsed.filters))]
    return [
        RuleProblem(file.place, str(one.title), reason)
        for (one, file), reason in zip(parsed.filters, reasons, strict=True)
        if reason
    ]


def _correlated(parsed: Parsed, found: RuleSet) -> RuleSet:
    """With the correlations. A rule that one watches without `generate` is not shown by itself, as Sigma has it."""
    from crosstrail.detections.sigma_correlations import Names, compile_correlation, unknown_group_fields
    from crosstrail.detections.value_tests import NotCompiled

    names, made = Names(found.rules), []
    problems, warnings = list(found.problems), list(found.warnings)
    silent: dict[int, str] = {}
    for given, file in parsed.correlations:
        title = str(given.title)
        try:
            one = compile_correlation(given, file, names, *_origin(file))
        except NotCompiled as why:
            problems.append(RuleProblem(file.place, title, str(why)))
            continue
        made.append(one)
        warnings += [RuleProblem(file.place, title, text) for text in unknown_group_fields(one)]
        if not given.generate:
            silent |= {step.rule: file.place for step in one.steps}
    for place, by in silent.items():
        watched = found.rules[place]
        if watched.shown and watched.place != by:
            text = f"what it matches by itself is not shown: {by} watches it without `generate`"
            warnings.append(RuleProblem(watched.place, watched.facts.title, text))
    rules = tuple(replace(one, shown=one.shown and place not in silent) for place, one in enumerate(found.rules))
    return replace(found, rules=rules, correlations=tuple(made), problems=tuple(problems), warnings=tuple(warnings))


def _origin(file: RuleFile) -> tuple[str, str]:
    """(licence, link) of its rules where they do not name their own."""
    if file.folder == PACKAGED:
        return _PACKAGED_LICENSE, _PACKAGED_LINK + file.path.name
    return file.license, ""
