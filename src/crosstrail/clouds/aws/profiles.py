"""The profiles of the AWS config files, as accounts.

A profile is listed when the files say which account it is: by its role_arn, sso_account_id or aws_account_id. Any other
profile stays out with a warning: only STS could tell its account, and a list of accounts must not need a call for each.
Imports botocore, so nothing imports this module before profiles are configured.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

import botocore.session
from botocore.exceptions import BotoCoreError
from pydantic import ValidationError

from crosstrail.accounts.listing import Listing, as_alias, sift
from crosstrail.clouds.aws.profile_settings import unreadable_config
from crosstrail.errors import ConfigError
from crosstrail.models import Account


class Profiles:
    """The profiles that a comma list of names and globs chooses; botocore finds the files and merges them."""

    name = "the AWS config files"
    lifetime = 0.0

    def __init__(self, chosen: str) -> None:
        self._chosen = tuple(part.strip() for part in chosen.split(",") if part.strip())

    def read(self) -> Listing:
        """Raises ConfigError for files that cannot be read and for a chosen profile that is in none of them."""
        try:
            session = botocore.session.get_session()
            found: Mapping[str, Mapping[str, Any]] = session.full_config["profiles"]
        except BotoCoreError as error:
            raise ConfigError(
                f"the AWS config files cannot be read ({type(error).__name__})", hint="See ~/.aws/config."
            ) from None
        entries: list[tuple[str, Account]] = []
        warnings: list[str] = []
        for pattern in self._chosen:
            if not any(fnmatchcase(name, pattern) for name in found):
                raise unreadable_config(session) or ConfigError(
                    f"profiles: no profile of the AWS config files matches {pattern}"
                )
        for name, values in found.items():
            if not any(fnmatchcase(name, pattern) for pattern in self._chosen):
                continue
            place = f"profile {name}"
            try:
                entries.append((place, _account(name, values)))
            except (_NoAccountId, ValidationError):
                warnings.append(
                    f"{place} does not say its account: left out; list it in crosstrail.yaml with auth: "
                    f"{{type: profile, profile: {name}}}"
                )
        return sift(self.name, entries, warnings)


class _NoAccountId(Exception):
    """A profile whose files do not tell its account."""


def _account(name: str, values: Mapping[str, Any]) -> Account:
    # botocore prefers a role to SSO where a profile has both
    role_arn = str(values.get("role_arn", ""))
    account_id = role_arn.split(":")[4] if role_arn.count(":") >= 5 else ""
    account_id = account_id or str(values.get("sso_account_id") or values.get("aws_account_id") or "")
    if not account_id:
        raise _NoAccountId
    auth = {"type": "profile", "profile": name}
    return Account.model_validate(
        {"id": account_id, "alias": as_alias(name), "region": str(values.get("region", "")), "auth": auth}
    )
