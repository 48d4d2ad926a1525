"""The tables of the documentation that are made from the code, so that they cannot say anything else."""

from __future__ import annotations

from crosstrail.server.tools import build_tools
from crosstrail.settings.config import options


def tools_table() -> str:
    """Every tool: name, parameters (required ones marked with *), what it is for. Markdown."""
    lines = ["| tool | parameters | what it is for |", "|---|---|---|"]
    for tool in build_tools():
        required = tool.parameters.get("required", [])
        names = ", ".join(f"{name}{'*' * (name in required)}" for name in tool.parameters["properties"])
        lines.append(f"| `{tool.name}` | {names} | {tool.description.splitlines()[0]} |")
    return "\n".join(lines) + "\n"


def settings_table() -> str:
    """Every setting with its environment variable and default. Markdown."""
    lines = ["| setting | environment | default | what it is |", "|---|---|---|---|"]
    for one in options():
        env, default = (f"`{text}`" if text else "" for text in (one.env, one.default))
        lines.append(f"| `{one.name}` | {env} | {default} | {one.help} |")
    return "\n".join(lines) + "\n"
