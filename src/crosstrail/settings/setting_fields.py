"""What a field of the settings is: one value, a group of them, a list or a mapping of entries, or an account's auth.

Decides by types alone, so that whoever walks over all settings (to show them, to describe them, to say what is wrong) walks the
same way. It reads no value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from crosstrail.account_auth import Auth
from crosstrail.settings_group import PathKind, SettingsGroup

Kind = Literal["value", "group", "clouds", "list", "mapping", "auth"]


@dataclass(frozen=True, slots=True)
class FieldShape:
    """`clouds`: the groups of the installed clouds. `model`: of a group, or of each entry of a list or a mapping."""

    kind: Kind
    model: type[BaseModel] = BaseModel


@dataclass(frozen=True, slots=True)
class FieldFacts:
    """What an option says of itself beside its type. `env`: its variables, the first that is set counts."""

    env: tuple[str, ...] = ()
    flag: str = ""
    path: PathKind = ""


def shape_of(name: str, field: FieldInfo) -> FieldShape:
    if name == "clouds":
        return FieldShape("clouds")
    kind = field.annotation
    if isinstance(kind, type) and issubclass(kind, SettingsGroup):
        return FieldShape("group", kind)
    models = _models(kind)
    if models and issubclass(models[0], Auth):
        return FieldShape("auth")
    if models:
        return FieldShape("mapping" if get_origin(kind) is Mapping else "list", models[0])
    return FieldShape("value")


def facts_of(field: FieldInfo) -> FieldFacts:
    extra = field.json_schema_extra
    if not isinstance(extra, dict):
        return FieldFacts()
    env = tuple(name for name in str(extra.get("env", "")).split(", ") if name)
    return FieldFacts(env, str(extra.get("flag", "")), cast(PathKind, extra.get("path", "")))


def is_secret(field: FieldInfo) -> bool:
    """Whether its value, or each of its values, is one."""
    return SecretStr in (field.annotation, *_parts(field.annotation))


def _parts(kind: object) -> list[object]:
    """Every type that is written in this one."""
    return [inner for part in get_args(kind) for inner in (part, *_parts(part))]


def _models(kind: object) -> list[type[BaseModel]]:
    return [part for part in (kind, *_parts(kind)) if isinstance(part, type) and issubclass(part, BaseModel)]
