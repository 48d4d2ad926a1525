"""What a client's file says of this server: how it is started here, or where it is served.

Decides that no secret's value is ever in it: variables stand there by name, as the client refers to them, or not at all.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from crosstrail.clients.known import McpClient
from crosstrail.clients.machine import Machine
from crosstrail.errors import InvalidRequest

_DOWNLOAD_SECONDS = 120


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A program that the client starts. `variables`: names of the environment that it needs. `downloads`: its first start does."""

    command: str
    arguments: tuple[str, ...]
    variables: tuple[str, ...] = ()
    downloads: bool = False


@dataclass(frozen=True, slots=True)
class RemoteServer:
    """One that is served at a URL. `token`: the variable with the bearer token that it wants; empty where it wants none."""

    url: str
    token: str = ""


Server = LocalServer | RemoteServer


def entry_of(client: McpClient, server: Server, machine: Machine) -> dict[str, object]:
    """Raises InvalidRequest where that client's file cannot say it."""
    if isinstance(server, RemoteServer):
        return _remote(client, server)
    command, arguments = server.command, list(server.arguments)
    if client.desktop and machine.windows_home:
        command, arguments = "wsl.exe", ["-d", machine.distribution, "--", server.command, *arguments]
    if client.splits_command and " " in command:
        raise InvalidRequest(
            "it takes no command with a blank in its path", hint="Install crosstrail in a folder without one."
        ).about(command)
    entry: dict[str, object] = {**_typed(client.local_type), "command": command, "args": arguments}
    if client.toml:
        if server.variables:
            entry["env_vars"] = list(server.variables)
        if server.downloads:
            entry["startup_timeout_sec"] = _DOWNLOAD_SECONDS
    elif client.reference and server.variables:
        entry["env"] = {name: client.reference % name for name in server.variables}
    return entry


def _typed(name: str) -> dict[str, str]:
    return {"type": name} if name else {}


def _remote(client: McpClient, server: RemoteServer) -> dict[str, object]:
    if not client.url:
        raise InvalidRequest(
            "its file takes no server at a URL",
            hint="Add it in its settings: Connectors, Add custom connector.",
        )
    entry: dict[str, object] = {**_typed(client.remote_type), client.url: server.url}
    if not server.token:
        return entry
    if client.toml:
        return entry | {"bearer_token_env_var": server.token}
    if not client.reference:
        raise InvalidRequest(
            "its file cannot refer to a variable, and no token is written into it",
            hint="Leave --token-variable out and sign in, or add the header in its settings by hand.",
        )
    return entry | {"headers": {"Authorization": f"Bearer {client.reference % server.token}"}}


def add_command(client: McpClient, name: str, server: Server, *, project: bool) -> str:
    """The client's own command that does the same; empty where it has none."""
    if client.name == "claude":
        scope = "project" if project else "user"
        start = ["claude", "mcp", "add", "--scope", scope]
        if isinstance(server, RemoteServer):
            header = f' --header "Authorization: Bearer ${server.token}"' if server.token else ""
            return shlex.join([*start, "--transport", "http", name, server.url]) + header
        return shlex.join([*start, name, "--", server.command, *server.arguments])
    if client.name == "codex" and not project:
        if isinstance(server, RemoteServer):
            token = ["--bearer-token-env-var", server.token] if server.token else []
            return shlex.join(["codex", "mcp", "add", name, "--url", server.url, *token])
        return shlex.join(["codex", "mcp", "add", name, "--", server.command, *server.arguments])
    return ""


def missing_variables(client: McpClient, server: Server) -> tuple[str, ...]:
    """Names that the server needs and that this client's file cannot refer to."""
    if isinstance(server, LocalServer) and not client.toml and not client.reference:
        return server.variables
    return ()
