"""Whether an export is still what its manifest says: every file, every record, their order. Offline, in bounded memory.

Decides what is called changed, missing, added and moved. It trusts the manifest, which nobody can tell from one made
anew unless they noted its SHA-256 or it is signed: who asks says so. It never repairs anything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal, NamedTuple

import orjson

from crosstrail.evidence.forms import Damaged, records_in
from crosstrail.evidence.manifest import ROLES, SIGNATURE_SUFFIX, SUFFIX, EvidenceFile, Manifest, read_manifest
from crosstrail.evidence.sequence import Difference, SequenceItem, compared
from crosstrail.evidence.signature import verified
from crosstrail.json_values import table, text

Problem = Literal["changed", "missing", "added", "moved", "unreadable"]
MAX_NAMED = 10_000
"""Differing records that are named; beyond them the check says that there are more, and ends."""
_MAX_LINE = 2**20


class ExportFinding(NamedTuple):
    """One thing that is not as the manifest says. `record` counts from 1, in the export as it was written; of an added one, in
    the file as it is. 0: it is about a file."""

    problem: Problem
    what: Literal["manifest", "file", "record"]
    name: str
    record: int = 0
    event_id: str = ""
    reason: str = ""


@dataclass(slots=True)
class ExportCheck:
    """What a check found; `right` when that is nothing."""

    manifest: Manifest
    signed: bool | None = None
    """Whether the signature beside it is the manifest's, by the key given; None where no key was."""
    findings: list[ExportFinding] = field(default_factory=list)
    more: bool = False
    """Whether there were more differing records than are named."""

    @property
    def right(self) -> bool:
        return not self.findings and not self.more


def check(path: Path, public_key: Path | None = None) -> ExportCheck:
    """`public_key`: of whoever signed it. Raises InvalidRequest for what is no manifest or no key, OSError where one cannot be
    read."""
    done = ExportCheck(read_manifest(path))
    if public_key:
        _check_signature(done, path, public_key)
    folder = path.parent
    for role in ROLES:
        one = done.manifest.files[role]
        done.findings += _of_file(folder / one.name, one)
    data, index = done.manifest.files["data"], done.manifest.files["records"]
    gone = suppress(FileNotFoundError, IsADirectoryError)  # which is told already
    with gone, (folder / index.name).open("rb") as listed, (folder / data.name).open("rb") as file:
        _compare(done, listed, file)
    return done


def _check_signature(done: ExportCheck, path: Path, public_key: Path) -> None:
    beside = path.with_name(path.name.removesuffix(SUFFIX) + SIGNATURE_SUFFIX)
    try:
        with beside.open("rb") as file:
            signature = file.read(_MAX_LINE)
    except FileNotFoundError:
        done.signed = False
        done.findings.append(ExportFinding("missing", "manifest", beside.name, reason="it was not signed"))
        return
    done.signed = verified(path.read_bytes(), signature, public_key)
    if not done.signed:
        reason = "the signature is not this manifest's by that key"
        done.findings.append(ExportFinding("changed", "manifest", path.name, reason=reason))


def _of_file(path: Path, expected: EvidenceFile) -> list[ExportFinding]:
    """Whether a file is there, as long as it was, and of the same bytes."""
    name = expected.name
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
    except FileNotFoundError:
        return [ExportFinding("missing", "file", name)]
    except OSError as error:
        return [ExportFinding("unreadable", "file", name, reason=error.strerror or type(error).__name__)]
    if size != expected.bytes:
        return [ExportFinding("changed", "file", name, reason=f"it has {size} bytes and had {expected.bytes}")]
    if digest != expected.sha256:
        return [ExportFinding("changed", "file", name, reason="its SHA-256 is another")]
    return []


def _compare(done: ExportCheck, listed: IO[bytes], file: IO[bytes]) -> None:
    manifest, index = done.manifest, done.manifest.files["records"].name
    seen = _Seen()
    found = compared(seen.expected(listed), seen.found(file, manifest), MAX_NAMED)
    done.findings += [_named(one, manifest) for one in found]
    done.more = len(found) >= MAX_NAMED
    if seen.broken:
        done.findings.append(ExportFinding("unreadable", "file", manifest.files["data"].name, reason=seen.broken))
    if seen.unlisted:
        done.findings.append(
            ExportFinding("changed", "file", index, seen.unlisted, reason="a line of it is no record's")
        )
    elif not done.more and seen.listed != manifest.records:
        reason = f"it says {manifest.records} records and {index} lists {seen.listed}"
        done.findings.append(ExportFinding("changed", "manifest", index, reason=reason))


def _named(one: Difference, manifest: Manifest) -> ExportFinding:
    """Records are of the file that has them, or had."""
    name, expected, found = manifest.files["data"].name, one.expected, one.found
    if expected is None:
        assert found is not None  # noqa: S101 - a difference has one of both
        return ExportFinding("added", "record", name, found.place, found.name)
    if found is None:
        return ExportFinding("missing", "record", name, expected.place, expected.name)
    if expected.sha256 == found.sha256:
        return ExportFinding("moved", "record", name, expected.place, expected.name, f"it stands at {found.place}")
    return ExportFinding("changed", "record", name, expected.place, expected.name, f"it stands at {found.place}")


class _Seen:
    """Reads both sides, and notes what cannot be read of them."""

    def __init__(self) -> None:
        self.listed = 0
        self.unlisted = 0
        """The first line of the index that is none."""
        self.broken = ""

    def expected(self, file: IO[bytes]) -> Iterator[SequenceItem]:
        """What the index of records lists."""
        while line := file.readline(_MAX_LINE):
            self.listed += 1
            with suppress(ValueError):
                said = table(orjson.loads(line))
                if digest := text(said.get("sha256")):
                    yield SequenceItem(digest, self.listed, text(said.get("eventid")))
                    continue
            self.unlisted = self.unlisted or self.listed

    def found(self, file: IO[bytes], manifest: Manifest) -> Iterator[SequenceItem]:
        """What the data file holds, as far as it can be read."""
        place = 0
        try:
            for place, one in enumerate(records_in(file, manifest.form, manifest.kind), 1):
                yield SequenceItem(one.sha256, place, one.text)
        except Damaged as damaged:
            self.broken = f"{damaged}, after record {place}"
