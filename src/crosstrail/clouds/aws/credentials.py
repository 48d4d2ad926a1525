"""Credentials of an account's role, which the base identity assumes, and never another account's credentials.

Decides what is asked of STS, and what its refusals mean. Nothing is kept between two fetches, so that a renewed sign-in is seen
at once. Imported only once an AWS account is asked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Protocol

from crosstrail.accounts.caller_identity import check_assumed
from crosstrail.accounts.credentials import Cached, Credentials, renewed_once, session_name
from crosstrail.accounts.request_info import RequestInfo, error_suffix, shortened
from crosstrail.clouds.aws.accounts import RoleAuth
from crosstrail.clouds.aws.denials import IDENTITY, TRUST, Denial, denial_of
from crosstrail.clouds.aws.errors import VENDOR_ERRORS, code_of, message_of, request_id_of, translated
from crosstrail.clouds.aws.identity import assumed_by
from crosstrail.errors import AssumeRoleDenied, CredentialsError, CredentialsExpired, CrosstrailError

CLOUDTRAIL_READS = (
    "CancelQuery",
    "DescribeQuery",
    "DescribeTrails",
    "GetChannel",
    "GetEventConfiguration",
    "GetEventDataStore",
    "GetEventSelectors",
    "GetInsightSelectors",
    "GetQueryResults",
    "GetTrail",
    "GetTrailStatus",
    "ListChannels",
    "ListEventDataStores",
    "ListPublicKeys",
    "ListQueries",
    "ListTags",
    "ListTrails",
    "LookupEvents",
    "StartQuery",
)
"""What a narrowed session may call: reads, and the start and end of a CloudTrail Lake query."""
_SESSION_POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": [f"cloudtrail:{name}" for name in CLOUDTRAIL_READS], "Resource": "*"}
        ],
    },
    separators=(",", ":"),
)
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException"})


class Ask(Protocol):
    """How a call is made with exactly these credentials; blocking."""

    def __call__(
        self, service: str, region: str, credentials: Credentials, operation: str, params: Mapping[str, Any]
    ) -> dict[str, Any]: ...


RunBlocking = Callable[[Callable[[], Any]], Awaitable[Any]]


class AssumeRole:
    """An account's role, assumed by the base identity in the name of whoever asks."""

    def __init__(
        self,
        auth: RoleAuth,
        base: Cached[Credentials],
        ask: Ask,
        run: RunBlocking,
        *,
        region: Callable[[], Awaitable[str]],
        who: str = "",
    ) -> None:
        """`region`: whose STS is asked; it must be one of the role's partition."""
        self._auth = auth
        self._base = base
        self._ask = ask
        self._run = run
        self._region = region
        self._who = who

    @property
    def remediation(self) -> str:
        return self._base.remediation

    async def credentials(self) -> Credentials:
        """Raises AssumeRoleDenied, CredentialsExpired (the base identity's), CredentialsError, CloudError."""
        return await renewed_once(self._base, self._assumed_by)

    async def _assumed_by(self, base: Credentials) -> Credentials:
        region = await self._region()
        try:
            answer = await self._run(partial(self._ask, "sts", region, base, "assume_role", self._request()))
        except VENDOR_ERRORS as error:
            raise self._explained(error, region) from None
        check_assumed(assumed_by(answer), (self._auth.partition, self._auth.account_id), self._auth.role_arn)
        return Credentials.given_by_sts(answer)

    def _request(self) -> dict[str, Any]:
        request: dict[str, Any] = {
            "RoleArn": self._auth.role_arn,
            "RoleSessionName": session_name(self._who),
            "DurationSeconds": self._auth.duration,
        }
        if self._auth.external_id:
            request["ExternalId"] = self._auth.external_id
        if self._auth.session_policy:
            request["Policy"] = _SESSION_POLICY
        return request

    def _explained(self, error: Exception, region: str) -> CrosstrailError:
        role, code, message = self._auth.role_arn, code_of(error), message_of(error)
        ending = error_suffix(code, request_id_of(error))
        if code in ("AccessDenied", "AccessDeniedException"):
            return AssumeRoleDenied(f"may not assume {role}{ending}", hint=self._likely_cause(message))
        if code in _EXPIRED:
            return CredentialsExpired(
                f"the base identity that assumes {role} has expired{ending}", hint=self.remediation
            )
        if code == "ValidationError":
            hint = "Set the role's maximum session duration, or the account's auth.duration, to fit."
            return CredentialsError(f"cannot assume {role}{ending}: {shortened(message)}", hint=hint)
        if code == "RegionDisabledException":
            hint = f"Enable STS in {region} in the base identity's account, or set another region."
            return CredentialsError(f"cannot assume {role}: STS is off in {region}{ending}", hint=hint)
        account = self._auth.account_id
        ours = translated(error, RequestInfo(account, region, "sts:AssumeRole", self.remediation))
        if type(ours) is CredentialsError:
            return CredentialsError(
                f"STS does not accept the base identity that assumes {role}{ending}", hint=ours.hint
            )
        return ours

    def _likely_cause(self, message: str) -> str:
        base = found.group(1) if (found := re.search(r"User: (arn:\S+)", message)) else "the base identity"
        denial = denial_of(message)
        if denial == Denial(IDENTITY, explicit=False):
            return f"Allow sts:AssumeRole on this role in the policy of {base}."
        if denial and (denial.explicit or denial.policy not in TRUST):
            return f"AWS names its cause, {denial.reason}: {denial.hint('sts:AssumeRole', base)}"
        external = (
            "and the external id must be the one it asks for"
            if self._auth.external_id
            else ("and, if it asks for an external id, set auth.external_id")
        )
        trust = f"the role's trust policy must name {base}, {external}"
        if denial:
            return trust[0].upper() + trust[1:] + "."
        return f"AWS does not say why: {trust}; and {base} must be allowed sts:AssumeRole on the role."
