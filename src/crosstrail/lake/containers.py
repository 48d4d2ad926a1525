"""The entries of one file: itself, what its compression hides, and the files in its tar or zip archives, one after another.

Decides by content, never by a name, what is opened, and how deep. Everything is a stream: memory does not grow with an
entry, nor with their number. It never writes what an archive names, and follows none of its links.
"""

from __future__ import annotations

import os
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import IO, cast

from crosstrail.lake.packed import GZIP, TEXT, Budget, Note, Stream, gunzipped, packing, unpack
from crosstrail.lake.sources.base import LogObject
from crosstrail.lake.sources.spool import opened
from crosstrail.lake.zips import SIGNATURES, content, members

HEAD = 16 * 1024
_CHUNK = 256 * 1024
_SMALL, _SMALL_TEXT = 256 * 1024, 4 * 1024 * 1024
"""Bytes of a file, and of what it unpacks to, that are held whole."""
_MAX_LAYERS = 5
"""Archives and compressions one inside another."""
_MAX_NAME = 1_000
_MAX_ENTRIES = 2_000_000
_MAX_HEADER = 1024 * 1024
"""Bytes of a tar archive's extended header."""
_SPOOLED = 16 * 1024 * 1024
_BLOCK = 512

_Damages = list[tuple[int, str]]
_Inner = tuple[str, Stream, _Damages]
"""A file of an archive: its name, its bytes, what turns out to be wrong with it."""


@dataclass(slots=True)
class LogEntry:
    """One file to read: `head` is its first bytes, `chunks` everything, once. `damages` grows while chunks are taken:
    (unpacked bytes before it, reason)."""

    name: str
    head: bytes
    chunks: Iterator[bytes]
    damages: _Damages = field(default_factory=list)


def entries(log: LogObject, max_bytes: int) -> Iterator[LogEntry]:
    """The entries of a file, each to be read before the next one is asked for. Raises OSError from the file system, and at
    the end of a file that changed meanwhile.

    What is wrong with an archive itself comes as an entry without bytes, with its damage.
    """
    with opened(log) as file:
        before = _state(file)
        if (text := _small_json(file, log, max_bytes)) is not None:
            yield LogEntry(log.name, text[:HEAD], iter((text,)))
            _require(file, before)
            return
        budget = Budget(max_bytes)
        stream = Stream(budget.read(iter(lambda: file.read(_CHUNK), b"")))
        opener = _Opener(budget, log.part, file)
        if log.part[0] and not stream.peek(4).startswith(SIGNATURES):
            return
        yield from opener.opened(log.name, stream, 0, [])
        _require(file, before)


def _small_json(file: IO[bytes], log: LogObject, max_bytes: int) -> bytes | None:
    """What a small file of one gzip member unpacks to, where that is text that begins as JSON does. None for everything else,
    which is then read from its beginning by streams; they give the same, in several times the time."""
    if log.bytes > _SMALL or log.part[1] > 1:
        return None
    data = file.read(_SMALL + 1)
    file.seek(0)
    if len(data) > _SMALL or not data.startswith(GZIP):
        return None
    decoder = zlib.decompressobj(31)
    try:
        text = decoder.decompress(data, min(_SMALL_TEXT, max_bytes) + 1)
    except zlib.error:
        return None
    is_whole = decoder.eof and not decoder.unused_data and len(text) <= min(_SMALL_TEXT, max_bytes)
    if not is_whole or not text.startswith((b"{", b"[")) or GZIP in text or _is_tar(text[:_BLOCK], log.name):
        return None
    return text if TEXT.issuperset(text[:64]) else None


def _require(file: IO[bytes], before: tuple[int, int]) -> None:
    if _state(file) != before:
        raise OSError(0, "changed while it was read; collect it again")


def _state(file: IO[bytes]) -> tuple[int, int]:
    """Another one when somebody wrote to the file; not when its name was taken away, since it is read to its end all the same."""
    if isinstance(file, BytesIO):
        return 0, 0
    about = os.fstat(file.fileno())
    return about.st_size, about.st_mtime_ns


class _Opener:
    def __init__(self, budget: Budget, part: tuple[int, int], file: IO[bytes]) -> None:
        self._budget = budget
        self._part = part
        self._file: IO[bytes] | None = file
        """The file itself, as long as nothing of it is unpacked: a zip is read from its end."""
        self._entries = 0

    def opened(self, name: str, stream: Stream, layers: int, damages: _Damages) -> Iterator[LogEntry]:
        def note(offset: int, reason: str) -> None:
            damages.append((offset, reason))

        head = stream.peek(_BLOCK)
        kind = packing(head, name)
        archive = _zip_entries if head.startswith(SIGNATURES) else _tar_entries if _is_tar(head, name) else None
        if (kind or archive) and layers >= _MAX_LAYERS:
            note(0, f"packed more than {_MAX_LAYERS} times")
            yield LogEntry(name, b"", iter(()), damages)
        elif kind:
            self._file = None
            inside = Stream(self._budget.unpacked(unpack(kind, stream, note), note))
            yield from self.opened(name, inside, layers + 1, damages)
        elif archive:
            yield from self._archived(archive(self, stream, note), name, layers)
            if damages:
                yield LogEntry(name, b"", iter(()), damages)
        else:
            head = stream.peek(HEAD)
            utf_16 = head.startswith((b"\xff\xfe", b"\xfe\xff")) or head[:2].count(0) == 1
            rest = stream.rest() if utf_16 else gunzipped(stream, note, text=True)  # gzip members may follow
            yield LogEntry(name, head, rest, damages)

    def _archived(self, found: Iterator[_Inner], name: str, layers: int) -> Iterator[LogEntry]:
        for inner, stream, damages in found:
            self._file = None
            self._entries += 1
            if self._entries > _MAX_ENTRIES or self._budget.spent:
                reason = f"more than {_MAX_ENTRIES:,} files" if not self._budget.spent else "several files were refused"
                reason += "; the rest of the archive was not read"
                yield LogEntry(name, b"", iter(()), [(0, reason)])
                return
            yield from self.opened(f"{name}!{_printable(inner)}", stream, layers + 1, damages)

    def zip_file(
        self, stream: Stream, spool: tempfile.SpooledTemporaryFile[bytes]
    ) -> tuple[IO[bytes], tuple[int, int]]:
        """A seekable file of the zip, and the part of it that is wanted."""
        if self._file is not None:
            return self._file, self._part
        for chunk in stream.rest():
            spool.write(chunk)
        return cast(IO[bytes], spool), (0, 1)

    def unpacked(self, chunks: Iterator[bytes], note: Note) -> Iterator[bytes]:
        return self._budget.unpacked(chunks, note)


def _printable(name: str) -> str:
    return name[:_MAX_NAME].encode("utf-8", "backslashreplace").decode()


def _is_tar(head: bytes, name: str) -> bool:
    if len(head) < _BLOCK:
        return False
    if head[257:262] != b"ustar" and not name.lower().endswith(".tar"):
        return False
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def _tar_entries(opener: _Opener, stream: Stream, note: Note) -> Iterator[_Inner]:
    """Regular files. Not tarfile's own reader, which holds every header, and one of any size whole."""
    name, size = "", -1
    while block := stream.read(_BLOCK):
        if not block.strip(b"\0"):
            continue
        try:
            info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.HeaderError:
            note(stream.taken, "the tar archive is damaged" if len(block) == _BLOCK else "the tar archive is cut short")
            return
        length = info.size if size < 0 or info.type in b"xLgK" else size
        content = Stream(stream.pieces(length))
        begin = stream.taken
        if info.type in (b"x", b"L") and length <= _MAX_HEADER:
            header = content.read(length)
            name, size = (
                _extended(header) if info.type == b"x" else (header.rstrip(b"\0").decode("utf-8", "replace"), size)
            )
        elif info.isreg():
            yield name or info.name, content, []
            name, size = "", -1
        elif info.type not in (b"g", b"x", b"L", b"K"):
            name, size = "", -1
        for _ in content.rest():
            pass
        padded = -(-length // _BLOCK) * _BLOCK
        left = padded - (stream.taken - begin)
        if len(stream.read(left)) < left:
            note(stream.taken, "the tar archive is cut short")


def _extended(header: bytes) -> tuple[str, int]:
    """(path, size) of a pax header, whose lines are `LENGTH KEY=VALUE`; size -1 where it says none."""
    name, size = "", -1
    while header:
        digits, _, _ = header.partition(b" ")
        if not digits.isdigit() or len(digits) > 9 or not 0 < int(digits) <= len(header):
            break
        key, _, value = header[len(digits) + 1 : int(digits)].rstrip(b"\n").partition(b"=")
        if key == b"path":
            name = value.decode("utf-8", "replace")
        elif key == b"size" and value.isdigit() and len(value) < 19:
            size = int(value)
        header = header[int(digits) :]
    return name, size


def _zip_entries(opener: _Opener, stream: Stream, note: Note) -> Iterator[_Inner]:
    with tempfile.SpooledTemporaryFile(_SPOOLED) as spool:
        file, part = opener.zip_file(stream, spool)
        for member in members(file, part, note):
            damages: _Damages = []

            def note_inner(offset: int, reason: str, damages: _Damages = damages) -> None:
                damages.append((offset, reason))

            chunks = opener.unpacked(content(file, member, note_inner), note_inner)
            yield member.name, Stream(chunks), damages
