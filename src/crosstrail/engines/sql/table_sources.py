"""What stands in FROM besides named tables: joins, UNNEST and VALUES.

Decides the columns each brings. It never decides which tables exist.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace

from sqlglot import exp

from crosstrail.engines.sql import operators
from crosstrail.engines.sql.casts import coerce, unify
from crosstrail.engines.sql.columns import lake_fields
from crosstrail.engines.sql.compiler import Compiler
from crosstrail.engines.sql.expr import Expr, Refusal, boolean, derived
from crosstrail.engines.sql.literals import COMMA
from crosstrail.engines.sql.queries import Query
from crosstrail.engines.sql.scope import Field, Scope
from crosstrail.engines.sql.types import BIGINT, BY_VALUE, Type
from crosstrail.lake.reader import SOURCE_OBJECT

EVERY_COLUMN = "(SELECT *"
"""Begins a table of the lake; in its place come the columns that the statement reads, once they are known."""
_READS = re.compile(r"\b(r[0-9]+)\.([a-z_]+)\b")
_LONG_VALUES = 32
"""Rows from which VALUES is written as a list of DuckDB's."""


@dataclass(frozen=True, slots=True)
class Source:
    """SQL that may stand after FROM, and its columns."""

    sql: str
    fields: tuple[Field, ...]
    where: str = ""
    """Of the lake's events: the condition, on `cloud` and `account`, that the accounts are."""


@dataclass(frozen=True, slots=True)
class TablePlace:
    """Where the text that was parsed names a table of the lake, and which events that stands for."""

    start: int
    end: int
    name: str
    """In lower case, as columns are qualified by it."""
    labelled: bool
    """Whether an alias follows."""
    where: str
    """Source.where"""

    @classmethod
    def of(cls, node: exp.Table, source: Source, *, labelled: bool) -> TablePlace:
        at = node.this.meta
        return cls(at["start"], at["end"] + 1, node.name.lower(), labelled, source.where)


def columns_read(texts: Iterable[str]) -> dict[str, set[str]]:
    """The columns of each relation that are named anywhere in the texts; of a literal that looks so, maybe one more."""
    found: dict[str, set[str]] = {}
    for text in texts:
        for relation, column in _READS.findall(text):
            found.setdefault(relation, set()).add(column)
    return found


def listing(columns: Collection[str]) -> str:
    """Begins a table of the lake with these columns alone: DuckDB binds and plans all that stand there."""
    listed = [
        f"{SOURCE_OBJECT} AS {one.sql}" if one.sql == "source_object" else one.sql
        for one in lake_fields()
        if one.sql in columns
    ]
    return f"(SELECT {', '.join(listed) or 'cloud'}"


def join(
    compiler: Compiler,
    source: Callable[[exp.Expr, Scope], Source],
    node: exp.Join,
    sql: str,
    fields: tuple[Field, ...],
    outer: Scope | None,
) -> tuple[str, tuple[Field, ...]]:
    """The FROM clause with one more relation, of which `source` makes one item."""
    unknown = {key for key, value in node.args.items() if value} - {"this", "side", "kind", "on", "using"}
    side, kind = str(node.args.get("side") or "").upper(), str(node.args.get("kind") or "").upper()
    if unknown or side not in ("", "LEFT", "RIGHT", "FULL") or kind not in ("", "INNER", "OUTER", "CROSS"):
        raise Refusal(
            "this kind of join is not supported here", "Use [LEFT | RIGHT | FULL] JOIN ... ON, or CROSS JOIN."
        )
    added = source(node.this, Scope(fields=fields, parent=outer))
    on, using = node.args.get("on"), node.args.get("using")
    if isinstance(node.this, exp.Unnest):
        return _join_unnest(node, added, sql, fields, side)
    if isinstance(node.this, exp.Lateral) and (side in ("RIGHT", "FULL") or using):
        raise Refusal("LATERAL is joined with CROSS JOIN, JOIN ... ON or LEFT JOIN ... ON TRUE")
    if isinstance(node.this, exp.Lateral) and side == "LEFT" and not (isinstance(on, exp.Boolean) and on.this):
        raise Refusal("LEFT JOIN LATERAL takes ON TRUE alone", "Put the condition into its WHERE.")
    if using:
        return _join_using(node, added, sql, fields, side)
    both = (*fields, *added.fields)
    if kind == "CROSS" or COMMA in node.meta:
        if on is not None:
            raise Refusal("CROSS JOIN takes no ON")
        return f"{sql} CROSS JOIN {added.sql}", both
    if on is None:
        raise Refusal("this join needs ON or USING")
    test = boolean(compiler.compile(on, Scope(fields=both, parent=outer)), "ON")
    return f"{sql} {side or 'INNER'} JOIN {added.sql} ON {test.sql}", both


def _join_unnest(
    node: exp.Join, added: Source, sql: str, fields: tuple[Field, ...], side: str
) -> tuple[str, tuple[Field, ...]]:
    on = node.args.get("on")
    if (
        side in ("RIGHT", "FULL")
        or node.args.get("using")
        or (on is not None and not (isinstance(on, exp.Boolean) and on.this))
    ):
        raise Refusal("UNNEST is joined with CROSS JOIN, or LEFT JOIN ... ON TRUE")
    if (side == "LEFT") != (on is not None):
        raise Refusal("UNNEST is joined with CROSS JOIN, or LEFT JOIN ... ON TRUE")
    word = "LEFT JOIN LATERAL" if side else "CROSS JOIN LATERAL"
    return f"{sql} {word} {added.sql}{' ON true' if side else ''}", (*fields, *added.fields)


def _join_using(
    node: exp.Join, added: Source, sql: str, fields: tuple[Field, ...], side: str
) -> tuple[str, tuple[Field, ...]]:
    tests, merged, left_hidden, right_hidden = [], [], set(), set()
    for name in (identifier.name for identifier in node.args["using"]):
        pair = [[f for f in part if f.name.lower() == name.lower() and not f.hidden] for part in (fields, added.fields)]
        if len(pair[0]) != 1 or len(pair[1]) != 1:
            raise Refusal(f"the column {name[:60]} of USING must be in both tables, once")
        left, right = pair[0][0], pair[1][0]
        if BY_VALUE in (left.type.zone, right.type.zone):
            raise Refusal(
                f"the times in {name[:60]} have zones of their own", "Use AT TIME ZONE, or ON instead of USING."
            )
        one, other = operators.matched(Expr(left.sql, left.type), Expr(right.sql, right.type))
        tests.append(operators.compare("=", one, other).sql)
        shown = {"RIGHT": other.sql, "FULL": f"coalesce({one.sql}, {other.sql})"}.get(side, one.sql)
        merged.append(Field(left.name, shown, left.type if left.type.name == "timestamptz" else one.type))
        left_hidden.add(left.sql)
        right_hidden.add(right.sql)
    rest = [replace(f, hidden=f.hidden or f.sql in left_hidden | right_hidden) for f in (*fields, *added.fields)]
    return f"{sql} {side or 'INNER'} JOIN {added.sql} ON {' AND '.join(tests)}", (*merged, *rest)


def unnest(compiler: Compiler, node: exp.Unnest, scope: Scope, label: str, names: list[str]) -> Source:
    """UNNEST(a, b) [WITH ORDINALITY] AS t(x, y, n): arrays give a column, or one a field of their rows; maps give two."""
    offset = node.args.get("offset")
    lists: list[str] = []
    found: list[tuple[str, str, Type]] = []
    name = compiler.name("u")
    for each in node.expressions:
        value = compiler.compile(each, replace(scope, aggregates=False, windows=False))
        item = f"{name}.e{len(lists)}"
        if value.type.name == "map":
            lists.append(f"map_entries({value.sql})")
            found.append(("", f"struct_extract({item}, 'key')", value.type.args[0]))
            found.append(("", f"struct_extract({item}, 'value')", value.type.args[1]))
        elif value.type.name == "array":
            lists.append(value.sql)
            row = value.type.element
            if row.name == "row":
                parts = zip(row.fields, row.keys, row.args, strict=True)
                found += [(field, f"struct_extract({item}, '{key}')", kind) for field, key, kind in parts]
            else:
                found.append(("", item, row))
        else:
            raise Refusal(
                f"UNNEST takes arrays and maps, not {value.type}", "split, regexp_extract_all and CAST make arrays."
            )
    listed = [f"unnest({each}) AS e{index}" for index, each in enumerate(lists)]
    longest = f"greatest({', '.join(f'coalesce(len({each}), 0)' for each in lists)})"
    listed.append(f"unnest(range(1, {longest} + 1)) AS n")
    if offset:
        found.append(("", f"{name}.n", BIGINT))
        # The parser takes the last alias for the ordinality column out of the list.
        names = [*names, offset.name] if names and isinstance(offset, exp.Identifier) else names
    if names and len(names) != len(found):
        raise Refusal(f"this UNNEST has {len(found)} columns and needs as many names, not {len(names)}")
    named = names or [column for column, _, _ in found]
    fields = tuple(Field(n, sql, kind, label) for n, (_, sql, kind) in zip(named, found, strict=True))
    return Source(f"(SELECT {', '.join(listed)}) AS {name}", fields)


def _spread(cell: Expr) -> list[Expr]:
    """VALUES ROW(a, b) has two columns, as VALUES (a, b) has."""
    if cell.type.name != "row":
        return [cell]
    pairs = zip(cell.type.keys, cell.type.args, strict=True)
    return [derived(f"struct_extract({cell.sql}, '{key}')", kind, cell) for key, kind in pairs]


def values(compiler: Compiler, node: exp.Values, scope: Scope) -> Query:
    """VALUES as a query."""
    rows: list[list[Expr]] = []
    for each in node.expressions:
        cells = [
            compiler.compile(cell, scope) for cell in (each.expressions if isinstance(each, exp.Tuple) else [each])
        ]
        rows.append(_spread(cells[0]) if len(cells) == 1 else cells)
    if len({len(row) for row in rows}) != 1:
        raise Refusal("the rows of VALUES need one length")
    columns = [unify([row[index] for row in rows], "a column of VALUES") for index in range(len(rows[0]))]
    kinds = tuple(("", column[0].type) for column in columns)
    constant = not any(row.find(exp.Column, exp.Identifier, exp.Query) for row in node.expressions)
    if constant and len(rows) > _LONG_VALUES:
        # A row of its own for each would be planned as a tree as deep as there are rows; DuckDB takes constants alone here.
        listed = ", ".join(f"({', '.join(column[number].sql for column in columns)})" for number in range(len(rows)))
        names = ", ".join(f"c{index}" for index in range(len(columns)))
        return Query(f"SELECT * FROM (VALUES {listed}) AS {compiler.name('v')}({names})", kinds)  # noqa: S608 - generated
    selects = []
    for number in range(len(rows)):
        cells_sql = ", ".join(f"{coerce(c[number], c[0].type).sql} AS c{i}" for i, c in enumerate(columns))
        selects.append(f"SELECT {cells_sql}")
    return Query(" UNION ALL ".join(selects), kinds)
