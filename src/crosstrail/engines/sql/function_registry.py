"""What compiles a call of each function of the table: a template of DuckDB SQL, or a handler that functions/ registers.

Decides which overload of a template a call means. Which functions there are is decided by function_table.txt alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from crosstrail.engines.sql import types
from crosstrail.engines.sql.casts import cast
from crosstrail.engines.sql.compiler import Compiler
from crosstrail.engines.sql.expr import Expr, Refusal, derived, failure, unsure
from crosstrail.engines.sql.function_table import Signature, TrinoFunction, function_table
from crosstrail.engines.sql.types import UNKNOWN, Type, can_coerce

if TYPE_CHECKING:
    from crosstrail.engines.sql.scope import Scope


@dataclass(slots=True)
class FunctionCall:
    """One call of a function: arguments as written, compiled when asked for, since lambdas need their types first."""

    name: str
    nodes: list[exp.Expr]
    compiler: Compiler
    scope: Scope
    _compiled: dict[int, Expr] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.nodes)

    def arg(self, index: int) -> Expr:
        if index not in self._compiled:
            self._compiled[index] = self.compiler.compile(self.nodes[index], self.scope)
        return self._compiled[index]

    def typed(self, index: int = 0) -> Expr:
        """An argument that is not a bare NULL: of which overload that is an argument, Trino does not decide here either."""
        found = self.arg(index)
        if found.type == UNKNOWN:
            raise Refusal(f"{self.name} of NULL needs a type", "Write CAST(NULL AS varchar).")
        return found

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

    def unpacked(self, index: int, fields: dict[str, Type]) -> tuple[str, Expr]:
        """The lambda at `index` as one over a struct with these fields, one for each parameter: the struct's name in SQL, and
        the body."""
        node = self.nodes[index]
        if not isinstance(node, exp.Lambda) or len(node.expressions) != len(fields):
            raise Refusal(f"{self.name} takes a lambda with {len(fields)} parameters")
        names = [parameter.name.lower() for parameter in node.expressions]
        packed = f"p{self.scope.next_parameter()}"
        variables = {
            name: Expr(f"struct_extract({packed}, '{field}')", kind)
            for name, (field, kind) in zip(names, fields.items(), strict=True)
        }
        inner = replace(self.scope.with_variables(variables), aggregates=False, windows=False)
        body = self.compiler.compile(node.this, inner)
        self.compiler.parts.keep_inside(body.sql, [packed])
        return packed, body

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
Writer = Callable[[str, Signature], str]
HANDLERS: dict[str, Handler] = {}

_NAMED = {
    str(kind): kind
    for kind in (
        types.BOOLEAN, types.TINYINT, types.SMALLINT, types.INTEGER, types.BIGINT, types.REAL, types.DOUBLE, types.VARCHAR,
        types.VARBINARY, types.JSON, types.DATE, types.IPADDRESS, types.DAY_TIME, types.YEAR_MONTH,
    )
}  # fmt: skip
_NOT_RUN = "{fail[this is not run here]}"
_NAMED["interval"] = types.DAY_TIME


def function(*names: str) -> Callable[[Handler], Handler]:
    """Registers a handler under its names; what each takes is in function_table.txt."""

    def register(handler: Handler) -> Handler:
        for name in names:
            HANDLERS[name] = handler
        return handler

    return register


def written(*names: str) -> Callable[[Writer], Writer]:
    """Registers what writes the template for a name and one of its signatures, where that is too long for the table."""

    def register(write: Writer) -> Writer:
        for name in names:
            signatures = function_table()[name].signatures
            HANDLERS[name] = _template([replace(one, template=write(name, one)) for one in signatures])
        return write

    return register


def _refused(one: TrinoFunction) -> Handler:
    """Refused here. For an engine elsewhere that has it, all that counts is the type."""
    typed = _template([replace(signature, template=_NOT_RUN) for signature in one.elsewhere])

    def handle(call: FunctionCall) -> Expr:
        if not call.compiler.elsewhere or not one.elsewhere:
            raise Refusal(f"{call.name} {one.refusal}", one.instead)
        if not one.aggregates:
            return typed(call)
        if not call.scope.aggregates:
            raise Refusal(f"the aggregate {call.name} cannot stand here")
        inside = replace(call.scope, aggregates=False, windows=False)
        found = typed(FunctionCall(call.name, call.nodes, call.compiler, inside))
        return replace(found, free=frozenset(), aggregated=True)

    return handle


class _Failing:
    """`{fail[words]}` of a template: SQL of the result's type that fails with these words."""

    def __init__(self, write: Callable[[str, Type], str], kind: Type) -> None:
        self._write, self._kind = write, kind

    def __getitem__(self, words: str) -> str:
        return self._write(words, self._kind)


def _template(signatures: list[Signature]) -> Handler:
    """Overloads are tried in order: first those that fit exactly, then those that Trino would coerce to."""
    overloads = [
        (tuple(_NAMED[kind] for kind in signature.parameters), _NAMED[signature.result], signature.template)
        for signature in signatures
    ]

    def handle(call: FunctionCall) -> Expr:
        args = call.args()
        fitting = [one for one in overloads if len(one[0]) == len(args)]
        exact = [one for one in fitting if all(a.type == k for a, k in zip(args, one[0], strict=True))]
        loose = [one for one in fitting if all(can_coerce(a.type, k) for a, k in zip(args, one[0], strict=True))]
        for kinds, result, template in exact + loose:
            ready = [cast(arg, kind) for arg, kind in zip(args, kinds, strict=True)]
            failing = {"fail": _Failing(failure, result), "doubt": _Failing(unsure, result)}
            return derived(f"({template.format(*(arg.sql for arg in ready), **failing)})", result, *ready)
        given = ", ".join(str(arg.type) for arg in args)
        wanted = "; ".join(f"{call.name}({', '.join(map(str, kinds))})" for kinds, _, _ in overloads[:4])
        raise Refusal(f"{call.name} does not take ({given})", f"It takes {wanted}.")

    return handle


def handlers() -> dict[str, Handler]:
    """Of every scalar function of the table, by lower-case name, once those of functions/ are registered."""
    found: dict[str, Handler] = {}
    for name, one in function_table().items():
        if one.refusal:
            found[name] = _refused(one)
        elif one.kind == "scalar":
            found[name] = HANDLERS[name] if one.way == "rewritten" else _template(one.signatures)
    return found
