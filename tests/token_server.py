"""Servers whose callers bring tokens of a fake identity provider, and what they and their log say of one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lake_workspace import DEV, NOON, PROD, collect, record, text_of, write_logs
from running_server import LIST_TOOLS, PATIENCE, Server, client_over_http, post, write_config

RESOURCE = "https://trails.example.com/mcp"


def with_lake(folder: Path) -> Path:
    """The folder with a lake of two accounts in it."""
    write_logs(folder / "logs", [record(account, number, NOON) for account in (PROD, DEV) for number in range(2)])
    collect(folder / "logs", folder / "lake")
    return folder


def token_config(
    folder: Path,
    jwt: dict[str, Any],
    access: Sequence[dict[str, Any]],
    *,
    public_url: str = "https://trails.example.com",
) -> Path:
    return write_config(
        folder,
        accounts=[{"id": PROD, "alias": "prod", "archive": "logs"}, {"id": DEV, "alias": "dev", "archive": "logs"}],
        lake={"path": "lake"},
        serve={"auth": "jwt", "allowed_hosts": "127.0.0.1", **({"public_url": public_url} if public_url else {})},
        jwt=jwt,
        access=list(access),
    )


def status(server: Server, token: str) -> int:
    """Of the answer to a request with this token."""
    return post(server.url, LIST_TOOLS, Authorization=f"Bearer {token}").status_code


def reason(server: Server, token: str) -> tuple[int, str]:
    """The status of a request that is refused, and the class of the reason in the record."""
    before = len(server.records())
    found = status(server, token)
    [made] = server.records()[before:]
    assert (made["kind"], made["status"]) == ("refused", found)
    return found, made.get("reason", "")


def logged(server: Server, words: str, since: int = 0) -> str:
    """The line of the server's log with these words, once it is there."""
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE:
        for line in server.lines[since:]:
            if words in line:
                return line
        time.sleep(0.01)  # the reader of stderr is a thread
    raise AssertionError(f"{words!r} was never logged: {server.lines[since:]}")


async def accounts_of(server: Server, token: str) -> set[str]:
    """The aliases of the accounts that a caller sees."""
    async with client_over_http(server.url, token) as client:
        if not (await client.list_tools()).tools:
            return set()
        said = text_of(await client.call_tool("list_accounts", {}))
        return {alias for alias in ("prod", "dev") if alias in said}
