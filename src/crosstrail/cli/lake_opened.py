"""What the commands of `crosstrail lake` begin with: the lake opened, and a bar for those that take a while."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crosstrail.lake.table import LakeTable
    from crosstrail.settings.config import Settings


@contextmanager
def opened(settings: Settings, *, writes: bool = False) -> Iterator[LakeTable]:
    """Raises LakeError where there is no lake."""
    from crosstrail.lake import require_libraries

    require_libraries()
    from crosstrail.lake.table import LakeTable
    from crosstrail.workspace.lake_catalog import opened_catalog

    create = writes and settings.lake.exists()
    with (
        opened_catalog(settings) as catalog,
        closing(LakeTable.open(settings.lake.folder, catalog=catalog, create=create)) as table,
    ):
        yield table


@contextmanager
def bar(title: str) -> Iterator[Callable[[int, int], None] | None]:
    """A bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TextColumn("files,"), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
