"""Where JSON values begin and end in any stream of bytes: all of them come out as written, or the damage is named."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import DecodeError

from audit_logs import record
from crosstrail.lake import documents as module
from crosstrail.lake.documents import documents

_RECORDS = [json.dumps(record(number)).encode() for number in range(4)]


def _read(data: bytes, size: int = 1 << 20) -> tuple[list[bytes], list[tuple[int, str]]]:
    """(values, damages) of the data when it comes in chunks of `size`."""
    damages: list[tuple[int, str]] = []
    chunks = (data[start : start + size] for start in range(0, len(data), size))
    values = [one.raw for one in documents(chunks, lambda offset, reason: damages.append((offset, reason)))]
    return values, damages


_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_DOCUMENTS = st.builds(
    lambda key, value, indent, ascii_only: json.dumps({"id" + key: value}, indent=indent, ensure_ascii=ascii_only),
    st.text(max_size=5).map(lambda text: text.encode("utf-8", "replace").decode()),
    _VALUES,
    st.sampled_from([None, 2]),
    st.booleans(),
).map(lambda text: text.encode("utf-8", "replace"))
_SEPARATORS = st.sampled_from(
    [b"", b"\n", b"\r\n", b" ", b",", b",\n", b"]\n", b"\n\n", b"\t", b"\0\0", b"\xef\xbb\xbf", b"\x1e", b"[]", b"{}",
     b"\n2026-01-01T00:00:00.000Z ", b"\nEVENTS\tAKIA0\t"]
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(_SEPARATORS, _DOCUMENTS), max_size=6), _SEPARATORS, st.sampled_from([1, 7, 64, 1 << 20]))
def test_any_sequence_of_values_and_separators_gives_exactly_the_values(
    parts: list[tuple[bytes, bytes]], last: bytes, size: int
) -> None:
    data = b"".join(separator + value for separator, value in parts) + last
    assert _read(data, size) == ([value for _, value in parts], [])


_ENVELOPES: dict[str, Any] = {
    "records": b'{"Records":[%s]}' % b", ".join(_RECORDS),
    "list": b"[%s]" % b",\n".join(_RECORDS),
    "result": b'{"Result": {"Trails": [%s], "NextToken": ""}, "more": 1}' % b",".join(_RECORDS),
    "lists": b'[{"Records":[%s]},{"Records":[%s]}]' % (b",".join(_RECORDS[:2]), b",".join(_RECORDS[2:])),
    "joined": b"".join(_RECORDS),
    "lines": b"\n".join(_RECORDS),
}


def _inner(values: list[bytes]) -> list[Any]:
    """The records in values, of which some are lists and envelopes."""
    found: list[Any] = []
    for value in map(json.loads, values):
        for one in value if isinstance(value, list) else [value]:
            found += one.get("Records") or one.get("Result", one).get("Trails") or [one]
    return found


@pytest.mark.parametrize("name", _ENVELOPES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_cut_gives_the_records_before_it_and_names_the_place(name: str, data: st.DataObject) -> None:
    whole = _ENVELOPES[name]
    cut = data.draw(st.integers(1, len(whole) - 1))
    values, damages = _read(whole[:cut], data.draw(st.sampled_from([50, 1 << 20])))
    found = _inner(values)
    assert found == [json.loads(one) for one in _RECORDS[: len(found)]]
    complete = sum(whole.index(one) + len(one) <= cut for one in _RECORDS)
    assert len(found) == complete
    clean = name in ("joined", "lines") and whole[:cut].rstrip().endswith(b"}") and len(b"".join(values)) >= cut - 4
    assert [reason for _, reason in damages] == ([] if clean else ["cut short"])
    assert all(offset == cut for offset, _ in damages)


@pytest.mark.parametrize("name", _ENVELOPES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damage_costs_its_own_record_only(name: str, data: st.DataObject) -> None:
    whole = _ENVELOPES[name]
    number = data.draw(st.integers(0, 3))
    start = whole.index(_RECORDS[number])
    at = start + _RECORDS[number].index(b'"eventName": ') + len(b'"eventName": ')
    values, damages = _read(whole[:at] + b"!" + whole[at:])
    kept = [json.loads(one) for place, one in enumerate(_RECORDS) if place != number]
    assert [one for one in _inner(values) if "eventID" in one] == kept
    assert damages == [(at, "damaged JSON")]


@pytest.mark.parametrize(
    ("data", "values", "damages"),
    [
        pytest.param(b'sion":"1","u":{"a":1}},{"eventVersion":"1"}]', [b'{"eventVersion":"1"}'], [(4, "damaged JSON")], id="the head is gone"),
        pytest.param(b'{"broken\n{"a":1}\n{"a":2}', [b'{"a":1}', b'{"a":2}'], [(8, "damaged JSON")], id="reading goes on with a line"),
        pytest.param(b'[{"a":1},{"a":!},{"a":3}]', [b'{"a":1}', b'{"a":3}'], [(14, "damaged JSON")], id="records of an unknown kind are found by the key that others begin with"),
        pytest.param(b'{"a":1}\x01\x02{"a":2}', [b'{"a":1}', b'{"a":2}'], [(7, "damaged JSON")], id="binary bytes between"),
        pytest.param(b'{"a":"\xff"}', ['{"a":"\ufffd"}'.encode()], [(6, "not UTF-8; U+FFFD stands for what could not be read")], id="not UTF-8"),
        pytest.param(rb'{"a":"\ud800","b":"\ud83d\ude00"}', [rb'{"a":"\ufffd","b":"\ud83d\ude00"}'], [], id="half of a surrogate pair"),
        pytest.param(b'{"a":123456789012345678901234567890.10}', [b'{"a":123456789012345678901234567890.10}'], [], id="a number stays as written"),
        pytest.param(b'[INFO] say "hello {" {"a":1}', [b'{"a":1}'], [], id="words before"),
        pytest.param(b"[" * 100_000, [], [(32, "nested too deeply")], id="nested without end"),
        pytest.param(b'{"eventVersion":' + b"[" * 100_000 + b"]" * 100_000 + b'}\n{"a":1}', [b'{"a":1}'], [(0, "nested too deeply")], id="a record nested too deeply"),
        pytest.param(b'["{\\"a\\":1}", "{\\"a\\":2}"', [b'"{\\"a\\":1}"', b'"{\\"a\\":2}"'], [(25, "cut short")], id="texts that hold records"),
    ],
)  # fmt: skip
def test_odd_input(data: bytes, values: list[bytes], damages: list[tuple[int, str]]) -> None:
    for size in (1, 5, 1 << 20):
        if len(data) < 1000 or size > 5:
            assert _read(data, size) == (values, damages)


def test_lists_bigger_than_what_is_held_come_record_by_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_DOCUMENT", 3000)
    for name, whole in _ENVELOPES.items():
        values, damages = _read(whole, 100)
        assert ([one for one in _inner(values) if "eventID" in one], damages) == (
            [json.loads(one) for one in _RECORDS],
            [],
        ), name
    long = b'{"eventVersion":"%s"}\n' % (b"x" * 20_000)
    values, damages = _read(long + _RECORDS[0], 100)
    assert (values, damages) == ([_RECORDS[0]], [(0, "a value of more than 0 MB")])


@pytest.mark.parametrize(
    "piece",
    [
        b"[],",
        b'{"a":1}',
        b"[",
        b'{"eventVersion":',
        b'"',
        b'"a',
        b'{"a":"\\ud800"}',
        b'"{',
        b"{",
        b'{"',
        b"[[],",
        b"7\n",
    ],
    ids=repr,
)
def test_hostile_repetition_is_read_in_linear_time(piece: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted in bytes that the parser looks at, so that a busy machine proves nothing else."""
    looked_at = 0
    end_of = module._end_of

    def counted(view: memoryview) -> Any:
        nonlocal looked_at
        try:
            looked_at += len(view)
            return end_of(view)
        except DecodeError as error:
            if found := re.search(r"byte (\d+)", str(error)):
                looked_at += int(found[1]) - len(view)
            raise
        except RecursionError:
            looked_at += min(16_000, len(view)) - len(view)
            raise

    monkeypatch.setattr(module, "_end_of", counted)
    monkeypatch.setattr(module, "_RETRIES_FREE", 1_000_000)
    for pieces in (5_000, 20_000):
        looked_at = 0
        data = piece * pieces
        for _ in documents([data], lambda *_: None):
            pass
        assert looked_at <= 16 * len(data) + 2_000_000


def test_no_pattern_repeats_a_group_possessively() -> None:
    """Python 3.11.0 to 3.11.4 match those wrongly (CPython 106052), and with them hardly an event was collected."""
    source = Path(str(module.__file__)).parents[1]
    wrong = re.compile(r"\)(?:[*+?]|\{[0-9,]+\})\+[^=]|\(\?>")
    found = [
        f"{path.relative_to(source)}: {node.value!r}"
        for path in source.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, bytes | str)
        and wrong.search(node.value if isinstance(node.value, str) else node.value.decode("latin-1"))
    ]
    assert found == []
