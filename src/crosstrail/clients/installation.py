"""How this very installation of crosstrail is started again, by a program that knows neither its environment nor its folder.

Decides between the absolute path of its executable and `uvx`, whose environments live in a cache that is cleaned up.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import unquote, urlsplit

from crosstrail.json_values import table, text

_NAME = "crosstrail"
_UV_CACHES = ("archive-v", "environments-v", "builds-v")
_EXTRA = re.compile(r"^([A-Za-z0-9._-]+)[^;]*;.*\bextra == ['\"]([a-z0-9-]+)['\"]")


@dataclass(frozen=True, slots=True)
class Start:
    """`downloads`: the first start fetches what crosstrail needs."""

    command: str
    arguments: tuple[str, ...] = ()
    downloads: bool = False


def this_installation(prefix: Path | None = None, executable: Path | None = None) -> Start:
    """`prefix`, `executable`: of the Python that runs, unless they are given."""
    prefix, executable = prefix or Path(sys.prefix), executable or Path(sys.executable)
    if any(part.startswith(_UV_CACHES) for part in prefix.parts) and (uvx := shutil.which("uvx")):
        return Start(uvx, ("--from", _specification(), _NAME), downloads=True)
    program = executable.parent / _NAME
    if program.is_file():
        return Start(str(program))
    return Start(str(executable), ("-m", _NAME))


def installed_extras() -> tuple[str, ...]:
    """The extras whose libraries are all here."""
    try:
        ours = distribution(_NAME)
    except PackageNotFoundError:
        return ()
    needed: dict[str, set[str]] = {}
    for name, extra in _needed(ours):
        needed.setdefault(extra, set()).add(name)
    return tuple(extra for extra, names in needed.items() if all(map(_is_installed, names)))


def _needed(ours: Distribution) -> Iterator[tuple[str, str]]:
    """(library, extra that needs it)"""
    for line in ours.requires or ():
        found = _EXTRA.match(line)
        if found and found[1] != _NAME:
            yield found[1], found[2]


def _is_installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


def _specification() -> str:
    """What `uvx --from` is given for the same version from the same place."""
    ours = distribution(_NAME)
    extras = ",".join(one for one in installed_extras() if one != "all")
    named = f"{_NAME}[{extras}]" if extras else _NAME
    try:
        origin = table(json.loads(ours.read_text("direct_url.json") or "{}"))
    except ValueError:
        origin = {}
    address, versioned = text(origin.get("url")), table(origin.get("vcs_info"))
    if versioned:
        return f"{named} @ {text(versioned.get('vcs'))}+{address}@{text(versioned.get('commit_id'))}"
    if address.startswith("file:"):
        folder = unquote(urlsplit(address).path)
        return f"{folder}[{extras}]" if extras else folder
    return f"{named} @ {address}" if address else f"{named}=={ours.version}"
