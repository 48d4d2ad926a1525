"""The MCP clients that crosstrail knows: where each keeps its servers, and how it writes one.

One value for each; docs/clients.md is made of them. `source` is the vendor's page, or whoever else says it. Nothing here
reads or writes a file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from crosstrail.clients.machine import Machine


@dataclass(frozen=True, slots=True, kw_only=True)
class McpClient:
    """`user` and `project`: the files of a user and, below a project's folder, of a project; empty where it has none."""

    name: str
    title: str
    user: Callable[[Machine], Path]
    project: str = ""
    key: str = "mcpServers"
    toml: bool = False
    desktop: bool = False
    """A program with windows: in WSL it is Windows' and it has not the shell's environment."""
    local_type: str = ""
    """The `type` of a server that it starts; empty where it wants none."""
    remote_type: str = ""
    url: str = "url"
    """What it calls a server's address; empty where its file takes none."""
    reference: str = ""
    """How its file refers to a variable of the environment; empty where it cannot."""
    splits_command: bool = False
    """Whether it takes a blank in the command's path for the end of it."""
    restart: str
    """What makes it read its file again."""
    first_start: str = "Run the entry's command once in a terminal before."
    """What lets it wait for a server that has to be downloaded first."""
    source: str


def _in_home(*parts: str) -> Callable[[Machine], Path]:
    return lambda machine: machine.home.joinpath(*parts)


def _in_desktop_home(*parts: str) -> Callable[[Machine], Path]:
    return lambda machine: machine.desktop_home.joinpath(*parts)


def _in_settings(*parts: str) -> Callable[[Machine], Path]:
    return lambda machine: machine.desktop_settings.joinpath(*parts)


def _claude(machine: Machine) -> Path:
    return Path(machine.claude_config or machine.home) / ".claude.json"


def _codex(machine: Machine) -> Path:
    return Path(machine.codex_home or machine.home / ".codex") / "config.toml"


def _zed(machine: Machine) -> Path:
    if machine.windows_home:
        return machine.desktop_settings / "Zed" / "settings.json"
    return (machine.config if machine.system == "linux" else machine.home / ".config") / "zed" / "settings.json"


CLIENTS: tuple[McpClient, ...] = (
    McpClient(
        name="claude",
        title="Claude Code",
        user=_claude,
        project=".mcp.json",
        local_type="stdio",
        remote_type="http",
        reference="${%s}",
        restart="Start claude again; /mcp shows its servers.",
        first_start="Start it as MCP_TIMEOUT=120000 claude, which waits for 120 s.",
        source="https://code.claude.com/docs/en/mcp",
    ),
    McpClient(
        name="claude-desktop",
        title="Claude Desktop",
        user=_in_settings("Claude", "claude_desktop_config.json"),
        desktop=True,
        url="",
        restart="Quit Claude Desktop, from its menu, and open it again.",
        source="https://modelcontextprotocol.io/quickstart/user",
    ),
    McpClient(
        name="codex",
        title="Codex",
        user=_codex,
        project=".codex/config.toml",
        key="mcp_servers",
        toml=True,
        restart="Start codex again; /mcp shows its servers.",
        first_start="The entry lets it wait for 120 s (startup_timeout_sec).",
        source="https://developers.openai.com/codex/mcp",
    ),
    McpClient(
        name="cursor",
        title="Cursor",
        user=_in_desktop_home(".cursor", "mcp.json"),
        project=".cursor/mcp.json",
        desktop=True,
        reference="${env:%s}",
        restart="Restart Cursor, then turn the server on in Customize, MCPs.",
        source="https://cursor.com/docs/mcp",
    ),
    McpClient(
        name="gemini",
        title="Gemini CLI",
        user=_in_home(".gemini", "settings.json"),
        project=".gemini/settings.json",
        url="httpUrl",
        reference="${%s}",
        restart="Start gemini again; /mcp shows its servers.",
        first_start="It waits for 600 s; `timeout` of the entry (in milliseconds) changes that.",
        source="https://geminicli.com/docs/tools/mcp-server",
    ),
    McpClient(
        name="kiro",
        title="Kiro",
        user=_in_desktop_home(".kiro", "settings", "mcp.json"),
        project=".kiro/settings/mcp.json",
        desktop=True,
        reference="${%s}",
        restart="Kiro reads the file when it is saved; its MCP panel shows the server.",
        source="https://kiro.dev/docs/mcp/configuration",
    ),
    McpClient(
        name="trae",
        title="Trae",
        splits_command=True,
        user=_in_settings("Trae", "User", "mcp.json"),
        project=".trae/mcp.json",
        desktop=True,
        restart="Restart Trae. For a project's file, turn on Settings, MCP, Enable Project MCP.",
        source="https://github.com/pathintegral-institute/mcpm.sh/issues/92",
    ),
    McpClient(
        name="trae-cn",
        title="TRAE CN",
        splits_command=True,
        user=_in_settings("Trae CN", "User", "mcp.json"),
        project=".trae/mcp.json",
        desktop=True,
        restart="Restart TRAE CN. For a project's file, turn on Settings, MCP, Enable Project MCP.",
        source="https://www.volcengine.com/docs/86677/2137601",
    ),
    McpClient(
        name="vscode",
        title="VS Code",
        user=_in_settings("Code", "User", "mcp.json"),
        project=".vscode/mcp.json",
        key="servers",
        desktop=True,
        local_type="stdio",
        remote_type="http",
        reference="${env:%s}",
        restart="VS Code reads the file when it is saved; start the server from MCP: List Servers.",
        source="https://code.visualstudio.com/docs/agents/reference/mcp-configuration",
    ),
    McpClient(
        name="windsurf",
        title="Windsurf",
        user=_in_desktop_home(".codeium", "windsurf", "mcp_config.json"),
        desktop=True,
        url="serverUrl",
        reference="${env:%s}",
        restart="Refresh the MCP servers in Cascade's panel.",
        source="https://docs.windsurf.com/windsurf/cascade/mcp",
    ),
    McpClient(
        name="zed",
        title="Zed",
        user=_zed,
        project=".zed/settings.json",
        key="context_servers",
        desktop=True,
        restart="Zed reads the file when it is saved; the Agent Panel's settings show the server.",
        source="https://zed.dev/docs/ai/mcp",
    ),
)


def client_of(name: str) -> McpClient:
    """Raises KeyError."""
    return {one.name: one for one in CLIENTS}[name]
