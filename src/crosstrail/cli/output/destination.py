"""Where a command's answer goes: stdout, or the file of -o, which is there whole or not at all."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TextIO

from crosstrail.cli.private_file import private_file
from crosstrail.cli.words import say


@dataclass(slots=True)
class Destination:
    """`text` for forms that are text, `binary` for the one that is not."""

    text: TextIO
    binary: BinaryIO
    path: Path | None = None
    rows: int | None = None
    """Written so far; None where what is written is no rows."""

    @property
    def on_terminal(self) -> bool:
        return self.path is None and sys.stdout.isatty()


@contextmanager
def opened_destination(path: Path | None, *, overwrite: bool) -> Iterator[Destination]:
    """`path`: None for stdout. Raises InvalidRequest, OSError."""
    if path is None:
        yield Destination(sys.stdout, sys.stdout.buffer)
        sys.stdout.flush()
        return
    with private_file(path, overwrite=overwrite) as file:
        text = io.TextIOWrapper(file, "utf-8", newline="", write_through=False)
        destination = Destination(text, file, path)
        try:
            yield destination
            text.flush()
        finally:
            text.detach()
    if destination.rows is None:
        say(f"Written to {path}.")
    else:
        say(f"Rows written to {path}: {destination.rows:,}.")
