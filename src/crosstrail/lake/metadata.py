"""Reads which files the embedded lake consists of, from its catalog and Iceberg's own files, without PyIceberg.

PyIceberg and SQLAlchemy take most of a second to load, which a command would spend on every question. Decides nothing about
damage: what is missing, cannot be read or is not as this project writes it gives None, and PyIceberg is asked. Reads the
SQLite catalog in the lake's folder alone, and never writes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import NotRequired, TypedDict, cast

from crosstrail.lake import list_cache
from crosstrail.lake.avro import records
from crosstrail.lake.catalog import metadata_location
from crosstrail.lake.format import is_newer
from crosstrail.lake.list_cache import Lists
from crosstrail.lake.locations import Relocation, local
from crosstrail.lake.partition import partition_path
from crosstrail.lake.schema import FIRST_NAMES
from crosstrail.lake.snapshot import LakeFile, Snapshot, verdicts

_FORMAT = 2
_PARTITIONS = [("cloud", "identity"), ("account", "identity"), ("day", "day")]
_DATA, _DELETED = 0, 2
"""Of a list or a file: that it holds rows, not deletions of them. Of an entry: that the file is in the table no more."""
_UNUSED = frozenset({"column_sizes", "value_counts", "nan_value_counts"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Metadata:
    """The table at one moment. `location`: the file that describes it, another one after every change."""

    location: str
    uuid: str
    snapshot: Snapshot
    lists: Lists = field(default_factory=dict, compare=False, repr=False)
    properties: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)


class _Bound(TypedDict):
    key: int
    value: bytes


class _Count(TypedDict):
    key: int
    value: int


class _Partition(TypedDict):
    cloud: str
    account: str
    day: int


class _DataFile(TypedDict):
    content: int
    file_path: str
    file_format: str
    partition: _Partition
    record_count: int
    file_size_in_bytes: int
    null_value_counts: NotRequired[list[_Count] | None]
    lower_bounds: list[_Bound]
    upper_bounds: list[_Bound]


class _Entry(TypedDict):
    status: int
    data_file: _DataFile


class _Manifest(TypedDict):
    content: int
    manifest_path: str
    added_files_count: int
    existing_files_count: int
    added_rows_count: int
    existing_rows_count: int


class _Field(TypedDict):
    name: str
    id: int
    transform: str


_Schema = TypedDict("_Schema", {"schema-id": int, "fields": list[_Field]})


class _Spec(TypedDict):
    fields: list[_Field]


_Listed = TypedDict("_Listed", {"snapshot-id": int, "manifest-list": str})
_Table = TypedDict(
    "_Table",
    {
        "format-version": int,
        "location": str,
        "table-uuid": str,
        "schemas": list[_Schema],
        "current-schema-id": int,
        "partition-specs": list[_Spec],
        "current-snapshot-id": NotRequired[int | None],
        "snapshots": list[_Listed],
        "properties": NotRequired[dict[str, str]],
    },
)
"""Of Iceberg's table metadata, what is asked for here: https://iceberg.apache.org/spec/#table-metadata-and-snapshots"""


_MAX_LAKES = 8
_newest: dict[Path, Metadata] = {}
"""Of lakes with many files, by the folder, as it was last read: a command opens its lake twice."""


class _Unknown(Exception):
    """It is not as this project writes it."""


def read_metadata(folder: Path, before: Metadata | None) -> Metadata | None:
    """The newest, `before` itself when nothing has changed since. None: ask PyIceberg, which knows more and can say why."""
    try:
        location = metadata_location(folder)
        before = before or _newest.get(folder)
        found = before if before and before.location == location else _read(folder, location, before)
        if len(found.snapshot.files) > list_cache.MANY_FILES:
            if len(_newest) > _MAX_LAKES:
                _newest.clear()
            _newest[folder] = found
        return found
    except Exception:  # noqa: BLE001 - damage may raise anything; PyIceberg meets it again, and catalog.py has the words for it
        return None


def _read(folder: Path, location: str, before: Metadata | None) -> Metadata:
    events = folder / "events"
    table: _Table = json.loads((events / "metadata" / Path(location).name).read_bytes())
    here = Relocation(local(table["location"]), str(events))
    [schema] = [one for one in table["schemas"] if one["schema-id"] == table["current-schema-id"]]
    columns = {field["name"]: field["id"] for field in schema["fields"]}
    [spec] = table["partition-specs"]
    if (
        table["format-version"] != _FORMAT
        or here(location) != str(events / "metadata" / Path(location).name)
        or [(field["name"], field["transform"]) for field in spec["fields"]] != _PARTITIONS
        or not columns.keys() >= FIRST_NAMES
        or is_newer(table.get("properties", {}))
    ):
        raise _Unknown
    current = table.get("current-snapshot-id")
    uuid, properties = str(table["table-uuid"]), table.get("properties", {})
    if before and before.uuid == uuid and before.snapshot.id == current:
        return Metadata(location, uuid, before.snapshot, before.lists, properties)
    if current in (None, -1):
        return Metadata(location, uuid, Snapshot(None, ()), properties=properties)
    [listed] = [one for one in table["snapshots"] if one["snapshot-id"] == current]
    manifests = cast(list[_Manifest], _records(here(listed["manifest-list"])))
    known = before.lists if before and before.uuid == uuid else {}
    if not known and sum(map(_count, manifests)) > list_cache.MANY_FILES:
        known = list_cache.load(folder)
    lists: dict[str, Sequence[LakeFile]] = {}
    new = 0
    for each in manifests:
        name = os.path.basename(each["manifest_path"])
        if name not in known:
            new += _count(each)
        lists[name] = (
            known[name] if name in known else _files(each, columns["eventtime"], columns.get("verified"), here)
        )
        _check(each, lists[name])
    if new > list_cache.MANY_FILES:
        list_cache.store(folder, lists)
    return Metadata(location, uuid, Snapshot(current, tuple(chain.from_iterable(lists.values()))), lists, properties)


def _files(manifest: _Manifest, time_id: int, verified_id: int | None, here: Relocation) -> list[LakeFile]:
    """The data files that one list names."""
    entries = cast(list[_Entry], _records(here(manifest["manifest_path"])))
    return [_file(entry["data_file"], time_id, verified_id, here) for entry in entries if entry["status"] != _DELETED]


def _count(manifest: _Manifest) -> int:
    return manifest["added_files_count"] + manifest["existing_files_count"]


def _check(manifest: _Manifest, files: Sequence[LakeFile]) -> None:
    """These lists have no checksum: what one names must agree with what is said of it."""
    agrees = len(files) == _count(manifest)
    agrees &= sum(file.rows for file in files) == manifest["added_rows_count"] + manifest["existing_rows_count"]
    if manifest["content"] != _DATA or not agrees:
        raise _Unknown


def _file(file: _DataFile, time_id: int, verified_id: int | None, here: Relocation) -> LakeFile:
    """One of them, which has to lie where its partition says, and to be as long."""
    first, last = (_moment(bounds, time_id) for bounds in (file["lower_bounds"], file["upper_bounds"]))
    place = file["partition"]
    day = date(1970, 1, 1) + timedelta(days=place["day"])
    path, rows, size = here(file["file_path"]), file["record_count"], file["file_size_in_bytes"]
    folder = f"{here.place}/data/{partition_path(place['cloud'], place['account'], day.isoformat())}"
    if (
        (file["content"], file["file_format"]) != (_DATA, "PARQUET")
        or os.path.dirname(path) != folder
        or os.stat(path).st_size != size
        or not day == first.date() == last.date()
        or first > last
    ):
        raise _Unknown
    judged = verdicts(
        rows,
        next((one["value"] for one in file.get("null_value_counts") or () if one["key"] == verified_id), None),
        *(
            next((one["value"] for one in bounds if one["key"] == verified_id), None)
            for bounds in (file["lower_bounds"], file["upper_bounds"])
        ),
    )
    return LakeFile(path, place["cloud"], place["account"], day, rows, size, first, last, *judged)


def _moment(bounds: list[_Bound], time_id: int) -> datetime:
    [value] = [bound["value"] for bound in bounds if bound["key"] == time_id]
    return _EPOCH + timedelta(microseconds=int.from_bytes(value, "little", signed=True))


def _records(path: str) -> list[object]:
    return list(records(Path(path).read_bytes(), _UNUSED))
