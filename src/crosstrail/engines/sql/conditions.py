"""BETWEEN, IN, LIKE, CASE and IF: nodes that test a value, or choose by a test.

Decides which comparison each stands for. It never decides what a comparison means: operators.py does.
"""

from __future__ import annotations

from sqlglot import exp

from crosstrail.engines.sql import operators
from crosstrail.engines.sql.casts import unify
from crosstrail.engines.sql.compiler import Compiler
from crosstrail.engines.sql.expr import Expr, Refusal, boolean, derived, null
from crosstrail.engines.sql.functions import strings
from crosstrail.engines.sql.scope import Scope
from crosstrail.engines.sql.types import BOOLEAN

_MAX_IN_TURN = 100


def between(compiler: Compiler, node: exp.Between, scope: Scope) -> Expr:
    value, low, high = (compiler.compile(node.args[name], scope) for name in ("this", "low", "high"))
    lower, upper = operators.compare(">=", value, low), operators.compare("<=", value, high)
    return connected(compiler, "AND", [lower, upper], scope)


def in_(compiler: Compiler, node: exp.In, scope: Scope) -> Expr:
    value = compiler.compile(node.this, scope)
    if node.args.get("query"):
        return compiler.relations.in_query(value, node.args["query"], scope)
    items = [operators.matched(value, compiler.compile(item, scope)) for item in node.expressions]
    if not items:
        raise Refusal("IN needs at least one value")
    kinds = {str(left.type) for left, _ in items}
    lazy = scope.trying and any(right.value is None for _, right in items)
    if len(kinds) == 1 and not value.type.args and value.type.name not in ("double", "real") and not lazy:
        listed = ", ".join(right.sql for _, right in items)
        return derived(f"({items[0][0].sql} IN ({listed}))", BOOLEAN, *(part for pair in items for part in pair))
    equal = [operators.compare("=", left, right) for left, right in items]
    return connected(compiler, "OR", equal, scope)


def connected(compiler: Compiler, word: str, parts: list[Expr], scope: Scope) -> Expr:
    """The conditions joined by AND or OR. Inside TRY one after the other, as Trino does: what an operand settles, a failure
    of a later one does not change; DuckDB computes them in an order of its own."""
    if not scope.trying:
        return derived(f"({f' {word} '.join(part.sql for part in parts)})", BOOLEAN, *parts)
    if len(parts) > _MAX_IN_TURN:
        raise Refusal(
            f"TRY takes at most {_MAX_IN_TURN} conditions joined by {word} here", "Use TRY around single operands."
        )
    settled = "false" if word == "AND" else "true"
    result = parts[-1]
    for part in reversed(parts[:-1]):
        sql = f"(CASE WHEN {part.sql} = {settled} THEN {settled} ELSE ({part.sql} {word} {result.sql}) END)"
        result = derived(compiler.parts.hold(sql), BOOLEAN, part, result)
    return result


def like(compiler: Compiler, node: exp.Like, scope: Scope, escaped_by: Expr | None = None) -> Expr:
    value, pattern = compiler.compile(node.this, scope), compiler.compile(node.expression, scope)
    found = strings.like(value, pattern, escaped_by)
    return derived(f"(NOT {found.sql})", BOOLEAN, found) if node.args.get("negate") else found


def escape(compiler: Compiler, node: exp.Escape, scope: Scope) -> Expr:
    if not isinstance(node.this, exp.Like):
        raise Refusal("ESCAPE belongs to LIKE")
    return like(compiler, node.this, scope, compiler.compile(node.expression, scope))


def case(compiler: Compiler, node: exp.Case, scope: Scope) -> Expr:
    subject = compiler.compile(node.this, scope) if node.this else None
    tests, results = [], []
    for branch in node.args["ifs"]:
        test = compiler.compile(branch.this, scope)
        tests.append(operators.compare("=", subject, test) if subject else boolean(test, "a WHEN"))
        results.append(compiler.compile(branch.args["true"], scope))
    default = node.args.get("default")
    results.append(compiler.compile(default, scope) if default else null())
    results = unify(results, "the branches of CASE")
    whens = " ".join(f"WHEN {test.sql} THEN {r.sql}" for test, r in zip(tests, results, strict=False))
    return derived(f"(CASE {whens} ELSE {results[-1].sql} END)", results[0].type, *tests, *results)


def if_(compiler: Compiler, node: exp.If, scope: Scope) -> Expr:
    condition = boolean(compiler.compile(node.this, scope), "the condition of IF")
    otherwise = node.args.get("false")
    yes, no = unify(
        [compiler.compile(node.args["true"], scope), compiler.compile(otherwise, scope) if otherwise else null()],
        "IF's results",
    )
    return derived(f"(CASE WHEN {condition.sql} THEN {yes.sql} ELSE {no.sql} END)", yes.type, condition, yes, no)
