"""Which kind of policy an AWS denial names, and who can change one of that kind.

From AWS's IAM guide, on access denied messages: an explicit denial ends with `with an explicit deny in a <kind>`, an implicit one
with `because no <kind> allows the <action> action`. Of several kinds that deny AWS names one; some services name none. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

IDENTITY = "identity-based policy"
TRUST = ("resource-based policy", "role trust policy")
"""Of a role, both are what it says of who may assume it."""
_WHO_CHANGES = {
    IDENTITY: "the policies of {identity} must allow {action}, and none of them deny it.",
    "resource-based policy": "whoever owns what is asked must let {identity} do {action} in its resource policy.",
    "role trust policy": "whoever administers the role's account must let {identity} do {action} in the role's trust policy.",
    "service control policy": (
        "it is the organization's: its management account, or a delegated administrator of policies, must let {action} pass for "
        "the account of {identity}; nothing in that account can."
    ),
    "resource control policy": (
        "it is the organization's: its management account, or a delegated administrator of policies, must let {action} pass for "
        "the resources of the account; nothing in that account can."
    ),
    "permissions boundary": (
        "whoever administers IAM in the account must let {action} pass in the permissions boundary of {identity}; its other "
        "policies cannot."
    ),
    "session policy": (
        "the session may do less than its role or user: leave session_policy out of the account's auth where that is set, or let "
        "whoever makes the session allow {action}."
    ),
    "vpc endpoint policy": (
        "the request went through a VPC endpoint, whose owner (of the network that crosstrail runs in) must let {action} of {identity} pass."
    ),
}
"""Kind, in small letters -> a clause; takes `identity` and `action`."""
_KINDS = "|".join(_WHO_CHANGES)
_EXPLICIT = re.compile(rf"\bexplicit deny in (?:an?|the) ({_KINDS})\b", re.IGNORECASE)
_IMPLICIT = re.compile(rf"\bbecause no ({_KINDS}) allows\b", re.IGNORECASE)
_ACTION = re.compile(r"perform: ([A-Za-z0-9-]+:[A-Za-z0-9]+)")


@dataclass(frozen=True, slots=True)
class Denial:
    """Of one kind of policy, which denies, or alone does not allow."""

    policy: str
    explicit: bool

    @property
    def reason(self) -> str:
        """A clause: `no identity-based policy allows it`."""
        if not self.explicit:
            return f"no {self._written} allows it"
        return f"explicit deny in {'an' if self.policy == IDENTITY else 'a'} {self._written}"

    def hint(self, action: str, identity: str) -> str:
        """One sentence: who can change that. `identity`: whose request it was, as a reader knows it."""
        said = _WHO_CHANGES[self.policy].format(action=action, identity=identity)
        return said[0].upper() + said[1:]

    @property
    def _written(self) -> str:
        return self.policy.replace("vpc", "VPC")


def denial_of(message: str) -> Denial | None:
    """What AWS's message says; None where it names no kind."""
    if found := _EXPLICIT.search(message):
        return Denial(found.group(1).lower(), explicit=True)
    found = _IMPLICIT.search(message)
    return Denial(found.group(1).lower(), explicit=False) if found else None


def denied_action(message: str) -> str:
    """The action that a denial names, as IAM writes it; empty when it names none."""
    return found.group(1) if (found := _ACTION.search(message)) else ""
