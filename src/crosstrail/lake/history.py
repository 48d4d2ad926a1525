"""The table's past: which snapshot was the newest at a moment.

Decides nothing about how long snapshots are kept: see keeping.py.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from crosstrail.errors import LakeError
from crosstrail.timerange import iso

if TYPE_CHECKING:
    from pyiceberg.table import Table
    from pyiceberg.table.snapshots import Snapshot as IcebergSnapshot


def at(table: Table, moment: datetime) -> IcebergSnapshot:
    """The newest snapshot that was committed by then. Raises LakeError where it is kept no more, or there was none."""
    in_order = sorted(table.snapshots(), key=lambda snapshot: snapshot.sequence_number or 0)
    until = [one for one in in_order if one.timestamp_ms <= moment.timestamp() * 1000]
    if until:
        return until[-1]
    if not in_order:
        raise LakeError("the lake holds nothing yet", hint="Fill it with: crosstrail collect PATH")
    oldest = datetime.fromtimestamp(in_order[0].timestamp_ms / 1000, UTC)
    raise LakeError(
        f"the lake as it was at {iso(moment)} is not kept: its oldest snapshot is of {iso(oldest)}",
        hint="Ask for that time or a later one; lake.keep_snapshots says how long snapshots are kept.",
    )
