"""Which process answers for which account: started on first use, reused while it is used, replaced when it must be.

Decides how many processes there are, which one goes when another account needs its place, and when one is too old. Two
accounts never share a process, nor do two callers who signed in, and a process never changes its account. It knows no tool and
no message.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePath
from urllib.parse import quote

import anyio
import anyio.to_thread
from mcp.shared.exceptions import MCPError

from crosstrail.accounts.credentials import fingerprint
from crosstrail.call_context import CallContext
from crosstrail.clouds.base import cloud_of
from crosstrail.errors import WrappedServerError
from crosstrail.json_values import Json
from crosstrail.measures import measures
from crosstrail.models import Account, AccountKey
from crosstrail.settings.wrap_settings import WrappedServer, WrapSettings
from crosstrail.tasks import outlive_waiters
from crosstrail.wrap.child import BetweenCalls, Child, Hello, nobody
from crosstrail.wrap.delivery import CredentialEndpoint, CredentialGrant, TemporaryCredentials
from crosstrail.wrap.environment import make_home, server_environment
from crosstrail.wrap.process import Program

_MODULE_RUNNER = str(Path(__file__).with_name("run_module.py"))

Key = tuple[str, AccountKey | None, str, str]
"""A server's name, an account (None is a process without any identity), and on whose behalf it runs: a name, and what tells
two of that name apart."""


@dataclass(eq=False)
class Process:
    """One process and who uses it. `hello`: what the server said of itself, empty until `starting` is done."""

    key: Key
    account: Account | None
    renewed: str
    """Changes when the process must be replaced because its credentials were."""
    child: Child
    hello: Hello = field(default_factory=Hello)
    calls: int = 0
    grant: CredentialGrant | None = None
    starting: asyncio.Task[None] | None = None
    idle: asyncio.TimerHandle | None = None
    ending: asyncio.Task[None] | None = None
    listing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Whoever asks it for its tools has this."""
    tools: frozenset[str] | None = None
    """Names of those it has, once it was asked."""

    @property
    def server(self) -> str:
        return self.key[0]

    @property
    def of_caller(self) -> bool:
        """Whether it is the process of one caller of many."""
        return bool(self.key[3])

    @property
    def ended(self) -> bool:
        return self.ending is not None or (self.starting is not None and self.starting.done() and not self.child.alive)


OnChange = Callable[[Process, str], Awaitable[None]]
"""(the process that says so, method of the notification)."""


class Children:
    """`async with lease(server, account) as process`: open one of these a proxy, `aclose` it at the end."""

    def __init__(
        self,
        settings: WrapSettings,
        temporary: TemporaryCredentials,
        endpoint: CredentialEndpoint,
        folder: Path,
        on_change: OnChange,
    ) -> None:
        """`folder`: ours alone; below it each server and account has a home folder of its own."""
        self._settings = settings
        self._temporary = temporary
        self._endpoint = endpoint
        self._folder = folder
        self._on_change = on_change
        self._current: dict[Key, Process] = {}
        """By last use: the next to go comes first."""
        self._all: set[Process] = set()
        """The ones that are ending, too: they still take memory."""
        self._freed = asyncio.Event()
        self._waiting = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._log_level: Json | None = None
        self.between_calls: BetweenCalls = nobody
        """Who is there to be asked while no call runs."""

    @asynccontextmanager
    async def lease(
        self, server: str, account: Account | None, caller: CallContext, capabilities: Json | None = None
    ) -> AsyncIterator[Process]:
        """The process of this server for this account and this caller, for one call. A new one is sent the
        `capabilities` of the client.

        Raises CredentialsError or CloudError when the account has no credentials now, WrappedServerError when the process
        does not start, or no place for it becomes free in time.
        """
        who, identity = caller.who, caller.key
        renewed = await self._renewed(account, who)
        try:
            with anyio.fail_after(self._settings.call_timeout):
                key = (server, account.key if account else None, who, identity)
                process = await self._placed(key, account, renewed, capabilities)
        except TimeoutError:
            raise WrappedServerError(
                f"all {self._settings.max_children} processes of wrapped servers are busy",
                hint="Try again, or raise wrap.max_children.",
            ) from None
        try:
            if process.starting:
                await asyncio.shield(process.starting)
            yield process
        finally:
            process.calls -= 1
            self._settle(process)

    async def notify(self, method: str) -> None:
        """Tell every process there is."""
        for process in tuple(self._current.values()):
            with suppress(WrappedServerError):  # it has not started, or has ended
                await process.child.notify(method, None)

    def release(self, process: Process) -> None:
        """Nobody needs it any more: let it end, unless a call of somebody's runs in it."""
        if not process.calls:
            self._end(process)

    async def set_log_level(self, params: Json) -> None:
        """Send it to every process there is, and to those to come."""
        self._log_level = params
        for process in tuple(self._current.values()):
            await self._send_log_level(process)

    async def aclose(self) -> None:
        """End every process, remove their folders; bounded by seconds."""
        for process in tuple(self._all):
            self._end(process)
        while self._tasks:
            await asyncio.wait(tuple(self._tasks))
        await anyio.to_thread.run_sync(partial(shutil.rmtree, self._folder, ignore_errors=True))

    async def _renewed(self, account: Account | None, who: str) -> str:
        """Asks for the credentials before every call: what is wrong with them is said here, in our words."""
        if account is None:
            return ""
        credentials = await self._temporary.of(account, who)
        return fingerprint(credentials) if not cloud_of(account.cloud).endpoint_variables else ""

    async def _placed(self, key: Key, account: Account | None, renewed: str, capabilities: Json | None) -> Process:
        while True:
            process = self._current.pop(key, None)
            if process and (process.ended or process.renewed != renewed):
                self._settle(process)  # it is in nobody's way any more, and ends with its last call
                process = None
            if process is None and len(self._all) < self._settings.max_children:
                process = self._new(key, account, renewed, capabilities or {})
            if process:
                process.calls += 1
                self._current[key] = process
                if process.idle:
                    process.idle.cancel()
                if process.grant and account:
                    process.grant.account = account
                return process
            await self._place_free()

    async def _place_free(self) -> None:
        """Wait until something changed; whoever waits has one idle process go, the one used longest ago."""
        self._waiting += 1
        try:
            self._freed.clear()
            idle = next((one for one in self._current.values() if not one.calls), None)
            if idle and sum(one.ending is not None for one in self._all) < self._waiting:
                self._end(idle)
            await self._freed.wait()
        finally:
            self._waiting -= 1

    def _new(self, key: Key, account: Account | None, renewed: str, capabilities: Json) -> Process:
        async def changed(method: str) -> None:
            if not process.of_caller:  # what it says is not shown to the other callers
                await self._on_change(process, method)

        by_endpoint = account is not None and cloud_of(account.cloud).endpoint_variables is not None
        grant = self._endpoint.grant(account, key[2]) if account and by_endpoint else None
        child = Child(changed, self.between_calls)
        process = Process(key, account, renewed, child, grant=grant)
        self._all.add(process)
        measures().process_started(process.server)
        process.starting = outlive_waiters(self._task(self._start(process, capabilities)))
        return process

    async def _start(self, process: Process, capabilities: Json) -> None:
        try:
            program = await self._program(process)
            process.hello = await process.child.start(program, capabilities, self._settings.start_timeout)
            await self._send_log_level(process)
        except BaseException:
            self._end_itself(process)
            raise
        self._task(self._watch(process))

    async def _send_log_level(self, process: Process) -> None:
        if self._log_level and "logging" in process.hello.capabilities:
            with suppress(MCPError, WrappedServerError):  # it says more or less than it should: no reason to fail
                await process.child.request("logging/setLevel", self._log_level, self._settings.start_timeout)

    async def _watch(self, process: Process) -> None:
        await process.child.wait_closed()
        self._end_itself(process)

    def _end_itself(self, process: Process) -> None:
        """It did not start, or has ended: of itself, unless we have ended it."""
        if process.ending is None:
            measures().process_failed(process.server)
        self._end(process)

    async def _program(self, process: Process) -> Program:
        (name, _, who, identity), account = process.key, process.account
        server = self._settings.servers[name]
        place = f"{account.cloud}-{quote(account.id, safe='')}" if account else "no-account"
        place += f"-{hashlib.sha256(identity.encode()).hexdigest()[:16]}" if identity else ""
        home = self._folder / name / place
        region = await self._temporary.region(account) if account else ""
        make_home(home, account.cloud if account else "", region)
        environment = server_environment(server, home)
        if account:
            environment |= await self._temporary.variables(account, who, region, process.grant)
        label = f"{name} (account {account.name})" if account else name
        command = command_of(server)
        if not await anyio.to_thread.run_sync(
            lambda: shutil.which(command[0], path=environment.get("PATH", os.defpath))
        ):
            raise WrappedServerError(
                f"{label} cannot be started: there is no program {PurePath(command[0]).name}",
                hint="Install it, or write the path of one that may be run.",
            ).about(command[0])
        return Program(label, command, environment, home)

    def _settle(self, process: Process) -> None:
        """After a call: leave it for the next one, or end it."""
        if process.calls:
            return
        if self._current.get(process.key) is not process:
            self._end(process)
        elif not process.ending:
            loop = asyncio.get_running_loop()
            process.idle = loop.call_later(self._settings.idle, self._end, process)
        self._freed.set()

    def _end(self, process: Process) -> None:
        if self._current.get(process.key) is process:
            del self._current[process.key]
        if process.idle:
            process.idle.cancel()
        if process.ending is None:
            process.ending = self._task(self._ended(process))

    async def _ended(self, process: Process) -> None:
        if process.grant:
            self._endpoint.revoke(process.grant)
        await process.child.aclose()
        self._all.discard(process)
        measures().process_ended(process.server)
        self._freed.set()

    def _task(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def command_of(server: WrappedServer) -> tuple[str, ...]:
    """Program and arguments; a module runs in the Python that has it."""
    return server.command or (server.python or sys.executable, _MODULE_RUNNER, server.module)
