"""Every setting: its name, default, environment variable and help, in one place.

Decides what the settings are. Where each comes from is config.py's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, PlainValidator, SecretStr, SerializeAsAny, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from crosstrail.account_forms import placed
from crosstrail.accounts.policy import AccessRule
from crosstrail.clouds.base import clouds
from crosstrail.models import Account
from crosstrail.settings.athena_settings import AthenaSettings
from crosstrail.settings.audit_settings import AuditSettings
from crosstrail.settings.detection_settings import DetectSettings
from crosstrail.settings.jwt_settings import JwtSettings
from crosstrail.settings.lake_settings import LakeSettings, QuerySettings
from crosstrail.settings.server_settings import LimitSettings, ServeSettings
from crosstrail.settings.setting_fields import facts_of, shape_of
from crosstrail.settings.sign_in_settings import OAuthSettings
from crosstrail.settings.trino_settings import TrinoSettings
from crosstrail.settings.wrap_settings import WrapSettings
from crosstrail.settings_group import SettingsGroup, option


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
    profile: str = option(
        "",
        "CROSSTRAIL_ORGANIZATION_PROFILE",
        "AWS profile that lists the accounts and assumes the role. Empty: the machine's own identity.",
    )


class LookupSettings(SettingsGroup):
    """Events asked of live accounts."""

    max_targets: int = option(
        200, "CROSSTRAIL_MAX_TARGETS", "Most targets (an account in a region) that one call asks.", ge=1, le=10_000
    )
    deadline: float = option(
        45.0, "CROSSTRAIL_LOOKUP_DEADLINE", "Seconds one target may take, waiting for its turn included.", gt=0, le=600
    )


def cloud_groups() -> Mapping[str, type[SettingsGroup]]:
    """The groups that the installed clouds have in the file, by their names."""
    return {cloud.name: cloud.settings for cloud in clouds() if cloud.settings}


def _parsed_groups(values: object) -> Mapping[str, SettingsGroup]:
    if not isinstance(values, Mapping):
        raise PydanticCustomError("mapping_type", "must be a mapping")
    found: dict[str, SettingsGroup] = {}
    wrong: list[InitErrorDetails] = []
    for name, group in cloud_groups().items():
        try:
            found[name] = group.model_validate(values.get(name, {}))
        except ValidationError as error:
            wrong += placed(error, name)
    if wrong:
        raise ValidationError.from_exception_data("clouds", wrong, hide_input=True)
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
    allow_writes: bool = option(
        False, "CROSSTRAIL_ALLOW_WRITES", "Offer the tools that change something.", flag="--allow-writes"
    )
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
        groups = {name: values[name] for name in cloud_groups() if name in values}
        return {name: value for name, value in values.items() if name not in groups} | {"clouds": groups}

    def of_cloud(self, name: str) -> Any:
        """The settings of an installed cloud: its group, or all of them where it has none."""
        return self.clouds.get(name, self)


class Option(BaseModel):
    """One leaf of Settings, as the documentation lists it."""

    name: str
    env: str
    default: str
    help: str
    flag: str = ""


def options(section: type[BaseModel] = Settings, prefix: str = "") -> Iterator[Option]:
    """Every option that is not a list of accounts, access rules, issuers or suppressions, in the order of the file."""
    for name, field in section.model_fields.items():
        shape = shape_of(name, field)
        if shape.kind == "clouds":
            for cloud, group in cloud_groups().items():
                yield from options(group, f"{cloud}.")
        elif shape.kind == "group":
            yield from options(shape.model, f"{prefix}{name}.")
        elif shape.kind != "list":
            default = "" if field.default in ("", {}, (), None) else str(field.default)
            if isinstance(field.default, tuple):
                default = ",".join(field.default)
            facts = facts_of(field)
            env = ", ".join(facts.env)
            yield Option(name=prefix + name, env=env, default=default, help=field.description or "", flag=facts.flag)
