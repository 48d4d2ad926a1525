"""The table of tools in the documentation, made from the code, so that it cannot say anything else."""

from __future__ import annotations

from crosstrail.server.tools import build_tools


def tools_table() -> str:
    """Every tool: name, parameters (required ones marked with *), what it is for. Markdown."""
    lines = ["| tool | parameters | what it is for |", "|---|---|---|"]
    for tool in build_tools():
        required = tool.parameters.get("required", [])
        names = ", ".join(f"{name}{'*' * (name in required)}" for name in tool.parameters["properties"])
        lines.append(f"| `{tool.name}` | {names} | {tool.description.splitlines()[0]} |")
    return "\n".join(lines) + "\n"
