"""What of each node of a syntax tree is read when an expression is compiled.

Decides that a node which says more than that is refused: what the parser understood and nobody reads, such as a
negation kept as a flag, would change the answer in silence.
"""

from __future__ import annotations

from sqlglot import exp

from crosstrail.engines.sql.sql_json_syntax import SqlJson

_USUAL = {"this", "expression", "expressions"}
_READ: dict[type, set[str]] = {
    exp.Column: {"this", "table", "db", "catalog"},
    exp.Identifier: {"this", "quoted"},
    exp.Literal: {"this", "is_string"},
    exp.Like: {"this", "expression", "negate"},
    exp.Case: {"this", "ifs", "default"},
    exp.If: {"this", "true", "false"},
    exp.AtTimeZone: {"this", "zone"},
    exp.Substring: {"this", "start", "length"},
    exp.Subquery: {"this", "with_", "order", "limit", "offset"},
    exp.Window: {"this", "partition_by", "order", "spec", "over", "alias", "first"},
    exp.GroupConcat: {"this", "separator", "on_overflow"},
    exp.Between: {"this", "low", "high"},
    exp.In: {"this", "expressions", "query"},
    exp.Cast: {"this", "to"},
    exp.TryCast: {"this", "to", "safe", "requires_string"},
    exp.Interval: {"this", "unit"},
    exp.Array: {"expressions"},
    exp.Bracket: {"this", "expressions"},
    exp.DPipe: {"this", "expression", "safe"},
    exp.Trim: {"this", "expression", "position"},
    exp.StrPosition: {"this", "substr"},
    exp.CurrentTimestamp: set(),
    exp.Localtimestamp: set(),
    exp.CurrentDate: set(),
    exp.Exists: {"this"},
    SqlJson: set(SqlJson.arg_types),
    exp.Anonymous: {"this", "expressions"},
}


def unread(node: exp.Expr) -> set[str]:
    """The names of what the node says and nobody here reads."""
    return {name for name, value in node.args.items() if value} - _READ.get(type(node), _USUAL)
