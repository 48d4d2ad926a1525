"""UNION, INTERSECT and EXCEPT: the columns of two queries in their common types.

Decides the types of the result, two queries at a time as Trino does: in a chain a value may pass a type of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import zip_longest

from sqlglot import exp

from crosstrail.engines.sql.canonical import holds_map
from crosstrail.engines.sql.compiler import Compiler
from crosstrail.engines.sql.expr import Refusal, rejected
from crosstrail.engines.sql.queries import Query, retyped
from crosstrail.engines.sql.types import Type, common

_WORDS: dict[type, str] = {exp.Union: "UNION", exp.Except: "EXCEPT", exp.Intersect: "INTERSECT"}


def chain(compiler: Compiler, steps: list[exp.SetOperation], query: Callable[[exp.Expr], Query]) -> Query:
    """What the steps give, each over what the one before it gives; the first brings its left side. Raises SqlRejected."""
    result, before = query(steps[0].left), ""
    branches: list[str] = []
    for step in steps:
        right = query(step.right)
        try:
            columns = _columns(_WORDS[type(step)], result, right)
            kinds, compared = [kind for _, kind in columns], bool(step.args.get("distinct"))
            compiler.need_comparable(kinds if compared else [], "a set operation")
        except Refusal as refusal:
            raise rejected(refusal, step, compiler.place) from None
        words = f"{_WORDS[type(step)]}{'' if compared else ' ALL'}"
        retype = partial(retyped, kinds=kinds, name=compiler.name("r"), compared=compared)
        same = words == before and [kind for _, kind in result.columns] == kinds
        if not (same and isinstance(step, exp.Union) and not (compared and any(map(holds_map, kinds)))):
            branches = [f"({retype(replace(result, sql=_written(compiler, branches, before) or result.sql))})"]
        branches.append(f"({retype(right)})")
        result, before = replace(result, columns=columns), words
    return replace(result, sql=_written(compiler, branches, before))


def _written(compiler: Compiler, branches: list[str], words: str) -> str:
    """The branches as a tree of pairs: DuckDB plans a chain that is as deep as it is long in the square of its length."""
    while len(branches) > 1:
        pairs = zip_longest(branches[::2], branches[1::2])
        branches = [
            compiler.parts.hold(f"({one} {words} {other})", fixed=True) if other else one for one, other in pairs
        ]
    return f"SELECT * FROM {branches[0]}" if branches else ""  # noqa: S608 - our own text


def _columns(word: str, left: Query, right: Query) -> tuple[tuple[str, Type], ...]:
    if len(left.columns) != len(right.columns):
        raise Refusal(f"{word} needs as many columns on the right: {len(left.columns)}, not {len(right.columns)}")
    columns = []
    for index, ((name, one), (_, other)) in enumerate(zip(left.columns, right.columns, strict=True)):
        kind = common(one, other)
        if kind is None:
            raise Refusal(f"column {index + 1} is {one} on the left and {other} on the right", "CAST them to one type.")
        columns.append((name, kind))
    return tuple(columns)
