"""The JSON Schema (2020-12) of crosstrail.yaml, for editors: made from the settings themselves.

Decides no more than they do: keys, types, choices, bounds, defaults, what each is for, and which form an account's auth has in each
cloud. What two settings mean together no schema says: `crosstrail config check` does. No secret and no value of this machine is in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TypeAlias

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from crosstrail.account_auth import Auth
from crosstrail.account_forms import AccountForm, account_forms
from crosstrail.models import DEFAULT_CLOUD, Account
from crosstrail.settings.setting_fields import facts_of, is_secret, shape_of
from crosstrail.settings.settings import Settings, cloud_groups
from crosstrail.settings_group import takes_commas

Schema: TypeAlias = dict[str, object]
DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NOT_SHOWN = ("description", "env", "flag", "path", "title")
_WRITTEN_OTHERWISE: Mapping[str, Schema] = {
    "scope": {"type": ["string", "array"], "items": {"type": "string"}},
    "authorize_parameters": {"type": ["string", "array", "object"]},
    "issuer": {"type": ["string", "array"], "items": {"type": "string"}},
    "trino_version": {"enum": [476, 483, "476", "483"]},
}
"""Settings that may be written in other ways than they are kept."""


def settings_schema() -> Schema:
    """Of the whole file."""
    return {
        "$schema": DIALECT,
        "title": "crosstrail.yaml",
        "description": "Settings of crosstrail. `crosstrail config check` finds more than a schema can say.",
        **_object(Settings),
    }


def _object(model: type[BaseModel]) -> Schema:
    properties: Schema = {}
    for name, field in model.model_fields.items():
        if shape_of(name, field).kind == "clouds":
            properties |= {cloud: _described(_object(group), group) for cloud, group in cloud_groups().items()}
        else:
            properties[name] = _property(name, field, model)
    required = [name for name, field in model.model_fields.items() if field.is_required()]
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return schema | ({"required": required} if required else {})


def _described(schema: Schema, model: type[BaseModel]) -> Schema:
    return {"description": (model.__doc__ or "").strip().split("\n\n")[0], **schema}


def _property(name: str, field: FieldInfo, model: type[BaseModel]) -> Schema:
    shape = shape_of(name, field)
    if shape.kind == "group":
        return _described(_object(shape.model), shape.model)
    said: Schema = {"description": _description(field)} if field.description else {}
    if shape.kind == "list":
        return said | {"type": "array", "items": _account() if shape.model is Account else _object(shape.model)}
    if shape.kind == "mapping":
        return said | {"type": "object", "additionalProperties": _object(shape.model)}
    if shape.kind == "auth":
        return said | {"type": "object"}  # which form, by the account's cloud: see _account
    return _value(name, field, model) | said


def _description(field: FieldInfo) -> str:
    facts = facts_of(field)
    env = f" Environment: {', '.join(facts.env)}." if facts.env else ""
    return f"{field.description}{env}"


def _value(name: str, field: FieldInfo, model: type[BaseModel]) -> Schema:
    if is_secret(field) and field.annotation in (SecretStr, SecretStr | None):
        return {"type": "string"}  # no default, and no bounds that an empty one must meet
    written = _written(model)[name]
    schema = {key: value for key, value in written.items() if key not in _NOT_SHOWN}
    if name in _WRITTEN_OTHERWISE and not (name == "issuer" and schema.get("type") == "string"):
        schema = {**_WRITTEN_OTHERWISE[name], **({"default": schema["default"]} if "default" in schema else {})}
    elif takes_commas(field):
        schema["type"] = ["string", "array"]
    return schema


@cache
def _written(model: type[BaseModel]) -> Mapping[str, Schema]:
    """Pydantic's schemas of its fields."""
    found: Mapping[str, Schema] = model.model_json_schema()["properties"]
    return found


def _account() -> Schema:
    """With the form of id and auth that its cloud has."""
    forms = account_forms()
    return _object(Account) | {"allOf": [_of_cloud(cloud, form) for cloud, form in forms.items()]}


def _of_cloud(cloud: str, form: AccountForm) -> Schema:
    named: Schema = {"properties": {"cloud": {"const": cloud}}}
    condition = named if cloud == DEFAULT_CLOUD else named | {"required": ["cloud"]}
    auth: Schema = {
        "required": ["type"],
        "properties": {"type": {"enum": list(form.auths)}},
        "allOf": [
            {"if": {"properties": {"type": {"const": kind}}}, "then": _auth(model)}
            for kind, model in form.auths.items()
        ],
    }
    return {
        "if": condition,
        "then": {"properties": {"id": {"pattern": f"^(?:{form.id_pattern.pattern})$"}, "auth": auth}},
    }


def _auth(model: type[Auth]) -> Schema:
    return _described(_object(model), model)
