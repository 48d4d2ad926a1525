"""Which log objects are read together: as many as a reading process holds, told by their sizes alone."""

from __future__ import annotations

from collections.abc import Iterator

from crosstrail.lake.sources.base import LogObject

JOB_BYTES = 24 * 1024 * 1024
"""Of events, uncompressed, as far as file sizes tell: takes a worker about 250 MB."""
_GZIP_RATIO = 12
_PACKED = (".gz", ".gzip", ".zip", ".tgz", ".zst", ".bz2", ".xz")
_JOB_OBJECTS = 2_000


def batches(todo: Iterator[LogObject]) -> Iterator[tuple[LogObject, ...]]:
    batch: list[LogObject] = []
    size = 0
    for log in todo:
        if batch and (size + weight_of(log) > JOB_BYTES or len(batch) >= _JOB_OBJECTS):
            yield tuple(batch)
            batch, size = [], 0
        batch.append(log)
        size += weight_of(log)
    if batch:
        yield tuple(batch)


def weight_of(log: LogObject) -> int:
    """The bytes of events that the object, or its part of a zip, is likely to hold."""
    return log.bytes * (_GZIP_RATIO if log.name.lower().endswith(_PACKED) else 1) // log.part[1]
