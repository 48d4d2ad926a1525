"""Where crosstrail can be installed from: the one place that says so, for hints, README and server.json.

It never names a package or an address that is not ours: whoever takes that name would be installed by everybody who follows
the hint. Hints reach callers of a server too, so they hold no path of its machine.
"""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from urllib.parse import urlsplit, urlunsplit

PACKAGE = ""
"""Its name in Python's package index; empty as long as nothing is published there."""
REPOSITORY = ""
"""The https address of its public git repository; empty as long as there is none."""


def requirement(extra: str = "", *, package: str = PACKAGE, repository: str = REPOSITORY) -> str:
    """What pip and uv install it from, with an extra where one is named; in a checkout, where nothing is published."""
    extras = f"[{extra}]" if extra else ""
    if package:
        return f"{package}{extras}"
    return f"crosstrail{extras} @ git+{repository}" if repository else f".{extras}"


def install_hint(extra: str) -> str:
    """One sentence: how this installation gets one more extra. As it came here itself, else from where it is published."""
    pip = "pip" if find_spec("pip") else "uv pip"
    wanted = _from_git(extra) or requirement(extra)
    place = "" if not wanted.startswith(".") else ", in the checkout that crosstrail was installed from,"
    return f"Install it{place} with: {pip} install '{wanted}'"


def _from_git(extra: str) -> str:
    """The same commit of the repository that it was installed from (PEP 610); empty when it was not."""
    try:
        found = json.loads(distribution("crosstrail").read_text("direct_url.json") or "{}")
        git, address = found.get("vcs_info", {}), urlsplit(found.get("url", ""))
    except (PackageNotFoundError, ValueError):
        return ""
    if git.get("vcs") != "git" or address.scheme not in ("https", "ssh"):
        return ""
    host = address.netloc.rpartition("@")[2]  # no name and no password of who installed it
    return f"crosstrail[{extra}] @ git+{urlunsplit((address.scheme, host, address.path, '', ''))}@{git['commit_id']}"
