"""A compiled expression, and the few forms of DuckDB SQL that every other module of the dialect writes.

Decides how an expression fails while a query runs. It never resolves names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from crosstrail.engines.sql.types import BOOLEAN, UNKNOWN, Type, duck
from crosstrail.errors import SqlRejected
from crosstrail.lake.reader import quoted

if TYPE_CHECKING:
    from sqlglot import exp

FAILURE_MARK = "crosstrail: "
"""Stands before our own words in the message of a DuckDB error; see `failure`."""

_LARGEST_SQL = 400_000
_HEAVIEST_TYPE = 1_000
"""Types that one type may be made of: rows of rows double at every level; the largest column of the lake has 40."""


class Refusal(Exception):
    """Inside the dialect only: why a node cannot be compiled; becomes SqlRejected with the node's place."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def too_complex() -> Refusal:
    return Refusal("the statement is too complex", "Split it, or compute nested parts in a WITH query.")


@dataclass(frozen=True, slots=True)
class Expr:
    """DuckDB SQL with its Trino type. `sql` stands anywhere an operand may: it is atomic or in parentheses."""

    sql: str
    type: Type
    value: str | int | Decimal | None = None
    """What a literal says; None for anything else."""
    free: frozenset[str] = frozenset()
    """Columns of the current SELECT that it reads outside any aggregate."""
    aggregated: bool = False
    instant: str = ""
    """Of a timestamp whose zone is known only from the value: SQL of the moment, where `sql` fails for most zones."""
    zone: str = ""
    """SQL of that zone's name."""
    name: str = ""
    """The name an output column gets from it; empty for `_colN`."""
    read_as: Callable[[str], None] | None = None
    """Of a literal: is told the SQL of what it is taken for where CloudTrail Lake takes it for another type's."""


def moment_of(expr: Expr) -> Expr:
    """The expression for a use that needs the moment only and no zone."""
    return replace(expr, sql=expr.instant, instant="", zone="") if expr.instant else expr


def derived(sql: str, kind: Type, *parts: Expr) -> Expr:
    """An expression made of `parts`."""
    if len(sql) > _LARGEST_SQL or kind.weight > _HEAVIEST_TYPE:
        raise too_complex()
    free = frozenset[str]().union(*(part.free for part in parts))
    return Expr(sql, kind, free=free, aggregated=any(part.aggregated for part in parts))


def text_literal(text: str, kind: Type) -> Expr:
    if "\0" in text:
        raise Refusal("a text holds a NUL character")
    return Expr(quoted(text), kind, value=text)


def null(kind: Type = UNKNOWN) -> Expr:
    return Expr(f"CAST(NULL AS {duck(kind)})", kind)


def failure(message: str, kind: Type) -> str:
    """SQL that fails with our message when it is evaluated.

    DuckDB's own error() is volatile, which TRY refuses; a cast that cannot succeed is not.
    """
    return f"CAST(CAST(CAST({quoted(FAILURE_MARK + message)} AS INTEGER) AS VARCHAR) AS {duck(kind)})"


def unsure(message: str, kind: Type) -> str:
    """SQL that fails with our message where Trino may have a value: unlike `failure`, TRY does not make NULL of it.

    Of DuckDB's errors TRY lets a few through; a time zone that does not exist is one of them.
    """
    zone = quoted(f"{FAILURE_MARK}{message}, which is not read here")
    return f"CAST(CAST(timezone({zone}, TIMESTAMP '2000-01-01') AS VARCHAR) AS {duck(kind)})"


def let(name: str, value: str, body: str) -> str:
    """SQL for `body` with `name` standing for `value`, evaluated once."""
    return f"list_extract(list_transform([{value}], lambda {name}: {body}), 1)"


def outside(*parts: Expr) -> tuple[list[Expr], Callable[[str], str]]:
    """The parts under names that may stand in the body of a lambda, where DuckDB takes no sub-query, and what binds these
    names around SQL."""
    named = [replace(part, sql=f"struct_extract(w, 'a{index}')") for index, part in enumerate(parts)]
    packed = ", ".join(f"a{index} := {part.sql}" for index, part in enumerate(parts))
    return named, lambda sql: let("w", f"struct_pack({packed})", sql)


def require(bad: str, message: str, good: str, kind: Type) -> str:
    """SQL for `good`, failing with `message` where `bad` is true."""
    return f"(CASE WHEN {bad} THEN {failure(message, kind)} ELSE {good} END)"


def require_sure(odd: str, message: str, good: str, kind: Type) -> str:
    """SQL for `good`, failing past any TRY where `odd` is true; see `unsure`."""
    return f"(CASE WHEN {odd} THEN {unsure(message, kind)} ELSE {good} END)"


def constant_text(expr: Expr, what: str) -> str:
    if not isinstance(expr.value, str):
        raise Refusal(f"{what} must be a text literal here", "Write it as '...' in the statement.")
    return expr.value


def constant_int(expr: Expr, what: str) -> int:
    if not isinstance(expr.value, int):
        raise Refusal(f"{what} must be a whole number here", "Write it as digits in the statement.")
    return expr.value


def boolean(expr: Expr, what: str) -> Expr:
    """The expression as a condition."""
    if expr.type == UNKNOWN:
        return replace(expr, sql="CAST(NULL AS BOOLEAN)", type=BOOLEAN)
    if expr.type != BOOLEAN:
        raise Refusal(f"{what} must be a boolean, not {expr.type}")
    return expr


def rejected(refusal: Refusal, node: exp.Expr, place: Place) -> SqlRejected:
    line, column = place.of(node)
    return SqlRejected(str(refusal), line=line, column=column, hint=refusal.hint)


class Place:
    """PacedRequests positions in the text that was parsed into lines and columns of the text the caller sent."""

    def __init__(self, original: str, inserted: list[int], parsed: str) -> None:
        self.parsed = parsed
        self._original = original
        self._inserted = inserted
        """Offsets in the parsed text of characters that the original lacks, ascending."""

    def at(self, offset: int) -> tuple[int, int]:
        """Line and column, both from 1."""
        offset -= sum(1 for position in self._inserted if position < offset)
        before = self._original[: max(0, offset)]
        return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1

    def of(self, node: exp.Expr) -> tuple[int, int]:
        """Where the node begins: the first place known inside it, else that of what surrounds it."""
        current: exp.Expr | None = node
        while current is not None:
            starts = [part.meta["start"] for part in current.walk() if "start" in part.meta]
            if starts:
                return self.at(min(starts))
            current = current.parent
        return 1, 1
