"""A Python that has crosstrail and what it declares to need, without any extra: nothing else of this environment is there."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

SOURCE = Path(__file__).parents[1] / "src"


def required(name: str, extras: Collection[str]) -> set[str]:
    """The packages that one of this environment needs, itself included: markers as this Python has them, extras of extras too."""
    seen: set[tuple[str, str]] = set()
    left = [(name, extra) for extra in {"", *extras}]
    while left:
        one = left.pop()
        if one in seen:
            continue
        seen.add(one)
        for text in distribution(one[0]).requires or ():
            need = Requirement(text)
            if need.marker is None or need.marker.evaluate({"extra": one[1]}):
                left += [(canonicalize_name(need.name), extra) for extra in {"", *need.extras}]
    return {name for name, _ in seen}


class PlainPython:
    """`command` runs it, with `environment` beside whatever else a process is given."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        for name in required("crosstrail", []):
            found = distribution(name)
            tops = {file.parts[0] for file in found.files or ()} - {"..", "__pycache__"}
            if name == "crosstrail":  # its entry points; its code is at SOURCE
                tops = {top for top in tops if top.endswith(".dist-info")}
            for top in tops:
                if not (folder / top).exists():
                    (folder / top).symlink_to(str(found.locate_file(top)))
        self.command = [os.path.realpath(sys.executable), "-S", "-m", "crosstrail"]
        self.environment = {"PYTHONPATH": f"{folder}:{SOURCE}", "PYTHONDONTWRITEBYTECODE": "1"}
