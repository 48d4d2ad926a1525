"""Accounts of a fake cloud, and the same accounts as crosstrail.yaml lists them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Generic, TypeVar

from crosstrail.models import Account
from fakes import alibaba, aws, cloud, meridian, volcengine

AnyWorld = TypeVar("AnyWorld", aws.World, volcengine.World, alibaba.World, meridian.World)
AnyKey = TypeVar("AnyKey", bound=cloud.Key)


def moment(age: timedelta = timedelta()) -> datetime:
    """A whole second in the past: events have no fractions."""
    return (datetime.now(UTC) - age).replace(microsecond=0)


@dataclass
class ListedAccounts(Generic[AnyWorld, AnyKey]):
    """`base` is the identity that assumes the roles, `listed` what was added here, in order."""

    world: AnyWorld
    base: AnyKey
    listed: list[dict[str, Any]] = field(default_factory=list, kw_only=True)
    usual: ClassVar[Mapping[str, str]] = {}
    """What every entry says unless told otherwise."""

    def keys_account(self, account_id: str, alias: str = "", **more: Any) -> Account:
        """An account with an access key of its own; `more` is said of it in the configuration."""
        return self._list(account_id, alias, self.world.add_key(account_id).auth, more)

    def _list(self, account_id: str, alias: str, auth: Mapping[str, str], more: Mapping[str, Any]) -> Account:
        entry = {**self.usual, "id": account_id, "alias": alias, **more, "auth": auth}
        self.listed.append(entry)
        return Account.model_validate(entry)
