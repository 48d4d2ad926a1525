"""Files of rules to documents of YAML, whoever wrote them: how much is read of what is bounded before it is parsed.

Links out of the folder that was named are not followed. A file that is not read is named, with the reason.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from crosstrail.detections.rules import RuleProblem

MAX_FILES = 20_000
MAX_BYTES = 1_000_000
"""Of a file."""
_DEEPEST = 60
_MOST_ALIASES = 100
_LICENSES = {
    "Detection Rule License (DRL) 1.1": "DRL 1.1",
    "Apache License": "Apache-2.0",
    "MIT License": "MIT",
    "GNU GENERAL PUBLIC LICENSE": "GPL",
}
_DEEP_SIGNS = ("- " * 20, "\n" + " " * 120, "&")
"""What a rule does without, and a document that is nested deeply or repeats itself does not, beside brackets."""
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class RuleFile:
    """`place`: for a reader; `folder`: what was named and holds it."""

    path: Path
    place: str
    folder: Path

    @property
    def license(self) -> str:
        """Of the rules in it that do not name their own."""
        return _license(self.path.parent, self.folder)


def rule_files(path: Path) -> Iterator[RuleFile]:
    """The file, or all files of YAML in the folder, in the order of their names."""
    if path.is_file():
        yield RuleFile(path, str(path), path.parent)
        return
    for folder, folders, names in os.walk(path):
        folders.sort()
        for name in sorted(names):
            one = Path(folder, name)
            if name.endswith((".yml", ".yaml")) and not one.is_symlink():
                yield RuleFile(one, str(one), path)


def documents(file: RuleFile) -> list[object] | RuleProblem:
    """Its documents, empty ones left out; or why there are none."""
    try:
        with file.path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            return RuleProblem(file.place, "", f"it has more than {MAX_BYTES:,} bytes")
        text = raw.decode("utf-8-sig")
        if _may_be_excessive(text) and (reason := _excessive(text)):
            return RuleProblem(file.place, "", reason)
        return [one for one in yaml.load_all(text, Loader=_LOADER) if one is not None]
    except OSError as error:
        return RuleProblem(file.place, "", f"it cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        return RuleProblem(file.place, "", "it is not text in UTF-8")
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        return RuleProblem(file.place, "", f"it is not YAML: {_one_line(error)}")


def _may_be_excessive(text: str) -> bool:
    return text.count("[") + text.count("{") > _DEEPEST or any(sign in text for sign in _DEEP_SIGNS)


def _excessive(text: str) -> str:
    """Why a document is not to be built; empty where it is. Its events are read one after the other, at any depth."""
    depth = aliases = 0
    for event in yaml.parse(text, Loader=_LOADER):
        aliases += isinstance(event, yaml.AliasEvent)
        if aliases > _MOST_ALIASES:
            return "it refers to parts of itself too often"
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            return "it is nested too deeply"
    return ""


def _one_line(error: Exception) -> str:
    return re.sub(r"\s+", " ", str(error))[:300]


@cache
def _license(folder: Path, root: Path) -> str:
    """By the text beside the rules, or above them up to the folder that was named; a file of one name or another."""
    for one in sorted(folder.glob("LICEN[CS]E*")):
        try:
            with one.open(encoding="utf-8", errors="replace") as stream:
                head = stream.read(4_000)
        except OSError:
            continue
        return next((short for words, short in _LICENSES.items() if words in head), f"see {one.name}")
    return "" if folder == root or root not in folder.parents else _license(folder.parent, root)
