"""The organization of an identity, and the trails of accounts: what is asked of clouds while a configuration is made."""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import anyio.to_thread

from crosstrail.clouds.base import clouds
from crosstrail.errors import CrosstrailError, UnsupportedByCloud
from crosstrail.lookup.fanout import ask_each
from crosstrail.models import Account, AccountKey, Trail
from crosstrail.settings.config import Settings
from crosstrail.settings.settings import OrganizationSettings
from crosstrail.setup.plan import PlannedOrganization
from crosstrail.workspace.workspace import Workspace

ANY_ROLE = "Audit"
"""Named while accounts are counted; nothing assumes it."""
_SECONDS = 25.0
_MAX_ACCOUNTS = 20


async def organization_of(settings: Settings, role_name: str, external_id: str, profile: str) -> PlannedOrganization:
    """The accounts that this identity lists. Raises CrosstrailError: not allowed, in no organization, no answer."""
    wanted = OrganizationSettings(role_name=role_name or ANY_ROLE, external_id=external_id, profile=profile)
    asked = settings.model_copy(update={"organization": wanted, "profiles": ""})

    def listed() -> frozenset[AccountKey]:
        sources = (source for cloud in clouds() for source in cloud.sources(asked.of_cloud(cloud.name)))
        return frozenset(account.key for source in sources for account in source.read().accounts)

    try:
        with anyio.fail_after(_SECONDS):
            members = await anyio.to_thread.run_sync(listed, abandon_on_cancel=True)
    except TimeoutError:
        raise UnsupportedByCloud(f"AWS Organizations gave no answer in {_SECONDS:g} s") from None
    return PlannedOrganization(role_name, external_id, profile, members)


async def trails_of(
    settings: Settings, accounts: Sequence[Account]
) -> tuple[tuple[tuple[Account, Trail], ...], tuple[str, ...]]:
    """(the trails of these accounts, each once; what could not be asked, and why)"""
    workspace = Workspace(settings)
    try:
        found = await workspace.targets_of([one for one in accounts if one.auth][:_MAX_ACCOUNTS], "")
        answers, failures = await ask_each(
            found.targets, lambda target: target.trail.describe_trails(target), alone=len(found.targets) == 1
        )
    except CrosstrailError as error:
        return (), (error.operators_text,)
    finally:
        await workspace.aclose()
    trails: dict[tuple[str, str], tuple[Account, Trail]] = {}
    for target, given in answers.items():
        for trail in given:
            trails.setdefault((trail.name, trail.destination), (target.account, trail))
    told = tuple(f"trails of {one.target.account.name}: {one.error.text}" for one in failures)
    return tuple(trails.values()), told
