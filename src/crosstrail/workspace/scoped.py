"""The workspace as one principal may see it: the only way from a call to accounts, trails, engines and what the lake holds.

Decides that what is not given does not exist: every list, selector, total and warning comes from the accounts given to
the principal, so an absent account and a forbidden one take the same path to the same words. Only what is written here
passes from the workspace; whatever a workspace learns to do later stays closed until it is opened here on purpose.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from crosstrail.accounts.directory import AccountList
from crosstrail.accounts.lru_cache import LruCache
from crosstrail.accounts.policy import EVERYTHING, Grant, Toolset
from crosstrail.accounts.registry import EVERY_ACCOUNT, Registry
from crosstrail.coverage import Days, LogFacts, Proofs
from crosstrail.engines.base import QueryEngine, QueryScope
from crosstrail.errors import AccountsUnavailable, CrosstrailError, InvalidRequest
from crosstrail.lookup.targets import Chosen
from crosstrail.models import Account, AccountKey
from crosstrail.settings.config import Settings
from crosstrail.workspace.on_demand import OnDemandCollection
from crosstrail.workspace.request_workspace import RequestWorkspace
from crosstrail.workspace.workspace import Workspace

if TYPE_CHECKING:
    from crosstrail.engines.analysis import Analysis, Analyzed
    from crosstrail.engines.duckdb import LakeEngine
    from crosstrail.lake.snapshot import AccountSummary

_log = logging.getLogger("crosstrail.scoped_workspace")
_KEPT = 256
_SOMETHING_IS_OLD = "Some of the list of accounts is missing or old; the operator's log says which."

Narrowed = LruCache[tuple[Grant, Toolset, bool, int], tuple[Registry, Registry]]


def narrowed() -> Narrowed:
    """Registries kept for the calls to come, to share between all views of one workspace."""
    return LruCache(_KEPT)


class ScopedWorkspace:
    """Made for one call, of one grant and the toolset of the tool that is called."""

    def __init__(
        self,
        workspace: Workspace | RequestWorkspace,
        grant: Grant = EVERYTHING,
        *,
        toolset: Toolset = "accounts",
        write: bool = False,
        kept: Narrowed | None = None,
    ) -> None:
        self._workspace = workspace
        self._grant = grant
        self._toolset = toolset
        self._write = write
        self._kept = narrowed() if kept is None else kept
        self._accounts: dict[str, None] = {}
        self._regions: dict[str, None] = {}

    def asked(self) -> tuple[list[str], list[str]]:
        """Ids of the accounts, and regions, that were given out to be asked so far."""
        return list(self._accounts), list(self._regions)

    @property
    def settings(self) -> Settings:
        return self._workspace.settings

    async def listed(self) -> AccountList:
        """The accounts there are for this principal. Raises AccountsUnavailable without saying what else there is."""
        if self._grant.everything:
            return await self._workspace.listed()
        try:
            known = await self._workspace.listed()
        except CrosstrailError as error:  # its words may name accounts and places of others
            _log.error("the accounts cannot be listed: %s", error)
            raise AccountsUnavailable(
                "the list of accounts cannot be read now", hint="Try again soon; the operator's log says why."
            ) from None
        return AccountList(self._narrow(known.registry), (_SOMETHING_IS_OLD,) if known.warnings else ())

    async def registry(self) -> Registry:
        return (await self.listed()).registry

    async def held(self) -> tuple[AccountSummary, ...]:
        """What the lake holds of each account of this principal."""
        held = await self._workspace.held()
        if self._grant.everything:
            return held
        keys = {account.key for account in (await self.registry()).accounts}
        return tuple(one for one in held if one.key in keys)

    async def lake_snapshot(self) -> tuple[str, int | None]:
        """Ids of the lake's table and of its newest snapshot, which tell nothing of what it holds."""
        return await self._workspace.lake_snapshot()

    async def regions_held(self, accounts: Sequence[Account]) -> list[tuple[Account, Mapping[str, Days]]]:
        """For each account that this view gave out: which days hold events of each region."""
        return await self._workspace.regions_held(accounts)

    async def log_facts(self, accounts: Sequence[Account], most: int) -> dict[AccountKey, dict[str, LogFacts]]:
        """What the lake knows of each region of accounts that this view gave out: of no others."""
        self._accounts.update((account.id, None) for account in accounts)
        return await self._workspace.log_facts(accounts, most)

    async def proofs_of(self, accounts: Sequence[Account]) -> dict[AccountKey, Proofs]:
        """What is known of accounts that this view gave out beside their events."""
        return await self._workspace.proofs_of(accounts)

    def usual_regions(self, account: Account) -> tuple[str, ...]:
        """As the workspace's."""
        return self._workspace.usual_regions(account)

    async def targets(self, selector: str, region: str, *, start: int = 0) -> Chosen:
        """The (account, region) pairs that the two selectors name, a block from `start` on.

        Raises AccountNotFound, InvalidRequest.
        """
        return await self.targets_of((await self.registry()).select(selector), region, start=start)

    async def targets_of(self, accounts: Sequence[Account], region: str, *, start: int = 0) -> Chosen:
        """The same for accounts that this view gave out. Raises InvalidRequest."""
        chosen = await self._workspace.targets_of(accounts, region, start=start)
        self._accounts.update((target.account.id, None) for target in chosen.targets)
        self._regions.update((target.region, None) for target in chosen.targets if target.region)
        return chosen

    async def scope(self, selector: str, region: str = "") -> QueryScope:
        """What SQL may read: the selected accounts, or every one of this principal when the selector is empty.

        Raises AccountNotFound, also when there is no account at all: an answer about nothing would look like one.
        """
        registry = await self.registry()
        accounts = registry.select(selector.strip() or EVERY_ACCOUNT)
        self._accounts.update((account.id, None) for account in accounts)
        aliases = {
            store: name
            for store, name in self.settings.lake.aliases.items()
            if name.lower() == "all" or self._grant.everything or registry.named(name)
        }
        return QueryScope(accounts, aliases, region.strip().lower())

    def with_stores(self, accounts: Sequence[Account]) -> list[Account]:
        """Those of the accounts whose own cloud keeps events in stores."""
        return self._workspace.with_stores(accounts)

    def engine(self, name: str = "") -> QueryEngine:
        """Reads what its scope names, and scopes come from this view alone. Raises InvalidRequest."""
        return self._workspace.engine(name)

    def exporter(self) -> LakeEngine:
        """Makes files of what its scope names. Raises InvalidRequest where there is no lake."""
        return self._workspace.lake_engine()

    async def analyze(self, analysis: Analysis) -> Analyzed:
        """Statements of this project's own over what the lake holds of accounts of this principal. Raises InvalidRequest for other
        accounts and where there is no lake, LakeError, QueryTimedOut."""
        given = {account.key for account in (await self.registry()).accounts}
        if not given.issuperset(analysis.accounts):
            raise InvalidRequest("an account is not among those that may be asked here")
        self._accounts.update((account, None) for _, account in analysis.accounts)
        return await self._workspace.lake_engine().analyze(analysis)

    async def engine_for(self, sql: str, scope: QueryScope, name: str = "") -> QueryEngine:
        """As the workspace's: a store id that nothing knows is looked for in the accounts of the scope alone."""
        return await self._workspace.engine_for(sql, scope, name)

    async def collect_on_demand(self, sql: str, scope: QueryScope) -> OnDemandCollection | None:
        """As the workspace's: scopes come from this view alone."""
        return await self._workspace.collect_on_demand(sql, scope)

    def _narrow(self, registry: Registry) -> Registry:
        key = (self._grant, self._toolset, self._write, id(registry))
        kept = self._kept.get(key)
        if kept is None or kept[0] is not registry:  # an id may come again; the registry itself is held beside it
            seen = (a for a in registry.accounts if self._grant.sees(a, self._toolset, write=self._write))
            kept = (registry, Registry(seen))
            self._kept.put(key, kept)
        return kept[1]
