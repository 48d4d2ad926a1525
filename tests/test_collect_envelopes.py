"""Whatever envelope a record lies in, it goes in as it was written; what is no audit event is named by its kind."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit_logs import ACCOUNT, document, lookup_item, record, rows, volcengine_detail, volcengine_item, write
from crosstrail.clouds.aws.record import RECORDS
from crosstrail.lake.collector import collect
from crosstrail.lake.kinds import kind_of_file
from crosstrail.lake.records import NotAnEvent, Unreadable, records
from crosstrail.lake.rows import Row

_OTHER = "111122223333"
_numbers = count(1)


def _text() -> str:
    """A record that nobody else has, as text with blanks, as programs of other languages write JSON."""
    return json.dumps(record(next(_numbers)), separators=(", ", " : "))


def _data(*texts: str, packed: bool = True) -> str:
    joined = "".join(texts).encode()
    return base64.b64encode(gzip.compress(joined) if packed else joined).decode()


def _subscription() -> dict[str, Any]:
    return {
        "messageType": "DATA_MESSAGE",
        "owner": ACCOUNT,
        "logEvents": [{"id": "1", "timestamp": 1, "message": _text()}, {"id": "2", "timestamp": 2, "message": _text()}],
    }


_ENVELOPES: dict[str, tuple[Callable[[], Any], int]] = {
    "records in lower case": (lambda: {"records": [json.loads(_text())]}, 1),
    "list of files": (lambda: [{"Records": [json.loads(_text())]}, {"Records": []}, {"Records": [json.loads(_text())]}], 2),
    "list of lists": (lambda: [[json.loads(_text())], [json.loads(_text())]], 2),
    "JSON text": (lambda: _text(), 1),
    "list of JSON texts": (lambda: [_text(), _text()], 2),
    "CloudWatch Logs subscription": (_subscription, 2),
    "CloudWatch Logs for Lambda": (lambda: {"awslogs": {"data": _data(json.dumps(_subscription()))}}, 2),
    "CloudWatch Logs through Kinesis": (lambda: {"Records": [{"eventSource": "aws:kinesis", "awsRegion": "eu-west-1", "kinesis": {"data": _data(json.dumps(_subscription()))}}]}, 2),
    "Firehose for Lambda": (lambda: {"deliveryStreamArn": "x", "records": [{"recordId": "1", "data": _data(_text(), _text(), packed=False)}]}, 2),
    "filter-log-events": (lambda: {"events": [{"message": _text(), "eventId": "1"}], "searchedLogStreams": []}, 1),
    "Logs Insights": (lambda: [{"@timestamp": "2026-03-01 00:00:00.000", "@message": _text()}], 1),
    "EventBridge": (lambda: {"version": "0", "detail-type": "AWS API Call via CloudTrail", "source": "aws.iam", "account": ACCOUNT, "detail": json.loads(_text())}, 1),
    "Logstash, text": (lambda: {"@timestamp": "2026-03-01T00:00:00Z", "message": _text(), "log": {"offset": 1}}, 1),
    "Vector, object": (lambda: {"timestamp": "2026-03-01T00:00:00Z", "message": json.loads(_text())}, 1),
    "Elastic Common Schema": (lambda: {"@timestamp": "2026-03-01T00:00:00Z", "event": {"original": _text(), "action": "x"}}, 1),
    "syslog line": (lambda: {"message": "<14>Mar  1 00:00:00 host app: " + _text()}, 1),
    "Fluentd": (lambda: {"log": _text() + "\n", "stream": "stdout"}, 1),
    "Splunk, raw": (lambda: {"preview": False, "result": {"_raw": _text(), "sourcetype": "aws:cloudtrail"}}, 1),
    "Splunk, fields": (lambda: {"result": json.loads(_text())}, 1),
    "Elasticsearch answer": (lambda: {"took": 1, "hits": {"total": 2, "hits": [{"_id": "1", "_source": json.loads(_text())}, {"_source": {"message": _text()}}]}}, 2),
    "SNS": (lambda: {"Type": "Notification", "TopicArn": "x", "Message": json.dumps({"Records": [json.loads(_text())]})}, 1),
    "SQS": (lambda: {"Messages": [{"MessageId": "1", "Body": json.dumps({"Type": "Notification", "Message": _text()})}]}, 1),
    "SQS for Lambda": (lambda: {"Records": [{"messageId": "1", "body": _text(), "eventSource": "aws:sqs", "awsRegion": "eu-west-1"}]}, 1),
    "SNS for Lambda": (lambda: {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": _text()}}]}, 1),
    "answer of LookupEvents": (lambda: {"Events": [lookup_item(next(_numbers))], "NextToken": "x"}, 1),
    "LookupEvents, record as object": (lambda: [lookup_item(next(_numbers)) | {"CloudTrailEvent": record(next(_numbers))}], 1),
    "Lake's rows with the record": (lambda: [{"eventid": "x", "eventname": "y", "eventtime": "z", "eventjson": _text()}], 1),
    "Volcengine's answer": (lambda: {"ResponseMetadata": {}, "Result": {"Trails": [volcengine_item(next(_numbers))]}}, 1),
    "Volcengine's details": (lambda: [json.dumps(volcengine_detail(next(_numbers)))], 1),
}  # fmt: skip


def test_every_envelope_gives_its_records(crosstrail: Any, tmp_path: Path) -> None:
    for number, (made, _) in enumerate(_ENVELOPES.values()):
        write(tmp_path / f"logs/{number}.json", json.dumps(made()))
    done = crosstrail("collect", str(tmp_path / "logs"), "--lake", str(tmp_path / "lake"), "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["problems"], report["new"]) == ([], sum(events for _, events in _ENVELOPES.values()))
    found: dict[str, int] = {}
    for row in rows(tmp_path / "lake"):
        name = Path(row["source_object"].partition("!")[0]).stem
        found[name] = found.get(name, 0) + 1
        assert row["account"] in (ACCOUNT, "2100000001")
        assert all((row["eventname"], row["eventsource"], row["eventtime"], row["awsregion"]))
    assert {name: found.get(str(number), 0) for number, name in enumerate(_ENVELOPES)} == {
        name: events for name, (_, events) in _ENVELOPES.items()
    }


def _found(value: Any, name: str = "one.json", account: str = "") -> list[Any]:
    return list(records(document(value), name, account))


def test_a_record_is_kept_byte_for_byte() -> None:
    texts = [
        '{ "eventVersion" : "1.08", "eventID":"1", "eventTime" : "2026-03-01T00:00:00Z","recipientAccountId":"012345678901", "n": 1.10 }',
        '{"eventVersion":"1.08","eventID":"2","eventTime":"2026-03-01T00:00:00Z","recipientAccountId":"012345678901","x":"\\u00e9\\/é", "b":123456789012345678901234567890}',
    ]  # fmt: skip
    wrapped = f'{{"Records": [ {texts[0]} ,\n {texts[1]}]}}'.encode()
    for value in (wrapped, json.dumps({"logEvents": [{"message": text} for text in texts]}).encode()):
        assert [found.json.decode() for found in _found(value)] == texts


def test_numbers_keep_their_digits(tmp_path: Path) -> None:
    numbers = {"big": "123456789012345678901234567890", "edge": "18446744073709551616", "price": "1.10", "long": "0.1234567890123456789012"}  # fmt: skip
    given = ", ".join(f'"{name}": {text}' for name, text in numbers.items())
    text = json.dumps(record(1)).replace('{"userName": "user-1"}', f'{{{given}, "inner": [{numbers["big"]}, 1.10]}}')
    collect([write(tmp_path / "one.json", text)], tmp_path / "lake")
    [row] = rows(tmp_path / "lake")
    assert dict(row["requestparameters"]) == numbers | {"inner": f"[{numbers['big']},1.10]"}
    assert row["eventjson"] == text


def test_map_columns_have_their_keys_in_order(tmp_path: Path) -> None:
    identity = {
        "sessionContext": {"webIdFederationData": {"attributes": {"sub": "1", "aud": "2"}}},
        "accountId": ACCOUNT,
    }
    collect([write(tmp_path / "federated.json", [record(3, userIdentity=identity)])], tmp_path / "identities")
    [row] = rows(tmp_path / "identities")
    attributes = row["useridentity"]["sessioncontext"]["webidfederationdata"]["attributes"]
    assert attributes == [("aud", "2"), ("sub", "1")]

    given = [
        record(1, requestParameters={"b": 1, "a": {"z": 1, "y": 2}}),
        record(2, requestParameters={"a": {"z": 1, "y": 2}, "b": 1}),
    ]
    collect([write(tmp_path / "one.json", given)], tmp_path / "lake")
    assert [row["requestparameters"] for row in rows(tmp_path / "lake")] == [[("a", '{"z":1,"y":2}'), ("b", "1")]] * 2


@pytest.mark.parametrize(
    ("name", "account"),
    [
        (f"b/AWSLogs/{_OTHER}/CloudTrail/eu-west-1/2024/05/01/a.json.gz", _OTHER),
        (f"b/AWSLogs/o-abc123/{_OTHER}/CloudTrail/eu-west-1/2024/05/01/a.json.gz", _OTHER),
        (f"b/AWSLogs/{_OTHER}/CloudTrail-Insight/eu-west-1/2024/05/01/a.json.gz", _OTHER),
        (f"x.zip!in/{_OTHER}_CloudTrail_eu-west-1_20240501T1000Z_aBc.json.gz", _OTHER),
        (f"{_OTHER}_CloudTrail-NetworkActivity_us-gov-west-1_20240501T1000Z_aBc.json.gz", _OTHER),
        (f"b/AWSLogs/{_OTHER}/Config/eu-west-1/a.json.gz", ""),
        ("b/AWSLogs/not-one/CloudTrail/a.json", ""),
        ("012_CloudTrail_eu-west-1_x.json", ""),
    ],
)
def test_the_account_of_a_record_that_names_none_is_in_its_name(name: str, account: str) -> None:
    assert RECORDS.account_in(name) == account
    anonymous = record(1, recipientAccountId=None, userIdentity={"type": "AWSService", "invokedBy": "x"})
    [found] = _found(anonymous, name)
    assert isinstance(found, Row if account else Unreadable)
    assert not isinstance(found, Row) or found.account == account
    [own] = _found(record(2), name)
    assert isinstance(own, Row)
    assert own.account == ACCOUNT


def test_an_envelope_says_whose_a_record_is_that_does_not() -> None:
    anonymous = record(1, recipientAccountId=None, userIdentity=None)
    for envelope in (
        {"account": _OTHER, "detail": anonymous},
        {"owner": _OTHER, "logEvents": [{"message": json.dumps(anonymous)}]},
    ):
        [found] = _found(envelope, account="222222222222")
        assert isinstance(found, Row)
        assert found.account == _OTHER
    [found] = _found({"account": "../../etc", "detail": anonymous})
    assert isinstance(found, Unreadable)


_FLAT = {name.lower(): value for name, value in record(1).items()} | {
    "eventtime": "2026-03-01 00:01:07.000", "readonly": "false", "requestparameters": '{"userName":"user-1"}', "responseelements": "null", "resources": "",
}  # fmt: skip


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(_FLAT, id="Athena's names"),
        pytest.param({"QueryResultRows": [[{name: value} for name, value in _FLAT.items() if isinstance(value, str)]]}, id="GetQueryResults"),
        pytest.param(_FLAT | {"useridentity": {"type": "IAMUser", "principalid": "x", "accountid": ACCOUNT, "arn": f"arn:aws:iam::{ACCOUNT}:user/alice"}}, id="nested names too"),
    ],
)  # fmt: skip
def test_an_exported_row_fills_the_columns(value: Any, tmp_path: Path) -> None:
    collect([write(tmp_path / "one.json", value)], tmp_path / "lake")
    [row] = rows(tmp_path / "lake")
    assert (row["eventname"], row["eventid"], row["account"], row["readonly"]) == (
        "CreateUser",
        "event-00000001",
        ACCOUNT,
        False,
    )
    assert (str(row["eventtime"]), row["awsregion"]) == ("2026-03-01 00:01:07", "us-east-1")
    assert dict(row["requestparameters"]) == {"userName": "user-1"}
    assert row["responseelements"] is None


_INSIGHT = {
    "eventVersion": "1.09", "eventTime": "2025-01-02T12:44:00Z", "awsRegion": "eu-west-1", "eventID": "i", "eventType": "AwsCloudTrailInsight",
    "recipientAccountId": ACCOUNT, "eventCategory": "Insight",
    "insightDetails": {"state": "End", "eventSource": "ec2.amazonaws.com", "eventName": "DescribeRegions", "insightType": "ApiErrorRateInsight", "errorCode": "Client.Limit"},
}  # fmt: skip
_AGGREGATED = {
    "eventVersion": "1.0", "accountId": ACCOUNT, "eventId": "a", "eventCategory": "Aggregated", "eventType": "AwsAggregatedEvent", "awsRegion": "eu-west-1",
    "timeWindow": {"windowStart": "2025-12-01T10:00:00Z", "windowEnd": "2025-12-01T10:05:00Z", "windowSize": "PT5M"},
    "summary": {"primaryDimension": {"dimension": "eventName", "statistics": [{"name": "GetObject", "value": 10}]}, "details": [{"dimension": "eventSource", "statistics": [{"name": "s3.amazonaws.com"}]}]},
}  # fmt: skip


def test_insights_and_aggregated_events_are_found_by_name(crosstrail: Any, tmp_path: Path) -> None:
    write(tmp_path / "logs/one.json", {"Records": [_INSIGHT, _AGGREGATED]})
    lake = ("--lake", str(tmp_path / "lake"))
    assert crosstrail("collect", str(tmp_path / "logs"), *lake).returncode == 0
    for name, shown in {
        "DescribeRegions": ("ec2", "insight/ApiErrorRateInsight/End", "Client.Limit"),
        "GetObject": ("s3", "aggregated/PT5M", "2025-12-01T10:00:00Z"),
    }.items():
        done = crosstrail("lookup", "--account", ACCOUNT, "--name", name, *lake)
        assert all(text in done.stdout for text in (name, *shown)), (done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ({"Records": [{"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "eu-west-1", "eventTime": "2024-05-01T10:00:00Z", "eventName": "ObjectCreated:Put", "s3": {}}]}, "S3 event notification"),
        ({"eventVersion": "1", "eventTime": "2022-04-12T10:23:43Z", "eventName": "x", "eventId": "1", "eventRW": "Execute", "userIdentity": {"accountId": "5558349267652842"}}, "Alibaba Cloud ActionTrail event"),
        ({"Response": {"Events": [{"EventId": "1", "EventTime": "1", "CloudAuditEvent": json.dumps({"eventVersion": 2, "eventTime": 1, "eventName": "x"})}]}}, "Tencent Cloud CloudAudit event"),
        ({"traces": [{"trace_id": "1", "trace_name": "x", "time": 1}]}, "Huawei Cloud CTS trace"),
        ({"insertId": "1", "logName": "x", "protoPayload": {}}, "Google Cloud audit log entry"),
        ({"value": [{"eventTimestamp": "x", "operationName": {"value": "x"}}]}, "Azure activity log event"),
        ({"kind": "Event", "apiVersion": "audit.k8s.io/v1", "verb": "get"}, "Kubernetes audit event"),
        ({"action": "org.add_member", "actor": "x", "org": "y", "@timestamp": 1}, "GitHub audit log event"),
        ({"published": "x", "eventType": "user.session.start", "actor": {}}, "Okta System Log event"),
        ({"EventID": 4624, "Channel": "Security", "EventTime": "2024-05-01 10:00:00"}, "Windows event"),
        ({"configSnapshotId": "1", "configurationItems": []}, "AWS Config snapshot"),
        ({"fileVersion": "1.0", "configurationItems": []}, "AWS Config history"),
        ({"timestamp": 1, "webaclId": "x"}, "AWS WAF log"),
        ({"detail-type": "GuardDuty Finding", "detail": {"schemaVersion": "2.0", "accountId": "1", "type": "x"}}, "GuardDuty finding"),
        ({"Type": "Notification", "Message": json.dumps({"s3Bucket": "b", "s3ObjectKey": ["k"]})}, "CloudTrail delivery notification"),
        ({"awsAccountId": "1", "digestStartTime": "x", "logFiles": []}, "CloudTrail digest"),
        ({"message": "2 111122223333 eni-1 10.0.0.1"}, "VPC flow log"),
        ({"eventName": "ListUsers", "eventSource": "iam.amazonaws.com", "description": "what it does"}, "other JSON"),
        ({"name": "package"}, "other JSON"),
        ({"kind": "Event", "apiVersion": "audit.k8s.io/v1", "verb": "create", "message": json.dumps(record(1))}, "Kubernetes audit event"),
        ({"insertId": "1", "logName": "x", "protoPayload": {}, "record": record(1)}, "Google Cloud audit log entry"),
    ],
)  # fmt: skip
def test_what_is_no_event_is_named(value: Any, kind: str) -> None:
    found = _found(value, account=ACCOUNT)
    assert found
    assert {(type(one), one.kind) for one in found} == {(NotAnEvent, kind)}


@pytest.mark.parametrize(
    ("name", "head", "kind"),
    [
        ("b/AWSLogs/111122223333/Config/eu-west-1/2024/5/1/ConfigHistory/x.json.gz", b"", "AWS Config history"),
        ("b/AWSLogs/o-abc/111122223333/Config/eu-west-1/2024/5/1/ConfigSnapshot/x.json.gz", b"", "AWS Config snapshot"),
        ("b/AWSLogs/111122223333/WAFLogs/eu-west-1/x.log.gz", b"", "AWS WAF log"),
        ("b/AWSLogs/111122223333/vpcflowlogs/eu-west-1/x.log.gz", b"", "VPC flow log"),
        ("b/x", b"79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be bucket [01/May/2024", "S3 server access log"),
        ("b/x", b"h2 2024-05-01T10:00:00.0Z app/x 1.2.3.4:5 - -1", "load balancer access log"),
        ("b/CloudTrail-Digest/x_CloudTrail-Digest_y.json.gz", b"{", "CloudTrail digest"),
        ("b/._a.json", b"\x00\x05\x16\x07", "macOS metadata file"),
        ("b/a.json", b"{}", ""),
    ],
)  # fmt: skip
def test_files_of_a_shared_bucket_are_named(name: str, head: bytes, kind: str) -> None:
    assert kind_of_file(name, head) == kind


def _samples(shared: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted((shared / "clouds").glob("*/**/*.json*")):
        data = path.read_bytes()
        if path.parent.name == "alibaba" or any(word in path.name for word in ("openapi", "vectors", "golden", "api.")):
            continue
        try:
            json.loads(data)
            yield path.name, data
        except ValueError:
            yield from ((path.name, line) for line in data.splitlines() if line.strip())


def test_no_event_of_another_cloud_goes_in(shared_data: Path) -> None:
    kinds: dict[str, int] = {}
    for name, data in _samples(shared_data):
        for found in records(document(data), name, ACCOUNT):
            assert isinstance(found, NotAnEvent), name
            kinds[found.kind] = kinds.get(found.kind, 0) + 1
    assert sum(kinds.values()) > 700
    assert kinds["other JSON"] < 30
    for cloud in ("Tencent Cloud", "Google Cloud", "Azure", "Huawei Cloud", "Kubernetes", "Microsoft"):
        assert any(kind.startswith(cloud) for kind in kinds), cloud


_DEEP = 40


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b'{"detail":' * _DEEP + b"{}" + b"}" * _DEEP, id="envelopes"),
        pytest.param(b"[" * _DEEP + b"1" + b"]" * _DEEP, id="lists"),
        pytest.param(json.dumps({"message": _data("x" * (80 << 20))}).encode(), id="a bomb"),
        pytest.param(b"[" + b"[]," * 1_500_000 + b"[]]", id="very many empty lists"),
        pytest.param(b"[" + b"0," * 1_500_000 + b"0]", id="very many numbers"),
        pytest.param(b'{"Records":' * 500 + b"{}" + b"}" * 500, id="objects where lists are expected"),
        pytest.param(json.dumps(record(1, recipientAccountId="1" * 4000, userIdentity={"accountId": {"a": 1}})).encode(), id="accounts that are none"),
        pytest.param(json.dumps(record(1)).replace('"user-1"', "1" * 6000).encode(), id="a number of thousands of digits"),
        pytest.param(json.dumps(record(1, eventTime=10**400)).encode(), id="a time beyond all"),
    ],
)  # fmt: skip
def test_hostile_values_give_no_event(value: bytes) -> None:
    found = _found(value)
    assert not any(isinstance(one, Row) for one in found)
    assert all(one.reason for one in found)


_WRAPPERS = st.sampled_from(
    ["detail", "message", "_raw", "result", "Records", "records", "logEvents", "event", "body", "data"]
)


@settings(max_examples=100)
@given(st.lists(st.tuples(_WRAPPERS, st.sampled_from(["object", "text", "list", "packed"])), max_size=5))
def test_any_few_envelopes_give_the_record(layers: list[tuple[str, str]]) -> None:
    text = json.dumps(record(1), separators=(", ", ":"))
    value = text
    for key, form in layers:
        inner = {"object": value, "text": json.dumps(value), "list": f"[{value}]", "packed": json.dumps(_data(value))}[
            form
        ]
        value = f'{{"{key}": {inner}}}'
    [found] = _found(value.encode())
    assert (found.id, found.json.decode()) == ("event-00000001", text)
