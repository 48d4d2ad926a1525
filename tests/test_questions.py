"""Twelve questions as people ask them, each answered through a real MCP client by at most two calls and 9 KB.

The calls use what the tools' own descriptions name and nothing else; the answers are compared with what the raw log files
say, counted here by hand: over generated files, and over those that strangers made where they are here.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from mcp import Client
from mcp_types import CallToolResult, TextContent, TextResourceContents

from conftest import SHARED_DATA
from crosstrail.demo.answers import objects, rows
from lake_workspace import DEV, NOON, OLD, PROD, client_of, collect, facts_of, record, settings, write_logs

pytestmark = pytest.mark.anyio

MAX_CALLS, MAX_BYTES = 2, 9_000
Record = Mapping[str, Any]
_FIRST = NOON - timedelta(days=13)
_SILENT = NOON - timedelta(days=4)
"""The day of which the trail of DEV delivered nothing."""
KEY, GROUP, BUCKET, ROLE = "AKIALEAKEDEXAMPLE001", "sg-0open", "orders-export", "Deployer"


def _user(account: str, name: str) -> Record:
    return {
        "type": "IAMUser",
        "principalId": f"AIDA{name.upper()}",
        "arn": f"arn:aws:iam::{account}:user/{name}",
        "accountId": account,
        "accessKeyId": KEY if name == "build" else f"AKIA{name.upper()}EXAMPLE",
        "userName": name,
    }


def _session(account: str, role: str, name: str) -> Record:
    issuer = {"type": "Role", "arn": f"arn:aws:iam::{account}:role/{role}", "accountId": account, "userName": role}
    return {
        "type": "AssumedRole",
        "principalId": f"AROA{role.upper()}:{name}",
        "arn": f"arn:aws:sts::{account}:assumed-role/{role}/{name}",
        "accountId": account,
        "accessKeyId": f"ASIA{role.upper()}EXAMPLE",
        "sessionContext": {"sessionIssuer": issuer, "attributes": {"mfaAuthenticated": "false"}},
    }


def _root(account: str) -> Record:
    return {"type": "Root", "principalId": account, "arn": f"arn:aws:iam::{account}:root", "accountId": account}


def _iam(name: str, **more: Any) -> dict[str, Any]:
    return {"eventName": name, "eventSource": "iam.amazonaws.com", "readOnly": False, **more}


def _ec2(name: str, **more: Any) -> dict[str, Any]:
    return {"eventName": name, "eventSource": "ec2.amazonaws.com", "readOnly": False, **more}


def _sign_in(account: str, identity: Record, mfa: str, outcome: str = "Success") -> dict[str, Any]:
    return {
        "eventName": "ConsoleLogin",
        "eventSource": "signin.amazonaws.com",
        "eventType": "AwsConsoleSignIn",
        "readOnly": False,
        "userIdentity": identity,
        "requestParameters": None,
        "additionalEventData": {"LoginTo": "https://console.aws.amazon.com/", "MFAUsed": mfa},
        "responseElements": {"ConsoleLogin": outcome},
    }


def _told() -> Iterator[tuple[str, datetime, dict[str, Any]]]:
    """What the questions are about: (account, time, what is special about the record)."""
    for hour, mfa, name in ((3, "No", "alice"), (9, "Yes", "bob"), (30, "No", "carol")):
        yield PROD, _FIRST + timedelta(hours=hour), _sign_in(PROD, _user(PROD, name), mfa)
    yield PROD, _FIRST + timedelta(hours=31), _sign_in(PROD, _user(PROD, "dave"), "No", "Failure")
    yield OLD, _FIRST + timedelta(hours=50), _sign_in(OLD, _root(OLD), "No")
    yield OLD, _FIRST + timedelta(hours=51), _iam("UpdateAccountPasswordPolicy", userIdentity=_root(OLD))
    for hour, account, maker, made in (
        (60, PROD, "alice", "svc-sync"),
        (80, DEV, "carol", "eve"),
        (90, DEV, "carol", "f"),
    ):
        new = {"user": {"userName": made, "arn": f"arn:aws:iam::{account}:user/{made}"}}
        change = _iam("CreateUser", userIdentity=_user(account, maker), requestParameters={"userName": made})
        yield account, _FIRST + timedelta(hours=hour), {**change, "responseElements": new}
    denied = _iam("CreateUser", userIdentity=_user(DEV, "mallory"), requestParameters={"userName": "x"})
    yield DEV, _FIRST + timedelta(hours=91), {**denied, "errorCode": "AccessDenied"}
    policy = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}]}
    public = {"bucketName": BUCKET, "bucketPolicy": policy}
    s3 = {"eventName": "PutBucketPolicy", "eventSource": "s3.amazonaws.com", "readOnly": False}
    yield PROD, _FIRST + timedelta(hours=100), {**s3, "userIdentity": _user(PROD, "bob"), "requestParameters": public}
    for hour, name in ((110, "AuthorizeSecurityGroupIngress"), (115, "RevokeSecurityGroupIngress")):
        opened = {"groupId": GROUP, "ipPermissions": {"items": [{"ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]}}]}}
        yield (
            DEV,
            _FIRST + timedelta(hours=hour),
            _ec2(name, userIdentity=_user(DEV, "carol"), requestParameters=opened),
        )


def _generated() -> list[dict[str, Any]]:
    """Two weeks of three accounts, with a day of one of them missing."""
    rng = Random("twelve questions")  # noqa: S311 - the same every time
    names = ("DescribeInstances", "ListBuckets", "GetUser", "RunInstances", "PutObject", "TagResource")
    made = [record(account, number, when, **special) for number, (account, when, special) in enumerate(_told())]
    for number in range(len(made), 1_200):
        account = rng.choice((PROD, DEV, OLD))
        when = _FIRST + timedelta(seconds=rng.randrange(13 * 86_400))
        if account == DEV and when.date() == _SILENT.date():
            continue
        name = rng.choice(names)
        who = rng.choice((_user(account, "build"), _user(account, "carol"), _session(account, ROLE, "ci")))
        more: dict[str, Any] = {"eventName": name, "userIdentity": who, "readOnly": name[:3] in ("Des", "Lis", "Get")}
        if rng.random() < (0.2 if who["type"] == "AssumedRole" else 0.05):
            more |= {"errorCode": "AccessDenied", "errorMessage": "not authorized"}
        more["sourceIPAddress"] = rng.choice(("203.0.113.7", "198.51.100.4"))
        made.append(record(account, number, when, **more))
    return made


@dataclass
class Asked:
    """One question's calls, counted."""

    client: Client
    described: str
    calls: int = 0
    size: int = 0
    texts: list[str] = field(default_factory=list)

    async def tool(self, name: str, /, **arguments: Any) -> CallToolResult:
        """Every argument and every filter key is one that the descriptions name."""
        keys = [one.partition("=")[0] for one in arguments.get("filters", "").split(", ") if one]
        for word in (name, *arguments, *keys, arguments.get("attribute_key", "")):
            assert word in self.described, word
        result = await self.client.call_tool(name, arguments)
        assert not result.is_error, result.content
        text = "\n".join(block.text for block in result.content if isinstance(block, TextContent))
        self.calls += 1
        self.size += len(text.encode())
        self.texts.append(text)
        return result

    async def table(self, sql: str) -> list[dict[str, str]]:
        await self.tool("lake_query", sql=sql)
        return rows(self.texts[-1])

    async def events(self, **arguments: Any) -> list[dict[str, str]]:
        await self.tool("lookup_events", target_account_id="*", max_results=50, **arguments)
        return rows(self.texts[-1])


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the log files, with the lake that they were collected into."""
    folder = tmp_path_factory.mktemp("questions")
    write_logs(folder / "logs", _generated())
    if (strangers := SHARED_DATA / "aws" / "stratus").exists():
        (folder / "logs" / "stratus").mkdir()
        for file in strangers.glob("*.json"):
            (folder / "logs" / "stratus" / file.name).write_bytes(file.read_bytes())
    collect(folder / "logs", folder / "lake")
    return folder


@pytest.fixture(scope="module")
def raw(logs: Path) -> list[Record]:
    """The records of the files, as they lie there, each once, oldest first."""
    import gzip

    found: dict[tuple[str, str], Record] = {}
    for file in sorted((logs / "logs").rglob("*.json*")):
        read = json.loads(gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes())
        for one in read["Records"] if isinstance(read, dict) else read:
            found[one["recipientAccountId"], one["eventID"]] = one
    return sorted(found.values(), key=lambda one: str(one["eventTime"]))


@pytest.fixture
async def asked(logs: Path) -> AsyncIterator[Asked]:
    async with client_of(settings(logs / "lake", ())) as client:
        listed = (await client.list_tools()).tools
        asked = Asked(client, json.dumps([tool.model_dump(mode="json", exclude_none=True) for tool in listed]))
        yield asked
        assert asked.calls <= MAX_CALLS
        assert asked.size <= MAX_BYTES


def _short(arn: object) -> str:
    return str(arn).split(":", 5)[-1]


def _who(one: Record) -> str:
    return _short(one.get("userIdentity", {}).get("arn", ""))


async def test_which_sign_ins_were_without_mfa(asked: Asked, raw: list[Record]) -> None:
    found = await asked.table(
        "SELECT eventtime, account, useridentity.arn, sourceipaddress FROM events WHERE eventname = 'ConsoleLogin' "
        "AND element_at(additionaleventdata, 'MFAUsed') = 'No' AND element_at(responseelements, 'ConsoleLogin') = 'Success' "
        "ORDER BY eventtime"
    )
    truth = [
        one["userIdentity"]["arn"]
        for one in raw
        if one["eventName"] == "ConsoleLogin"
        and one["additionalEventData"]["MFAUsed"] == "No"
        and one["responseElements"]["ConsoleLogin"] == "Success"
    ]
    assert len(truth) >= 3
    assert sorted(one["arn"] for one in found) == sorted(truth)


async def test_who_made_the_bucket_public(asked: Asked, raw: list[Record]) -> None:
    await asked.tool(
        "lookup_events",
        target_account_id="*",
        attribute_key="ResourceName",
        attribute_value=BUCKET,
        filters="ReadOnly=false",
        detail="full",
    )
    (truth,) = [
        one
        for one in raw
        if (one.get("requestParameters") or {}).get("bucketName") == BUCKET and '"Principal": "*"' in json.dumps(one)
    ]
    (found,) = objects(asked.texts[-1])
    assert found == truth


async def test_which_users_were_created_and_by_whom(asked: Asked, raw: list[Record]) -> None:
    found = await asked.table(
        "SELECT eventtime, account, element_at(requestparameters, 'userName') AS made, useridentity.arn AS by "
        "FROM events WHERE eventname = 'CreateUser' AND errorcode IS NULL ORDER BY eventtime"
    )
    truth = [
        (one["requestParameters"]["userName"], one["userIdentity"]["arn"])
        for one in raw
        if one["eventName"] == "CreateUser" and "errorCode" not in one
    ]
    assert len(truth) >= 3
    assert [(one["made"], one["by"]) for one in found] == truth


async def test_what_a_role_did(asked: Asked, raw: list[Record]) -> None:
    await asked.tool("summarize_activity", subject=ROLE)
    text = asked.texts[-1]
    did = [one for one in raw if f":assumed-role/{ROLE}/" in one["userIdentity"].get("arn", "")]
    assert f"{len(did):,} events by it" in text
    for listed, of in (("Denied", lambda one: "errorCode" in one), ("Read", _read_and_allowed)):
        truth = Counter(f"ec2:{one['eventName']}" for one in did if of(one))
        line = next(line for line in text.splitlines() if line.startswith(f"{listed} ("))
        assert {name: int(count) for name, count in re.findall(r"(ec2:\w+) (\d+)", line)} == truth


def _read_and_allowed(one: Record) -> bool:
    return one["readOnly"] is True and "errorCode" not in one


async def test_when_a_key_was_used_first_and_last(asked: Asked, raw: list[Record]) -> None:
    await asked.tool("summarize_activity", subject=KEY)
    text = asked.texts[-1]
    used = [one for one in raw if one.get("userIdentity", {}).get("accessKeyId") == KEY]
    first, last = used[0]["eventTime"], used[-1]["eventTime"]
    assert f"{len(used):,} events by it, first seen {first}, last seen {last}" in text
    for address in {one["sourceIPAddress"] for one in used}:
        count = sum(one["sourceIPAddress"] == address for one in used)
        assert f"{address} {count}" in text


async def test_who_was_denied_most(asked: Asked, raw: list[Record]) -> None:
    found = await asked.table(
        "SELECT useridentity.arn, count(*) AS denied FROM events WHERE errorcode LIKE 'AccessDenied%' OR errorcode LIKE "
        "'%UnauthorizedOperation' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 5"
    )
    denied = Counter(
        one["userIdentity"].get("arn", "")
        for one in raw
        if re.fullmatch(r"AccessDenied.*|.*UnauthorizedOperation", one.get("errorCode", ""))
    )
    truth = sorted(denied.items(), key=lambda one: (-one[1], one[0]))[:5]
    assert [(one["arn"], int(one["denied"])) for one in found] == truth


async def test_whether_root_was_used(asked: Asked, raw: list[Record]) -> None:
    found = await asked.events(filters="IdentityType=Root")
    truth = {one["eventID"] for one in raw if one.get("userIdentity", {}).get("type") == "Root"}
    assert len(truth) >= 2
    assert {one["event_id"] for one in found} == truth


async def test_this_week_against_last(asked: Asked, raw: list[Record]) -> None:
    middle = NOON - timedelta(days=7)
    at = f"timestamp '{middle:%Y-%m-%d %H:%M:%S}'"
    found = await asked.table(
        f"SELECT eventname, count_if(eventtime < {at}) AS last_week, count_if(eventtime >= {at}) AS this_week FROM events "
        f"WHERE eventtime >= {at} - INTERVAL '7' DAY AND eventtime < {at} + INTERVAL '7' DAY AND account IN "
        f"('{PROD}', '{DEV}', '{OLD}') GROUP BY 1 ORDER BY 2 + 3 DESC, 1"
    )
    counted: dict[str, list[int]] = {}
    for one in raw:
        moment = datetime.fromisoformat(one["eventTime"])
        if one["recipientAccountId"] in (PROD, DEV, OLD) and abs(moment - middle) <= timedelta(days=7):
            counted.setdefault(one["eventName"], [0, 0])[moment >= middle] += 1
    assert {one["eventname"]: [int(one["last_week"]), int(one["this_week"])] for one in found} == counted


async def test_how_a_security_group_was_changed(asked: Asked, raw: list[Record]) -> None:
    found = await asked.events(attribute_key="ResourceName", attribute_value=GROUP, filters="ReadOnly=false")
    truth = [
        (one["eventName"], _who(one))
        for one in reversed(raw)
        if (one.get("requestParameters") or {}).get("groupId") == GROUP
    ]
    assert [one["event"] for one in found] == [name for name, _ in truth]
    assert {one["principal"] for one in found} == {who for _, who in truth}


async def test_an_export_of_all_that_a_key_did(asked: Asked, raw: list[Record]) -> None:
    result = await asked.tool("export_events", target_account_id="*", filters=f"AccessKeyId={KEY}")
    uri = next(str(one.uri) for one in result.content if one.type == "resource_link" and "/data/" in str(one.uri))
    text = ""
    for number in range(1, facts_of(result)["parts"] + 1):
        (part,) = (await asked.client.read_resource(f"{uri.rpartition('/')[0]}/{number}")).contents
        assert isinstance(part, TextResourceContents)
        text += part.text
    exported = {one["eventID"]: one for one in map(json.loads, text.splitlines())}
    assert exported == {one["eventID"]: one for one in raw if one.get("userIdentity", {}).get("accessKeyId") == KEY}


async def test_the_order_of_things_on_one_day(asked: Asked, raw: list[Record]) -> None:
    day = str((_FIRST + timedelta(hours=50)).date())
    await asked.tool("show_timeline", start_time=day, end_time=day)
    there = [one for one in raw if one["eventTime"].startswith(day)]
    denied = [one for one in there if one.get("errorCode") == "AccessDenied"]
    read = [one for one in there if one["readOnly"] is True and one not in denied]
    counts = (
        f"{len(there):,} events ({len(read)} read, {len(there) - len(read) - len(denied)} write, {len(denied)} denied)"
    )
    assert counts in asked.texts[-1]
    assert f"{there[0]['eventTime']} to {there[-1]['eventTime']}" in asked.texts[-1]


async def test_whether_something_is_missing(asked: Asked, raw: list[Record]) -> None:
    await asked.tool("log_coverage", target_account_id=DEV, start_time=str(_FIRST.date()), end_time=str(NOON.date()))
    (found,) = rows(asked.texts[-1])
    days = {one["eventTime"][:10] for one in raw if one["recipientAccountId"] == DEV}
    whole = [str((_FIRST + timedelta(days=number)).date()) for number in range(14)]
    assert [day for day in whole if day not in days] == [str(_SILENT.date())]
    assert found["missing_or_partly_days"].startswith(f"missing {_SILENT.date()}, ")
