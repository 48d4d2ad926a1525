"""What a profile of the AWS config files says of how its accounts are reached: its region, and whatever leads to AWS's addresses.

Decides which profiles are reached alike, and so may share connections. It reads no credentials. botocore is imported on first use.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crosstrail.accounts.request_info import RequestInfo
from crosstrail.errors import ConfigError

_CONNECTION = (
    "account_id_endpoint_mode",
    "ca_bundle",
    "defaults_mode",
    "endpoint_url",
    "ignore_configured_endpoint_urls",
    "sts_regional_endpoints",
    "tcp_keepalive",
    "use_dualstack_endpoint",
    "use_fips_endpoint",
)
"""Settings of a profile by which botocore makes a client, beside its section of services; those that a client of ours sets are left out."""

_CONFIG_FILES = (
    ("config_file", "~/.aws/config", "AWS_CONFIG_FILE"),
    ("credentials_file", "~/.aws/credentials", "AWS_SHARED_CREDENTIALS_FILE"),
)
"""botocore's name, the usual place, and the variable that names another."""


@dataclass(frozen=True, slots=True)
class ProfileSettings:
    """`region` and `partition` (of its role) are empty where it says none. `connection` is equal for profiles reached alike."""

    region: str = ""
    partition: str = ""
    connection: tuple[str, ...] = ()


def settings_of(name: str) -> ProfileSettings:
    """Of a profile, or of the ambient configuration where the name is empty: then the environment's region goes before the file's.

    Blocking; the first time imports botocore. Raises ConfigError.
    """
    import botocore.session

    from crosstrail.clouds.aws.errors import mapped

    with mapped(RequestInfo("", "", "")):
        return _read(botocore.session.Session(profile=name or None), named=bool(name))


def _read(session: Any, *, named: bool) -> ProfileSettings:
    config: Mapping[str, Any] = session.get_scoped_config()
    services: Mapping[str, Any] = session.full_config.get("services", {})
    region = config.get("region") if named else session.get_config_variable("region")
    role = str(config.get("role_arn", "")).split(":")
    connection = [config.get(one) for one in _CONNECTION] + [
        config.get("services"),
        services.get(str(config.get("services"))),
    ]
    return ProfileSettings(str(region or ""), role[1] if len(role) > 1 else "", tuple(map(repr, connection)))


def unreadable_config(session: Any) -> ConfigError | None:
    """What is wrong with a config file that is named, or there, and cannot be read: botocore takes it for an empty one."""
    for name, usual, variable in _CONFIG_FILES:
        given = session.get_config_variable(name)
        path = Path(os.path.expanduser(os.path.expandvars(given)))  # as botocore does, also where there is no home
        if (given != usual or path.exists()) and not os.access(path, os.R_OK):
            named = f"the file that {variable} names" if given != usual else f"the file {usual}"
            hint = f"Correct {variable}, or unset it." if given != usual else "Let crosstrail's user read it."
            return ConfigError(f"{named} cannot be read", hint=hint).about(str(path))
    return None
