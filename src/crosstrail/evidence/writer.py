"""The files of an export, written as a stream: records in one of three forms, a hash of each, and the objects they came from.

Decides what a line, a row and a hash of a record are. Memory does not grow with the number of records. It never decides which
records are written, nor what the files are called in the end: publish.py does.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import orjson

from crosstrail import private
from crosstrail.evidence.forms import ExportedRecord, Sink, sink_of
from crosstrail.evidence.manifest import ROLES, Form, Kind, Role

_MAX_SOURCES = 50_000
"""Objects that are counted in memory; with more of them one object may stand in several lines."""
SUMMARY_FILE = "export.summary.json"


@dataclass(slots=True)
class _Source:
    number: int
    records: int = 0


def part_name(role: Role) -> str:
    """What a file is called in the folder where it is made."""
    return f"export.{role}"


class EvidenceWriter:
    """Writes into a folder of ours; what is unfinished there ends in `.partial`."""

    def __init__(self, folder: Path, form: Form, kind: Kind) -> None:
        """Raises OSError."""
        self._folder = folder
        self._kind = kind
        self._open = ExitStack()
        self._sources: dict[tuple[str, str, str, bool | None], _Source] = {}
        self._numbered = 0
        self.records = 0
        self.bytes = 0
        """Of the records as they came."""
        self._rewrapped = 0
        self._verified = {"verified": 0, "failed": 0, "unverified": 0}
        self._data: Sink = sink_of(form)(self._opened("data"), kind)
        self._hashes, self._objects = self._opened("records"), self._opened("sources")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()
        if kind is not None:
            for role in ROLES:
                _partial(self._folder, role).unlink(missing_ok=True)

    def _opened(self, role: Role) -> IO[bytes]:
        path = _partial(self._folder, role)
        private.create(path)
        return self._open.enter_context(path.open("wb", buffering=1 << 20))

    def add_all(self, records: Iterable[ExportedRecord]) -> None:
        for one in records:
            self.add(one)

    def add(self, record: ExportedRecord) -> None:
        """Raises OSError, such as for a full disk."""
        text = line_of(record.text)
        rewrapped = text != record.text
        digest = hashlib.sha256(text).hexdigest()
        said: dict[str, object] = {"record": self.records + 1, "sha256": digest}
        if self._kind == "records":
            said |= {"eventid": record.event_id, "cloud": record.cloud, "account": record.account}
            said["source"] = self._source(record)
            self._verified[_verdict(record.verified)] += 1
        if rewrapped:
            self._rewrapped += 1
            said["original_sha256"] = hashlib.sha256(record.text).hexdigest()
        self._hashes.write(orjson.dumps(said) + b"\n")
        self._data.add(text, record)
        self.records += 1
        self.bytes += len(record.text)

    def _source(self, record: ExportedRecord) -> int:
        key = (record.cloud, record.account, record.source, record.verified)
        source = self._sources.get(key)
        if source is None:
            if len(self._sources) >= _MAX_SOURCES:
                self._write_sources()
            self._numbered += 1
            source = self._sources[key] = _Source(self._numbered)
        source.records += 1
        return source.number

    def _write_sources(self) -> None:
        for (cloud, account, name, verified), source in self._sources.items():
            said = {"source": source.number, "cloud": cloud, "account": account, "object": name or None}
            self._objects.write(orjson.dumps({**said, "verified": verified, "records": source.records}) + b"\n")
        self._sources.clear()

    def finish(self, about: Mapping[str, object]) -> dict[str, object]:
        """What was written, with `about`: also as SUMMARY_FILE, which comes last. Raises OSError."""
        self._data.finish()
        self._write_sources()
        for file in (self._hashes, self._objects):
            file.flush()
        self._open.close()
        files = [_described(self._folder, role) for role in ROLES]
        summary: dict[str, object] = {
            **about,
            "kind": self._kind,
            "records": self.records,
            "rewrapped": self._rewrapped,
            "objects": self._numbered,
            "files": files,
        }
        if self._kind == "records":
            summary["verified"] = dict(self._verified)
        for role in ROLES:
            _partial(self._folder, role).replace(self._folder / part_name(role))
        write_whole(self._folder / SUMMARY_FILE, orjson.dumps(summary))
        return summary


def line_of(text: bytes) -> bytes:
    """The record on one line. JSON has line breaks between its parts alone, where a blank says the same."""
    return text.replace(b"\r", b" ").replace(b"\n", b" ") if b"\n" in text or b"\r" in text else text


def row_line(names: Sequence[str], values: Sequence[str | None]) -> bytes:
    """A row of a result as JSON on one line. `names` are distinct."""
    return orjson.dumps(dict(zip(names, values, strict=True)))


def distinct(names: Sequence[str]) -> list[str]:
    """SQL may call two columns alike: then the second is `name_2`."""
    found: list[str] = []
    for name in names:
        one, number = name, 2
        while one in found:
            one, number = f"{name}_{number}", number + 1
        found.append(one)
    return found


def _verdict(verified: bool | None) -> str:
    return "unverified" if verified is None else "verified" if verified else "failed"


def _partial(folder: Path, role: Role) -> Path:
    return folder / f"{part_name(role)}.partial"


def _described(folder: Path, role: Role) -> dict[str, object]:
    """Read back from the disk, where it is by then."""
    with _partial(folder, role).open("rb") as file:
        os.fsync(file.fileno())
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return {"role": role, "bytes": file.tell(), "sha256": digest}


def write_whole(path: Path, text: bytes) -> None:
    """A small file, which is complete on the disk before it has its name. Raises OSError."""
    partial = path.with_name(f"{path.name}.partial")
    private.create(partial)
    with partial.open("wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
