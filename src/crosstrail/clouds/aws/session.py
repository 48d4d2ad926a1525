"""Sessions of botocore as all of crosstrail uses them: their clients and sources of credentials are bounded.

Decides what botocore is not left to decide: how long anybody is waited for, how much is read, whose certificates are trusted,
and that nobody is asked for anything on a terminal, which may be a client's messages. botocore has no public place for that: the
names with an underscore are its own, and where a release has others this fails instead of going without bounds. Imports botocore.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import botocore.session
from botocore import exceptions as vendor
from botocore.config import Config

from crosstrail.accounts.credentials import Credentials
from crosstrail.clouds.aws.bounds import BoundedHttp
from crosstrail.clouds.aws.credential_process import CredentialProcess
from crosstrail.trust import CertificatePlace, TrustStore, trusted

IDENTITY_SECONDS = 30.0
"""That a source of credentials may take, where nobody says less."""
_CONNECT_SECONDS, _ATTEMPTS = 5.0, 2


class MfaRequired(vendor.CredentialRetrievalError):  # type: ignore[misc]
    """A role that wants the code of a device, which only a person has."""

    fmt = "A role wants the code of an MFA device"


class BoundedSession(botocore.session.Session):  # type: ignore[misc]
    """A session of one profile, or of the machine's own configuration."""

    def __init__(self, *, profile: str | None = None, seconds: float = 0.0) -> None:
        """`seconds`: of a session that asks for credentials alone, what each program or server which has them may take."""
        super().__init__(profile=profile)
        self._are_sources_bounded = False
        self._popen = partial(CredentialProcess, seconds=seconds or IDENTITY_SECONDS)
        if seconds:
            connect, read = min(_CONNECT_SECONDS, seconds), seconds / _ATTEMPTS
            retries = {"mode": "standard", "total_max_attempts": _ATTEMPTS}
            self.set_default_client_config(Config(connect_timeout=connect, read_timeout=read, retries=retries))

    @property
    def trust(self) -> TrustStore:
        """AWS_CA_BUNDLE or the profile's ca_bundle, else what all connections trust."""
        bundle = self.get_config_variable("ca_bundle")
        if not bundle:
            return trusted()
        of_profile = self.get_scoped_config().get("ca_bundle") == bundle
        named_by = "ca_bundle of the AWS config file" if of_profile else "AWS_CA_BUNDLE"
        return TrustStore((CertificatePlace(bundle, named_by),))

    def create_client(self, *arguments: Any, **options: Any) -> Any:
        client = super().create_client(*arguments, **options)
        client._endpoint.http_session = BoundedHttp(client._endpoint.http_session, self.trust)
        return client

    def client_of(self, credentials: Credentials, service: str, region: str, config: Config) -> Any:
        """One that signs with exactly these, whatever the session would find."""
        token = credentials.session_token
        return self.create_client(
            service,
            region_name=region,
            aws_access_key_id=credentials.access_key_id,
            aws_secret_access_key=credentials.secret_access_key.get_secret_value(),
            aws_session_token=token.get_secret_value() if token else None,
            config=config,
        )

    def get_credentials(self) -> Any:
        if not self._are_sources_bounded:
            self._bound_sources()
            self._are_sources_bounded = True
        return super().get_credentials()

    def _bound_sources(self) -> None:
        for provider in self.get_component("credential_provider").providers:
            match provider.METHOD:
                case "iam-role":
                    self._bound(provider._role_fetcher)
                case "container-role":
                    self._bound(provider._fetcher)
                case "assume-role":
                    _replace(provider, "_prompter", _nobody_to_ask)
                    # of profiles that it takes for its source
                    self._bound_processes(provider._profile_provider_builder)
                case "custom-process":
                    _replace(provider, "_popen", self._popen)

    def _bound(self, fetcher: Any) -> None:
        fetcher._session = BoundedHttp(fetcher._session, self.trust)

    def _bound_processes(self, builder: Any) -> None:
        made = builder._create_process_provider

        def bounded(profile_name: str) -> Any:
            provider = made(profile_name)
            _replace(provider, "_popen", self._popen)
            return provider

        _replace(builder, "_create_process_provider", bounded)


def _replace(owner: Any, name: str, value: Callable[..., Any]) -> None:
    """Raises AttributeError where this botocore has no such name."""
    getattr(owner, name)
    setattr(owner, name, value)


def _nobody_to_ask(*_: Any) -> str:
    raise MfaRequired
