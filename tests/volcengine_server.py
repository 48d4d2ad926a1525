"""`mcp-server-cloud-trail` as its users run it, and callers of it who bring their own keys."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from fakes.volcengine import Key
from serving import Server, signed, started


def token(key: Key) -> str:
    """What carries a key behind `Bearer`."""
    values = {"AccessKeyId": key.id, "SecretAccessKey": key.secret, "SessionToken": key.token}
    return base64.b64encode(json.dumps(values).encode()).decode()


def bearer(key: Key) -> dict[str, str]:
    """The header that carries a key."""
    return signed(token(key))


def served(environ: Mapping[str, str], *arguments: str) -> AbstractContextManager[Server]:
    """The server on a free port until the block ends."""
    command = [sys.executable, "-c", "from crosstrail.cli.volcengine import main; main()", *arguments]
    return started(command, {"MCP_SERVER_MODE": "http", "MCP_SERVER_PORT": "0", **environ})


def json_of(result: Any) -> Any:
    """The one text of an answer, as JSON."""
    assert not result.is_error, result.content
    [content] = result.content
    return json.loads(content.text)
