"""What a group of settings is made of: a section, and an option with its environment variable and help."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


class SettingsGroup(BaseModel):
    """A group of settings; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


def option(default: object, env: str, help: str, **limits: Any) -> Any:
    """A field of that default, environment variables and help; typed as pydantic's `Field` is, which takes any default."""
    return Field(default, description=help, json_schema_extra={"env": env}, **limits)


def _names(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
"""A list in a file; comma-separated in the environment and on the command line."""
