"""What a reader may have meant by a name that nothing has: the nearest one, a nested field, another dialect's word.

Decides no more than the hint of a refusal. A name longer than any of ours is compared with none, so that what this costs
does not grow with what was sent, and a hint repeats only short names of plain characters.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator

from crosstrail.engines.sql.keyword_hints import near_keyword
from crosstrail.engines.sql.types import Type
from crosstrail.vocabulary import words

_LONGEST = 60
_PLAIN = re.compile(r"[\w.:/*@ -]{1,60}", re.ASCII)
_SHOW_COLUMNS = "`SELECT * ... LIMIT 1` shows the columns."
_PARTITIONS = frozenset(
    {
        "year",
        "month",
        "day",
        "hour",
        "dt",
        "date",
        "timestamp",
        "ts",
        "time",
        "partition_date",
        "partition_0",
        "log_date",
    }
)
"""Columns by which Athena's tables of logs are often partitioned."""
_WORDS = {
    "region": "awsregion", "aws_region": "awsregion", "ip": "sourceipaddress", "source_ip": "sourceipaddress",
    "sourceip": "sourceipaddress", "ipaddress": "sourceipaddress", "user": "useridentity.arn", "action": "eventname",
    "service": "eventsource", "principal": "useridentity.arn", "account_id": "account", "accountid": "account",
    "error": "errorcode", "raw": "eventjson", "record": "eventjson", "sourcefile": "source_object",
}  # fmt: skip
_FUNCTIONS = {
    "ifnull": "coalesce", "nvl": "coalesce", "isnull": "coalesce", "len": "length", "char_length": "length",
    "instr": "strpos", "charindex": "strpos", "datediff": "date_diff", "dateadd": "date_add", "date_sub": "date_add",
    "getdate": "now", "sysdate": "now", "group_concat": "listagg", "string_agg": "listagg", "collect_list": "array_agg",
    "collect_set": "array_agg", "list": "array_agg", "array_contains": "contains", "get_json_object": "json_extract_scalar",
    "json_value": "json_extract_scalar", "json_query": "json_extract", "to_timestamp": "from_iso8601_timestamp",
    "to_date": "date", "regexp_substr": "regexp_extract", "regexp_matches": "regexp_like", "size": "cardinality",
    "array_length": "cardinality", "array_size": "cardinality", "explode": "UNNEST", "mean": "avg", "iff": "if",
    "ucase": "upper", "lcase": "lower", "left": "substr", "right": "substr", "concat_array": "array_join",
}  # fmt: skip


def column_hint(names: list[str], quoted: bool, fields: Iterable[tuple[str, str, Type]]) -> str:
    """For a column that is not there. `fields` are the relation, name and type of those that are."""
    name = names[0].lower()
    known = [(label, column.lower(), kind) for label, column, kind in fields if column]
    columns = {column: kind for _, column, kind in known}
    if len(names) == 1 and quoted and _PLAIN.fullmatch(names[0]) and not _nearest(name, columns, 0.9):
        return f"Texts stand in single quotes: '{names[0]}'."
    if len(name) > _LONGEST or not known:
        return _SHOW_COLUMNS
    if len(names) > 1 and name in {label for label, _, _ in known}:
        found = _nearest(names[1].lower(), [column for label, column, _ in known if label == name])
        return f"Did you mean {name}.{found}?" if found else _SHOW_COLUMNS
    if "eventtime" in columns and name in _PARTITIONS:
        return "There are no partition columns here; filter by eventtime, for instance eventtime >= '2026-01-31'."
    word = _WORDS.get(name, "")
    if word.partition(".")[0] in columns:
        return f"Did you mean {word}?"
    bare = {column.replace("_", ""): column for column in columns}
    close = bare.get(name.replace("_", "")) or next(iter(_paths(name, columns)), "") or _nearest(name, columns)
    if keyword := "" if close or quoted else near_keyword(names[0]):
        return f"Did you mean {keyword}?"
    return f"Did you mean {close}?" if close else _SHOW_COLUMNS


def field_hint(name: str, kind: Type) -> str:
    """For a field that a row does not have."""
    fields = {field.lower(): part for field, part in zip(kind.fields, kind.args, strict=True) if field}
    wanted = name.lower()
    if len(wanted) <= _LONGEST:
        bare = {field.replace("_", ""): field for field in fields}
        close = (
            bare.get(wanted.replace("_", "")) or next(iter(_paths(wanted, fields)), "") or _nearest(wanted, fields, 0.6)
        )
        if close:
            return f"Did you mean {close}?"
    return f"It has {', '.join(fields)}." if fields else ""


def function_hint(name: str, known: Iterable[str]) -> str:
    """For a function that is not answered."""
    close = _FUNCTIONS.get(name) or _nearest(name, known)
    return f"Did you mean {close}?" if close else f"See {words().sql_page}: it lists those that are."


def name_hint(name: str, known: Iterable[str]) -> str:
    """`Did you mean ...? ` for a table that is not there, or nothing."""
    close = _nearest(name.lower(), {one.lower(): one for one in known})
    return f"Did you mean {close}? " if close else ""


def _nearest(name: str, known: Iterable[str], cutoff: float = 0.75) -> str:
    if len(name) > _LONGEST:
        return ""
    return next(iter(difflib.get_close_matches(name, known, 1, cutoff)), "")


def _paths(name: str, fields: dict[str, Type], before: str = "", depth: int = 0) -> Iterator[str]:
    """Where a field of that name is inside rows, the outermost first."""
    rows = [(field, kind) for field, kind in fields.items() if kind.name == "row" and depth < 4]
    inside = {field: dict(zip(map(str.lower, kind.fields), kind.args, strict=True)) for field, kind in rows}
    yield from (f"{before}{field}.{name}" for field, parts in inside.items() if name in parts)
    for field, parts in inside.items():
        yield from _paths(name, parts, f"{before}{field}.", depth + 1)


def no_field_hint(kind: Type) -> str:
    """For a field of what has none."""
    return "Read a map with element_at(map, 'key')." if kind.name == "map" else ""
