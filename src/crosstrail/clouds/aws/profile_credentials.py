"""Credentials of a profile of the AWS config files, or of the identity that the machine has.

botocore finds them; this says how long that may take, and what is wrong where there are none: in words for who runs crosstrail,
with the name of the setting that is to be put right. Nothing is kept between two fetches, so that a renewed sign-in is seen at
once. Imported only once an AWS account is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import anyio
import botocore.session
from botocore import exceptions as vendor
from pydantic import SecretStr

from crosstrail.accounts.credentials import Credentials
from crosstrail.accounts.request_info import RequestInfo, error_suffix, shortened
from crosstrail.clouds.aws.credential_process import CredentialProcessError
from crosstrail.clouds.aws.errors import VENDOR_ERRORS, code_of, request_id_of, translated
from crosstrail.clouds.aws.profile_settings import unreadable_config
from crosstrail.clouds.aws.regions import home_region, partition_of
from crosstrail.clouds.aws.session import IDENTITY_SECONDS, BoundedSession, MfaRequired
from crosstrail.errors import ConfigError, CredentialsError, CredentialsExpired, CrosstrailError
from crosstrail.tasks import in_daemon_thread, within

_ONE_OF_THEM = 0.8
"""Of the time for all, what each program or server may take: it is named then."""
_BROKEN = (ValueError, TypeError, KeyError, AttributeError)
"""What botocore raises where a program, a file or a server gave something that is no credentials."""
_NO_PERSON = (
    "Nobody can be asked for a code here. Use a profile of IAM Identity Center (aws sso login), a role that asks for none, or a "
    "session that has the code: of aws sts get-session-token --serial-number, or of a program such as aws-vault as its "
    "credential_process."
)


class Profile:
    """A profile's credentials; an empty name is the ambient identity: environment, default profile, container or instance role.
    Whose account that is, it does not ask."""

    def __init__(self, name: str, *, region: str, seconds: float = IDENTITY_SECONDS) -> None:
        """`region`: whose STS a profile asks that assumes a role and names no region. `seconds`: that all of it may take."""
        self._name = name
        self._region = region
        self._seconds = seconds
        self._remediation = f"Renew the credentials of {self}."

    @property
    def remediation(self) -> str:
        return self._remediation

    async def credentials(self) -> Credentials:
        """Raises CredentialsExpired when somebody has to sign in again, CredentialsError when there are none."""
        try:
            with anyio.fail_after(self._seconds):
                return await in_daemon_thread(self._read)
        except TimeoutError:
            raise self._late() from None

    def read(self) -> Credentials:
        """The same, blocking."""
        try:
            return within(self._seconds, self._read)
        except TimeoutError:
            raise self._late() from None

    def _read(self) -> Credentials:
        session: BoundedSession | None = None
        try:
            session = BoundedSession(profile=self._name or None, seconds=_ONE_OF_THEM * self._seconds)
            self._remediation = remediation_of(session) or self._remediation
            if not session.get_config_variable("region"):
                role = str(session.get_scoped_config().get("role_arn", "")).split(":")
                partition = role[1] if len(role) > 1 else partition_of(self._region)
                fits = partition == partition_of(self._region)
                session.set_config_variable("region", self._region if fits else home_region(partition))
            found = session.get_credentials()
            frozen = found.get_frozen_credentials() if found else None
        except VENDOR_ERRORS as error:
            raise self._explained(error, session) from None
        except OSError as error:
            raise self._without_file(error, session) from None
        except RuntimeError:  # botocore's own word for: renewed, and what came has expired already
            raise CredentialsExpired(f"the credentials of {self} have expired", hint=self._remediation) from None
        except _BROKEN as error:  # its text may quote what was given
            raise CredentialsError(
                f"{self} gives no credentials: what was given for them is none ({type(error).__name__})",
                hint="See which program, file or server they come from, and what it gives.",
            ) from None
        if frozen is None or not frozen.access_key:
            raise self._without_config_file(session) or CredentialsError(
                f"{self} has no AWS credentials",
                hint="Set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or sign in with the AWS CLI.",
            )
        token = SecretStr(frozen.token) if frozen.token else None
        # botocore has no public word for the expiry; without it, Cached asks again every few minutes.
        expires = getattr(found, "_expiry_time", None)
        return Credentials(frozen.access_key, SecretStr(frozen.secret_key), token, expires)

    def _late(self) -> CredentialsError:
        return CredentialsError(
            f"{self} gave no credentials in {self._seconds:g} s",
            hint="See which program, file or server they come from, and whether it answers.",
        )

    def __str__(self) -> str:
        return f"the AWS profile {self._name}" if self._name else "the ambient AWS identity"

    def _explained(self, error: Exception, session: BoundedSession | None) -> CrosstrailError:
        if isinstance(error, MfaRequired):
            return CredentialsError(f"{self} assumes a role with an MFA device (mfa_serial)", hint=_NO_PERSON)
        if isinstance(error, CredentialProcessError):
            return CredentialsError(
                f"{self} gives no credentials: its credential_process {error.program} {error.reason}",
                hint=f"Run the credential_process of {self} by hand and see what it says.",
            )
        ours = translated(error, RequestInfo("", "", "credentials", self._remediation))
        code = code_of(error) or type(error).__name__
        if isinstance(ours, CredentialsExpired) or code == "UnauthorizedException":  # SSO's word for an expired sign-in
            return CredentialsExpired(f"the credentials of {self} have expired ({code})", hint=self._remediation)
        if code == "ProfileNotFound":
            named = str(self) if self._name else "the AWS profile that AWS_PROFILE names"
            return self._without_config_file(session) or CredentialsError(
                f"{named} does not exist", hint="See: aws configure list-profiles"
            )
        ending = error_suffix(code, request_id_of(error))
        if isinstance(ours, ConfigError):
            reason = f": {shortened(str(error))}" if isinstance(error, vendor.InvalidConfigError) else ""
            hint = f"Correct {self} in the AWS config file."
            return CredentialsError(f"{self} is not well configured{ending}{reason}", hint=hint).about(ours.where)
        return CredentialsError(f"{self} gives no credentials{ending}", hint=ours.hint or self._remediation)

    def _without_file(self, error: OSError, session: BoundedSession | None) -> CredentialsError:
        path = str(error.filename or "")
        named = next(_naming(session, path), "") if session and path else ""
        reason = error.strerror or type(error).__name__
        return CredentialsError(
            f"{self} gives no credentials: {f'the file that {named} names' if named else 'a file'} cannot be read: {reason}",
            hint=f"Correct {named}, or see what writes the file." if named else self._remediation,
        ).about(path)

    def _without_config_file(self, session: BoundedSession | None) -> CredentialsError | None:
        """Where a file is named and not there, that is why."""
        reason = unreadable_config(session) if session else None
        if reason is None:
            return None
        return CredentialsError(f"{self} gives no credentials: {reason}", hint=reason.hint).about(reason.where)


def _naming(session: BoundedSession, path: str) -> Iterator[str]:
    """The setting that names a file which a source of credentials reads."""
    for provider in session.get_component("credential_provider").providers:
        if provider.METHOD == "container-role" and provider._environ.get(provider.ENV_VAR_AUTH_TOKEN_FILE) == path:
            yield str(provider.ENV_VAR_AUTH_TOKEN_FILE)
        of_token = provider.METHOD == "assume-role-with-web-identity"
        if of_token and provider._get_env_config("web_identity_token_file") == path:
            yield "AWS_WEB_IDENTITY_TOKEN_FILE"
    profiles: Mapping[str, Mapping[str, Any]] = session.full_config.get("profiles", {})
    for name, profile in profiles.items():
        if profile.get("web_identity_token_file") == path:
            yield f"web_identity_token_file of the AWS profile {name}"


def remediation_of(session: botocore.session.Session) -> str:
    """The command by which a person signs in again, where the session's profile, or one that it takes for its source, is one
    that people sign in to."""
    profiles: Mapping[str, Mapping[str, Any]] = session.full_config.get("profiles", {})
    name, config, passed = session.profile, session.get_scoped_config(), set[str]()
    while True:
        option = f" --profile {name}" if name else ""
        if "sso_session" in config or "sso_start_url" in config:
            return f"Run: aws sso login{option}"
        if "login_session" in config:
            return f"Run: aws login{option}"
        if "credential_process" in config:
            return f"Run the credential_process of the AWS profile {name or 'default'} by hand and see what it says."
        name = str(config.get("source_profile", ""))
        if name not in profiles or name in passed:
            return ""
        passed.add(name)
        config = profiles[name]
