"""Puts a manual page of every command into the source distribution, below man/: made of the command tree while it is built."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ManPages(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        sys.path.insert(0, str(Path(self.root, "src")))
        from crosstrail.cli import crosstrail
        from crosstrail.cli.man_pages import man_pages

        self._made = tempfile.TemporaryDirectory(prefix="crosstrail-man-")
        for name, text in man_pages(crosstrail):
            path = Path(self._made.name, name)
            path.write_text(text, "utf-8")
            build_data["force_include"][str(path)] = f"man/{name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        self._made.cleanup()
