"""Whose AWS credentials are, read out of the answers of STS. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from crosstrail.accounts.request_info import RequestInfo
from crosstrail.clouds.aws.regions import COMMERCIAL, partition_of, partitions
from crosstrail.errors import CloudError, CredentialsError

GET_CALLER_IDENTITY = "sts:GetCallerIdentity"
_ARN = re.compile(r"arn:(aws[a-z-]*):(?:iam|sts)::([0-9]{12}):\S+", re.ASCII)


def account_of_identity(answer: Mapping[str, Any], region: str) -> str:
    """The account of an answer of GetCallerIdentity from this region. Raises CloudError where it contradicts itself."""
    partition, account = owner_of(str(answer.get("Arn", "")))
    if not account or account != answer.get("Account") or not _may_be_of(partition, region):
        raise CloudError(
            f"{GET_CALLER_IDENTITY} did not say whose these credentials are",
            hint="Check any proxy and the address of STS (AWS_ENDPOINT_URL_STS), then try again.",
            region=region,
        )
    return account


def unknown_key(asked: RequestInfo, ending: str) -> CredentialsError:
    """The refusal where STS does not know the key of an account that nothing names a region of.

    The other partitions are not tried: other companies run them, and a key of one is nobody's business in another.
    """
    others = ", ".join(
        sorted(one.home for name, one in partitions().items() if "-iso" not in name and name != COMMERCIAL)
    )
    return CredentialsError(
        f"{asked.place} does not know the access key{ending}",
        hint=f"{asked.remediation} Or, if the account is in another partition of AWS than {asked.region} is, set its `region`: "
        f"one of {others}.",
    )


def owner_of(arn: str) -> tuple[str, str]:
    """(partition, account) of a principal's ARN; both empty for what is none."""
    found = _ARN.fullmatch(arn)
    return (found.group(1), found.group(2)) if found else ("", "")


def assumed_by(answer: Mapping[str, Any]) -> tuple[str, str]:
    """(partition, account) of the session that an answer of AssumeRole gives."""
    user = answer.get("AssumedRoleUser")
    return owner_of(str(user.get("Arn") or "") if isinstance(user, Mapping) else "")


def _may_be_of(partition: str, region: str) -> bool:
    """False only for two partitions that are known to differ: there are more than are listed here."""
    return partition not in partitions() or partition == partition_of(region)
