"""Network activity events: what VPC endpoints denied, in files of their own folder and with an event type of their own.

The record has the form that AWS documents:
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from audit_logs import ACCOUNT, record, rows, write
from conftest import CommandLine

_OWNER = "111122223333"
_KEY = (
    f"AWSLogs/{ACCOUNT}/CloudTrail-NetworkActivity/us-east-1/2026/03/04/"
    f"{ACCOUNT}_CloudTrail-NetworkActivity_us-east-1_20260304T2315Z_AbCdEfGhIjKlMnOp.json.gz"
)
_EVENT: dict[str, Any] = {
    "eventVersion": "1.09",
    "userIdentity": {"type": "AWSAccount", "principalId": "AIDACKCEVSQ6C2EXAMPLE", "accountId": _OWNER},
    "eventTime": "2026-03-04T23:10:46Z",
    "eventSource": "kms.amazonaws.com",
    "eventName": "ListKeys",
    "awsRegion": "us-east-1",
    "sourceIPAddress": "10.0.0.17",
    "userAgent": "",
    "errorCode": "VpceAccessDenied",
    "errorMessage": "The request was denied due to a VPC endpoint policy",
    "requestParameters": None,
    "responseElements": None,
    "requestID": "16bcc089-ac49-43f1-9177-c48ebc3ac0e1",
    "eventID": "228ca3c8-5f95-4a8a-9732-ecc2a1ac5b69",
    "eventType": "AwsVpceEvent",
    "recipientAccountId": ACCOUNT,
    "sharedEventID": "5ec8a9c5-2d2a-4e4b-8f9e-1b4b4b1a8b0e",
    "vpcEndpointId": "vpce-0123456789abcdef0",
    "vpcEndpointAccountId": ACCOUNT,
    "eventCategory": "NetworkActivity",
}


def test_a_network_activity_event_fills_its_columns_and_is_found(tmp_path: Path, crosstrail: CommandLine) -> None:
    write(tmp_path / "logs" / _KEY, {"Records": [_EVENT]})
    write(tmp_path / "logs/other.json", [record(1)])
    lake = tmp_path / "lake"
    done = crosstrail("collect", tmp_path / "logs", "--lake", lake)
    assert done.returncode == 0, done.stderr
    [row] = rows(lake, where="eventcategory = 'NetworkActivity'")
    same: tuple[str, ...] = (
        "eventVersion",
        "eventSource",
        "eventName",
        "awsRegion",
        "sourceIPAddress",
        "userAgent",
        "errorCode",
    )
    same += ("errorMessage", "requestID", "eventID", "eventType", "recipientAccountId", "sharedEventID")
    same += ("vpcEndpointId", "vpcEndpointAccountId", "eventCategory")
    assert {name: row[name.lower()] for name in same} == {name: _EVENT[name] for name in same}
    assert (row["account"], row["cloud"], row["source_object"]) == (ACCOUNT, "aws", _KEY)
    assert (row["useridentity"]["type"], row["useridentity"]["accountid"]) == ("AWSAccount", _OWNER)
    assert (row["principal"], row["requestparameters"], row["readonly"], row["managementevent"]) == (
        "AIDACKCEVSQ6C2EXAMPLE",
        None,
        None,
        None,
    )
    assert json.loads(row["eventjson"]) == _EVENT
    done = crosstrail("lookup", "--name", "ListKeys", "--json", "--lake", lake)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["event"] for line in done.stdout.splitlines()] == [_EVENT]
    done = crosstrail(
        "query",
        "SELECT eventname, errorcode, vpcendpointid, element_at(requestparameters, 'x') FROM events "
        "WHERE eventcategory = 'NetworkActivity' AND eventtype = 'AwsVpceEvent' AND eventtime > '2026-03-04 00:00:00'",
        "--format",
        "csv",
        "--lake",
        lake,
    )
    assert done.returncode == 0, done.stderr
    assert "ListKeys,VpceAccessDenied,vpce-0123456789abcdef0," in done.stdout
