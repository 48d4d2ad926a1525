"""The rows of `crosstrail export --check`: what is not as the manifest says."""

from __future__ import annotations

from crosstrail.cli.output import RowColumn, RowType

DIFFERENCES = RowType(
    "export --check",
    (
        RowColumn("problem", about="What is wrong: changed, missing, added, moved or unreadable."),
        RowColumn("what", about="manifest, file or record."),
        RowColumn("name", about="The file, or the file that the record is in."),
        RowColumn("record", "integer", about="Its number in the export, counted from 1; 0 for a file."),
        RowColumn("event_id", about="The event's id; empty for a file."),
        RowColumn("reason", about="More about it; empty where there is no more."),
    ),
)
"""In the order of ExportFinding."""
