"""Log files made by the tests: every form in which audit events are kept, and what the lake holds of them afterwards."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb

from crosstrail.lake.documents import Document
from crosstrail.lake.table import LakeTable

ACCOUNT = "012345678901"


def record(number: int, **changes: Any) -> dict[str, Any]:
    """A CloudTrail record of ACCOUNT; `number` makes its id and time. A change to None takes the field out."""
    made: dict[str, Any] = {
        "eventVersion": "1.09",
        "userIdentity": {
            "type": "IAMUser",
            "arn": f"arn:aws:iam::{ACCOUNT}:user/alice",
            "accountId": ACCOUNT,
            "accessKeyId": f"AKIA{number % 3:016d}",
            "userName": "alice",
        },
        "eventTime": f"2026-03-{1 + number // 1440 % 28:02d}T{number // 60 % 24:02d}:{number % 60:02d}:07Z",
        "eventSource": "iam.amazonaws.com",
        "eventName": "CreateUser",
        "awsRegion": "us-east-1",
        "sourceIPAddress": "198.51.100.7",
        "userAgent": "aws-cli/2",
        "requestParameters": {"userName": f"user-{number}"},
        "responseElements": None,
        "requestID": f"request-{number}",
        "eventID": f"event-{number:08d}",
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
    }
    made |= changes
    return {key: value for key, value in made.items() if value is not None or key == "responseElements"}


def lookup_item(number: int, **changes: Any) -> dict[str, Any]:
    """The same event as an item of LookupEvents."""
    inside = record(number, **changes)
    return {
        "EventId": inside["eventID"],
        "EventName": inside["eventName"],
        "ReadOnly": "false",
        "AccessKeyId": inside["userIdentity"]["accessKeyId"],
        "EventTime": "2026-03-01 11:00:00+11:00",
        "EventSource": inside["eventSource"],
        "Username": "the-user-of-the-item",
        "Resources": [{"ResourceType": "AWS::IAM::User", "ResourceName": "named-by-the-item"}],
        "CloudTrailEvent": json.dumps(inside),
    }


def volcengine_detail(number: int) -> dict[str, Any]:
    """EventDetail of a Volcengine event, with the fields that its documentation shows."""
    return {
        "EventVersion": "v1.0",
        "EventID": f"volc-{number}",
        "RequestID": f"volc-request-{number}",
        "EventTime": "2026-03-02T09:54:08Z",
        "EventType": "ApiCall",
        "UserIdentity": {
            "AccountID": "2100000001",
            "Type": "Root",
            "PrincipalID": "2100000001",
            "TRN": "trn:iam::2100000001:root",
            "AccessKeyID": "AKLTexample",
        },
        "EventSource": "iam",
        "EventName": "GetUser",
        "Region": "cn-beijing",
        "SourceIPAddress": "203.0.113.9",
        "UserAgent": "node-fetch/1.0",
        "RequestParameters": '{"UserName":"bob","Limit":3}',
        "ResponseElements": "",
    }


def volcengine_item(number: int) -> dict[str, Any]:
    """The same event as one of the `Trails` of a LookupEvents answer."""
    detail = volcengine_detail(number)
    return {
        "EventID": detail["EventID"],
        "EventTime": detail["EventTime"],
        "EventName": "GetUser",
        "EventNameDisplay": "shown",
        "EventSource": "iam",
        "RequestID": detail["RequestID"],
        "SourceIPAddress": "203.0.113.9",
        "UserName": "carol",
        "AccessKeyID": "AKLTexample",
        "Region": "cn-beijing",
        "ErrorCode": "AccessDenied",
        "RelatedResources": [
            {"ResourceType": "user", "ResourceID": "bob", "IntegratedTrn": "trn:iam::2100000001:user/bob"}
        ],
        "EventDetail": json.dumps(detail),
    }


def write(path: Path, content: Any) -> Path:
    """JSON text of `content` (bytes and str as they are), gzipped when the name ends in .gz."""
    data = content if isinstance(content, bytes) else content.encode() if isinstance(content, str) else None
    data = json.dumps(content).encode() if data is None else data
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def document(value: Any) -> Document:
    """One JSON value, as documents.py finds it."""
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return Document(0, text, False, text)


def log(path: Path, numbers: Iterable[int]) -> Path:
    """A log file as CloudTrail delivers it."""
    return write(path, {"Records": [record(number) for number in numbers]})


def rows(lake: Path, columns: str = "*", where: str = "true") -> list[dict[str, Any]]:
    """Rows of everything committed, ordered by event id."""
    with closing(LakeTable.open(lake)) as table:
        files = list(table.plan(None))
    if not files:
        return []
    source = f"read_parquet({files!r}, hive_partitioning = false)"
    found = duckdb.sql(f"SELECT {columns} FROM {source} WHERE {where} ORDER BY cloud, account, eventid")
    assert found
    listed: list[dict[str, Any]] = found.to_arrow_table().to_pylist()
    return listed


def ids(lake: Path) -> list[str]:
    """Event ids of everything committed, in order, repeats included."""
    return [row["eventid"] for row in rows(lake, "cloud, account, eventid")]
