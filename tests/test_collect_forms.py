"""Every form in which audit events are kept goes into the same columns."""

from __future__ import annotations

import gzip
import hashlib
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from audit_logs import ACCOUNT, lookup_item, record, rows, volcengine_detail, volcengine_item, write
from crosstrail.lake.collector import CollectionReport, collect
from crosstrail.lake.schema import ALL_COLUMNS, CLOUDTRAIL_LAKE_COLUMNS, COLUMNS


def _lines(*items: Any) -> str:
    return "\n".join(json.dumps(item) for item in items) + "\n"


def _one(
    tmp_path: Path, content: Any, name: str = "one.json", **options: Any
) -> tuple[CollectionReport, list[dict[str, Any]]]:
    write(tmp_path / "logs" / name, content)
    report = collect([tmp_path / "logs"], tmp_path / "lake", **options)
    return report, rows(tmp_path / "lake")


def _elastic(number: int) -> dict[str, Any]:
    made = record(number, eventTime=None)
    return made | {"@timestamp": "2026-03-01T00:00:01.250Z", "@version": "1"}


@pytest.mark.parametrize(
    ("content", "count"),
    [
        pytest.param({"Records": [record(1), record(2)]}, 2, id="as delivered"),
        pytest.param({"Records": []}, 0, id="no records"),
        pytest.param({"Events": [], "NextToken": "AAAA"}, 0, id="a page without events"),
        pytest.param({"ResponseMetadata": {}, "Result": {"NextToken": "", "Trails": []}}, 0, id="no Volcengine events"),
        pytest.param({"Records": [record(1, requestParameters={"events": [], "Records": []})]}, 1, id="an empty value"),
        pytest.param([], 0, id="an empty list"),
        pytest.param([record(1), record(2)], 2, id="a bare list"),
        pytest.param(record(1), 1, id="one record"),
        pytest.param(json.dumps({"Records": [record(1)]}, indent=2), 1, id="indented"),
        pytest.param(_lines(record(1), record(2)), 2, id="a record a line"),
        pytest.param(
            _lines(record(1), record(2)).replace("\n", "\r\n\r\n"), 2, id="lines of Windows, blank ones between"
        ),
        pytest.param(_lines({"Records": [record(1)]}, {"Records": [record(2)]}), 2, id="a file a line"),
        pytest.param(_lines(_elastic(1), _elastic(2)), 2, id="with @timestamp"),
        pytest.param({"Events": [lookup_item(1), lookup_item(2)]}, 2, id="answer of LookupEvents"),
        pytest.param([lookup_item(1)], 1, id="list of LookupEvents items"),
        pytest.param(lookup_item(1), 1, id="one LookupEvents item"),
        pytest.param(_lines(lookup_item(1), lookup_item(2)), 2, id="a LookupEvents item a line"),
        pytest.param(b"\xef\xbb\xbf" + json.dumps([record(1)]).encode(), 1, id="with a byte order mark"),
        pytest.param(json.dumps([record(1)]).encode("utf-16"), 1, id="UTF-16"),
        pytest.param({"Result": {"Trails": [volcengine_item(1)], "NextToken": ""}}, 1, id="Volcengine answer"),
        pytest.param([volcengine_item(1), volcengine_item(2)], 2, id="Volcengine items"),
        pytest.param([json.dumps(volcengine_detail(1))], 1, id="Volcengine details as text"),
        pytest.param(_lines(volcengine_detail(1), volcengine_detail(2)), 2, id="a Volcengine detail a line"),
    ],
)
def test_form(content: Any, count: int, tmp_path: Path) -> None:
    report, found = _one(tmp_path, content)
    assert (report.problems, report.objects_read, report.new, len(found)) == ([], 1, count, count)
    assert all(row["eventtime"] and row["account"] and row["eventname"] for row in found)


def test_gzip_of_several_members_and_plain_text_named_gz(tmp_path: Path) -> None:
    text = json.dumps([record(1), record(2)]).encode()
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/members.json.gz").write_bytes(gzip.compress(text[:100]) + gzip.compress(text[100:]))
    (tmp_path / "logs/plain.json.gz").write_bytes(json.dumps([record(3)]).encode())
    assert collect([tmp_path / "logs"], tmp_path / "lake").new == 3


def test_every_column_of_a_record(tmp_path: Path) -> None:
    wanted = record(
        1,
        userIdentity={
            "type": "AssumedRole",
            "principalId": "AROA:session",
            "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/Audit/session",
            "accountId": ACCOUNT,
            "accessKeyId": "ASIA1",
            "sessionContext": {
                "sessionIssuer": {"type": "Role", "arn": "issuer", "userName": "Audit"},
                "webIdFederationData": {"federatedProvider": "idp", "attributes": {"aud": "x"}},
                "attributes": {"creationDate": "2026-03-01T00:00:00Z", "mfaAuthenticated": "true"},
            },
            "inScopeOf": {"issuerType": "AWS::Lambda::Function"},
        },
        eventTime="2026-03-01T10:00:00.123456Z",
        errorCode="AccessDenied",
        requestParameters={"text": "é", "yes": True, "count": 3, "none": None, "nested": {"a": [1, "b"]}, "half": 0.5},
        resources=[{"ARN": "arn:aws:iam::1:user/bob", "accountId": ACCOUNT, "type": "AWS::IAM::User"}],
        tlsDetails={"tlsVersion": "TLSv1.3", "cipherSuite": "c", "clientProvidedHostHeader": "h"},
        vpcEndpointId="vpce-1",
        sharedEventID="shared",
        apiVersion="2015",
        sessionCredentialFromConsole="true",
        insightDetails={"state": "Start"},
    )
    _, [row] = _one(tmp_path, [wanted])
    assert [column.name for column in ALL_COLUMNS] == list(row)
    assert {column.name for column in COLUMNS} < set(row)
    assert len(CLOUDTRAIL_LAKE_COLUMNS) == 34
    assert row["eventtime"] == datetime(2026, 3, 1, 10, 0, 0, 123456)  # noqa: DTZ001 - UTC, as the column holds it
    assert dict(row["requestparameters"]) == {
        "text": "é", "yes": "true", "count": "3", "none": None, "nested": '{"a":[1,"b"]}', "half": "0.5",
    }  # fmt: skip
    assert row["responseelements"] is None
    identity = row["useridentity"]
    assert identity["sessioncontext"]["attributes"]["creationdate"] == datetime(2026, 3, 1)  # noqa: DTZ001
    assert identity["sessioncontext"]["webidfederationdata"]["attributes"] == [("aud", "x")]
    assert identity["sessioncontext"]["sessionissuer"]["username"] == "Audit"
    assert identity["inscopeof"]["issuertype"] == "AWS::Lambda::Function"
    assert row["resources"] == [
        {"accountid": ACCOUNT, "type": "AWS::IAM::User", "arn": "arn:aws:iam::1:user/bob", "arnprefix": None}
    ]
    assert (row["tlsdetails"]["tlsversion"], row["vpcendpointid"], row["sharedeventid"]) == (
        "TLSv1.3",
        "vpce-1",
        "shared",
    )
    assert (row["readonly"], row["managementevent"], row["apiversion"]) == (False, True, "2015")
    assert dict(row["insightdetails"]) == {"state": "Start"}
    assert json.loads(row["eventjson"]) == wanted
    assert row["eventjsonchecksum"] == hashlib.sha256(row["eventjson"].encode()).hexdigest()
    assert (row["cloud"], row["account"], row["verified"]) == ("aws", ACCOUNT, None)
    assert row["source_object"] == "logs/one.json"
    assert (row["username"], row["principal"], row["access_key_id"]) == (
        "session",
        "assumed-role/Audit/session",
        "ASIA1",
    )
    assert {"arn:aws:iam::1:user/bob", "bob"} <= set(row["resource_names"])


def test_a_lookup_events_item_keeps_what_only_it_knows(tmp_path: Path) -> None:
    _, [row] = _one(tmp_path, lookup_item(1))
    assert row["username"] == "the-user-of-the-item"
    assert "named-by-the-item" in row["resource_names"]
    assert row["eventtime"] == datetime(2026, 3, 1, 0, 1, 7)  # noqa: DTZ001 - the record's, not the item's
    assert json.loads(row["eventjson"]) == record(1)


def test_volcengine_events_fill_the_same_columns(tmp_path: Path) -> None:
    _, [row] = _one(tmp_path, [volcengine_item(1)])
    assert (row["cloud"], row["account"], row["recipientaccountid"]) == ("volcengine", "2100000001", "2100000001")
    assert (row["eventid"], row["eventname"], row["eventsource"], row["awsregion"]) == (
        "volc-1",
        "GetUser",
        "iam",
        "cn-beijing",
    )
    assert (row["errorcode"], row["readonly"], row["sourceipaddress"]) == ("AccessDenied", True, "203.0.113.9")
    assert dict(row["requestparameters"]) == {"UserName": "bob", "Limit": "3"}
    assert row["responseelements"] is None
    assert (row["useridentity"]["type"], row["useridentity"]["arn"]) == ("Root", "trn:iam::2100000001:root")
    assert (row["access_key_id"], row["username"]) == ("AKLTexample", "carol")
    assert row["resource_names"] == ["bob", "trn:iam::2100000001:user/bob"]
    assert json.loads(row["eventjson"])["EventID"] == "volc-1"


@pytest.mark.parametrize(
    ("changes", "given", "account"),
    [
        ({}, "", ACCOUNT),
        ({"recipientAccountId": None, "userIdentity": {"accountId": "111111111111"}}, "", "111111111111"),
        ({"recipientAccountId": None, "userIdentity": None}, "000000000007", "000000000007"),
        ({"recipientAccountId": "../../etc", "userIdentity": {"accountId": "ANONYMOUS_PRINCIPAL"}}, "222222222222", "222222222222"),
        ({"recipientAccountId": 12345678901}, "", ACCOUNT),
        ({"recipientAccountId": "../../etc", "userIdentity": {"accountId": "１２３４５６７８９０１２"}}, "", None),
        ({"recipientAccountId": None, "userIdentity": "Unknown"}, "", None),
    ],
)  # fmt: skip
def test_whose_event_it_is(changes: dict[str, Any], given: str, account: str | None, tmp_path: Path) -> None:
    report, found = _one(tmp_path, [record(1, **changes)], account=given)
    assert [row["account"] for row in found] == ([account] if account else [])
    if account is None:
        assert "--account" in report.problems[0].reason


def test_values_of_wrong_types_never_cost_the_event_or_its_neighbours(tmp_path: Path) -> None:
    odd = record(
        2,
        eventName=5,
        readOnly="true",
        userIdentity={"type": 1, "arn": ["x"], "accountId": ACCOUNT, "sessionContext": "none", "userName": {"a": 1}},
        requestParameters=["q"],
        responseElements="text",
        resources=["x", {"ARN": 3}],
        tlsDetails=7,
        eventVersion={"a": 1},
    )
    odd["userIdentity"]["sessionContext"] = {"attributes": {"creationDate": "long ago", "mfaAuthenticated": False}}
    report, found = _one(tmp_path, [record(1), odd, record(3)])
    assert (report.problems, len(found)) == ([], 3)
    row = found[1]
    assert (row["eventname"], row["readonly"], row["eventversion"]) == ("5", True, '{"a":1}')
    assert row["requestparameters"] == [("value", '["q"]')]
    assert row["responseelements"] == [("value", "text")]
    assert row["useridentity"]["sessioncontext"]["attributes"] == {"creationdate": None, "mfaauthenticated": "false"}
    assert found[0]["eventname"] == "CreateUser"


def test_the_same_content_without_an_id_is_one_event(tmp_path: Path) -> None:
    anonymous = record(1, eventID=None)
    shuffled = dict(reversed(anonymous.items()))
    report, found = _one(tmp_path, [anonymous, shuffled, record(2, eventID=None)])
    assert (report.new, report.known, report.conflicting, len(found)) == (2, 1, 0, 2)
    assert all(row["eventid"].startswith("content-") for row in found)
