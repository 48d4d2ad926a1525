"""BETWEEN, IN, LIKE, CASE and IF: nodes that test a value, or choose by a test.

Decides which comparison each stands for. It never decides what a comparison means: operators.py does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from crosstrail.engines.dialect import operators
from crosstrail.engines.dialect.casts import unify
from crosstrail.engines.dialect.expr import Expr, Refusal, boolean, derived, null
from crosstrail.engines.dialect.functions import strings
from crosstrail.engines.dialect.scope import Scope
from crosstrail.engines.dialect.types import BOOLEAN

if TYPE_CHECKING:
    from crosstrail.engines.dialect.expressions import Expressions


def between(compiler: Expressions, node: exp.Between, scope: Scope) -> Expr:
    value, low, high = (compiler.compile(node.args[name], scope) for name in ("this", "low", "high"))
    least, most = operators.compare(">=", value, low), operators.compare("<=", value, high)
    return derived(f"({least.sql} AND {most.sql})", BOOLEAN, least, most)


def in_(compiler: Expressions, node: exp.In, scope: Scope) -> Expr:
    value = compiler.compile(node.this, scope)
    if node.args.get("query"):
        return compiler.relations.in_query(value, node.args["query"], scope)
    items = [operators.matched(value, compiler.compile(item, scope)) for item in node.expressions]
    if not items:
        raise Refusal("IN needs at least one value")
    kinds = {str(left.type) for left, _ in items}
    if len(kinds) == 1 and not value.type.args and value.type.name not in ("double", "real"):
        listed = ", ".join(right.sql for _, right in items)
        return derived(f"({items[0][0].sql} IN ({listed}))", BOOLEAN, *(part for pair in items for part in pair))
    equal = [operators.compare("=", left, right) for left, right in items]
    return derived(f"({' OR '.join(part.sql for part in equal)})", BOOLEAN, *equal)


def like(compiler: Expressions, node: exp.Like, scope: Scope, escaped_by: Expr | None = None) -> Expr:
    value, pattern = compiler.compile(node.this, scope), compiler.compile(node.expression, scope)
    found = strings.like(value, pattern, escaped_by)
    return derived(f"(NOT {found.sql})", BOOLEAN, found) if node.args.get("negate") else found


def escape(compiler: Expressions, node: exp.Escape, scope: Scope) -> Expr:
    if not isinstance(node.this, exp.Like):
        raise Refusal("ESCAPE belongs to LIKE")
    return like(compiler, node.this, scope, compiler.compile(node.expression, scope))


def case(compiler: Expressions, node: exp.Case, scope: Scope) -> Expr:
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


def if_(compiler: Expressions, node: exp.If, scope: Scope) -> Expr:
    condition = boolean(compiler.compile(node.this, scope), "the condition of IF")
    otherwise = node.args.get("false")
    yes, no = unify(
        [compiler.compile(node.args["true"], scope), compiler.compile(otherwise, scope) if otherwise else null()],
        "IF's results",
    )
    return derived(f"(CASE WHEN {condition.sql} THEN {yes.sql} ELSE {no.sql} END)", yes.type, condition, yes, no)
