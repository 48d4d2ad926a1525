"""What one event looks like in the lake: every column, its type and its meaning.

Decides the names, order and types that SQL writers see, and the columns kept beside them to make lookups fast.
It never reads or writes a table, and importing it loads no heavy library: asking for ICEBERG_SCHEMA or ARROW_SCHEMA does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, partial
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa
    from pyiceberg.schema import Schema
    from pyiceberg.types import IcebergType

    ICEBERG_SCHEMA: Schema
    """The table's schema. Field ids follow the order of ALL_COLUMNS: add columns to _ADDED_COLUMNS, never elsewhere."""
    ARROW_SCHEMA: pa.Schema
    """The same columns for Arrow and Parquet, each with its Iceberg field id in its metadata."""


@dataclass(frozen=True, slots=True)
class Column:
    """`type` is Trino's text for it: varchar, boolean, timestamp, map(k, v), array(t), row(name type, ...)."""

    name: str
    type: str
    description: str


_MAP = "map(varchar, varchar)"
_IDENTITY = (
    "row(type varchar, principalid varchar, arn varchar, accountid varchar, accesskeyid varchar, username varchar, "
    "sessioncontext row(attributes row(creationdate timestamp, mfaauthenticated varchar), "
    "sessionissuer row(type varchar, principalid varchar, arn varchar, accountid varchar, username varchar), "
    "webidfederationdata row(federatedprovider varchar, attributes map(varchar, varchar)), "
    "sourceidentity varchar, ec2roledelivery varchar, ec2issuedinvpc varchar), "
    "onbehalfof row(userid varchar, identitystorearn varchar), "
    "inscopeof row(sourcearn varchar, sourceaccount varchar, issuertype varchar, credentialsissuedto varchar), "
    "invokedby varchar, identityprovider varchar)"
)

CLOUDTRAIL_LAKE_COLUMNS: tuple[Column, ...] = (
    Column("eventversion", "varchar", "Version of the event format."),
    Column("useridentity", _IDENTITY, "Who made the request."),
    Column("eventtime", "timestamp", "When the request completed, UTC."),
    Column("eventsource", "varchar", "The service asked, for instance iam.amazonaws.com."),
    Column("eventname", "varchar", "The action, for instance CreateUser."),
    Column("awsregion", "varchar", "The region that received the request; of any cloud."),
    Column("sourceipaddress", "varchar", "Address the request came from, or a service's host name."),
    Column("useragent", "varchar", "Program that sent the request, as it named itself."),
    Column("errorcode", "varchar", "NULL when the request succeeded."),
    Column("errormessage", "varchar", "What the service said about the error."),
    Column("requestparameters", _MAP, "Parameters; nested values are JSON text."),
    Column("responseelements", _MAP, "Answer of actions that change something; nested values are JSON text."),
    Column("additionaleventdata", _MAP, "Further facts about the event; nested values are JSON text."),
    Column("requestid", "varchar", "The service's id of the request."),
    Column("eventid", "varchar", "Unique within an account."),
    Column("readonly", "boolean", "Whether the action changes nothing."),
    Column(
        "resources",
        "array(row(accountid varchar, type varchar, arn varchar, arnprefix varchar))",
        "Resources the event names.",
    ),
    Column("eventtype", "varchar", "AwsApiCall, AwsServiceEvent, AwsConsoleAction, AwsConsoleSignIn, ..."),
    Column("apiversion", "varchar", "Version of the service's interface."),
    Column("managementevent", "boolean", "True for management events, false for data events."),
    Column("recipientaccountid", "varchar", "The account that received the event."),
    Column("sharedeventid", "varchar", "The same in the copies that several accounts received of one event."),
    Column("annotation", "varchar", "Why the event was delivered late or incomplete."),
    Column("vpcendpointid", "varchar", "VPC endpoint the request went through."),
    Column("vpcendpointaccountid", "varchar", "Owner of that endpoint."),
    Column("serviceeventdetails", _MAP, "What triggered a service event and its result."),
    Column("addendum", _MAP, "Details of an event that was delivered late or changed."),
    Column("edgedevicedetails", _MAP, "The edge device the request was made on."),
    Column("insightdetails", _MAP, "Trigger, statistics and attributions of an Insights event."),
    Column("eventcategory", "varchar", "Management, Data, Insight, NetworkActivity, ..."),
    Column(
        "tlsdetails",
        "row(tlsversion varchar, ciphersuite varchar, clientprovidedhostheader varchar)",
        "TLS version, cipher suite and host name of the request.",
    ),
    Column("sessioncredentialfromconsole", "varchar", "'true' when the request came from a console session."),
    Column("eventjson", "varchar", "The whole event as JSON text."),
    Column("eventjsonchecksum", "varchar", "SHA-256 of eventjson, in hex."),
)
"""The columns of an event data store of CloudTrail Lake, in its order."""

_ADDED_COLUMNS: tuple[Column, ...] = (
    Column(
        "other_versions",
        "array(row(source_object varchar, eventjson varchar))",
        "Other contents that came under this event id, and their files: an addendum's original, or a conflict. NULL for none.",
    ),
)
"""Columns that lakes made before them do not have until their next collection; they come last in the table."""

_FIRST_COLUMNS: tuple[Column, ...] = (
    *CLOUDTRAIL_LAKE_COLUMNS,
    Column("cloud", "varchar", "The cloud of the account: aws, volcengine, alibaba or another that is installed."),
    Column("account", "varchar", "The account whose trail holds the event; digits, leading zeros kept."),
    Column(
        "source_object",
        "varchar",
        "The log file the event was read from: its key from AWSLogs on, else its path inside what was collected.",
    ),
    Column("verified", "boolean", "Whether its log file passed integrity validation; NULL when that was not tried."),
)
COLUMNS: tuple[Column, ...] = (*_FIRST_COLUMNS, *_ADDED_COLUMNS)
"""Every column that SQL shows."""

HIDDEN_COLUMNS: tuple[Column, ...] = (
    Column("username", "varchar", "What LookupEvents calls Username."),
    Column("principal", "varchar", "The caller for a reader: user/alice, assumed-role/Audit/alice, root."),
    Column("access_key_id", "varchar", "The access key that signed the request."),
    Column("resource_types", "array(varchar)", "Types of the resources concerned, beside resource_names."),
    Column("resource_names", "array(varchar)", "Names or ARNs of the resources concerned."),
)
"""Columns that lookups use and SQL does not show."""

_OLDEST_COLUMNS = (*_FIRST_COLUMNS, *HIDDEN_COLUMNS)
ALL_COLUMNS: tuple[Column, ...] = (*_OLDEST_COLUMNS, *_ADDED_COLUMNS)
FIRST_NAMES = frozenset(column.name for column in _OLDEST_COLUMNS)
"""The columns that every table has, whichever version made it."""


def __getattr__(name: str) -> object:
    """The two schemas, made when first asked for: their libraries take most of a second to load."""
    if name == "ICEBERG_SCHEMA":
        return _iceberg_schema()
    if name == "ARROW_SCHEMA":
        return _arrow_schema()
    raise AttributeError(name)


@cache
def first_schema() -> Schema:
    """What a table is made with, before evolution.py adds the columns that came later: a catalog numbers the columns of a
    new table anew, and lakes made at any time must have the same ids."""
    from pyiceberg.schema import Schema, assign_fresh_schema_ids
    from pyiceberg.types import NestedField

    fields = (
        NestedField(
            field_id=number, name=column.name, field_type=_parsed(column.type).iceberg(), doc=column.description
        )
        for number, column in enumerate(_OLDEST_COLUMNS, start=1)
    )
    return assign_fresh_schema_ids(Schema(*fields))


@cache
def _iceberg_schema() -> Schema:
    from pyiceberg.schema import Schema, assign_fresh_schema_ids
    from pyiceberg.types import NestedField

    schema = first_schema()
    for column in _ADDED_COLUMNS:  # under the ids that Iceberg gives a column added later
        lone = Schema(NestedField(0, column.name, _parsed(column.type).iceberg(), doc=column.description))
        added = assign_fresh_schema_ids(lone, partial(next, count(schema.highest_field_id + 1)))
        schema = Schema(*schema.fields, *added.fields)
    return schema


@cache
def _arrow_schema() -> pa.Schema:
    import pyarrow as pa
    from pyiceberg.io.pyarrow import schema_to_pyarrow

    return pa.schema([_with_small_offsets(field) for field in schema_to_pyarrow(_iceberg_schema())])


def _with_small_offsets(field: pa.Field) -> pa.Field:
    """The field with string where PyIceberg says large_string, which costs twice the offsets and gains nothing here."""
    import pyarrow as pa

    kind = field.type
    if pa.types.is_large_string(kind):
        kind = pa.string()
    elif pa.types.is_struct(kind):
        kind = pa.struct([_with_small_offsets(part) for part in kind])
    elif pa.types.is_map(kind):
        kind = pa.map_(_with_small_offsets(kind.key_field), _with_small_offsets(kind.item_field))
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        kind = pa.list_(_with_small_offsets(kind.value_field))
    return field.with_type(kind)


def duckdb_columns() -> dict[str, tuple[int, str]]:
    """Every column: its field id and DuckDB's type for it. Without PyIceberg, which takes a second to load: the ids are
    those of ICEBERG_SCHEMA, which gives the columns of a new table theirs first and what is inside them later ones."""
    kinds = column_types()
    ids = {column.name: number for number, column in enumerate(_OLDEST_COLUMNS, start=1)}
    highest = len(ids) + sum(kinds[name].ids for name in ids)
    for column in _ADDED_COLUMNS:
        ids[column.name] = highest + 1
        highest += 1 + kinds[column.name].ids
    return {name: (ids[name], kind.duckdb()) for name, kind in kinds.items()}


@cache
def column_types() -> dict[str, ColumnType]:
    """Every column's type, to walk through."""
    return {column.name: _parsed(column.type) for column in ALL_COLUMNS}


_TOKEN = re.compile(r"\s*([a-z0-9_]+|[(),])")
_SCALARS = {"varchar": "VARCHAR", "boolean": "BOOLEAN", "timestamp": "TIMESTAMP"}


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A type of a column, parsed; `parts` have names in a row alone."""

    word: str
    parts: tuple[tuple[str, ColumnType], ...] = ()

    @property
    def ids(self) -> int:
        """How many field ids what is inside it takes."""
        return sum(1 + part.ids for _, part in self.parts)

    def duckdb(self) -> str:
        inner = [part.duckdb() for _, part in self.parts]
        if self.word == "map":
            return f"MAP({', '.join(inner)})"
        if self.word == "array":
            return f"{inner[0]}[]"
        if self.word == "row":
            named = zip(self.parts, inner, strict=True)
            return "STRUCT(" + ", ".join(f'"{name}" {part}' for (name, _), part in named) + ")"
        return _SCALARS[self.word]

    def iceberg(self) -> IcebergType:
        """Field ids are placeholders, assigned afterwards."""
        from pyiceberg import types

        inner = [part.iceberg() for _, part in self.parts]
        if self.word == "map":
            return types.MapType(key_id=0, key_type=inner[0], value_id=0, value_type=inner[1], value_required=False)
        if self.word == "array":
            return types.ListType(element_id=0, element_type=inner[0], element_required=False)
        if self.word == "row":
            named = zip(self.parts, inner, strict=True)
            return types.StructType(*(types.NestedField(0, name, part, required=False) for (name, _), part in named))
        return {"varchar": types.StringType, "boolean": types.BooleanType, "timestamp": types.TimestampType}[
            self.word
        ]()


def _parsed(text: str) -> ColumnType:
    tokens = _TOKEN.findall(text)
    parsed = _parse_type(tokens)
    if tokens:
        raise ValueError(f"not a type: {text}")
    return parsed


def _parse_type(tokens: list[str]) -> ColumnType:
    """Takes one type off the front of `tokens`."""
    word = tokens.pop(0)
    if word in _SCALARS:
        return ColumnType(word)
    if word not in ("map", "array", "row") or tokens.pop(0) != "(":
        raise ValueError(f"not a type: {word}")
    parts: list[tuple[str, ColumnType]] = []
    while True:
        name = tokens.pop(0) if word == "row" else ""
        parts.append((name, _parse_type(tokens)))
        if tokens.pop(0) == ")":
            return ColumnType(word, tuple(parts))
