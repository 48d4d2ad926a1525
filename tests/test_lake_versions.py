"""One event id, several contents: one row shows which content holds, says that there are others, and keeps them."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.transforms import DayTransform, IdentityTransform

from audit_logs import ACCOUNT, document, record, rows, write
from crosstrail.lake.collector import CollectionReport, collect
from crosstrail.lake.reader import EVENTS_VIEW, connect
from crosstrail.lake.records import records
from crosstrail.lake.rows import Row, to_table
from crosstrail.lake.schema import ARROW_SCHEMA, first_schema
from crosstrail.lake.stage import write_parquet
from crosstrail.lake.table import LakeTable
from crosstrail.lake.versions import MAX_OTHERS

_ORIGINAL = record(1)
_UPDATED = record(1, errorCode="AccessDenied", addendum={"reason": "UPDATED_DATA", "updatedFields": "errorCode"})
_FORGED = record(1, sourceIPAddress="203.0.113.66")


def _collect(tmp_path: Path, *files: list[dict[str, Any]]) -> list[CollectionReport]:
    """Each file by a collection of its own, or all by one where a file is a list of lists."""
    reports = []
    for number, content in enumerate(files):
        folder = tmp_path / f"logs-{number}"
        write(folder / "one.json", {"Records": content})
        reports.append(collect([folder], tmp_path / "lake"))
    return reports


def _others(row: dict[str, Any]) -> list[dict[str, Any]]:
    return [json.loads(one["eventjson"]) for one in row["other_versions"] or ()]


@pytest.mark.parametrize(
    "files",
    [
        pytest.param([[record(2), _ORIGINAL, _UPDATED]], id="in one file"),
        pytest.param([[record(2), _UPDATED, _ORIGINAL]], id="in one file, the addendum first"),
        pytest.param([[record(2), _ORIGINAL], [_UPDATED, record(3)]], id="by two collections"),
        pytest.param([[_UPDATED], [_ORIGINAL, record(2)]], id="by two collections, the addendum first"),
        pytest.param([[_ORIGINAL], [record(2)], [_UPDATED], [_ORIGINAL, _UPDATED]], id="and both again"),
    ],
)
def test_an_addendum_is_shown_and_its_original_kept(files: list[list[dict[str, Any]]], tmp_path: Path) -> None:
    reports = _collect(tmp_path, *files)
    assert sum(report.conflicting for report in reports) == 0
    [row] = rows(tmp_path / "lake", where="eventid = 'event-00000001'")
    assert (row["errorcode"], dict(row["addendum"])["reason"]) == ("AccessDenied", "UPDATED_DATA")
    assert json.loads(row["eventjson"]) == _UPDATED
    assert _others(row) == [_ORIGINAL]
    others = rows(tmp_path / "lake", where="eventid <> 'event-00000001'")
    assert all(row["other_versions"] is None for row in others)
    assert len(others) == len({one["eventID"] for file in files for one in file}) - 1


@pytest.mark.parametrize(
    "files",
    [
        pytest.param([[_ORIGINAL, _FORGED]], id="in one file"),
        pytest.param([[_ORIGINAL], [_FORGED]], id="by two collections"),
        pytest.param([[_ORIGINAL], [record(1, sourceIPAddress="203.0.113.66", eventTime="2027-01-01T00:00:00Z")]], id="on another day"),
        pytest.param([[_ORIGINAL], [_FORGED], [_FORGED, _ORIGINAL]], id="and both again"),
    ],
)  # fmt: skip
def test_a_conflict_is_marked_on_the_row(files: list[list[dict[str, Any]]], tmp_path: Path) -> None:
    reports = _collect(tmp_path, *files)
    assert sum(report.conflicting for report in reports) == 1
    [row] = rows(tmp_path / "lake")
    assert row["sourceipaddress"] == _ORIGINAL["sourceIPAddress"]
    [other] = row["other_versions"]
    assert json.loads(other["eventjson"])["sourceIPAddress"] == "203.0.113.66"
    assert other["source_object"].endswith("one.json")


def test_an_addendum_that_moves_its_event_to_another_day_is_not_shown(tmp_path: Path) -> None:
    _collect(tmp_path, [_ORIGINAL], [_UPDATED | {"eventTime": "2027-01-01T00:00:00Z"}])
    [row] = rows(tmp_path / "lake")
    assert (row["errorcode"], len(row["other_versions"])) == (None, 1)


def test_versions_without_end_fill_no_row(tmp_path: Path) -> None:
    flood = [record(1, sourceIPAddress=f"203.0.113.{number}") for number in range(100)]
    first, second = _collect(tmp_path, [_ORIGINAL, *flood[:50]], [*flood[50:], _UPDATED])
    assert (first.conflicting, second.conflicting) == (50, 50)
    [row] = rows(tmp_path / "lake")
    assert row["errorcode"] == "AccessDenied"
    assert len(_others(row)) <= MAX_OTHERS + 1
    assert _ORIGINAL in _others(row)


def test_the_other_rows_of_a_replaced_file_stay(tmp_path: Path) -> None:
    many = [record(number, eventTime="2026-03-01T00:00:00Z") for number in range(2, 20_000)]
    _collect(tmp_path, [*many[:100], _ORIGINAL, *many[100:]])
    before = rows(tmp_path / "lake", where="eventid <> 'event-00000001'")
    _collect(tmp_path, [_FORGED])
    assert rows(tmp_path / "lake", where="eventid <> 'event-00000001'") == before
    assert len(rows(tmp_path / "lake", "other_versions", "other_versions IS NOT NULL")) == 1


def _older_lake(folder: Path, *events: dict[str, Any]) -> None:
    """A lake as it was made before the table had the column, with these events of one day."""
    folder.mkdir()
    schema = first_schema()
    spec = PartitionSpec(
        PartitionField(schema.find_field("cloud").field_id, 1000, IdentityTransform(), "cloud"),
        PartitionField(schema.find_field("account").field_id, 1001, IdentityTransform(), "account"),
        PartitionField(schema.find_field("eventtime").field_id, 1002, DayTransform(), "day"),
    )
    with closing(SqlCatalog("crosstrail", uri=f"sqlite:///{folder / 'catalog.sqlite'}")) as catalog:
        catalog.create_namespace("crosstrail")
        properties = {
            "format-version": "2",
            "write.metadata.metrics.default": "none",
            "write.metadata.metrics.column.eventtime": "full",
        }
        catalog.create_table(
            "crosstrail.events", schema, location=str(folder / "events"), partition_spec=spec, properties=properties
        )
    found = [row for row in records(document(events), "old.json", "") if isinstance(row, Row)]
    columns = to_table(found, ARROW_SCHEMA).drop_columns(["other_versions"])
    with closing(LakeTable.open(folder)) as table:
        path = table.data_folder / f"aws/{ACCOUNT}/{date(2026, 3, 1).isoformat()}/old-0.parquet"
        path.parent.mkdir(parents=True)
        write_parquet([columns], path, columns.schema)
        table.commit(table.snapshot(), [path])


def test_an_older_lake_is_read_and_grows_the_column(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    _older_lake(lake, _ORIGINAL, record(2))
    for forged in (0, 1):
        with closing(LakeTable.open(lake)) as table, closing(connect(table.plan(None))) as connection:
            query = f"SELECT eventid, len(other_versions) FROM {EVENTS_VIEW} ORDER BY eventid"
            marked = {"event-00000001": forged or None, "event-00000002": None}
            assert dict(connection.execute(query).fetchall()) == marked
        _collect(tmp_path, [_FORGED])
    ids = []
    for folder in (lake, tmp_path / "new"):
        LakeTable.open(folder, create=True).close()
        with closing(SqlCatalog("crosstrail", uri=f"sqlite:///{folder / 'catalog.sqlite'}")) as catalog:
            ids.append(catalog.load_table("crosstrail.events").schema().fields)
    assert ids[0] == ids[1]
