"""The table of Trino's functions: every entry is compiled, with the types that its signature says, and DuckDB takes the SQL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing

import duckdb
import pytest

from crosstrail.engines.base import QueryScope
from crosstrail.engines.sql.aggregates import AGGREGATES
from crosstrail.engines.sql.function_registry import HANDLERS
from crosstrail.engines.sql.function_table import Signature, TrinoFunction, function_table, split_types
from crosstrail.engines.sql.functions import all_functions
from crosstrail.engines.sql.prepare import PreparedStatement, prepare
from crosstrail.engines.sql.windows import WINDOW_FUNCTIONS
from crosstrail.errors import SqlRejected
from crosstrail.lake.reader import connect

TABLE = function_table()
DECIMAL = re.compile(r"decimal\(\w+,\w+\)")
WHOLE = ("tinyint", "smallint", "integer", "bigint")
CLASSES = {
    "I": WHOLE,
    "N": (*WHOLE, "real", "double", "decimal(5,2)"),
    "D": ("date", "timestamp(3)", "timestamp(3) with time zone"),
}
"""Letters of the table that stand for one of several types."""
ANY = {"T": "bigint", "E": "bigint", "U": "varchar", "K": "varchar", "V": "double", "S": "double", "R": "date"}
LITERALS = {
    "unit": "'day'", "format": "'%Y-%m-%d'", "jodaformat": "'yyyy-MM-dd'", "jsonpath": "'$.a'", "joniregexp": "'(a)'",
    "zone": "'Europe/Vienna'", "codepoints": "'ab'", "group": "1", "replacement": "'$1'", "base": "16", "digits": "1",
    "count": "2", "size": "2", "shares": "ARRAY[0.1, 0.5]", "separator": "', '", "share": "0.5", "error": "0.01", "column": "c", "delimiter": "','",
    "network": "'10.0.0.0/8'", "interval day to second": "INTERVAL '1' DAY", "interval year to month": "INTERVAL '1' MONTH",
}  # fmt: skip
"""What a signature's words stand for that are no types, or none that CAST takes."""


def expanded(signature: Signature) -> Iterator[dict[str, str]]:
    """What the letters of the signature stand for: one of each class."""
    words = set(re.findall(r"\b[A-Z]\b", " ".join((*signature.parameters, signature.result))))
    letters = words & CLASSES.keys()
    for index in range(max((len(CLASSES[letter]) for letter in letters), default=1)):
        yield ANY | {letter: CLASSES[letter][index] for letter in letters}


def concrete(kind: str, stands: dict[str, str]) -> str:
    kind = re.sub(r"\b[A-Z]\b", lambda letter: stands[letter[0]], kind)
    return kind.replace("(p,s)", "(5,2)").replace("(p)", "(3)").removesuffix("...")


def argument(kind: str, stands: dict[str, str]) -> str:
    if kind.removesuffix("...") in LITERALS:
        return LITERALS[kind.removesuffix("...")]
    if kind.startswith("function("):
        *parameters, result = split_types(kind.removeprefix("function(")[:-1])
        names = ", ".join(f"x{index}" for index in range(len(parameters)))
        return f"({names}) -> CAST(NULL AS {concrete(result, stands)})"
    return f"CAST(NULL AS {concrete(kind, stands)})"


def call(one: TrinoFunction, signature: Signature, stands: dict[str, str]) -> str:
    written = ", ".join(argument(kind, stands) for kind in signature.parameters)
    text = f"{one.name}({written or '*' * (one.name == 'count')})"
    if one.name == "listagg":
        return f"{text} WITHIN GROUP (ORDER BY c)"
    return f"{text} OVER (ORDER BY c)" if one.kind == "window" else text


def statements() -> Iterator[tuple[str, str]]:
    """Each call, and the type that the table says."""
    for one in TABLE.values():
        for signature in one.signatures:
            for stands in expanded(signature):
                source = "FROM (VALUES 1) AS t(c)" + (" GROUP BY c" if one.name == "grouping" else "")
                text, result = call(one, signature, stands), concrete(signature.result, stands)
                if (
                    one.name == "json_parse"
                ):  # which cannot be an output column: it is no longer in the order of its keys
                    text, result = f"json_array_length({text})", "bigint"
                yield f"SELECT {text} {source}", result


STATEMENTS = list(statements())


def compiled(sql: str) -> PreparedStatement:
    return prepare(sql, QueryScope(()))


def test_every_signature_has_the_type_that_the_table_says() -> None:
    wrong = {}
    for sql, kind in STATEMENTS:
        try:
            found = str(compiled(sql).types[0])
        except SqlRejected as refused:
            found = f"refused: {refused} {refused.hint}"
        # A decimal's digits follow from the argument's, by rules that sql_probes.jsonl has answers of Trino for.
        if DECIMAL.sub("decimal", found) != DECIMAL.sub("decimal", kind):
            wrong[sql] = f"{found}, not {kind}"
    assert not wrong
    assert len(STATEMENTS) > 350


def test_duckdb_takes_what_every_signature_becomes() -> None:
    wrong = {}
    with closing(connect([])) as connection:
        for sql, _ in STATEMENTS:
            try:
                connection.execute(f"EXPLAIN {compiled(sql).sql}")
            except duckdb.Error as error:
                wrong[sql] = str(error)[:200]
    assert not wrong


def test_every_entry_has_a_handler_and_every_handler_an_entry() -> None:
    all_functions()
    written = {name for name, one in TABLE.items() if one.way == "rewritten"}
    by_kind = {
        kind: {name for name in written if TABLE[name].kind == kind} for kind in ("scalar", "aggregate", "window")
    }
    assert by_kind == {"scalar": set(HANDLERS), "aggregate": set(AGGREGATES), "window": set(WINDOW_FUNCTIONS)}
    assert not [name for name, one in TABLE.items() if one.refusal and one.signatures]


@pytest.mark.parametrize("name", [name for name, one in TABLE.items() if one.refusal])
def test_what_the_table_refuses_is_refused_with_its_words(name: str) -> None:
    with pytest.raises(SqlRejected) as refused:
        compiled(f"SELECT {name}('a')")
    assert TABLE[name].refusal in str(refused.value)
    assert refused.value.hint == TABLE[name].instead
