"""`mcp-server-cloud-trail` as its users run it, and callers who bring their own keys, of it and of `crosstrail serve`."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import preloaded
from fakes.volcengine import FakeVolcengine, Key
from listed_accounts import moment
from running_server import Server, serving, signed, started, write_config


def token(key: Key) -> str:
    """What carries a key behind `Bearer`."""
    values = {"AccessKeyId": key.id, "SecretAccessKey": key.secret, "SessionToken": key.token}
    return base64.b64encode(json.dumps(values).encode()).decode()


def bearer(key: Key) -> dict[str, str]:
    """The header that carries a key."""
    return signed(token(key))


def caller(fake: FakeVolcengine, account: str, **event: Any) -> tuple[Key, str]:
    """A new key, and the id of a new event of its account."""
    return fake.world.add_key(account), fake.world.account(account).log("GetUser", moment(), **event)


def served(environ: Mapping[str, str], *arguments: str, audit: Path | None = None) -> AbstractContextManager[Server]:
    """The server on a free port until the block ends; `audit`: the file of its record."""
    command = [preloaded.python(), "-c", "from crosstrail.launch.drop_in import main; main()", *arguments]
    command += ["--audit", str(audit)] if audit else []
    return started(command, {"MCP_SERVER_MODE": "http", "MCP_SERVER_PORT": "0", **environ}, audit or Path())


@dataclass(frozen=True)
class Program:
    """One of the two servers whose callers may bring keys, and what its tools are called."""

    name: str
    lookup: str
    describe: str
    describe_arguments: Mapping[str, Any]

    @property
    def lookup_message(self) -> dict[str, Any]:
        params = {"name": self.lookup, "arguments": {}}
        return {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params}

    @property
    def lookups(self) -> tuple[dict[str, Any], ...]:
        """Arguments of lookups of the one account."""
        return (
            ({"target_account_id": ""}, {"target_account_id": "*"}) if self is CROSSTRAIL else ({}, {"MaxResults": 50})
        )

    @property
    def reads(self) -> tuple[tuple[str, Mapping[str, Any]], ...]:
        """A call of each tool that reads an account."""
        return ((self.lookup, {}), (self.describe, self.describe_arguments))

    def for_keys(self, folder: Path, environ: Mapping[str, str]) -> AbstractContextManager[Server]:
        """The server for those who bring keys, over streamable HTTP and SSE; its record is in the folder."""
        if self is DROP_IN:
            return served({"VOLCENGINE_CREDENTIAL_TYPE": "token", **environ}, audit=folder / "audit.jsonl")
        return serving(write_config(folder, serve={"auth": "token"}), "--transport", "sse", environ=environ)


CROSSTRAIL = Program("crosstrail serve", "lookup_events", "describe_trails", {})
DROP_IN = Program(
    "mcp-server-cloud-trail", "LookupEvents", "DescribeTrails", {"TrailNames": [], "IncludeOrganizationTrail": 0}
)
PROGRAMS = (CROSSTRAIL, DROP_IN)


def json_of(result: Any) -> Any:
    """The one text of an answer, as JSON."""
    assert not result.is_error, result.content
    [content] = result.content
    return json.loads(content.text)
