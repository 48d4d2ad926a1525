"""A bucket, below one prefix, as an archive to verify: objects with the metadata they were delivered with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from crosstrail.clouds.integrity import ListedObject, ObjectBody
from crosstrail.object_store import Bucket

_MAX_BYTES = 128 * 1024 * 1024
"""Of one object as it is stored: what a cloud delivers is a fiftieth of it."""
_CHUNK = 64 * 1024


class BucketObjects:
    """See ArchiveObjects. `prefix` is empty, or ends in a slash."""

    has_metadata = True

    def __init__(self, bucket: Bucket, prefix: str) -> None:
        self._bucket = bucket
        self.prefix = prefix
        self.bucket: str | None = bucket.uri.bucket

    def address(self, key: str) -> str:
        return self._bucket.name(key)

    def folders(self, prefix: str) -> Sequence[str]:
        return [f"{prefix}{name}/" for name in sorted(self._bucket.folders(prefix)[0])]

    def objects(self, prefix: str, after: str = "") -> Iterator[ListedObject]:
        for page in self._bucket.pages(prefix, start_after=after):
            for one in page:
                yield ListedObject(one.key, one.size)

    def read(self, key: str) -> ObjectBody:
        found = self._bucket.get(key, max_bytes=_MAX_BYTES)
        view = memoryview(found.data)
        pieces = (bytes(view[start : start + _CHUNK]) for start in range(0, len(view), _CHUNK))
        return ObjectBody(found.metadata, pieces)
