"""What a rule or a baseline found: one finding for each rule, account and principal, with the facts to judge and to credit it.

Values alone. Texts of events in them are hostile: whoever shows one cleans and fences it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from crosstrail.detections.levels import Level
from crosstrail.models import AccountKey

MAX_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class RuleFacts:
    """What is said of a rule beside its conditions. `attack`: ids of ATT&CK, techniques (T1078.004) and tactics (TA0001)."""

    id: str
    """The rule's own id (a UUID in Sigma); of a baseline its name, such as `first-seen-api`."""
    title: str
    level: Level
    kind: Literal["rule", "correlation", "baseline"] = "rule"
    description: str = ""
    author: str = ""
    license: str = ""
    link: str = ""
    attack: tuple[str, ...] = ()
    false_positives: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FoundEvent:
    """One event of a finding, for a reader to go on with."""

    cloud: str
    account: str
    id: str
    time: datetime
    name: str
    source: str
    region: str
    address: str
    error: str


@dataclass(frozen=True, slots=True)
class DetectionFinding:
    """`events`: examples, oldest first, at most MAX_EXAMPLES. `group`: what a correlation was grouped by, its values as text."""

    rule: RuleFacts
    account: AccountKey
    principal: str
    first: datetime
    last: datetime
    count: int
    """Of events; of a correlation, of its matches."""
    events: tuple[FoundEvent, ...]
    group: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    """What else is to be known: the learning span of a baseline, the window of a correlation."""

    @property
    def key(self) -> str:
        """The same for the same rule, account, principal and group, whenever it is found: 16 hexadecimal digits."""
        parts = [self.rule.id, *self.account, self.principal, sorted(self.group.items())]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
