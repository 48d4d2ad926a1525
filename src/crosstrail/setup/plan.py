"""What a configuration is to say, as it becomes known: accounts, an organization, trails, logs and a lake. Values alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from crosstrail.clouds.found_identities import FoundIdentity
from crosstrail.models import Account, AccountKey, Trail


@dataclass(frozen=True, slots=True)
class PlannedAccount:
    """`auth`: as the file says it. `remark`: stands above it. Without an `id` it is written as a comment alone."""

    cloud: str
    id: str
    alias: str
    region: str
    auth: Mapping[str, str]
    remark: str
    archive: str = ""
    """A folder with its logs, of an account that is not asked."""
    problem: str = ""
    """Why it did not answer, with what to do; empty where it did."""


@dataclass(frozen=True, slots=True)
class PlannedOrganization:
    """`profile`: whose identity lists it; empty for the machine's own. Without a `role_name` it is written as a comment."""

    role_name: str
    external_id: str = ""
    profile: str = ""
    members: frozenset[AccountKey] = frozenset()


@dataclass(frozen=True, slots=True)
class SetupPlan:
    accounts: tuple[PlannedAccount, ...] = ()
    organization: PlannedOrganization | None = None
    trails: tuple[tuple[Account, Trail], ...] = ()
    logs: tuple[str, ...] = ()
    lake: str = ""


@dataclass(frozen=True, slots=True)
class Resolved:
    """An identity, and the account that its cloud says it is of; or why that is not known."""

    identity: FoundIdentity
    account_id: str = ""
    problem: str = ""
