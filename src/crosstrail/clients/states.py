"""How the entry of each client is: there or not, right or not, and what to do about it. Nothing is started or changed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from crosstrail.clients.files import entries, read_text
from crosstrail.clients.known import CLIENTS, McpClient
from crosstrail.clients.machine import Machine
from crosstrail.errors import InvalidRequest
from crosstrail.json_values import items, table, text

EntryCondition = Literal["ok", "-", "broken", "unreadable"]


@dataclass(frozen=True, slots=True)
class EntryState:
    """`command`: what the client starts; empty for a server at a URL. `remedy`: one sentence, empty where nothing is wrong."""

    client: McpClient
    path: Path
    installed: bool
    entry: EntryCondition
    command: tuple[str, ...] = ()
    remedy: str = ""


def file_of(client: McpClient, machine: Machine, project: Path | None) -> Path:
    """Raises InvalidRequest where that client has no file for a project."""
    if project is None:
        return client.user(machine)
    if not client.project:
        raise InvalidRequest(f"{client.title} has no file for one project", hint="Leave --project out.")
    return project.absolute() / client.project


def states(machine: Machine, name: str, project: Path | None) -> list[EntryState]:
    """Of all clients; with a project of those that have a file there."""
    return [state_of(one, machine, name, project) for one in CLIENTS if project is None or one.project]


def state_of(client: McpClient, machine: Machine, name: str, project: Path | None) -> EntryState:
    path = file_of(client, machine, project)
    installed = (
        client.user(machine).parent not in (machine.home, machine.config) and client.user(machine).parent.is_dir()
    )
    installed = installed or client.user(machine).is_file() or shutil.which(client.name) is not None
    try:
        found = entries(client, path, read_text(path)).get(name)
    except InvalidRequest as error:
        return EntryState(client, path, installed, "unreadable", remedy=error.operators_text)
    except OSError as error:
        return EntryState(client, path, installed, "unreadable", remedy=f"{path}: {error.strerror}")
    if found is None:
        return EntryState(client, path, installed, "-")
    return _judged(client, path, installed, table(found))


def _judged(client: McpClient, path: Path, installed: bool, found: Mapping[str, object]) -> EntryState:
    if text(found.get(client.url)) if client.url else False:
        return EntryState(client, path, installed, "ok")
    command = (text(found.get("command")), *(text(one) for one in items(found.get("args"))))
    again = f"Write it anew: crosstrail client add {client.name}"
    if not command[0]:
        return EntryState(client, path, installed, "broken", remedy=f"The entry names no command. {again}")
    if command[0] == "wsl.exe" and "--" in command:
        command = command[command.index("--") + 1 :]
    if not _exists(command[0]):
        remedy = f"{command[0]} is not there or cannot be run. {again}"
        return EntryState(client, path, installed, "broken", command, remedy)
    if "--config" in command[:-1] and not Path(command[command.index("--config") + 1]).is_file():
        remedy = f"{command[command.index('--config') + 1]} is not there. {again}"
        return EntryState(client, path, installed, "broken", command, remedy)
    return EntryState(client, path, installed, "ok", command)


def _exists(command: str) -> bool:
    if os.sep in command:
        return os.access(command, os.X_OK) and Path(command).is_file()
    return shutil.which(command) is not None
