"""What an account of each installed cloud looks like where it is listed: its id, its ways to credentials, its table.

Decides which forms a cloud has; a cloud brings them by an entry point (see clouds/base.py), so nothing here names one.
Below the models, which check accounts by it: so it loads clouds by name and knows no more of them than `accounts`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, PackageNotFoundError, distribution, entry_points
from typing import Protocol

from pydantic import ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from crosstrail.account_auth import Auth, KeysAuth, RequestKeys

ENTRY_POINTS = "crosstrail.clouds"
"""The group of entry points by which a distribution brings clouds: name -> a `Cloud` (see clouds/base.py)."""
_ID = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._:/@-]{0,126}[A-Za-z0-9])?", re.ASCII)


@dataclass(frozen=True, slots=True)
class AccountForm:
    """The form of one cloud's accounts.

    `id_pattern` matches a whole id, `id_form` says it in words ("must be 12 digits"). `auths`: the ways to credentials, by
    their `type`. `table` is where the account database lists these accounts; a role is stored in its column `role_column`.
    """

    title: str
    id_pattern: re.Pattern[str] = _ID
    id_form: str = "must be letters, digits and `.` `_` `:` `/` `@` `-` between them, 128 at most"
    auths: Mapping[str, type[Auth]] = field(default_factory=lambda: {"keys": KeysAuth})
    table: str = ""
    id_length: int = 128
    """Of the table's column; with `fixed_length`, of every id in it."""
    fixed_length: bool = False
    role_column: str = ""
    external_ids: bool = False
    """Whether a stored role may ask for an external id, kept with the organization that asks for it."""

    def is_id(self, text: str) -> bool:
        return self.id_pattern.fullmatch(text) is not None

    def stored_id(self, value: object) -> str:
        """An id as a table has it: a numeric column has dropped the leading zeros of ids of a fixed length."""
        text = "" if value is None else str(value).strip()
        return text.zfill(self.id_length) if self.fixed_length and isinstance(value, int) else text


class HasAccounts(Protocol):
    """As much as is known here of a `Cloud`."""

    @property
    def accounts(self) -> AccountForm: ...


@cache
def installed_clouds() -> Mapping[str, EntryPoint]:
    """Every installed cloud. This project's own come first and win over another distribution's of the same name.

    Reads the metadata of all installed distributions, once.
    """
    found = {point.name: point for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.value)}
    return _own() | {name: point for name, point in found.items() if name not in _own()}


@cache
def load_cloud(name: str) -> HasAccounts | None:
    """What the entry point of that name gives, None where there is none. This project's own are found without a search."""
    point = _own().get(name) or installed_clouds().get(name)
    found: HasAccounts | None = point.load() if point else None
    return found


@cache
def _own() -> dict[str, EntryPoint]:
    try:
        points = distribution("crosstrail").entry_points
    except PackageNotFoundError:  # run from a folder that nothing installed
        return {}
    return {point.name: point for point in sorted(points, key=lambda one: one.name) if point.group == ENTRY_POINTS}


_UNKNOWN = AccountForm("")


def account_form(cloud: str) -> AccountForm:
    """The form of that cloud's accounts; of a cloud that is not installed, the loosest: asking it says what is missing."""
    found = load_cloud(cloud)
    return found.accounts if found else _UNKNOWN


def account_forms() -> Mapping[str, AccountForm]:
    """Of every installed cloud."""
    return {name: account_form(name) for name in sorted(installed_clouds())}


def cloud_of_role(column: str, role: str, default: str) -> str:
    """The cloud whose accounts have such a role, stored in that column. `default` where that is one of several, or none is.

    Of a role that fits none, a cloud that has the column: its form says what is wrong with it.
    """
    having = [name for name, form in account_forms().items() if form.role_column == column]
    found = [name for name in having if _is_role(account_form(name), role)] or having
    return default if default in found or not found else found[0]


def _is_role(form: AccountForm, role: str) -> bool:
    try:
        return bool(form.auths["role"].model_validate({"type": "role", form.role_column: role}))
    except ValidationError:
        return False


def parsed_auth(cloud: str, value: object) -> Auth:
    """The form that a configuration's mapping is of, and no other cloud's. Raises ValidationError, PydanticCustomError."""
    form = account_form(cloud)
    if isinstance(value, Auth):
        if not isinstance(value, RequestKeys) and type(value) not in form.auths.values():
            raise _of_others(form, value.type)
        return value
    if not isinstance(value, Mapping):
        raise PydanticCustomError("mapping_type", "must be a mapping")
    kind = str(value.get("type", ""))
    model = form.auths.get(kind)
    if model is None:
        raise _of_others(form, kind)
    if model.named_by and model.named_by not in value:
        owners = _owners(kind)
        elsewhere = [name for name, (_, other) in owners.items() if other.named_by and other.named_by in value]
        if elsewhere:
            field = owners[elsewhere[0]][1].named_by
            name = cloud_of_role(field, str(value[field]), elsewhere[0])
            raise _set_cloud(field, account_form(name).title, name)
    try:
        return model.model_validate(value)
    except ValidationError as error:
        details = placed(error, auth_tag(cloud, kind))
        raise ValidationError.from_exception_data(error.title, details, hide_input=True) from None


def auth_tag(cloud: str, kind: str) -> str:
    """How the place of an error names the form that was being read; it is part of no file."""
    return f"{cloud} {kind}"


def auths_by_tag() -> Mapping[str, type[Auth]]:
    """Every form of every installed cloud by its tag."""
    return {
        auth_tag(cloud, kind): model for cloud, form in account_forms().items() for kind, model in form.auths.items()
    }


def _owners(kind: str) -> Mapping[str, tuple[str, type[Auth]]]:
    """The clouds that have a form of this type: name -> (title, form)."""
    return {name: (form.title, form.auths[kind]) for name, form in account_forms().items() if kind in form.auths}


def _of_others(form: AccountForm, kind: str) -> PydanticCustomError:
    """One cloud's credentials must not reach another."""
    owners = _owners(kind)
    known = " or ".join(form.auths)
    if not owners:
        return PydanticCustomError("auth_type", "auth.type is one of {known}", {"known": ", ".join(form.auths)})
    if len(owners) == 1:
        [(name, (title, model))] = owners.items()
        return _set_cloud(model.named_by or "type", title, name)
    clouds = " and ".join(owners)
    return PydanticCustomError(
        "auth_cloud",
        "auth of type {kind} is for accounts of {clouds}: give this account {known}",
        {"kind": kind, "clouds": clouds, "known": known},
    )


def _set_cloud(field: str, title: str, name: str) -> PydanticCustomError:
    values = {"field": field, "title": title, "name": name}
    return PydanticCustomError("auth_cloud", "auth.{field} is {title}'s: set cloud to {name}", values)


def placed(error: ValidationError, place: str) -> list[InitErrorDetails]:
    """The same errors, each one place further in."""

    def moved(one: ErrorDetails) -> InitErrorDetails:
        kind = PydanticCustomError(one["type"], one["msg"])  # without values nothing in the text is filled in
        return InitErrorDetails(type=kind, loc=(place, *one["loc"]), input=None)

    return [moved(one) for one in error.errors(include_url=False, include_input=False)]
