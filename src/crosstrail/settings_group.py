"""What a group of settings is made of: a section, and an option with its environment variable, flag and help."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.fields import FieldInfo

PathKind = Literal["", "file", "folder", "either"]


class SettingsGroup(BaseModel):
    """A group of settings; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


def option(default: object, env: str, help: str, *, flag: str = "", path: PathKind = "", **limits: Any) -> Any:
    """A field of that default, environment variables and help; typed as pydantic's `Field` is, which takes any default.

    `flag`: of `crosstrail serve`, where it has one for this. `path`: what must be there where it names something.
    """
    return Field(default, description=help, json_schema_extra={"env": env, "flag": flag, "path": path}, **limits)


def _names(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
"""A list in a file; comma-separated in the environment and on the command line."""


def takes_commas(field: FieldInfo) -> bool:
    """Whether it is one of Names."""
    return any(isinstance(one, BeforeValidator) and one.func is _names for one in field.metadata)
