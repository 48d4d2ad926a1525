"""CAST and TRY_CAST as they are written: the type named, its length, and which failures become NULL.

Decides nothing about values: casts.py does.
"""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from crosstrail.engines.sql import literals, trying
from crosstrail.engines.sql.casts import cast
from crosstrail.engines.sql.compiler import Compiler
from crosstrail.engines.sql.expr import Expr, derived, require
from crosstrail.engines.sql.json_casts import from_json
from crosstrail.engines.sql.scope import Scope
from crosstrail.engines.sql.types import JSON, VARCHAR


def written_cast(compiler: Compiler, node: exp.Cast, scope: Scope) -> Expr:
    """CAST, TRY_CAST and TYPE '...'."""
    source = node.this
    if literals.is_typed_literal(node):
        return literals.moment(source.name, node.to)
    target = literals.type_of(node.to)
    tried = type(node) is not exp.Cast
    operand = compiler.compile(source, scope)
    apart = tried and not trying.cannot_fail(source)
    value = replace(operand, sql=trying.VALUE, instant="", zone="") if apart else operand
    if target.name == value.type.name == "timestamptz":
        target = replace(target, zone=value.type.zone)
    if value.type == JSON and compiler.parses_json and target != JSON:
        result = from_json(value, target, sorted_keys=True)
    else:
        result = cast(value, target)
    if width := literals.varchar_width(node.to):
        cut = f"left({result.sql}, {width})"
        if value.type != VARCHAR:
            cut = require(f"length({result.sql}) > {width}", f"a value does not fit varchar({width})", cut, VARCHAR)
        result = derived(cut, VARCHAR, result)
    if tried:
        result = trying.tried(result)
    if apart:
        result = trying.apart(operand, result)
    return result if result is not value else replace(value, name="", value=None)
