"""From a caller's Trino SQL to DuckDB SQL over the lake: one SELECT over the tables of the call, or a refusal.

Decides which accounts each name after FROM stands for, and writes the filter that keeps a query inside them. It never
opens a file and never runs anything. sqlglot is loaded on first use.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from crosstrail.engines.sql.trino_versions import DEFAULT_TRINO
from crosstrail.errors import SqlRejected
from crosstrail.store_ids import ALL_STORES_ID, store_id

if TYPE_CHECKING:
    from sqlglot import exp

    from crosstrail.engines.sql.relations import Relations
    from crosstrail.engines.sql.spans import Bound
    from crosstrail.engines.sql.table_sources import Source, TablePlace
    from crosstrail.engines.sql.types import Type
    from crosstrail.models import AccountKey

ALL_EVENTS = "events"
_MAX_HINTED = 10


class AccountNames(Protocol):
    """What a statement may call an account. Not the model: loading that takes half the start of a worker."""

    @property
    def cloud(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def alias(self) -> str: ...


class StatementScope(Protocol):
    """The part of a QueryScope that names depend on."""

    @property
    def accounts(self) -> Sequence[AccountNames]: ...
    @property
    def store_aliases(self) -> Mapping[str, str]: ...


@dataclass(frozen=True, slots=True)
class NamedAccount:
    cloud: str
    id: str
    alias: str


@dataclass(frozen=True, slots=True)
class NamedAccounts:
    """A StatementScope of names alone."""

    accounts: tuple[NamedAccount, ...] = ()
    store_aliases: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PreparedStatement:
    """A statement ready to run over the files of `accounts`; the columns of its result are c0, c1, ..."""

    sql: str
    columns: tuple[str, ...]
    """As Trino names them, `_col0` for what has no name."""
    types: tuple[Type, ...]
    accounts: frozenset[AccountKey]
    """The accounts that the statement reads; none when it reads no table."""
    scans: tuple[tuple[Bound, ...], ...] = ()
    """For each scan of the lake, what limits its event times."""
    past: tuple[str, ...] = ()
    """SQL for each time (a TIMESTAMP in UTC) at which the lake is read as it was, in the order of reader.py's past_view."""
    newest: bool = True
    """Whether the lake is read as it is, too."""
    parsed: str = ""
    """The text that was parsed."""
    tables: tuple[TablePlace, ...] = ()
    """Where it names tables of the lake, in the order of `scans`."""
    literals: Mapping[tuple[int, int], frozenset[str]] = field(default_factory=dict)
    """Where it has literals that are read as something else, and the SQL of that."""


def prepare(
    sql: str,
    scope: StatementScope,
    *,
    now: datetime | None = None,
    trino_version: int = DEFAULT_TRINO,
    elsewhere: bool = False,
) -> PreparedStatement:
    """`trino_version`: whose values it has, where versions differ. `elsewhere`: it is for another engine, and `sql` is not run. Raises SqlRejected, with line and column, for anything but one SELECT that means here what it means to Trino."""
    from crosstrail.engines.sql.expressions import Expressions
    from crosstrail.engines.sql.parse import parse
    from crosstrail.engines.sql.relations import Relations

    if not sql.isprintable() and any("\ud800" <= letter <= "\udfff" for letter in sql):
        raise SqlRejected("the statement is no Unicode text", line=1, column=1, hint="Send it as UTF-8.")
    tree, place = parse(sql)
    tables = Tables(scope)
    relations = Relations(
        Expressions(place, now or datetime.now(UTC), trino_version, elsewhere=elsewhere), tables.resolve
    )
    try:
        query = relations.query(tree)
        _check_output(relations, query.columns)
        text, scans, past = _written(relations, query.sql)
    except RecursionError:
        raise SqlRejected("the statement is nested too deeply", line=1, column=1, hint="Use WITH queries.") from None
    names = tuple(name or f"_col{index}" for index, (name, _) in enumerate(query.columns))
    kinds = tuple(kind for _, kind in query.columns)
    taken = {literal: frozenset(found) for literal, found in relations.expressions.taken_for.items()}
    return PreparedStatement(
        *(text, names, kinds, frozenset(tables.read), scans, past, relations.versions.newest),
        parsed=place.parsed,
        tables=tuple(relations.places),
        literals=taken,
    )


def _written(relations: Relations, sql: str) -> tuple[str, tuple[tuple[Bound, ...], ...], tuple[str, ...]]:
    """The statement, the bounds of its scans and the times of its past ones as DuckDB reads them."""
    from crosstrail.engines.sql.expr import Refusal
    from crosstrail.engines.sql.planning import check_planning

    written = relations.expressions.parts.written
    relations.narrow(sql)
    try:
        scans = [tuple(replace(one, sql=written(one.sql)) for one in bounds) for bounds in relations.scans.values()]
        check_planning(text := written(sql))
        return text, tuple(scans), tuple(map(written, relations.versions.times))
    except Refusal as refusal:
        raise SqlRejected(str(refusal), line=1, column=1, hint=refusal.hint) from None


def _check_output(relations: Relations, columns: tuple[tuple[str, Type], ...]) -> None:
    expressions = relations.expressions
    kinds = [kind for _, kind in columns]
    if expressions.parses_json and expressions.compares_json:
        raise SqlRejected(
            "json that was parsed cannot be compared or grouped by here: its keys would not be sorted",
            line=1,
            column=1,
            hint="Compare parts of it with json_extract_scalar or CAST, or the text it was parsed from.",
        )
    while kinds:
        kind = kinds.pop()
        kinds += kind.args
        if kind.name == "json" and expressions.parses_json:
            raise SqlRejected(
                "json that was parsed cannot be an output column here: its keys would not be sorted",
                line=1,
                column=1,
                hint="Select parts of it with json_extract_scalar or CAST, or the text it was parsed from.",
            )


class Tables:
    """The tables of one call: what may stand after FROM, and which of the accounts were named."""

    def __init__(self, scope: StatementScope) -> None:
        self._scope = scope
        self.read: set[AccountKey] = set()

    def resolve(self, node: exp.Table, relation: str) -> Source:
        """The events, of those in `relation`, of the accounts that the name stands for. Raises Refusal."""
        from sqlglot import exp

        from crosstrail.engines.sql.expr import Refusal
        from crosstrail.engines.sql.hints import name_hint

        if not isinstance(node.this, exp.Identifier) or node.args.get("db") or node.args.get("catalog"):
            raise Refusal("only the tables of this call can be read", self._hint())
        found = self._accounts(node.name)
        if found is None:
            raise Refusal("there is no such table", name_hint(node.name, self._names()) + self._hint())
        self.read |= {(account.cloud, account.id) for account in found}
        return _events(found, relation)

    def _accounts(self, name: str) -> Sequence[AccountNames] | None:
        """None for a name that stands for nothing here."""
        wanted = name.lower()
        aliases = {alias.lower(): target for alias, target in self._scope.store_aliases.items()}
        wanted = aliases.get(wanted, wanted).lower()
        accounts = self._scope.accounts
        if wanted in (ALL_EVENTS, ALL_STORES_ID) or (wanted == "all" and name.lower() in aliases):
            return accounts
        return (
            [account for account in accounts if account.id.lower() == wanted]
            or [account for account in accounts if account.alias.lower() == wanted]
            or [account for account in accounts if store_id(account.cloud, account.id) == wanted]
            or None
        )

    def _names(self) -> list[str]:
        return [ALL_EVENTS, *(account.alias or account.id for account in self._scope.accounts)]

    def _hint(self) -> str:
        names = self._names()
        more = len(names) - _MAX_HINTED
        shown = ", ".join(names[:_MAX_HINTED])
        return f"FROM takes {shown}{f' and {more} more' if more > 0 else ''}, or an event data store id."


def _events(accounts: Sequence[AccountNames], relation: str) -> Source:
    """The lake's columns, narrowed to the accounts."""
    from crosstrail.engines.sql.columns import lake_fields
    from crosstrail.engines.sql.table_sources import EVERY_COLUMN, Source
    from crosstrail.lake.reader import quoted

    clouds: dict[str, list[str]] = {}
    for account in accounts:
        clouds.setdefault(account.cloud, []).append(account.id)
    tests = [
        f"(cloud = {quoted(cloud)} AND account IN ({', '.join(map(quoted, ids))}))" for cloud, ids in clouds.items()
    ]
    where = " OR ".join(tests) or "false"
    return Source(f"{EVERY_COLUMN} FROM {relation} WHERE {where})", lake_fields(), where)
