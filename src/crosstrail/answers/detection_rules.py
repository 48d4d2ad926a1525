"""The rules of a question: which files are read, once, and which of their rules a reader means.

Decides that rules are read anew where a file of them changed, and that a name which is no rule's is an error: an answer without it
would read as if it had found nothing.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path

import anyio.to_thread

from crosstrail.detections.loading import load_rules
from crosstrail.detections.rules import RuleSet, only
from crosstrail.detections.user_rules import user_rules
from crosstrail.errors import InvalidRequest
from crosstrail.settings.detection_settings import DetectSettings
from crosstrail.text import clean
from crosstrail.user_folders import expanded

_Stamp = tuple[tuple[str, int, int], ...]


async def rules_of(settings: DetectSettings, more: Sequence[str] = ()) -> RuleSet:
    """Those of the settings, of `more` files and folders, and those that the user added. Raises ConfigError."""
    return await anyio.to_thread.run_sync(lambda: loaded(settings, more))


def loaded(settings: DetectSettings, more: Sequence[str] = ()) -> RuleSet:
    """The same, in this thread."""
    given = [expanded(one) for one in (*settings.rules, *more)]
    paths = tuple(dict.fromkeys([*given, *user_rules()]))
    return _loaded(paths, _stamp(paths), packaged=settings.packaged)


@lru_cache(maxsize=4)
def _loaded(paths: tuple[Path, ...], stamp: _Stamp, *, packaged: bool) -> RuleSet:
    return load_rules(paths, packaged=packaged)


def _stamp(paths: Sequence[Path]) -> _Stamp:
    """What changes when a file of rules does."""
    files = (file for path in paths for file in (sorted(path.rglob("*.y*ml")) if path.is_dir() else [path]))
    found = ((file, file.stat()) for file in files if file.is_file())
    return tuple((str(file), about.st_mtime_ns, about.st_size) for file, about in found)


def named(rules: RuleSet, wanted: str) -> RuleSet:
    """Only findings of the rules that a comma list names: ids, titles, globs of both. All without one. Raises InvalidRequest."""
    patterns = [part.strip().lower() for part in wanted.split(",") if part.strip()]
    if not patterns:
        return rules
    facts = [one.facts for one in rules]
    ids: dict[str, None] = {}
    for pattern in patterns:
        meant = [
            one.id for one in facts if fnmatchcase(one.id.lower(), pattern) or fnmatchcase(one.title.lower(), pattern)
        ]
        if not meant:
            near = difflib.get_close_matches(pattern, [one.title.lower() for one in facts], n=1, cutoff=0.5)
            title = next((one.title for one in facts if near and one.title.lower() == near[0]), "")
            raise InvalidRequest(
                f"no rule is called {clean(pattern, 80)}",
                hint=f"Did you mean {clean(title, 120)}?" if title else "Give ids or titles, * for any letters.",
            )
        ids.update(dict.fromkeys(meant))
    return only(rules, list(ids))
