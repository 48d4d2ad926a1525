"""The archives that a configuration lists: where they are, and whose events may come from there."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from crosstrail.lake.collector import scope_of
from crosstrail.lake.read_objects import Archives
from crosstrail.models import Account, AccountKey
from crosstrail.object_store import BucketUri, parsed_uri
from crosstrail.settings.config import Settings


@dataclass(frozen=True, slots=True)
class Archive:
    """`nameless`: the account of its records that name none. `accounts`: whose events may come from there; None: everybody's.
    `opened_by`: by whose credentials, where it is a bucket."""

    place: Path | BucketUri
    nameless: str
    accounts: frozenset[AccountKey] | None
    opened_by: str


def archives_of(settings: Settings) -> list[Archive]:
    """Each for the accounts that list it and those they add: nobody else's events come from there."""
    owners: dict[Path | BucketUri, list[Account]] = defaultdict(list)
    for one in settings.accounts:
        if one.archive:
            owners[parsed_uri(one.archive) or Path(one.archive).resolve()].append(one)
    found = []
    for place, listed in owners.items():
        speaks_for = frozenset((one.cloud, number) for one in listed for number in (one.id, *one.accounts))
        everybody = any("*" in one.accounts for one in listed)
        nameless = listed[0].id if len(listed) == 1 else ""
        opened_by = next((one.id for one in listed if one.auth), "")
        found.append(Archive(place, nameless, None if everybody else speaks_for, opened_by))
    return found


def scopes_of(settings: Settings) -> Archives:
    """For whom the objects of these archives are read, as the ledger tells it."""
    return {scope_of(one.accounts, None): one.accounts for one in archives_of(settings) if one.accounts is not None}
