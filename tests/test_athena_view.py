"""What `lake ddl athena` makes, on a real Trino: the view over records as the SerDe gives them holds what the lake holds.

The table under the view is made in Trino's memory with the columns of the external table, and filled as AWS documents the
SerDe: names without case, text for scalars, JSON text for nested values of a STRING column.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest

from audit_logs import record
from conftest import SHARED_DATA
from crosstrail.engines.athena_cells import cell_reader, json_statement
from crosstrail.engines.athena_ddl import ABSENT, LogTable, create_lake_view, create_table, view_query
from crosstrail.engines.base import QueryScope
from crosstrail.engines.compiling import EngineStatement, StatementCompiler
from crosstrail.engines.messages import EventsTable
from crosstrail.lake.collector import collect
from crosstrail.lake.schema import COLUMNS
from crosstrail.lake.table import LakeTable
from crosstrail.models import Account
from crosstrail.object_store import BucketUri
from embedded import Embedded
from trino_client import TrinoClient
from trino_lake import Judged

pytestmark = pytest.mark.trino
TABLE, VIEW = "memory.default.athena_logs", "memory.default.athena_events"
EVERY = 5
"""One in so many of the real events: each is a literal of thousands of characters."""
ODD: list[dict[str, Any]] = [
    {"requestParameters": None},
    {"requestParameters": {}},
    {"requestParameters": {"z": {"y": 1, "b": [True, None, {"d": 1, "c": "x"}]}, "a": 'a "b"\\n\t', "n": None, "e": ""}},
    {"requestParameters": {"big": 12345678901234567890123, "neg": -5, "t": True, "f": 0.25, "null": "null", "é😀": "ü"}},
    {"requestParameters": "a text"},
    {"requestParameters": ["a", {"b": 1}]},
    {"responseElements": {"x": "y"}, "additionalEventData": {"vpcEndpointId": "v"}, "serviceEventDetails": {"k": [1]}},
    {"userIdentity": None},
    {"userIdentity": {"type": "AssumedRole", "sessionContext": {"attributes": {"creationDate": "2026-03-01T01:02:03Z"}}}},
    {"userIdentity": {"type": "AssumedRole", "sessionContext": {"webIdFederationData": {"attributes": {"a": "b"}}}}},
    {"userIdentity": {"type": "AssumedRole", "sessionContext": {"sessionIssuer": {"type": "Role"}, "attributes": {}}}},
    {"readOnly": "true", "managementEvent": False},
    {"readOnly": None, "managementEvent": None},
    {"resources": [{"ARN": "arn:aws:s3:::b", "accountId": "1", "type": "AWS::S3::Bucket"}, {"ARNPrefix": "arn:aws:s3:::c"}]},
    {"resources": []},
    {"tlsDetails": {"tlsVersion": "TLSv1.3", "clientProvidedHostHeader": "h"}, "errorCode": "AccessDenied", "errorMessage": ""},
    {"eventTime": "2026-03-01T23:59:59Z", "addendum": {"reason": "DELIVERY_DELAY"}, "sharedEventID": "s"},
]  # fmt: skip


@dataclass(frozen=True)
class Compared:
    trino: TrinoClient
    embedded: Embedded
    scope: QueryScope


@pytest.fixture(scope="module")
def compared(judged: Judged, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compared]:
    folder = tmp_path_factory.mktemp("athena")
    made = [record(number, **change) for number, change in enumerate(ODD)]
    found = {one["eventID"]: one for one in _real(SHARED_DATA)} if SHARED_DATA.is_dir() else {}
    records = [*made, *list(found.values())[::EVERY]]
    (folder / "logs.json").write_text(json.dumps({"Records": records}))
    collect([folder / "logs.json"], folder / "lake")
    with closing(LakeTable.open(folder / "lake")) as table:
        accounts = tuple(Account(id=one.account, cloud=one.cloud) for one in table.accounts())
        scope = QueryScope(accounts)
        files = [file.path for file in table.files([account.key for account in accounts])]
        with closing(Embedded(scope, files)) as embedded:
            owners = {str(row[0]): str(row[1]) for row in embedded.ask("SELECT eventid, account FROM events").rows}
            _fill(judged.trino, records, owners)
            yield Compared(judged.trino, embedded, scope)


def _real(shared_data: Path) -> Iterator[dict[str, Any]]:
    """Records of strangers' log files, where they are those of CloudTrail."""
    for path in sorted((shared_data / "aws").rglob("*.json")):
        try:
            document = json.loads(path.read_text())
        except ValueError:
            continue
        listed = document.get("Records") if isinstance(document, dict) else document
        for one in listed if isinstance(listed, list) else ():
            if isinstance(one, dict) and {"eventTime", "eventID", "eventVersion"} <= one.keys():
                yield one


def _fill(trino: TrinoClient, records: Sequence[dict[str, Any]], owners: Mapping[str, str]) -> None:
    """The table as the SerDe would show these records, and the view over it. `owners`: whose folder an event's file is in."""
    made = create_table(LogTable(BucketUri("s3", "logs"), ("us-east-1",)))
    columns = {name: _trino(kind) for name, kind in re.findall(r"^  `(\w+)` (.*?),?$", made, re.MULTILINE)}
    listed = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
    partitions = 'account varchar, region varchar, day varchar, "$path" varchar'
    _done(trino, f"CREATE TABLE {TABLE} ({listed}, {partitions})")
    rows = []
    for one in records:
        fields = {name.lower(): value for name, value in one.items()}
        values = [f"CAST({_literal(fields.get(name), kind)} AS {kind})" for name, kind in columns.items()]
        account = owners[one["eventID"]]
        path = f"s3://logs/x/AWSLogs/{account}/CloudTrail/f.json.gz"
        rows.append(f"({', '.join(values)}, '{account}', '{one['awsRegion']}', '2026/03/01', '{path}')")
    for start in range(0, len(rows), 8):
        _done(trino, f"INSERT INTO {TABLE} VALUES {', '.join(rows[start : start + 8])}")
    _done(trino, f"CREATE OR REPLACE VIEW {VIEW} AS {view_query(TABLE)}")


def _done(trino: TrinoClient, sql: str) -> None:
    answer = trino.ask(sql)
    assert not answer.error, answer.error[:500]


def _trino(hive: str) -> str:
    """`struct<a:string>` is row(a varchar)."""
    for ours, theirs in (
        ("struct<", "row("),
        ("array<", "array("),
        ("map<", "map("),
        (">", ")"),
        ("string", "varchar"),
    ):
        hive = hive.replace(ours, theirs)
    return hive.replace(":", " ")


def _literal(value: Any, kind: str) -> str:
    """As the SerDe reads a value of JSON for a column of that type."""
    if value is None:
        return "NULL"
    if kind.startswith("row("):
        fields: Mapping[str, Any] = {name.lower(): inner for name, inner in value.items()}
        parts = (part.partition(" ") for part in _parts(kind[4:-1]))
        return f"ROW({', '.join(_literal(fields.get(name), inner) for name, _, inner in parts)})"
    if kind.startswith("array("):
        return f"ARRAY[{', '.join(_literal(one, kind[6:-1]) for one in value)}]"
    if kind.startswith("map("):
        texts = [[_literal(one, "varchar") for one in side] for side in (value.keys(), value.values())]
        return f"map(ARRAY[{', '.join(texts[0])}], ARRAY[{', '.join(texts[1])}])"
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return "'" + text.replace("'", "''") + "'"


def _parts(fields: str) -> list[str]:
    """Split by the commas outside of parentheses."""
    parts, depth = [""], 0
    for letter in fields:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def test_the_view_holds_what_the_lake_holds(compared: Compared) -> None:
    """Every column and type; of what a SerDe cannot give the type alone."""
    names = [column.name for column in COLUMNS]
    sql = "SELECT {} FROM {} ORDER BY eventid, eventname"
    found = compared.trino.ask(sql.format(", ".join(names), VIEW))
    held = compared.embedded.ask(sql.format(", ".join(names), "events"))
    assert found.error == held.error == ""
    assert [_plain_type(one) for one in found.types] == [_plain_type(one) for one in held.types]
    assert len(found.rows) == len(held.rows) >= len(ODD)
    given = [place for place, name in enumerate(names) if name not in {*ABSENT, "source_object"}]
    for left, right in zip(found.rows, held.rows, strict=True):
        for place in given:
            assert _read(left[place]) == _read(right[place]), (names[place], left[names.index("eventid")])
    assert {row[names.index("source_object")].split("/")[0] for row in found.rows} == {"AWSLogs"}  # type: ignore[union-attr]
    assert {row[names.index("eventjson")] for row in found.rows} == {None}


def _plain_type(kind: str) -> str:
    return kind.replace('"', "").replace(" ", "")


def _read(text: str | None) -> object:
    """A map's keys come in any order: that of values inside, which are text, counts."""
    try:
        return json.loads(text) if text and text[0] in "{[" else text
    except ValueError:  # as a user agent of S3's console
        return text


STATEMENTS = [
    "SELECT eventid, eventname, useridentity, requestparameters FROM events WHERE errorcode IS NULL ORDER BY eventid DESC",
    "SELECT eventid, resources, eventtime FROM events WHERE eventtime > '2020-01-01 00:00:00' ORDER BY eventtime, eventid LIMIT 20",
    "SELECT eventsource, count(*), array_agg(DISTINCT eventname ORDER BY eventname) FROM events GROUP BY 1 ORDER BY 2 DESC, 1",
    "SELECT requestparameters['z'] AS z, map_filter(requestparameters, (k, v) -> v IS NOT NULL) FROM events "
    "WHERE element_at(requestparameters, 'z') IS NOT NULL ORDER BY 1",
    "SELECT useridentity.sessioncontext.attributes.creationdate, readonly, CAST('é' AS varbinary), ARRAY[1.5, 22.25], "
    "ROW(eventname, ARRAY[ROW(1, 2e7)]) FROM events ORDER BY eventid",
]  # fmt: skip


@pytest.mark.parametrize("sql", STATEMENTS)
def test_a_statement_for_athena_brings_what_the_lake_does(sql: str, compared: Compared) -> None:
    """As it is sent, but for binary values, which Athena prints otherwise than Trino's protocol."""
    table: EventsTable = {"relation": VIEW, "day": "day", "day_format": "yyyy/MM/dd", "late_days": 1}

    async def compiled() -> EngineStatement:
        return await StatementCompiler().text(sql, compared.scope, table)

    statement = anyio.run(compiled)
    found = compared.trino.ask(
        json_statement(statement.sql, statement.types).replace("account IN", "'' <> account AND true OR account IN")
    )
    held = compared.embedded.ask(sql)
    assert found.error == held.error == ""
    readers = [(lambda text: text) if kind.name == "varbinary" else cell_reader(kind) for kind in statement.types]
    rows = [[show(cell) for show, cell in zip(readers, row, strict=True)] for row in found.rows]
    assert [[_read(cell) for cell in row] for row in rows] == [[_read(cell) for cell in row] for row in held.rows]
    assert rows


def test_a_days_question_reads_a_days_folders(compared: Compared) -> None:
    """The conditions on partitions reach the scan below the view, where Athena turns them into folders."""
    table: EventsTable = {"relation": VIEW, "day": "day", "day_format": "yyyy/MM/dd", "late_days": 1}
    sql = "SELECT count(*) FROM events WHERE eventtime >= '2026-11-01' AND eventtime < '2026-11-02'"
    mixed = QueryScope(
        (Account(id="111111111111"), Account(id="222222222222"), Account(id="2100000001", cloud="volcengine"))
    )

    async def compiled() -> EngineStatement:
        return await StatementCompiler().text(sql, mixed, table)

    plan = compared.trino.ask(f"EXPLAIN {anyio.run(compiled).sql}")
    assert not plan.error
    lines = [line for row in plan.rows for line in str(row[0]).splitlines()]
    (scan,) = [line for line in lines if "filterPredicate" in line and "Scan" in line]
    assert "account IN (varchar '111111111111', varchar '222222222222')" in scan
    assert "(varchar '2026/11/01' <= day)" in scan
    assert "(day <= varchar '2026/11/03')" in scan
    assert "volcengine" not in scan


def test_the_view_of_the_lakes_table_has_the_documented_types(judged: Judged) -> None:
    """Over the Iceberg table itself, as Athena finds it in Glue, and with a day's condition on the table's partitions."""
    query = create_lake_view("crosstrail", "events", "v").partition(" AS\n")[2]
    query = query.replace('FROM "crosstrail"."events"', "FROM lake.crosstrail.events")
    names = ", ".join(column.name for column in COLUMNS)
    found = judged.trino.ask(
        f"SELECT {names} FROM ({query}) WHERE event_date >= DATE '2000-01-01' ORDER BY eventid, eventname"
    )
    held = judged.embedded.ask(f"SELECT {names} FROM events ORDER BY eventid, eventname")
    assert found.error == held.error == ""
    assert [_plain_type(one) for one in found.types] == [_plain_type(one) for one in held.types]
    ids = [column.name for column in COLUMNS].index("eventid")
    assert sorted(str(row[ids]) for row in found.rows) == sorted(str(row[ids]) for row in held.rows)
