"""Values of Athena's results as the embedded engine shows them, and the statement that brings them whole.

Athena writes a row, map or array of a result as `{a=b, c=d}`, which cannot be read back: such columns are asked for as JSON.
Decides the text that is sent for that, and what each cell of an answer becomes.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal

import orjson

from crosstrail.engines.rendering import java_double
from crosstrail.engines.sql.types import Type
from crosstrail.errors import SqlRejected

_NO_JSON = frozenset(
    ("varbinary", "timestamptz", "ipaddress", "interval day to second", "interval year to month", "function")
)
"""What Trino casts to JSON in no container."""
_WORD = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|[()]|\w+""")
_LIMITED = re.compile(
    r"\b(?:LIMIT\s+(?:\d+|ALL)|OFFSET\s+\d+(?:\s+ROWS?)?|FETCH\s+(?:FIRST|NEXT)\b[\w\s]*)\s*$", re.IGNORECASE
)
_FRACTION = re.compile(r"(?<=:\d\d)(\.\d+)?(?= |$)")


class _Number(str):
    """The text of a number with a fraction, as it was written."""

    __slots__ = ()


_Pairs = tuple[tuple[str, object], ...]


def json_statement(sql: str, types: Sequence[Type]) -> str:
    """The statement with its rows, maps and arrays as JSON text. Raises SqlRejected for those that cannot be.

    An ORDER BY inside counts only where something limits the rows, by Trino's own rule, so nothing is skipped there.
    """
    for place, kind in enumerate(types, start=1):
        if kind.args and (bad := next((part for part in _parts(kind) if part.name in _NO_JSON), None)):
            raise SqlRejected(
                f"output column {place} has a {bad} inside of {kind.name}, which Athena's results cannot carry",
                hint="Cast it to varchar, or select its parts.",
            )
    if not any(kind.args for kind in types):
        return sql
    names = [f"c{place}" for place in range(len(types))]
    items = [
        f"json_format(CAST({name} AS JSON)) AS {name}" if kind.args else name
        for name, kind in zip(names, types, strict=True)
    ]
    ordered = " OFFSET 0 ROWS" if _is_ordered(sql) and not _LIMITED.search(sql) else ""
    return f"SELECT {', '.join(items)} FROM (\n{sql}{ordered}\n) AS t ({', '.join(names)})"  # noqa: S608 - compiled


def _parts(kind: Type) -> Iterator[Type]:
    yield kind
    for part in kind.args:
        yield from _parts(part)


def _is_ordered(sql: str) -> bool:
    """Whether ORDER stands outside of every parenthesis: a name that reads so has quotes, since the word is reserved."""
    depth = 0
    for found in _WORD.finditer(sql):
        word = found.group()
        depth += (word == "(") - (word == ")")
        if depth == 0 and word.upper() == "ORDER":
            return True
    return False


def cell_reader(kind: Type) -> Callable[[str | None], str | None]:
    """From Athena's text of a value, None for NULL, to ours. Raises ValueError for what is no such value."""
    if kind.args:
        return lambda text: None if text is None else orjson.dumps(_plain(_parsed(text), kind)).decode()
    match kind.name:
        case "varbinary":
            return lambda text: None if text is None else base64.b64encode(bytes.fromhex(text)).decode()
        case "timestamp" | "timestamptz":
            return lambda text: None if text is None else _FRACTION.sub(_with_digits(kind.precision), text, count=1)
    return lambda text: text


def _with_digits(precision: int) -> Callable[[re.Match[str]], str]:
    """The fraction of a second with as many digits as its type has; digits that are more stay."""
    return lambda found: f".{(found[1] or '.')[1:]:0<{precision}}" if precision else found[1] or ""


def _parsed(text: str) -> object:
    return json.loads(text, object_pairs_hook=tuple, parse_float=_Number)


def _plain(value: object, kind: Type) -> object:
    """As rendering.py's `plain` has it. A row's fields come in order: their names may be empty, and then alike."""
    if value is None:
        return None
    match kind.name:
        case "array":
            return [_plain(item, kind.element) for item in _listed(value)]
        case "map":
            return {key: _plain(item, kind.args[1]) for key, item in _pairs(value)}
        case "row":
            names = [name or f"field{place}" for place, name in enumerate(kind.fields)]
            return {
                name: _plain(item, part) for name, (_, item), part in zip(names, _pairs(value), kind.args, strict=True)
            }
        case "boolean" | "tinyint" | "smallint" | "integer" | "bigint":
            return value
        case "double" | "real":
            return float(str(value)) if isinstance(value, _Number | int) else str(value)
        case "decimal":
            return f"{Decimal(str(value)):.{kind.scale}f}"
        case "json":
            return _compact(value)
    return str(value)


def _listed(value: object) -> list[object]:
    if not isinstance(value, list):
        raise ValueError("no array")
    return value


def _pairs(value: object) -> _Pairs:
    if not isinstance(value, tuple):
        raise ValueError("no object")
    return value


def _compact(value: object) -> str:
    """JSON text again."""
    if isinstance(value, tuple):
        return "{" + ",".join(f"{_compact(key)}:{_compact(item)}" for key, item in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_compact, value)) + "]"
    if isinstance(value, _Number):
        return java_double(float(value))
    return orjson.dumps(value).decode() if not isinstance(value, int) or isinstance(value, bool) else str(value)
