"""GROUP BY: expressions, places in the output, GROUPING SETS, CUBE and ROLLUP.

Decides which expressions rows are grouped by; whether the rest of the SELECT fits is checked by relations.py.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from crosstrail.engines.sql.canonical import canonical
from crosstrail.engines.sql.compiler import Compiler
from crosstrail.engines.sql.expr import Refusal, rejected
from crosstrail.engines.sql.scope import Scope

_MAX_SETS = 256
_SETS: dict[type, str] = {exp.GroupingSets: "GROUPING SETS", exp.Cube: "CUBE", exp.Rollup: "ROLLUP"}


def grouping(
    compiler: Compiler, node: exp.Group | None, projected: list[tuple[exp.Expr, str]], scope: Scope
) -> tuple[str | None, frozenset[str] | None]:
    """The clause (None without one) and the keys of what is grouped by (None without a clause)."""
    if node is None:
        return None, None
    unknown = {key for key, value in node.args.items() if value} - {"expressions"}
    if unknown:
        raise rejected(
            Refusal("this GROUP BY is not supported here", "Write GROUP BY with expressions."), node, compiler.place
        )
    seen: set[str] = set()

    def one(part: exp.Expr) -> str:
        place = _place(compiler, part, projected)
        compiled = (
            canonical(compiler.compile(part, scope))
            if place is None
            else compiler.compile_group(projected[place][0], scope)
        )
        compiler.need_comparable([compiled.type], "GROUP BY")
        seen.add(compiler.parts.key(compiled.sql))
        return compiled.sql if place is None else str(place + 1)

    def several(part: exp.Expr) -> str:
        inside = part.expressions if isinstance(part, exp.Tuple) else [part.unnest()]
        for each in inside:
            if not isinstance(each, (exp.Column, exp.Dot)):
                refusal = Refusal("grouping sets take columns alone", "Compute the expression in a WITH query first.")
                raise rejected(refusal, each, compiler.place)
        return f"({', '.join(one(each) for each in inside)})"

    pieces, sets = [], 1
    for part in node.expressions:
        word = _SETS.get(type(part))
        if word:
            entries = len(part.expressions)
            sets *= 2**entries if word == "CUBE" else entries + 1
            if sets > _MAX_SETS:
                raise rejected(Refusal(f"GROUP BY makes at most {_MAX_SETS} grouping sets here"), part, compiler.place)
            pieces.append(f"{word} ({', '.join(several(each) for each in part.expressions)})")
        else:
            pieces.append(_plain(one, part))
    return f"GROUP BY {', '.join(pieces)}", frozenset(seen)


def _plain(one: Callable[[exp.Expr], str], part: exp.Expr) -> str:
    inside = part.expressions if isinstance(part, exp.Tuple) else [part]
    return ", ".join(one(each) for each in inside) if inside else "()"


def _place(compiler: Compiler, node: exp.Expr, projected: list[tuple[exp.Expr, str]]) -> int | None:
    """The output column, from 0, that a whole number stands for; None for anything else."""
    if not isinstance(node, exp.Literal) or node.is_string:
        return None
    place = int(node.this) if str(node.this).isdigit() else 0
    if not 1 <= place <= len(projected) or projected[place - 1][0].find(exp.Star):
        raise rejected(Refusal(f"there is no output column {node.this}"), node, compiler.place)
    return place - 1
