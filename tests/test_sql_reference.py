"""What there is to write a statement with, for people and agents: every example runs, every answered function is in a group."""

from __future__ import annotations

import pytest

from crosstrail.answers.event_columns import described_columns
from crosstrail.answers.sql_examples import SQL_EXAMPLES, examples_text
from crosstrail.answers.sql_reference import (
    column_fields,
    function_group,
    function_groups,
    functions_index,
    functions_of,
)
from crosstrail.engines.sql.function_table import answered, function_table
from crosstrail.engines.sql.prepare import NamedAccounts, prepare
from crosstrail.errors import InvalidRequest
from crosstrail.lake.schema import COLUMNS


@pytest.mark.parametrize("sql", [one.sql for one in SQL_EXAMPLES], ids=[one.title for one in SQL_EXAMPLES])
def test_every_example_compiles(sql: str) -> None:
    assert prepare(sql, NamedAccounts()).columns


def test_every_path_of_a_column_compiles() -> None:
    paths = [one.path for one in column_fields()]
    assert {one.name for one in COLUMNS} <= set(paths)
    assert "useridentity.sessioncontext.sessionissuer.arn" in paths
    prepare(f"SELECT {', '.join(paths)} FROM events", NamedAccounts())


def test_every_function_is_in_one_group_and_every_refused_one_in_the_index() -> None:
    names = [one.name for group in function_groups() for one in group.functions]
    assert len(names) == len(set(names))
    assert set(names) == answered()
    index = functions_index("x")
    assert all(name in index for name in function_table())
    for group in function_groups():
        text = functions_of(function_group(group.key.upper()))
        assert all(one.name in text for one in group.functions)
        assert len(text.encode()) < 3_000
    assert len(index.encode()) < 6_000
    assert len(examples_text().encode()) < 8_000
    assert len(described_columns().encode()) < 9_000


def test_a_group_that_is_none_is_refused_with_the_nearest() -> None:
    with pytest.raises(InvalidRequest) as refused:
        function_group("arays")
    assert refused.value.hint == "Did you mean arrays?"
