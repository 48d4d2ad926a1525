"""Hashes of the ids of committed events, sorted: whether an event is in the table is asked of them, not of every data file.

A cache, never an authority. Each segment names the data files whose ids it holds, by the SHA-256 of their contents that stands in
their names, so it is as true of another snapshot, of a table made anew, or of a copy of the lake; what no segment names is
read from the data file. A hash that is there says "look", and one that is not there that no file of the segment has the id. So
segments may be deleted at any time and written by several processes at once, and one that is damaged is deleted. It never
decides what a repeated event becomes: see append.py.
"""

from __future__ import annotations

import json
import os
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import time
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc

from crosstrail import private
from crosstrail.lake.data_files import named_sha256

IDS_FOLDER = "ids"
_SUFFIX, _UNFINISHED = ".ids", ".part"
_BLOCK = 64 * 1024
"""Hashes that are read and checked together."""
_MERGED_AT_ONCE = 1024 * 1024
"""Hashes that are held while segments are merged."""
_FANOUT = 8
"""Segments of about one size that become one: a hash is written again each time that a lake grows eight times."""
_SMALLEST_CLASS = 5
"""In powers of _FANOUT: smaller segments are merged alike."""
_FORGOTTEN_SECONDS = 24 * 3600.0
_FORM = 1
_WORD = 8
_LENGTH = 8


class _Damaged(Exception):
    """A segment is not what was written."""


@dataclass(slots=True)
class _Segment:
    """A file: blocks of sorted hashes, then what describes them as JSON, then how long that is and its checksum."""

    path: Path
    files: frozenset[str]
    """Data files, as `_name` has them."""
    count: int
    blocks: list[tuple[int, int, int]]
    """(first hash, last hash, checksum) of each."""
    checked: set[int] = field(default_factory=set)

    def read(self, number: int) -> pa.Array:
        """A block. Raises _Damaged; OSError where the file is gone."""
        count = min(_BLOCK, self.count - number * _BLOCK)
        with self.path.open("rb") as file:
            file.seek(number * _BLOCK * _WORD)
            data = file.read(count * _WORD)
        if len(data) != count * _WORD or (number not in self.checked and zlib.crc32(data) != self.blocks[number][2]):
            raise _Damaged
        self.checked.add(number)
        return pa.Array.from_buffers(pa.uint64(), count, [None, pa.py_buffer(data)])


class EventIds:
    """Of one lake. Used by one thread at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / IDS_FOLDER
        self._segments: dict[Path, _Segment] = {}

    def uncovered(self, files: Iterable[str]) -> list[str]:
        """The paths of data files of which no segment knows the ids."""
        self._look()
        covered = frozenset[str]().union(*(one.files for one in self._segments.values()))
        return [path for path in files if not (name := _name(path)) or name not in covered]

    def add(self, hashes: pa.Array, files: Iterable[str]) -> None:
        """Remembers `hashes`, sorted and each once, among which are those of all ids of these data files. Raises OSError."""
        names = frozenset(filter(None, map(_name, files)))
        if names and len(hashes):
            self._write(names, iter([hashes]))
            self._merge()

    def known(self, hashes: pa.Array) -> pa.Array | None:
        """Those of `hashes`, sorted and each once, that a segment has; None where one was damaged: then more is uncovered."""
        found: list[pa.Array] = []
        for segment in list(self._segments.values()):
            try:
                found += _common(segment, hashes)
            except (OSError, _Damaged):
                self._drop(segment)
                return None
        return pc.unique(pa.concat_arrays(found)) if found else hashes.slice(0, 0)

    def _look(self) -> None:
        """At which segments there are now: other processes write and merge them, too."""
        there = set(self._folder.glob(f"*{_SUFFIX}"))
        self._segments = {path: one for path, one in self._segments.items() if path in there}
        for path in there - self._segments.keys():
            try:
                self._segments[path] = _opened(path)
            except FileNotFoundError:
                continue
            except (OSError, _Damaged):
                with suppress(OSError):
                    path.unlink()
        for path in self._folder.glob(f"*{_UNFINISHED}"):
            with suppress(OSError):
                if time() - path.stat().st_mtime > _FORGOTTEN_SECONDS:
                    path.unlink()

    def _drop(self, segment: _Segment) -> None:
        self._segments.pop(segment.path, None)
        with suppress(OSError):
            segment.path.unlink()

    def _merge(self) -> None:
        """Few segments are asked faster than many."""
        classes: dict[int, list[_Segment]] = defaultdict(list)
        for one in self._segments.values():
            classes[max(_SMALLEST_CLASS, one.count.bit_length() // 3)].append(one)
        for some in classes.values():
            if len(some) < _FANOUT:
                continue
            try:
                self._write(frozenset().union(*(one.files for one in some)), _merged(some))
            except (OSError, _Damaged):  # which one is damaged, whoever asks it next finds out
                return
            for one in some:
                self._drop(one)

    def _write(self, files: frozenset[str], sorted_hashes: Iterator[pa.Array]) -> None:
        private.make_folder(self._folder)
        name = uuid4().hex
        path, unfinished = self._folder / f"{name}{_SUFFIX}", self._folder / f"{name}{_UNFINISHED}"
        blocks: list[tuple[int, int, int]] = []
        count = 0
        try:
            private.create(unfinished)
            with unfinished.open("wb") as file:
                for block in _blocks(sorted_hashes):
                    data = memoryview(block.buffers()[1])[block.offset * _WORD :][: len(block) * _WORD]
                    blocks.append((block[0].as_py(), block[-1].as_py(), zlib.crc32(data)))
                    count += len(block)
                    file.write(data)
                about = json.dumps({"form": _FORM, "count": count, "blocks": blocks, "files": sorted(files)}).encode()
                file.write(
                    about + len(about).to_bytes(_LENGTH, "little") + zlib.crc32(about).to_bytes(_LENGTH, "little")
                )
            os.replace(unfinished, path)
        except BaseException:
            with suppress(OSError):
                unfinished.unlink()
            raise
        self._segments[path] = _Segment(path, files, count, blocks)


def _name(path: str) -> str:
    """What a data file is called here; empty where its name does not say what is in it."""
    return named_sha256(path)[:32]


def _opened(path: Path) -> _Segment:
    """Raises OSError or _Damaged."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 2 * _LENGTH))
        length, checksum = int.from_bytes(file.read(_LENGTH), "little"), int.from_bytes(file.read(_LENGTH), "little")
        if length > size - 2 * _LENGTH:
            raise _Damaged
        file.seek(size - 2 * _LENGTH - length)
        about = file.read(length)
    if zlib.crc32(about) != checksum:
        raise _Damaged
    known = json.loads(about) if about else {}
    if known.get("form") != _FORM or known["count"] * _WORD + length + 2 * _LENGTH != size:
        raise _Damaged
    return _Segment(path, frozenset(known["files"]), known["count"], [tuple(one) for one in known["blocks"]])


def _common(segment: _Segment, hashes: pa.Array) -> Iterator[pa.Array]:
    """The hashes that the segment has too. Only the blocks are read that may hold one."""
    for number, (first, last, _) in enumerate(segment.blocks):
        begin = _place(hashes, first)
        asked = hashes.slice(begin, _place(hashes, last, right=True) - begin)
        if not len(asked):
            continue
        block = segment.read(number)
        places = pc.min_element_wise(pc.search_sorted(block, asked), pa.scalar(len(block) - 1, pa.uint64()))
        yield asked.filter(pc.equal(block.take(places), asked))


def _place(hashes: pa.Array, value: int, *, right: bool = False) -> int:
    side = "right" if right else "left"
    return int(pc.search_sorted(hashes, pa.scalar(value, pa.uint64()), side=side).as_py())


def _merged(segments: Sequence[_Segment]) -> Iterator[pa.Array]:
    """Their hashes in order, each once. Raises _Damaged, or OSError."""
    steps = -(-sum(one.count for one in segments) // _MERGED_AT_ONCE)
    rest = [_Rest(one) for one in segments]
    for step in range(1, steps + 1):
        end = (step << 64) // steps - 1
        together = pa.concat_arrays([part for one in rest for part in one.until(end)])
        yield pc.unique(together.take(pc.array_sort_indices(together)))


class _Rest:
    """What of a segment is not merged yet."""

    def __init__(self, segment: _Segment) -> None:
        self._blocks = (segment.read(number) for number in range(len(segment.blocks)))
        self._left = pa.array([], pa.uint64())

    def until(self, end: int) -> Iterator[pa.Array]:
        """The hashes up to `end`."""
        while True:
            place = _place(self._left, end, right=True) if len(self._left) else 0
            yield self._left.slice(0, place)
            self._left = self._left.slice(place)
            if len(self._left):
                return
            block = next(self._blocks, None)
            if block is None:
                return
            self._left = block


def _blocks(arrays: Iterable[pa.Array]) -> Iterator[pa.Array]:
    """The same values in arrays of _BLOCK, but for the last one."""
    left = pa.array([], pa.uint64())
    for array in arrays:
        left = pa.concat_arrays([left, array])
        whole = len(left) // _BLOCK * _BLOCK
        for start in range(0, whole, _BLOCK):
            yield left.slice(start, _BLOCK)
        left = left.slice(whole)
    if len(left):
        yield left
