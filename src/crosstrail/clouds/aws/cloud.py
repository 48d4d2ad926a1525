"""AWS: the `Cloud` value (see clouds/base.py). Everything heavy is imported by what is named here, on first use."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from crosstrail.accounts.listing import AccountSource
from crosstrail.clouds.aws.accounts import ACCOUNTS
from crosstrail.clouds.aws.log_layout import LAYOUT
from crosstrail.clouds.aws.record import RECORDS
from crosstrail.clouds.aws.regions import COMMERCIAL, home_region, known_regions, partition_of, regions_of
from crosstrail.clouds.aws.values import as_logged
from crosstrail.clouds.base import AuditTrail, Cloud, OpenOptions
from crosstrail.clouds.buckets import BucketAccess, CatalogAccess
from crosstrail.clouds.found_identities import FoundIdentity

if TYPE_CHECKING:
    from crosstrail.clouds.aws.broker import AwsBroker
    from crosstrail.clouds.integrity import Integrity

_IDENTITIES = (
    "AWS_PROFILE",
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
"""Variables that give an AWS identity; botocore reads them itself."""
_CREDENTIAL_VARIABLES = (
    "AWS_ACCESS_KEY",
    "AWS_SECRET",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_CREDENTIAL",
    "AWS_CONTAINER_",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_",
    "BOTO_CONFIG",
)
_CONFIG = ".aws/config"
_PROFILE = "default"
_CONTAINER_CREDENTIALS = str(Path(__file__).with_name("container_credentials.py"))


class _Organization(Protocol):
    role_name: str
    external_id: str
    profile: str


class AwsSettings(Protocol):
    """What AWS reads of the settings; they stand at the top of the file."""

    region: str
    profiles: str

    @property
    def organization(self) -> _Organization: ...


def _open(settings: AwsSettings, options: OpenOptions) -> AwsBroker:
    from crosstrail.clouds.aws.athena_calls import ATHENA
    from crosstrail.clouds.aws.broker import AwsBroker
    from crosstrail.clouds.aws.calls import SERVICE

    return AwsBroker(
        options.encryption_key,
        region=settings.region,
        max_clients=options.max_accounts,
        read_timeout=options.read_timeout,
        identity_timeout=options.identity_timeout,
        asked_once=frozenset({SERVICE, ATHENA}),
    )


def _open_trail(broker: AwsBroker, deadline: float) -> AuditTrail:
    from crosstrail.clouds.aws.trail import open_trail

    return open_trail(broker, deadline=deadline)


def _buckets(settings: AwsSettings, broker: AwsBroker) -> BucketAccess:
    from crosstrail.clouds.aws.buckets import AwsBuckets

    return AwsBuckets(broker)


def _catalogs(settings: AwsSettings, broker: AwsBroker) -> CatalogAccess:
    from crosstrail.clouds.aws.catalogs import AwsCatalogs

    return AwsCatalogs(broker)


def _sources(settings: AwsSettings) -> Iterator[AccountSource]:
    if settings.organization.role_name:
        from crosstrail.clouds.aws.organizations import OrganizationAccounts

        named = settings.organization
        yield OrganizationAccounts(named.role_name, named.external_id, settings.region, named.profile)
    if settings.profiles:
        from crosstrail.clouds.aws.profiles import Profiles

        yield Profiles(settings.profiles)


def _ambient(settings: AwsSettings, broker: AwsBroker) -> AccountSource:
    from crosstrail.clouds.aws.ambient import Ambient

    return Ambient(settings.region)


def _read_secret(settings: AwsSettings, name: str) -> str:
    from crosstrail.clouds.aws.base_identity import secret_text

    return secret_text(name, settings.region)


def _has_identity(environ: Mapping[str, str]) -> bool:
    return any(environ.get(name) for name in _IDENTITIES)


async def _address(settings: AwsSettings, broker: AwsBroker) -> str:
    return (await broker.endpoint(None, "sts", settings.region or home_region(COMMERCIAL))).url


def _found_identities(environ: Mapping[str, str], instance_role: bool) -> tuple[FoundIdentity, ...]:
    from crosstrail.clouds.aws.found_identities import found_identities

    return found_identities(environ, instance_role)


def _known_regions(home: str) -> frozenset[str]:
    return known_regions(partition_of(home) if home else "")


def _integrity() -> Integrity:
    from crosstrail.clouds.aws.integrity.capability import CloudTrailIntegrity

    return CloudTrailIntegrity()


def _child_defaults(home: Path) -> Mapping[str, str]:
    return {
        "AWS_CONFIG_FILE": str(home / _CONFIG),
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "BOTO_CONFIG": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_PROFILE": _PROFILE,
    }


def _home_files(region: str) -> Mapping[str, str]:
    """One profile, for servers that open a profile by its name: the same credentials, region and account as without.

    By `credential_process`, since JavaScript's SDK goes on to the container endpoint from no profile that a program names.
    """
    lines = [f"[{_PROFILE}]", f"region = {region or home_region(COMMERCIAL)}"]
    if region:
        lines.append(f"credential_process = {shlex.join((sys.executable, '-I', '-S', _CONTAINER_CREDENTIALS))}")
    return {_CONFIG: "\n".join(lines) + "\n"}


def _endpoint_variables(uri: str, token: str, region: str) -> Mapping[str, str]:
    """Those by which every AWS SDK finds the endpoint."""
    return {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": uri,
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": token,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
    }


AWS = Cloud(
    name="aws",
    accounts=ACCOUNTS,
    open=_open,
    open_trail=_open_trail,
    audit_log="CloudTrail",
    event_data_stores=True,
    bucket_scheme="s3",
    buckets=_buckets,
    catalogs=_catalogs,
    log_layout=LAYOUT,
    has_identity=_has_identity,
    address=_address,
    found_identities=_found_identities,
    sources=_sources,
    ambient=_ambient,
    read_secret=_read_secret,
    known_regions=_known_regions,
    regions_of=regions_of,
    records=RECORDS,
    integrity=_integrity,
    as_logged=as_logged,
    credential_variables=_CREDENTIAL_VARIABLES,
    child_defaults=_child_defaults,
    home_files=_home_files,
    endpoint_variables=_endpoint_variables,
)
