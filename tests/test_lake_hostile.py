"""Whatever JSON a stranger writes into a log, reading it ends in rows and named problems, never in an exception."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from audit_logs import ACCOUNT, lookup_item, record, volcengine_item
from crosstrail.lake.logs import LogContent, read_log
from crosstrail.lake.rows import Row, to_table
from crosstrail.lake.schema import ARROW_SCHEMA

_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)  # which are no JSON
    | st.text(max_size=8)
    | st.sampled_from(
        ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-03-01", ACCOUNT, "{", "[]", '"x"']
    )
)
_JSON = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
_RECORDS = st.sampled_from([record(1), lookup_item(1), volcengine_item(1), {"eventID": "x"}])


@st.composite
def _changed(draw: st.DrawFn) -> dict[str, Any]:
    """A record with some of its fields, or fields of its identity, replaced by anything."""
    made = dict(draw(_RECORDS))
    for key in draw(
        st.lists(st.sampled_from([*made, "resources", "tlsDetails", "@timestamp", "userIdentity"]), max_size=4)
    ):
        made[key] = draw(_JSON)
    if draw(st.booleans()) and isinstance(made.get("userIdentity"), dict):
        parts = ["type", "arn", "accountId", "sessionContext", "onBehalfOf", "userName", "principalId"]
        made["userIdentity"] = made["userIdentity"] | {draw(st.sampled_from(parts)): draw(_JSON)}
    return made


def _read(data: bytes, account: str) -> tuple[list[Row], LogContent]:
    content = LogContent()
    return list(read_log("one.json", data, [data], account, content)), content


@settings(max_examples=300)
@given(st.lists(_changed() | _JSON, max_size=4), st.booleans())
def test_any_json_is_rows_and_problems(items: list[Any], as_lines: bool) -> None:
    text = "\n".join(map(json.dumps, items)) if as_lines else json.dumps(items)
    rows, content = _read(text.encode(), "000000000007")
    table = to_table(rows, ARROW_SCHEMA)
    table.validate(full=True)
    assert table.num_rows == len(rows) == content.events
    assert content.problem_count == len(content.problems)
    if not as_lines and not content.left_out:
        assert content.events + content.problem_count >= sum(not isinstance(item, list) for item in items)


@settings(max_examples=200)
@given(st.integers(0, 2000), st.binary(max_size=3), st.integers(0, 20))
def test_any_damage_is_rows_and_problems(at: int, inserted: bytes, removed: int) -> None:
    whole = json.dumps({"Records": [record(1), record(2)]}).encode()
    damaged = whole[:at] + inserted + whole[at + removed :]
    rows, content = _read(damaged, "")
    to_table(rows, ARROW_SCHEMA).validate(full=True)
    assert len(rows) <= 2
    if len(rows) < 2:
        assert content.problems or content.left_out
