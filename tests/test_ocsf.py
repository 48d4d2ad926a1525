"""`lookup --format ocsf` and findings as OCSF: every object is checked against the schema of OCSF 1.5.0."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

import preloaded
from conftest import SHARED_DATA
from crosstrail.detections.findings import DetectionFinding, FoundEvent, RuleFacts
from crosstrail.detections.levels import LEVELS, Level
from crosstrail.detections.ocsf.events import ocsf_event
from crosstrail.detections.ocsf.findings import ocsf_finding
from crosstrail.json_values import table
from crosstrail.models import Event, Resource
from lake_workspace import DEV, NOON, PROD, collect, record, write_logs
from ocsf_schema import FILE, extracted, faults
from packages import python_with

ROLE = f"arn:aws:iam::{DEV}:role/Audit"
_LOGIN: Mapping[str, Any] = {
    "eventName": "ConsoleLogin",
    "eventSource": "signin.amazonaws.com",
    "eventType": "AwsConsoleSignIn",
    "userIdentity": {"type": "Root", "principalId": PROD, "arn": f"arn:aws:iam::{PROD}:root", "accountId": PROD},
    "additionalEventData": {"LoginTo": "https://console.aws.amazon.com/", "MFAUsed": "No"},
    "responseElements": {"ConsoleLogin": "Failure"},
    "errorMessage": "Failed authentication",
    "resources": None,
    "requestParameters": None,
}
_ASSUMED: Mapping[str, Any] = {
    "eventName": "AssumeRole",
    "eventSource": "sts.amazonaws.com",
    "requestParameters": {"roleArn": ROLE, "roleSessionName": "night", "serialNumber": "arn:aws:iam::1:mfa/alice"},
    "responseElements": {
        "credentials": {"accessKeyId": "ASIAEXAMPLE", "expiration": "Nov 19, 2026, 1:00:00 PM"},
        "assumedRoleUser": {"assumedRoleId": "AROAEXAMPLE:night", "arn": f"{ROLE}/night"},
    },
}
_MADE: Mapping[str, Any] = {
    "eventName": "CreateUser",
    "eventSource": "iam.amazonaws.com",
    "requestParameters": {"userName": "mallory"},
    "responseElements": {
        "user": {"userName": "mallory", "userId": "AIDAEXAMPLE", "arn": f"arn:aws:iam::{PROD}:user/mallory"}
    },
}
_ATTACHED: Mapping[str, Any] = {
    "eventName": "AttachUserPolicy",
    "eventSource": "iam.amazonaws.com",
    "errorCode": "AccessDenied",
    "errorMessage": "not authorized",
    "requestParameters": {"userName": "mallory", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"},
    "responseElements": None,
}
_CALLED: Mapping[str, Any] = {
    "readOnly": False,
    "sourceIPAddress": "autoscaling.amazonaws.com",
    "eventName": "ExchangeNothing",
    "vpcEndpointId": "vpce-1",
}


@pytest.fixture(scope="module")
def looked_up(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Mapping[str, Any]]:
    """What the command prints, by the action's name."""
    folder = tmp_path_factory.mktemp("ocsf")
    changes = [_LOGIN, _ASSUMED, _MADE, _ATTACHED, _CALLED]
    write_logs(folder / "logs", [record(PROD, number, NOON, **one) for number, one in enumerate(changes)])
    collect(folder / "logs", folder / "lake")
    lines = _lookup(folder / "lake", PROD)
    assert len(lines) == len(changes)
    return {one["api"]["operation"]: one for one in lines}


def _lookup(lake: Path, account: str) -> list[Mapping[str, Any]]:
    done = preloaded.run("lookup", "--account", account, "--limit", "100000", "--format", "ocsf", "--lake", lake)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def _all_faults(made: Iterable[Mapping[str, Any]]) -> Counter[str]:
    return Counter(fault for one in made for fault in faults(one))


def test_events_are_of_their_class_and_valid(looked_up: Mapping[str, Mapping[str, Any]]) -> None:
    found = {name: (one["class_uid"], one["activity_id"], one["type_name"]) for name, one in looked_up.items()}
    assert found == {
        "ConsoleLogin": (3002, 1, "Authentication: Logon"),
        "AssumeRole": (3002, 1, "Authentication: Logon"),
        "CreateUser": (3001, 1, "Account Change: Create"),
        "AttachUserPolicy": (3001, 7, "Account Change: Attach Policy"),
        "ExchangeNothing": (6003, 99, "API Activity: Other"),
    }
    assert not _all_faults(looked_up.values())


def test_a_sign_in_says_who_how_and_whether(looked_up: Mapping[str, Mapping[str, Any]]) -> None:
    login, assumed = looked_up["ConsoleLogin"], looked_up["AssumeRole"]
    assert (login["status"], login["status_detail"], login["is_mfa"]) == ("Failure", "Failed authentication", False)
    assert login["user"]["type"] == "Admin"
    assert login["time"] == NOON.timestamp() * 1000
    assert login["dst_endpoint"]["svc_name"] == "https://console.aws.amazon.com/"
    assert (assumed["user"]["uid"], assumed["user"]["name"], assumed["is_mfa"]) == (ROLE, "night", True)
    assert assumed["session"]["credential_uid"] == "ASIAEXAMPLE"
    assert assumed["session"]["expiration_time"] == (NOON + timedelta(hours=1)).timestamp() * 1000
    assert assumed["actor"]["user"]["name"] == "deploy-bot"


def test_a_change_of_an_account_says_whose_and_by_whom(looked_up: Mapping[str, Mapping[str, Any]]) -> None:
    made, attached = looked_up["CreateUser"], looked_up["AttachUserPolicy"]
    assert made["user"] == {
        "name": "mallory",
        "uid": f"arn:aws:iam::{PROD}:user/mallory",
        "uid_alt": "AIDAEXAMPLE",
        "type_id": 1,
        "type": "User",
    }
    assert made["actor"]["user"]["uid"] == f"arn:aws:iam::{PROD}:user/deploy-bot"
    assert attached["policy"] == {"uid": "arn:aws:iam::aws:policy/AdministratorAccess"}
    assert (attached["status_id"], attached["api"]["response"]["error"]) == (2, "AccessDenied")
    assert {"name": "src_endpoint.ip", "type_id": 2, "type": "IP Address", "value": "203.0.113.7"} in attached[
        "observables"
    ]


def test_what_a_service_did_comes_from_its_host(looked_up: Mapping[str, Mapping[str, Any]]) -> None:
    one = looked_up["ExchangeNothing"]
    assert one["src_endpoint"] == {"uid": "vpce-1", "hostname": "autoscaling.amazonaws.com"}
    assert one["activity_name"] == "ExchangeNothing"
    assert one["unmapped"]["managementEvent"] is True
    assert one["cloud"] == {
        "provider": "AWS",
        "account": {"uid": PROD, "type_id": 10, "type": "AWS Account"},
        "region": "us-east-1",
    }


@pytest.mark.skipif(not SHARED_DATA.exists(), reason="the data that strangers made is not here")
def test_every_event_that_strangers_made_is_valid(tmp_path: Path) -> None:
    for folder in (SHARED_DATA / "aws", SHARED_DATA / "clouds" / "alibaba"):
        preloaded.run("collect", folder, "--lake", tmp_path / "lake")  # it also holds what is no event
    made = _lookup(tmp_path / "lake", "*")
    assert not _all_faults(made)
    assert {one["cloud"]["provider"] for one in made} == {"AWS", "Alibaba Cloud"}
    assert {one["class_uid"] for one in made} == {6003, 3002, 3001}
    assert len(made) > 1_000


def test_an_event_of_volcengine_is_valid() -> None:
    detail = {
        "EventID": "2967779b",
        "EventTime": "2021-09-13T09:54:08Z",
        "EventName": "CreateUser",
        "EventSource": "iam",
        "EventVersion": "v1.0",
        "Region": "cn-north-1",
        "RequestID": "20210913",
        "SourceIPAddress": "10.255.29.190",
        "UserAgent": "node-fetch/1.0",
        "UserIdentity": {
            "AccountID": "2100000000",
            "Type": "Root",
            "PrincipalID": "2100000000",
            "TRN": "trn:iam::2100000000:root",
        },
        "RequestParameters": '{"UserName": "mallory"}',
        "ResponseElements": "",
    }
    event = Event("volcengine", "2100000000", "cn-north-1", "2967779b", NOON, "CreateUser", "iam", record=detail)
    made = ocsf_event(event)
    assert faults(made) == []
    assert made["user"] == {"name": "mallory", "type_id": 1, "type": "User"}
    assert table(made["metadata"])["product"] == {"name": "CloudTrail", "vendor_name": "Volcengine", "version": "v1.0"}


@pytest.mark.parametrize(
    "event_record", [None, {}, {"userIdentity": "root", "resources": {}, "requestParameters": [1]}]
)
def test_an_event_of_which_little_is_known_is_valid(event_record: Mapping[str, object] | None) -> None:
    made = ocsf_event(Event("nimbus", "", "", "", NOON, "", "", record=event_record))
    assert faults(made) == []


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_KEYS = (
    "eventTime", "eventVersion", "requestID", "userAgent", "sourceIPAddress", "vpcEndpointId", "errorMessage", "resources", "eventType",
    "requestParameters", "responseElements", "additionalEventData", "userIdentity", "sharedEventID", "eventCategory", "apiVersion",
)  # fmt: skip
_INSIDE = (
    "sessionContext", "attributes", "sessionIssuer", "webIdFederationData", "onBehalfOf", "credentials", "assumedRoleUser", "user", "role",
    "creationDate", "mfaAuthenticated", "arn", "ARN", "accountId", "userName", "roleArn", "expiration", "MFAUsed", "type", "policyArn",
)  # fmt: skip
_NESTED = st.dictionaries(
    st.sampled_from(_INSIDE), _JSON | st.dictionaries(st.sampled_from(_INSIDE), _JSON, max_size=4), max_size=5
)


@given(
    st.dictionaries(st.sampled_from(_KEYS), _JSON | _NESTED | st.lists(_NESTED, max_size=2), max_size=8),
    st.sampled_from(["ConsoleLogin", "AssumeRole", "CreateUser", "CreateRole", "UpdateUser", "PutObject", "get", ""]),
    st.sampled_from(["aws", "volcengine", "alibaba", "nimbus"]),
    st.text(max_size=30),
)
def test_whatever_a_record_holds_the_event_is_valid(
    event_record: Mapping[str, object], name: str, cloud: str, text: str
) -> None:
    event = Event(
        *(cloud, "1", text, text, NOON, name, text, text, text, text, text, text, (text,) if text else ()),
        resources=(Resource(text, text),),
        record=event_record,
    )
    assert faults(ocsf_event(event)) == []


RULE = RuleFacts(
    id="8c7f1e1a-0000-4000-8000-000000000001",
    title="Login without MFA",
    level="high",
    author="A. Writer",
    license="DRL-1.1",
    link="https://example.com/rule.yml",
    attack=("T1078.004", "TA0001", "T1098"),
    false_positives=("break glass",),
)


def _finding(rule: RuleFacts, count: int = 2) -> DetectionFinding:
    found = FoundEvent("aws", PROD, "e-1", NOON, "ConsoleLogin", "signin.amazonaws.com", "us-east-1", "203.0.113.7", "")
    host = replace(found, id="e-2", address="AWS Internal", error="AccessDenied")
    last = NOON + timedelta(hours=1)
    return DetectionFinding(
        rule, ("aws", PROD), "user/alice", NOON, last, count, (found, host), {"user": "alice"}, "5 minutes"
    )


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kind", ["rule", "correlation", "baseline"])
def test_a_finding_is_valid(level: Level, kind: Literal["rule", "correlation", "baseline"]) -> None:
    assert faults(ocsf_finding(_finding(replace(RULE, level=level, kind=kind)))) == []
    bare = RuleFacts(id="x", title="x", level=level, kind=kind)
    assert faults(ocsf_finding(replace(_finding(bare), events=(), group={}, note="", principal=""))) == []


def test_a_finding_credits_its_rule_and_names_its_techniques() -> None:
    finding = _finding(RULE)
    made = ocsf_finding(finding)
    info = made["finding_info"]
    assert isinstance(info, dict)
    assert (made["type_uid"], made["severity"], made["count"]) == (200401, "High", 2)
    assert {one["name"]: one.get("value") for one in info["tags"]} == {
        "rule_author": "A. Writer",
        "rule_license": "DRL-1.1",
        "rule_link": "https://example.com/rule.yml",
        "false_positives": None,
    }
    assert info["attacks"][0]["sub_technique"]["uid"] == "T1078.004"
    assert info["attacks"][1]["tactic"]["name"] == "Initial Access"
    assert (info["uid"], info["analytic"]["uid"], info["analytic"]["type"]) == (finding.key, RULE.id, "Rule")
    assert [one["uid"] for one in info["related_events"]] == ["e-1", "e-2"]


@pytest.mark.registry
def test_the_schema_is_what_ocsf_publishes() -> None:
    """Our extract against the compiled schema that a distribution brings, and its validator over what we make."""
    python = python_with("ocsf-json-schema==1.2.0") / "python"
    where = "import ocsf_json_schema, pathlib; print(pathlib.Path(ocsf_json_schema.__file__).parent / 'ocsf' / '1.5.0.json')"
    found = subprocess.run([python, "-c", where], capture_output=True, text=True, check=True)
    assert extracted(json.loads(Path(found.stdout.strip()).read_text())) == json.loads(FILE.read_text())


@pytest.mark.registry
def test_another_validator_finds_no_fault(looked_up: Mapping[str, Mapping[str, Any]]) -> None:
    """JSON Schema of each class with its profiles, as that distribution makes it of the whole schema."""
    python = python_with("ocsf-json-schema==1.2.0", "jsonschema==4.26.0") / "python"
    read = (
        "import json, sys; from jsonschema import Draft202012Validator as V; from ocsf_json_schema import *\n"
        "from ocsf_json_schema.loader import get_ocsf_schema\n"
        "s = OcsfJsonSchemaEmbedded(get_ocsf_schema('1.5.0'))\n"
        "for line in sys.stdin:\n"
        "    one = json.loads(line); name = s.lookup_class_name_from_uid(one['class_uid'])\n"
        "    for e in V(s.get_class_schema(name, ['cloud', 'datetime'])).iter_errors(one): print(name, e.json_path, e.message[:200])"
    )
    made = [*looked_up.values(), ocsf_finding(_finding(RULE))]
    text = "".join(json.dumps(one) + "\n" for one in made)
    found = subprocess.run([python, "-c", read], input=text, capture_output=True, text=True, check=False)
    assert (found.stdout, found.stderr) == ("", "")
