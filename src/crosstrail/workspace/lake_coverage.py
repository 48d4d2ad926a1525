"""What the lake of a workspace knows of its accounts beside their events, read off the event loop.

Decides which regions an account is expected to have. It never decides who may see what.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import anyio.to_thread

from crosstrail.clouds.base import cloud_of
from crosstrail.coverage import LogFacts, Proofs
from crosstrail.errors import UnsupportedByCloud
from crosstrail.lake.faults import reading
from crosstrail.models import Account, AccountKey
from crosstrail.settings.lake_settings import LakeSettings

if TYPE_CHECKING:
    from crosstrail.lake.table import LakeTable

OpenLake = Callable[[], "LakeTable"]
"""Opens the lake the first time, in a thread. Raises LakeError."""


async def log_facts(
    place: LakeSettings, lake: OpenLake, accounts: Sequence[Account], most: int
) -> dict[AccountKey, dict[str, LogFacts]]:
    """As lake/log_facts.py; nothing where there is no lake. Raises LakeError."""

    def read() -> dict[AccountKey, dict[str, LogFacts]]:
        from crosstrail.lake.log_facts import log_facts

        with reading("the lake's data"):
            return log_facts(lake(), [account.key for account in accounts], most)

    return await anyio.to_thread.run_sync(read) if accounts and place.exists() else {}


async def proofs_of(place: LakeSettings, lake: OpenLake, accounts: Sequence[Account]) -> dict[AccountKey, Proofs]:
    """As lake/log_facts.py; nothing where there is no lake. Raises LakeError."""

    def read() -> dict[AccountKey, Proofs]:
        from crosstrail.lake.log_facts import proofs_of

        with reading("the lake's data"):
            return proofs_of(lake(), [account.key for account in accounts])

    return await anyio.to_thread.run_sync(read) if accounts and place.exists() else {}


def usual_regions(account: Account) -> tuple[str, ...]:
    """Those that the account lists, else those that every account of its cloud has, as far as anybody knows."""
    try:
        regions = account.regions or cloud_of(account.cloud).regions_of(account.region)
    except UnsupportedByCloud:
        regions = ()
    return tuple(filter(None, regions))
