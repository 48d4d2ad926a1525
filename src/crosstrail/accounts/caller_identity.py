"""Whose credentials these are, as their cloud says, before anything else is asked with them.

Decides that credentials which are not a role of the account are used for that account alone: stored keys, a profile, the
identity of the machine. What the cloud said is kept as long as the credentials stay the same. Where it does not say, nobody
gets them; and no error names the account that they are of, because its reader may not be allowed to know it: the log does.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Generic

from crosstrail.account_forms import account_form
from crosstrail.accounts.credentials import CredentialProvider, CredentialsT, fingerprint
from crosstrail.errors import AccessDenied, WrongAccount
from crosstrail.models import Account

_log = logging.getLogger("crosstrail.accounts")


class VerifiedCredentials(Generic[CredentialsT]):
    """A provider whose credentials are known to be of one account; put it inside of `Cached`, which asks once for all."""

    def __init__(
        self,
        provider: CredentialProvider[CredentialsT],
        account: Account,
        identify: Callable[[CredentialsT], Awaitable[str]],
    ) -> None:
        """`identify` gives the id of the account that credentials are of. Raises CredentialsError, CloudError."""
        self._provider = provider
        self._account = account
        self._identify = identify
        self._known = ("", "")

    @property
    def remediation(self) -> str:
        return self._provider.remediation

    async def credentials(self) -> CredentialsT:
        """Raises WrongAccount, and what the provider and `identify` raise."""
        found = await self._provider.credentials()
        mark = fingerprint(found)
        if self._known[0] != mark:
            self._known = (mark, await self._identified(found))
        if self._known[1] != self._account.id:
            raise wrong_account(
                self._account, self._known[1], "its credentials are another account's, and were not used"
            )
        return found

    async def _identified(self, found: CredentialsT) -> str:
        try:
            return await self._identify(found)
        except AccessDenied as error:
            more = "Look at policies of the organization and of a VPC endpoint, too"
            error.hint = f"{error.hint} {more}: credentials that nobody can tell the account of are not used.".strip()
            raise


def wrong_account(account: Account, actual: str, what: str) -> WrongAccount:
    """The refusal where `actual` is in the account's place. The log names it; the error keeps it and does not show it."""
    shown = actual if account_form(account.cloud).is_id(actual) else "another"
    _log.error("account %s (%s): the credentials listed for it are of account %s", account.name, account.id, shown)
    return WrongAccount(
        f"account {account.name}: {what}",
        actual=shown,
        hint="Correct the account's id or its auth. The operator's log says whose credentials these are.",
    )


def check_assumed(found: tuple[str, str], wanted: tuple[str, str], role: str) -> None:
    """Raises WrongAccount unless what STS gave for a role is a session of the role's own (partition, account).

    An account's number means nothing in another partition, so that counts too.
    """
    if found == wanted and found[1]:
        return
    _log.error("the answer of STS to AssumeRole of %s is refused: it is for account %s", role, found[1] or "unknown")
    raise WrongAccount(
        f"STS answered for another account than that of {role}: its credentials were not used",
        actual=found[1],
        hint="Check any proxy and the address of STS.",
    )
