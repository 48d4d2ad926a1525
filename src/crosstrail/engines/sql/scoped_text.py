"""The caller's own text for an engine that runs Trino's SQL elsewhere, limited to the caller's accounts.

Each name of a table becomes a sub-query over the one relation that such an engine is ever asked for, and texts that stand
where CloudTrail Lake takes a time or a boolean become that. Nothing else changes but blanks, and comments are gone: where one
ends is not the same everywhere. What comes out is parsed again, and sent only if it differs from the statement in these places alone.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from crosstrail.engines.messages import EventsTable
from crosstrail.engines.sql.expr import Refusal
from crosstrail.engines.sql.table_sources import TablePlace
from crosstrail.lake.schema import COLUMNS
from crosstrail.timerange import TimeRange

if TYPE_CHECKING:
    from sqlglot import exp

_TOKEN = re.compile(
    r"""(?P<blank>[ \t\r\n]+)
      | (?P<literal>'(?:[^']|'')*'|"(?:[^"]|"")*")
      | (?P<word>[A-Za-z0-9_]+)
      | (?P<sign>[][(),.;*+/%=<>!|-])""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
"""What stands outside of texts and quoted names in a statement that every engine reads alike."""
_DAY_FORMATS = {"date": "DATE '{:%Y-%m-%d}'", "yyyy/MM/dd": "'{:%Y/%m/%d}'"}


@dataclass(frozen=True, slots=True)
class Edit:
    """`text` in place of what stands from `start` to before `end`."""

    start: int
    end: int
    text: str
    like: str = ""
    """A short text of the same form, for the check: of a sub-query of ours, which is long, `(SELECT 0)`. Empty: the text."""

    @property
    def checked(self) -> str:
        return self.like or self.text


def scoped_text(
    statement: str,
    tables: Sequence[tuple[TablePlace, TimeRange]],
    literals: Mapping[tuple[int, int], Collection[str]],
    to: EventsTable,
) -> str:
    """`statement` as it was parsed; each of its tables, with the event times that are read of it, and its literals that are
    read as something else, by their place in it. Raises Refusal for what cannot be sent."""
    edits = []
    for table, span in tables:
        name = table.name.replace('"', '""')
        label = "" if table.labelled else f' AS "{name}"'
        edits.append(Edit(table.start, table.end, f"({_scoped(table, span, to)}){label}", f"(SELECT 0){label}"))
    for (start, end), taken in literals.items():
        if len(taken) > 1 or start < 0:
            raise Refusal("a literal is compared with values of two types here", "Write it once for each of them.")
        edits += [Edit(start, end, text) for text in taken]
    edits.sort(key=lambda edit: edit.start)
    _check(statement, edits)
    return _edited(statement, [(edit, edit.text) for edit in edits])


def _scoped(table: TablePlace, span: TimeRange, to: EventsTable) -> str:
    conditions = [f"({table.where})", *_days(span, to)]
    columns = ", ".join(column.name for column in COLUMNS)
    return f"SELECT {columns} FROM {to['relation']} WHERE {' AND '.join(conditions)}"  # noqa: S608 - names of ours and quoted texts


def _days(span: TimeRange, to: EventsTable) -> Iterable[str]:
    """Conditions on the column of days: an engine may not see one on eventtime in a view as one on partitions."""
    if not to["day"]:
        return
    written = _DAY_FORMATS[to["day_format"]].format
    if span.start:
        yield f"{to['day']} >= {written(span.start)}"
    late = timedelta(days=to["late_days"])
    if span.end and span.end < datetime.max.replace(tzinfo=UTC) - late:  # later there are no days to compare with
        yield f"{to['day']} <= {written(span.end + late)}"


def _edited(statement: str, edits: Sequence[tuple[Edit, str]]) -> str:
    """The statement with these texts for the edits. Raises Refusal for a character that engines may read differently."""
    parts: list[str] = []
    place, waiting = 0, list(reversed(edits))
    while place < len(statement):
        if waiting and waiting[-1][0].start == place:
            edit, text = waiting.pop()
            parts.append(text)
            place = edit.end
            continue
        token = _TOKEN.match(statement, place)
        if token is None:
            raise Refusal(f"{statement[place]!r} cannot stand outside of texts and quoted names here")
        if token.group() != ";":  # of one statement, so it is the end
            parts.append(" " if token.lastgroup == "blank" else token.group())
        place = token.end()
    if waiting:
        raise Refusal("this statement cannot be limited to the accounts of the call")
    return "".join(parts).strip()


def _check(statement: str, edits: Sequence[Edit]) -> None:
    """Raises Refusal unless the statement with the edits reads as the statement, but for these places."""
    expected, found = _tree(statement), _tree(_edited(statement, [(edit, edit.checked) for edit in edits]))
    starts = {edit.start: edit for edit in edits}
    for node in list(expected.walk()):
        edit = starts.get(node.meta.get("start", -1))
        if edit is not None:
            del starts[edit.start]
            _replace(node, edit.checked)
    if starts or expected != found:
        raise Refusal(
            "this statement cannot be limited to the accounts of the call", "Write it without unusual spellings."
        )


def _tree(statement: str) -> exp.Expr:
    from crosstrail.engines.sql.parse import parsed_again

    return parsed_again(statement)


def _replace(node: exp.Expr, text: str) -> None:
    """The node, or the table that it names, by what `text` is."""
    from sqlglot import exp

    if isinstance(node, exp.Identifier):
        table = node.parent
        assert isinstance(table, exp.Table)  # noqa: S101 - the only names that are edited
        new = _tree(f"SELECT * FROM {text}").args["from_"].this  # noqa: S608 - read, never run
        for key in ("alias", "joins"):
            if value := table.args.get(key):
                new.set(key, value)
        table.replace(new)
    else:
        node.replace(_tree(f"SELECT {text}").expressions[0])
