"""Many statements on both engines: what differs, what only the embedded engine refuses and why, and what Trino said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from embedded import Embedded
from trino_client import Answer, TrinoClient
from trino_difference import Difference, difference, reason

_AT_ONCE = 3


@dataclass
class Compared:
    """`answers` are Trino's, by statement."""

    answers: dict[str, Answer] = field(default_factory=dict)
    equal: int = 0
    differences: list[Difference] = field(default_factory=list)
    beyond: int = 0
    refusals: Counter[str] = field(default_factory=Counter)

    def report(self, title: str) -> str:
        """The figures, every difference, and the refusals by reason."""
        kinds = Counter(one.kind for one in self.differences)
        lines = [
            f"{title}: {len(self.answers)} statements, {self.equal} equal, {self.refusals.total()} refused here alone, {self.beyond} beyond Trino"
        ]
        lines[0] += f", {len(self.differences)} differ {dict(kinds)}" if kinds else ", none differs"
        lines += [f"  {count:4} {why}" for why, count in self.refusals.most_common()]
        return "\n".join([*lines, *map(str, self.differences)])


def compare(statements: Iterable[str], trino: TrinoClient, embedded: Embedded) -> Compared:
    """Each statement once."""
    found = Compared()
    different = list(dict.fromkeys(statements))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for sql, theirs in zip(different, pool.map(trino.ask, different), strict=True):
            ours = embedded.ask(sql)
            found.answers[sql] = theirs
            one = difference(sql, theirs, ours)
            if one is None:
                found.equal += 1
            elif one.kind == "REFUSED":
                found.refusals[reason(ours.error)] += 1
            elif one.kind == "BEYOND":
                found.beyond += 1
            else:
                found.differences.append(one)
    return found
