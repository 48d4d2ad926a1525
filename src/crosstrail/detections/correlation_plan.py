"""Correlations as statements: which events together complete one."""

from __future__ import annotations

from collections.abc import Sequence

from crosstrail.detections.rules import RuleSet


def correlation_statements(rules: RuleSet, *, grouped: bool = True, repeats: bool = True) -> Sequence[str]:
    """One table: a row for each correlation, group and principal, or for each event that completed one."""
    return ["SELECT 1 WHERE false"]
