"""What the commands of `crosstrail lake` begin with: the lake opened."""

from __future__ import annotations

from collections.abc import Iterator
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
