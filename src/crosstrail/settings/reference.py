"""The reference of the settings as Markdown, made from them: docs/configuration.md holds it, and cannot say anything else.

Decides the order and the look; every word of what a setting is for is its own. An example of each group stands here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import NoneType
from typing import Annotated, Literal, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from crosstrail.account_auth import Auth
from crosstrail.account_forms import AccountForm, account_forms
from crosstrail.accounts.policy import AccessRule
from crosstrail.detections.suppressions import Suppression
from crosstrail.models import Account
from crosstrail.settings.jwt_settings import JwtIssuer
from crosstrail.settings.setting_fields import facts_of, is_secret, shape_of
from crosstrail.settings.settings import Settings, cloud_groups
from crosstrail.settings.wrap_settings import WrappedServer
from crosstrail.settings_group import takes_commas

EXAMPLES: Mapping[str, str] = {
    "database": "database: {url: sqlite:////srv/crosstrail/accounts.sqlite}",
    "organization": "organization: {role_name: Audit, external_id: acme-audit}",
    "lookup": "lookup: {max_targets: 500, deadline: 30}",
    "lake": "lake: {path: /srv/crosstrail/lake, retention: 2y, account_retention: {prod: forever}}",
    "query": "query: {time_limit: 120, memory_limit: 8GB}",
    "detect": "detect: {rules: [./rules], level: high}",
    "detect.webhook": "detect: {webhook: {form: json}}   # its url in CROSSTRAIL_DETECT_WEBHOOK",
    "trino": "trino: {url: 'https://trino.example.com', catalog: lake, user: crosstrail}   # password in CROSSTRAIL_TRINO_PASSWORD",
    "athena": "athena: {account: audit, region: eu-west-1, workgroup: crosstrail}",
    "serve": "serve: {transport: http, host: 0.0.0.0, behind_proxy: true, public_url: 'https://trails.example.com', auth: jwt}",
    "jwt": "jwt: {issuer: 'https://idp.example.com', audience: crosstrail}",
    "oauth": "oauth: {client_id: Iv1.0123456789abcdef, scope: user}   # client_secret in CROSSTRAIL_OAUTH_CLIENT_SECRET",
    "limits": "limits: {calls_per_minute: 60}",
    "audit": "audit: {to: /var/log/crosstrail/calls.jsonl, keep_days: 365}",
    "wrap": "wrap: {max_children: 16, idle: 300}",
}
"""Group -> a file that sets something of it."""
_ENTRY_EXAMPLES: Mapping[type[BaseModel], str] = {
    AccessRule: """\
access:
  - {who: [ann@example.com, "group:secops"], accounts: ["*"]}
  - {who: ["client:nightly"], accounts: ["prod-*"], toolsets: [events, query]}""",
    JwtIssuer: """\
jwt:
  issuers:
    - {issuer: "https://login.example.com", audience: crosstrail}
    - {issuer: "https://token.actions.githubusercontent.com", audience: crosstrail}""",
    Suppression: """\
detect:
  suppressions:
    - {rule: "AWS Root Credentials", account: sandbox, reason: the sandbox has no other user, until: 2027-03-31}""",
    WrappedServer: """\
wrap:
  servers:
    docs: {command: [uvx, awslabs.cloudtrail-mcp-server], pass_env: [HTTPS_PROXY], read_only: true}""",
}
_NO_VALUES: tuple[object, ...] = ("", {}, (), None)


def settings_reference() -> str:
    """Every group with its settings."""
    top = [(name, field) for name, field in Settings.model_fields.items() if shape_of(name, field).kind == "value"]
    parts = ["### At the top of the file", _options_table(top, "")]
    for name, group in _groups(Settings, ""):
        options = [(key, field) for key, field in group.model_fields.items() if shape_of(key, field).kind == "value"]
        about = " ".join((group.__doc__ or "").split("\n\n")[0].split())
        parts += [f"### `{name}`", about, _yaml(_example(name, group)), _options_table(options, f"{name}.")]
    return "\n\n".join(parts) + "\n"


def _example(name: str, group: type[BaseModel]) -> str:
    """Of a cloud's group, its region: what else it has are credentials."""
    return EXAMPLES.get(name) or f"{name}: {{region: {group.model_fields['region'].default}}}"


def accounts_reference() -> str:
    """An entry of `accounts:` key by key, and how credentials of accounts of each cloud are had."""
    forms = account_forms()
    owners = {
        model: [cloud for cloud, form in forms.items() if model in form.auths.values()]
        for form in forms.values()
        for model in form.auths.values()
    }
    shared = [model for model, clouds in owners.items() if len(clouds) > 1]
    parts = [_entry_table(Account), "### `auth` of several clouds"]
    for model in shared:
        parts += _auth(model, [forms[cloud].title for cloud in owners[model]])
    for cloud, form in forms.items():
        parts += [f"### `auth` of {form.title}", _id_line(cloud, form)]
        for model in form.auths.values():
            parts += _auth(model, []) if model not in shared else []
    return "\n\n".join(parts) + "\n"


def _auth(model: type[Auth], titles: Sequence[str]) -> Iterator[str]:
    """`titles`: of the clouds that share it."""
    about = " ".join((model.__doc__ or "").split("\n\n")[0].split())
    kind = model.model_fields["type"].default
    yield f"`type: {kind}` of {', '.join(titles)}: {about}" if titles else f"`type: {kind}`: {about}"
    if len(model.model_fields) > 1:
        yield _entry_table(model, without="type")


def entry_reference(model: type[BaseModel]) -> str:
    """Another kind of entry, with an example."""
    return f"{_yaml(_ENTRY_EXAMPLES[model])}\n\n{_entry_table(model)}\n"


def _groups(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, type[BaseModel]]]:
    for name, field in model.model_fields.items():
        shape = shape_of(name, field)
        if shape.kind == "clouds":
            yield from cloud_groups().items()
        elif shape.kind == "group":
            yield f"{prefix}{name}", shape.model
            yield from _groups(shape.model, f"{prefix}{name}.")


def _id_line(cloud: str, form: AccountForm) -> str:
    named = (
        f"with no `cloud`, or `cloud: {cloud}`"
        if cloud == Account.model_fields["cloud"].default
        else f"`cloud: {cloud}`"
    )
    return f"Accounts {named}: the id {form.id_form}."


def _options_table(fields: list[tuple[str, FieldInfo]], prefix: str) -> str:
    lines = ["| setting | type | default | environment | flag | what it is |", "|---|---|---|---|---|---|"]
    for name, field in fields:
        facts = facts_of(field)
        env = ", ".join(f"`{one}`" for one in facts.env)
        flag = f"`{facts.flag}`" if facts.flag else ""
        cells = (f"`{prefix}{name}`", _type(field), _default(field), env, flag, field.description or "")
        lines.append(_row(cells))
    return "\n".join(lines)


def _entry_table(model: type[BaseModel], without: str = "") -> str:
    lines = ["| key | type | default | what it is |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        if name != without:
            default = "needed" if field.is_required() else _default(field)
            lines.append(_row((f"`{name}`", _type(field), default, field.description or "")))
    return "\n".join(lines)


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True) if not field.is_required() else None
    if isinstance(value, SecretStr) or value in _NO_VALUES:
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`{', '.join(map(str, value))}`"
    return f"`{value}`"


def _type(field: FieldInfo) -> str:
    shape = shape_of("", field)
    if shape.kind == "auth":
        return "mapping, see below"
    if is_secret(field):
        return "mapping of secrets" if get_origin(field.annotation) is Mapping else "secret"
    return _type_words(field.annotation) + (" or text with commas" if takes_commas(field) else "")


def _type_words(kind: object) -> str:
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _type_words(parts[0])
    if origin is Literal:
        return ", ".join(f"`{part}`" for part in parts if part != "")
    if origin is tuple:
        return f"list of {_PLURAL.get(_type_words(parts[0]), _type_words(parts[0]))}"
    if origin is Mapping:
        return "mapping"
    if NoneType in parts:
        return _type_words(next(part for part in parts if part is not NoneType))
    return _WORDS.get(kind, "text") if isinstance(kind, type) else "text"


_WORDS: Mapping[type, str] = {bool: "true or false", int: "whole number", float: "number", str: "text"}
_PLURAL = {"text": "texts"}


def _yaml(text: str) -> str:
    return f"```yaml\n{text}\n```"
