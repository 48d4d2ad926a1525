"""Compiles queries: SELECT, set operations, WITH, joins, UNNEST, VALUES, sub-queries.

Decides which relations exist (the lake's tables of this call, and what the statement itself defines) and which columns
each has. Every name in the SQL it writes is generated, save the columns of the lake's schema.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlglot import exp

from crosstrail.engines.sql.canonical import canonical
from crosstrail.engines.sql.compiler import Compiler
from crosstrail.engines.sql.expr import Expr, Refusal, boolean, derived, moment_of, rejected
from crosstrail.engines.sql.groups import grouping
from crosstrail.engines.sql.limits import limited
from crosstrail.engines.sql.membership import against
from crosstrail.engines.sql.named_windows import with_windows_written_out
from crosstrail.engines.sql.planning import check_joined
from crosstrail.engines.sql.queries import Query, output_place, projections, renamed
from crosstrail.engines.sql.scope import Field, Scope
from crosstrail.engines.sql.set_operations import chain
from crosstrail.engines.sql.spans import Bound, bounds
from crosstrail.engines.sql.table_sources import (
    EVERY_COLUMN,
    Source,
    TablePlace,
    columns_read,
    join,
    listing,
    unnest,
    values,
)
from crosstrail.engines.sql.types import BOOLEAN, is_orderable
from crosstrail.engines.sql.versions import Versions
from crosstrail.engines.sql.zones import column_value, held

_MAX_TABLES = 50
"""DuckDB plans joins before it can be interrupted, and slowly where they are many."""
_TABLE_SIZE = 1_000
"""What a table counts of a statement's size, however many accounts it stands for."""
Resolver = Callable[[exp.Table, str], Source]
"""What a name stands for in the relation with the lake's events; raises Refusal for a name that is none of the call's tables."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What FROM may name besides the lake's tables, and the scope a sub-query stands in."""

    ctes: Mapping[str, Source]
    outer: Scope | None = None


class Relations:
    """The queries of one statement."""

    def __init__(self, expressions: Compiler, resolver: Resolver) -> None:
        self.expressions = expressions
        self._resolve = resolver
        self._environment = Environment({})
        self._tables = 0
        self._tables_read: dict[str, str] = {}
        """The mark of each table of the lake, by generated name."""
        self.versions = Versions()
        expressions.relations = self
        self.scans: dict[str, list[Bound]] = {}
        """The scans of the lake, by generated name, with what limits the event times of each."""
        self.places: list[TablePlace] = []
        """Where each of the scans is named."""

    def query(self, node: exp.Expr, environment: Environment | None = None) -> Query:
        """Raises SqlRejected."""
        before = self._environment
        self._environment = environment or before
        try:
            result = self._query(node)
            return replace(result, sql=self.expressions.parts.hold(result.sql, fixed=True))
        except Refusal as refusal:
            raise rejected(refusal, node, self.expressions.place) from None
        finally:
            self._environment = before

    def narrow(self, sql: str) -> None:
        """Gives each table of the lake the columns alone that the statement reads. `sql` is all of it, with its marks."""
        read = columns_read([sql, *self.expressions.parts.texts()])
        for name, mark in self._tables_read.items():
            self.expressions.parts.begin_anew(mark, EVERY_COLUMN, listing(read.get(name, ())))

    def _query(self, node: exp.Expr) -> Query:
        while isinstance(node, exp.Subquery) and not _modifiers(node):
            node = node.this
        prefix = self._with(node.args.get("with_"))
        if isinstance(node, exp.Select):
            result = self._select(with_windows_written_out(node))
        elif isinstance(node, exp.SetOperation):
            result = self._set_operation(node)
        elif isinstance(node, exp.Values):
            result = values(self.expressions, node, self._scope())
        elif isinstance(node, exp.Subquery):
            result = self._modified(self.query(node.this), node)
        else:
            raise Refusal("only SELECT is allowed", "Audit logs are read here, never changed.")
        return replace(result, sql=prefix + result.sql)

    def _scope(self) -> Scope:
        return Scope(parent=self._environment.outer)

    def _with(self, node: exp.With | None) -> str:
        if node is None:
            return ""
        if node.args.get("recursive"):
            raise rejected(Refusal("WITH RECURSIVE is not supported here"), node, self.expressions.place)
        parts = []
        for each in node.expressions:
            if not isinstance(each, exp.CTE) or each.args.get("materialized") is not None or each.args.get("scalar"):
                raise rejected(Refusal("this WITH is not supported here"), each, self.expressions.place)
            compiled = self.query(each.this)
            alias, name = each.args["alias"], self.expressions.name("w")
            columns = renamed(compiled.columns, [column.name for column in alias.args.get("columns") or []])
            parts.append(f"{name} AS ({compiled.sql})")
            source = Source(name, tuple(Field(n, f"c{i}", kind) for i, (n, kind) in enumerate(columns)))
            ctes = {**self._environment.ctes, alias.name.lower(): source}
            self._environment = replace(self._environment, ctes=ctes)
        return f"WITH {', '.join(parts)} "

    def _select(self, node: exp.Select) -> Query:
        _refuse_clauses(node, _SELECT_CLAUSES)
        sql_from, scope = self._from(node)
        clauses = [sql_from]
        if where := node.args.get("where"):
            test = boolean(self.expressions.compile(where.this, scope), "WHERE")
            clauses.append(f"WHERE {test.sql}")
            for column, bound in bounds(self.expressions, where.this, scope):
                self.scans.get(column.partition(".")[0], []).append(bound)
        projected = projections(node.expressions)
        group_sql, groups = grouping(self.expressions, node.args.get("group"), projected, scope)
        having = node.args.get("having")
        inner = replace(scope, groups=groups, aggregates=True, windows=True)
        columns, names = self._project(projected, inner)
        tested = (
            boolean(self.expressions.compile(having.this, replace(inner, windows=False)), "HAVING") if having else None
        )
        order_sql, keys = self._order(node.args.get("order"), inner, columns, names, bool(node.args.get("distinct")))
        aggregated = group_sql is not None or having is not None or any(part.aggregated for part in [*columns, *keys])
        if aggregated:
            self._check_groups(node, projected, columns, [*keys, *([tested] if tested else [])])
        if group_sql:
            clauses.append(group_sql)
        if tested:
            clauses.append(f"HAVING {tested.sql}")
        distinct = self._distinct(node.args.get("distinct"), columns)
        columns = [canonical(column) for column in columns] if distinct else columns
        kept = [(column.sql, column.type) if distinct else held(column) for column in columns]
        listed = ", ".join(f"{column} AS c{index}" for index, (column, _) in enumerate(kept))
        sql = f"SELECT {distinct}{listed} {' '.join(part for part in clauses if part)}{order_sql}{limited(self.expressions.compile, self.expressions.place, node)}"
        return Query(sql, tuple((name, kind) for name, (_, kind) in zip(names, kept, strict=True)))

    def _from(self, node: exp.Select) -> tuple[str, Scope]:
        first, outer = node.args.get("from_"), self._environment.outer
        if first is None:
            return "", Scope(parent=outer)
        source = self.source(first.this, Scope(parent=outer))
        sql, fields = f"FROM {source.sql}", source.fields
        check_joined(1 + len(node.args.get("joins") or []))
        joins = [*(first.this.args.get("joins") or []), *(node.args.get("joins") or [])]
        for each in [*joins, *(node.args.get("laterals") or [])]:
            if not isinstance(each, exp.Join):
                raise rejected(
                    Refusal("LATERAL VIEW is not supported here", "Write CROSS JOIN UNNEST(...)."),
                    each,
                    self.expressions.place,
                )
            try:
                sql, fields = join(self.expressions, self.source, each, sql, fields, outer)
            except Refusal as refusal:
                raise rejected(refusal, each, self.expressions.place) from None
        return sql, Scope(fields=fields, parent=outer)

    def source(self, node: exp.Expr, scope: Scope) -> Source:
        """One item of FROM, under its alias. `scope` is what UNNEST and LATERAL may read."""
        try:
            return self._source(node, scope)
        except Refusal as refusal:
            raise rejected(refusal, node, self.expressions.place) from None

    def _source(self, node: exp.Expr, scope: Scope) -> Source:
        alias = node.args.get("alias")
        wanted = [column.name for column in (alias.args.get("columns") or [])] if alias else []
        label = alias.name.lower() if alias and alias.this is not None else ""
        if isinstance(node, exp.Unnest):
            return unnest(self.expressions, node, scope, label, wanted)
        name = self.expressions.name("r")
        self._tables += 1
        if self._tables > _MAX_TABLES:
            raise Refusal(f"a statement reads at most {_MAX_TABLES} tables", "Split it.")
        if isinstance(node, exp.Table):
            own = node.name.lower()
            cte = self._environment.ctes.get(own) if not node.args.get("db") else None
            relation = self.versions.relation(self.expressions.compile, node, defined=cte is not None)
            found = cte or self._resolve(node, relation)
            if cte is None:
                self.scans[name] = []
                self.places.append(TablePlace.of(node, found, labelled=bool(label)))
                found = replace(found, sql=self.expressions.parts.hold(found.sql, fixed=True, size=_TABLE_SIZE))
                self._tables_read[name] = found.sql
            label = label or own
        elif isinstance(node, exp.Lateral) and isinstance(node.this, exp.Subquery):
            if unknown := {key for key, value in node.args.items() if value} - {"this", "alias"}:
                raise Refusal(f"{', '.join(sorted(unknown))} is not supported here")
            found = self._derived(self._inner(node.this, scope))
            found = replace(found, sql=f"LATERAL {found.sql}")
        elif isinstance(node, (exp.Subquery, exp.Values)):
            inner = node if isinstance(node, exp.Values) or _modifiers(node) else node.this
            found = self._derived(self.query(inner))
        else:
            raise Refusal("a table's name, a sub-query or UNNEST belongs here")
        columns = renamed(tuple((part.name, part.type) for part in found.fields), wanted)
        fields = tuple(
            Field(column, f"{name}.{part.sql}", kind, label)
            for (column, kind), part in zip(columns, found.fields, strict=True)
        )
        return Source(f"{found.sql} AS {name}", fields)

    def _derived(self, query: Query) -> Source:
        return Source(f"({query.sql})", tuple(Field(n, f"c{i}", kind) for i, (n, kind) in enumerate(query.columns)))

    def _project(self, projected: list[tuple[exp.Expr, str]], scope: Scope) -> tuple[list[Expr], list[str]]:
        columns: list[Expr] = []
        names: list[str] = []
        for node, alias in projected:
            if isinstance(node, exp.Star) or (isinstance(node, exp.Column) and isinstance(node.this, exp.Star)):
                fields = self._star(node, scope)
                columns += [column_value(part.sql, part.type, frozenset([part.name or "a column"])) for part in fields]
                names += [part.name for part in fields]
                continue
            compiled = self.expressions.compile(node, scope)
            columns.append(compiled)
            names.append(alias or compiled.name)
        return [self.expressions.grouped(column, scope) for column in columns], names

    def _star(self, node: Any, scope: Scope) -> list[Field]:
        star = node if isinstance(node, exp.Star) else node.this
        if any(star.args.values()):
            raise rejected(Refusal("* takes nothing after it here"), node, self.expressions.place)
        if isinstance(node, exp.Star):
            found = [part for part in scope.fields if not part.hidden]
        else:
            label = node.table.lower()
            found = [part for part in scope.fields if part.relation == label]
        if not found or (isinstance(node, exp.Column) and len(node.parts) > 2):
            raise rejected(Refusal("there is no such table for *"), node, self.expressions.place)
        return found

    def _check_groups(
        self, node: exp.Select, projected: list[tuple[exp.Expr, str]], columns: list[Expr], others: list[Expr]
    ) -> None:
        for index, part in enumerate([*columns, *others]):
            if part.free:
                where = projected[index][0] if index < len(projected) else node
                name = sorted(part.free)[0]
                refusal = Refusal(
                    f"{name[:60]} must be an aggregate expression or appear in GROUP BY",
                    "Add it to GROUP BY, or wrap it in arbitrary(...).",
                )
                raise rejected(refusal, where, self.expressions.place)

    def _distinct(self, node: exp.Distinct | None, columns: list[Expr]) -> str:
        if node is None:
            return ""
        if node.args.get("on") is not None:
            raise rejected(Refusal("DISTINCT ON is not supported here"), node, self.expressions.place)
        self.expressions.need_comparable([column.type for column in columns], "SELECT DISTINCT")
        return "DISTINCT "

    def _order(
        self, node: exp.Order | None, scope: Scope, columns: list[Expr], names: list[str], only_output: bool
    ) -> tuple[str, list[Expr]]:
        if node is None:
            return "", []
        aliases = {name.lower(): columns[index] for index, name in enumerate(names) if name}
        sql, keys = self.ordering(node, replace(scope, aliases=aliases), columns)
        if only_output:
            same = self.expressions.parts.key
            outputs = {same(column.sql) for column in columns}
            if any(same(key.sql) not in outputs for key in keys):
                raise rejected(
                    Refusal("with DISTINCT, ORDER BY takes output columns only"), node, self.expressions.place
                )
        return sql, keys

    def ordering(self, node: exp.Order, scope: Scope, columns: list[Expr] | None = None) -> tuple[str, list[Expr]]:
        """` ORDER BY ...` with NULLs where Trino puts them, and the keys; a whole number is a place in `columns`."""
        parts, keys = [], []
        for each in node.expressions:
            if not isinstance(each, exp.Ordered) or each.args.get("with_fill"):
                raise rejected(Refusal("this ORDER BY is not supported here"), each, self.expressions.place)
            place = output_place(each.this, scope, columns or [])
            key = (
                self.expressions.compile(each.this, scope)
                if place is None
                else replace((columns or [])[place], value=None)
            )
            if not is_orderable(key.type):
                raise rejected(Refusal(f"{key.type} values have no order"), each, self.expressions.place)
            nulls = "FIRST" if each.args.get("nulls_first") else "LAST"
            keys.append(key)
            if key.value is None:
                written = moment_of(key).sql if place is None or key.zone else str(place + 1)
                parts.append(f"{written} {'DESC' if each.args.get('desc') else 'ASC'} NULLS {nulls}")
        return (f" ORDER BY {', '.join(parts)}" if parts else ""), keys

    def _set_operation(self, node: exp.SetOperation) -> Query:
        """A chain of them, without recursion on the left: each begins with what the one before it gives."""
        steps: list[exp.SetOperation] = [node]
        while isinstance(steps[-1].left, exp.SetOperation) and not _modifiers(steps[-1].left):
            steps.append(steps[-1].left)
        for step in steps:
            _refuse_clauses(step, _SET_CLAUSES)
        result = chain(self.expressions, steps[::-1], self.query)
        return self._modified(result, node)

    def _modified(self, query: Query, node: exp.Expr) -> Query:
        """ORDER BY, LIMIT and OFFSET after a whole query: they see its output columns only."""
        if not _modifiers(node):
            return query
        name = self.expressions.name("r")
        fields = tuple(Field(label, f"{name}.c{i}", kind) for i, (label, kind) in enumerate(query.columns))
        columns = [column_value(part.sql, part.type) for part in fields]
        scope = Scope(fields=fields)
        order = node.args.get("order")
        order_sql = self.ordering(order, scope, columns)[0] if order is not None else ""
        listed = ", ".join(f"{part.sql} AS c{index}" for index, part in enumerate(fields))
        limit_sql = limited(self.expressions.compile, self.expressions.place, node)
        return replace(query, sql=f"SELECT {listed} FROM ({query.sql}) AS {name}{order_sql}{limit_sql}")  # noqa: S608 - generated names

    def _inner(self, node: exp.Expr, scope: Scope) -> Query:
        """A sub-query inside an expression; it may read the columns around it."""
        inner = node.this if isinstance(node, exp.Subquery) and not _modifiers(node) else node
        return self.query(
            inner, replace(self._environment, outer=replace(scope, aggregates=False, windows=False, aliases={}))
        )

    def scalar(self, node: exp.Subquery, scope: Scope) -> Expr:
        """(SELECT ...) as a value."""
        query = self._inner(node, scope)
        if len(query.columns) != 1:
            raise Refusal(f"a sub-query used as a value has one column, not {len(query.columns)}")
        return column_value(self.expressions.parts.hold(f"({query.sql})", fixed=True), query.columns[0][1])

    def exists(self, node: exp.Exists, scope: Scope) -> Expr:
        query = self._inner(node.this, scope)
        return Expr(self.expressions.parts.hold(f"EXISTS ({query.sql})", fixed=True), BOOLEAN)

    def in_query(self, value: Expr, node: exp.Expr, scope: Scope) -> Expr:
        """value IN (SELECT ...)."""
        return self._against(value, "IN", node, scope)

    def quantified(self, sign: str, value: Expr, node: Any, scope: Scope) -> Expr:
        """value = ANY (SELECT ...), value > ALL (SELECT ...)."""
        if not isinstance(node.this, (exp.Subquery, exp.Select)):
            raise Refusal("ANY and ALL take a sub-query")
        return self._against(value, f"{sign} {'ANY' if isinstance(node, exp.Any) else 'ALL'}", node.this, scope)

    def _against(self, value: Expr, operator: str, node: exp.Expr, scope: Scope) -> Expr:
        left, sql = against(value, operator, self._inner(node, scope), self.expressions.name("r"))
        return derived(self.expressions.parts.hold(f"({left.sql} {operator} ({sql}))", fixed=True), BOOLEAN, left)


_SELECT_CLAUSES = {"expressions", "from_", "joins", "laterals", "where", "group", "having", "order", "limit", "offset", "distinct", "with_", "kind", "hint"}  # fmt: skip
_SET_CLAUSES = {"this", "expression", "distinct", "order", "limit", "offset", "with_"}


def _refuse_clauses(node: exp.Expr, allowed: set[str]) -> None:
    unknown = sorted(key for key, value in node.args.items() if value and key not in allowed)
    if unknown or node.args.get("kind") or node.args.get("hint"):
        raise Refusal(f"{(unknown or ['this form of SELECT'])[0].upper()} is not supported here")


def _modifiers(node: exp.Expr) -> bool:
    return any(node.args.get(key) for key in ("order", "limit", "offset", "with_"))
