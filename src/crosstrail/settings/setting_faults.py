"""What is wrong with settings, each fault with the setting that has it and what to write instead.

Decides how pydantic's places become names of settings as a file has them, and which valid name is nearest to one that is unknown. A
rejected value is never repeated: it may be a secret put in the wrong place.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from crosstrail.account_forms import auths_by_tag
from crosstrail.settings.replaced_settings import REPLACED
from crosstrail.settings.setting_fields import shape_of
from crosstrail.settings.settings import cloud_groups
from crosstrail.validation_errors import said

UNKNOWN = "extra_forbidden"
_OF_KEY = "[key]"
"""Pydantic's word for a key of a mapping that is not as keys must be."""


@dataclass(frozen=True, slots=True)
class SettingProblem:
    """`path`: keys and numbers of entries, from the top of the file. `hint`: empty where the problem says all."""

    path: tuple[str, ...]
    problem: str
    hint: str = ""
    kind: str = ""
    """Pydantic's type of error, where that found it."""

    @property
    def name(self) -> str:
        """The setting, as messages have it."""
        return ".".join(self.path)

    @property
    def full_name(self) -> str:
        """The same with numbers of entries in brackets, as `config show` has it."""
        return setting_name(self.path)


def setting_name(path: tuple[str, ...]) -> str:
    """`accounts[0].region`; a key that holds digits alone, of a mapping, looks like a number of an entry."""
    return "".join(f"[{part}]" if part.isdecimal() else f".{part}" for part in path).removeprefix(".")


def faults_of(error: ValidationError, model: type[BaseModel]) -> list[SettingProblem]:
    """All of them; a misspelt name comes first, as other things follow from it."""
    found = [
        _fault(tuple(str(part) for part in one["loc"]), one["type"], one["msg"], model)
        for one in error.errors(include_input=False, include_url=False)
    ]
    return sorted(found, key=lambda fault: fault.kind != UNKNOWN)


def _fault(place: tuple[str, ...], kind: str, message: str, model: type[BaseModel]) -> SettingProblem:
    if place[:1] == ("clouds",):  # which the model has, and no file
        place = place[1:]
    path = _as_written(place)
    problem = said(kind, message, place[-1] if place else "")
    if kind != UNKNOWN:
        return SettingProblem(path, problem, kind=kind)
    if replaced := REPLACED.get(".".join(path)):
        hint = f"Write {replaced.written} instead: see `crosstrail help upgrading`."
        return SettingProblem(path, "an earlier version had this setting", hint=hint, kind=kind)
    known = _known_names(place[:-1], model)
    near = difflib.get_close_matches(path[-1], known, n=1)
    return SettingProblem(
        path, problem, f"Did you mean {near[0]}?" if near else f"Known here: {', '.join(known)}.", kind
    )


def _as_written(place: tuple[str, ...]) -> tuple[str, ...]:
    """Without the form that an auth was read as."""
    auths = auths_by_tag()
    return tuple(
        name
        for name, before in zip(place, ("", *place), strict=False)
        if name != _OF_KEY and (before != "auth" or name not in auths)
    )


def _known_names(place: tuple[str, ...], model: type[BaseModel]) -> list[str]:
    """The keys that may stand at this place."""
    auths, groups = auths_by_tag(), cloud_groups()
    field: FieldInfo | None = None
    for name in place:
        shape = shape_of("", field) if field else None
        if field and name in auths:
            model = auths[name]
        elif shape and shape.kind in ("list", "mapping"):
            model = shape.model
        elif name in groups and not model.model_fields.get(name):
            model = groups[name]
        elif field := model.model_fields.get(name):
            if (inner := shape_of(name, field)).kind == "group":
                model, field = inner.model, None
            continue
        field = None
    return [name for known in model.model_fields for name in (groups if known == "clouds" else (known,))]
