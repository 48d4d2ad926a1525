"""Settings that cannot stand beside each other, or cannot work: which setting is to be changed, and the error that says so."""

from __future__ import annotations

from dataclasses import dataclass

from crosstrail.errors import ConfigError


@dataclass(frozen=True, slots=True)
class SettingConflict:
    """`setting`: the dotted name of the one to look at."""

    setting: str
    error: ConfigError
