"""One query on Athena: started once, watched, read page by page or from its result file, stopped.

Decides what Athena's states and errors mean here, and when the file in S3 is read in place of pages of 1,000 rows. Whose
credentials that takes is the AthenaAccess's: nothing here knows an account.
"""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, NotRequired, Protocol, TypedDict, cast

from crosstrail.engines.athena_cells import cell_reader
from crosstrail.engines.error_words import safe_words
from crosstrail.engines.remote_runs import RemoteEnded, RemoteProgress, RemoteQuery, Rows
from crosstrail.engines.sql.types import Type
from crosstrail.errors import CloudUnavailable, CrosstrailError
from crosstrail.models import QueryState
from crosstrail.object_store import Bucket, BucketUri, parsed_uri

if TYPE_CHECKING:
    import pyarrow as pa

MAX_STATEMENT_BYTES = 262_144
"""API reference of StartQueryExecution: QueryString."""
_PAGE_ROWS = 1_000
_MAX_FILE_BYTES = 2 * 1024**3
_BLOCK_BYTES = 16 * 1024**2
"""Of a result file that is looked at at once: no row of it may be longer."""
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.2, 3.0
_PLACE = re.compile(r"\bline \d+:\d+: *")
_DENIED = re.compile(r"not authorized to perform: ([a-z0-9-]+:[A-Za-z0-9]+)")


class _Error(TypedDict, total=False):
    ErrorType: int
    Retryable: bool
    ErrorMessage: str


class _Status(TypedDict):
    State: str
    StateChangeReason: NotRequired[str]
    AthenaError: NotRequired[_Error]


class _Statistics(TypedDict, total=False):
    DataScannedInBytes: int


class _Result(TypedDict, total=False):
    OutputLocation: str


class Execution(TypedDict):
    """Of the API's QueryExecution what is asked for here."""

    QueryExecutionId: str
    Status: _Status
    Statistics: NotRequired[_Statistics]
    ResultConfiguration: NotRequired[_Result]


class _Cell(TypedDict, total=False):
    VarCharValue: str


class _Row(TypedDict, total=False):
    Data: list[_Cell]


class _Column(TypedDict):
    Name: str


class _Metadata(TypedDict):
    ColumnInfo: list[_Column]


class _ResultSet(TypedDict):
    Rows: NotRequired[list[_Row]]
    ResultSetMetadata: _Metadata


class _Page(TypedDict):
    ResultSet: _ResultSet
    NextToken: NotRequired[str]


class AthenaAccess(Protocol):
    """Athena and its buckets with the credentials of one account. Called in threads."""

    def ask(self, operation: str, params: Mapping[str, object]) -> Mapping[str, object]:
        """One call of its API, in boto's names, answered as boto does. Raises CrosstrailError."""
        ...

    def bucket(self, uri: BucketUri) -> Bucket:
        """Raises CrosstrailError."""
        ...


@dataclass(frozen=True, slots=True)
class AthenaPlace:
    """Where statements run. Empty `output`: where the workgroup says. Empty `database`: none, as of a statement that makes one. `reuse_minutes`: how old a result of the same
    statement may be that Athena gives in place of running it; 0 for none."""

    workgroup: str = "primary"
    output: str = ""
    catalog: str = "AwsDataCatalog"
    database: str = "crosstrail"
    reuse_minutes: int = 0

    def request(self, sql: str) -> dict[str, object]:
        """Parameters of StartQueryExecution. The token makes it one query however often it is sent."""
        params: dict[str, object] = {
            "QueryString": sql,
            "ClientRequestToken": str(uuid.uuid4()),
            "QueryExecutionContext": {"Catalog": self.catalog} | ({"Database": self.database} if self.database else {}),
            "WorkGroup": self.workgroup,
        }
        if self.output:
            params["ResultConfiguration"] = {"OutputLocation": self.output}
        if self.reuse_minutes:
            by_age = {"Enabled": True, "MaxAgeInMinutes": self.reuse_minutes}
            params["ResultReuseConfiguration"] = {"ResultReuseByAgeConfiguration": by_age}
        return params


class AthenaQuery(RemoteQuery):
    """One SELECT, or with no `types` a statement whose rows nobody wants."""

    def __init__(
        self,
        access: AthenaAccess,
        place: AthenaPlace,
        sql: str,
        columns: Sequence[str] = (),
        types: Sequence[Type] = (),
    ) -> None:
        self.columns = tuple(columns)
        self._access = access
        self._request = place.request(sql)
        self._sql = sql
        self._cells = [cell_reader(kind) for kind in types]
        self._stopped = threading.Event()
        self._running = False

    def stop(self) -> None:
        """Blocks for nothing: the thread of `pages` tells Athena."""
        self._stopped.set()

    def pages(self, report: Callable[[RemoteProgress], None]) -> Iterator[Rows]:
        execution = self.run(report)
        yield from self._rows(execution)

    def run(self, report: Callable[[RemoteProgress], None]) -> Execution:
        """The query from its start to its end; what GetQueryExecution says then. Raises RemoteEnded, CrosstrailError."""
        if self._stopped.is_set():
            raise RemoteEnded("it was stopped before it started", QueryState.CANCELLED)
        query_id = str(self._access.ask("start_query_execution", self._request)["QueryExecutionId"])
        self._running = True
        try:
            return self._ended(query_id, report)
        finally:
            if self._running:
                with suppress(CrosstrailError):  # it is told already how this ends
                    self._access.ask("stop_query_execution", {"QueryExecutionId": query_id})

    def _ended(self, query_id: str, report: Callable[[RemoteProgress], None]) -> Execution:
        pause = _FIRST_PAUSE_SECONDS
        while True:
            answer = self._access.ask("get_query_execution", {"QueryExecutionId": query_id})
            execution = cast(Execution, answer["QueryExecution"])
            report(RemoteProgress(scanned_bytes=execution.get("Statistics", {}).get("DataScannedInBytes")))
            state = execution["Status"]["State"]
            self._running = state in ("QUEUED", "RUNNING")
            match state:
                case "SUCCEEDED":
                    return execution
                case "FAILED":
                    raise RemoteEnded(self._reason(execution["Status"]))
                case "CANCELLED":
                    raise RemoteEnded("it was stopped in Athena", QueryState.CANCELLED)
            if self._stopped.wait(pause):
                raise RemoteEnded("it was stopped", QueryState.CANCELLED)
            pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)

    def _reason(self, status: _Status) -> str:
        """Why it failed, without values of events; places are those of the text that was sent, which the caller never saw."""
        error = status.get("AthenaError") or _Error()
        reason = str(error.get("ErrorMessage") or status.get("StateChangeReason") or "")
        if denied := _DENIED.search(reason):
            return f"Athena may not do {denied[1]}: allow it to the identity of athena.account"
        number = f" (Athena's error type {error['ErrorType']})" if "ErrorType" in error else ""
        again = "; ask again" if error.get("Retryable") else ""
        return f"{safe_words(_PLACE.sub('', reason), self._sql) or 'Athena gave no reason'}{number}{again}"

    def _rows(self, execution: Execution) -> Iterator[Rows]:
        """The first page tells whether there are more; then one GET of the file brings what many pages would. So it does where
        the API gives no page, as of rows that are too long together for one answer."""
        query = {"QueryExecutionId": execution["QueryExecutionId"], "MaxResults": _PAGE_ROWS}
        refused, answer = None, _Page(ResultSet={"ResultSetMetadata": {"ColumnInfo": []}})
        try:
            answer = cast(_Page, self._access.ask("get_query_results", query))
        except CloudUnavailable as error:
            refused = error
        if refused or answer.get("NextToken"):
            file = _ResultFile.opened(self._access, execution)
            if file:
                for page in file.pages(len(self.columns)):
                    yield self._shown(page)
                return
        if refused:
            raise refused
        yield self._shown(_rows_of(answer, header=True))
        while token := answer.get("NextToken"):
            answer = cast(_Page, self._access.ask("get_query_results", {**query, "NextToken": token}))
            yield self._shown(_rows_of(answer, header=False))

    def _shown(self, rows: Iterable[Sequence[str | None]]) -> Rows:
        try:
            return [tuple(show(cell) for show, cell in zip(self._cells, row, strict=True)) for row in rows]
        except (ValueError, KeyError):
            raise RemoteEnded("Athena answered with values that are not of the statement's types") from None


def _rows_of(answer: _Page, *, header: bool) -> list[list[str | None]]:
    """None for NULL, which has no VarCharValue. The first row of a SELECT's first page are the columns' names."""
    found = answer["ResultSet"]
    rows = [[cell.get("VarCharValue") for cell in row.get("Data", ())] for row in found.get("Rows", ())]
    if not header:
        return rows
    names = [column["Name"] for column in found["ResultSetMetadata"]["ColumnInfo"]]
    if not rows or rows[0] != names:
        raise RemoteEnded("Athena answered without the columns' names in the first row")
    return rows[1:]


@dataclass(frozen=True, slots=True)
class _ResultFile:
    """The CSV file of a result: every value in quotes, nothing at all for NULL (Athena user guide, querying-finding-output-files)."""

    pieces: Iterable[bytes]

    @classmethod
    def opened(cls, access: AthenaAccess, execution: Execution) -> _ResultFile | None:
        """None where there is none to be had: the result is Athena's own to keep, or the identity may not read the bucket.
        Then pages of the API bring the same."""
        uri = parsed_uri(str(execution.get("ResultConfiguration", {}).get("OutputLocation", "")))
        if not uri or not uri.prefix.endswith(".csv"):
            return None
        try:
            _, pieces = access.bucket(BucketUri(uri.scheme, uri.bucket)).read(uri.prefix, max_bytes=_MAX_FILE_BYTES)
        except CrosstrailError:
            return None
        return cls(pieces)

    def pages(self, width: int) -> Iterator[list[tuple[str | None, ...]]]:
        """Raises RemoteEnded, CrosstrailError."""
        import pyarrow as pa
        from pyarrow import csv

        names = [f"c{place}" for place in range(width)]
        try:
            with csv.open_csv(
                pa.PythonFile(_Stream(self.pieces), mode="r"),
                csv.ReadOptions(
                    column_names=names, skip_rows_after_names=1, block_size=_BLOCK_BYTES, use_threads=False
                ),
                csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
                csv.ConvertOptions(
                    column_types={name: pa.string() for name in names},
                    null_values=[""],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                ),
            ) as reader:
                for batch in reader:
                    yield _transposed(batch)
        except pa.ArrowException:
            raise RemoteEnded("the result file that Athena wrote cannot be read") from None


def _transposed(batch: pa.RecordBatch) -> list[tuple[str | None, ...]]:
    return list(zip(*(column.to_pylist() for column in batch.columns), strict=True))


class _Stream:
    """Pieces of bytes as a file of Python's, as far as Arrow reads one."""

    closed = False

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._rest) < size:
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._rest += piece
        size = len(self._rest) if size < 0 else size
        found, self._rest = self._rest[:size], self._rest[size:]
        return found

    def close(self) -> None:
        self.closed = True
