"""What is recorded of a table's times and still holds, also where another machine took events out of it.

Of a lake in one folder whoever takes events out forgets what was recorded of them (cut_spans). Of a table that is shared the
other machines cannot be reached: there nothing counts of what the table's removals cover, whenever it was recorded. To say
too little is safe: an account is asked instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from crosstrail.coverage import without
from crosstrail.lake.covered_spans import CoveredSpan, SpanKind, recorded_spans
from crosstrail.lake.removals import Removal
from crosstrail.models import AccountKey

if TYPE_CHECKING:
    from crosstrail.lake.table import LakeTable


def remaining_spans(table: LakeTable, accounts: Sequence[AccountKey]) -> dict[AccountKey, list[CoveredSpan]]:
    """Raises LakeError."""
    found = recorded_spans(table.folder, table.uuid, accounts)
    if not found or not table.is_shared:
        return found
    removals = table.removals()
    return {key: [part for span in spans for part in _left(span, removals)] for key, spans in found.items()}


def _left(span: CoveredSpan, removals: Iterable[Removal]) -> list[CoveredSpan]:
    if span.kind is SpanKind.HOLE:
        return [span]
    taken = tuple((one.span.start, one.span.end) for one in removals if one.key == span.key)
    parts = without(((span.start, span.end),), taken)
    return [replace(span, start=start, end=end) for start, end in parts]
