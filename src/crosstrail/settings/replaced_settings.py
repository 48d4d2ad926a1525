"""Settings of earlier versions that have another name now, or became several: what to write instead.

Decides words alone. What is listed here is refused like every name that is unknown, and so is its variable, which would otherwise be
passed over in silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Replaced:
    """`instead`: settings. `variable`: what the environment had for it."""

    instead: tuple[str, ...]
    variable: str

    @property
    def written(self) -> str:
        return " and ".join(self.instead)


REPLACED: Mapping[str, Replaced] = {
    "audit.keep": Replaced(("audit.keep_days", "audit.max_total"), "CROSSTRAIL_AUDIT_KEEP"),
}
