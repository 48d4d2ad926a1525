"""The rows of `crosstrail lake`: accounts that it holds, files that are damaged, days that are dropped."""

from __future__ import annotations

from crosstrail.cli.output import Cell, Meaning, RowColumn, RowType

_ACCOUNT = RowColumn("account", whole=True, about="The account's id.")
_CLOUD = RowColumn("cloud", about="aws, volcengine, alibaba, or what a distribution brings.")
_EVENTS = RowColumn("events", "integer", thousands=True, about="How many events.")


def failed(value: Cell) -> Meaning | None:
    """Of text that is there only where something failed."""
    return Meaning.FAILED if value and "failed" in str(value) else None


def size_text(size: float) -> str:
    for unit in ("bytes", "KB", "MB", "GB"):
        if size < 1000:
            return f"{size:,.0f} {unit}" if unit == "bytes" else f"{size:,.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"


def _size(value: Cell) -> str:
    return size_text(value) if isinstance(value, int) else ""


def _age(value: Cell) -> str:
    seconds = value if isinstance(value, int) else 0
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length:,} {unit}"
    return f"{seconds} s"


HELD = RowType(
    "lake status",
    (
        _ACCOUNT,
        _CLOUD,
        _EVENTS,
        RowColumn("bytes", "integer", shown=_size, about="Size of its data files."),
        RowColumn("first", "time", as_day=True, about="Time of its first event."),
        RowColumn("last", "time", whole=True, about="Time of its newest event."),
        RowColumn("lag", "integer", shown=_age, about="Seconds from the newest event to now."),
        RowColumn("days", "integer", thousands=True, about="Days that hold events."),
        RowColumn("gaps", about="Days without an event between the first and the last: the newest two runs of them."),
        RowColumn("verified", meaning=failed, about="The share of events whose log files passed validation."),
        RowColumn("missing_days", "integer", wide=True, thousands=True, about="How many days the gaps have."),
    ),
    first_to_go=("missing_days", "cloud", "bytes", "lag"),
)
DAMAGED = RowType(
    "lake verify",
    (
        RowColumn("path", cut="apart", about="The data file."),
        RowColumn("reason", about="What is wrong with it."),
        RowColumn("account", about="The account whose events it holds."),
        RowColumn("day", about="Their day."),
        RowColumn("events", "integer", thousands=True, about="How many."),
        RowColumn("sources", "list", wide=True, about="The log files to collect again."),
    ),
)
REPAIRED = RowType(
    "lake repair",
    (
        *DAMAGED.columns,
        RowColumn("lacking", "integer", about="How many events of that account's day could not be had again."),
    ),
)
COMPACTED = RowType(
    "lake compact",
    (
        RowColumn("replaced", "integer", about="Files that were replaced; they are kept a while."),
        RowColumn("files_before", "integer", about="Data files before."),
        RowColumn("files_after", "integer", about="Data files now."),
        RowColumn("given_hashes", "integer", about="Files of an older version that were given a hash."),
    ),
)
EXPIRED = RowType(
    "lake expire",
    (
        _ACCOUNT,
        _EVENTS,
        RowColumn("days", "integer", thousands=True, about="Of how many days."),
        RowColumn("first", about="The first of them."),
        RowColumn("last", about="The last."),
        RowColumn("files", "integer", thousands=True, about="In how many files."),
    ),
)
