"""Compiles one expression: every kind of node that is allowed, and nothing else.

Decides what may stand in an expression and which type it has. A node without a method here is refused, so whatever the
parser may understand beyond Trino's SELECT never reaches DuckDB.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from crosstrail.engines.sql import conditions, literals, operators, written_casts
from crosstrail.engines.sql.aggregates import AGGREGATES, aggregate
from crosstrail.engines.sql.canonical import canonical
from crosstrail.engines.sql.casts import coerce, unify
from crosstrail.engines.sql.expr import (
    Expr,
    Place,
    Refusal,
    boolean,
    derived,
    null,
    rejected,
    too_complex,
)
from crosstrail.engines.sql.function_registry import FunctionCall
from crosstrail.engines.sql.function_table import answered
from crosstrail.engines.sql.functions import all_functions
from crosstrail.engines.sql.functions.collections import subscript
from crosstrail.engines.sql.functions.sql_json import sql_json
from crosstrail.engines.sql.functions.strings import substring, trim
from crosstrail.engines.sql.functions.times import extract, in_zone
from crosstrail.engines.sql.hints import field_hint, function_hint, no_field_hint
from crosstrail.engines.sql.nodes import unread
from crosstrail.engines.sql.scope import Scope
from crosstrail.engines.sql.sql_json_syntax import SqlJson
from crosstrail.engines.sql.subexpressions import Subexpressions
from crosstrail.engines.sql.trino_versions import DEFAULT_TRINO
from crosstrail.engines.sql.types import (
    BIGINT,
    BOOLEAN,
    UNKNOWN,
    VARCHAR,
    Type,
    array_of,
    duck,
    holds_json,
    is_comparable,
    row_of,
    timestamp_of,
    zoned,
)
from crosstrail.engines.sql.windows import window

if TYPE_CHECKING:
    from crosstrail.engines.sql.compiler import QueryCompiler

_MAX_NODES = 12_000
"""Expressions that are compiled for one statement; where types are inferred twice, one node counts twice."""
_LEFT_TO_RIGHT: dict[type, str] = {
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.Div: "/",
    exp.Mod: "%",
    exp.DPipe: "||",
}
_MAX_CHAIN = 450
"""Operators in a row: DuckDB's parser takes expressions that are 1,000 deep, and counts each twice."""
_UNTYPED = frozenset({"lower", "upper", "concat", "reverse", "substr", "json_extract_scalar", "sum", "avg"})
"""Functions for which Trino chooses an unexpected overload, or none, for a NULL without a type."""
_COMPARISON: dict[type, str] = {exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="}


class Expressions:
    """The expressions of one statement. `now` is the statement's one moment."""

    def __init__(
        self, place: Place, now: datetime, trino_version: int = DEFAULT_TRINO, *, elsewhere: bool = False
    ) -> None:
        self.place = place
        self.now = now
        self.trino_version = trino_version
        self.elsewhere = elsewhere
        self.relations: QueryCompiler
        self.parts = Subexpressions()
        self.parses_json = False
        """Whether json_parse was used: its keys are sorted in Trino and not here, so such json is never shown whole."""
        self.taken_for: dict[tuple[int, int], set[str]] = {}
        """Literals, by their place in the text that was parsed, which are read as something else; and as what."""
        self.compares_json = False
        """Whether json is told apart from json, which for json that was parsed would be wrong."""
        self._names = 0
        self._nodes = 0
        self._grouped: dict[int, Expr] = {}

    def name(self, prefix: str) -> str:
        """A name nobody else has in this statement."""
        self._names += 1
        return f"{prefix}{self._names}"

    def compile(self, node: exp.Expr, scope: Scope) -> Expr:
        """Raises SqlRejected with the node's line and column."""
        if known := self._grouped.pop(id(node), None):
            return known
        try:
            self._nodes += 1
            if self._nodes > _MAX_NODES:
                raise too_complex()
            return self._bound(self._node(node, scope), scope)
        except Refusal as refusal:
            raise rejected(refusal, node, self.place) from None

    def need_comparable(self, kinds: list[Type], what: str) -> None:
        """Raises Refusal for types whose values cannot be told apart."""
        self.compares_json = self.compares_json or any(map(holds_json, kinds))
        for kind in kinds:
            if not is_comparable(kind):
                raise Refusal(f"{what} cannot compare {kind}")

    def compile_group(self, node: exp.Expr, scope: Scope) -> Expr:
        """An output column that rows are grouped by; the next `compile` of the node gives it again."""
        result = canonical(self.compile(node, scope))
        self._grouped[id(node)] = replace(result, free=frozenset(), instant="", zone="")
        return result

    def grouped(self, value: Expr, scope: Scope) -> Expr:
        """What rows are grouped by, as it was written there; any other value as it is."""
        same = canonical(value)
        if scope.groups is not None and value.free and self.parts.key(same.sql) in scope.groups:
            return replace(same, free=frozenset(), instant="", zone="")
        return value

    def _bound(self, result: Expr, scope: Scope) -> Expr:
        result = self.grouped(result, scope)
        free = result.free
        sql = self.parts.hold(result.sql)
        if sql is result.sql and free is result.free and not result.instant:
            return result
        instant, zone = (self.parts.hold(each) if each else "" for each in (result.instant, result.zone))
        return replace(result, sql=sql, free=free, instant=instant, zone=zone)

    def _node(self, node: Any, scope: Scope) -> Expr:
        kind: type = type(node)
        if kind in _LEFT_TO_RIGHT:
            return self._chain(node, scope)
        if kind in _COMPARISON:
            return self._comparison(_COMPARISON[kind], node, scope)
        if kind in (exp.And, exp.Or):
            return self._connected(node, scope)
        method = _METHODS.get(kind)
        if method is None:
            raise Refusal(f"{kind.__name__} is not supported here")
        unknown = unread(node)
        if unknown:
            raise Refusal(f"{', '.join(sorted(unknown))} is not supported here")
        return method(self, node, scope)

    def _chain(self, node: Any, scope: Scope) -> Expr:
        """Operators that are taken from left to right, without recursion on the left: a long list added up is as deep."""
        steps = [node]
        while type(node.this) in _LEFT_TO_RIGHT and len(steps) <= _MAX_CHAIN:
            steps.append(node := node.this)
        if len(steps) > _MAX_CHAIN:
            raise Refusal(f"at most {_MAX_CHAIN} operators stand in a row here", "Put some of them in parentheses.")
        result = self.compile(node.this, scope)
        for step in reversed(steps):
            right = self.compile(step.expression, scope)
            try:
                if isinstance(step, exp.DPipe):
                    result = operators.concatenate(result, right)
                else:
                    result = operators.arithmetic(_LEFT_TO_RIGHT[type(step)], result, right, self.trino_version)
            except Refusal as refusal:
                raise rejected(refusal, step, self.place) from None
            result = self._bound(result, scope)
        return result

    def _connected(self, node: Any, scope: Scope) -> Expr:
        """AND and OR chains, without recursion on the left: long lists of conditions are common."""
        word = "AND" if isinstance(node, exp.And) else "OR"
        operands: list[exp.Expr] = []
        while type(node) is (exp.And if word == "AND" else exp.Or):
            operands.append(node.right)
            node = node.left
        parts = [boolean(self.compile(each, scope), f"an operand of {word}") for each in [node, *reversed(operands)]]
        return conditions.connected(self, word, parts, scope)

    def _comparison(self, sign: str, node: Any, scope: Scope) -> Expr:
        left, right = node.left, node.right
        if isinstance(right, (exp.Any, exp.All)):
            return self.relations.quantified(sign, self.compile(left, scope), right, scope)
        return operators.compare(sign, self.compile(left, scope), self.compile(right, scope))

    def _column(self, node: Any, scope: Scope) -> Expr:
        names: list[str] = []
        current = node
        while isinstance(current, exp.Dot) and isinstance(current.expression, exp.Identifier):
            names.insert(0, current.expression.name)
            current = current.this
        if isinstance(current, exp.Identifier):
            found, used = scope.resolve([current.name, *names], quoted=bool(current.args.get("quoted")))
            rest = [current.name, *names][used:]
        elif isinstance(current, exp.Column) and not isinstance(current.this, exp.Star):
            parts = [part.name for part in current.parts] + names
            found, used = scope.resolve(parts, quoted=bool(current.parts[0].args.get("quoted")))
            rest = parts[used:]
        elif isinstance(current, exp.Dot):
            raise Refusal("a function cannot have a schema before its name here", "Write the name alone.")
        else:
            found, rest = self.compile(current, scope), names
        for name in rest:
            found = self._field(found, name)
        named = isinstance(current, (exp.Identifier, exp.Column))
        return found if named else replace(found, name="")  # x[1].arn has no name, as in Trino

    def _field(self, value: Expr, name: str) -> Expr:
        if value.type.name != "row":
            raise Refusal(f"{value.type} has no field {name[:60]}", no_field_hint(value.type))
        for key, written, kind in zip(value.type.keys, value.type.fields, value.type.args, strict=True):
            if written.lower() == name.lower() and written:
                return replace(derived(f"struct_extract({value.sql}, '{key}')", kind, value), name=name)
        raise Refusal(f"this row has no field {name[:60]}", field_hint(name, value.type))

    def _paren(self, node: exp.Paren, scope: Scope) -> Expr:
        return replace(self.compile(node.this, scope), name="")

    def _literal(self, node: exp.Literal, scope: Scope) -> Expr:
        return replace(literals.literal(node), read_as=self._reading(node))

    def _reading(self, node: exp.Expr) -> Callable[[str], None]:
        """Notes what a literal is taken for; twice in two ways is for `taken_for` to tell."""
        place = (node.meta.get("start", -1), node.meta.get("end", -1) + 1)
        return lambda sql: self.taken_for.setdefault(place, set()).add(sql)

    def _boolean(self, node: exp.Boolean, scope: Scope) -> Expr:
        return Expr("true" if node.this else "false", BOOLEAN, read_as=self._reading(node))

    def _null(self, node: exp.Null, scope: Scope) -> Expr:
        return null()

    def _not(self, node: exp.Not, scope: Scope) -> Expr:
        if isinstance(node.this, exp.Is) and isinstance(node.this.expression, exp.Null):
            operand = self.compile(node.this.this, scope)
            return derived(f"({operand.sql} IS NOT NULL)", BOOLEAN, operand)
        operand = boolean(self.compile(node.this, scope), "the operand of NOT")
        return derived(f"(NOT {operand.sql})", BOOLEAN, operand)

    def _is(self, node: exp.Is, scope: Scope) -> Expr:
        if not isinstance(node.expression, exp.Null):
            raise Refusal("IS takes NULL or DISTINCT FROM here", "Compare with = true, for instance.")
        operand = self.compile(node.this, scope)
        return derived(f"({operand.sql} IS NULL)", BOOLEAN, operand)

    def _distinct_from(self, node: Any, scope: Scope) -> Expr:
        left, right = self.compile(node.this, scope), self.compile(node.expression, scope)
        return operators.distinct_from(left, right, negated=isinstance(node, exp.NullSafeEQ))

    def _interval(self, node: exp.Interval, scope: Scope) -> Expr:
        return literals.interval(node)

    def _hex(self, node: exp.HexString, scope: Scope) -> Expr:
        return literals.binary(node)

    def _array(self, node: exp.Array, scope: Scope) -> Expr:
        items = unify([self.compile(item, scope) for item in node.expressions], "the array")
        kind = items[0].type if items else UNKNOWN
        return derived(f"CAST([{', '.join(item.sql for item in items)}] AS {duck(kind)}[])", array_of(kind), *items)

    def row(self, nodes: list[exp.Expr], scope: Scope) -> Expr:
        """ROW(...) and (a, b)."""
        items = [self.compile(item, scope) for item in nodes]
        packed = ", ".join(f"f{index} := {item.sql}" for index, item in enumerate(items))
        return derived(f"struct_pack({packed})", row_of([item.type for item in items]), *items)

    def _tuple(self, node: exp.Tuple, scope: Scope) -> Expr:
        return self.row(node.expressions, scope)

    def _bracket(self, node: exp.Bracket, scope: Scope) -> Expr:
        if len(node.expressions) != 1:
            raise Refusal("a subscript takes one index")
        return subscript(self.compile(node.this, scope), self.compile(node.expressions[0], scope))

    def _negative(self, node: exp.Neg, scope: Scope) -> Expr:
        if isinstance(node.this, exp.Literal) and not node.this.is_string:
            return literals.literal(node.this, negative=True)
        return operators.negate(self.compile(node.this, scope))

    def _at_zone(self, node: exp.AtTimeZone, scope: Scope) -> Expr:
        return in_zone(self.compile(node.this, scope), self.compile(node.args["zone"], scope))

    def _extract(self, node: exp.Extract, scope: Scope) -> Expr:
        return extract(node.name.lower(), self.compile(node.expression, scope))

    def _trim(self, node: exp.Trim, scope: Scope) -> Expr:
        chars = self.compile(node.expression, scope) if node.expression else None
        return trim(str(node.args.get("position") or "BOTH").upper(), self.compile(node.this, scope), chars)

    def _substring(self, node: exp.Substring, scope: Scope) -> Expr:
        parts = [self.compile(node.args[name], scope) for name in ("this", "start", "length") if node.args.get(name)]
        return substring(parts)

    def _position(self, node: exp.StrPosition, scope: Scope) -> Expr:
        text, part = (
            coerce(self.compile(node.this, scope), VARCHAR),
            coerce(self.compile(node.args["substr"], scope), VARCHAR),
        )
        return derived(f"CAST(strpos({text.sql}, {part.sql}) AS BIGINT)", BIGINT, text, part)

    def _now(self, node: Any, scope: Scope) -> Expr:
        return self.moment(type(node))

    def moment(self, kind: type[exp.Expr]) -> Expr:
        text = f"{self.now:%Y-%m-%d %H:%M:%S}.{self.now.microsecond // 1000:03d}"
        if kind is exp.CurrentDate:
            return Expr(f"DATE '{self.now:%Y-%m-%d}'", Type("date"))
        return Expr(f"TIMESTAMP '{text}'", timestamp_of(3) if kind is exp.Localtimestamp else zoned(3))

    def _subquery(self, node: exp.Subquery, scope: Scope) -> Expr:
        return self.relations.scalar(node, scope)

    def _exists(self, node: exp.Exists, scope: Scope) -> Expr:
        return self.relations.exists(node, scope)

    def _call(self, node: exp.Anonymous, scope: Scope) -> Expr:
        name = str(node.name).lower()
        if name in _UNTYPED and any(isinstance(each, exp.Null) for each in node.expressions):
            raise operators.untyped_null(name)
        if name in AGGREGATES:
            return aggregate(self, node, scope)
        handler = all_functions().get(name)
        if handler is None:
            known = sorted(answered())
            raise Refusal(f"the function {name[:60]} is not supported here", function_hint(name, known))
        return replace(handler(FunctionCall(name, list(node.expressions), self, scope)), name="")

    def lambda_(self, node: exp.Expr, kinds: list[Type], scope: Scope) -> tuple[str, Expr]:
        """DuckDB's `lambda p1, p2:` and the body, for parameters of these types."""
        if not isinstance(node, exp.Lambda):
            raise rejected(Refusal("a lambda belongs here", "Write x -> ..., for instance."), node, self.place)
        names = [parameter.name.lower() for parameter in node.expressions]
        if len(names) != len(kinds):
            raise rejected(Refusal(f"this lambda takes {len(kinds)} parameters, not {len(names)}"), node, self.place)
        first = scope.next_parameter()
        generated = [f"p{first + number}" for number in range(len(names))]
        variables = {name: Expr(sql, kind) for name, sql, kind in zip(names, generated, kinds, strict=True)}
        inner = replace(scope.with_variables(variables), aggregates=False, windows=False)
        body = self.compile(node.this, inner)
        self.parts.keep_inside(body.sql, generated)
        return f"lambda {', '.join(generated)}:", body


_METHODS: dict[type, Callable[[Expressions, Any, Scope], Expr]] = {
    exp.Column: Expressions._column,
    exp.Identifier: Expressions._column,
    exp.Dot: Expressions._column,
    exp.Paren: Expressions._paren,
    exp.Literal: Expressions._literal,
    exp.Boolean: Expressions._boolean,
    exp.Null: Expressions._null,
    exp.Not: Expressions._not,
    exp.Is: Expressions._is,
    exp.NullSafeEQ: Expressions._distinct_from,
    exp.NullSafeNEQ: Expressions._distinct_from,
    exp.Between: conditions.between,
    exp.In: conditions.in_,
    exp.Like: conditions.like,
    exp.Escape: conditions.escape,
    exp.Case: conditions.case,
    exp.If: conditions.if_,
    exp.Cast: written_casts.written_cast,
    exp.TryCast: written_casts.written_cast,
    exp.Interval: Expressions._interval,
    exp.HexString: Expressions._hex,
    exp.Array: Expressions._array,
    exp.Tuple: Expressions._tuple,
    exp.Bracket: Expressions._bracket,
    exp.Neg: Expressions._negative,
    exp.AtTimeZone: Expressions._at_zone,
    exp.Extract: Expressions._extract,
    exp.Trim: Expressions._trim,
    exp.Substring: Expressions._substring,
    exp.StrPosition: Expressions._position,
    exp.CurrentTimestamp: Expressions._now,
    exp.CurrentDate: Expressions._now,
    exp.Localtimestamp: Expressions._now,
    exp.Subquery: Expressions._subquery,
    exp.Exists: Expressions._exists,
    exp.Window: window,
    exp.Filter: aggregate,
    exp.GroupConcat: aggregate,
    exp.Anonymous: Expressions._call,
    SqlJson: sql_json,
}
