"""Findings that somebody decided not to be shown: which ones, why, and until when.

Decides that a suppression without a reason is none, and that one whose day has passed holds nothing any more: what it would have
held is shown again, and it is said. What is held back is counted, never dropped in silence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase

from pydantic import BaseModel, ConfigDict, Field

from crosstrail.detections.findings import DetectionFinding
from crosstrail.models import AccountKey


class Suppression(BaseModel):
    """One entry of `detect.suppressions`. Findings meet all of its globs; upper and lower case are the same."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    rule: str = Field(min_length=1, description="Id or title of the rule; a glob, as the next two.")
    account: str = Field("*", min_length=1, description="Id or alias of the account.")
    principal: str = Field("*", min_length=1, description="The principal, as findings show it.")
    reason: str = Field(min_length=1, description="Why; needed.")
    until: date | None = Field(None, description="The last day it holds, in UTC. Empty: for good.")

    def has_expired(self, today: date) -> bool:
        return self.until is not None and self.until < today

    def matches(self, finding: DetectionFinding, names: Iterable[str]) -> bool:
        """`names`: what the finding's account is called."""
        return (
            any(_like(name, self.rule) for name in (finding.rule.id, finding.rule.title))
            and any(_like(name, self.account) for name in names)
            and _like(finding.principal, self.principal)
        )


@dataclass(frozen=True, slots=True)
class Sifted:
    """`suppressed`: how many findings each suppression held back. `expired`: those that hold no more, and would have held some."""

    shown: tuple[DetectionFinding, ...]
    suppressed: tuple[tuple[Suppression, int], ...] = ()
    expired: tuple[Suppression, ...] = ()

    @property
    def suppressed_count(self) -> int:
        return sum(count for _, count in self.suppressed)


def sift(
    findings: Iterable[DetectionFinding],
    suppressions: Sequence[Suppression],
    today: date,
    names: Callable[[AccountKey], Iterable[str]] = lambda key: key[1:],
) -> Sifted:
    """`names`: ids and aliases of an account."""
    shown: list[DetectionFinding] = []
    held: Counter[Suppression] = Counter()
    expired: dict[Suppression, None] = {}
    for finding in findings:
        called = list(names(finding.account))
        matching = [one for one in suppressions if one.matches(finding, called)]
        holding = next((one for one in matching if not one.has_expired(today)), None)
        if holding:
            held[holding] += 1
            continue
        expired.update(dict.fromkeys(matching))
        shown.append(finding)
    return Sifted(tuple(shown), tuple(held.items()), tuple(expired))


def _like(text: str, pattern: str) -> bool:
    return fnmatchcase(text.lower(), pattern.lower())
