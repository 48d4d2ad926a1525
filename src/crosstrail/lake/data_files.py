"""The names of data files: each ends in the SHA-256 of what is in it, so damage is told wherever the lake was copied to.

Decides the form of that name and nothing else: who compares is data_file_verification.py. Files of older lakes have no hash in their
names until a compaction replaces them.
"""

from __future__ import annotations

import re
from hashlib import file_digest
from pathlib import Path, PurePath

_HASH = re.compile(r"-([0-9a-f]{64})(?=\.parquet$)")


def sealed(path: Path) -> Path:
    """Renames a complete data file, which nothing names yet, to its name with the hash. Raises OSError."""
    return path.rename(path.with_name(f"{path.stem}-{sha256_of(path)}{path.suffix}"))


def sha256_of(path: Path) -> str:
    """In hex. Raises OSError."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def named_sha256(path: str) -> str:
    """The hash that a data file's name says, in hex; empty where it says none."""
    found = _HASH.search(path)
    return found[1] if found else ""


def unsealed_stem(path: PurePath) -> str:
    """The name without its hash and suffix: that of a copy begins with it."""
    return PurePath(_HASH.sub("", path.name)).stem
