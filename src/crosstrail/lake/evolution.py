"""Lakes made by older versions: the columns they lack are added before the first write.

Decides nothing but names and ids. No data file is touched: what was written before a column came holds NULL for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crosstrail.errors import LakeError

if TYPE_CHECKING:
    from pyiceberg.table import Table


def add_missing_columns(table: Table) -> None:
    """Raises LakeError when the table's columns are not this version's: data would be written under wrong ids."""
    from pyiceberg.exceptions import CommitFailedException
    from sqlalchemy.exc import OperationalError

    from crosstrail.lake.schema import ICEBERG_SCHEMA

    wanted = set(ICEBERG_SCHEMA.column_names)
    if not wanted <= set(table.schema().column_names):
        try:
            with table.update_schema() as update:
                update.union_by_name(ICEBERG_SCHEMA)
        except (CommitFailedException, OperationalError):  # another process was quicker
            table.refresh()
    ids = {name: ICEBERG_SCHEMA.find_field(name).field_id for name in wanted}
    found = {name: table.schema().find_field(name).field_id for name in wanted & set(table.schema().column_names)}
    if found != ids:
        raise LakeError(
            "the lake's table has other columns than this version of crosstrail writes",
            hint="Collect into a new folder, or with the version that made or changed this table.",
        )
