"""What `crosstrail client` does with the file of one client, and what it says about it."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

import tomlkit

from crosstrail.cli.words import out, out_document, say
from crosstrail.clients.entry import LocalServer, RemoteServer, Server, add_command, entry_of, missing_variables
from crosstrail.clients.files import read_text, with_entry, without_entry, write_text
from crosstrail.clients.installation import this_installation
from crosstrail.clients.known import McpClient
from crosstrail.clients.machine import Machine, this_machine
from crosstrail.clients.states import EntryState, file_of, states
from crosstrail.errors import InvalidRequest
from crosstrail.settings.config import load_settings
from crosstrail.settings.environment import environment
from crosstrail.settings.needed_variables import needed_variables
from crosstrail.settings.settings_file import config_file

_DOWNLOADED = "about 140 MB on disk, 420 MB with the lake"


def server_to_add(config: str, lake: str, url: str, token: str) -> Server:
    """Raises ConfigError where the configuration that it is to start with cannot be read, InvalidRequest."""
    if url:
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise InvalidRequest("this is no address of a server", hint="Write it as https://trails.example.com/mcp.")
        return RemoteServer(url, token)
    settings = load_settings(config, {"lake.path": lake})
    start, found = this_installation(), config_file(config)
    arguments = [*start.arguments, "serve"]
    if found:
        arguments += ["--config", str(found.absolute())]
    if lake:
        arguments += ["--lake", str(Path(lake).expanduser().absolute())]
    variables = needed_variables(settings, environment())
    return LocalServer(start.command, tuple(arguments), variables, start.downloads)


def add_entry(client: McpClient, server: Server, name: str, project: Path | None) -> None:
    """Raises InvalidRequest, ConfigError, OSError."""
    machine = this_machine(environment())
    path = file_of(client, machine, project)
    entry = entry_of(client, server, machine)
    before = read_text(path)
    after = with_entry(client, path, before, name, entry)
    if after == before:
        out(f"{client.title}: the entry in {path} is right already.")
        return
    write_text(path, after)
    out(f"{client.title}: wrote the entry {name} into {path}.")
    out(f"  {client.restart}")
    _say_what_is_missing(client, server, machine)


def print_entry(client: McpClient, server: Server, name: str, project: Path | None) -> None:
    """Raises InvalidRequest, ConfigError."""
    machine = this_machine(environment())
    entry = entry_of(client, server, machine)
    say(f"For {client.title}, in {file_of(client, machine, project)}:")
    if client.toml:
        out_document(tomlkit.dumps({client.key: {name: entry}}).rstrip())
    else:
        out_document(json.dumps({client.key: {name: entry}}, indent=2, ensure_ascii=False))
    if command := add_command(client, name, server, project=project is not None):
        say("The client's own command for the same:")
        say(f"  {command}")
    _say_what_is_missing(client, server, machine)


def remove_entry(client: McpClient, name: str, project: Path | None) -> None:
    """Raises InvalidRequest, ConfigError, OSError."""
    path = file_of(client, this_machine(environment()), project)
    before = read_text(path)
    after = without_entry(client, path, before, name)
    if after == before:
        out(f"{client.title}: there is no entry {name} in {path}.")
        return
    write_text(path, after)
    out(f"{client.title}: took the entry {name} out of {path}.")
    out(f"  {client.restart}")


def entry_states(name: str, project: Path | None) -> list[EntryState]:
    """Raises ConfigError."""
    return states(this_machine(environment()), name, project)


def _say_what_is_missing(client: McpClient, server: Server, machine: Machine) -> None:
    if missing := missing_variables(client, server):
        say(
            f"note: the file of {client.title} cannot refer to variables. Start it where {', '.join(missing)} are set; accounts "
            "that crosstrail.yaml names by profile or role need no keys there (crosstrail init)."
        )
    elif client.desktop and isinstance(server, LocalServer) and server.variables:
        say(
            f"note: {client.title} passes {', '.join(server.variables)} on where it is started with them. Accounts that "
            "crosstrail.yaml names by profile or role need no keys there (crosstrail init)."
        )
    if isinstance(server, LocalServer) and server.downloads:
        say(f"note: the first start downloads crosstrail and its libraries, {_DOWNLOADED}. {client.first_start}")
    if machine.distribution and client.desktop and not machine.windows_home:
        say(f"note: the home folder of Windows was not found, so {client.title} of Windows does not read this file.")
