"""The table's own files written anew, with the locations of a folder that it was not made in, or with URIs for bare paths.

Decides nothing about events: no data file is touched, copied or read. The new files count from one change of the catalog's
row on, which holds only when nobody committed meanwhile; a process killed before that leaves the table as it was. What the
table names outside its own folder is an error: it would be another lake's.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NotRequired, TypedDict, TypeGuard

from crosstrail import private
from crosstrail.errors import LakeBusy, LakeError
from crosstrail.lake.catalog import IDENTIFIER
from crosstrail.lake.faults import reading
from crosstrail.lake.locations import Relocation, is_local, local, uri_of
from crosstrail.lake.warehouse import LakeCatalog

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog
    from pyiceberg.catalog.sql import SqlCatalog
    from pyiceberg.typedef import Record
    from sqlalchemy import ColumnElement
    from sqlalchemy import Table as SqlTable

_TRIES = 20
_Snapshot = TypedDict("_Snapshot", {"snapshot-id": int, "manifest-list": str})
_Logged = TypedDict("_Logged", {"metadata-file": str, "timestamp-ms": int})
_Statistics = TypedDict("_Statistics", {"statistics-path": str})
_Table = TypedDict(
    "_Table",
    {
        "location": str,
        "last-updated-ms": int,
        "snapshots": NotRequired[list[_Snapshot]],
        "metadata-log": NotRequired[list[_Logged]],
        "statistics": NotRequired[list[_Statistics]],
        "partition-statistics": NotRequired[list[_Statistics]],
    },
)
"""Of Iceberg's table metadata, what names files: https://iceberg.apache.org/spec/#table-metadata-fields"""


def rename_files(folder: Path, place: LakeCatalog, *, moved: bool) -> bool:
    """Makes the table of a lake name its files by URIs, and, where its folder was copied or `moved`, at their new place.

    False when it does so already. Of the catalog in the lake's folder both are one. A catalog server knows one table only:
    with `moved` it is taken to the lake's folder, unless the files where it was are still there.
    Raises LakeError, also when there is no lake.
    """
    from crosstrail.lake.catalog import CATALOG_FILE, load, open_catalog

    if not place.uri and not (folder / CATALOG_FILE).is_file():
        raise LakeError("there is no lake", hint="Fill it with: crosstrail collect PATH --lake FOLDER").about(
            str(folder)
        )
    with reading("the lake's table"), closing(open_catalog(folder, place)) as opened:
        if not moved or not place.uri:
            location = load(opened, folder, place, create=False).location()
            return relocate(
                opened, uri_of(local(location) if place.uri or not is_local(location) else folder / "events")
            )
        before = local(_location(opened)) if is_sql_catalog(opened) else ""
        if before and Path(before).exists() and Path(before).parent != folder / "events" / "metadata":
            raise LakeError(
                "the table's files are still where they were made",
                hint="Move the folder instead of copying it: a catalog server knows one table only.",
            ).about(str(Path(before).parents[2]))
        return relocate(opened, uri_of(folder / "events"))


def is_sql_catalog(catalog: Catalog) -> TypeGuard[SqlCatalog]:
    from pyiceberg.catalog.sql import SqlCatalog

    return isinstance(catalog, SqlCatalog)


def relocate(catalog: Catalog, place: str) -> bool:
    """Makes the table name its files at `place`, a location `file:///...`, where its files must lie already.

    False when it does, and for storage, which has URIs only. Raises LakeError for a catalog that cannot be told that, LakeBusy when
    others kept committing, and what reading and writing files raises.
    """
    if not is_local(place):
        return False
    if not is_sql_catalog(catalog):
        raise LakeError(
            "the table of this catalog cannot be moved: its catalog says where it is",
            hint="Move the table with the catalog's own means.",
        )
    for _ in range(_TRIES):
        found = _location(catalog)
        metadata = Path(local(place)) / "metadata" / Path(found).name
        table: _Table = json.loads(metadata.read_bytes())
        if table["location"] == place:
            return False
        rewritten = _Rewrite(Relocation(local(table["location"]), local(place))).table(table, found)
        if _swap(catalog, found, uri_of(rewritten)):
            return True
    raise LakeBusy("other processes kept committing to this lake", hint="Try again.")


def _location(catalog: SqlCatalog) -> str:
    """The metadata file that counts now."""
    from sqlalchemy import select

    table, row = _row(catalog)
    with catalog.engine.connect() as connection:
        return str(connection.execute(select(table.c.metadata_location).where(*row)).scalar_one())


def _swap(catalog: SqlCatalog, old: str, new: str) -> bool:
    """Makes another metadata file count; False when that one does no more."""
    from sqlalchemy import update

    table, row = _row(catalog)
    change = update(table).where(*row, table.c.metadata_location == old)
    with catalog.engine.begin() as connection:
        return connection.execute(change.values(metadata_location=new, previous_metadata_location=old)).rowcount == 1


def _row(catalog: SqlCatalog) -> tuple[SqlTable, tuple[ColumnElement[bool], ...]]:
    from pyiceberg.catalog.sql import SqlCatalogBaseTable

    table = SqlCatalogBaseTable.metadata.tables["iceberg_tables"]
    namespace, name = IDENTIFIER
    columns = {"catalog_name": catalog.name, "table_namespace": namespace, "table_name": name}
    return table, tuple(table.c[column] == value for column, value in columns.items())


class _Rewrite:
    """One table's metadata, lists and all, under other names beside what it is made of."""

    def __init__(self, here: Relocation) -> None:
        self._here = here
        self._run = uuid.uuid4().hex
        self._folder = Path(here.place) / "metadata"
        self._made: dict[str, tuple[str, int]] = {}

    def table(self, table: _Table, name: str) -> Path:
        """The metadata file that names everything anew; `name` that of the old one, which it takes into its log."""
        table["location"] = self._uri(table["location"])
        for snapshot in table.get("snapshots", ()):
            snapshot["manifest-list"] = self._manifest_list(snapshot["manifest-list"], snapshot["snapshot-id"])
        for entry in table.get("metadata-log", ()):
            entry["metadata-file"] = self._uri(entry["metadata-file"])
        for computed in (*table.get("statistics", ()), *table.get("partition-statistics", ())):
            computed["statistics-path"] = self._uri(computed["statistics-path"])
        log: _Logged = {"metadata-file": self._uri(name), "timestamp-ms": table["last-updated-ms"]}
        table["metadata-log"] = [*table.get("metadata-log", ()), log]
        number = int(Path(name).name.partition("-")[0]) + 1
        made = self._folder / f"{number:05d}-{uuid.UUID(self._run)}.metadata.json"
        private.create(made)
        made.write_text(json.dumps(table, separators=(",", ":")))
        return made

    def _uri(self, location: str) -> str:
        """Relocation takes an old lake's paths to where they are already; those get a scheme."""
        return uri_of(self._here(location))

    def _manifest_list(self, location: str, snapshot: int) -> str:
        def renamed(manifest: Record, place: dict[str, int]) -> None:
            path, length = self._manifest(manifest[place["manifest_path"]])
            manifest[place["manifest_path"]], manifest[place["manifest_length"]] = path, length

        made = self._folder / f"snap-{snapshot}-0-{self._run}.avro"
        _copy_avro(self._here(location), made, renamed)
        return uri_of(made)

    def _manifest(self, location: str) -> tuple[str, int]:
        """The list of data files, copied once however many snapshots have it, and its length."""

        def renamed(entry: Record, place: dict[str, int]) -> None:
            file, path = entry[place["data_file"]], place["data_file.file_path"]
            file[path] = self._uri(file[path])

        if location not in self._made:
            made = self._folder / f"{self._run}-m{len(self._made)}.avro"
            _copy_avro(self._here(location), made, renamed)
            self._made[location] = (uri_of(made), made.stat().st_size)
        return self._made[location]


def _copy_avro(source: str, made: Path, change: Callable[[Record, dict[str, int]], None]) -> None:
    """The Avro file with each record changed in place, everything else as it was. `change` gets the places of its fields."""
    from pyiceberg.avro.file import AvroFile, AvroOutputFile
    from pyiceberg.typedef import Record
    from pyiceberg.types import StructType

    from crosstrail.lake.files import PrivateFileIO

    io = PrivateFileIO()
    with AvroFile[Record](io.new_input(source)) as old:
        places = {}
        for number, field in enumerate(old.schema.fields):
            places[field.name] = number
            if isinstance(field.field_type, StructType):
                places |= {f"{field.name}.{one.name}": place for place, one in enumerate(field.field_type.fields)}
        records = list(old)
        for record in records:
            change(record, places)
        header = dict(old.header.meta)
        schema = old.schema
    name = json.loads(header.pop("avro.schema"))["name"]
    with AvroOutputFile[Record](io.new_output(str(made)), schema, name, metadata=header) as new:
        new.write_block(records)
