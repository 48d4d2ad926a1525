"""The statements that make CloudTrail's log files in S3 a table of Athena, and CloudTrail Lake's table of it.

Decides the external table (AWS's own SerDe and input format for CloudTrail, partition projection by account, region and day)
and the view over it with CloudTrail Lake's columns and types. Pure text: whatever is written into it was checked here, since
DDL takes no parameters.

From the Athena user guide: `org.apache.hive.hcatalog.data.JsonSerDe` with `CloudTrailInputFormat` is what AWS documents for
engine version 3; the older `com.amazon.emr.hive.serde.CloudTrailSerde` knows the columns of its day alone
(create-cloudtrail-table-partition-projection.html). A STRING column gets a nested value as JSON text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from crosstrail.engines.trino_view import DAY as LAKE_DAY
from crosstrail.engines.trino_view import in_view
from crosstrail.errors import InvalidRequest
from crosstrail.lake.schema import CLOUDTRAIL_LAKE_COLUMNS, COLUMNS, ColumnType, column_types
from crosstrail.models import is_region
from crosstrail.object_store import BucketUri

FIRST_DAY = date(2013, 11, 13)
"""When CloudTrail began: before it no log file can be."""
MAX_ACCOUNTS = 1_000
"""Of an enum. AWS recommends a few dozen, and a table's metadata must be below 1 MB gzipped; injected has no such bound."""
ACCOUNT, REGION, DAY = "account", "region", "day"
PARTITIONS = (ACCOUNT, REGION, DAY)
"""The partition columns, in the order of the keys' folders."""
DAY_FORMAT = "%Y/%m/%d"
ABSENT: Mapping[str, str] = {
    "eventjson": "NULL: the SerDe gives fields, and never the record's own text",
    "eventjsonchecksum": "NULL, for the same reason",
    "verified": "NULL: nothing was validated",
    "other_versions": "NULL: nothing compares events",
}
"""Columns that cannot be had from log files through a SerDe."""
_CONSTANT = {"cloud": "CAST('aws' AS varchar)", "source_object": "regexp_extract(\"$path\", 'AWSLogs/.*')"}
"""What is no field of a record. Athena's hidden column $path is an object's whole URI."""
LIMITS = (
    "an event that CloudTrail delivered twice is two rows: nothing takes copies out, as `crosstrail collect` does",
    "day is the day of delivery (UTC), which is the event's or later",
    "numbers with a fraction in maps read as Java writes doubles: 2.50 is 2.5, 16890000.5 is 1.68900005E7",
    "a value of requestparameters and its kind that is no object stands under the key `value`",
    "Insights, network activity and digest files lie in other folders, and are not in this table",
)
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,127}")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"[A-Za-z0-9!_.@=+,/-]*")
_ORGANIZATION = re.compile(r"o-[a-z0-9]{10,32}")
_ACCOUNT = re.compile(r"[0-9]{12}")


@dataclass(frozen=True, slots=True)
class LogTable:
    """What is made of which log files. Raises InvalidRequest for what cannot stand in a statement."""

    bucket: BucketUri
    regions: tuple[str, ...]
    organization: str = ""
    accounts: tuple[str, ...] = ()
    """None: `injected`, so that every statement has to name its accounts, as all of crosstrail's do."""
    since: date = FIRST_DAY
    database: str = "crosstrail"
    table: str = "cloudtrail_logs"
    view: str = "cloudtrail_events"

    def __post_init__(self) -> None:
        for what, name in (("--database", self.database), ("--table", self.table), ("--view", self.view)):
            checked_name(what, name)
        if self.table == self.view:
            raise InvalidRequest("the view must have another name than the table")
        bucket, prefix = self.bucket.bucket, self.bucket.prefix
        if self.bucket.scheme != "s3" or not _BUCKET.fullmatch(bucket) or ".." in bucket:
            raise InvalidRequest("--bucket is no bucket of S3", hint="Write it as s3://bucket or s3://bucket/prefix.")
        if not _PREFIX.fullmatch(prefix) or "//" in prefix:
            raise InvalidRequest(
                "the prefix in --bucket holds a sign that cannot stand in a table's location",
                hint="Letters, digits and ! _ . @ = + , / - may.",
            )
        if self.organization and not _ORGANIZATION.fullmatch(self.organization):
            raise InvalidRequest(
                "--organization is no organization's id", hint="It is o- and 10 to 32 letters or digits."
            )
        if not all(_ACCOUNT.fullmatch(account) for account in self.accounts):
            raise InvalidRequest("--accounts holds what is no account id of AWS", hint="An id has 12 digits.")
        if len(self.accounts) > MAX_ACCOUNTS:
            raise InvalidRequest(
                f"--accounts names more than {MAX_ACCOUNTS:,} accounts",
                hint="Leave it out: then each statement names the accounts that it reads.",
            )
        if not self.regions or not all(is_region(region) for region in self.regions):
            raise InvalidRequest("--regions holds what is no region", hint="Write names such as eu-west-1.")
        if self.since < FIRST_DAY:
            raise InvalidRequest(f"--since is before CloudTrail was: {FIRST_DAY}")

    @property
    def root(self) -> str:
        """`s3://bucket/prefix/AWSLogs[/o-...]/`."""
        organization = f"{self.organization}/" if self.organization else ""
        return f"{self.bucket}/AWSLogs/{organization}"


def checked_name(what: str, name: str) -> str:
    """The name of a database, table or view, which needs no quotes. Raises InvalidRequest."""
    if not _NAME.fullmatch(name):
        raise InvalidRequest(
            f"{what} is no name that Athena takes", hint="Small letters, digits and _, at most 128, no digit first."
        )
    return name


def statements(logs: LogTable, *, replace: bool = False) -> Iterator[str]:
    """One after another; with `replace` a table of that name is dropped first, which deletes no object."""
    yield f"CREATE DATABASE IF NOT EXISTS `{logs.database}`"
    if replace:
        yield f"DROP TABLE IF EXISTS `{logs.database}`.`{logs.table}`"
    yield create_table(logs)
    yield create_view(logs, replace=replace)


def create_table(logs: LogTable) -> str:
    """In Hive's dialect, as Athena has it for DDL."""
    kinds = column_types()
    columns = ",\n".join(f"  `{name}` {_hive(kinds[name], top=True)}" for name in _names())
    properties = ",\n".join(f"  '{key}'='{value}'" for key, value in _projection(logs))
    return (
        f"CREATE EXTERNAL TABLE `{logs.database}`.`{logs.table}` (\n{columns}\n)\n"
        f"PARTITIONED BY ({', '.join(f'`{name}` string' for name in PARTITIONS)})\n"
        "ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'\n"
        "STORED AS INPUTFORMAT 'com.amazon.emr.cloudtrail.CloudTrailInputFormat'\n"
        "OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'\n"
        f"LOCATION '{logs.root}'\n"
        f"TBLPROPERTIES (\n{properties}\n)"
    )


def create_view(logs: LogTable, *, replace: bool = False) -> str:
    """In Trino's dialect: the columns of CloudTrail Lake, then the partition columns."""
    verb = "CREATE OR REPLACE VIEW" if replace else "CREATE VIEW"
    query = view_query(f'"{logs.database}"."{logs.table}"')
    return f'{verb} "{logs.database}"."{logs.view}" AS\n{query}'


def view_query(relation: str) -> str:
    """CloudTrail Lake's columns and types, the lake's others, and the partition columns, of a table like that of
    `create_table`."""
    kinds = column_types()
    items = [_item(column.name, kinds[column.name]) for column in COLUMNS]
    listed = ",\n  ".join([*items, *(name for name in PARTITIONS if name not in kinds)])
    return f"SELECT\n  {listed}\nFROM {relation}"


def _item(name: str, kind: ColumnType) -> str:
    value = _CONSTANT.get(name) or _value(name, kind)
    if name in ABSENT:
        value = f"CAST(NULL AS {_lake_type(kind)})"
    return name if value == name else f"{value} AS {name}"


def create_lake_view(database: str, table: str, view: str, *, replace: bool = False) -> str:
    """The same over the lake's own table in Glue, whose times are timestamp(6); a condition on event_date is one on the table's
    partitions. Raises InvalidRequest."""
    for what, name in (("--database", database), ("--table", table), ("--view", view)):
        checked_name(what, name)
    kinds = column_types()
    items = [
        f"CAST({column.name} AS {_lake_type(kinds[column.name])}) AS {column.name}"
        if _holds_time(kinds[column.name])
        else in_view(column.name)
        for column in COLUMNS
    ]
    listed = ",\n  ".join([*items, f"CAST(eventtime AS date) AS {LAKE_DAY}"])
    verb = "CREATE OR REPLACE VIEW" if replace else "CREATE VIEW"
    return f'{verb} "{database}"."{view}" AS\nSELECT\n  {listed}\nFROM "{database}"."{table}"'


def day(moment: date) -> str:
    """As the partition column has it."""
    return moment.strftime(DAY_FORMAT)


def _names() -> Iterable[str]:
    """The table's columns: those that the records have."""
    return (column.name for column in CLOUDTRAIL_LAKE_COLUMNS if column.name not in ABSENT)


def _projection(logs: LogTable) -> Iterator[tuple[str, str]]:
    yield "classification", "cloudtrail"
    yield "projection.enabled", "true"
    yield f"projection.{ACCOUNT}.type", "enum" if logs.accounts else "injected"
    if logs.accounts:
        yield f"projection.{ACCOUNT}.values", ",".join(logs.accounts)
    yield f"projection.{REGION}.type", "enum"
    yield f"projection.{REGION}.values", ",".join(logs.regions)
    yield f"projection.{DAY}.type", "date"
    yield f"projection.{DAY}.format", "yyyy/MM/dd"
    yield f"projection.{DAY}.range", f"{day(logs.since)},NOW"
    yield f"projection.{DAY}.interval", "1"
    yield f"projection.{DAY}.interval.unit", "DAYS"
    yield "storage.location.template", f"{logs.root}${{{ACCOUNT}}}/CloudTrail/${{{REGION}}}/${{{DAY}}}/"


def _hive(kind: ColumnType, *, top: bool = False) -> str:
    """The type of Hive in which the SerDe gives a column: text for times, truth values and what differs between events."""
    if kind.word == "row":
        return f"struct<{','.join(f'{name}:{_hive(part)}' for name, part in kind.parts)}>"
    if kind.word == "array":
        return f"array<{_hive(kind.parts[0][1])}>"
    if kind.word == "map" and not top:
        return "map<string,string>"
    return "string"


def _lake_type(kind: ColumnType) -> str:
    """As Trino names it."""
    if kind.word == "row":
        return f"row({', '.join(f'{name} {_lake_type(part)}' for name, part in kind.parts)})"
    if kind.parts:
        return f"{kind.word}({', '.join(_lake_type(part) for _, part in kind.parts)})"
    return "timestamp(3)" if kind.word == "timestamp" else kind.word


def _value(place: str, kind: ColumnType, *, top: bool = True) -> str:
    """The value at `place` of the table in CloudTrail Lake's type."""
    if kind.word == "timestamp":
        return f"TRY(CAST(from_iso8601_timestamp({place}) AT TIME ZONE 'UTC' AS timestamp(3)))"
    if kind.word == "boolean":
        return f"CASE lower({place}) WHEN 'true' THEN true WHEN 'false' THEN false END"
    if kind.word == "map" and top:
        return _map(place)
    if kind.word == "row" and _holds_time(kind):
        parts = ", ".join(_value(f"{place}.{name}", part, top=False) for name, part in kind.parts)
        return f"IF({place} IS NULL, NULL, CAST(ROW({parts}) AS {_lake_type(kind)}))"
    return place


def _map(place: str) -> str:
    """JSON text as a map of texts: scalars as they read, nested values as JSON, their keys in the record's order, which
    json_parse would sort; what is no object under the key `value`."""
    # A JSON null is told by its text: Trino 483 fails on NULLIF inside transform_values.
    text = "IF(json_format(v) <> 'null', coalesce(json_extract_scalar(v, '$'), json_format(v)))"
    fields = f"TRY(CAST(json_extract({place}, '$') AS map(varchar, json)))"
    return (
        f"coalesce(transform_values({fields}, (k, v) -> {text}), "
        f"IF({place} <> 'null', map(ARRAY['value'], ARRAY[{place}])))"
    )


def _holds_time(kind: ColumnType) -> bool:
    return kind.word == "timestamp" or any(_holds_time(part) for _, part in kind.parts)
