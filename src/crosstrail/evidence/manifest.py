"""The manifest of an export: what the files are, where their records came from, and the hashes by which to tell.

Decides the one form of it, as JSON, and what of a manifest that somebody hands over is believed: nothing but texts and
numbers, and names of files that lie beside it. It proves nothing by itself: see check.py.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import orjson

from crosstrail.errors import InvalidRequest
from crosstrail.json_values import items, table, text
from crosstrail.text import json_text

FORMAT = "crosstrail-evidence/1"
SUFFIX = ".manifest.json"
SIGNATURE_SUFFIX = ".manifest.sig"
MAX_BYTES = 32 * 2**20
Form = Literal["jsonl", "jsonl.gz", "parquet"]
FORMS: tuple[Form, ...] = get_args(Form)
Kind = Literal["records", "rows"]
"""Original records, or the rows that a statement gave."""
Role = Literal["data", "records", "sources"]
"""`records`: a line for each record with its hash. `sources`: a line for each object that records came from."""
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """One file of an export; `name` lies beside the manifest."""

    role: Role
    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """As it was read; `text` is all of it."""

    kind: Kind
    form: Form
    records: int
    files: Mapping[Role, EvidenceFile]
    sha256: str
    about: Mapping[str, object]

    @property
    def verified(self) -> Mapping[str, object]:
        """How many records came from objects that passed the validation of their digests, failed it, or were not validated."""
        return table(self.about.get("verified"))


def names_of(name: str) -> dict[Role, str]:
    """What the files of an export to `name` are called."""
    return {"data": name, "records": f"{name}.records.jsonl", "sources": f"{name}.sources.jsonl"}


def written(about: Mapping[str, object]) -> bytes:
    """The manifest's text. Whatever steers a terminal stands in it as JSON's escape: it will be printed."""
    return json_text({"format": FORMAT, **about}, orjson.OPT_INDENT_2).encode() + b"\n"


def read_manifest(path: Path) -> Manifest:
    """Raises InvalidRequest for what is no manifest, OSError."""
    with path.open("rb") as file:
        raw = file.read(MAX_BYTES + 1)
    try:
        if len(raw) > MAX_BYTES:
            raise ValueError
        about = orjson.loads(raw)
        return _parsed(about, hashlib.sha256(raw).hexdigest())
    except (ValueError, KeyError, TypeError):
        raise InvalidRequest(
            "this is no manifest of an export", hint=f"Name the file that ends in {SUFFIX}, as the export wrote it."
        ).about(str(path)) from None


def _parsed(about: object, sha256: str) -> Manifest:
    """Raises ValueError."""
    said = table(about)
    form, kind, records = text(said.get("form")), text(said.get("kind")), said.get("records")
    if said.get("format") != FORMAT or form not in FORMS or kind not in get_args(Kind) or not _is_count(records):
        raise ValueError
    files = {one.role: one for one in map(_file, items(said.get("files")))}
    if set(files) != set(ROLES) or len({one.name for one in files.values()}) != len(ROLES):
        raise ValueError
    return Manifest(kind, form, records, files, sha256, said)  # type: ignore[arg-type]  # tested just above


def _file(value: object) -> EvidenceFile:
    said = table(value)
    role, name, size, digest = text(said.get("role")), text(said.get("name")), said.get("bytes"), said.get("sha256")
    if role not in ROLES or not _is_beside(name) or not _is_count(size) or not isinstance(digest, str):
        raise ValueError
    return EvidenceFile(role, name, size, digest)  # type: ignore[arg-type]  # tested just above


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_beside(name: str) -> bool:
    return bool(name) and name not in (".", "..") and "/" not in name and "\0" not in name
