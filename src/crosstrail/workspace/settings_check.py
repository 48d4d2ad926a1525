"""Every fault of a file of settings at once, each with its line and column, and what of it can be used for judging further.

Decides what is left out after a fault, so that what does not depend on it is judged too: an unknown or a wrong key; of a list, the whole
entry, because what is said of half an entry would mislead. It opens no file that settings name, and asks nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import yaml
from pydantic import ValidationError

from crosstrail.errors import ConfigError
from crosstrail.settings.config import Gathered, SourceKind, gathered, replaced_variables
from crosstrail.settings.key_places import KeyPlace, KeyPlaces, key_places
from crosstrail.settings.setting_faults import UNKNOWN, SettingProblem, faults_of
from crosstrail.settings.settings import Settings
from crosstrail.settings.settings_file import read_with_repeats

_MAX_ROUNDS = 100
_ENTRIES = "servers"
"""A mapping of entries, beside the lists of them."""


class Severity(StrEnum):
    ERROR = "error"
    """With it, crosstrail refuses the settings."""
    WARNING = "warning"
    """The settings are taken, and something in them does not do what it says."""


@dataclass(frozen=True, slots=True)
class SettingFinding:
    """`source`: the file, or a variable of the environment. `setting`: empty where it is of the file as a whole."""

    source: str
    place: KeyPlace | None
    severity: Severity
    setting: str
    problem: str
    hint: str = ""


class LeftSettings:
    """Values from which faulty ones are taken, and which entries of their lists are still there: an entry keeps its number."""

    def __init__(self, values: dict[str, object]) -> None:
        self.values = values
        self._numbers: dict[tuple[str, ...], list[int]] = {}

    def as_written(self, path: tuple[str, ...]) -> tuple[str, ...]:
        """A path into what is left, as one into the file."""
        for place, name in enumerate(path):
            if (numbers := self._numbers.get(path[:place])) and name.isdecimal() and int(name) < len(numbers):
                path = (*path[:place], str(numbers[int(name)]), *path[place + 1 :])
        return path

    def without(self, path: tuple[str, ...]) -> bool:
        """Takes the faulty setting out, or the entry that it is in; False where it is gone already."""
        parent: object = self.values
        for place, name in enumerate(path):
            if isinstance(parent, list):
                return self._without_entry(parent, path[:place], name)
            if not isinstance(parent, dict) or name not in parent:
                return False
            if place == len(path) - 1 or (place and path[place - 1] == _ENTRIES):
                del parent[name]
                return True
            parent = parent[name]
        return False

    def _without_entry(self, entries: list[object], path: tuple[str, ...], name: str) -> bool:
        numbers = self._numbers.setdefault(path, list(range(len(entries))))
        if not name.isdecimal() or int(name) not in numbers:
            return False
        place = numbers.index(int(name))
        del entries[place], numbers[place]
        return True


@dataclass(frozen=True, slots=True)
class ReadSettings:
    """`settings`: without what is faulty; None where nothing can be read. `places`: None without a file."""

    file: Path | None
    text: str
    settings: Settings | None
    findings: Sequence[SettingFinding]
    places: KeyPlaces | None = None
    given: Gathered | None = None
    left: LeftSettings | None = None

    def finding(self, problem: SettingProblem, severity: Severity = Severity.WARNING) -> SettingFinding:
        """Of the settings that are left."""
        path = self.left.as_written(problem.path) if self.left else problem.path
        return self.located(replace(problem, path=path), severity)

    def located(self, fault: SettingProblem, severity: Severity) -> SettingFinding:
        """The fault at its place: in the environment where that says the setting, else in the file."""
        source = self.given.sources.get(fault.name) if self.given else None
        if source and source.kind is SourceKind.ENVIRONMENT:
            return SettingFinding(source.name, None, severity, fault.full_name, fault.problem, fault.hint)
        place = self.places.of(fault.path, value=fault.kind != UNKNOWN) if self.places else None
        return SettingFinding(str(self.file or ""), place, severity, fault.full_name, fault.problem, fault.hint)


def read_settings(file: Path | None, environ: Mapping[str, str]) -> ReadSettings:
    """The file and the environment. Without a file, the environment alone."""
    text, values = "", dict[str, object]()
    places: KeyPlaces | None = None
    if file:
        try:
            text = file.read_text("utf-8")
            places = key_places(text)
            values = read_with_repeats(text, file)
        except (OSError, UnicodeDecodeError, yaml.YAMLError, ConfigError) as error:
            return ReadSettings(file, text, None, [_unreadable(file, error)])
    given = gathered(values, str(file or ""), {}, environ)
    read = ReadSettings(file, text, None, (), places, given)
    findings = [_variable(fault) for fault in replaced_variables(environ)]
    findings += _repeats(str(file), places)
    left = LeftSettings(given.values)
    settings, faults = _validated(left)
    findings += [read.located(fault, Severity.ERROR) for fault in faults]
    return ReadSettings(file, text, settings, findings, places, given, left)


def _unreadable(file: Path, error: Exception) -> SettingFinding:
    place, problem, hint = None, "cannot be read", ""
    if isinstance(error, ConfigError):
        problem, hint = "must be a mapping of settings", error.hint
    elif isinstance(error, OSError):
        problem = f"cannot be read: {error.strerror}"
    elif isinstance(error, UnicodeDecodeError):
        problem, hint = "is no UTF-8 text", "Save it as UTF-8."
    elif mark := getattr(error, "problem_mark", None):
        place = KeyPlace(mark.line + 1, mark.column + 1, mark.index)
        problem = f"is no YAML: {getattr(error, 'problem', '') or 'cannot be read'}"
    return SettingFinding(str(file), place, Severity.ERROR, "", problem, hint)


def _variable(fault: SettingProblem) -> SettingFinding:
    return SettingFinding(fault.name, None, Severity.ERROR, "", fault.problem, fault.hint)


def _repeats(file: str, places: KeyPlaces | None) -> list[SettingFinding]:
    return [
        SettingFinding(
            file,
            one.again,
            Severity.ERROR,
            ".".join(one.path),
            f"is given twice, first at line {one.first.line}",
            "Join the two: YAML itself would take the second alone.",
        )
        for one in (places.repeated if places else ())
    ]


def _validated(left: LeftSettings) -> tuple[Settings | None, list[SettingProblem]]:
    """Validates again and again, each time without what was faulty before."""
    found: list[SettingProblem] = []
    for _ in range(_MAX_ROUNDS):
        try:
            return Settings.model_validate(left.values), found
        except ValidationError as error:
            new = [replace(fault, path=left.as_written(fault.path)) for fault in faults_of(error, Settings)]
        found += [fault for fault in new if not any(_follows(fault, before) for before in found)]
        gone = [left.without(fault.path) for fault in new]
        if not any(gone):
            break
    return None, found


def _follows(fault: SettingProblem, before: SettingProblem) -> bool:
    """What is said of a group, once one of its keys was left out, may come of that alone."""
    return before.path[: len(fault.path)] == fault.path
