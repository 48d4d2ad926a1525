"""Runs the checks against a server behind an address, or one that a command starts.

Decides their order, and what is still asked of a server that failed an earlier one. It calls no tool but the one the user
named, or one that says it only reads, and that only for accounts the user named.
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import IO
from urllib.parse import urlsplit

import anyio
import httpx2
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CONNECTION_CLOSED, TextContent, Tool
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS

from crosstrail import bounded_http
from crosstrail.conformance.findings import Finding, Report, judged
from crosstrail.conformance.http_checks import MAX_BYTES, check_http, refused
from crosstrail.conformance.tool_checks import CROSSTRAIL, check_tools, reading_tool

_MAX_PAGES = 50
_LAST_WORDS = 300
_ABSENT = "there is no program"
_FAULTS = (MCPError, OSError, TimeoutError, httpx2.HTTPError, ExceptionGroup, ValueError)


@dataclass(frozen=True, slots=True)
class Subject:
    """What is checked: an address, with a token where it needs one; or a command, with the environment it starts in."""

    url: str = ""
    bearer: str = ""
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] | None = None

    @property
    def name(self) -> str:
        """Without the password that an address may hold."""
        split = urlsplit(self.url)
        shown = split._replace(netloc=split.netloc.rpartition("@")[2]).geturl()
        return shown or " ".join(self.command)


@dataclass(frozen=True, slots=True)
class Demands:
    """What is asked of it. `seconds`: how long it may take to start and list its tools. `accounts`: names or selectors."""

    expected: tuple[str, ...] = ()
    parameter: str = "target_account_id"
    accounts: tuple[str, ...] = ()
    seconds: float = 30.0
    call: tuple[str, Mapping[str, object]] | None = None
    """A tool and its arguments to try accounts with, in place of one that says it only reads."""


@dataclass(slots=True)
class _Greeting:
    """What one connection learnt."""

    protocol: str = ""
    server: str = ""
    own: bool = False
    tools: tuple[Tool, ...] = ()
    took: float = 0.0
    problem: str = ""


async def check_server(subject: Subject, demands: Demands) -> Report:
    """Every finding about it; a server that never answers has one."""
    logging.getLogger("mcp").setLevel(logging.CRITICAL)  # its tracebacks quote the server; we say what is wrong
    older = await _greet(subject, demands, "legacy")
    newer = await _greet(subject, demands, "auto")
    known = older if older.protocol else newer
    if not known.protocol:
        return Report(subject.name, "", (await _unanswered(subject, known.problem, demands.seconds),))
    findings = [Finding("starts and answers", "pass", f"{known.took:.1f} s to its list of tools")]
    findings += _protocols(older, newer, own=known.own)
    findings += check_tools(known.tools, own=known.own, expected=demands.expected, parameter=demands.parameter)
    findings.append(await _accounts(subject, demands, known))
    if subject.url:
        findings += await check_http(subject.url, subject.bearer, demands.seconds)
    return Report(subject.name, known.server, tuple(findings))


async def _unanswered(subject: Subject, problem: str, seconds: float) -> Finding:
    """The one finding about what spoke no MCP, and what to do first."""
    check = "starts and answers"
    if not subject.command:
        detail, fix = await refused(subject.url, subject.bearer, seconds)
        return Finding(check, "fail", detail or problem, fix)
    absent = problem.startswith(_ABSENT)
    fix = "Name a program that is there, or an address with http:// or https://." if absent else ""
    return Finding(check, "fail", problem, fix or "Start it by hand and read what it writes to stderr.")


def _protocols(older: _Greeting, newer: _Greeting, *, own: bool) -> list[Finding]:
    """Most clients speak an older protocol, so every server must; the newest one only ours must."""
    past, present = HANDSHAKE_PROTOCOL_VERSIONS[-1], MODERN_PROTOCOL_VERSIONS[-1]
    if older.protocol:
        found = [Finding(f"protocol up to {past}", "pass", older.protocol)]
    else:
        found = [Finding(f"protocol up to {past}", "fail", older.problem, "Many clients speak nothing newer.")]
    if newer.protocol in MODERN_PROTOCOL_VERSIONS:
        return [*found, Finding(f"protocol {present}", "pass")]
    return [*found, Finding(f"protocol {present}", "fail" if own else "-", newer.problem or "not spoken")]


async def _greet(subject: Subject, demands: Demands, mode: str) -> _Greeting:
    greeting, began = _Greeting(), time.monotonic()
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as written:
        try:
            with anyio.fail_after(demands.seconds):
                async with _opened(subject, mode, written, demands.seconds) as client:
                    greeting.tools = await _listed(client)
                    greeting.took = time.monotonic() - began
                    info = client.server_info
                    greeting.server = f"{info.name} {info.version}".strip() if info else "unnamed"
                    greeting.own = info is not None and info.name == CROSSTRAIL
                    greeting.protocol = client.protocol_version
        except _FAULTS as error:
            if not greeting.protocol:  # what goes wrong at its end does not undo what it said
                greeting.problem = _problem(error, written, demands.seconds, subject.bearer)
    return greeting


@asynccontextmanager
async def _opened(subject: Subject, mode: str, written: IO[str], seconds: float) -> AsyncIterator[Client]:
    if subject.command:
        program, *arguments = subject.command
        environment = dict(subject.environment) if subject.environment is not None else None
        started = StdioServerParameters(command=program, args=arguments, env=environment)
        async with Client(stdio_client(started, errlog=written), mode=mode, cache=None) as client:  # type: ignore[arg-type]
            yield client
        return
    headers = {"Authorization": f"Bearer {subject.bearer}"} if subject.bearer else {}
    async with (
        bounded_http.client(headers=headers, seconds=seconds, max_bytes=MAX_BYTES) as http,
        Client(streamable_http_client(subject.url, http_client=http), mode=mode, cache=None) as client,
    ):
        yield client


async def _listed(client: Client) -> tuple[Tool, ...]:
    """Every tool, page by page."""
    tools: list[Tool] = []
    cursor: str | None = None
    for _ in range(_MAX_PAGES):
        page = await client.list_tools(cursor=cursor)
        tools += page.tools
        cursor = page.next_cursor
        if not cursor:
            break
    return tuple(tools)


async def _accounts(subject: Subject, demands: Demands, known: _Greeting) -> Finding:
    """Each account asked once, with the tool the user named or one that only reads; that tool once without any account."""
    check = "accounts reachable" if demands.accounts else "call"
    if not demands.accounts and not demands.call:
        return Finding("accounts reachable", "-", "name them with --accounts")
    name, few, problem = _trial(known.tools, demands)
    if problem:
        return Finding(check, "fail", problem, "Name one with --call TOOL=JSON.")
    each: list[tuple[str, Mapping[str, object]]] = [(name, few)]
    if demands.accounts:
        each = [(one, {**few, demands.parameter: one}) for one in demands.accounts]
    wrong: list[str] = []
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as written:
        try:
            async with _opened(subject, "legacy", written, demands.seconds) as client:
                for whose, arguments in each:
                    with anyio.fail_after(demands.seconds * 2):
                        wrong += await _tried(client, name, whose, arguments)
        except _FAULTS as error:
            wrong.append(_problem(error, written, demands.seconds * 2, subject.bearer))
    right = f"{', '.join(demands.accounts)} by {name}" if demands.accounts else name
    return judged(check, wrong, right=right, fix="On its machine: crosstrail accounts check.")


def _trial(tools: Sequence[Tool], demands: Demands) -> tuple[str, Mapping[str, object], str]:
    """The tool to try with, its arguments beside the account, and why that cannot be."""
    if demands.call:
        name, arguments = demands.call
        found = next((tool for tool in tools if tool.name == name), None)
        if found is None:
            return name, {}, f"there is no tool {name}"
        lacks = demands.accounts and demands.parameter not in found.input_schema.get("properties", {})
        return name, arguments, f"{name} has no {demands.parameter}" if lacks else ""
    tool = reading_tool(tools, demands.parameter)
    if tool is None:
        return "", {}, f"no tool reads with {demands.parameter} alone, so none can be tried"
    return tool.name, {"max_results": 1} if "max_results" in tool.input_schema.get("properties", {}) else {}, ""


async def _tried(client: Client, tool: str, account: str, arguments: Mapping[str, object]) -> Sequence[str]:
    """What is wrong with it: nothing, or one text."""
    result = await client.call_tool(tool, dict(arguments))
    text = "\n".join(block.text for block in result.content if isinstance(block, TextContent))
    if result.is_error:
        return [f"{account}: {text[:_LAST_WORDS]}"]
    head = text.partition("--- log data")[0]
    _, failed, causes = head.partition("Failed: ")  # one failing account of many is said, and is no error
    return [f"{account}: {causes.splitlines()[0][:_LAST_WORDS]}"] if failed else []


def _problem(error: BaseException, written: IO[str], seconds: float, bearer: str) -> str:
    """In a few words, with the end of what a process wrote to stderr, and without the token, which a server may repeat."""
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    if isinstance(error, TimeoutError):
        text = f"no answer in {seconds:g} s"
    elif isinstance(error, FileNotFoundError):
        text = f"{_ABSENT} {error.filename}"
    elif isinstance(error, MCPError) and error.code == CONNECTION_CLOSED:
        text = "it ended before it answered"
    else:
        said = str(error).partition("\n")[0]  # below it pydantic quotes the answer
        text = f"{type(error).__name__}: {said}" if said else type(error).__name__
    if bearer:
        text = text.replace(bearer, "…")
    written.seek(0)
    last = written.read()[-_LAST_WORDS:].strip()
    return f"{text[:_LAST_WORDS]}; stderr: {last}" if last else text[:_LAST_WORDS]
