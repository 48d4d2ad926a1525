"""Names with what they mean, one below the other: help, columns, functions.

Decides that the last column alone is broken between words, under where it begins; in a pipe nothing is, and tabs part columns.
"""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Sequence

from crosstrail.cli.shell.paging import paged
from crosstrail.cli.words import out, out_columns

_GAP = 2
_LEAST = 24
"""Columns for the last one, where the others would leave less."""


def print_listing(rows: Sequence[Sequence[str]]) -> None:
    """Each row has as many columns as the first."""
    if not sys.stdout.isatty():
        for row in rows:
            out_columns("\t".join(row), to_stderr=False)
        return
    room = shutil.get_terminal_size().columns
    before = [max(len(row[place]) for row in rows) for place in range(len(rows[0]) - 1)]
    margin = min(sum(before) + _GAP * len(before), max(room - _LEAST, 0))
    with paged(colour=False):
        for row in rows:
            head = "".join(f"{cell:{width + _GAP}}" for cell, width in zip(row, before, strict=False))
            last = textwrap.wrap(row[-1], max(room - margin, 8), break_on_hyphens=False) or [""]
            if len(head) > margin:
                out(head.rstrip())
                head = ""
            out(f"{head:{margin}}{last[0]}".rstrip())
            for line in last[1:]:
                out(f"{'':{margin}}{line}")
