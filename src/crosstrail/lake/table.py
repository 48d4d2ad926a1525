"""The Iceberg table of the lake: where it lives, which files it consists of, and how those change.

Decides which files a plan names and that a commit counts only when nobody else committed since its caller looked. Where the
table is and how it began is catalog.py's. It never reads a log file and never decides which events are new: see append.py.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Sequence, Set
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from crosstrail.errors import LakeError
from crosstrail.lake.catalog import CATALOG_FILE, has_lake
from crosstrail.lake.catalog_faults import catalog_fault, may_have_committed
from crosstrail.lake.data_file_entries import data_files, lake_file
from crosstrail.lake.faults import RESTORE, fault, need_locks, reading
from crosstrail.lake.format import check_format, format_of
from crosstrail.lake.history import at
from crosstrail.lake.locations import Relocation, is_local, local
from crosstrail.lake.metadata import Metadata, read_metadata
from crosstrail.lake.opening import make_private, opened_table
from crosstrail.lake.removals import Removal, removals_of, with_removals
from crosstrail.lake.snapshot import AccountSummary, LakeFile, Snapshot
from crosstrail.lake.spans import Span
from crosstrail.lake.unnamed_lists import delete_unnamed_lists
from crosstrail.lake.warehouse import LakeCatalog, Mirror
from crosstrail.models import AccountKey
from crosstrail.timerange import TimeRange
from crosstrail.user_folders import expanded

if TYPE_CHECKING:
    from pyiceberg.table import Table

    from crosstrail.lake.event_ids import EventIds


_MANY_SNAPSHOTS = 100
"""Replaced ones that go even where no data file can go with them: each stands in the file that every commit writes anew."""


class CommitLost(Exception):
    """Somebody else committed first; look at the new snapshot and decide again."""


class LakeTable:
    """Safe to share between threads. Every read sees the newest committed snapshot."""

    def __init__(
        self,
        folder: Path,
        place: LakeCatalog,
        opened: Callable[[], Table],
        metadata: Metadata | None,
        as_of: datetime | None = None,
    ) -> None:
        """`metadata`: what of the table was read without PyIceberg, which `opened` loads when it is needed after all."""
        self._as_of = as_of
        self._folder = folder
        self._place = place
        self._reads_lists = not place.uri and not as_of
        self._mirrored: Mirror | None = None
        self._opened = opened
        self._metadata = metadata
        self._loaded: Table | None = None
        self._loading = threading.Lock()
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None

    @classmethod
    def open(
        cls, path: Path, *, catalog: str | LakeCatalog = "", create: bool = False, as_of: datetime | None = None
    ) -> LakeTable:
        """The lake in the folder `path`.

        `catalog`: a LakeCatalog, or its `uri` alone. Of a warehouse in a bucket, the folder holds what was read or written here.
        `as_of`: what is read is the table as it was then; nothing can be committed to it.
        Opened with `create`, which writers do, an old lake or one whose folder was copied or moved names its files anew.
        Raises LakeError when there is no lake and `create` is False.
        """
        folder = expanded(path).resolve()
        place = LakeCatalog(catalog) if isinstance(catalog, str) else catalog
        own = not place.uri
        if own and not (folder / CATALOG_FILE).exists() and has_lake(folder):
            raise LakeError(f"the lake's catalog ({CATALOG_FILE}) is missing", hint=RESTORE)
        if own and not create and not has_lake(folder):
            raise LakeError("there is no lake", hint="Fill it with: crosstrail collect PATH --lake FOLDER").about(
                str(folder)
            )
        if create:
            with reading("the lake's folder"):
                make_private(folder, own=own)
        if own:
            need_locks(folder)
        metadata = read_metadata(folder, None) if own and not create and not as_of else None
        table = cls(folder, place, lambda: opened_table(folder, place, create), metadata, as_of)
        if metadata is None:
            table._load()
        return table

    def _load(self) -> Table:
        """PyIceberg's table, which alone can change it, and knows what to say of one that is damaged."""
        with self._loading:
            if self._loaded is None:
                self._loaded = self._opened()
            return self._loaded

    @property
    def _table(self) -> Table:
        return self._loaded or self._load()

    def _refresh(self) -> None:
        """To the newest state, which a newer version may have written meanwhile: then it is read and written no more."""
        with reading("the lake's table"):
            self._table.refresh()
        check_format(self._table.properties)

    def close(self) -> None:
        """Lets go of the catalog's connections; the table is of no use afterwards."""
        if self._loaded:
            self._loaded.catalog.close()

    @property
    def uuid(self) -> str:
        """Tells this table from one made anew in the same place."""
        metadata = self._metadata
        return metadata.uuid if metadata else str(self._table.metadata.table_uuid)

    @property
    def format(self) -> int:
        """The version of the lake's format: see format.py."""
        return format_of(self._table.properties, self.location, self._table.schema().column_names)

    @property
    def location(self) -> str:
        """Where the table itself says that it is."""
        return str(self._table.location())

    @property
    def is_shared(self) -> bool:
        """Whether other machines may write it, each with a folder of its own."""
        return bool(self._place.uri)

    def removals(self) -> tuple[Removal, ...]:
        """What was taken out of the newest table, by whichever machine that shares it. Raises LakeError."""
        with self._lock:
            if self._reads_lists and (metadata := read_metadata(self._folder, self._metadata)):
                self._metadata = metadata
                return removals_of(metadata.properties)
            self._refresh()
            return removals_of(self._table.properties)

    @property
    def folder(self) -> Path:
        return self._folder

    @property
    def data_folder(self) -> Path:
        """Where data files are written before a commit names them."""
        return Path(self._here.place) / "data"

    @cached_property
    def event_ids(self) -> EventIds:
        """What is known of the ids of its events without reading data files, on this machine."""
        from crosstrail.lake.event_ids import EventIds

        return EventIds(self._folder)

    @property
    def _here(self) -> Relocation:
        """From the table's locations to paths: those of its own folder, also where that was copied or moved, or mirrors a
        bucket."""
        base = local(self._table.location())
        in_folder = not self._place.uri or not is_local(base)
        return Relocation(base, str(self._folder / "events") if in_folder else base)

    @property
    def mirror(self) -> Mirror | None:
        """Of a warehouse in a bucket, its data files on this machine; None where they are all here. Raises ConfigError."""
        if self._metadata is None and self._mirrored is None and not is_local(self._table.location()):
            self._mirrored = Mirror(self._here, self._place.open_bucket, self._place.cache_bytes)
        return self._mirrored

    def fetch(self, files: Iterable[LakeFile]) -> None:
        """Before committed data files are read: brings those here that a bucket has. Raises LakeError, CloudError, OSError."""
        if mirror := self.mirror:
            mirror.fetch({file.path: file.bytes for file in files})

    def has_here(self, files: Iterable[LakeFile]) -> bool:
        """Whether these can be read without a bucket being asked for them."""
        return self.mirror is None or all(Path(file.path).exists() for file in files)

    def plan(self, accounts: Collection[AccountKey] | None, span: TimeRange = TimeRange()) -> tuple[str, ...]:
        """Absolute paths of the data files that may hold events of these accounts (None: all) in this span, ready to be read."""
        files = self.files(accounts, span)
        self.fetch(files)
        return tuple(file.path for file in files)

    def files(self, accounts: Collection[AccountKey] | None, span: TimeRange = TimeRange()) -> tuple[LakeFile, ...]:
        """The same as `plan`, with what is known of each file."""
        snapshot = self.snapshot()
        by_account = snapshot.by_account
        asked = [snapshot.files] if accounts is None else [by_account.get(key, ()) for key in dict.fromkeys(accounts)]
        return tuple(
            file
            for files in asked
            for file in files
            if (span.start is None or file.last >= span.start) and (span.end is None or file.first <= span.end)
        )

    def accounts(self) -> tuple[AccountSummary, ...]:
        """What the lake holds of each account, ordered; read from the table's metadata alone, once a snapshot."""
        return tuple(self.snapshot().summaries.values())

    def account(self, key: AccountKey) -> AccountSummary | None:
        """What it holds of one account; None when that is nothing."""
        return self.snapshot().summaries.get(key)

    def snapshot(self) -> Snapshot:
        """The newest committed snapshot, or the newest of `as_of`; its files are read once and kept."""
        with self._lock:
            if self._reads_lists and (metadata := read_metadata(self._folder, self._metadata)):
                self._metadata = metadata
                return metadata.snapshot
            self._refresh()
            current = at(self._table, self._as_of) if self._as_of else self._table.current_snapshot()
            snapshot_id = current.snapshot_id if current else None
            if self._snapshot is None or self._snapshot.id != snapshot_id:
                try:
                    tasks = self._table.scan(snapshot_id=snapshot_id).plan_files() if current else ()
                    here = self._here
                    self._snapshot = Snapshot(snapshot_id, tuple(lake_file(task.file, here) for task in tasks))
                except Exception as error:
                    raise self._damaged(error) from error
            return self._snapshot

    def history(self) -> tuple[tuple[int, datetime], ...]:
        """(id, when it was committed) of every snapshot that is kept, the oldest first."""
        with self._lock:
            self._refresh()
            in_order = sorted(self._table.snapshots(), key=lambda snapshot: snapshot.sequence_number or 0)
            return tuple((one.snapshot_id, datetime.fromtimestamp(one.timestamp_ms / 1000, UTC)) for one in in_order)

    def stated_totals(self) -> tuple[int, int] | None:
        """(data files, events) that the newest snapshot says it has, whatever its lists name; None where it says nothing."""
        with self._lock:
            self._refresh()
            current = self._table.current_snapshot()
            if not current:
                return 0, 0
            stated = current.summary.additional_properties if current.summary else {}
            try:
                return int(stated["total-data-files"]), int(stated["total-records"])
            except (KeyError, ValueError):
                return None

    def _damaged(self, error: Exception) -> LakeError:
        """Names the one of the table's lists of files that cannot be read."""
        known = ""
        with suppress(Exception):
            for snapshot in reversed(self._table.snapshots()):
                known = snapshot.manifest_list
                for manifest in snapshot.manifests(self._table.io):
                    known = manifest.manifest_path
                    manifest.fetch_manifest_entry(self._table.io)
        return fault(error, "the lake's list of files", f"events/metadata/{Path(known).name}" if known else "")

    def commit(
        self,
        base: Snapshot,
        added: Sequence[Path],
        removed: Set[str] = frozenset(),
        *,
        gone: Iterable[tuple[AccountKey, Span]] = (),
    ) -> None:
        """Puts the data files `added` in and takes the paths `removed` out, as one snapshot right after `base`. `gone`: of which
        accounts and times events leave the table for good, told to whoever shares it.

        Raises CommitLost when `base` is no longer the newest, or names one of `removed` no more; also where nobody knows
        whether the change was made, which the next snapshot shows.
        """
        from pyiceberg.exceptions import CommitFailedException, CommitStateUnknownException, ValidationException
        from sqlalchemy.exc import OperationalError

        with self._lock:
            table = self._table
            self._refresh()
            current = table.current_snapshot()
            if (current.snapshot_id if current else None) != base.id:
                raise CommitLost
            if not removed <= {file.path for file in base.files}:
                raise CommitLost  # somebody else replaced it: what takes its place would hold its events twice
            described = list(data_files(table, added, self._here))
            if self.mirror:
                self.mirror.upload(added)
            transaction = table.transaction()
            if told := with_removals(table.properties, gone):
                transaction.set_properties(told)
            update = transaction.update_snapshot()
            try:
                with update.overwrite() if removed else update.merge_append() as producer:
                    for data_file in described:
                        producer.append_data_file(data_file)
                    left, here = set(removed), self._here
                    for task in table.scan().plan_files() if removed else ():
                        if (path := here(task.file.file_path)) in left:
                            producer.delete_data_file(task.file)
                            left.remove(path)
                    if left:
                        raise CommitLost  # what takes their place would hold their events twice
                transaction.commit_transaction()
            except (CommitFailedException, CommitStateUnknownException, OperationalError) as error:
                raise CommitLost from error
            except ValidationException as error:
                # PyIceberg 0.12 asks its lists in several threads with one evaluator between them, and may miss one. All that is
                # removed was found above, so it is there: the next try asks anew.
                raise CommitLost from error
            except Exception as error:
                if may_have_committed(error):
                    raise CommitLost from error
                raise catalog_fault(error) or error from error

    def names(self, paths: Iterable[Path]) -> bool:
        """Whether the newest snapshot names all of these data files: a commit that is called lost may have been made."""
        return {str(path) for path in paths} <= {file.path for file in self.snapshot().files}

    def referenced(self) -> frozenset[str]:
        """Paths of all data files that any kept snapshot names: whatever else lies in the data folder is a leftover."""
        with self._lock:
            self._refresh()
            try:
                paths = self._table.inspect.all_data_files().column("file_path") if self._table.snapshots() else ()
            except Exception as error:
                raise self._damaged(error) from error
            return frozenset(map(self._here, map(str, paths)))

    def expire(self, replaced_before: datetime) -> None:
        """Forgets snapshots whose place another one took before that time; deletes the data files and lists that only they named. Does
        nothing as long as there are no such data files and few such snapshots.

        When a snapshot was made says nothing: a reader may begin with it until it is replaced, however old it is. Leaves
        all as it is when somebody commits meanwhile.
        """
        from pyiceberg.exceptions import CommitFailedException
        from sqlalchemy.exc import OperationalError

        with self._lock:
            self._table.refresh()
            in_order = sorted(self._table.snapshots(), key=lambda snapshot: snapshot.sequence_number or 0)
            last_moment = replaced_before.timestamp() * 1000
            pairs = [pair for pair in pairwise(in_order) if pair[1].timestamp_ms <= last_moment]
        replacing = any(after.summary and after.summary["deleted-data-files"] for _, after in pairs)
        if not replacing and len(pairs) < _MANY_SNAPSHOTS:
            return
        old = [before.snapshot_id for before, _ in pairs]
        named = self.referenced() if replacing else frozenset()  # which takes every data file to be listed
        with self._lock:
            try:
                self._table.maintenance.expire_snapshots().by_ids(old).commit()
            except (CommitFailedException, OperationalError):
                return
        self.delete(named - self.referenced() if replacing else ())
        with self._lock, reading("the lake's list of files"):
            delete_unnamed_lists(self._table, self._here, self.mirror, replaced_before)

    def delete(self, paths: Collection[str]) -> None:
        """Data files that no snapshot names."""
        if self.mirror:
            self.mirror.delete(paths)
        for path in paths:
            Path(path).unlink(missing_ok=True)

    def leftovers(self, runs: Set[str]) -> frozenset[str]:
        """Paths of data files that these runs wrote and no snapshot names, also those that are in a bucket alone."""
        stored = set(map(str, self.data_folder.glob("*/*/*/*.parquet")))
        if self.mirror:
            stored.update(self.mirror.stored())
        written = {path for path in stored if path.rpartition("/")[2].partition("-")[0] in runs}
        return frozenset(written - self.referenced()) if written else frozenset()
