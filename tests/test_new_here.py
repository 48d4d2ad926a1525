"""What is new: first-seen actions, regions, networks and others, keys and places, and what is said where too little is known."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mmdb_writer import MMDBWriter
from netaddr import IPSet  # type: ignore[import-untyped]

import preloaded
from crosstrail.accounts.policy import Principal
from crosstrail.server.app import create_server
from crosstrail.workspace.workspace import Workspace
from lake_workspace import DEV, PROD, Always, client_of, collect, facts_of, record, settings, text_of, write_logs

pytestmark = pytest.mark.anyio

START = datetime(2026, 11, 1, tzinfo=UTC)
HOSTILE = "x\x1b[31m\n--- end\u202e<script>```"
ALICE = f"arn:aws:iam::{PROD}:user/alice"
CI = f"arn:aws:iam::{PROD}:role/ci"
PARIS, SYDNEY = "203.0.113.7", "198.18.5.5"


def user(name: str, key: str, account: str = PROD) -> dict[str, Any]:
    return {
        "type": "IAMUser",
        "arn": f"arn:aws:iam::{account}:user/{name}",
        "accountId": account,
        "accessKeyId": key,
        "userName": name,
    }


def session(role: str, name: str, key: str) -> dict[str, Any]:
    arn = f"arn:aws:sts::{PROD}:assumed-role/{role}/{name}"
    issuer = {"type": "Role", "arn": f"arn:aws:iam::{PROD}:role/{role}", "userName": role}
    return {
        "type": "AssumedRole",
        "arn": arn,
        "accountId": PROD,
        "accessKeyId": key,
        "sessionContext": {"sessionIssuer": issuer},
    }


def _history() -> Iterator[dict[str, Any]]:
    """45 days of alice and of ci in prod, 5 of bob in dev; old-key was used once, at their beginning."""
    number = 0
    for day in range(45):
        for hour in (3, 9):
            number += 1
            time = START - timedelta(days=45 - day) + timedelta(hours=hour)
            yield record(PROD, number, time, userIdentity=user("alice", "AKIAALICE"))
            yield record(
                PROD,
                1_000 + number,
                time,
                userIdentity=session("ci", f"build-{number}", f"ASIACI{number:06d}"),
                userAgent="boto3/1.1 x",
            )
    yield record(PROD, 900, START - timedelta(days=44), userIdentity=user("alice", "AKIADORMANT"))
    for day in range(5):
        yield record(DEV, 2_000 + day, START - timedelta(days=5 - day), userIdentity=user("bob", "AKIABOB", DEV))


def _new() -> Iterator[dict[str, Any]]:
    alice = user("alice", "AKIAALICE")
    time = START + timedelta(hours=10)
    yield record(PROD, 3_000, time, userIdentity=alice, eventName="StopInstances", readOnly=False)
    yield record(PROD, 3_001, time, userIdentity=alice, eventSource="iam.amazonaws.com", eventName="CreateUser")
    yield record(PROD, 3_002, time, userIdentity=alice, awsRegion="ap-southeast-2")
    yield record(PROD, 3_003, time, userIdentity=alice, userAgent="kali-tool/9 x")
    yield record(PROD, 3_004, time + timedelta(minutes=30), userIdentity=alice, sourceIPAddress=SYDNEY)
    yield record(PROD, 3_005, time, userIdentity=alice, sourceIPAddress="2001:db8::7")
    yield record(
        PROD,
        3_006,
        time,
        userIdentity=alice,
        eventSource="kms.amazonaws.com",
        eventName="ListKeys",
        errorCode="AccessDenied",
    )
    yield record(PROD, 3_007, time, userIdentity=user("alice", "AKIADORMANT"))
    # the same role in another session, another version of its program: nothing new
    yield record(PROD, 3_008, time, userIdentity=session("ci", "build-new", "ASIACINEW"), userAgent="boto3/2.2 x")
    for place in range(2):
        stolen = session("ci", "build-stolen", "ASIASTOLEN")
        yield record(
            PROD,
            3_010 + place,
            time,
            userIdentity=stolen,
            userAgent="boto3/2.2",
            sourceIPAddress=f"203.0.{113 + place}.9",
        )
    service = {"type": "AWSService", "invokedBy": "config.amazonaws.com"}
    yield record(
        PROD, 3_020, time, userIdentity=service, eventName="DescribeEverything", sourceIPAddress="config.amazonaws.com"
    )
    yield record(PROD, 3_021, time, userIdentity=user(HOSTILE, "AKIAHOSTILE"), eventName=HOSTILE, awsRegion=HOSTILE)
    yield record(DEV, 3_030, time, userIdentity=user("bob", "AKIABOB", DEV), eventName="NeverBefore")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("new")
    write_logs(folder / "logs", [*_history(), *_new()])
    collect(folder / "logs", folder / "lake")
    made = MMDBWriter(ip_version=4, database_type="Made-City")
    for network, latitude, longitude, city in (
        ("203.0.113.0/24", 48.85, 2.35, "Paris"),
        ("198.18.5.0/24", -33.87, 151.21, "Sydney"),
    ):
        place = {"location": {"latitude": latitude, "longitude": longitude}, "city": {"names": {"en": city}}}
        made.insert_network(IPSet([network]), place)
    made.to_db_file(str(folder / "places.mmdb"))
    made = MMDBWriter(ip_version=4, database_type="Made-ASN")
    made.insert_network(
        IPSet(["203.0.112.0/20"]), {"autonomous_system_number": 64500, "autonomous_system_organization": "Example"}
    )
    made.to_db_file(str(folder / "systems.mmdb"))
    return folder


@pytest.fixture(scope="module")
def detected(folder: Path) -> tuple[list[dict[str, Any]], str]:
    """(findings, what was said beside them) of the command."""
    args = ("detect", "--new", "--since", START.date().isoformat(), "--until", "2026-11-02", "--level", "low")
    done = preloaded.run(
        *args,
        "--lake",
        folder / "lake",
        "--format",
        "json",
        environ={"CROSSTRAIL_DETECT_GEO": str(folder / "places.mmdb")},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def test_each_kind_of_new_is_found_once(detected: tuple[list[dict[str, Any]], str]) -> None:
    found = {(one["rule"]["id"], one["principal"].rpartition(":")[2]): one.get("group") for one in detected[0]}
    hostile = f"user/{HOSTILE}"
    assert found == {
        ("impossible-travel", "user/alice"): {},
        ("first-seen-api", "user/alice"): {"api": "ec2:StopInstances"},
        ("first-seen-service", "user/alice"): {"service": "iam.amazonaws.com, kms.amazonaws.com"},
        ("first-seen-region", "user/alice"): {"region": "ap-southeast-2"},
        ("first-seen-program", "user/alice"): {"program": "kali-tool"},
        ("first-seen-network", "user/alice"): {"network": "198.18.5.0/24, 2001:db8:0::/48"},
        ("rare-denied-call", "user/alice"): {"denied": "kms:ListKeys"},
        ("dormant-key-used", "user/alice"): {"access_key": "AKIADORMANT"},
        ("key-from-several-networks", "user/alice"): {
            "access_key": "AKIAALICE",
            "networks": "198.18.5.0/24, 2001:db8:0::/48, 203.0.113.0/24",
        },
        ("key-from-several-networks", "role/ci"): {"access_key": "ASIASTOLEN", "networks": "203.0.113.0/24, 203.0.114.0/24"},
        ("first-seen-network", "role/ci"): {"network": "203.0.114.0/24"},
        ("first-seen-principal", hostile): {},
    }  # fmt: skip


def test_the_learning_span_is_stated(detected: tuple[list[dict[str, Any]], str]) -> None:
    notes = {(one["rule"]["id"], one["principal"]): one["note"] for one in detected[0]}
    learned = "learned from 2026-09-17T03:00:00Z to 2026-11-01T00:00:00Z (45 days with logs)"
    assert notes["first-seen-api", ALICE] == f"{learned}, 91 events of it since 2026-09-17T03:00:00Z"
    assert "last used on 2026-09-18, 44 days before" in notes["dormant-key-used", ALICE]
    travel = notes["impossible-travel", ALICE]
    assert "Paris (203.0.113.7) to Sydney (198.18.5.5)" in travel
    assert all(one["rule"]["kind"] == "baseline" for one in detected[0])


def test_too_short_a_history_is_said_once(detected: tuple[list[dict[str, Any]], str]) -> None:
    found, said = detected
    assert not any(one["account"] == DEV for one in found)
    assert said.count("Not enough history of") == 1
    assert f"Not enough history of {DEV} to say what is new: 5 days with logs" in said
    assert "No place is known of" in said


@pytest.mark.parametrize("since", ["", "2026-11-01"])
def test_a_summary_says_what_is_new_about_its_subject(folder: Path, since: str) -> None:
    narrowed = ("--since", since) if since else ()
    done = preloaded.run("summarize", ALICE, "--lake", folder / "lake", "--format", "json", *narrowed)
    assert done.returncode == 0, done.stderr
    new = json.loads(done.stdout)["new"]
    assert new["enough_history"]
    assert new["learned_from"] == "2026-09-17T03:00:00Z"
    found = {(one["kind"], one["value"]) for one in new["values"]}
    assert found == {
        ("action", "ec2:StopInstances"),
        ("action", "iam:CreateUser"),
        ("action", "kms:ListKeys"),
        ("region", "ap-southeast-2"),
        ("network", "198.18.5.0/24"),
        ("network", "2001:db8:0::/48"),
        ("program", "kali-tool"),
    }
    if since:
        bob = preloaded.run("summarize", f"arn:aws:iam::{DEV}:user/bob", "--lake", folder / "lake")
        assert "New: not told, for it is known since" in bob.stdout


async def test_the_tool_says_the_same(folder: Path) -> None:
    async with client_of(settings(folder / "lake")) as client:
        answered = await client.call_tool(
            "run_detections", {"new": True, "start_time": "2026-11-01", "end_time": "2026-11-02", "level": "low"}
        )
        latest = await client.call_tool("run_detections", {"new": True})
    assert facts_of(answered)["findings"] == 11  # without a database of addresses
    text = text_of(answered)
    assert "Places are not compared" in text
    assert "\x1b" not in text
    assert len(text.encode()) <= 9_000
    assert "New from 2026-10-31T10:30:01Z to 2026-11-01T10:30:01Z" in text_of(latest)


def test_networks_of_one_autonomous_system_are_one(folder: Path) -> None:
    args = (
        "detect",
        "--new",
        "--since",
        "2026-11-01",
        "--until",
        "2026-11-02",
        "--format",
        "json",
        "--lake",
        folder / "lake",
    )
    done = preloaded.run(*args, environ={"CROSSTRAIL_DETECT_GEO": str(folder / "systems.mmdb")})
    assert done.returncode == 0, done.stderr
    several = [one for one in json.loads(done.stdout) if one["rule"]["id"] == "key-from-several-networks"]
    assert [one["group"]["access_key"] for one in several] == ["AKIAALICE"]  # the session's two networks are of one
    assert several[0]["note"].endswith("; AS64500 Example")
    assert "Left out: 1 key used from several networks of one autonomous system." in done.stderr


async def test_nothing_is_learned_of_accounts_that_may_not_be_seen(folder: Path) -> None:
    rules = [{"who": ["dev@example.com"], "accounts": ["dev"]}]
    workspace = Workspace(settings(folder / "lake", access=rules))
    someone = Principal(subject="dev@example.com", email="dev@example.com")
    async with Client(create_server(workspace, Always(workspace, someone))) as client:
        text = text_of(
            await client.call_tool("run_detections", {"new": True, "start_time": "2026-11-01", "level": "low"})
        )
    assert text.startswith("No findings")
    assert "Not enough history of dev" in text
    assert PROD not in text
    assert "prod" not in text


def test_a_database_that_is_none_is_named(folder: Path) -> None:
    done = preloaded.run(
        *("detect", "--new", "--lake", folder / "lake"), environ={"CROSSTRAIL_DETECT_GEO": str(folder / "logs")}
    )
    assert done.returncode == 1
    assert "detect.geo" in done.stderr
    refused = preloaded.run("detect", "--new", "--rule", "x", "--lake", folder / "lake")
    assert refused.returncode == 2
