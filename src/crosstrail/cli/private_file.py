"""One file that a command writes under the user's own name: whole or not at all, its owner's alone.

Decides that it follows no symbolic link in the name and replaces nothing unless told.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from crosstrail.errors import InvalidRequest


def check_free(path: Path, *, overwrite: bool) -> None:
    """Raises InvalidRequest where a file cannot have that name."""
    if not path.absolute().parent.is_dir():
        raise InvalidRequest("there is no such folder to write into").about(str(path.parent))
    if path.is_symlink():
        raise InvalidRequest("a symbolic link has that name, and none is followed").about(str(path))
    if path.exists() and not path.is_file():
        raise InvalidRequest("what has that name is no file").about(str(path))
    if path.exists() and not overwrite:
        raise InvalidRequest(
            "there is a file of that name", hint="Name another one, or add --overwrite to replace it."
        ).about(str(path))


def write_private(path: Path, content: bytes, *, overwrite: bool) -> None:
    """Raises InvalidRequest, OSError."""
    with private_file(path, overwrite=overwrite) as file:
        file.write(content)


@contextmanager
def private_file(path: Path, *, overwrite: bool) -> Iterator[BinaryIO]:
    """A file to write, which has its name once this ends well, and is gone otherwise. Raises InvalidRequest, OSError."""
    path = path.absolute()
    check_free(path, overwrite=overwrite)
    handle, partial = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)  # 0600
    try:
        with open(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        check_free(path, overwrite=overwrite)
        Path(partial).replace(path)
    finally:
        Path(partial).unlink(missing_ok=True)
