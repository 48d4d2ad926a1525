"""Which regions there are, and which of them `all` stands for where an account lists none: those no account can switch off.

From AWS's account management guide: regions of before 2019-03-20 are always on, every later commercial one is off until
an account enables it. Asking EC2 instead would need one more permission in every account.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

ALWAYS_ON: dict[str, tuple[str, ...]] = {
    "aws": (
        "us-east-1",
        "us-east-2",
        "us-west-1",
        "us-west-2",
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-northeast-3",
        "ap-south-1",
        "ap-southeast-1",
        "ap-southeast-2",
        "ca-central-1",
        "eu-central-1",
        "eu-north-1",
        "eu-west-1",
        "eu-west-2",
        "eu-west-3",
        "sa-east-1",
    ),
    "aws-cn": ("cn-north-1", "cn-northwest-1"),
    "aws-us-gov": ("us-gov-east-1", "us-gov-west-1"),
}
"""Partition -> its regions."""
_PARTITION_PREFIX = {
    "cn-": "aws-cn",
    "us-gov-": "aws-us-gov",
    "eusc-": "aws-eusc",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "eu-isoe-": "aws-iso-e",
    "us-isof-": "aws-iso-f",
}
PARTITIONS = frozenset(("aws", *_PARTITION_PREFIX.values()))
HOME_REGION: dict[str, str] = {
    "aws": "us-east-1",
    "aws-cn": "cn-north-1",
    "aws-us-gov": "us-gov-west-1",
    "aws-eusc": "eusc-de-east-1",
    "aws-iso": "us-iso-east-1",
    "aws-iso-b": "us-isob-east-1",
    "aws-iso-e": "eu-isoe-west-1",
    "aws-iso-f": "us-isof-south-1",
}
"""Partition -> the region asked where nothing names one."""


_GLOBAL = "-global"
"""The end of names that stand for services without a region."""


@cache
def known_regions(partition: str = "") -> frozenset[str]:
    """Every region of a partition, or of all, that the installed botocore knows; those that accounts must enable included."""
    listed = json.loads((files("botocore") / "data" / "partitions.json").read_bytes())
    names = (name for one in listed["partitions"] if partition in ("", one["id"]) for name in one["regions"])
    return frozenset(name for name in names if not name.endswith(_GLOBAL))


def partition_of(region: str) -> str:
    return next((name for prefix, name in _PARTITION_PREFIX.items() if region.startswith(prefix)), "aws")
