"""Which identities there are, and whose each one is: files and variables are read, then each cloud is asked once.

Decides how long anybody waits, and how keys of another program's file come into ours: encrypted, or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

import anyio
from pydantic import SecretStr

from crosstrail.accounts.listing import as_alias
from crosstrail.clouds.base import clouds
from crosstrail.clouds.found_identities import FoundIdentity
from crosstrail.errors import ConfigError, CrosstrailError, InvalidRequest
from crosstrail.models import Account
from crosstrail.settings.config import Settings
from crosstrail.setup.plan import PlannedAccount, Resolved
from crosstrail.workspace.workspace import Workspace

_SECONDS = 20.0
_AT_ONCE = 8
_NO_ID = "000000"
"""Stands for an id while the cloud is asked for it."""
_KEY_COMMAND = 'python3 -c "import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())"'  # what Fernet takes for a key


def find(environ: Mapping[str, str], *, instance_role: bool) -> tuple[tuple[FoundIdentity, ...], tuple[str, ...]]:
    """(the identities of all clouds, why those of a cloud could not be looked for)"""
    found: list[FoundIdentity] = []
    problems: list[str] = []
    for cloud in clouds():
        try:
            found += cloud.found_identities(environ, instance_role)
        except CrosstrailError as error:
            problems.append(error.operators_text)
    return tuple(found), tuple(problems)


def chosen(found: Sequence[FoundIdentity], names: Sequence[str]) -> tuple[FoundIdentity, ...]:
    """Those that names and globs choose; all without any. Raises InvalidRequest for one that chooses none."""
    for name in names:
        if not any(fnmatchcase(one.name, name) for one in found):
            known = ", ".join(one.name for one in found) or "none"
            raise InvalidRequest(f"there is no identity {name}", hint=f"Found here: {known}.")
    return tuple(one for one in found if not names or any(fnmatchcase(one.name, name) for name in names))


async def resolve(settings: Settings, identities: Sequence[FoundIdentity]) -> tuple[Resolved, ...]:
    """Whose each identity is, asked side by side."""
    workspace = Workspace(settings)
    found: dict[int, Resolved] = {}
    limiter = anyio.CapacityLimiter(_AT_ONCE)

    async def one(place: int, identity: FoundIdentity) -> None:
        async with limiter:
            found[place] = await _resolved(workspace, identity)

    try:
        async with anyio.create_task_group() as group:
            for place, identity in enumerate(identities):
                group.start_soon(one, place, identity)
    finally:
        await workspace.aclose()
    return tuple(found[place] for place in range(len(identities)))


async def _resolved(workspace: Workspace, identity: FoundIdentity) -> Resolved:
    if identity.problem:
        return Resolved(identity, identity.account_id, identity.problem)
    try:
        account = Account.model_validate(
            {
                "id": identity.account_id or _NO_ID,
                "cloud": identity.cloud,
                "region": identity.region,
                "auth": _auth_to_ask_with(identity),
            }
        )
        with anyio.fail_after(_SECONDS):
            return Resolved(identity, await workspace.broker(identity.cloud).owner_of(account))
    except TimeoutError:
        problem = f"no answer in {_SECONDS:g} s. See whether its cloud can be reached from here."
        return Resolved(identity, identity.account_id, problem)
    except CrosstrailError as error:
        return Resolved(identity, identity.account_id, error.operators_text)


def _auth_to_ask_with(identity: FoundIdentity) -> dict[str, object]:
    if identity.keys is None:
        return dict(identity.auth)
    keys = {"access_key_id": identity.keys.access_key_id, "secret_access_key": identity.keys.secret}
    return {**identity.auth, **keys}


def planned(resolved: Resolved, encryption_key: SecretStr) -> PlannedAccount:
    """How an identity stands in the file; keys of another program's file are encrypted for its account."""
    identity, problem = resolved.identity, resolved.problem
    auth = dict(identity.auth)
    if identity.keys and resolved.account_id and not problem:
        auth["access_key_id"] = identity.keys.access_key_id
        try:
            auth["secret_access_key_encrypted"] = _encrypted(identity.keys.secret, resolved.account_id, encryption_key)
        except ConfigError:
            problem = (
                "Its secret is not written in plain text. Set ENCRYPTION_KEY, for crosstrail now and later, and run this again. "
                f"A new key: {_KEY_COMMAND}"
            )
    identity_id = "" if identity.keys and problem else resolved.account_id
    return PlannedAccount(
        identity.cloud, identity_id, as_alias(identity.name), identity.region, auth, identity.origin, problem=problem
    )


def _encrypted(secret: SecretStr, account_id: str, encryption_key: SecretStr) -> str:
    from crosstrail.accounts.secrets import SecretBox

    return SecretBox(encryption_key.get_secret_value()).encrypt(secret, account_id)


def distinct(accounts: Sequence[PlannedAccount]) -> tuple[PlannedAccount, ...]:
    """An account once: of several identities of one, the first that answered. Aliases once, too."""
    ordered = sorted(accounts, key=lambda one: bool(one.problem))
    found: dict[tuple[str, str], PlannedAccount] = {}
    for one in ordered:
        found.setdefault((one.cloud, one.id or one.alias), one)
    return tuple(one for one in accounts if found[one.cloud, one.id or one.alias] is one)
