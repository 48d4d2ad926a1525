"""Reads Avro files: the lists of files that an Iceberg table consists of, without the libraries that write them.

Those take a second to load, for lists that take milliseconds to read. What a file means is its caller's affair. Raises
ValueError, KeyError or zlib.error for what is damaged or of a kind that no Iceberg list has.
"""

from __future__ import annotations

import json
import re
import struct
import zlib
from collections.abc import Callable, Iterator, Set
from functools import lru_cache
from typing import TypedDict, TypeVar

_MAGIC = b"Obj\x01"
_SYNC_BYTES = 16


class _Block:
    """Bytes, and how far they are read."""

    __slots__ = ("at", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        end = self.at + size
        if not self.at <= end <= len(self.data):
            raise ValueError("cut short")
        found = self.data[self.at : end]
        self.at = end
        return found

    def long(self) -> int:
        """A number of any width: seven bits a byte, the sign in the lowest."""
        found = shift = 0
        while True:
            if self.at >= len(self.data) or shift > 63:
                raise ValueError("cut short")
            byte = self.data[self.at]
            self.at += 1
            found |= (byte & 0x7F) << shift
            if byte < 0x80:
                return (found >> 1) ^ -(found & 1)
            shift += 7

    def bytes(self) -> bytes:
        return self.take(self.long())

    def text(self) -> str:
        return self.bytes().decode()

    def counts(self) -> Iterator[int]:
        """Of the parts that a list or a map comes in, how many items each has."""
        while count := self.long():
            if count < 0:  # then the part's size follows
                self.long()
            yield abs(count)


_T = TypeVar("_T")


class _Named(TypedDict, total=False):
    """A type, or a field, as an object of the schema's JSON; `type` always, the others of those that have them."""

    type: _Schema
    name: str
    fields: list[_Named]
    items: _Schema
    values: _Schema
    size: int


_Schema = str | list["_Schema"] | _Named
_Read = Callable[[_Block], object]
_SCALARS: dict[str, _Read] = {
    "null": lambda block: None,
    "boolean": lambda block: block.take(1) == b"\x01",
    "int": _Block.long,
    "long": _Block.long,
    "float": lambda block: struct.unpack("<f", block.take(4))[0],
    "double": lambda block: struct.unpack("<d", block.take(8))[0],
    "bytes": _Block.bytes,
    "string": _Block.text,
}


def records(file: bytes, skipped: Set[str] = frozenset()) -> Iterator[object]:
    """The records of a file, in order. A map whose keys are no texts is a list of {key, value}, as Iceberg writes it.

    Fields that are lists of whole numbers, and named in `skipped`, are passed over, which costs a tenth.
    """
    block = _Block(file)
    if block.take(len(_MAGIC)) != _MAGIC:
        raise ValueError("no Avro file")
    header = _map(block, _Block.bytes)
    sync = block.take(_SYNC_BYTES)
    read = _reader(json.loads(header["avro.schema"]), skipped)
    codec = header.get("avro.codec", b"null")
    if codec not in (b"null", b"deflate"):
        raise ValueError("another codec")
    while block.at < len(file):
        count = block.long()
        data = block.bytes()
        part = _Block(zlib.decompress(data, -15) if codec == b"deflate" else data)
        for _ in range(count):
            yield read(part)
        if part.at != len(part.data) or block.take(_SYNC_BYTES) != sync:
            raise ValueError("damaged")


def _reader(schema: _Schema, skipped: Set[str]) -> _Read:
    if isinstance(schema, list):
        return _union([_reader(one, skipped) for one in schema])
    if isinstance(schema, str):
        return _SCALARS[schema]
    kind = schema["type"]
    if kind == "record":
        return _record([(field["name"], _field(field, skipped)) for field in schema["fields"]])
    if kind == "array":
        return _array(_reader(schema["items"], skipped))
    if kind == "map":
        values = _reader(schema["values"], skipped)
        return lambda block: _map(block, values)
    if kind == "fixed":
        size = int(schema["size"])
        return lambda block: block.take(size)
    return _reader(kind, skipped)


def _field(field: _Named, skipped: Set[str]) -> _Read:
    kind = field["type"]
    if field["name"] not in skipped:
        return _reader(kind, skipped)
    several = kind if isinstance(kind, list) else [kind]
    readers = [_skip(width) if (width := _whole_numbers(one)) else _reader(one, skipped) for one in several]
    return _union(readers) if isinstance(kind, list) else readers[0]


def _whole_numbers(schema: _Schema) -> int:
    """How many an item of this list has, where it has nothing else."""
    items = schema["items"] if isinstance(schema, dict) and schema["type"] == "array" else None
    fields = items["fields"] if isinstance(items, dict) and items["type"] == "record" else ()
    return len(fields) if all(field["type"] in ("int", "long") for field in fields) else 0


def _skip(width: int) -> _Read:
    def skip(block: _Block) -> None:
        for count in block.counts():
            passed = _numbers(count * width).match(block.data, block.at)
            if passed is None:
                raise ValueError("cut short")
            block.at = passed.end()

    return skip


@lru_cache(maxsize=256)
def _numbers(count: int) -> re.Pattern[bytes]:
    return re.compile(rb"(?:[\x80-\xff]*+[\x00-\x7f]){%d}" % count)


def _union(readers: list[_Read]) -> _Read:
    def read(block: _Block) -> object:
        which = block.long()
        if not 0 <= which < len(readers):
            raise ValueError("damaged")
        return readers[which](block)

    return read


def _record(fields: list[tuple[str, _Read]]) -> _Read:
    return lambda block: {name: read(block) for name, read in fields}


def _array(item: _Read) -> _Read:
    return lambda block: [item(block) for count in block.counts() for _ in range(count)]


def _map(block: _Block, value: Callable[[_Block], _T]) -> dict[str, _T]:
    return {block.text(): value(block) for count in block.counts() for _ in range(count)}
