"""ActionTrail's events in every form that they are kept in: as delivered to OSS, as answered, as rows of Log Service."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from audit_logs import record as aws_record
from audit_logs import rows, write
from conftest import CommandLine
from crosstrail.clouds.alibaba.record import is_record, resources_of, to_cloudtrail
from crosstrail.lake.collector import collect
from fakes.alibaba.world import FakeAccount

ACCOUNT = "1100000000000001"
_WHEN = datetime(2026, 10, 1, 12, 0, 0, tzinfo=UTC)
_KEY = f"trail1/AliyunLogs/Actiontrail/cn-hangzhou/2026/10/01/Actiontrail_cn-hangzhou_20261001120500_1002_2_1024_{'a' * 32}.gz"
_OF_ORGANIZATION = f"AliyunLogs/Actiontrail/rd-abc/{ACCOUNT}/cn-hangzhou/2026/10/01/Actiontrail_cn-hangzhou_20261001120500_1002_2_1024_{'b' * 32}.gz"


def event(name: str = "StopInstance", **more: Any) -> dict[str, Any]:
    """One event as ActionTrail writes it."""
    account = FakeAccount(ACCOUNT)
    account.log(name, _WHEN, **more)
    made: dict[str, Any] = json.loads(account.events[0].encoded)
    return made


def _row_of_log_service(made: dict[str, Any]) -> dict[str, Any]:
    contents = {"event": json.dumps(made), "__topic__": "actiontrail_audit_event"}
    return {"timestamp": 1790000000, "source": "actiontrail_internal", "contents": contents}


_TWO = [event("StopInstance"), event("DeleteUser", service="Ram", user="bob", role="Audit")]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param(_KEY, gzip.compress(json.dumps(_TWO).encode()), id="a file of a trail"),
        pytest.param(_OF_ORGANIZATION, gzip.compress(json.dumps(_TWO).encode()), id="a file of an organization's trail"),
        pytest.param("answer.json", {"RequestId": "1", "NextToken": "x", "Events": _TWO}, id="an answer of LookupEvents"),
        pytest.param("lines.json", "\n".join(map(json.dumps, _TWO)), id="an event a line"),
        pytest.param("sls.json", [_row_of_log_service(one) for one in _TWO], id="rows of Log Service"),
        pytest.param("flat.json", [{"event": json.dumps(one), "__topic__": "actiontrail_event"} for one in _TWO], id="flat rows"),
        pytest.param("sentinel.json", [{"contents_event_s": one} for one in _TWO], id="rows of Log Analytics"),
    ],
)  # fmt: skip
def test_every_form_gives_the_same_rows(name: str, content: Any, tmp_path: Path) -> None:
    path = tmp_path / "logs" / name
    if isinstance(content, bytes):
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    else:
        write(path, content)
    report = collect([tmp_path / "logs"], tmp_path / "lake")
    assert (report.problems, report.new) == ([], 2)
    stop, delete = sorted(rows(tmp_path / "lake"), key=lambda row: str(row["eventname"]), reverse=True)
    assert (stop["cloud"], stop["account"], stop["awsregion"]) == ("alibaba", ACCOUNT, "cn-hangzhou")
    assert (stop["eventid"], stop["eventsource"]) == (_TWO[0]["eventId"], "ecs.cn-hangzhou.aliyuncs.com")
    assert (stop["principal"], stop["username"], stop["readonly"]) == ("user/alice", "alice", False)
    assert stop["useridentity"]["arn"] == f"acs:ram::{ACCOUNT}:user/alice"
    assert stop["access_key_id"] == "LTAIEXAMPLE"
    assert dict(stop["requestparameters"]) == {"RegionId": "cn-hangzhou"}
    assert dict(stop["additionaleventdata"]) == {"serviceName": "Ecs"}
    assert str(stop["eventtime"]).startswith("2026-10-01 12:00:00")
    assert (delete["principal"], delete["username"]) == ("assumed-role/Audit/bob", "Audit:bob")
    assert json.loads(stop["eventjson"]) == _TWO[0]


def test_what_names_no_account_is_of_the_account_of_an_organizations_trail(tmp_path: Path) -> None:
    made = event(userIdentity={"type": "system", "userName": "ess.aliyuncs.com"})
    for name, account in ((_OF_ORGANIZATION, ACCOUNT), (_KEY, "")):
        path = tmp_path / account / name
        path.parent.mkdir(parents=True)
        path.write_bytes(gzip.compress(json.dumps([made]).encode()))
        report = collect([tmp_path / account / name.partition("/")[0]], tmp_path / "lake")
        assert (report.new, bool(report.problems)) == ((1, False) if account else (0, True))
    assert [row["account"] for row in rows(tmp_path / "lake")] == [ACCOUNT]


@pytest.mark.parametrize("content", [b"", b"[{"], ids=["empty", "cut short"])
def test_a_trails_file_that_is_damaged_is_said_to_be(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / _KEY
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    assert collect([tmp_path / "trail1"], tmp_path / "lake").problems


def test_the_events_that_strangers_published_go_in_as_alibabas(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "clouds/alibaba"
    names = ("sentinel_AliCloud_CL.json", "sentinel_AliCloud_Cloudhub_CL.json")
    assert collect([folder / name for name in names], tmp_path / "lake").new == 20  # one of the 21 is there twice
    golden = [json.loads(line) for line in (folder / "golden_rows.jsonl").read_text().splitlines()]
    found = {row["eventid"]: row for row in rows(tmp_path / "lake")}
    for wanted in golden:
        row = found[wanted["eventid"]]
        for column in ("cloud", "account", "eventsource", "eventname", "awsregion", "username", "sourceipaddress"):
            assert row[column] == wanted[column], (column, wanted)
        for column in ("useragent", "errorcode", "requestid", "readonly", "eventtype"):
            assert row[column] == wanted[column], (column, wanted)
        assert (row["access_key_id"] or "") == wanted["access_key_id"]
        assert row["useridentity"]["type"] == wanted["identity_type"]
        assert row["resource_names"] == wanted["resources"]
        assert f"{row['eventtime']:%Y-%m-%dT%H:%M:%S}" == wanted["eventtime"][:19]


def test_collected_events_are_looked_up_like_any_others(crosstrail: CommandLine, tmp_path: Path) -> None:
    write(tmp_path / "logs/one.json", [*_TWO, aws_record(1)])
    lake = ("--lake", str(tmp_path / "lake"))
    assert crosstrail("collect", str(tmp_path / "logs"), *lake).returncode == 0
    done = crosstrail("lookup", "--account", ACCOUNT, "--since", "2026-09-30", *lake)
    assert done.returncode == 0, done.stderr
    assert "StopInstance" in done.stdout
    assert "Audit/bob" in done.stdout
    assert "CreateUser" not in done.stdout


def test_an_event_of_anybody_else_is_not_taken_for_one() -> None:
    assert not is_record(aws_record(1))
    assert not is_record({"eventName": "x", "eventTime": "2026-01-01T00:00:00Z", "eventSource": "iam.amazonaws.com"})
    assert not is_record({"acsRegion": "cn-hangzhou"})
    assert is_record({"eventId": "1", "eventTime": "x", "acsRegion": "cn-hangzhou"})
    assert is_record({"eventName": "x", "eventTime": "x", "eventRW": "Read"})


@pytest.mark.parametrize(
    ("members", "column", "value"),
    [
        ({"recipientAccountId": "1100000000000002"}, "recipientAccountId", "1100000000000002"),
        ({"recipientAccountId": 1100000000000002}, "recipientAccountId", "1100000000000002"),
        ({"userIdentity": {"accountId": 1100000000000003, "type": "system"}}, "recipientAccountId", "1100000000000003"),
        ({"userIdentity": {"accountId": "../x", "type": "ram-user", "userName": "a"}}, "recipientAccountId", None),
        ({"userIdentity": "alice"}, "userIdentity", None),
        ({"requestParameters": None}, "requestParameters", {"RegionId": "cn-hangzhou"}),
        ({"requestParameters": "", "requestParameterJson": "{broken"}, "requestParameters", "{broken"),
        ({"requestParameterJson": {"RegionId": "cn-hangzhou"}}, "additionalEventData", {"serviceName": "Ecs"}),
        ({"requestParameterJson": '{"RegionId":"other"}'}, "additionalEventData", {"serviceName": "Ecs", "requestParameterJson": '{"RegionId":"other"}'}),
        ({"additionalEventData": {"isMFAChecked": "true"}}, "additionalEventData", {"isMFAChecked": "true", "serviceName": "Ecs"}),
        ({"additionalEventData": "x"}, "additionalEventData", {"value": "x", "serviceName": "Ecs"}),
        ({"eventRW": "Execute"}, "readOnly", None),
        ({"eventCategory": "Insight"}, "managementEvent", False),
        ({"errorCode": ""}, "errorCode", None),
        ({"vpcId": "vpc-1"}, "vpcEndpointId", "vpc-1"),
    ],
)  # fmt: skip
def test_a_field_becomes_a_column(members: dict[str, Any], column: str, value: Any) -> None:
    assert to_cloudtrail({**event(), **members}).get(column) == value


@pytest.mark.parametrize(
    ("members", "found"),
    [
        ({"referencedResources": {"ACS::ECS::Instance": ["i-1", "i-2"]}}, [("ACS::ECS::Instance", "i-1"), ("ACS::ECS::Instance", "i-2")]),
        ({"referencedResources": {"A": "one", "B": [None, 7, ""]}}, [("A", "one"), ("B", "7")]),
        ({"referencedResources": ["x"]}, []),
        ({"resourceType": "A", "resourceName": "a1,a2"}, [("A", "a1"), ("A", "a2")]),
        ({"resourceType": "A;B", "resourceName": "a1;b1,b2"}, [("A", "a1"), ("B", "b1"), ("B", "b2")]),
        ({"resourceType": "A;B", "resourceName": "x"}, [("A", "x")]),
        ({"resourceName": "x"}, [("", "x")]),
        ({"referencedResources": {"A": ["a1"]}, "resourceType": "A", "resourceName": "a1"}, [("A", "a1")]),
        ({"resourceType": "A", "resourceName": ["x"]}, []),
    ],
)  # fmt: skip
def test_resources_are_named(members: dict[str, Any], found: list[tuple[str, str]]) -> None:
    assert resources_of(members) == found
