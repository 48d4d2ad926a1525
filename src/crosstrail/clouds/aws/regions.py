"""Which partitions and regions there are, and which regions `all` stands for where an account lists none.

Partitions, their regions and names are those of the installed botocore, so a partition that it learns is known here. In the
commercial one, from AWS's account management guide: regions of before 2019-03-20 are always on, every later one is off until an
account enables it. Asking EC2 instead would need one more permission in every account.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files

from crosstrail.json_values import table, text

COMMERCIAL = "aws"
ALWAYS_ON: tuple[str, ...] = (
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
)
"""Of the commercial partition."""
_GLOBAL = "-global"
"""The end of names that stand for services without a region."""
_HOMES = {"aws-cn": "cn-north-1"}
"""botocore's home of the partition is the other one, where IAM's events are not."""


@dataclass(frozen=True, slots=True)
class Partition:
    """`home`: the region asked where nothing names one. `suffix`: how its hosts' names end."""

    name: str
    regions: frozenset[str]
    form: re.Pattern[str]
    home: str
    suffix: str

    @property
    def first_words(self) -> set[str]:
        """`eusc` of eusc-de-east-1."""
        return {region.partition("-")[0] for region in self.regions}


@cache
def partitions() -> Mapping[str, Partition]:
    """Every partition that the installed botocore knows, by its name. Reads a file, once."""
    listed = json.loads((files("botocore") / "data" / "partitions.json").read_bytes())["partitions"]
    return {one["id"]: _partition(one["id"], one) for one in listed}


def _partition(name: str, listed: Mapping[str, object]) -> Partition:
    known = frozenset(region for region in table(listed["regions"]) if not region.endswith(_GLOBAL))
    outputs = table(listed["outputs"])
    home = _HOMES.get(name) or text(outputs["implicitGlobalRegion"])
    return Partition(name, known, re.compile(text(listed["regionRegex"])), home, text(outputs["dnsSuffix"]))


@cache
def known_regions(partition: str = "") -> frozenset[str]:
    """Every region of a partition, or of all, that the installed botocore knows; those that accounts must enable included."""
    found = (one.regions for name, one in partitions().items() if partition in ("", name))
    return frozenset().union(*found)


def regions_of(home: str) -> tuple[str, ...]:
    """Those that every account with this home region has: outside the commercial partition no region is off."""
    partition = partition_of(home)
    return ALWAYS_ON if partition == COMMERCIAL else tuple(sorted(known_regions(partition) | {home}))


def may_be_disabled(region: str) -> bool:
    """Whether this is a region that an account has to enable."""
    return region.count("-") == 2 and partition_of(region) == COMMERCIAL and region not in ALWAYS_ON


@lru_cache(maxsize=1024)
def partition_of(region: str) -> str:
    """A region newer than the installed botocore has one by its form, or by a first word that one partition alone has; the
    commercial one for anything else."""
    for name, one in partitions().items():
        if region in one.regions or one.form.fullmatch(region):
            return name
    alike = [name for name, one in partitions().items() if region.partition("-")[0] in one.first_words]
    return alike[0] if len(alike) == 1 else COMMERCIAL


def home_region(partition: str) -> str:
    """The region asked in a partition where nothing names one; the commercial one's for a partition that nobody knows."""
    return partitions().get(partition, partitions()[COMMERCIAL]).home


def dns_suffix(region: str) -> str:
    """`amazonaws.com`, of the region's partition."""
    return partitions()[partition_of(region)].suffix
