"""A made-up workspace for the server's tests: log files written here, collected by the real command, asked by a real client."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mcp import Client
from mcp_types import CallToolResult

import preloaded
from crosstrail.accounts.policy import Principal
from crosstrail.server.access.admission import Admission
from crosstrail.server.app import create_server
from crosstrail.settings.config import Settings
from crosstrail.workspace.workspace import Workspace

NOON = datetime(2026, 11, 19, 12, 0, 0, tzinfo=UTC)
PROD, DEV, OLD = "111111111111", "222222222222", "033333333333"
ACCOUNTS = (
    {"id": PROD, "alias": "prod", "region": "us-east-1", "archive": "logs", "tags": {"env": "prod"}},
    {"id": DEV, "alias": "dev", "regions": ["eu-west-1"], "archive": "logs"},
    {"id": OLD, "alias": "old", "archive": "logs"},
)


def record(account: str, number: int, time: datetime, **more: Any) -> dict[str, Any]:
    """One CloudTrail record; `more` replaces or adds fields."""
    base = {
        "eventVersion": "1.10",
        "userIdentity": {
            "type": "IAMUser",
            "principalId": f"AIDA{number:016d}",
            "arn": f"arn:aws:iam::{account}:user/deploy-bot",
            "accountId": account,
            "accessKeyId": f"AKIA{account[:6]}EXAMPLE{number % 7:03d}",
            "userName": "deploy-bot",
        },
        "eventTime": time.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": "ec2.amazonaws.com",
        "eventName": "DescribeInstances",
        "awsRegion": "us-east-1",
        "sourceIPAddress": "203.0.113.7",
        "userAgent": "aws-cli/2.31.0",
        "requestParameters": {"instancesSet": {"items": [{"instanceId": f"i-{number:017x}"}]}},
        "responseElements": None,
        "requestID": f"00000000-0000-4000-8000-{number:012d}",
        "eventID": f"{account[:8]}-0000-4000-8000-{number:012d}",
        "readOnly": True,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": account,
        "eventCategory": "Management",
    }
    return {**base, **more}


def write_logs(folder: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """One log file an account, where a trail would put it."""
    by_account: dict[str, list[Mapping[str, Any]]] = {}
    for one in records:
        by_account.setdefault(one["recipientAccountId"], []).append(one)
    for account, found in by_account.items():
        place = folder / "AWSLogs" / account / "CloudTrail" / "us-east-1" / "2026" / "11" / "19"
        place.mkdir(parents=True, exist_ok=True)
        path = place / f"{account}_CloudTrail_us-east-1_20261119T1205Z_0123456789abcdef.json.gz"
        path.write_bytes(gzip.compress(json.dumps({"Records": found}).encode(), mtime=0))


def collect(logs: Path, lake: Path) -> None:
    """`crosstrail collect`, as a user runs it."""
    done = preloaded.run("collect", logs, "--lake", lake)
    assert done.returncode == 0, done.stderr


def settings(lake: Path, accounts: Iterable[Mapping[str, Any]] = ACCOUNTS, **more: Any) -> Settings:
    return Settings.model_validate({"accounts": list(accounts), "lake": {"path": str(lake)}, **more})


@asynccontextmanager
async def client_of(given: Settings, mode: str = "auto") -> AsyncIterator[Client]:
    """A real MCP client on a server over these settings, in this process."""
    async with Client(create_server(Workspace(given)), mode=mode) as client:
        yield client


class Always(Admission):
    """Every message comes from one principal, where no HTTP request brings one."""

    def __init__(self, workspace: Workspace, someone: Principal) -> None:
        super().__init__(workspace, principal_of=lambda _: someone)
        self._someone = someone

    def principal(self, request: Any) -> Principal:
        return self._someone


def text_of(result: CallToolResult) -> str:
    """The one text of an answer."""
    assert len(result.content) == 1
    content = result.content[0]
    assert content.type == "text"
    return content.text


def facts_of(result: CallToolResult) -> dict[str, Any]:
    """What a program reads beside the text."""
    facts: dict[str, Any] = (result.meta or {}).get("crosstrail/facts", {})
    return facts


def rows_of(result: CallToolResult) -> list[str]:
    """The lines inside the fence, without the header."""
    lines = text_of(result).splitlines()
    first = next(place for place, line in enumerate(lines) if line.startswith("--- log data "))
    last = next(place for place, line in enumerate(lines) if line.startswith("--- end "))
    inside = lines[first + 1 : last]
    return inside[2:] if inside[0].startswith("every row: ") else inside[1:]
