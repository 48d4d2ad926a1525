"""Whose credentials these are, as the STS of their cloud says, before anything else is asked with them.

Decides that credentials which are not a role of the account are used for that account alone: stored keys, a profile, the
identity of the machine. What STS said is kept as long as the credentials stay the same. Where STS does not say, nobody
gets them; and no error names the account that they are of, because its reader may not be allowed to know it: the log does.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from crosstrail.accounts.asked import Asked
from crosstrail.accounts.aws_regions import PARTITIONS, partition_of
from crosstrail.accounts.credentials import CredentialProvider, Credentials, fingerprint
from crosstrail.accounts.volcengine_api import Action
from crosstrail.errors import AccessDenied, CloudError, CredentialsError, WrongAccount
from crosstrail.models import Account

_log = logging.getLogger("crosstrail.accounts")
AWS_ACTION = "sts:GetCallerIdentity"
GET_CALLER_IDENTITY = Action("GetCallerIdentity", "2018-01-01", "sts", "GET")
"""Volcengine's, https://www.volcengine.com/docs/6257/1902650: AccountId, a number; Trn; IdentityType; IdentityId."""
_AWS_ARN = re.compile(r"arn:(aws[a-z-]*):(?:iam|sts)::([0-9]{12}):\S+", re.ASCII)
_TRN = re.compile(r"trn:[a-z_]+:[a-z0-9-]*:([0-9]{6,20}):\S+", re.ASCII)
_NUMBER = re.compile(r"[0-9]{6,20}", re.ASCII)

Identify = Callable[[Credentials], Awaitable[str]]
"""The number of the account that credentials are of. Raises CredentialsError, CloudError."""


class VerifiedCredentials:
    """A provider whose credentials are known to be of one account; put it inside of `Cached`, which asks once for all."""

    def __init__(self, provider: CredentialProvider, account: Account, identify: Identify) -> None:
        self._provider = provider
        self._account = account
        self._identify = identify
        self._known = ("", "")

    @property
    def renewal(self) -> str:
        return self._provider.renewal

    async def credentials(self) -> Credentials:
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

    async def _identified(self, found: Credentials) -> str:
        try:
            return await self._identify(found)
        except AccessDenied as error:
            error.hint = (
                "Allow sts:GetCallerIdentity to them, also in service control policies and the policy of a VPC endpoint of "
                "STS: credentials that nobody can tell the account of are not used."
            )
            raise


def wrong_account(account: Account, actual: str, what: str) -> WrongAccount:
    """The refusal where `actual` is in the account's place. The log names it; the error keeps it and does not show it."""
    shown = actual if _NUMBER.fullmatch(actual) else "another"
    _log.error("account %s (%s): the credentials listed for it are of account %s", account.name, account.id, shown)
    return WrongAccount(
        f"account {account.name}: {what}",
        actual=shown,
        hint="Correct the account's id or its auth. The operator's log says whose credentials these are.",
    )


def aws_account(answer: Mapping[str, Any], region: str) -> str:
    """The account of an answer of AWS's GetCallerIdentity from this region. Raises CloudError where it contradicts itself."""
    found = _AWS_ARN.fullmatch(str(answer.get("Arn", "")))
    if not found or found.group(2) != answer.get("Account") or not _may_be_of(found.group(1), region):
        raise CloudError(
            f"{AWS_ACTION} did not say whose these credentials are",
            hint="Check any proxy and the address of STS (AWS_ENDPOINT_URL_STS), then try again.",
            region=region,
        )
    return found.group(2)


def unknown_key(asked: Asked, ending: str) -> CredentialsError:
    """The refusal where STS does not know the key of an account that nothing names a region of.

    The other partitions are not tried: other companies run them, and a key of one is nobody's business in another.
    """
    return CredentialsError(
        f"{asked.place} does not know the access key{ending}",
        hint=f"{asked.renewal} Or, if the account is in another partition of AWS than {asked.region} is, set its `region`: "
        "cn-north-1 for AWS China, us-gov-west-1 for GovCloud.",
    )


def volcengine_account(answer: Mapping[str, Any]) -> str:
    """The same of Volcengine's."""
    number, trn = answer.get("AccountId"), _TRN.fullmatch(str(answer.get("Trn", "")))
    account = str(number) if isinstance(number, int | str) and not isinstance(number, bool) else ""
    named = trn.group(1) if trn else account  # a number in JSON has lost its zeros
    if not _NUMBER.fullmatch(account) or int(named) != int(account):
        raise CloudError(f"{GET_CALLER_IDENTITY} did not say whose these keys are", hint="Try again later.")
    return named


def check_assumed(answer: Mapping[str, Any], role: str) -> None:
    """Raises WrongAccount unless an answer of AssumeRole, of either cloud, names a session of the role's own account.

    An account's number means nothing in another partition, so that counts too.
    """
    user = answer.get("AssumedRoleUser")
    named = str((user.get("Arn") or user.get("Trn") or "") if isinstance(user, Mapping) else "")
    found, wanted = (_owner_of(name) for name in (named, role))
    if found != wanted:
        _log.error(
            "the answer of STS to AssumeRole of %s is refused: it is for account %s", role, found[1] or "unknown"
        )
        raise WrongAccount(
            f"STS answered for another account than that of {role}: its credentials were not used",
            actual=found[1],
            hint="Check any proxy and the address of STS.",
        )


def _owner_of(name: str) -> tuple[str, str]:
    """(partition, account) of an ARN or a TRN; both empty for what is neither."""
    if found := _AWS_ARN.fullmatch(name):
        return found.group(1), found.group(2)
    return ("trn", found.group(1)) if (found := _TRN.fullmatch(name)) else ("", "")


def _may_be_of(partition: str, region: str) -> bool:
    """False only for two partitions that are known to differ: there are more than are listed here."""
    return partition not in PARTITIONS or partition == partition_of(region)
