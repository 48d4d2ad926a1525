"""The made-up organisation: the same bytes every time, believable, and with the incident whole in its log files."""

from __future__ import annotations

import gzip
import hashlib
import ipaddress
import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from crosstrail.demo.digests import KEYS, SIGNATURES
from crosstrail.demo.organization import Organization, generate, settings_text
from crosstrail.models import Account

Record = dict[str, Any]
PROD, DEV, AUDIT = "111122223333", "444455556666", "123456789012"
CN, HZ = "2100000001", "1100000000000001"


@pytest.fixture(scope="module")
def organization(tmp_path_factory: pytest.TempPathFactory) -> Organization:
    return generate(tmp_path_factory.mktemp("organization"))


@pytest.fixture(scope="module")
def cloudtrail(organization: Organization) -> list[tuple[Path, Record]]:
    return [(path, record) for path in trail_files(organization) for record in read(path)["Records"]]


@pytest.fixture(scope="module")
def volcengine(organization: Organization) -> list[Record]:
    paths = sorted((organization.folder / "logs" / "volcengine" / CN).iterdir())
    return [item for path in paths for item in json.loads(path.read_bytes())["Result"]["Trails"]]


@pytest.fixture(scope="module")
def actiontrail(organization: Organization) -> list[tuple[Path, Record]]:
    paths = sorted((organization.folder / "logs" / "alibaba" / HZ).rglob("*.gz"))
    return [(path, event) for path in paths for event in json.loads(gzip.decompress(path.read_bytes()))]


def trail_files(organization: Organization) -> list[Path]:
    return sorted((organization.folder / "logs" / "AWSLogs").glob("*/*/CloudTrail/**/*.json.gz"))


def read(path: Path) -> Record:
    loaded: Record = json.loads(gzip.decompress(path.read_bytes()))
    return loaded


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_another_process_generates_the_same_bytes(tmp_path: Path) -> None:
    generate(tmp_path / "here", 2)
    program = (
        "import sys, pathlib; from crosstrail.demo.organization import generate; generate(pathlib.Path(sys.argv[1]), 2)"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "1", "PYTHONPATH": os.pathsep.join(sys.path), "TZ": "Asia/Tokyo"}
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "there")], env=environment, check=True)
    assert digests(tmp_path / "there") == digests(tmp_path / "here")


def test_it_says_how_much_it_wrote(
    organization: Organization,
    cloudtrail: list[tuple[Path, Record]],
    volcengine: list[Record],
    actiontrail: list[tuple[Path, Record]],
) -> None:
    ids = {record["eventID"] for _, record in cloudtrail} | {item["EventID"] for item in volcengine}
    ids |= {event["eventId"] for _, event in actiontrail}
    signed = {SIGNATURES, KEYS}
    assert organization.files + organization.digests + len(signed) == len(digests(organization.folder))
    assert organization.records == len(cloudtrail) + len(volcengine) + len(actiontrail)
    assert organization.events == len(ids)
    assert 20_000 < organization.events < 24_000


def test_some_events_are_delivered_twice_and_those_are_the_same_in_two_files(
    cloudtrail: list[tuple[Path, Record]], volcengine: list[Record], actiontrail: list[tuple[Path, Record]]
) -> None:
    copies: dict[str, list[tuple[Path, Record]]] = defaultdict(list)
    for path, record in cloudtrail:
        copies[record["eventID"]].append((path, record))
    twice = [found for found in copies.values() if len(found) > 1]
    assert 10 <= len(twice) <= 60
    assert all(len(found) == 2 and found[0][0] != found[1][0] and found[0][1] == found[1][1] for found in twice)
    assert len({item["EventID"] for item in volcengine}) == len(volcengine)
    assert len({event["eventId"] for _, event in actiontrail}) == len(actiontrail)


def test_every_account_has_events_on_each_of_thirty_days(
    cloudtrail: list[tuple[Path, Record]], volcengine: list[Record], actiontrail: list[tuple[Path, Record]]
) -> None:
    seen: dict[str, set[str]] = defaultdict(set)
    for _, record in cloudtrail:
        seen[record["recipientAccountId"]].add(record["eventTime"][:10])
    for item in volcengine:
        seen[json.loads(item["EventDetail"])["UserIdentity"]["AccountID"]].add(item["EventTime"][:10])
    for _, event in actiontrail:
        seen[event["recipientAccountId"]].add(event["eventTime"][:10])
    assert set(seen) == {PROD, DEV, AUDIT, CN, HZ}
    for account, days in seen.items():
        assert (min(days), max(days), len(days)) == ("2026-10-21", "2026-11-19", 30), account


def test_files_lie_where_cloudtrail_puts_them_and_arrive_late(cloudtrail: list[tuple[Path, Record]]) -> None:
    delays = []
    for path, record in cloudtrail:
        account, _, region, stamp, _ = path.name.split("_")
        assert (account, region) == (record["recipientAccountId"], record["awsRegion"])
        delivered = datetime.strptime(stamp, "%Y%m%dT%H%MZ").replace(tzinfo=UTC)
        folder = path.parent.as_posix()
        assert folder.endswith(f"/AWSLogs/o-exampleorg/{account}/CloudTrail/{region}/{delivered:%Y/%m/%d}")
        delays.append((delivered - moment(record["eventTime"])).total_seconds())
    assert min(delays) > 0
    assert 180 < sorted(delays)[len(delays) // 2] < 900


def test_files_lie_where_actiontrail_puts_them_within_ten_minutes(actiontrail: list[tuple[Path, Record]]) -> None:
    held: dict[Path, list[Record]] = defaultdict(list)
    for path, event in actiontrail:
        held[path].append(event)
    for path, events in held.items():
        _, region, stamp, form, count, size, md5 = path.name.removesuffix(".gz").split("_")
        content = gzip.decompress(path.read_bytes())
        assert (form, int(count), int(size)) == ("1002", len(events), len(content))
        assert md5 == hashlib.md5(content, usedforsecurity=False).hexdigest()
        delivered = datetime.strptime(stamp, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        folder = path.parent.as_posix()
        assert folder.endswith(f"/{HZ}/AliyunLogs/Actiontrail/{region}/{delivered:%Y/%m/%d}")
        delays = [(delivered - moment(event["eventTime"])).total_seconds() for event in events]
        assert 0 < min(delays) <= max(delays) < 600
        assert max(delays) - min(delays) < 300


def test_events_have_the_form_of_actiontrails(actiontrail: list[tuple[Path, Record]]) -> None:
    kinds = Counter(event["userIdentity"]["type"] for _, event in actiontrail)
    assert set(kinds) == {"ram-user", "assumed-role"}
    for _, event in actiontrail:
        identity = event["userIdentity"]
        assert (identity["accountId"], event["acsRegion"]) == (HZ, "cn-hangzhou")
        assert json.loads(event["requestParameterJson"]) == event["requestParameters"]
        assert event["eventSource"].endswith(".aliyuncs.com")
        assert event["eventRW"] in ("Read", "Write")
        named = {name for names in event.get("referencedResources", {}).values() for name in names}
        assert named <= set(event["requestParameters"].values())
        temporary = identity.get("accessKeyId", "").startswith("STS.")
        assert temporary is (identity["type"] == "assumed-role")
        # The console's calls carry no key.
        assert ("accessKeyId" in identity) is not event["userAgent"].endswith(".console.aliyun.com")


def test_records_have_the_form_of_real_ones(cloudtrail: list[tuple[Path, Record]]) -> None:
    always = {"eventVersion", "userIdentity", "eventTime", "eventSource", "eventName", "awsRegion", "sourceIPAddress"}
    always |= {"userAgent", "requestParameters", "responseElements", "eventID", "readOnly", "eventType"}
    always |= {"managementEvent", "recipientAccountId", "eventCategory"}
    kinds = Counter(record["userIdentity"]["type"] for _, record in cloudtrail)
    assert set(kinds) == {"AssumedRole", "AWSAccount", "AWSService", "IAMUser", "SAMLUser", "WebIdentityUser"}
    for _, record in cloudtrail:
        assert always <= set(record), record["eventName"]
        assert "{" not in record["userAgent"]
        assert record["eventVersion"] in {"1.08", "1.09", "1.10", "1.11"}
        assert record["managementEvent"] is (record["eventCategory"] == "Management")
        if "errorCode" in record:
            assert record["responseElements"] is None
        if record["userIdentity"]["type"] == "AWSService":
            assert record["sourceIPAddress"] == record["userIdentity"]["invokedBy"]
            assert "tlsDetails" not in record
    reads = sum(record["readOnly"] for _, record in cloudtrail) / len(cloudtrail)
    errors = Counter(record.get("errorCode", "") for _, record in cloudtrail)
    assert 0.75 < reads < 0.95
    assert {"AccessDenied", "AccessDeniedException", "Client.UnauthorizedOperation", "NoSuchBucketPolicy"} <= set(
        errors
    )
    assert {"ThrottlingException", "Client.RequestLimitExceeded"} <= set(errors)
    assert 0.01 < 1 - errors[""] / len(cloudtrail) < 0.06


def test_people_keep_office_hours_and_weekends(cloudtrail: list[tuple[Path, Record]]) -> None:
    people = [moment(record["eventTime"]) for _, record in cloudtrail if "assumed-role/AWSReservedSSO" in arn(record)]
    assert len(people) > 1500
    assert sum(when.weekday() >= 5 for when in people) < 0.1 * len(people)
    assert all(when.hour >= 6 for when in people)


def test_no_address_could_be_anybodys(
    cloudtrail: list[tuple[Path, Record]], volcengine: list[Record], actiontrail: list[tuple[Path, Record]]
) -> None:
    documentation = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "10.0.0.0/8")
    networks = [ipaddress.ip_network(text) for text in documentation]
    addresses = {record["sourceIPAddress"] for _, record in cloudtrail} | {
        item["SourceIPAddress"] for item in volcengine
    }
    addresses |= {event["sourceIpAddress"] for _, event in actiontrail}
    assert len(addresses) > 10
    for text in addresses:
        if not text.endswith(".amazonaws.com"):
            assert any(ipaddress.ip_address(text) in network for network in networks), text


def arn(record: Record) -> str:
    return str(record["userIdentity"].get("arn", ""))


def test_the_incident_is_in_the_files_whole_and_in_order(
    organization: Organization, cloudtrail: list[tuple[Path, Record]]
) -> None:
    incident = organization.incident
    stored = {record["eventID"]: record for _, record in cloudtrail}
    assert all(stored[event["eventID"]] == event for event in incident.events)
    logged = [event for event in incident.response if not incident.silence.has(event)]
    assert all(stored[event["eventID"]] == event for event in logged)
    assert not any(incident.silence.has(record) for record in stored.values())
    assert 0 < len(logged) < len(incident.response)
    times = [moment(event["eventTime"]) for event in incident.events]
    assert times == sorted(times)
    assert (times[0], times[-1]) == (incident.began, incident.ended)
    assert {when.date().isoformat() for when in times} == {"2026-11-17"}
    acts = [event["eventName"] for event in incident.events if "errorCode" not in event]
    plot = ["GetCallerIdentity", "ListUsers", "DescribeInstances", "CreateUser", "AttachUserPolicy", "CreateAccessKey"]
    plot += ["CreateSnapshot", "ModifySnapshotAttribute", "AssumeRole", "StopLogging", "GetSecretValue"]
    assert list(subsequence(plot, acts)) == plot
    denials = [event for event in incident.of_key(incident.access_key) if "Denied" in event.get("errorCode", "")]
    assert len(denials) >= 8


def subsequence(wanted: list[str], acts: list[str]) -> Iterator[str]:
    left = iter(acts)
    return (name for name in wanted if name in left)


def test_the_hop_into_the_second_account_is_one_call_in_two_logs(organization: Organization) -> None:
    incident = organization.incident
    here, there = (event for event in incident.events if event["eventName"] == "AssumeRole")
    assert {here["recipientAccountId"], there["recipientAccountId"]} == {PROD, DEV}
    assert here["sharedEventID"] == there["sharedEventID"]
    assert here["eventID"] != there["eventID"]
    assert here["responseElements"] == there["responseElements"]
    assert here["responseElements"]["credentials"]["accessKeyId"] == incident.session_key
    inside = incident.of_key(incident.session_key)
    assert {event["recipientAccountId"] for event in inside} == {DEV}
    secrets = [event for event in inside if event["eventName"] == "GetSecretValue" and "errorCode" not in event]
    assert len({event["requestParameters"]["secretId"] for event in secrets}) == 3


def test_what_the_intruder_did_can_be_told_from_the_rest(
    organization: Organization,
    cloudtrail: list[tuple[Path, Record]],
    volcengine: list[Record],
    actiontrail: list[tuple[Path, Record]],
) -> None:
    incident = organization.incident
    unique = {record["eventID"]: record for _, record in cloudtrail}.values()
    stops = [record for record in unique if record["eventName"] == "StopLogging"]
    assert [record["eventID"] for record in stops] == [incident.stop_logging_id]
    assert stops[0]["userIdentity"]["accessKeyId"] == incident.access_key

    from_there = [record for record in unique if record["sourceIPAddress"] == incident.source_ip]
    services = [event for event in incident.events if event["sourceIPAddress"].endswith(".amazonaws.com")]
    assert len(from_there) + len(services) == len(incident.events)
    abroad = [item for item in volcengine if item["SourceIPAddress"] == incident.source_ip]
    assert len(abroad) >= 3
    assert {item["ErrorCode"] for item in abroad} == {"", "AccessDenied"}
    further = [event for _, event in actiontrail if event["sourceIpAddress"] == incident.source_ip]
    assert len(further) >= 3
    assert {event.get("errorCode", "") for event in further} == {"", "AccessDenied", "NoPermission"}
    (leaked,) = {event["userIdentity"]["accessKeyId"] for event in further}
    owners = [event for _, event in actiontrail if event["userIdentity"].get("accessKeyId") == leaked]
    assert len(owners) > 20 * len(further)

    owner = [record for record in unique if record["userIdentity"].get("accessKeyId") == incident.access_key]
    ordinary = [record for record in owner if record["sourceIPAddress"] != incident.source_ip]
    assert len(ordinary) > 500
    assert max(record["eventTime"] for record in ordinary) < "2026-11-17"
    assert any(record["eventTime"] > "2026-11-17T09" and arn(record).endswith("user/deploy-bot") for record in unique)


def test_the_settings_name_every_account_and_an_archive_that_exists(organization: Organization) -> None:
    document = yaml.safe_load(settings_text(organization.folder))
    accounts = [Account.model_validate(entry) for entry in document["accounts"]]
    assert [account.name for account in accounts] == ["prod", "dev", "audit", "cn-prod", "hz-prod"]
    for listed, account in zip(accounts, organization.accounts, strict=True):
        assert listed.key == account.key
        assert Path(listed.archive).is_dir()
        assert Path(listed.archive) == organization.folder / account.archive
    assert Path(document["lake"]["path"]) == organization.folder / "lake"
