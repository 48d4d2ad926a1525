"""What a profile of the AWS config files says of how its accounts are reached: its region, and whatever leads to AWS's addresses.

Decides which profiles are reached alike, and so may share connections. It reads no credentials. botocore is imported on first use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crosstrail.accounts.request_info import RequestInfo

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
