"""What an event says of its log file: enough to find it in its bucket or folder, nothing of the operator's machine."""

from __future__ import annotations

import shutil
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from audit_logs import ACCOUNT, document, log, record
from crosstrail.lake.append import append
from crosstrail.lake.collector import collect
from crosstrail.lake.records import records
from crosstrail.lake.rows import Row, to_table
from crosstrail.lake.schema import ARROW_SCHEMA
from crosstrail.lake.sources.files import source_of
from crosstrail.lake.stage import write_parquet
from crosstrail.lake.table import LakeTable
from lake_workspace import client_of, rows_of, settings

pytestmark = pytest.mark.anyio

KEY = f"AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/2026/03/01/{ACCOUNT}_CloudTrail_us-east-1_20260301T0005Z_x.json"
SQL = "SELECT DISTINCT source_object FROM events ORDER BY 1"


async def _sources(lake: Path, sql: str = SQL) -> list[str]:
    async with client_of(settings(lake, [{"id": ACCOUNT, "alias": "prod"}])) as client:
        return rows_of(await client.call_tool("lake_query", {"sql": sql}))


async def test_a_row_names_its_file_inside_what_was_collected(tmp_path: Path) -> None:
    secret = tmp_path / "customers" / "acme"
    log(secret / "mirror" / KEY, [1])
    log(secret / "case" / "one.json", [2])
    log(secret / "alone.json", [3])
    log(tmp_path / "inner.json", [4])
    with zipfile.ZipFile(secret / "case" / "more.zip", "w") as archive:
        archive.write(tmp_path / "inner.json", "deep/inner.json")
    collect([secret / "mirror", secret / "case", secret / "alone.json"], tmp_path / "lake")
    found = await _sources(tmp_path / "lake")
    assert found == [KEY, "alone.json", "case/more.zip!deep/inner.json", "case/one.json"]
    assert await _sources(tmp_path / "lake", f"SELECT count(*) FROM events WHERE source_object = '{KEY}'") == ["1"]


async def test_the_key_of_an_object_is_the_same_whatever_folder_was_collected(tmp_path: Path) -> None:
    log(tmp_path / "a" / KEY, [1])
    kept = []
    for number, top in enumerate((tmp_path / "a", tmp_path / "a" / "AWSLogs", (tmp_path / "a" / KEY).parent)):
        collect([top], tmp_path / f"lake-{number}")
        kept += await _sources(tmp_path / f"lake-{number}")
    assert kept == [KEY, KEY, KEY]


async def test_rows_of_an_older_lake_say_no_more(tmp_path: Path) -> None:
    """As they were written then: with the whole path."""
    names = [f"/home/op/x/{KEY}", "/home/op/logs/one.json", "/home/op/logs/more.zip!deep/in.json", "/home/o!p/a.json"]
    with closing(LakeTable.open(tmp_path / "lake", create=True)) as table:
        for number, name in enumerate(names):
            found = records(document(record(number)), name, "")
            path = table.data_folder / f"aws/{ACCOUNT}/2026-03-01/old-{number}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            columns = to_table([row for row in found if isinstance(row, Row)], ARROW_SCHEMA)
            write_parquet([columns], path, ARROW_SCHEMA)
            append(table, [path])
    assert await _sources(tmp_path / "lake") == [KEY, "a.json", "more.zip!deep/in.json", "one.json"]
    assert await _sources(tmp_path / "lake", "SELECT count(*) FROM events WHERE source_object LIKE '%home%'") == ["0"]


def test_a_file_that_a_link_led_to_keeps_its_place_for_itself(tmp_path: Path) -> None:
    assert source_of("/elsewhere/secret/x.json", ["/data/logs"]) == "x.json"
    assert source_of("/elsewhere/secret/x.zip!a/b.json", ["/data/logs"]) == "b.json"
    assert source_of("/data/logs-of-others/x.json", ["/data/logs"]) == "x.json"
    assert source_of("/data/logs/x.json", ["/data", "/data/logs"]) == "logs/x.json"
    assert source_of("/etc/x.json", ["/"]) == "etc/x.json"


def test_a_second_collection_knows_its_files_still(tmp_path: Path) -> None:
    log(tmp_path / "logs" / "one.json", [1])
    shutil.copytree(tmp_path / "logs", tmp_path / "copy")
    assert collect([tmp_path / "logs"], tmp_path / "lake").objects_read == 1
    assert collect([tmp_path / "logs"], tmp_path / "lake").objects_known == 1
    assert collect([tmp_path / "copy"], tmp_path / "lake").known == 1
