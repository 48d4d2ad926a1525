"""The sources of accounts that settings name: the file's own, a database, and those of each cloud."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from crosstrail.accounts.directory import Directory
from crosstrail.accounts.listing import AccountSource, Listing
from crosstrail.clouds.base import clouds
from crosstrail.errors import ConfigError
from crosstrail.settings.config import Settings

if TYPE_CHECKING:
    from crosstrail.accounts.database import AccountDatabase


def account_database(settings: Settings) -> AccountDatabase | None:
    """The database that lists accounts, where one is configured. Raises ConfigError for an address nobody can read."""
    database = settings.database
    if not (database.url.get_secret_value() or database.secret_name):
        return None
    from crosstrail.accounts.database import AccountDatabase

    if url := database.url.get_secret_value():  # as in the AWS Labs server: an address goes before a secret's name
        return AccountDatabase.at(url)
    for cloud in clouds():
        if cloud.read_secret:
            return AccountDatabase.of_secret(
                database.secret_name, partial(cloud.read_secret, settings.of_cloud(cloud.name))
            )
    raise ConfigError("no installed cloud keeps secrets", hint="Set database.url (DATABASE_URL).")


def directory_of(settings: Settings) -> Directory | None:
    """Every configured source of accounts; None when there is none at all."""
    fixed = [Listing("crosstrail.yaml", settings.accounts)] if settings.accounts else []
    sources: list[AccountSource] = []
    if database := account_database(settings):
        sources.append(database)
    for cloud in clouds():
        sources += cloud.sources(settings.of_cloud(cloud.name))
    if not fixed and not sources:
        return None
    return Directory(fixed, sources, refresh=settings.refresh_accounts, keep=settings.keep_accounts)


def all_regions() -> frozenset[str]:
    """Of every cloud whose regions are known."""
    return frozenset[str]().union(*(cloud.known_regions("") for cloud in clouds() if cloud.known_regions))
