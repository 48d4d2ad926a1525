"""Two answers to one statement: the same, or what differs; rows in their order where the statement gives one."""

from __future__ import annotations

import re
from dataclasses import dataclass

import orjson

from trino_client import Answer

_STRING = re.compile(r"'[^']*'")
_ORDER = re.compile(r"[()]|\border\s+by\b", re.IGNORECASE)
_LENGTH = re.compile(r"varchar\(\d+\)")


NOT_SUPPORTED = "NOT_SUPPORTED"
"""How Trino calls what it cannot do yet: correlated sub-queries of some kinds, NULL inside what it compares."""


@dataclass(frozen=True, slots=True)
class Difference:
    """`kind`: VALUE, TYPE, NAME; ANSWERED for what only the embedded engine answers, REFUSED for what only it does not; BEYOND for what Trino means to
    answer and cannot, which is no difference of values."""

    kind: str
    sql: str
    trino: str
    ours: str

    def __str__(self) -> str:
        return f"{self.kind}  {self.sql}\n    trino {self.trino[:600]}\n    ours  {self.ours[:600]}"


def difference(sql: str, trino: Answer, ours: Answer, *, ties: bool = False) -> Difference | None:
    """None where both say the same, which may be that both do not answer. `ties`: its ORDER BY may leave some order open."""
    if trino.error or ours.error:
        if trino.error and ours.error:
            return None
        kind = "ANSWERED" if trino.error else "REFUSED"
        if trino.error.startswith(NOT_SUPPORTED):
            kind = "BEYOND"
        return Difference(kind, sql, trino.error or _shown(trino), ours.error or _shown(ours))
    theirs, mine = comparable_rows(trino), comparable_rows(ours)
    if ties or not is_ordered(sql):
        theirs, mine = sorted(theirs, key=repr), sorted(mine, key=repr)
    if theirs != mine:
        pairs = (pair for pair in zip(theirs, mine, strict=False) if pair[0] != pair[1])
        first = next(pairs, (f"{len(theirs)} rows", f"{len(mine)} rows"))
        return Difference("VALUE", sql, str(first[0]), str(first[1]))
    if [plain_type(kind) for kind in trino.types] != [plain_type(kind) for kind in ours.types]:
        return Difference("TYPE", sql, ", ".join(trino.types), ", ".join(ours.types))
    if trino.names != ours.names:
        return Difference("NAME", sql, ", ".join(trino.names), ", ".join(ours.names))
    return None


def comparable_rows(answer: Answer) -> list[tuple[str | None, ...]]:
    """The rows, with the entries of maps in one order: a map has none, and each engine has its own."""
    maps = [place for place, kind in enumerate(answer.types) if "map(" in kind]
    if not maps:
        return list(map(tuple, answer.rows))
    return [tuple(_sorted(cell) if place in maps else cell for place, cell in enumerate(row)) for row in answer.rows]


def _sorted(cell: str | None) -> str | None:
    return cell and orjson.dumps(orjson.loads(cell), option=orjson.OPT_SORT_KEYS).decode()


def is_ordered(sql: str) -> bool:
    """Whether it ends with an ORDER BY of its own, not one in brackets."""
    depth = 0
    for found in _ORDER.findall(_STRING.sub("''", sql)):
        if found in "()":
            depth += 1 if found == "(" else -1
        elif not depth:
            return True
    return False


def plain_type(text: str) -> str:
    """Without what Lake's pages do not say: how long a text may be."""
    return _LENGTH.sub("varchar", text).replace('"', "").replace(" ", "").lower()


def reason(error: str) -> str:
    """A refusal without what is of its statement, to count by."""
    text = error.split("\n")[0]
    text = re.sub(r"\d+:\d+|line \d+.*?:", "", text)
    return re.sub(r"'[^']*'|\"[^\"]*\"|\b\d+\b", "..", text)[:110]


def _shown(answer: Answer) -> str:
    return f"{answer.types} {answer.rows[:3]}"
