"""Every setting that holds now: its value as it may be shown, and where that comes from.

Decides what a value looks like (as YAML writes it, secrets masked) and the names of entries of lists (`accounts[0].region`). It judges nothing
and shows no secret.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from crosstrail.settings.config import (
    Gathered,
    Settings,
    SettingSource,
    SourceKind,
    checked,
    config_file,
    gathered,
)
from crosstrail.settings.key_places import KeyPlaces, key_places
from crosstrail.settings.masking import masked_key_id, masked_secret, masked_text, masked_words
from crosstrail.settings.setting_fields import shape_of
from crosstrail.settings.settings_file import read_mapping

SettingPath = tuple[str, ...]
_KEY_IDS = frozenset({"access_key_id", "access_key"})
_ADDRESS = ("database", "url")
_DEFAULT = SettingSource(SourceKind.DEFAULT)


@dataclass(frozen=True, slots=True)
class EffectiveSetting:
    """`origin`: of the file, the line; of the environment, the variable."""

    name: str
    value: str
    source: SourceKind
    origin: str = ""

    @property
    def is_default(self) -> bool:
        return self.source is SourceKind.DEFAULT


def effective_settings(config: str, flags: Mapping[str, object]) -> tuple[Path | None, list[EffectiveSetting]]:
    """The file that was read, and the settings as load_settings gives them. Raises ConfigError."""
    file = config_file(config)
    values, places = read_mapping(file) if file else {}, key_places(file.read_text("utf-8")) if file else None
    given = gathered(values, str(file or ""), flags)
    return file, list(effective(checked(Settings, given), given, places))


def effective(settings: Settings, given: Gathered, places: KeyPlaces | None) -> Iterator[EffectiveSetting]:
    """All of them, in the order of the documentation; of an entry of a list, those that it has."""
    return _Walk(given, places).model(settings, (), "")


class _Walk:
    def __init__(self, given: Gathered, places: KeyPlaces | None) -> None:
        self._given = given
        self._places = places

    def model(
        self, model: BaseModel, path: SettingPath, name: str, *, entry: bool = False
    ) -> Iterator[EffectiveSetting]:
        """`entry`: of a list, where only what is written is shown."""
        for key, field in type(model).model_fields.items():
            if not entry or key in model.model_fields_set:
                yield from self._field(key, field, getattr(model, key), path, name)

    def _field(
        self, key: str, field: FieldInfo, value: object, path: SettingPath, name: str
    ) -> Iterator[EffectiveSetting]:
        inner, here = (*path, key), f"{name}.{key}" if name else key
        match shape_of(key, field).kind, value:
            case "clouds", Mapping():
                for cloud, group in value.items():
                    yield from self.model(group, (cloud,), cloud)
            case "group", BaseModel():
                yield from self.model(value, inner, here)
            case "auth", BaseModel():
                yield from self.model(value, inner, here, entry=True)
            case "list", Sequence() if value:
                for number, each in enumerate(value):
                    yield from self.model(each, (*inner, str(number)), f"{here}[{number}]", entry=True)
            case _, Mapping() if value:
                yield from self._mapping(value, inner, here)
            case _:
                yield self._setting(key, value, inner, here)

    def _mapping(self, values: Mapping[str, object], path: SettingPath, name: str) -> Iterator[EffectiveSetting]:
        for key, value in values.items():
            if isinstance(value, BaseModel):
                yield from self.model(value, (*path, key), f"{name}.{key}", entry=True)
            else:
                yield self._setting(key, value, (*path, key), f"{name}.{key}")

    def _setting(self, key: str, value: object, path: SettingPath, name: str) -> EffectiveSetting:
        source, origin = self._source(path)
        if path == _ADDRESS and isinstance(value, SecretStr):
            value = value.get_secret_value()  # masked as an address: without a password it is no secret
        return EffectiveSetting(name, _shown(key, value), source, origin)

    def _source(self, path: SettingPath) -> tuple[SourceKind, str]:
        if source := self._given.sources.get(".".join(path)):
            return source.kind, source.name
        values: object = self._given.values
        for key in path:
            if isinstance(values, Mapping) and key in values:
                values = values[key]
            elif isinstance(values, Sequence) and key.isdecimal() and int(key) < len(values):
                values = values[int(key)]
            else:
                return _DEFAULT.kind, ""
        place = self._places.of(path) if self._places else None
        return SourceKind.FILE, f"{self._given.file}:{place.line}" if place else self._given.file


def _shown(key: str, value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case SecretStr():
            return masked_secret(value)
        case str() if key in _KEY_IDS:
            return masked_key_id(value)
        case str():
            return masked_text(value)
        case Mapping() | list() | tuple() if not value:
            return ""
        case list() | tuple():
            return ", ".join(masked_words([str(one) for one in value]))
        case _:
            return str(value)
