"""Access rules in the account database: the table `access_rules`, where there is one.

Decides what a row means. A row that is no rule gives nothing and is warned of: rules only ever add. Imports SQLAlchemy, as
database.py does, and like it no message repeats a row's value.
"""

from __future__ import annotations

from pydantic import ValidationError
from sqlalchemy import Boolean, Column, Connection, Integer, MetaData, Table, Text, inspect, select

from crosstrail.accounts.policy import AccessRule
from crosstrail.accounts.table_rows import text_of

_METADATA = MetaData()
ACCESS_RULES = Table(
    "access_rules",
    _METADATA,
    Column("id", Integer, primary_key=True),
    Column("who", Text, nullable=False),
    Column("accounts", Text, nullable=False),
    Column("toolsets", Text),
    Column("may_write", Boolean),
    Column("issuer", Text),
)
"""Lists are comma-separated; empty toolsets are all of them. Tables without `issuer` are as good."""


def rules_of(connection: Connection) -> tuple[tuple[AccessRule, ...], tuple[str, ...]]:
    """The rules, and a warning for every row that is none."""
    inspected = inspect(connection)
    if not inspected.has_table(ACCESS_RULES.name):
        return (), ()
    there = {str(column["name"]) for column in inspected.get_columns(ACCESS_RULES.name)}
    wanted = [column for column in ACCESS_RULES.columns if column.name != "issuer" or "issuer" in there]
    rules: list[AccessRule] = []
    warnings: list[str] = []
    for row in connection.execute(select(*wanted).order_by(ACCESS_RULES.c.id)).mappings():
        values: dict[str, object] = {
            "who": _parts(text_of(row["who"])),
            "accounts": _parts(text_of(row["accounts"])),
            "write": bool(row["may_write"]),
        }
        if toolsets := _parts(text_of(row["toolsets"])):
            values["toolsets"] = toolsets
        if issuer := _parts(text_of(row.get("issuer"))):
            values["issuer"] = issuer
        try:
            rules.append(AccessRule.model_validate(values))
        except ValidationError as error:
            column = str((error.errors(include_input=False)[0]["loc"] or ("row",))[0])
            warnings.append(f"access_rules row {text_of(row['id'])}: {column} is not as a rule has it; left out")
    return tuple(rules), tuple(warnings)


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
