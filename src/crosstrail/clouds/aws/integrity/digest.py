"""One digest file: its bytes, bounded, and what they say. All of it is anybody's text until its signature is verified."""

from __future__ import annotations

import hashlib
import threading
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

MAX_DIGEST = 32 * 1024 * 1024
"""Uncompressed. An hour of 10,000 log files is 4 MB."""
MAX_LOG = 1024 * 1024 * 1024
"""Uncompressed; CloudTrail's files hold 50 MB at most."""
_GZIP = zlib.MAX_WBITS | 16
_PIECE = 1024 * 1024
_BIG = 1024 * 1024
_one_big = threading.Lock()
"""JSON of this size takes thirty times its memory at worst: one at a time."""


class BrokenObject(Exception):
    """The bytes of an object are not what CloudTrail writes: the message says how."""


@dataclass(frozen=True, slots=True)
class Inflated:
    sha256: str
    """Of the uncompressed content, in hex."""
    cut_short: bool
    appended: bool
    """Something follows the end of the compressed content."""
    content: bytes = b""


def inflate(chunks: Iterable[bytes], max_bytes: int, *, keep: bool = False) -> Inflated:
    """Hash the first gzip member, in bounded memory; with `keep`, its content too. Raises BrokenObject."""
    unpacker = zlib.decompressobj(_GZIP)
    digest = hashlib.sha256()
    kept: list[bytes] = []
    total, appended = 0, False
    try:
        for chunk in chunks:
            if unpacker.eof:
                appended = bool(chunk)
                break
            for piece in _pieces(unpacker, chunk):
                digest.update(piece)
                total += len(piece)
                if total > max_bytes:
                    raise BrokenObject(f"holds more than {max_bytes // 1024**2:,} MB")
                if keep:
                    kept.append(piece)
    except zlib.error as error:
        raise BrokenObject("is no whole gzip file") from error
    appended = appended or bool(unpacker.unused_data)
    return Inflated(digest.hexdigest(), not unpacker.eof, appended, b"".join(kept))


def _pieces(unpacker: zlib._Decompress, chunk: bytes) -> Iterator[bytes]:
    """What the chunk unpacks to, a bounded piece at a time: of what is packed well, none of it is left inside."""
    while piece := unpacker.decompress(chunk, _PIECE):
        yield piece
        chunk = unpacker.unconsumed_tail


@dataclass(frozen=True, slots=True)
class NamedLog:
    """A log file as a digest names it."""

    bucket: str
    key: str
    sha256: str
    algorithm: str


@dataclass(frozen=True, slots=True)
class PreviousDigest:
    """What a digest says of the one before it."""

    bucket: str
    key: str
    sha256: str
    algorithm: str
    signature: str


@dataclass(frozen=True, slots=True)
class Digest:
    bucket: str
    key: str
    start: datetime
    end: datetime
    end_text: str
    fingerprint: str
    algorithm: str
    previous_signature: str | None
    previous: PreviousDigest | None
    """None in the first digest of a chain."""
    logs: tuple[NamedLog, ...]
    sha256: str

    def signed_text(self) -> bytes:
        """What the signature is of."""
        before = "null" if self.previous_signature is None else self.previous_signature
        return f"{self.end_text}\n{self.bucket}/{self.key}\n{self.sha256}\n{before}".encode("utf-8", "surrogatepass")


def parse_digest(content: bytes, sha256: str) -> Digest:
    """Raises BrokenObject for what is no digest, whatever it is instead."""
    if len(content) > _BIG:
        with _one_big:
            return _parsed(content, sha256)
    return _parsed(content, sha256)


def _parsed(content: bytes, sha256: str) -> Digest:
    try:
        said = orjson.loads(content)
    except (orjson.JSONDecodeError, RecursionError) as error:
        raise BrokenObject("is no JSON") from error
    if not isinstance(said, dict):
        raise BrokenObject("is no JSON object")
    logs = said.get("logFiles") or []
    if not isinstance(logs, list):
        raise BrokenObject("has no list of log files")
    end = _text(said, "digestEndTime")
    return Digest(
        bucket=_text(said, "digestS3Bucket"),
        key=_text(said, "digestS3Object"),
        start=_time(_text(said, "digestStartTime")),
        end=_time(end),
        end_text=end,
        fingerprint=_text(said, "digestPublicKeyFingerprint"),
        algorithm=_optional(said, "digestSignatureAlgorithm"),
        previous_signature=None
        if _member(said, "previousDigestSignature") is None
        else _text(said, "previousDigestSignature"),
        previous=_previous(said),
        logs=tuple(map(_named, logs)),
        sha256=sha256,
    )


def _previous(said: Mapping[str, Any]) -> PreviousDigest | None:
    if said.get("previousDigestS3Bucket") is None or said.get("previousDigestS3Object") is None:
        return None
    return PreviousDigest(
        _text(said, "previousDigestS3Bucket"),
        _text(said, "previousDigestS3Object"),
        _optional(said, "previousDigestHashValue").lower(),
        _optional(said, "previousDigestHashAlgorithm"),
        _optional(said, "previousDigestSignature"),
    )


def _named(entry: object) -> NamedLog:
    if not isinstance(entry, dict):
        raise BrokenObject("names a log file by what is no object")
    return NamedLog(
        _text(entry, "s3Bucket"),
        _text(entry, "s3Object"),
        _text(entry, "hashValue").lower(),
        _optional(entry, "hashAlgorithm"),
    )


def _member(said: Mapping[str, Any], name: str) -> object:
    if name not in said:
        raise BrokenObject(f"has no {name}")
    return said[name]


def _text(said: Mapping[str, Any], name: str) -> str:
    value = _member(said, name)
    if not isinstance(value, str) or len(value) > 4096:
        raise BrokenObject(f"has no text as its {name}")
    return value


def _optional(said: Mapping[str, Any], name: str) -> str:
    return "" if said.get(name) is None else _text(said, name)


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BrokenObject("has a time that cannot be read") from error
