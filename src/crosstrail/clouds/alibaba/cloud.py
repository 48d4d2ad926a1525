"""Alibaba Cloud: the `Cloud` value (see clouds/base.py). Everything heavy is imported by what is named here, on first use."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from crosstrail.accounts.credentials import Credentials
from crosstrail.accounts.listing import AccountSource
from crosstrail.clouds.alibaba.accounts import ACCOUNTS, CLOUD
from crosstrail.clouds.alibaba.log_layout import LAYOUT
from crosstrail.clouds.alibaba.record import RECORDS
from crosstrail.clouds.alibaba.regions import HOME_REGION, KNOWN_REGIONS, SEPARATE
from crosstrail.clouds.alibaba.settings import AlibabaSettings
from crosstrail.clouds.base import AuditTrail, Cloud, OpenOptions
from crosstrail.clouds.buckets import BucketAccess
from crosstrail.clouds.found_identities import FoundIdentity

if TYPE_CHECKING:
    from crosstrail.clouds.alibaba.broker import AlibabaBroker

_KEYS = ("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET")
_OIDC = ("ALIBABA_CLOUD_ROLE_ARN", "ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "ALIBABA_CLOUD_OIDC_TOKEN_FILE")


def _open(settings: AlibabaSettings, options: OpenOptions) -> AlibabaBroker:
    from crosstrail.clouds.alibaba.api import AlibabaApi
    from crosstrail.clouds.alibaba.broker import AlibabaBroker

    return AlibabaBroker(
        options.encryption_key,
        api=AlibabaApi(settings.endpoint, settings.region, read_timeout=options.read_timeout),
        settings=settings,
        max_accounts=options.max_accounts,
    )


def _open_trail(broker: AlibabaBroker, deadline: float) -> AuditTrail:
    from crosstrail.clouds.alibaba.calls import AlibabaCalls
    from crosstrail.clouds.alibaba.trail import AlibabaTrail

    return AlibabaTrail(AlibabaCalls(broker, deadline=deadline))


def _ambient(settings: AlibabaSettings, broker: AlibabaBroker) -> AccountSource:
    from crosstrail.clouds.alibaba.ambient import Ambient

    return Ambient(broker)


def _buckets(settings: AlibabaSettings, broker: AlibabaBroker) -> BucketAccess:
    """https://help.aliyun.com/en/oss/developer-reference/use-aws-sdks-to-access-oss"""
    from crosstrail.clouds.s3_compatible import S3CompatibleBuckets

    return S3CompatibleBuckets(broker, "s3.oss-{region}.aliyuncs.com", settings.region)


def _has_identity(environ: Mapping[str, str]) -> bool:
    return all(environ.get(name) for name in _KEYS) or all(environ.get(name) for name in _OIDC)


async def _address(settings: AlibabaSettings, broker: AlibabaBroker) -> str:
    return broker.api.address


def _found_identities(environ: Mapping[str, str], instance_role: bool) -> tuple[FoundIdentity, ...]:
    from crosstrail.clouds.alibaba.found_identities import found_identities

    return found_identities(environ, instance_role)


def _regions_of(home: str) -> tuple[str, ...]:
    """Every region of the public cloud, since all accounts have them; of the others, which have their own accounts, that one."""
    return (home,) if home in SEPARATE else tuple(sorted({home or HOME_REGION} | (KNOWN_REGIONS - SEPARATE)))


def _child_defaults(home: Path) -> Mapping[str, str]:
    return {"ALIBABA_CLOUD_ECS_METADATA_DISABLED": "true", "ALIBABA_CLOUD_CREDENTIALS_FILE": os.devnull}


def _child_variables(credentials: Credentials, region: str) -> Mapping[str, str]:
    """Temporary keys, good until the process is replaced: its SDKs' own endpoint is an instance's."""
    return {
        "ALIBABA_CLOUD_ACCESS_KEY_ID": credentials.access_key_id,
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": credentials.secret_access_key.get_secret_value(),
        "ALIBABA_CLOUD_SECURITY_TOKEN": (
            credentials.session_token.get_secret_value() if credentials.session_token else ""
        ),
        "ALIBABA_CLOUD_REGION_ID": region,
    }


ALIBABA = Cloud(
    name=CLOUD,
    accounts=ACCOUNTS,
    open=_open,
    open_trail=_open_trail,
    audit_log="ActionTrail",
    settings=AlibabaSettings,
    has_identity=_has_identity,
    address=_address,
    found_identities=_found_identities,
    ambient=_ambient,
    known_regions=lambda home: KNOWN_REGIONS,
    regions_of=_regions_of,
    records=RECORDS,
    bucket_scheme="oss",
    buckets=_buckets,
    log_layout=LAYOUT,
    credential_variables=(
        "ALIBABA_CLOUD_",
        "ALIBABACLOUD_",
        "ALICLOUD_ACCESS_KEY",
        "ALICLOUD_SECRET_KEY",
        "ALICLOUD_SECURITY_TOKEN",
    ),
    child_defaults=_child_defaults,
    child_variables=_child_variables,
)
