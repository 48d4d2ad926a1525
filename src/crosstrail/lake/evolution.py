"""Lakes made by older versions: the columns they lack are added before the first write, and their format is stated.

Decides nothing but names and ids. No data file is touched: what was written before a column came holds NULL for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crosstrail.errors import LakeError
from crosstrail.lake.format import FORMAT, STATED, stated_format

if TYPE_CHECKING:
    from pyiceberg.table import Table


def bring_up_to_date(table: Table) -> None:
    """Adds the columns that it lacks, and states the format that it has then, in one commit.

    Raises LakeError when the table's columns are not this version's: data would be written under wrong ids."""
    from pyiceberg.exceptions import CommitFailedException
    from sqlalchemy.exc import OperationalError

    from crosstrail.lake.schema import ICEBERG_SCHEMA

    wanted = set(ICEBERG_SCHEMA.column_names)
    complete = wanted <= set(table.schema().column_names)
    if not complete or stated_format(table.properties) < FORMAT:
        try:
            with table.transaction() as change:
                if not complete:
                    with change.update_schema() as update:
                        update.union_by_name(ICEBERG_SCHEMA)
                change.set_properties(STATED)
        except (CommitFailedException, OperationalError):  # another process was quicker
            table.refresh()
    ids = {name: ICEBERG_SCHEMA.find_field(name).field_id for name in wanted}
    found = {name: table.schema().find_field(name).field_id for name in wanted & set(table.schema().column_names)}
    if found != ids:
        raise LakeError(
            "the lake's table has other columns than this version of crosstrail writes",
            hint="Collect into a new folder, or with the version that made or changed this table.",
        )
