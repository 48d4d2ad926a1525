"""The process that compiles statements and runs queries, so that the operating system can enforce their limits.

Run as a program by workers.py: one JSON object a line on stdin asks, one on stdout answers. It reads no setting and no
environment variable, knows no credentials, opens the data files it is told and writes the one result it is told. It ends
with its stdin, so with the process that started it, and by itself when nobody asked for a while or a query left it large.
"""

from __future__ import annotations

import errno
import json
import os
import queue
import re
import resource
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING

import orjson

from crosstrail.engines.exporting import TooLarge, names_events, records_of, write_export
from crosstrail.engines.messages import (
    AnalyzeRequest,
    CompileRequest,
    EventsTable,
    PageRequest,
    Reply,
    Request,
    RunRequest,
    parts_of,
    type_of,
)
from crosstrail.engines.result_writer import ResultWriter
from crosstrail.errors import SqlRejected
from crosstrail.lake.faults import data_fault
from crosstrail.timerange import TimeRange, iso
from crosstrail.vocabulary import PLAIN, speaking

if TYPE_CHECKING:
    import duckdb

    from crosstrail.engines.sql.prepare import PreparedStatement
    from crosstrail.engines.sql.spans import Bound

_BATCH_ROWS = 10_000
_LARGE = 400 * 2**20
"""Resident bytes at which a worker is replaced by a new one."""
_STATEMENT_MEMORY = 512 * 10**6
_LARGEST_TABLES = 48 * 2**20
"""Bytes of an analysis' tables as JSON: the reply is held in memory at both ends."""
_SPARE_MEMORY = 256 * 10**6
"""Address space beside what DuckDB counts itself."""
_OUR_WORDS = re.compile(r"crosstrail: ([^'\n]{1,200})'")


def main(idle_seconds: float) -> None:
    """Answers one request after the other."""
    requests: queue.Queue[bytes] = queue.Queue()
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing that a library prints is a reply
    threading.Thread(target=_listen, args=(sys.stdin.buffer, requests), daemon=True).start()
    _load()
    _answer(replies, {"ready": True})
    while True:
        try:
            line = requests.get(timeout=idle_seconds)
        except queue.Empty:
            return
        _answer(replies, _done(json.loads(line)))
        if _memory("VmRSS") > _LARGE:
            return


def _listen(stream: IO[bytes], requests: queue.Queue[bytes]) -> None:
    for line in stream:
        requests.put(line)
    os._exit(0)  # whoever asked is gone, and with them the use of what runs


def _answer(replies: IO[bytes], reply: Reply) -> None:
    # As UTF-8: escapes would make three bytes of one, and a table that is not too large a reply that is.
    replies.write(json.dumps(reply, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")
    replies.flush()


def _load() -> None:
    """What every query needs, so that a warm worker has it; and what a worker may never do."""

    from crosstrail.engines.sql.prepare import NamedAccounts, prepare
    from crosstrail.lake.reader import connect

    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold events
    prepare("SELECT 1", NamedAccounts())
    connect((), threads=1, table=False).close()


def _done(request: Request) -> Reply:
    try:
        match request["work"]:
            case "compile":
                with speaking(replace(PLAIN, sql_page=request["sql_page"])):
                    return _compile(request)
            case "run":
                return _run(request)
            case "analyze":
                return _analyze(request)
            case "page":
                return _page(request)
    except MemoryError:
        return {"failed": "memory"}
    finally:
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))


def _compile(request: CompileRequest) -> Reply:
    from crosstrail.engines.sql.prepare import NamedAccount, NamedAccounts, prepare

    _bound(request["seconds"], _STATEMENT_MEMORY, threads=1)
    scope = NamedAccounts(tuple(NamedAccount(*names) for names in request["accounts"]), request["aliases"])
    now = datetime.now(UTC)
    try:
        version = request["trino_version"]
        given = prepared = prepare(request["sql"], scope, now=now, trino_version=version, elsewhere="table" in request)
        past = times_of(given, now)
        of_events = request.get("export", False) and names_events(given)
        unordered = ""
        if of_events:
            prepared, unordered = records_of(request["sql"], given, scope, now, past, version)
            past = times_of(prepared, now)
    except SqlRejected as refused:
        return _refusal(refused)
    span = span_of(given.scans)  # an id is in the lake once: the record of an event that was read lies in the same days
    reply: Reply = {
        "sql": prepared.sql,
        "columns": list(prepared.columns),
        "types": [parts_of(kind) for kind in prepared.types],
        "accounts": sorted(prepared.accounts),
        "reads_table": bool(prepared.scans),
        "kind": "records" if of_events else "rows",
        "unordered": unordered,
        "scans": len(prepared.scans),
        "past": [one.isoformat() for one in past],
        "newest": prepared.newest,
        "start": span.start.isoformat() if span.start else None,
        "end": span.end.isoformat() if span.end else None,
    }
    if "table" in request:
        try:
            reply["text"] = _text(given, request["table"])
        except SqlRejected as refused:
            return _refusal(refused)
    return reply


def _refusal(refused: SqlRejected) -> Reply:
    place = f"line {refused.line} column {refused.column}: " if refused.line else ""
    message = str(refused).removeprefix(place)
    return {"rejected": message, "line": refused.line, "column": refused.column, "hint": refused.hint}


def _text(prepared: PreparedStatement, table: EventsTable) -> str:
    """The statement as an engine elsewhere is asked. Raises SqlRejected."""
    from crosstrail.engines.sql.expr import Refusal
    from crosstrail.engines.sql.scoped_text import scoped_text

    if prepared.past:
        raise SqlRejected(
            "this engine reads the lake as it is now", hint="Leave FOR TIMESTAMP AS OF out, or take engine `lake`."
        )
    spans = [span_of([bounds]) for bounds in prepared.scans]
    try:
        return scoped_text(prepared.parsed, list(zip(prepared.tables, spans, strict=True)), prepared.literals, table)
    except Refusal as refusal:
        raise SqlRejected(str(refusal), hint=refusal.hint) from None


def times_of(prepared: PreparedStatement, now: datetime) -> tuple[datetime, ...]:
    """When it reads the lake as it was. Raises SqlRejected."""
    if not prepared.past:
        return ()
    from crosstrail.lake.reader import connect

    with connect((), table=False) as connection:
        found = [_moment(connection, sql) for sql in prepared.past]
    known = tuple(one for one in found if one is not None)
    if len(known) < len(found):
        raise SqlRejected("what stands after AS OF is no time")
    if late := [one for one in known if one > now]:
        raise SqlRejected(f"{iso(late[0])} lies in the future", hint="Give a time that has been after AS OF.")
    return known


def span_of(scans: Sequence[Sequence[Bound]]) -> TimeRange:
    """The event times that the scans together can need: an end stays open unless every scan limits it."""
    if not scans or not any(scans):
        return TimeRange()
    from crosstrail.lake.reader import connect

    with connect((), table=False) as connection:
        known = [[(bound.lower, _moment(connection, bound.sql)) for bound in bounds] for bounds in scans]
    starts = [max((at for lower, at in each if lower and at), default=None) for each in known]
    ends = [min((at for lower, at in each if not lower and at), default=None) for each in known]
    return TimeRange(
        None if None in starts else min(filter(None, starts)), None if None in ends else max(filter(None, ends))
    )


def _moment(connection: duckdb.DuckDBPyConnection, sql: str) -> datetime | None:
    """None for what is no moment, or not one that Python can hold."""
    import duckdb

    try:
        found = connection.execute(f"SELECT {sql}").fetchone()
    except (duckdb.Error, OverflowError, ValueError):
        return None
    return found[0].replace(tzinfo=UTC) if found and isinstance(found[0], datetime) else None


def _run(request: RunRequest) -> Reply:
    """Writes the result to `path`, where it appears when it is complete: {rows}, or {failed} with why."""
    from crosstrail.lake.reader import connect

    partial = Path(request["path"] + ".partial")
    _bound(request["seconds"], request["bytes_of_memory"], threads=request["threads"])
    try:
        memory, threads = request["memory"], request["threads"]
        rows = _counted(request, partial) if request["events"] else None
        if rows is not None:
            partial.replace(request["path"])
            return {"rows": rows}
        past = request.get("past", ())
        with connect(
            request["files"], past=past, table=request["table"], memory_limit=memory, threads=threads
        ) as connection:
            if export := request.get("export"):
                rows = write_export(
                    connection, request["sql"], export, rows=request["rows"], max_bytes=request["bytes"]
                )
            else:
                rows = _write(connection, request, partial)
                partial.replace(request["path"])
        return {"rows": rows}
    except Exception as error:  # noqa: BLE001 - whatever went wrong, the query has failed and says why
        partial.unlink(missing_ok=True)
        return {"failed": _explained(error, [*request["files"], *chain.from_iterable(request.get("past", ()))])}


def _counted(request: RunRequest, partial: Path) -> int | None:
    """The result's rows by what the table's lists say of each account, as `SELECT count(*) FROM events` can do with; None where
    the statement reads any other column, so that DuckDB does not bind it."""
    import duckdb

    from crosstrail.lake.reader import connect

    if not request["scans"]:
        return None
    memory, threads = request["memory"], request["threads"]
    with connect((), events=request["events"], memory_limit=memory, threads=threads) as connection:
        try:
            connection.execute(f"EXPLAIN {request['sql']}")
        except duckdb.BinderException:
            return None
        return _write(connection, request, partial)


def _write(connection: duckdb.DuckDBPyConnection, request: RunRequest, partial: Path) -> int:
    reader = connection.sql(request["sql"]).to_arrow_reader(_BATCH_ROWS)
    with ResultWriter(partial, reader.schema, max_rows=request["rows"], max_bytes=request["bytes"]) as writer:
        for batch in reader:
            writer.write(batch)
    return writer.rows


def _analyze(request: AnalyzeRequest) -> Reply:
    """{tables}, or {failed} with why."""
    from crosstrail.engines.analysis import EVENTS
    from crosstrail.lake.reader import EVENTS_VIEW, connect

    _bound(request["seconds"], request["bytes_of_memory"], threads=request["threads"])
    try:
        with connect(request["files"], memory_limit=request["memory"], threads=request["threads"]) as connection:
            where = _condition(connection, request)
            connection.execute(f"CREATE TEMP VIEW {EVENTS} AS SELECT * FROM {EVENTS_VIEW} WHERE {where}")  # noqa: S608
            return {"tables": _tables(connection, request)}
    except Exception as error:  # noqa: BLE001 - whatever went wrong, the analysis has failed and says why
        return {"failed": _explained(error, request["files"])}


def _condition(connection: duckdb.DuckDBPyConnection, request: AnalyzeRequest) -> str:
    """What events must meet."""
    from crosstrail.lake.reader import quoted
    from crosstrail.lake.row_filters import addresses_in, one_of_addresses

    ends = [(">=", request["start"]), ("<=", request["end"])]
    clauses = [f"eventtime {sign} CAST({quoted(_utc(at))} AS TIMESTAMP)" for sign, at in ends if at]
    clauses += [request["where"]] if request["where"] else []
    if request["network"]:
        clauses.append(one_of_addresses(addresses_in(connection, request["network"], " AND ".join(clauses) or "true")))
    return " AND ".join(clauses) or "true"


def _utc(moment: str) -> str:
    return datetime.fromisoformat(moment).astimezone(UTC).replace(tzinfo=None).isoformat()


def _tables(connection: duckdb.DuckDBPyConnection, request: AnalyzeRequest) -> list[list[list[object]]]:
    """Raises TooLarge."""
    tables, left = [], _LARGEST_TABLES
    for statement in request["statements"]:
        found = connection.execute(statement)
        if statement.startswith("CREATE "):
            continue
        rows = found.fetchmany(request["rows"] + 1)
        if len(rows) > request["rows"]:
            raise TooLarge(f"it finds more than {request['rows']:,} rows: name fewer accounts or less time")
        written = orjson.dumps(rows, default=str, option=orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z)
        left -= len(written)
        if left < 0:
            raise TooLarge(f"it finds more than {_LARGEST_TABLES:,} bytes: name fewer accounts or less time")
        tables.append(orjson.loads(written))
    return tables


def _page(request: PageRequest) -> Reply:
    """{page}, or {failed}: then whoever asked reads the file themselves, and says what is wrong with it."""
    from crosstrail.engines.result_rows import read_rows

    _bound(request["seconds"], _STATEMENT_MEMORY, threads=1)
    try:
        types = [type_of(each) for each in request["types"]]
        rows = read_rows(Path(request["path"]), types, request["offset"], request["limit"])
    except Exception:  # noqa: BLE001 - damage may raise anything, and its words may hold values of events
        return {"failed": "damaged"}
    return {"page": [list(row) for row in rows]}


def _explained(error: Exception, files: Sequence[str]) -> str:
    """Our words for what went wrong, `memory` for too little of it; DuckDB's own may hold values of events."""
    import duckdb

    if isinstance(error, TooLarge):
        return str(error)
    if found := _OUR_WORDS.search(str(error)):
        return found[1]
    if isinstance(error, (duckdb.OutOfMemoryException, MemoryError)) or "bad_alloc" in str(error):
        return "memory"
    if isinstance(error, duckdb.Error) and (damage := data_fault(str(error), files)):
        return damage.text
    for kind, words in (
        (duckdb.ConversionException, "a value cannot be cast to the type asked for; TRY_CAST gives NULL instead"),
        (duckdb.OutOfRangeException, "a number is out of range"),
        (duckdb.IOException, "a file of the lake cannot be read"),
        (duckdb.InvalidInputException, "a function got a value it cannot take; TRY(...) gives NULL instead"),
    ):
        if isinstance(error, kind):
            return words
    if isinstance(error, OSError):
        full = error.errno == errno.ENOSPC or "No space left" in str(error)
        return f"its result cannot be written: {'the disk is full' if full else error.strerror or type(error).__name__}"
    return f"it could not be run ({type(error).__name__}); please report the statement as a defect"


def _bound(seconds: float, memory: int, *, threads: int) -> None:
    """The kernel's limits for one request. macOS has no such limit of memory."""
    if taken := _memory("VmSize"):
        _limit(resource.RLIMIT_AS, taken + memory + _SPARE_MEMORY)
    used = resource.getrusage(resource.RUSAGE_SELF)
    _limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime + (seconds + 5) * (threads + 1)))


def _limit(which: int, value: int) -> None:
    hard = resource.getrlimit(which)[1]
    resource.setrlimit(which, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def _memory(name: str) -> int:
    """Bytes, as the kernel counts them; 0 where it does not say."""
    try:
        found = re.search(rf"{name}:\s+(\d+)", Path("/proc/self/status").read_text())
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0


if __name__ == "__main__":
    main(float(sys.argv[1]))
    os._exit(0)  # a thread waits for stdin, which an orderly end would wait for
