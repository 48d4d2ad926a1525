"""The catalog of the lake, which says where its table is, and how that table begins.

Decides the catalog, the table's properties and partitions (cloud, account, day of the event), and what is said of a catalog
or a table that cannot be read. A table is made only where nothing is: never over the events of one whose catalog is gone.

The default catalog is SQLite in the lake's folder. Iceberg writes absolute locations into its metadata: of a folder that was
copied or moved, they are read as if they named files in it (locations.py), and written anew before anything is written
(relocate.py).
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import quote

from crosstrail.errors import ConfigError, CrosstrailError, LakeError
from crosstrail.lake.catalog_faults import catalog_fault
from crosstrail.lake.faults import RESTORE, fault
from crosstrail.lake.format import check_format
from crosstrail.lake.locations import is_local, local, uri_of
from crosstrail.lake.sqlite_reading import open_to_read
from crosstrail.lake.warehouse import LakeCatalog

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table

CATALOG_FILE = "catalog.sqlite"
_NAMESPACE = "crosstrail"
IDENTIFIER = (_NAMESPACE, "events")
BUSY_SECONDS = 30
_OPENED_AT_ONCE = 3
GLUE = "glue"
"""As a catalog: AWS Glue's, of the account and region whose credentials are used."""
_FILE_IO = "crosstrail.lake.files.PrivateFileIO"
_NEWEST_FORMAT = 3
_PROPERTIES = {
    "format-version": "2",
    # PyIceberg would otherwise rebase a lost commit by itself, over events that nobody compared with this one's.
    "commit.retry.num-retries": "0",
    "commit.manifest-merge.enabled": "true",
    "commit.manifest.min-count-to-merge": "20",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
    "write.metadata.metrics.default": "none",
    "write.metadata.metrics.column.eventtime": "full",
    "write.parquet.compression-codec": "zstd",
}


def has_lake(folder: Path) -> bool:
    """Whether there is a lake, be it one whose catalog is gone; told without opening anything."""
    return (folder / CATALOG_FILE).exists() or _has_events(folder)


def _has_events(folder: Path) -> bool:
    return next((folder / "events" / "data").glob("*/*/*/*.parquet"), None) is not None


def is_sql(catalog: str) -> bool:
    return "://" in catalog and not catalog.startswith(("http://", "https://"))


def open_catalog(folder: Path, catalog: LakeCatalog) -> Catalog:
    """Raises LakeError for a catalog that cannot be read, ConfigError for one that needs what is not installed."""
    from pyiceberg.catalog import load_catalog
    from pyiceberg.catalog.sql import SqlCatalog
    from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError, SQLAlchemyError

    from crosstrail.lake.files import MOVED_FROM, MOVED_TO, OPEN_BUCKET

    # A folder's name may hold ? and #. SQLAlchemy takes one quoting off, SQLite the other.
    file = quote(quote(str(folder / CATALOG_FILE)))
    uri = catalog.uri or f"sqlite:///file:{file}?timeout={BUSY_SECONDS}&uri=true"
    # PyIceberg says that properties are text, and takes objects where text cannot be: sessions, functions.
    properties = cast(dict[str, str], dict(catalog.properties))
    if is_sql(uri) or catalog.open_bucket:
        properties["py-io-impl"] = _FILE_IO
    if catalog.open_bucket:
        properties[OPEN_BUCKET] = cast(str, catalog.open_bucket)
    if catalog.warehouse:
        properties["warehouse"] = catalog.warehouse
    if not is_sql(uri):
        if uri == GLUE:
            return _glue_catalog(properties)
        return load_catalog(uri, **properties) if "://" not in uri else _rest_catalog(uri, properties)
    base = "" if catalog.uri else made_in(folder)
    if base.startswith("/") and base != str(folder / "events"):
        properties |= {MOVED_FROM: base, MOVED_TO: str(folder / "events")}
    for tries_left in range(_OPENED_AT_ONCE, -1, -1):
        try:
            return SqlCatalog(_NAMESPACE, uri=uri, **properties)
        except SQLAlchemyError as error:  # of processes that make the catalog's tables at once, all but one lose
            lost = isinstance(error, OperationalError | IntegrityError | ProgrammingError)
            if not tries_left or not lost or "locked" in str(error):
                raise _catalog_fault(error, own=not catalog.uri) from error
    raise AssertionError


def _glue_catalog(properties: dict[str, str]) -> Catalog:
    _need_boto3("AWS Glue as the catalog")
    from pyiceberg.catalog.glue import GlueCatalog

    return GlueCatalog(_NAMESPACE, **properties)


def _need_boto3(what: str) -> None:
    if find_spec("boto3") is None:
        from crosstrail.origin import install_hint

        raise ConfigError(f"{what} needs boto3", hint=install_hint("glue"))


def _rest_catalog(uri: str, properties: dict[str, str]) -> Catalog:
    from pyiceberg.catalog import load_catalog

    if properties.get("rest.sigv4-enabled"):
        _need_boto3("signing requests to the catalog")
    try:
        return load_catalog(_NAMESPACE, type="rest", uri=uri, **properties)
    except CrosstrailError:
        raise
    except Exception as error:
        raise catalog_fault(error) or _catalog_fault(error, own=False) from error


def _catalog_fault(error: Exception, *, own: bool) -> LakeError:
    if own:
        return fault(error, "the lake's catalog", CATALOG_FILE)
    return LakeError(
        "the lake's catalog cannot be reached", hint=f"{type(error).__name__}: see lake.catalog and its server."
    )


def load(catalog: Catalog, folder: Path, place: LakeCatalog, create: bool) -> Table:
    """The table in the catalog that `place` was opened as, made where there is none and `create` says so."""
    from pyiceberg.exceptions import NamespaceAlreadyExistsError, NoSuchTableError, TableAlreadyExistsError
    from pyiceberg.partitioning import PartitionField, PartitionSpec
    from pyiceberg.transforms import DayTransform, IdentityTransform
    from sqlalchemy.exc import IntegrityError, SQLAlchemyError

    from crosstrail.lake.schema import first_schema

    own = not place.uri
    try:
        return _known(catalog.load_table(IDENTIFIER))
    except NoSuchTableError as error:
        if own and not place.warehouse and _has_events(folder):
            raise LakeError(
                f"the lake's catalog ({CATALOG_FILE}) does not know the events in the lake's folder", hint=RESTORE
            ) from error
        if not create:
            raise LakeError("there is no lake in this catalog", hint="Fill it with: crosstrail collect PATH") from error
    except SQLAlchemyError as error:
        raise _catalog_fault(error, own=own) from error
    except CrosstrailError:
        raise
    except Exception as error:
        raise _unreadable(error, catalog, folder if own else None) from error
    schema = first_schema()
    spec = PartitionSpec(
        PartitionField(schema.find_field("cloud").field_id, 1000, IdentityTransform(), "cloud"),
        PartitionField(schema.find_field("account").field_id, 1001, IdentityTransform(), "account"),
        PartitionField(schema.find_field("eventtime").field_id, 1002, DayTransform(), "day"),
    )
    location = _new_location(folder, place)
    try:
        with suppress(NamespaceAlreadyExistsError, IntegrityError):  # another process was quicker
            catalog.create_namespace(_NAMESPACE)
        return catalog.create_table(IDENTIFIER, schema, location=location, partition_spec=spec, properties=_PROPERTIES)
    except TableAlreadyExistsError:
        return _known(catalog.load_table(IDENTIFIER))
    except SQLAlchemyError as error:
        raise _catalog_fault(error, own=own) from error
    except CrosstrailError:
        raise
    except Exception as error:
        if not isinstance(error, OSError) and not catalog_fault(error):
            raise
        raise fault(error, "the lake's folder") from error


def _known(table: Table) -> Table:
    check_format(table.properties)
    return table


def _new_location(folder: Path, place: LakeCatalog) -> str | None:
    """Where a new table goes; None where its catalog decides."""
    if place.in_bucket:
        return f"{place.in_bucket}/{_NAMESPACE}/{IDENTIFIER[1]}"
    if place.uri == GLUE:
        raise ConfigError("AWS Glue as the catalog needs a warehouse", hint="Set lake.warehouse: s3://bucket/prefix.")
    return uri_of(folder / "events") if not place.uri or is_sql(place.uri) else None


def _unreadable(error: Exception, catalog: Catalog, folder: Path | None) -> LakeError:
    """The table's metadata file is missing or damaged."""
    where = ""
    with suppress(sqlite3.Error, ValueError):
        where = metadata_location(folder) if folder else ""
    version = _format_of(folder / "events/metadata" / Path(where).name) if folder and where else 0
    if version > _NEWEST_FORMAT:
        return LakeError(
            f"the lake's table has the Iceberg format {version}, which this version does not read",
            hint="Read it with the version that wrote it, or a newer one.",
        )
    return fault(error, "the lake's table", f"events/metadata/{Path(where).name}" if where else "")


def _format_of(metadata: Path) -> int:
    with suppress(Exception):
        return int(json.loads(metadata.read_bytes())["format-version"])
    return 0


def metadata_location(folder: Path) -> str:
    """The file that describes the table now, as the SQLite catalog in the lake's folder names it. Reads only.

    Raises sqlite3.Error or ValueError for a catalog that is damaged or names no table.
    """
    namespace, name = IDENTIFIER
    with closing(open_to_read(folder / CATALOG_FILE)) as connection:
        found = connection.execute(
            "SELECT metadata_location FROM iceberg_tables WHERE catalog_name = ? AND table_namespace = ? AND table_name = ?",
            (namespace, namespace, name),
        ).fetchall()
    [(location,)] = found
    return str(location)


def made_in(folder: Path) -> str:
    """The path that the lake's table says it is at: that of its folder, unless it was copied or moved and not written since."""
    with suppress(sqlite3.Error, ValueError):
        found = metadata_location(folder)
        return str(Path(local(found)).parent.parent) if is_local(found) else found
    return str(folder / "events")


def check_columns(table: Table) -> None:
    """Raises LakeError for a table of another version's columns."""
    from crosstrail.lake.schema import first_schema

    known = {field.name for field in table.schema().fields}
    missing = [field.name for field in first_schema().fields if field.name not in known]
    if missing:
        raise LakeError(
            f"the lake's table has no column {missing[0]}",
            hint="It was made by another version or another program: collect the logs into a new folder.",
        )
