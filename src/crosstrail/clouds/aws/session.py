"""Sessions of botocore as all of crosstrail uses them: their clients and sources of credentials are bounded.

Decides what botocore is not left to decide: how long anybody is waited for, how much is read, and whose certificates are
trusted. botocore has no public place for that: the names with an underscore are its own, and where a release has others this
fails instead of going without bounds. Imports botocore.
"""

from __future__ import annotations

from typing import Any

import botocore.session

from crosstrail.clouds.aws.bounds import BoundedHttp
from crosstrail.trust import CertificatePlace, TrustStore, trusted


class BoundedSession(botocore.session.Session):  # type: ignore[misc]
    """A session of one profile, or of the machine's own configuration."""

    @property
    def trust(self) -> TrustStore:
        """AWS_CA_BUNDLE or the profile's ca_bundle, else what all connections trust."""
        bundle = self.get_config_variable("ca_bundle")
        if not bundle:
            return trusted()
        of_profile = self.get_scoped_config().get("ca_bundle") == bundle
        return TrustStore(
            (CertificatePlace(bundle, "ca_bundle of the AWS config file" if of_profile else "AWS_CA_BUNDLE"),)
        )

    def create_client(self, *arguments: Any, **options: Any) -> Any:
        client = super().create_client(*arguments, **options)
        client._endpoint.http_session = BoundedHttp(client._endpoint.http_session, self.trust)
        return client

    def get_credentials(self) -> Any:
        for provider in self.get_component("credential_provider").providers:
            if provider.METHOD == "iam-role":
                self._bound(provider._role_fetcher)
            elif provider.METHOD == "container-role":
                self._bound(provider._fetcher)
        return super().get_credentials()

    def _bound(self, fetcher: Any) -> None:
        if not isinstance(fetcher._session, BoundedHttp):
            fetcher._session = BoundedHttp(fetcher._session, self.trust)
