"""Which targets a call asks: the accounts it selected, in the regions it named.

Decides what a region selector means for each account, and where a call with too many targets stops. It never picks
accounts, never asks a cloud, and never drops a target silently: what is left out is told.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from crosstrail.accounts.aws_regions import ALWAYS_ON, partition_of
from crosstrail.errors import InvalidRequest
from crosstrail.models import Account, Target, is_region

HomeRegion = Callable[[Account], Awaitable[str]]
OneHistory = Callable[[Account], bool]
"""Whether one question answers for every region of the account."""
_ALL = ("all", "*")
_MOST_NAMED = 100
"""Regions and globs in one selector: no cloud has as many, and each is asked of every account."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The targets to ask, and those that were one too many."""

    targets: tuple[Target, ...]
    left_out: tuple[Target, ...] = ()


async def choose(
    accounts: Iterable[Account], region: str, home_region: HomeRegion, one_history: OneHistory, *, most: int
) -> Chosen:
    """`region`: names and globs, comma-separated; `all`; or empty for each account's home region.

    Where one history holds the events of every region, empty and `all` both mean all of it, as one target: global
    services log in a region of the cloud's choice, which no home region finds.
    Raises InvalidRequest for what is no region.
    """
    wanted = tuple(dict.fromkeys(part.strip().lower() for part in region.split(",") if part.strip()))
    if wrong := [part for part in wanted if not is_region(re.sub(r"[*?\[\]!]", "-", part) + "-")]:
        raise InvalidRequest(f"{wrong[0][:40]!r} is no region", hint="Write names such as eu-west-1, a glob, or all.")
    if len(wanted) > _MOST_NAMED:
        raise InvalidRequest(f"more than {_MOST_NAMED} regions", hint="Name fewer, or all.")
    targets: list[Target] = []
    for account in accounts:
        if one_history(account) and (not wanted or any(part in _ALL for part in wanted)):
            targets.append(Target(account))
        elif not wanted:
            targets.append(Target(account, await home_region(account)))
        else:
            targets += [Target(account, name) for name in await _named(account, wanted, home_region)]
    if accounts and not targets:
        raise InvalidRequest(f"no region matches {', '.join(wanted)}", hint="Name it in full, or list it in `regions`.")
    return Chosen(tuple(targets[:most]), tuple(targets[most:]))


async def _named(account: Account, wanted: Iterable[str], home_region: HomeRegion) -> list[str]:
    """The regions of one account; a name in full may be any region, a glob only one that it has."""
    names: dict[str, None] = {}
    for part in wanted:
        if part in _ALL or any(sign in part for sign in "*?["):
            pattern = "*" if part in _ALL else part
            names.update((name, None) for name in await regions_of(account, home_region) if fnmatchcase(name, pattern))
        else:
            names[part] = None
    return list(names)


async def regions_of(account: Account, home_region: HomeRegion) -> tuple[str, ...]:
    """What `all` stands for: the account's own list, else the regions that every account of its partition has."""
    if account.regions:
        return account.regions
    home = await home_region(account)
    return ALWAYS_ON[partition_of(home)] if account.cloud == "aws" else (home,)
