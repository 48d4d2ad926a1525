"""The allow-list of functions: a name, its signatures in Trino's words, and the DuckDB SQL for each.

Decides which overload a call means. It never holds a function itself: the modules under functions/ register theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from crosstrail.engines.sql import types
from crosstrail.engines.sql.casts import cast
from crosstrail.engines.sql.expr import Expr, Refusal, derived
from crosstrail.engines.sql.types import UNKNOWN, Type, can_coerce

if TYPE_CHECKING:
    from sqlglot import exp

    from crosstrail.engines.sql.expressions import Expressions
    from crosstrail.engines.sql.scope import Scope


@dataclass(slots=True)
class FunctionCall:
    """One call of a function: arguments as written, compiled when asked for, since lambdas need their types first."""

    name: str
    nodes: list[exp.Expr]
    compiler: Expressions
    scope: Scope
    _compiled: dict[int, Expr] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.nodes)

    def arg(self, index: int) -> Expr:
        if index not in self._compiled:
            self._compiled[index] = self.compiler.compile(self.nodes[index], self.scope)
        return self._compiled[index]

    def args(self) -> list[Expr]:
        return [self.arg(index) for index in range(len(self.nodes))]

    def need(self, min_count: int, max_count: int = -1) -> None:
        """Raises Refusal unless the number of arguments fits."""
        max_count = min_count if max_count < 0 else max_count
        if not min_count <= len(self.nodes) <= max_count:
            wanted = str(min_count) if min_count == max_count else f"{min_count} to {max_count}"
            raise Refusal(f"{self.name} takes {wanted} arguments, not {len(self.nodes)}")

    def lambda_(self, index: int, kinds: list[Type]) -> tuple[str, Expr]:
        """The lambda at `index` for parameters of these types: DuckDB's `lambda p1, p2:` and the body."""
        return self.compiler.lambda_(self.nodes[index], kinds, self.scope)

    def array(self, index: int = 0) -> Expr:
        found = self.arg(index)
        if found.type == UNKNOWN:
            return cast(found, types.array_of(UNKNOWN))
        if found.type.name != "array":
            raise Refusal(f"{self.name} takes an array, not {found.type}")
        return found

    def map(self, index: int = 0) -> Expr:
        found = self.arg(index)
        if found.type.name != "map":
            raise Refusal(f"{self.name} takes a map, not {found.type}")
        return found


Handler = Callable[[FunctionCall], Expr]
FUNCTIONS: dict[str, Handler] = {}
"""Scalar functions by lower-case name."""
REFUSED_BY_NAME: set[str] = set()

_NAMED = {
    str(kind): kind
    for kind in (
        types.BOOLEAN, types.TINYINT, types.SMALLINT, types.INTEGER, types.BIGINT, types.REAL, types.DOUBLE, types.VARCHAR,
        types.VARBINARY, types.JSON, types.DATE, types.IPADDRESS, types.DAY_TIME, types.YEAR_MONTH,
    )
}  # fmt: skip
_NAMED["interval"] = types.DAY_TIME


def function(*names: str) -> Callable[[Handler], Handler]:
    """Registers a handler under its names."""

    def register(handler: Handler) -> Handler:
        for name in names:
            FUNCTIONS[name] = handler
        return handler

    return register


def refused(reason: str, hint: str, *names: str) -> None:
    """Registers names that people try and that cannot be answered right."""

    def handle(call: FunctionCall) -> Expr:
        raise Refusal(f"{call.name} {reason}", hint)

    for name in names:
        FUNCTIONS[name] = handle
        REFUSED_BY_NAME.add(name)


def simple(table: Mapping[str, str]) -> None:
    """Registers `name(type, ...) -> type` with a template of DuckDB SQL; `{0}` is the first argument.

    Overloads of one name are tried in order: first those that fit exactly, then those that Trino would coerce to.
    """
    grouped: dict[str, list[tuple[tuple[Type, ...], Type, str]]] = {}
    for signature, template in table.items():
        head, result = signature.split(" -> ")
        name, _, inside = head.partition("(")
        kinds = tuple(_NAMED[text.strip()] for text in inside.rstrip(")").split(",") if text.strip())
        grouped.setdefault(name, []).append((kinds, _NAMED[result], template))
    for name, overloads in grouped.items():
        FUNCTIONS[name] = _overloaded(overloads)


def _overloaded(overloads: list[tuple[tuple[Type, ...], Type, str]]) -> Handler:
    def handle(call: FunctionCall) -> Expr:
        args = call.args()
        fitting = [one for one in overloads if len(one[0]) == len(args)]
        exact = [one for one in fitting if all(a.type == k for a, k in zip(args, one[0], strict=True))]
        loose = [one for one in fitting if all(can_coerce(a.type, k) for a, k in zip(args, one[0], strict=True))]
        for kinds, result, template in exact + loose:
            ready = [cast(arg, kind) for arg, kind in zip(args, kinds, strict=True)]
            return derived(f"({template.format(*(arg.sql for arg in ready))})", result, *ready)
        given = ", ".join(str(arg.type) for arg in args)
        wanted = "; ".join(f"{call.name}({', '.join(map(str, kinds))})" for kinds, _, _ in overloads[:4])
        raise Refusal(f"{call.name} does not take ({given})", f"It takes {wanted}.")

    return handle


@cache
def all_functions() -> dict[str, Handler]:
    """The whole list; loading it takes a few milliseconds, once."""
    from crosstrail.engines.sql import functions

    functions.load()
    return FUNCTIONS


def answered() -> frozenset[str]:
    """The names of functions that are answered; a few others are registered only to be refused with a better sentence."""
    return frozenset(all_functions()) - REFUSED_BY_NAME
