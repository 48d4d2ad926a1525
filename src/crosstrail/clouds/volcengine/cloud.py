"""Volcengine: the `Cloud` value (see clouds/base.py). Everything heavy is imported by what is named here, on first use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from crosstrail.accounts.credentials import Credentials
from crosstrail.accounts.listing import AccountSource
from crosstrail.clouds.base import AuditTrail, Cloud, OpenOptions
from crosstrail.clouds.buckets import BucketAccess
from crosstrail.clouds.found_identities import FoundIdentity
from crosstrail.clouds.volcengine.accounts import ACCOUNTS
from crosstrail.clouds.volcengine.record import RECORDS
from crosstrail.clouds.volcengine.regions import KNOWN_REGIONS
from crosstrail.clouds.volcengine.settings import VolcengineSettings

if TYPE_CHECKING:
    from crosstrail.clouds.volcengine.broker import VolcengineBroker

_KEYS = ("VOLCENGINE_ACCESS_KEY", "VOLCENGINE_SECRET_KEY")


def _open(settings: VolcengineSettings, options: OpenOptions) -> VolcengineBroker:
    from crosstrail.clouds.volcengine.api import VolcengineApi
    from crosstrail.clouds.volcengine.broker import VolcengineBroker
    from crosstrail.clouds.volcengine.credentials import EnvironmentKeys

    return VolcengineBroker(
        options.encryption_key,
        api=VolcengineApi(settings.endpoint, settings.region, read_timeout=options.read_timeout),
        environment=EnvironmentKeys(settings.access_key, settings.secret_key, settings.session_token),
        max_accounts=options.max_accounts,
    )


def _open_trail(broker: VolcengineBroker, deadline: float) -> AuditTrail:
    from crosstrail.clouds.volcengine.trail import open_trail

    return open_trail(broker, deadline=deadline)


def _ambient(settings: VolcengineSettings, broker: VolcengineBroker) -> AccountSource:
    from crosstrail.clouds.volcengine.ambient import Ambient

    return Ambient(broker.environment, broker.api)


def _buckets(settings: VolcengineSettings, broker: VolcengineBroker) -> BucketAccess:
    """ExtranetS3Endpoint of https://docs.volcengine.com/docs/6349/1545462"""
    from crosstrail.clouds.s3_compatible import S3CompatibleBuckets

    return S3CompatibleBuckets(broker, "tos-s3-{region}.volces.com", settings.region)


def _has_identity(environ: Mapping[str, str]) -> bool:
    return all(environ.get(name) for name in _KEYS)


async def _address(settings: VolcengineSettings, broker: VolcengineBroker) -> str:
    return broker.api.address


def _found_identities(environ: Mapping[str, str], instance_role: bool) -> tuple[FoundIdentity, ...]:
    from crosstrail.clouds.volcengine.found_identities import found_identities

    return found_identities(environ, instance_role)


def _child_variables(credentials: Credentials, region: str) -> Mapping[str, str]:
    """Volcengine's SDK has no endpoint to renew from: temporary keys, good until the process is replaced."""
    token = credentials.session_token.get_secret_value() if credentials.session_token else ""
    return {
        "VOLCENGINE_ACCESS_KEY": credentials.access_key_id,
        "VOLCENGINE_SECRET_KEY": credentials.secret_access_key.get_secret_value(),
        "VOLCENGINE_SESSION_TOKEN": token,
        "VOLCENGINE_ACCESS_SESSION_TOKEN": token,  # the same under the name that Volcengine's CloudTrail server reads
        "VOLCENGINE_REGION": region,
    }


VOLCENGINE = Cloud(
    name="volcengine",
    accounts=ACCOUNTS,
    open=_open,
    open_trail=_open_trail,
    audit_log="CloudTrail",
    regionless=True,
    settings=VolcengineSettings,
    has_identity=_has_identity,
    address=_address,
    found_identities=_found_identities,
    ambient=_ambient,
    known_regions=lambda home: KNOWN_REGIONS,
    records=RECORDS,
    bucket_scheme="tos",
    buckets=_buckets,
    credential_variables=("VOLCENGINE_ACCESS_", "VOLCENGINE_SECRET_", "VOLCENGINE_SESSION_TOKEN"),
    child_variables=_child_variables,
)
