"""Where settings come from: flag > environment > file > default.

The only module that reads `os.environ`; nothing writes it. Unknown keys are refused with the nearest valid name, never ignored.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from pydantic import ValidationError

from crosstrail.clouds.base import clouds
from crosstrail.errors import ConfigError
from crosstrail.settings.replaced_settings import REPLACED
from crosstrail.settings.setting_faults import SettingProblem, faults_of
from crosstrail.settings.settings import Option, Settings, options
from crosstrail.settings.settings_file import FILE_NAME, config_file, read_mapping
from crosstrail.settings_group import SettingsGroup
from crosstrail.trust import trusted

SettingsT = TypeVar("SettingsT", bound=SettingsGroup)


class SourceKind(StrEnum):
    FLAG = "flag"
    ENVIRONMENT = "environment"
    FILE = "file"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class SettingSource:
    """Where a value comes from. `name`: of a variable, or what of the environment says it; empty for the others."""

    kind: SourceKind
    name: str = ""


@dataclass(frozen=True, slots=True)
class Gathered:
    """What file, environment and flags say together, not yet checked. `sources`: of what is not the file's, by its dotted name."""

    values: dict[str, object]
    file: str
    sources: Mapping[str, SettingSource] = field(default_factory=dict)

    def said_by(self, name: str) -> str:
        """For messages: who says this setting."""
        source = self.sources.get(name)
        if source is None:
            return self.file or "the settings"
        return "the command line" if source.kind is SourceKind.FLAG else f"{source.name} in the environment"


def load_settings(
    config: str = "", flags: Mapping[str, object] | None = None, environ: Mapping[str, str] | None = None
) -> Settings:
    """Settings from a file (named, else CROSSTRAIL_CONFIG, else found), the environment and flags such as `lake.path`.

    Relative paths in the file are taken from the file's folder. Raises ConfigError.
    """
    path = config_file(config, environ)
    for fault in replaced_variables(environ):
        raise ConfigError(f"{fault.name} in the environment: {fault.problem}", hint=fault.hint)
    return checked(Settings, gathered(read_mapping(path) if path else {}, str(path or ""), flags, environ))


def gathered(
    values: dict[str, object],
    file: str,
    flags: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Gathered:
    """A file's `values` with the environment and the flags. Raises ConfigError."""
    environ = os.environ if environ is None else environ
    if "clouds" in values:
        raise ConfigError(f"clouds ({file}): there is no such setting", hint="A cloud's group stands under its name.")
    found: dict[str, SettingSource] = {}
    for cloud in clouds():
        group = values.setdefault(cloud.name, {}) if cloud.settings else values
        if isinstance(group, dict) and cloud.has_identity(environ) and "ambient" not in group:
            group["ambient"] = True
            name = f"{cloud.name}.ambient" if cloud.settings else "ambient"
            found[name] = SettingSource(SourceKind.ENVIRONMENT, f"an identity of {cloud.name}")
    merged = _with_overrides(Settings, values, file, flags, environ)
    return Gathered(values, file, found | dict(merged.sources))


def resolved(
    model: type[SettingsT],
    values: dict[str, object],
    source: str,
    flags: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
) -> SettingsT:
    """What a file's `values`, the environment and the flags say together; `source` is the file's name. Raises ConfigError."""
    environ = os.environ if environ is None else environ
    return checked(model, _with_overrides(model, values, source, flags, environ))


def checked(model: type[SettingsT], given: Gathered) -> SettingsT:
    """Raises ConfigError for the first thing that is wrong."""
    trusted().check()  # whoever reads settings is about to ask something
    try:
        return model.model_validate(given.values)
    except ValidationError as error:
        first = faults_of(error, model)[0]
    said = f"{first.name} ({given.said_by(first.name)}): {first.problem}"
    listed = (
        "See `crosstrail help configuration`." if model is Settings else "`crosstrail help readme` lists the settings."
    )
    raise ConfigError(said, hint=first.hint or listed)


def replaced_variables(environ: Mapping[str, str] | None = None) -> list[SettingProblem]:
    """Of the environment, what an earlier version read and this one does not."""
    environ = os.environ if environ is None else environ
    return [
        SettingProblem(
            (each.variable,),
            "an earlier version read this variable",
            hint=f"Set {each.written} instead: see `crosstrail help upgrading`.",
        )
        for each in REPLACED.values()
        if environ.get(each.variable)
    ]


def _with_overrides(
    model: type[SettingsGroup],
    values: dict[str, object],
    file: str,
    flags: Mapping[str, object] | None,
    environ: Mapping[str, str],
) -> Gathered:
    found: dict[str, SettingSource] = {}
    for each in options(model):
        for variable in each.env.split(", "):
            if variable and (text := environ.get(variable, "")):
                _put(values, each.name, text)
                found[each.name] = SettingSource(SourceKind.ENVIRONMENT, variable)
                break
    for name, value in (flags or {}).items():
        if value not in (None, ""):
            _put(values, name, value)
            found[name] = SettingSource(SourceKind.FLAG)
    return Gathered(values, file, found)


def _put(values: dict[str, object], dotted: str, value: object) -> None:
    *sections, name = dotted.split(".")
    for section in sections:
        inner = values.setdefault(section, {})
        if not isinstance(inner, dict):
            return  # the file has nonsense here: validation will say so
        values = inner
    values[name] = value


__all__ = [
    "FILE_NAME",
    "Gathered",
    "Option",
    "SettingSource",
    "Settings",
    "SourceKind",
    "checked",
    "config_file",
    "gathered",
    "load_settings",
    "options",
    "replaced_variables",
    "resolved",
]
