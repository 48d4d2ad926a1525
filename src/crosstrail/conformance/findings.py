"""What a check found, and what the findings say together.

Decides which states there are and when a server passes. A detail may quote the checked server: whoever prints it removes
control characters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

State = Literal["pass", "fail", "-"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One check. `-`: nothing to judge here, as with /ping over stdio. `fix` is what to do about a failure.

    `by_authors`: about what the authors of a server's package wrote, which no deployment or wrapping of it changes.
    """

    check: str
    state: State
    detail: str = ""
    fix: str = ""
    by_authors: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """All checks of one server. `server` is its own name and version, empty when it never answered."""

    target: str
    server: str
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        return all(one.state != "fail" for one in self.findings)

    def as_json(self) -> dict[str, object]:
        checks = [
            {
                "check": one.check,
                "state": one.state,
                "detail": one.detail,
                "fix": one.fix,
                "whose": "package" if one.by_authors else "server",
            }
            for one in self.findings
        ]
        return {"target": self.target, "server": self.server, "passed": self.passed, "checks": checks}


def judged(check: str, wrong: Sequence[str], *, right: str = "", fix: str = "", most: int = 5) -> Finding:
    """A failure that names what is wrong, the first of it; else a pass."""
    if not wrong:
        return Finding(check, "pass", right)
    more = f" and {len(wrong) - most} more" if len(wrong) > most else ""
    return Finding(check, "fail", ", ".join(wrong[:most]) + more, fix)
