"""Accounts of a fake AWS, wrapped servers of tests/wrapped for them, and a client in front of the proxy."""

from __future__ import annotations

import json
import os
import select
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mcp import Client
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

from crosstrail.accounts.broker import AnyBroker
from crosstrail.accounts.registry import Registry
from crosstrail.call_context import CallContext
from crosstrail.clouds.aws.broker import AwsBroker
from crosstrail.models import Account
from crosstrail.settings.wrap_settings import WrapSettings
from crosstrail.wrap.proxy import Proxy, opened
from crosstrail.wrap.serving import new_server
from crosstrail.wrapped_call import WrappedCall
from fakes.aws import FakeAws, Key
from live_aws import LiveAws

SERVERS = Path(__file__).parent / "wrapped"
PLAIN = str(SERVERS / "plain.py")


@dataclass
class WrapWorkspace(LiveAws):
    """`prod` has a role that the base identity assumes, `dev` a long-lived key."""

    def id_of(self, alias: str) -> str:
        return next(str(one["id"]) for one in self.listed if one["alias"] == alias)

    async def registry(self) -> Registry:
        return Registry(Account.model_validate(one) for one in self.listed)

    async def admit(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """An admission that asks nobody who they are, for tests of what stands behind it."""
        return await call_next(replace(ctx, lifespan_context=self.call))

    @property
    def call(self) -> WrappedCall:
        """A call that may name every account."""
        return WrappedCall(self.registry, CallContext())

    def plain(self, *arguments: str, **more: Any) -> dict[str, Any]:
        """Settings of tests/wrapped/plain.py; `more` are further settings of the server."""
        env = {"AWS_ENDPOINT_URL": self.url, **more.pop("env", {})}
        return {"command": [sys.executable, "-S", PLAIN, *arguments], "env": env, **more}

    @asynccontextmanager
    async def proxy(
        self, servers: Mapping[str, Any] | None = None, *, broker: AnyBroker | None = None, **settings: Any
    ) -> AsyncIterator[Proxy]:
        """A proxy that has learnt what its servers have; by default one, plain.py."""
        patient = {"start_timeout": 300, **settings}  # the servers of strangers load for long
        given = WrapSettings.model_validate({"servers": servers or {"plain": self.plain()}, **patient})
        async with opened(given, lambda _: broker or self.broker) as proxy:
            await proxy.learner.learn_all(self.call, {}, reuse=True)
            yield proxy

    @asynccontextmanager
    async def client(
        self, servers: Mapping[str, Any] | None = None, *, mode: str = "legacy", **settings: Any
    ) -> AsyncIterator[Client]:
        """A real MCP client of such a proxy, in this process."""
        async with self.proxy(servers, **settings) as proxy, Client(new_server(proxy, self.admit), mode=mode) as client:
            yield client

    def config(self, folder: Path, **more: Any) -> Path:
        """crosstrail.yaml with these accounts."""
        path = folder / "crosstrail.yaml"
        path.write_text(json.dumps({"accounts": self.listed, **more}))
        return path


def open_wrap_workspace(fake_aws: FakeAws, base: Key) -> WrapWorkspace:
    workspace = WrapWorkspace(fake_aws.world, base, fake_aws.url, AwsBroker(read_timeout=30.0))
    workspace.role_account(numbered(1), "prod")
    workspace.keys_account(numbered(2), "dev", region="eu-west-1")
    return workspace


def numbered(number: int) -> str:
    """The id of an account."""
    return str(100_000_000_000 + number)


class Watched:
    """Processes by their ids, held so that the ids cannot pass to others. One that is not there any more has ended."""

    def __init__(self, *pids: int) -> None:
        self._handles: dict[int, int] = {}
        for pid in pids:
            with suppress(ProcessLookupError):
                self._handles[pid] = os.pidfd_open(pid)

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles.values():
            os.close(handle)

    def left(self, seconds: float = 60.0) -> list[int]:
        """Those that have not ended when the time is over; waits for ends, not for time."""
        return [pid for pid, handle in self._handles.items() if not select.select([handle], [], [], seconds)[0]]
