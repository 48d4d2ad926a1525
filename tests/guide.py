"""The commands and files that a guide under docs/ shows."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def blocks(guide: str, language: str = "") -> list[str]:
    """Every block of `guide`, such as deploy.md, that is marked with this language, or with none."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", (DOCS / guide).read_text(), re.DOTALL | re.MULTILINE)
    return [text for marked, text in found if marked == language]
