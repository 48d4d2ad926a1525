"""The AWS identities of this machine: profiles of the config files, keys or a role of the environment, the instance's role.

Read from files and variables; nobody is asked. Imports botocore, so nothing imports this module before identities are looked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import botocore.session
from botocore.exceptions import BotoCoreError

from crosstrail.clouds.aws.profile_settings import unreadable_config
from crosstrail.clouds.found_identities import FoundIdentity
from crosstrail.errors import ConfigError

_CLOUD = "aws"
_IN_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "keys in the environment (AWS_ACCESS_KEY_ID)",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "role of a web identity (AWS_WEB_IDENTITY_TOKEN_FILE)",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "role of the container",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "role of the container",
}
_AMBIENT = {"type": "ambient"}


def found_identities(environ: Mapping[str, str], instance_role: bool) -> tuple[FoundIdentity, ...]:
    """The environment's first, then profiles in the order of their files. Raises ConfigError."""
    found: list[FoundIdentity] = []
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or ""
    origin = next((words for name, words in _IN_ENVIRONMENT.items() if environ.get(name)), "")
    if origin:
        found.append(FoundIdentity(_CLOUD, "environment", f"AWS {origin}", _AMBIENT, region=region))
    try:
        session = botocore.session.Session(profile=None)
        profiles: Mapping[str, Mapping[str, Any]] = session.full_config.get("profiles", {})
    except BotoCoreError as error:
        raise ConfigError(
            f"the AWS config files cannot be read ({type(error).__name__})", hint="See ~/.aws/config."
        ) from None
    if reason := unreadable_config(session):
        raise reason
    found += [one for name, values in profiles.items() if (one := _of_profile(name, values))]
    if instance_role and not origin:
        found.append(FoundIdentity(_CLOUD, "instance-role", "AWS role of this instance", _AMBIENT, region=region))
    return tuple(found)


def _of_profile(name: str, values: Mapping[str, Any]) -> FoundIdentity | None:
    """None for one that has settings alone."""
    role = str(values.get("role_arn", ""))
    account = role.split(":")[4] if role.count(":") >= 5 else str(values.get("sso_account_id") or "")
    problem = ""
    if role:
        how = f"role {role.rpartition('/')[2]}"
        if values.get("mfa_serial"):
            problem = "It asks for the code of an MFA device, which nobody can be asked for when a server runs."
    elif "sso_session" in values or "sso_start_url" in values:
        how = "IAM Identity Center"
    elif "login_session" in values:
        how = "aws login"
    elif "credential_process" in values:
        how = "a program (credential_process)"
    elif "aws_access_key_id" in values:
        how = "keys in its file"
    else:
        return None
    auth = {"type": "profile", "profile": name}
    region = str(values.get("region", ""))
    return FoundIdentity(_CLOUD, name, f"AWS profile, {how}", auth, account, region, problem=problem)
