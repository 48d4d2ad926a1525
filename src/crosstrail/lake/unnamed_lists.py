"""The table's own files that nothing names any more: lists of expired snapshots, and of commits that were lost or killed.

PyIceberg forgets a snapshot and leaves its lists where they are, two files a commit. Decides which may go: those that no
snapshot and no entry of the table's log names, and that are older than the time from which readers may still hold an expired
snapshot, or a commit may still be under way. It deletes nothing outside of the table's own folder.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from crosstrail.lake.locations import Relocation

if TYPE_CHECKING:
    from pyiceberg.table import Table

    from crosstrail.lake.warehouse import Mirror

_SUFFIXES = (".avro", ".metadata.json")


def delete_unnamed_lists(table: Table, here: Relocation, mirror: Mirror | None, before: datetime) -> None:
    """Raises what reading lists and deleting files raises; where a list cannot be read nothing is deleted."""
    stored = mirror.lists() if mirror else _local(Path(here.place) / "metadata")
    old = [path for path, written in stored if path.endswith(_SUFFIXES) and written < before]
    if not old:
        return
    named = {PurePath(location).name for location in _named(table)}
    unnamed = [path for path in old if PurePath(path).name not in named]
    if mirror:
        mirror.delete(unnamed)
        return
    for path in unnamed:
        Path(path).unlink(missing_ok=True)


def _named(table: Table) -> Iterator[str]:
    """Their names are unique, so a location's last part tells them."""
    yield table.metadata_location
    yield from (entry.metadata_file for entry in table.metadata.metadata_log)
    yield from (one.statistics_path for one in (*table.metadata.statistics, *table.metadata.partition_statistics))
    for snapshot in table.snapshots():
        yield snapshot.manifest_list
        yield from (manifest.manifest_path for manifest in snapshot.manifests(table.io))


def _local(folder: Path) -> Iterable[tuple[str, datetime]]:
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            yield str(path), datetime.fromtimestamp(path.stat().st_mtime, UTC)
