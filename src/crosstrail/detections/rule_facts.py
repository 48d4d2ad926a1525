"""What a rule of Sigma says of itself, as crosstrail's own facts. Nothing is looked up: ids of ATT&CK are the rule's tags."""

from __future__ import annotations

import re

from sigma.rule import SigmaRuleBase

from crosstrail.detections.findings import RuleFacts
from crosstrail.detections.levels import LEVELS, Level

_TACTICS = {
    "reconnaissance": "TA0043",
    "resource-development": "TA0042",
    "initial-access": "TA0001",
    "execution": "TA0002",
    "persistence": "TA0003",
    "privilege-escalation": "TA0004",
    "defense-evasion": "TA0005",
    "stealth": "TA0005",
    "defense-impairment": "TA0112",
    "credential-access": "TA0006",
    "discovery": "TA0007",
    "lateral-movement": "TA0008",
    "collection": "TA0009",
    "command-and-control": "TA0011",
    "exfiltration": "TA0010",
    "impact": "TA0040",
}
"""Of ATT&CK for enterprises; version 19 parts defense-evasion into stealth, which keeps its id, and defense-impairment."""
_ATTACK_ID = re.compile(r"t\d{4}(?:\.\d{3})?|ta\d{4}")
_UNGRADED: Level = "medium"
"""The level of a rule that names none: it is shown where nothing is asked."""


def facts_of(rule: SigmaRuleBase, kind: str, *, license_: str, link: str, place: str) -> RuleFacts:
    """`license_`, `link`: where the rule does not name its own. A rule without an id has its place and title for one."""
    level = str(rule.level) if rule.level is not None else _UNGRADED
    references = [one for one in rule.references if isinstance(one, str) and one.startswith("https://")]
    return RuleFacts(
        id=str(rule.id) if rule.id else f"{place}#{rule.title}",
        title=rule.title,
        level=level if level in LEVELS else _UNGRADED,
        kind="correlation" if kind == "correlation" else "rule",
        description=(rule.description or "").strip(),
        author=rule.author or "",
        license=rule.license or license_,
        link=link or next(iter(references), ""),
        attack=attack_ids([str(tag) for tag in rule.tags]),
        false_positives=tuple(str(one) for one in rule.falsepositives if one),
    )


def attack_ids(tags: list[str]) -> tuple[str, ...]:
    """Techniques and tactics, in the order of the tags: attack.t1078.004 is T1078.004, attack.initial-access TA0001."""
    found: dict[str, None] = {}
    for tag in tags:
        namespace, _, name = tag.lower().partition(".")
        if namespace != "attack":
            continue
        if _ATTACK_ID.fullmatch(name):
            found[name.upper()] = None
        elif tactic := _TACTICS.get(name.replace("_", "-")):
            found[tactic] = None
    return tuple(found)
