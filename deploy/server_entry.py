"""`make docs`: writes server.json, crosstrail's entry for registries of MCP servers, from crosstrail.origin.

Decides what of it there is: the package only once one is published. A namespace of such a registry belongs to whoever holds the
repository; as long as there is none it is below `example`, which is nobody's and which no registry takes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from crosstrail import __version__
from crosstrail.origin import PACKAGE, REPOSITORY

ROOT = Path(__file__).parents[1]
_VARIABLES = [
    {"name": "CROSSTRAIL_CONFIG", "description": "Configuration file that lists the accounts"},
    {"name": "AWS_PROFILE", "description": "AWS profile, where no account is listed"},
    {"name": "ENCRYPTION_KEY", "description": "Fernet keys of stored secrets", "isSecret": True},
]


def entry(package: str = PACKAGE, repository: str = REPOSITORY) -> dict[str, Any]:
    """The registry's server.json. Raises ValueError for a repository that is not GitHub's: its namespace is not known here."""
    found: dict[str, Any] = {
        "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
        "name": "example.crosstrail/crosstrail",
        "title": "crosstrail",
        "description": "Who did what, where and when: audit trails of every account in every cloud",
        "version": __version__,
    }
    if repository:
        host, [owner, name] = urlsplit(repository).netloc, urlsplit(repository).path.strip("/").split("/")
        if host != "github.com":
            raise ValueError(f"no namespace is known for a repository at {host}")
        found["name"] = f"io.github.{owner}/{name.removesuffix('.git')}"
        found["repository"] = {"url": repository, "source": "github"}
    if package:
        found["packages"] = [
            {
                "registryType": "pypi",
                "identifier": package,
                "version": __version__,
                "runtimeHint": "uvx",
                "transport": {"type": "stdio"},
                "packageArguments": [{"type": "positional", "value": "serve"}],
                "environmentVariables": _VARIABLES,
            }
        ]
    return found


if __name__ == "__main__":
    (ROOT / "server.json").write_text(json.dumps(entry(), indent=2) + "\n")
