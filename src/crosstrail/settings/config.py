"""Every setting: its name, default, environment variable and help, in one place.

Decides what the settings are and where each comes from: flag > environment > file > default. The only module that reads
`os.environ`; nothing writes it. Unknown keys are refused with the nearest valid name, never ignored.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    Field,
    PlainValidator,
    SecretStr,
    SerializeAsAny,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from crosstrail.account_forms import auths_by_tag, placed
from crosstrail.accounts.policy import AccessRule
from crosstrail.clouds.base import clouds
from crosstrail.detections.suppressions import Suppression
from crosstrail.errors import ConfigError
from crosstrail.models import Account
from crosstrail.settings.athena_settings import AthenaSettings
from crosstrail.settings.audit_settings import AuditSettings
from crosstrail.settings.detection_settings import DetectSettings
from crosstrail.settings.jwt_settings import JwtIssuer, JwtSettings
from crosstrail.settings.lake_settings import LakeSettings, QuerySettings
from crosstrail.settings.server_settings import LimitSettings, ServeSettings
from crosstrail.settings.settings_file import read_mapping
from crosstrail.settings.sign_in_settings import OAuthSettings
from crosstrail.settings.trino_settings import TrinoSettings
from crosstrail.settings.wrap_settings import WrappedServer, WrapSettings
from crosstrail.settings_group import SettingsGroup, option
from crosstrail.trust import trusted
from crosstrail.user_folders import config_folder, expanded
from crosstrail.validation_errors import first_error

FILE_NAME = "crosstrail.yaml"
CONFIG_VARIABLE = "CROSSTRAIL_CONFIG"


class DatabaseSettings(SettingsGroup):
    """A SQL database that lists AWS accounts."""

    url: SecretStr = option(
        "", "DATABASE_URL", "Database that lists accounts: postgresql://USER:PASSWORD@HOST/NAME or sqlite:////FILE."
    )
    secret_name: str = option("", "RDS_SECRET_NAME", "The same by a secret of AWS Secrets Manager; url goes before it.")


class OrganizationSettings(SettingsGroup):
    """The accounts of an AWS organization, all reached by a role of the same name."""

    role_name: str = option(
        "", "CROSSTRAIL_ORGANIZATION_ROLE", "Role to assume in every account of the AWS organization; lists them all."
    )
    external_id: str = option("", "CROSSTRAIL_ORGANIZATION_EXTERNAL_ID", "External id that this role asks for.")


class LookupSettings(SettingsGroup):
    """Events asked of live accounts."""

    max_targets: int = option(
        200, "CROSSTRAIL_MAX_TARGETS", "Most targets (an account in a region) that one call asks.", ge=1, le=10_000
    )
    deadline: float = option(
        45.0, "CROSSTRAIL_LOOKUP_DEADLINE", "Seconds one target may take, waiting for its turn included.", gt=0, le=600
    )


def _groups() -> Mapping[str, type[SettingsGroup]]:
    """The groups that the installed clouds have in the file, by their names."""
    return {cloud.name: cloud.settings for cloud in clouds() if cloud.settings}


def _parsed_groups(values: object) -> Mapping[str, SettingsGroup]:
    if not isinstance(values, Mapping):
        raise PydanticCustomError("mapping_type", "must be a mapping")
    found: dict[str, SettingsGroup] = {}
    for name, group in _groups().items():
        try:
            found[name] = group.model_validate(values.get(name, {}))
        except ValidationError as error:
            raise placed(error, name) from None
    return found


class Settings(SettingsGroup):
    """What `crosstrail.yaml`, the environment and the flags together say."""

    accounts: tuple[Account, ...] = Field((), description="The accounts crosstrail may answer for.")
    region: str = option(
        "",
        "AWS_REGION, AWS_DEFAULT_REGION",
        "AWS region asked when neither the call nor the account names one.",
    )
    ambient: bool = option(
        False,
        "CROSSTRAIL_AMBIENT",
        "Where no account is listed, answer for the AWS identity of the machine; on when the environment holds one "
        "(AWS_PROFILE, AWS_ACCESS_KEY_ID, ...).",
    )
    allow_writes: bool = option(False, "CROSSTRAIL_ALLOW_WRITES", "Offer the tools that change something.")
    database: DatabaseSettings = DatabaseSettings()
    organization: OrganizationSettings = OrganizationSettings()
    profiles: str = option(
        "", "CROSSTRAIL_PROFILES", "AWS profiles to list as accounts: names or globs, comma-separated; `*` for all."
    )
    refresh_accounts: float = option(
        60.0, "CROSSTRAIL_REFRESH_ACCOUNTS", "Seconds before a database or the config files are read again.", ge=1
    )
    keep_accounts: float = option(
        3600.0, "CROSSTRAIL_KEEP_ACCOUNTS", "Most seconds that accounts stay known while their source is away.", ge=0
    )
    encryption_key: SecretStr = option(
        "", "ENCRYPTION_KEY", "Fernet keys of stored secrets, comma-separated: the first encrypts, all decrypt."
    )
    clouds: Annotated[Mapping[str, SerializeAsAny[SettingsGroup]], PlainValidator(_parsed_groups)] = Field(
        {}, validate_default=True
    )
    """The groups of the installed clouds, each under its cloud's name in the file."""
    lookup: LookupSettings = LookupSettings()
    lake: LakeSettings = LakeSettings()
    query: QuerySettings = QuerySettings()
    detect: DetectSettings = DetectSettings()
    trino: TrinoSettings = TrinoSettings()
    athena: AthenaSettings = AthenaSettings()
    access: tuple[AccessRule, ...] = Field((), description="Who may use which accounts; nobody else may use any.")
    serve: ServeSettings = ServeSettings()
    jwt: JwtSettings = JwtSettings()
    oauth: OAuthSettings = OAuthSettings()
    limits: LimitSettings = LimitSettings()
    audit: AuditSettings = AuditSettings()
    wrap: WrapSettings = WrapSettings()
    log_level: Literal["debug", "info", "warning", "error"] = option(
        "warning", "CROSSTRAIL_LOG_LEVEL", "What is logged to stderr: debug, info, warning or error."
    )

    @model_validator(mode="before")
    @classmethod
    def _with_groups(cls, values: object) -> object:
        """In the file a cloud's group stands beside the others."""
        if not isinstance(values, dict) or "clouds" in values:
            return values
        groups = {name: values[name] for name in _groups() if name in values}
        return {name: value for name, value in values.items() if name not in groups} | {"clouds": groups}

    def of_cloud(self, name: str) -> Any:
        """The settings of an installed cloud: its group, or all of them where it has none."""
        return self.clouds.get(name, self)


_LISTS: Mapping[str, type[BaseModel]] = {
    "accounts": Account,
    "access": AccessRule,
    "issuers": JwtIssuer,
    "suppressions": Suppression,
}
SettingsT = TypeVar("SettingsT", bound=SettingsGroup)


class Option(BaseModel):
    """One leaf of Settings, as the documentation lists it."""

    name: str
    env: str
    default: str
    help: str


def options(section: type[BaseModel] = Settings, prefix: str = "") -> Iterator[Option]:
    """Every option that is not a list of accounts, access rules, issuers or suppressions, in the order of the file."""
    for name, field in section.model_fields.items():
        if name == "clouds":
            for cloud, group in _groups().items():
                yield from options(group, f"{cloud}.")
        elif inner := _section(field):
            yield from options(inner, f"{prefix}{name}.")
        elif name not in _LISTS:
            default = "" if field.default in ("", {}, (), None) else str(field.default)
            if isinstance(field.default, tuple):
                default = ",".join(field.default)
            yield Option(name=prefix + name, env=_env_name(field), default=default, help=field.description or "")


def environment(names: Iterable[str] | None = None) -> dict[str, str]:
    """The variables of these names that this process has; all it has without names."""
    if names is None:
        return dict(os.environ)
    return {name: os.environ[name] for name in names if name in os.environ}


def load_settings(
    config: str = "", flags: Mapping[str, object] | None = None, environ: Mapping[str, str] | None = None
) -> Settings:
    """Settings from a file (named, else CROSSTRAIL_CONFIG, else found), the environment and flags such as `lake.path`.

    Relative paths in the file are taken from the file's folder. Raises ConfigError.
    """
    environ = os.environ if environ is None else environ
    path = config_file(config, environ)
    values: dict[str, object] = read_mapping(path) if path else {}
    if "clouds" in values:
        raise ConfigError(f"clouds ({path}): there is no such setting", hint="A cloud's group stands under its name.")
    for cloud in clouds():
        group = values.setdefault(cloud.name, {}) if cloud.settings else values
        if isinstance(group, dict) and cloud.has_identity(environ):
            group.setdefault("ambient", True)
    return resolved(Settings, values, str(path or ""), flags, environ)


def resolved(
    model: type[SettingsT],
    values: dict[str, object],
    source: str,
    flags: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
) -> SettingsT:
    """What a file's `values`, the environment and the flags say together; `source` is the file's name. Raises ConfigError."""
    trusted().check()  # whoever reads settings is about to ask something
    environ = os.environ if environ is None else environ
    sources = {"": source or "the settings"}
    for each in options(model):
        for variable in each.env.split(", "):
            if variable and (text := environ.get(variable, "")):
                _put(values, each.name, text)
                sources[each.name] = f"{variable} in the environment"
                break
    for name, value in (flags or {}).items():
        if value not in (None, ""):
            _put(values, name, value)
            sources[name] = "the command line"
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise _explained(error, sources, model) from None


def config_file(config: str = "", environ: Mapping[str, str] | None = None) -> Path | None:
    """The file that settings are read from: named, else CROSSTRAIL_CONFIG, else found; None without one. Raises ConfigError."""
    if named := config or (os.environ if environ is None else environ).get(CONFIG_VARIABLE, ""):
        path = expanded(named)
        if not path.is_file():
            raise ConfigError(f"there is no configuration file {path}", hint=f"Check --config or {CONFIG_VARIABLE}.")
        return path
    for folder in (Path.cwd(), config_folder()):
        if folder and (folder / FILE_NAME).is_file():
            return folder / FILE_NAME
    return None


def _put(values: dict[str, object], dotted: str, value: object) -> None:
    *sections, name = dotted.split(".")
    for section in sections:
        inner = values.setdefault(section, {})
        if not isinstance(inner, dict):
            return  # the file has nonsense here: validation will say so
        values = inner
    values[name] = value


def _section(field: FieldInfo | None) -> type[SettingsGroup] | None:
    """The group that the field is; None for a field that is none."""
    found = field.annotation if field else None
    return found if isinstance(found, type) and issubclass(found, SettingsGroup) else None


def _env_name(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    return str(extra.get("env", "")) if isinstance(extra, dict) else ""


def _explained(error: ValidationError, sources: Mapping[str, str], model: type[BaseModel]) -> ConfigError:
    """The first thing that is wrong, with its option, its source and, for an unknown key, the nearest valid one."""
    place, kind, words = first_error(error)
    auths = auths_by_tag()
    if place[:1] == ("clouds",):
        place = place[1:]
        model = _groups().get(place[0], model) if len(place) > 1 else model
    keys = [name for name, before in zip(place, ("", *place), strict=False) if before != "auth" or name not in auths]
    dotted = ".".join(keys)
    source = sources.get(dotted, sources[""])
    if kind != "extra_forbidden":
        return ConfigError(f"{dotted} ({source}): {words}", hint="`crosstrail help readme` lists the settings.")
    for name, before in zip(place[:-1], ("", *place), strict=False):
        model = auths.get(name, model) if before == "auth" else _LISTS.get(name, model)
        if inner := _section(model.model_fields.get(name)):
            model = inner
        elif before == "servers":
            model = WrappedServer
    known = [name for field in model.model_fields for name in (_groups() if field == "clouds" else (field,))]
    near = difflib.get_close_matches(place[-1], known, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"Known here: {', '.join(known)}."
    return ConfigError(f"{dotted} ({source}): {words}", hint=hint)
