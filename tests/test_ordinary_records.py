"""A record that is decoded straight into the columns' types has the row that the slower, general reading gives it.

A field that no column has sends a record the general way, and changes no column but its text: so each record is read as it
is and with such a field, and both rows are compared, every column of them.
"""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit_logs import ACCOUNT, record
from conftest import SHARED_DATA
from crosstrail.lake.logs import LogContent, read_log
from crosstrail.lake.ordinary import ordinary_rows
from crosstrail.lake.rows import Columns, to_table
from crosstrail.lake.schema import ARROW_SCHEMA

_NAME = f"AWSLogs/{ACCOUNT}/CloudTrail/eu-west-1/2026/03/01/{ACCOUNT}_CloudTrail_eu-west-1_20260301T0005Z_x.json"
_FULL = record(
    7,
    userIdentity={
        "type": "AssumedRole",
        "principalId": "AROAEXAMPLE:alice",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/Admin/alice",
        "accountId": ACCOUNT,
        "accessKeyId": "ASIAEXAMPLE",
        "sessionContext": {
            "sessionIssuer": {"type": "Role", "arn": f"arn:aws:iam::{ACCOUNT}:role/Admin", "accountId": ACCOUNT},
            "webIdFederationData": {"federatedProvider": "p", "attributes": {"z": "1", "a": None}},
            "attributes": {"creationDate": "2026-03-01T00:00:00Z", "mfaAuthenticated": "false"},
        },
        "onBehalfOf": {"userId": "u"},
        "invokedBy": "s3.amazonaws.com",
    },
    requestParameters={"roleName": "r", "a": 1, "b": [1, {"c": 1.5}], "d": None, "e": True, "f": 0.1, "g": 2**70},
    responseElements={"x": {"y": "ü"}},
    resources=[{"ARN": "arn:aws:s3:::b/k", "type": "AWS::S3::Object"}, {"accountId": ACCOUNT, "ARN": "arn:aws:s3:::b"}],
    tlsDetails={"tlsVersion": "TLSv1.3"},
    errorCode="AccessDenied",
    sharedEventID="s",
)
_VALUES: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=6) | st.just({}) | st.just([])
)
_NESTED = st.recursive(
    _VALUES | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
_TEXTS = (
    ('"alice"', '"al\\ud83dice"'),
    ('"alice"', '"\\u0061lice\\n\\/"'),
    ('"eventName"', '"event\\u004eame"'),
    (":1,", ":1.50,"),
    (":1,", ":1e400,"),
    (":1,", ":-0,"),
    (":1,", ":123456789012345678901234567890,"),
    (":true", ": true "),
    (",", " ,\n\t"),
    ('"a"', '"\\u0000"'),
)


@st.composite
def _texts(draw: st.DrawFn) -> str:
    """A record as a stranger may write it: values of any type, keys twice, odd spaces, numbers and escapes."""
    made = dict(draw(st.sampled_from([record(1), _FULL])))
    for key in draw(st.lists(st.sampled_from([*made, "insightDetails", "@timestamp", "addendum"]), max_size=2)):
        made[key] = draw(_NESTED)
    if isinstance(identity := made.get("userIdentity"), dict) and draw(st.booleans()):
        made["userIdentity"] = identity | {draw(st.sampled_from([*identity, "sessionContext", "other"])): draw(_NESTED)}
    text = json.dumps(made, ensure_ascii=draw(st.booleans()), separators=(",", ":"))
    if draw(st.booleans()):
        twice = draw(st.sampled_from(["eventName", "eventID", "userIdentity", "requestParameters", "eventTime"]))
        text = "{" + json.dumps(twice) + ":" + json.dumps(draw(_NESTED)) + "," + text[1:]
    for old, new in draw(st.lists(st.sampled_from(_TEXTS), max_size=2)):
        text = text.replace(old, new, draw(st.sampled_from([1, 100])))
    return text


def _table(texts: list[str], account: str = "") -> tuple[pa.Table, list[str]]:
    data = ('{"Records":[' + ",".join(texts) + "]}").encode()
    content = LogContent()
    rows = list(read_log(_NAME, data[:512], [data], account, content))
    return to_table(rows, ARROW_SCHEMA), [one.reason for one in content.problems]


def _check(texts: list[str]) -> None:
    """Without the ids that are made of a record's content: that has a field more."""
    table, problems = _table(texts)
    general, general_problems = _table([text[: text.rindex("}")] + ',"unknownField":1}' for text in texts])
    assert problems == general_problems
    own = ["eventjson", "eventjsonchecksum"]
    ids = [one.startswith("content-") for one in table["eventid"].to_pylist()]
    own += ["eventid"] if any(ids) else []
    assert table.drop_columns(own).to_pylist() == general.drop_columns(own).to_pylist()
    assert table.drop_columns(own).schema.equals(general.drop_columns(own).schema)
    table.validate(full=True)
    if not problems:
        assert table["eventjson"].to_pylist() == texts


@settings(max_examples=100, deadline=None)
@given(st.lists(_texts(), min_size=1, max_size=3))
def test_ordinary_and_general_reading_give_the_same_rows(texts: list[str]) -> None:
    _check(texts)


def test_records_as_they_are_delivered_are_ordinary() -> None:
    texts = [json.dumps(one).encode() for one in (record(1), _FULL)]
    assert len(ordinary_rows(texts, _NAME, "", "", bytes)) == len(texts)
    assert not ordinary_rows([*texts, b'{"eventTime":1}'], _NAME, "", "", bytes)


@pytest.mark.parametrize("depth", [100, 190, 220, 1500])
def test_nesting_is_judged_alike(depth: int) -> None:
    nested = json.dumps(_FULL).replace('"roleName": "r"', '"roleName":' + "[" * depth + "]" * depth)
    _check([json.dumps(record(1)), nested, json.dumps(record(2))])


def test_one_odd_record_leaves_the_order_of_the_others() -> None:
    texts = [json.dumps(record(number)) for number in range(300)]
    texts[150] = json.dumps(record(150, eventName=7, apiVersion=["x"]))
    _check(texts)
    assert _table(texts)[0]["eventid"].to_pylist() == [f"event-{number:08d}" for number in range(300)]


def test_a_record_that_names_no_account_has_that_of_its_file() -> None:
    bare = record(1, recipientAccountId=None, userIdentity={"type": "AWSService", "invokedBy": "s3.amazonaws.com"})
    _check([json.dumps(bare)])
    assert _table([json.dumps(bare)])[0]["account"].to_pylist() == [ACCOUNT]


_UNLIKE = [
    _FULL,
    record(1),
    record(2, userIdentity=None, requestParameters={}, responseElements={"a": None}),
    record(3, userIdentity={"type": "AWSService", "invokedBy": "s3.amazonaws.com", "sessionContext": {}}),
    record(4, resources=[], sourceIPAddress="", userAgent="ü", readOnly=None, additionalEventData={"z": 1, "a": [2]}),
    record(5, userIdentity={"type": "Root", "sessionContext": {"attributes": {"creationDate": "x"}}}),
    record(6, resources=[{"accountId": ACCOUNT}], requestParameters={"roleName": "r", "bucketName": "b"}),
]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 21])
def test_columns_are_the_same_whatever_runs_their_rows_came_in(size: int) -> None:
    texts = [json.dumps(one) for one in _UNLIKE * 3]
    rows = list(read_log(_NAME, b"", [b"\n".join(text.encode() for text in texts)], "", LogContent()))
    assert len(rows) == len(texts)
    columns = Columns(ARROW_SCHEMA)
    for _ in range(2):  # what the first table held is not in the second one
        for start in range(0, len(rows), size):
            columns.add(rows[start : start + size])
        table = columns.table()
        table.validate(full=True)
        assert table.to_pylist() == [to_table([row], ARROW_SCHEMA).to_pylist()[0] for row in rows]


def _strangers() -> list[str]:
    found = []
    for path in sorted((SHARED_DATA / "aws").rglob("*.json")) if SHARED_DATA.is_dir() else []:
        try:
            listed = json.loads(path.read_text())
        except (ValueError, UnicodeDecodeError):
            continue
        listed = listed.get("Records") if isinstance(listed, dict) else listed
        found += [json.dumps(one) for one in listed or () if isinstance(one, dict)] if isinstance(listed, list) else []
    return found


@pytest.mark.skipif(not _strangers(), reason="needs ../shared/data, which is not part of this project")
def test_records_of_strangers_are_read_alike() -> None:
    texts = _strangers()
    _check([text for text in texts if '"CloudTrailEvent"' not in text and '"eventjson"' not in text])
