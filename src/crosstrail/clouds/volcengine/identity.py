"""Whose Volcengine credentials are, read out of the answers of its STS. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from crosstrail.clouds.volcengine.actions import Action
from crosstrail.errors import CloudError

GET_CALLER_IDENTITY = Action("GetCallerIdentity", "2018-01-01", "sts", "GET")
"""https://www.volcengine.com/docs/6257/1902650: AccountId, a number; Trn; IdentityType; IdentityId."""
_TRN = re.compile(r"trn:[a-z_]+:[a-z0-9-]*:([0-9]{6,20}):\S+", re.ASCII)
_NUMBER = re.compile(r"[0-9]{6,20}", re.ASCII)


def account_of_identity(answer: Mapping[str, Any]) -> str:
    """The account of an answer of GetCallerIdentity. Raises CloudError where it contradicts itself."""
    number, named = answer.get("AccountId"), owner_of(str(answer.get("Trn", "")))
    account = str(number) if isinstance(number, int | str) and not isinstance(number, bool) else ""
    named = named or account  # a number in JSON has lost its zeros
    if not _NUMBER.fullmatch(account) or int(named) != int(account):
        raise CloudError(f"{GET_CALLER_IDENTITY} did not say whose these keys are", hint="Try again later.")
    return named


def owner_of(trn: str) -> str:
    """The account of a principal's TRN; empty for what is none."""
    found = _TRN.fullmatch(trn)
    return found.group(1) if found else ""


def assumed_by(answer: Mapping[str, Any]) -> str:
    """The account of the session that an answer of AssumeRole gives."""
    user = answer.get("AssumedRoleUser")
    return owner_of(str(user.get("Trn") or "") if isinstance(user, Mapping) else "")
