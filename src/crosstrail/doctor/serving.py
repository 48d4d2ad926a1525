"""The settings of a server, and the entries of MCP clients: whether the one would start, and the others start it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping

from crosstrail import __version__
from crosstrail.clients.machine import this_machine
from crosstrail.clients.states import EntryState, states
from crosstrail.doctor.finding import DoctorFinding, failed, ok, warning
from crosstrail.json_values import table, text
from crosstrail.settings.config import Settings
from crosstrail.settings.server_settings import conflicts

_START_SECONDS = 20.0
_INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "crosstrail doctor", "version": __version__},
    },
}


def serve(settings: Settings) -> Iterator[DoctorFinding]:
    found = list(conflicts(settings.serve, settings.jwt, settings.oauth, rules=settings.access))
    for one in found:
        yield failed("serve", one.setting, str(one.error), one.error.hint)
    given = settings.serve
    if found:
        return
    if given.transport == "stdio":
        yield ok("serve", "transport", "stdio: one client, who may see every account")
        return
    where = given.socket or f"{given.host}:{given.port}"
    yield ok(
        "serve", "transport", f"{given.transport} at {where}, auth {given.auth}, {len(settings.access)} access rules"
    )


def clients(environ: Mapping[str, str], *, starts: bool = True) -> Iterator[DoctorFinding]:
    """Of clients that are here: one that has an entry is started as that client would."""
    found = [one for one in states(this_machine(environ), "crosstrail", None) if one.installed or one.entry != "-"]
    if not found:
        yield ok("clients", "none", "no MCP client was found here")
    having = [one for one in found if one.entry != "-"]
    for one in found:
        name = one.client.name
        if one.entry == "-" and not having:
            yield warning("clients", name, "has no entry", f"Add it: crosstrail client add {name}")
        elif one.entry == "-":
            yield ok("clients", name, f"has no entry; crosstrail client add {name} adds one")
        elif one.entry != "ok":
            yield failed("clients", name, f"the entry in {one.path} does not work", one.remedy)
        elif one.command and starts:
            yield _started(one)
        else:
            yield ok("clients", name, f"has an entry in {one.path}")


def _started(state: EntryState) -> DoctorFinding:
    name, again = state.client.name, f"Write it anew: crosstrail client add {state.client.name}"
    message = json.dumps(_INITIALIZE) + "\n"
    try:
        done = subprocess.run(  # noqa: S603 - what the client itself would start
            state.command,
            input=message,
            capture_output=True,
            text=True,
            timeout=_START_SECONDS,
            check=False,
            cwd=os.sep,
        )
    except subprocess.TimeoutExpired:
        return failed(
            "clients",
            name,
            f"its command gave no answer in {_START_SECONDS:g} s",
            "Run it by hand: " + " ".join(state.command),
        )
    except OSError as error:
        return failed("clients", name, f"its command does not start: {error.strerror}", again)
    try:
        answer = table(json.loads(done.stdout.partition("\n")[0]))
    except ValueError:
        answer = {}
    server = table(table(answer.get("result")).get("serverInfo"))
    if not server:
        last = (done.stderr.strip().splitlines() or ["nothing was said"])[-1][:300]
        return failed("clients", name, f"its command ends without an answer: {last}", again)
    return ok("clients", name, f"starts {text(server.get('name'))} {text(server.get('version'))}")
