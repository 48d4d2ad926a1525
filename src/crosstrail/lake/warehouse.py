"""Where the lake's table is registered and where its files are, when that is not all in the lake's folder.

Decides how the data files of a warehouse in S3 come to this machine and get there: the lake's folder mirrors those that were read
or written here, within a bound of bytes. Whatever reads events reads local files, so the processes that run statements need no
credentials. A data file never changes, so a mirrored one is as good as the one in the bucket. Which files count is table.py's.
"""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from crosstrail import private
from crosstrail.errors import ConfigError, LakeError, ObjectNotFound
from crosstrail.lake.data_files import named_sha256, sha256_of
from crosstrail.lake.locations import Relocation
from crosstrail.object_store import Bucket, BucketUri, parsed_uri

CACHE_BYTES = 20 * 10**9
_AT_ONCE = 16
_DELETED_AT_ONCE = 1_000
_PARTIAL_SECONDS = 86_400
_STORED = 0o400
"""The mode of local files that are in the bucket as well: only these may be dropped to make room."""
_TABLE_BUCKET = "--table-s3"
"""How the buckets end that S3 Tables makes for a table. It lets nobody list them or delete there, and removes what no snapshot
names itself. https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-table-buckets-maintenance.html"""
OpenBucket = Callable[[BucketUri], Bucket]


@dataclass(frozen=True, slots=True)
class LakeCatalog:
    """`uri`: empty for SQLite in the lake's folder; an SQLAlchemy URI (`postgresql+psycopg://...`), `glue`, an Iceberg REST
    catalog's http(s) address, or the name of a catalog in PyIceberg's own configuration."""

    uri: str = ""
    warehouse: str = ""
    """Where new tables go: `s3://bucket/prefix`, or what a REST catalog calls it; empty for the lake's folder."""
    open_bucket: OpenBucket | None = None
    properties: Mapping[str, object] = field(default_factory=dict)
    """Of PyIceberg's catalog, besides: how it signs its requests."""
    cache_bytes: int = CACHE_BYTES

    @property
    def in_bucket(self) -> BucketUri | None:
        """The warehouse, where it is a place in a bucket."""
        return parsed_uri(self.warehouse) if self.warehouse else None


class Mirror:
    """The data files of a table in S3, as far as they are in the lake's folder. Used by threads."""

    def __init__(self, here: Relocation, open_bucket: OpenBucket | None, max_bytes: int) -> None:
        uri = parsed_uri(here.base)
        if uri is None or open_bucket is None:
            raise ConfigError(
                f"the lake's table is in {here.base.partition(':')[0]} storage, which nothing here opens",
                hint="Set lake.warehouse and lake.account, and install the extra `s3`.",
            )
        self._here = here
        self._bucket = open_bucket(uri)
        self._root = f"{uri.prefix}/" if uri.prefix else ""
        self._cleaned_up = uri.bucket.endswith(_TABLE_BUCKET)
        self._max_bytes = max_bytes
        self._lock = threading.Lock()

    def fetch(self, sizes: Mapping[str, int]) -> None:
        """Brings the files of these paths here, with their bytes; those used longest ago make room.

        Raises LakeError where they need more room than the mirror may take or one cannot be had whole, OSError.
        """
        with self._lock:
            missing = [path for path in sizes if not _used(path)]
            if not missing:
                return
            self._make_room(sizes, sum(sizes[path] for path in missing))
            with ThreadPoolExecutor(_AT_ONCE, "fetch") as threads:
                for _ in threads.map(self._fetch, missing, [sizes[path] for path in missing]):
                    pass

    def _fetch(self, path: str, size: int) -> None:
        private.make_folder(Path(path).parent)
        partial = Path(f"{path}.{uuid.uuid4().hex}.partial")
        private.create(partial)
        try:
            found, digest = self._bucket.fetch(self._key(path), partial)
            if found.size != size or digest != (named_sha256(path) or digest):
                raise LakeError(
                    f"a data file of the lake ({Path(path).name}) is not in the bucket as it was written",
                    hint="Run crosstrail lake repair.",
                )
            partial.chmod(_STORED)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    @contextmanager
    def copied(self, path: str) -> Iterator[Path]:
        """Inside, what the bucket has of a data file, whatever is mirrored of it here. Raises FileNotFoundError, CloudError."""
        folder = Path(self._here.place, "data")
        private.make_folder(folder)
        copy = folder / f"{uuid.uuid4().hex}.partial"
        private.create(copy)
        try:
            self._bucket.fetch(self._key(path), copy)
            yield copy
        except ObjectNotFound as error:
            raise FileNotFoundError(path) from error
        finally:
            copy.unlink(missing_ok=True)

    def drop_damaged(self, path: str) -> bool:
        """Whether the mirrored copy was not as it was written; then it is gone, and fetched anew when it is read."""
        copy, expected = Path(path), named_sha256(path)
        try:
            damaged = bool(expected) and copy.stat().st_mode & 0o777 == _STORED and sha256_of(copy) != expected
        except FileNotFoundError:
            return False
        if damaged:
            copy.unlink(missing_ok=True)
        return damaged

    def upload(self, paths: Iterable[Path]) -> None:
        """Writes files into the bucket, each under its own name, unless they are there."""
        with ThreadPoolExecutor(_AT_ONCE, "upload") as threads:
            for _ in threads.map(self._upload, paths):
                pass

    def _upload(self, path: Path) -> None:
        if path.stat().st_mode & 0o777 != _STORED:
            self._bucket.put(self._key(str(path)), path.read_bytes())
            path.chmod(_STORED)

    def delete(self, paths: Collection[str]) -> None:
        """Of the bucket and of this machine."""
        ordered = sorted(paths)
        for first in range(0, 0 if self._cleaned_up else len(ordered), _DELETED_AT_ONCE):
            self._bucket.delete([self._key(path) for path in ordered[first : first + _DELETED_AT_ONCE]])
        for path in ordered:
            Path(path).unlink(missing_ok=True)

    def stored(self) -> Iterable[str]:
        """Paths of all data files in the bucket, named by a snapshot or not; none where the bucket is cleaned up by others."""
        for page in () if self._cleaned_up else self._bucket.pages(f"{self._root}data"):
            for one in page:
                yield f"{self._here.place}/{one.key[len(self._root) :]}"

    def lists(self) -> Iterable[tuple[str, datetime]]:
        """(path, when it was written) of all lists of files in the bucket; none where the bucket is cleaned up by others."""
        for page in () if self._cleaned_up else self._bucket.pages(f"{self._root}metadata"):
            for one in page:
                yield f"{self._here.place}/{one.key[len(self._root) :]}", one.modified

    def _key(self, path: str) -> str:
        return f"{self._root}{path[len(self._here.place) + 1 :]}"

    def _make_room(self, wanted: Collection[str], needed: int) -> None:
        """Files that nobody asked for lately go, but none that is here alone."""
        for path in Path(self._here.place, "data").rglob("*.partial"):  # of downloads that were killed
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < time.time() - _PARTIAL_SECONDS:
                    path.unlink()
        found = []
        for path in Path(self._here.place, "data").glob("*/*/*/*.parquet"):
            with suppress(FileNotFoundError):
                status = path.stat()
                if status.st_mode & 0o777 == _STORED:
                    found.append((status.st_mtime, status.st_size, path))
        held = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if held + needed <= self._max_bytes:
                return
            if str(path) not in wanted:
                path.unlink(missing_ok=True)
                held -= size
        if held + needed > self._max_bytes:
            raise LakeError(
                f"the data files asked for take {needed:,} bytes, more than lake.cache leaves",
                hint="Ask for fewer accounts or a shorter time, or raise lake.cache.",
            )


def _used(path: str) -> bool:
    """Whether the file is here; then it counts as used now."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    return True
