"""What a worker process is asked and what it answers: the one line of JSON each way, as types.

Decides the names of the parts alone. Whoever reads a line trusts the process at the other end: both are this project's.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from crosstrail.engines.sql.types import Type


class TypeParts(TypedDict):
    """A Type of the dialect as `dataclasses.asdict` takes it apart."""

    name: str
    args: list[TypeParts]
    fields: list[str]
    size: list[int]
    zone: str
    keys: list[str]


class EventsTable(TypedDict):
    """The one relation that an engine elsewhere is asked for: a view with the lake's columns by their names."""

    relation: str
    """SQL: quoted, with catalog and schema."""
    day: str
    """SQL of a further column, the day that a row is filed under (UTC); empty where conditions on eventtime are enough."""
    day_format: Literal["date", "yyyy/MM/dd"]
    """Of that column: a DATE, or a text."""
    late_days: int
    """How many days after its eventtime a row may be filed."""


class CompileRequest(TypedDict):
    work: Literal["compile"]
    sql: str
    accounts: list[tuple[str, str, str]]
    """(cloud, id, alias) of each."""
    aliases: dict[str, str]
    trino_version: int
    """Whose values the statement has, where versions of Trino differ."""
    seconds: float
    sql_page: str
    """What the front end calls the page on SQL, for hints."""
    export: NotRequired[bool]
    """Whether the records of the events that it names are wanted, where it names any."""
    table: NotRequired[EventsTable]
    """For an engine elsewhere: where it finds the events. The reply then has `text`."""


class ExportParts(TypedDict):
    """For a worker that writes an export in place of a result. `table` and `snapshot` say what is read."""

    kind: Literal["records", "rows"]
    form: Literal["jsonl", "jsonl.gz", "parquet"]
    folder: str
    columns: list[str]
    types: list[TypeParts]
    table: str
    snapshot: int | None
    unordered: str
    """The statement without the order of its records, for as many that sorting takes more memory than there is; '' of rows."""


class RunRequest(TypedDict):
    """`memory` is DuckDB's text for a size; `rows` and `bytes` are the limits of the result, which `path` is made for."""

    work: Literal["run"]
    sql: str
    files: list[str]
    events: list[tuple[str, str, int]]
    """(cloud, account, how many) of these files; empty where they are few enough to be opened in any case."""
    past: NotRequired[list[list[str]]]
    """The files of each time at which the lake is read as it was."""
    scans: int
    table: bool
    path: str
    memory: str
    bytes_of_memory: int
    threads: int
    rows: int
    bytes: int
    seconds: float
    export: NotRequired[ExportParts]


class AnalyzeRequest(TypedDict):
    """Statements of this project's own over `events`: the events of these files from `start` to `end`, both included, ISO or '', that meet
    `where`, SQL or '', and whose address lies in `network`, or in any where that is ''."""

    work: Literal["analyze"]
    statements: list[str]
    files: list[str]
    where: str
    network: str
    start: str
    end: str
    memory: str
    bytes_of_memory: int
    threads: int
    rows: int
    seconds: float


class PageRequest(TypedDict):
    """Rows `offset` to `offset + limit` of the result in `path`."""

    work: Literal["page"]
    path: str
    types: list[TypeParts]
    offset: int
    limit: int
    seconds: float


Request = CompileRequest | RunRequest | AnalyzeRequest | PageRequest


class Reply(TypedDict, total=False):
    """`ready` comes once, before any request; `failed` says why, `memory` for too little of it."""

    ready: bool
    failed: str
    rejected: str
    line: int
    column: int
    hint: str
    sql: str
    text: str
    columns: list[str]
    types: list[TypeParts]
    accounts: list[tuple[str, str]]
    reads_table: bool
    kind: Literal["records", "rows"]
    unordered: str
    scans: int
    past: list[str]
    newest: bool
    start: str | None
    end: str | None
    rows: int
    page: list[list[str | None]]
    tables: list[list[list[object]]]


def type_of(parts: TypeParts) -> Type:
    return Type(
        parts["name"],
        tuple(type_of(part) for part in parts["args"]),
        tuple(parts["fields"]),
        tuple(parts["size"]),
        parts["zone"],
        tuple(parts["keys"]),
    )


def parts_of(kind: Type) -> TypeParts:
    return {
        "name": kind.name,
        "args": [parts_of(part) for part in kind.args],
        "fields": list(kind.fields),
        "size": list(kind.size),
        "zone": kind.zone,
        "keys": list(kind.keys),
    }
