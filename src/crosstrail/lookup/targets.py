"""Which targets a call asks: the accounts it selected, in the regions it named, one block of them a call.

Decides what a region selector means for each account, which regions there are, and which targets a block holds. A target
comes with the trail that answers for it, so nobody asks again which that is. It never picks accounts, never asks a cloud, and
never drops a target silently: what is left for other blocks is counted, and what an account does not have is told.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache

from crosstrail.account_auth import RequestKeys
from crosstrail.clouds.base import AuditTrail, cloud_of
from crosstrail.errors import CrosstrailError, InvalidRequest, UnsupportedByCloud, own
from crosstrail.lookup.collected import Collected
from crosstrail.models import Account, EventPage, EventQuery, Target, is_region

HomeRegion = Callable[[Account], Awaitable[str]]
Regionless = Callable[[Account], bool]
"""Whether one question answers for every region of the account."""
KnownRegions = Callable[[Account, str], Awaitable[frozenset[str] | None]]
"""The regions of the account's cloud, and where they lack this one those its archive holds; None: nobody knows them."""
OpenTrail = Callable[[Account], Awaitable[AuditTrail | CrosstrailError]]
"""The trail that answers for an account, or why it cannot be opened."""
_ALL = ("all", "*")
_MAX_NAMED = 100
"""Regions and globs in one selector: no cloud has as many, and each is asked of every account."""


@dataclass(frozen=True, slots=True)
class OpenTarget(Target):
    """A target with the trail that answers for it."""

    opened: AuditTrail | CrosstrailError = field(kw_only=True, compare=False, repr=False)
    collected: Collected | None = field(default=None, kw_only=True, compare=False, repr=False)
    """Of a live account, where there is a lake that may hold part of its history."""

    @property
    def trail(self) -> AuditTrail:
        """Raises why it cannot be opened: UnsupportedByCloud, LakeError."""
        if isinstance(self.opened, CrosstrailError):
            raise own(self.opened)
        return self.opened

    async def lookup_events(self, query: EventQuery) -> EventPage:
        """From the trail, or partly from the lake. Raises what `trail` and AuditTrail.lookup_events do."""
        if self.collected is None:
            return await self.trail.lookup_events(self, query)
        return await self.collected.lookup_events(self, self.trail, query)


@dataclass(frozen=True, slots=True)
class Chosen:
    """One block of all targets that a call names."""

    targets: tuple[OpenTarget, ...]
    start: int = 0
    """How many come before the block."""
    total: int = 0
    digest: str = ""
    """The same for the same accounts and regions in the same order: then `start` means the same, too."""
    live: bool = False
    """Whether any account of any block is asked itself, and not its archive."""
    without: tuple[Account, ...] = ()
    """Accounts that have none of the regions named."""
    nowhere: tuple[str, ...] = ()
    """Regions named that no account of the call has, though others could."""

    @property
    def left(self) -> int:
        """How many come after the block."""
        return max(self.total - self.start - len(self.targets), 0)


@dataclass(slots=True)
class _Block:
    """Takes every target in turn and keeps those of the block."""

    start: int
    most: int
    total: int = 0
    targets: list[Target] = field(default_factory=list)
    names: hashlib.blake2b = field(default_factory=lambda: hashlib.blake2b(digest_size=8))

    def add(self, account: Account, regions: Sequence[str]) -> None:
        self.names.update(f"{account.cloud}/{account.id}/{','.join(regions)}\n".encode())
        first, end = max(self.start - self.total, 0), self.start + self.most - self.total
        self.targets += [Target(account, region) for region in regions[first : max(end, 0)]]
        self.total += len(regions)


async def choose(
    accounts: Iterable[Account],
    region: str,
    home_region: HomeRegion,
    regionless: Regionless,
    open_trail: OpenTrail,
    *,
    most: int,
    start: int = 0,
    known: KnownRegions | None = None,
    elsewhere: Callable[[], frozenset[str]] = frozenset,
    collected: Collected | None = None,
) -> Chosen:
    """`region`: names and globs, comma-separated; `all`; or empty for each account's home region. `start`: targets to skip.

    Where one history holds the events of every region, empty and `all` both mean all of it, as one target: global
    services log in a region of the cloud's choice, which no home region finds. `elsewhere`: the regions of every cloud; one
    of them that no account has is told beside the others that were named, and anything else may be a slip of the pen.
    Raises InvalidRequest for what is no region, or where no account has one.
    """
    wanted = _wanted(region)
    block, live, without = _Block(start, most), False, []
    missing = set(wanted) if known else set()
    seen: set[str] = set()
    for account in accounts:
        live = live or account.auth is not None
        there = [part for part in wanted if _is_glob(part) or not known or await _has(account, part, known, seen)]
        missing.difference_update(there)
        if regionless(account) and (not wanted or any(part in _ALL for part in wanted)):
            names = [""]
        elif not wanted:
            names = [await home_region(account)]
        else:
            names = await _named(account, there, home_region)
        block.add(account, names)
        without += [] if names else [account]
    nowhere = [part for part in wanted if part in missing]
    if refused := [part for part in nowhere if not block.total or part not in elsewhere()]:
        raise _unknown(refused[0], seen)
    if not block.total and without:
        raise InvalidRequest(f"no region matches {', '.join(wanted)}", hint="Name it in full, or list it in `regions`.")
    targets = tuple(
        [
            OpenTarget(
                one.account,
                one.region,
                opened=await open_trail(one.account),
                collected=collected if _is_listed(one.account) else None,
            )
            for one in block.targets
        ]
    )
    return Chosen(targets, start, block.total, block.names.hexdigest(), live, tuple(without), tuple(nowhere))


def matching(region: str, names: Iterable[str]) -> frozenset[str]:
    """Those of the names that a region selector means; all of them where it is empty.

    Raises InvalidRequest for what is no region, and for one that is none of the names.
    """
    known, found = frozenset(names), set[str]()
    wanted = _wanted(region)
    for part in wanted:
        named = {name for name in known if name and _matches(part, name)}
        if not named and part not in _ALL:
            raise _unknown(part, known)
        found |= named
    return frozenset(found) if wanted and not any(part in _ALL for part in wanted) else known


def _is_listed(account: Account) -> bool:
    """A live account of the configuration: for keys that a request brought there is no lake."""
    return account.auth is not None and not isinstance(account.auth, RequestKeys)


def _wanted(region: str) -> tuple[str, ...]:
    wanted = tuple(dict.fromkeys(part.strip().lower() for part in region.split(",") if part.strip()))
    if wrong := [part for part in wanted if not is_region(re.sub(r"[*?\[\]!]", "-", part) + "-")]:
        raise InvalidRequest(f"{wrong[0][:40]!r} is no region", hint="Write names such as eu-west-1, a glob, or all.")
    if len(wanted) > _MAX_NAMED:
        raise InvalidRequest(f"more than {_MAX_NAMED} regions", hint="Name fewer, or all.")
    return wanted


async def _named(account: Account, wanted: Sequence[str], home_region: HomeRegion) -> list[str]:
    """The regions of one account; a name in full may be any region, a glob only one that it has."""
    if not any(_is_glob(part) for part in wanted):
        return list(wanted)
    return _expanded(tuple(wanted), await _regions_of(account, home_region))


@lru_cache(maxsize=256)
def _expanded(wanted: tuple[str, ...], regions: tuple[str, ...]) -> list[str]:
    """Thousands of accounts have the same regions."""
    names: dict[str, None] = {}
    for part in wanted:
        chosen = [name for name in regions if _matches(part, name)] if _is_glob(part) else [part]
        names.update(dict.fromkeys(chosen))
    return list(names)


async def _has(account: Account, region: str, known: KnownRegions, seen: set[str]) -> bool:
    """Whether there is such a region for this account. `seen` collects the regions there are."""
    own = {account.region, *account.regions}
    names = await known(account, region) if region not in own else own
    seen |= (names or set()) | own
    return names is None or region in names


def _unknown(region: str, seen: Iterable[str]) -> InvalidRequest:
    names = sorted(name for name in seen if name)
    swapped = [name for name in names if sorted(name) == sorted(region)]
    near = swapped or difflib.get_close_matches(region, names, n=1, cutoff=0.5)
    meant = f"Did you mean {near[0]}? " if near else ""
    return InvalidRequest(
        f"no account asked has a region {region[:40]!r}",
        hint=f"{meant}A region newer than this server is known once an account lists it in `regions`.",
    )


def _is_glob(part: str) -> bool:
    return part in _ALL or any(sign in part for sign in "*?[")


def _matches(part: str, name: str) -> bool:
    return part in _ALL or fnmatchcase(name, part)


async def _regions_of(account: Account, home_region: HomeRegion) -> tuple[str, ...]:
    """What `all` stands for: the account's own list, else what every account of its cloud with this home region has."""
    if account.regions:
        return account.regions
    home = await home_region(account)
    try:
        return cloud_of(account.cloud).regions_of(home)
    except UnsupportedByCloud:
        return (home,)  # its target says that the cloud is not installed
