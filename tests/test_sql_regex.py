"""Regular expressions against answers recorded from Trino's own engine (write_regex_answers.py), and what they must bear."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from crosstrail.engines.base import QueryScope
from crosstrail.engines.sql import prepare
from crosstrail.errors import SqlRejected
from crosstrail.lake.reader import connect, quoted

if TYPE_CHECKING:
    import duckdb

_RECORDED = [json.loads(line) for line in (Path(__file__).parent / "regex_answers.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def locked() -> Iterator[duckdb.DuckDBPyConnection]:
    with closing(connect([])) as connection:
        yield connection


def _value(connection: duckdb.DuckDBPyConnection, sql: str) -> Any:
    return connection.execute(prepare(sql, QueryScope(())).sql).fetchall()[0][0]


_CALLS = ("regexp_like(x, {})", "regexp_extract(x, {})", "regexp_extract_all(x, {})", "regexp_count(x, {})")


def _wanted(call: str, matches: list[list[str | None]]) -> Any:
    if call.startswith("regexp_like"):
        return bool(matches)
    if call.startswith("regexp_extract("):
        return matches[0][0] if matches else None
    return [match[0] for match in matches] if "all" in call else len(matches)


def test_recorded_patterns_answer_as_trino_or_are_refused(locked: duckdb.DuckDBPyConnection) -> None:
    wrong, seen = [], Counter[str]()
    for pattern, group in groupby(_RECORDED, key=lambda one: one["pattern"]):
        recorded = list(group)
        texts = ", ".join(f"({number}, {quoted(one['text'])})" for number, one in enumerate(recorded))
        for calls in (_CALLS, _CALLS[:1]):
            listed = ", ".join(call.format(quoted(pattern)) for call in calls)
            sql = f"SELECT {listed} FROM (VALUES {texts}) AS t(n, x) ORDER BY n"
            try:
                rows = locked.execute(prepare(sql, QueryScope(())).sql).fetchall()
            except SqlRejected:
                seen["refused"] += len(calls) > 1
                continue
            seen["answered"] += len(calls)
            for one, row in zip(recorded, rows, strict=True):
                matches = one["matches"]
                if matches is None or list(row) != [_wanted(call, matches) for call in calls]:
                    wrong.append((pattern, one["text"], row, matches))
            break
    assert not wrong, wrong[:5]
    assert len(_RECORDED) >= 2000
    assert seen["answered"] > 2 * seen["refused"]


@pytest.mark.parametrize("one", _RECORDED[:14], ids=[one["pattern"] for one in _RECORDED[:14]])
def test_patterns_that_people_write_are_answered(one: dict[str, Any], locked: duckdb.DuckDBPyConnection) -> None:
    sql = f"SELECT regexp_like({quoted(one['text'])}, {quoted(one['pattern'])})"
    assert _value(locked, sql) == bool(one["matches"])


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        (r"regexp_replace('arn:aws:s3:::b/', '/$', '')", "arn:aws:s3:::b"),
        (r"regexp_replace('b/' || chr(10), '/$', '')", "b\n"),
        (r"regexp_replace('größe curl', '\b(\w+)\b', '<$1>')", "größe <curl>"),
        (r"regexp_split('a1b22c', '\d+')", ["a", "b", "c"]),
        (r"regexp_replace('\a', '(\\)', '$1$1')", r"\\a"),
        (r"regexp_like('fi', '(?i)[^f]i')", False),
    ],
)
def test_replacing_and_splitting_answer(sql: str, wanted: Any, locked: duckdb.DuckDBPyConnection) -> None:
    assert _value(locked, f"SELECT {sql}") == wanted


@pytest.mark.parametrize(
    "pattern",
    ["(" * 3000, "a{1000}{1000}", "((a{99}){99}){99}", "[" * 3000, "(?i)" + "s" * 3000, "(a|" * 2000,
     "a++", "(?>a)", "(?=a)", "a**", "*a", "a{2,1}", "[b-a]", r"(a)\1", r"\B", "[a", "(a", "a)", "\\", "(?<n>a)(?<n>b)"],
)  # fmt: skip
def test_what_cannot_be_answered_is_refused_at_once(pattern: str) -> None:
    with pytest.raises(SqlRejected) as caught:
        prepare(f"SELECT regexp_extract_all('a', {quoted(pattern)})", QueryScope(()))
    assert caught.value.line == 1
    assert len(caught.value.text) < 300


def test_one_odd_text_does_not_fail_everybodys_search(locked: duckdb.DuckDBPyConnection) -> None:
    """Whatever a caller put into a user agent, a search without regard to case goes on."""
    everything = "".join(chr(code) for code in range(1, 0x2130)).replace("'", "")
    for pattern in (r"(?i)kali", r"(?i)\bss\b", r"(?i)[^a-z]+", r"\bx", r"(?i)\w+"):
        assert _value(locked, f"SELECT regexp_like({quoted(everything)}, {quoted(pattern)})") in (True, False)
