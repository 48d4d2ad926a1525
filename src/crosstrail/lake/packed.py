"""Streams of bytes, and what packs them: gzip and its like, taken off in bounded memory and in linear time.

Decides what a stream is packed with, by its first bytes, and how much may come out. What is damaged or cut short gives what
is readable before it, and is told. Nothing here knows files or what the bytes mean.
"""

from __future__ import annotations

import bz2
import io
import lzma
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pyarrow as pa


Note = Callable[[int, str], None]
"""Told what is wrong, and behind how many unpacked bytes."""

GZIP = b"\x1f\x8b\x08"
_PIECE = 64 * 1024
_FIRST_PIECE = 4 * 1024
_OUT = 1024 * 1024
"""The most that one piece of packed data gives at once."""
_MAX_RESUMED = 100
"""Damaged gzip members after which the next one is looked for."""
_MAX_GIVEN = 4 * 1024 * 1024
_ASKED = 16 * 1024
_MAX_MEMORY = 128 * 1024 * 1024
TEXT = frozenset(b"\t\n\r" + bytes(range(0x20, 0x7F)))
_ARROW_CODECS = {"zstd": "zstd", "LZ4": "lz4"}
_MAGIC = (
    (GZIP, "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x04\x22\x4d\x18", "LZ4"),
    (b"x\x01", "zlib"),
    (b"x\x9c", "zlib"),
    (b"x\xda", "zlib"),
)


class Budget:
    """What one file may unpack to: `max_bytes` in all, and no more than _MAX_RATIO times what was read beyond _FREE."""

    _FREE = 256 * 1024 * 1024
    _MAX_RATIO = 200
    """Real logs pack 10 to 60 times; a bomb 1,000 times and more."""
    _MAX_REFUSED = 4
    """Files of an archive after which the rest of it is not read."""

    def __init__(self, max_bytes: int) -> None:
        self._max = max_bytes
        self._in = self._out = self._refused = 0

    @property
    def spent(self) -> bool:
        return self._refused >= self._MAX_REFUSED

    def read(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The same chunks, counted as what was there packed."""
        for chunk in chunks:
            self._in += len(chunk)
            yield chunk

    def unpacked(self, chunks: Iterable[bytes], note: Note) -> Iterator[bytes]:
        """The same chunks, until there were too many: that is told, and nothing comes after it."""
        out = 0
        for chunk in chunks:
            out += len(chunk)
            self._out += len(chunk)
            reason = ""
            if self._out > self._max:
                reason = f"refused: it unpacks to more than {self._max:,} bytes; --max-bytes sets the limit"
            elif self._out > self._FREE and self._out > self._MAX_RATIO * self._in:
                reason = f"refused: it unpacks to more than {self._MAX_RATIO} times its size, as a bomb does"
            if reason:
                self._refused += 1
                self._out = 0
                note(out, reason)
                return
            yield chunk


class Stream:
    """Bytes that come in chunks, to look at and to take."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._data = b""
        self._at = 0
        self.taken = 0

    def peek(self, size: int) -> bytes:
        """The next `size` bytes, fewer at the end."""
        while len(self._data) - self._at < size and (chunk := next(self._chunks, None)) is not None:
            self._data = self._data[self._at :] + chunk
            self._at = 0
        return self._data[self._at : self._at + size]

    def take(self, size: int) -> bytes:
        """Some bytes, at most `size`; none at the end."""
        while self._at >= len(self._data):
            chunk = next(self._chunks, None)
            if chunk is None:
                return b""
            self._data, self._at = chunk, 0
        piece = self._data[self._at : self._at + size]
        self._at += len(piece)
        self.taken += len(piece)
        return piece

    def back(self, size: int) -> None:
        """The last `size` bytes of the piece that was taken last are to come again."""
        self._at -= size
        self.taken -= size

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes, fewer at the end."""
        return b"".join(self.pieces(size))

    def pieces(self, size: int) -> Iterator[bytes]:
        """The next `size` bytes in pieces."""
        while size > 0 and (piece := self.take(min(size, _PIECE))):
            size -= len(piece)
            yield piece

    def rest(self) -> Iterator[bytes]:
        while piece := self.take(_OUT):
            yield piece


def packing(head: bytes, name: str) -> str:
    """What a stream is packed with: a name that `unpack` knows, empty for nothing. `head`: its first bytes."""
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    named_packed = name.lower().endswith((".gz", ".gzip", ".deflate", ".zz", ".z"))
    if named_packed and head and not TEXT.issuperset(head[:64]) and _inflates(head):
        return "deflate"
    return ""


def unpack(kind: str, stream: Stream, note: Note) -> Iterator[bytes]:
    """What comes out. Never raises for what the stream holds."""
    if kind == "gzip":
        return gunzipped(stream, note)
    if kind in ("zlib", "deflate"):
        return _inflated(stream, note, kind)
    if kind in _ARROW_CODECS:
        return _by_arrow(stream, note, kind)
    return _by_members(stream, note, kind)


def gunzipped(stream: Stream, note: Note, *, text: bool = False) -> Iterator[bytes]:
    """Members of gzip one after another; text before, between and behind them comes as it is. `text`: it begins with text."""
    out = resumed = 0
    while head := stream.peek(18):
        if head.startswith(GZIP):
            text = False
            damages: list[str] = []
            for piece in _member(stream, damages, 31, "gzip"):
                out += len(piece)
                yield piece
            for damage in damages:
                note(out, damage)
                resumed += 1
            if damages and not (resumed < _MAX_RESUMED and _found(stream)):
                return
        elif head[0] == 0 and not text:
            piece = stream.take(_PIECE)
            stream.back(len(piece.lstrip(b"\0")))
        elif text or head[0] in TEXT or head[0] >= 0xC2:
            text = True
            piece = _until_gzip(stream)
            out += len(piece)
            yield piece
        else:
            note(out, "what follows the gzip data is neither gzip nor text")
            if not _found(stream):
                return


def _until_gzip(stream: Stream) -> bytes:
    """The next piece of text, up to where a gzip member begins: no text holds its first two bytes."""
    piece = stream.take(_OUT)
    place = piece.find(GZIP) if GZIP[:1] in piece else -1  # one byte is looked for ten times as fast
    if place > 0:
        stream.back(len(piece) - place)
        return piece[:place]
    for size in (2, 1):
        if len(piece) > size and piece.endswith(GZIP[:size]):
            stream.back(size)
            return piece[:-size]
    return piece


def _found(stream: Stream) -> bool:
    """Goes to where the next gzip member begins. False at the end."""
    while len(ahead := stream.peek(_PIECE)) >= len(GZIP):
        place = ahead.find(GZIP)
        if place >= 0:
            stream.take(place)
            return True
        stream.take(len(ahead) - len(GZIP) + 1)
    return False


def _member(stream: Stream, damages: list[str], wbits: int, kind: str) -> Iterator[bytes]:
    """One member. A damage ends it: what came out before is given, and the stream stands behind the damage."""
    decoder = zlib.decompressobj(wbits)
    size = _FIRST_PIECE
    while not decoder.eof:
        piece = stream.take(size)
        if not piece:
            damages.append(f"the {kind} data is cut short")
            return
        before, given = decoder.copy(), 0
        try:
            for out in _drained(decoder, piece):
                given += len(out)
                yield out
        except zlib.error as error:
            rest = yield from _until_damage(before, piece, given)
            stream.back(rest)
            wrong_sum = "incorrect data check" in str(error) or "incorrect length check" in str(error)
            damages.append("its checksum is wrong" if wrong_sum else f"the {kind} data is damaged")
            return
        size = min(2 * size, _PIECE)
    stream.back(len(decoder.unused_data))


class _Inflater(Protocol):
    """zlib's decoder, whose class has no public name."""

    @property
    def eof(self) -> bool: ...
    @property
    def unconsumed_tail(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def _until_damage(decoder: _Inflater, piece: bytes, given: int) -> Generator[bytes, None, int]:
    """What `piece` gives before its damage, but for the `given` bytes that it gave already. Returns how many bytes of it
    lie behind the damage."""
    parts: list[bytes] = []
    for place in range(len(piece)):
        try:
            parts += _drained(decoder, piece[place : place + 1])
        except zlib.error:
            break
    yield b"".join(parts)[given:]
    return len(piece) - place - 1


def _drained(decoder: _Inflater, piece: bytes) -> Iterator[bytes]:
    """What a zlib decoder makes of one piece, in parts of bounded size."""
    out = decoder.decompress(piece, _OUT)
    while out:
        yield out
        full = len(out) == _OUT
        out = (
            decoder.decompress(decoder.unconsumed_tail, _OUT)
            if not decoder.eof and (full or decoder.unconsumed_tail)
            else b""
        )


def _inflated(stream: Stream, note: Note, kind: str) -> Iterator[bytes]:
    out = 0
    damages: list[str] = []
    for piece in _member(stream, damages, 15 if kind == "zlib" else -15, kind):
        out += len(piece)
        yield piece
    for damage in damages:
        note(out, damage)
    if not damages and stream.peek(1).strip(b"\0"):
        note(out, f"something follows the {kind} data")


def _inflates(head: bytes) -> bool:
    """Whether raw deflate data, which has no mark, gives text."""
    try:
        out = zlib.decompressobj(-15).decompress(head, 64)
    except zlib.error:
        return False
    return len(out) > 1 and TEXT.issuperset(out)


def _by_members(stream: Stream, note: Note, kind: str) -> Iterator[bytes]:
    """bzip2 or xz, streams one after another."""
    out = 0
    try:
        while stream.peek(1).strip(b"\0") or (kind == "xz" and _skip_zeros(stream)):
            decoder: bz2.BZ2Decompressor | lzma.LZMADecompressor = (
                bz2.BZ2Decompressor() if kind == "bzip2" else lzma.LZMADecompressor(memlimit=_MAX_MEMORY)
            )
            while not decoder.eof:
                piece = stream.take(_FIRST_PIECE) if decoder.needs_input else b""
                if decoder.needs_input and not piece:
                    note(out, f"the {kind} data is cut short")
                    return
                part = decoder.decompress(piece, _OUT)
                out += len(part)
                yield part
            stream.back(len(decoder.unused_data))
    except (OSError, lzma.LZMAError) as error:
        memory = "memory" in str(error).lower()
        note(out, "it needs too much memory to unpack" if memory else f"the {kind} data is damaged")


def _skip_zeros(stream: Stream) -> bool:
    """Over the padding between streams of xz. False at the end."""
    while piece := stream.take(_PIECE):
        left = piece.lstrip(b"\0")
        if left:
            stream.back(len(left))
            return True
    return False


class _Readable(io.RawIOBase):
    """A stream as a file, for pyarrow. What it gave is kept, as long as it is little.

    Typed as one kind of buffer: that for all of them has no name before Python 3.12.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.given = b""
        self.has_all = True

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        piece = self._stream.take(len(buffer))
        buffer[: len(piece)] = piece
        self.has_all = self.has_all and len(self.given) + len(piece) <= _MAX_GIVEN
        self.given = self.given + piece if self.has_all else b""
        return len(piece)


def _by_arrow(stream: Stream, note: Note, kind: str) -> Iterator[bytes]:
    """zstd or LZ4 frames, by what pyarrow has on board."""
    out = 0
    file = _Readable(stream)
    unpacked = _arrow_stream(file, kind)
    try:
        while part := unpacked.read(_ASKED):
            out += len(part)
            yield part
    except OSError as error:
        last = _last_part(file.given, kind, out) if file.has_all else b""
        yield last
        note(out + len(last), f"the {kind} data is {'cut short' if 'truncated' in str(error).lower() else 'damaged'}")


def _last_part(packed: bytes, kind: str, out: int) -> bytes:
    """What comes between the first `out` bytes and the damage: pyarrow gives all that is asked for, or nothing."""
    unpacked = _arrow_stream(io.BytesIO(packed), kind)
    parts = []
    with suppress(OSError):
        while out > 0:
            out -= len(unpacked.read(_ASKED))
        while part := unpacked.read(1):
            parts.append(part)
    return b"".join(parts)


def _arrow_stream(file: io.RawIOBase | io.BytesIO, kind: str) -> pa.CompressedInputStream:
    import pyarrow as pa

    return pa.CompressedInputStream(pa.PythonFile(file, mode="r"), _ARROW_CODECS[kind])
