"""Rules over single events as statements: which events each of them matches."""

from __future__ import annotations

from collections.abc import Sequence

from crosstrail.detections.rules import RuleSet


def rule_statements(rules: RuleSet, *, grouped: bool = True, repeats: bool = True) -> Sequence[str]:
    """One table: a row for each rule, account and principal, or for each hit."""
    return ["SELECT 1 WHERE false"]
