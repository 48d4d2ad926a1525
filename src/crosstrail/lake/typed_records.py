"""A record's fields in the types of their columns: what both ways of reading a record end in.

Decides which field is which column, the types, and what becomes of a value of a wrong one. The types are made from the
columns' own description (schema.py), so that a record can be decoded straight into them (`ordinary_decoder`), which takes
a third of the time of a dictionary; the fields of one that was read otherwise are brought into the same types (`typed`).
Loads no Arrow and no Iceberg.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from operator import attrgetter
from typing import Protocol, cast

from msgspec import Struct, ValidationError, convert, defstruct

from crosstrail.clouds.record_text import is_nested
from crosstrail.clouds.shape import principal_from, time_of, username_from
from crosstrail.lake.column_fields import FIELD_OF_COLUMN, IDENTITY_FIELDS, MAP_COLUMNS, MAPS, RESOURCE_FIELDS
from crosstrail.lake.json_text import compact, decoder
from crosstrail.lake.schema import ColumnType, column_types

_SHAPED_ELSEWHERE = "insightDetails"
"""Records that have it keep fields of other columns inside it: they are not decoded straight."""
_MAP_GETTERS = [(field, attrgetter(field)) for field in MAPS.values()]
_SURELY_SHALLOW_BYTES = 300


class Identity(Protocol):
    """A typed record's userIdentity, as far as it is looked into here."""

    type: str | None
    arn: str | None
    userName: str | None  # noqa: N815 - as records have it
    principalId: str | None  # noqa: N815
    invokedBy: str | None  # noqa: N815
    accountId: str | None  # noqa: N815


class TypedRecord(Protocol):
    """Made by msgspec from the columns' types: text or None, a truth value or None, a struct like this or None; of maps,
    after `set_entries`, their Entries or None."""

    eventTime: str | None  # noqa: N815
    eventID: str | None  # noqa: N815
    eventSource: str | None  # noqa: N815
    recipientAccountId: str | None  # noqa: N815
    userIdentity: Identity | None  # noqa: N815
    requestParameters: object  # noqa: N815
    resources: Sequence[Struct | None] | None


Entries = tuple[Sequence[str], Sequence[str | bytes | None]]
"""A map column's value: keys in order, and their values: scalars as text, nested values as compact JSON, None for null. What
is no object has the key `value`."""


def ordinary_decoder() -> Callable[[bytes], TypedRecord]:
    """Decodes a record whose every field is a column's and of its type. Raises MsgspecError, UnicodeDecodeError or
    RecursionError for every other one. Its maps are not Entries yet."""
    return cast(Callable[[bytes], TypedRecord], decoder(_record_type(strict=True)).decode)


def typed(shape: Mapping[str, object]) -> TypedRecord:
    """The fields of a record in AWS's shape; a value of a wrong type is brought into the right one, or left out where it
    cannot be. Its maps are Entries."""
    kind = _record_type(strict=False)
    try:
        record = convert(shape, kind)
    except ValidationError:
        record = convert(_coerced(shape), kind)
    made = cast(TypedRecord, record)
    set_entries([made])
    return made


def set_entries(records: Sequence[TypedRecord], *, shallow: bool = False) -> None:
    """Makes Entries of the records' maps. `shallow`: raises RecursionError where one may be nested too deeply for readers."""
    as_text = _shallow_text if shallow else _as_text
    for field, value_of in _MAP_GETTERS:
        values = list(map(value_of, records))
        if values.count(None) == len(values):
            continue
        for record, value in zip(records, values, strict=True):
            if value is None:
                continue
            if type(value) is not dict:
                value = {"value": value}
            keys = sorted(value)  # maps are the same when their entries are, whatever the order of a record's keys
            items = [item if type(item := value[key]) is str or item is None else as_text(item) for key in keys]
            setattr(record, field, (keys, items))


def _as_text(value: object) -> str | bytes | None:
    """Scalars as text, nested values as compact JSON, None for null."""
    if type(value) is str or value is None:
        return value
    if type(value) is int:
        return str(value)
    if type(value) is bool:
        return "true" if value else "false"
    try:
        return compact(value)
    except (TypeError, RecursionError):  # nested deeper than can be written: only in JSON that was text inside a record
        return None


def _shallow_text(value: object) -> str | bytes | None:
    text = _as_text(value)
    if type(text) is bytes and len(text) > _SURELY_SHALLOW_BYTES and is_nested(text):
        raise RecursionError
    if text is None and value is not None:
        raise RecursionError
    return text


def caller_of(identity: Identity | None) -> tuple[str, str]:
    """(principal, user name), as shape.py makes them."""
    if identity is None:
        return "", ""
    kind, arn, name, principal = identity.type, identity.arn, identity.userName, identity.principalId
    return (
        principal_from(arn, name, identity.invokedBy, principal, kind),
        username_from(kind, arn, name, principal),
    )


@cache
def _record_type(*, strict: bool) -> type[Struct]:
    """`strict`: with these fields and no others."""
    fields = [
        (field, _python_type(column_types()[name], name, strict), None) for name, field in FIELD_OF_COLUMN.items()
    ]
    if strict:
        fields = [(field, None if field == _SHAPED_ELSEWHERE else kind, None) for field, kind, _ in fields]
    fields += [("eventTime", str | None, None), ("eventID", str | None, None)]
    return defstruct("Record", fields, forbid_unknown_fields=strict, gc=False)


def _python_type(kind: ColumnType, column: str, strict: bool) -> object:
    """What msgspec makes of a column's value; of a map column anything, which `set_entries` makes text of."""
    if kind.word == "map":
        return object if column in MAP_COLUMNS else dict[str, str | None] | None
    if kind.word == "array":
        return list[_python_type(kind.parts[0][1], column, strict)] | None  # type: ignore[misc]
    if kind.word == "row":
        names = _names(column)
        parts = [(names.get(name, name), _python_type(part, "", strict), None) for name, part in kind.parts]
        return defstruct(column or "Part", parts, forbid_unknown_fields=strict, gc=False) | None
    return bool | None if kind.word == "boolean" else str | None


def _names(column: str) -> Mapping[str, str]:
    return RESOURCE_FIELDS if column == "resources" else IDENTITY_FIELDS


def _coerced(shape: Mapping[str, object]) -> dict[str, object]:
    """The record with every value of the type its column wants, or None where it cannot be; eventjson still has it."""
    fields = {
        field: _coerced_value(shape.get(field), column_types()[name], name) for name, field in FIELD_OF_COLUMN.items()
    }
    return fields | {name: _text(shape.get(name)) for name in ("eventTime", "eventID")}


def _coerced_value(value: object, kind: ColumnType, column: str) -> object:
    if column in MAP_COLUMNS or value is None:
        return value
    if kind.word == "row":
        names = _names(column)
        parts = ((names.get(name, name), part) for name, part in kind.parts)
        return (
            {name: _coerced_value(value.get(name), part, "") for name, part in parts}
            if isinstance(value, dict)
            else None
        )
    if kind.word == "map":
        return {key: _text(inner) for key, inner in value.items()} if isinstance(value, dict) else None
    if kind.word == "array":
        element = kind.parts[0][1]
        listed = value if isinstance(value, list) else None
        return listed and [_coerced_value(one, element, column) for one in listed if isinstance(one, dict)]
    if kind.word == "boolean":
        return value if type(value) is bool else {"true": True, "false": False}.get(str(value).lower())
    return iso_or_none(value) if kind.word == "timestamp" else _text(value)


def _text(value: object) -> str | None:
    text = _as_text(value)
    return text.decode() if isinstance(text, bytes) else text


def iso_or_none(value: object) -> str | None:
    try:
        return time_of(value).isoformat()
    except ValueError:
        return None
