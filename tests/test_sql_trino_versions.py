"""`query.trino_version`: values that differ between Trino 476 and 483, as both gave them."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from conftest import CommandLine
from crosstrail.engines.base import QueryScope
from crosstrail.engines.rendering import renderer
from crosstrail.engines.sql.prepare import prepare
from crosstrail.errors import ConfigError
from crosstrail.lake.reader import connect
from crosstrail.settings.config import load_settings

REFUSED = "which is not read here"
ANSWERS = [
    ("100.0*3/7", "42.9 decimal(14,1)", "42.857142857143 decimal(25,12)"),
    ("1/3.0", "0.3 decimal(12,1)", "0.333333 decimal(17,6)"),
    ("2.0/3", "0.7 decimal(2,1)", "0.666666666667 decimal(13,12)"),
    ("-2.0/3", "-0.7 decimal(2,1)", "-0.666666666667 decimal(13,12)"),
    ("1.0/0.3", "3.3 decimal(3,1)", "3.333333 decimal(8,6)"),
    ("CAST(1 AS bigint)*100.0/3", "33.3 decimal(23,1)", "33.333333333333 decimal(34,12)"),
    ("(SELECT count(*)*100.0/sum(x) FROM (VALUES 1,2,2) t(x))", "60.0 decimal(23,1)", "60.0000000000000000 decimal(38,16)"),
    ("round(100.0/3, 2)", "33.3 decimal(5,1)", "33.330000000000 decimal(16,12)"),
    ("CAST(DECIMAL '1234567890123456789012345678901' AS decimal(38,0))/-7",
     "-176366841446208112716049382700 decimal(38,0)", "-176366841446208112716049382700.142857 decimal(38,6)"),
    ("(SELECT avg(x) FROM (VALUES 1.0, 2.0, 2.0) t(x))", "1.7 decimal(2,1)", "1.7 decimal(2,1)"),
    ("7.5 % 2", "1.5 decimal(2,1)", "1.5 decimal(2,1)"),
    ("json_extract_scalar(json_parse('{\"a\":1.50}'), '$.a')", "1.5 varchar", REFUSED),
    ("json_extract_scalar(json_parse('{\"a\":1.5, \"b\":\"1.50\"}'), '$.a')", "1.5 varchar", "1.5 varchar"),
    ("json_array_get('[1.50, 7, 0.25]', 0)", REFUSED, REFUSED),
    ("json_array_get('[1.50, 7, 0.25]', 2)", "0.25 json", "0.25 json"),
    ("json_array_get('[1e3]', 0)", REFUSED, REFUSED),
    ("json_extract('{\"a\":1.50}', '$.a')", "1.5 json", "1.5 json"),
    ("json_extract_scalar('{\"a\":1.50}', '$.a')", "1.50 varchar", "1.50 varchar"),
]  # fmt: skip
"""An expression, and its value and type in each version; a version that DuckDB cannot follow fails and says so."""


def answer(expression: str, version: int) -> str:
    prepared = prepare(f"SELECT {expression}", QueryScope(()), trino_version=version)
    with closing(connect([])) as connection:
        try:
            [(value,)] = connection.execute(prepared.sql).fetchall()
        except duckdb.Error as error:
            return REFUSED if REFUSED in str(error) else str(error)
    return f"{renderer(prepared.types[0])(value)} {prepared.types[0]}"


@pytest.mark.parametrize(("expression", "older", "newer"), ANSWERS)
def test_each_version_has_its_own_values(expression: str, older: str, newer: str) -> None:
    assert answer(expression, 476) == older
    assert answer(expression, 483) == newer


@pytest.mark.parametrize(("configured", "expected"), [("", "42.9"), ("476", "42.9"), ("483", "42.857142857143")])
def test_a_query_has_the_values_of_the_version_that_is_configured(
    crosstrail: CommandLine, tmp_path: Path, configured: str, expected: str
) -> None:
    config = tmp_path / "crosstrail.yaml"
    version = f"query:\n  trino_version: {configured}\n" if configured else ""
    accounts = 'accounts: [{id: "012345678901", alias: prod}]\n'
    config.write_text(f"{accounts}lake:\n  path: {tmp_path / 'lake'}\n{version}")
    done = crosstrail("query", "SELECT 100.0 * 3 / 7", "--config", config)
    assert done.stdout.splitlines()[1:] == [expected]


def test_a_version_comes_from_the_environment_and_no_other_is_taken() -> None:
    assert load_settings(environ={"CROSSTRAIL_QUERY_TRINO_VERSION": "483"}).query.trino_version == 483
    with pytest.raises(ConfigError, match="CROSSTRAIL_QUERY_TRINO_VERSION"):
        load_settings(environ={"CROSSTRAIL_QUERY_TRINO_VERSION": "480"})
