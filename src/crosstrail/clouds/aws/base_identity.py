"""What crosstrail asks of AWS with its own identity to learn which accounts exist; never with an account's credentials.

Imports botocore, so nothing imports this module before an organization or a secret is asked for. Blocking.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from botocore.config import Config

from crosstrail.accounts.request_info import RequestInfo
from crosstrail.clouds.aws.errors import mapped
from crosstrail.clouds.aws.profile_credentials import Profile, remediation_of
from crosstrail.clouds.aws.session import BoundedSession

_DEFAULT_REGION = "us-east-1"
_REMEDIATION = "Set or renew this machine's own AWS credentials."
_CONFIG = Config(connect_timeout=5, read_timeout=15, retries={"mode": "standard", "total_max_attempts": 4})


class BaseIdentity:
    """The ambient AWS identity (environment, AWS_PROFILE, container or instance role), or that of a profile."""

    def __init__(self, region: str = "", profile: str = "") -> None:
        """An empty region is the one of botocore's configuration. Raises CrosstrailError where that cannot be read."""
        self._session = BoundedSession(profile=profile or None)
        self._remediation = _REMEDIATION
        with mapped(self._asked(region or _DEFAULT_REGION, "")):  # AWS_PROFILE may name a profile that is not there
            self._remediation = remediation_of(self._session) or _REMEDIATION
            self.region = region or str(self._session.get_config_variable("region") or _DEFAULT_REGION)
        self._identity = Profile(profile, region=self.region)

    @contextmanager
    def client(self, service: str, action: str) -> Iterator[Any]:
        """A client of botocore's for one use; `action`, as IAM writes it, is what errors say was asked.

        botocore's errors become CrosstrailError inside the block. Raises CredentialsError where the identity has none.
        """
        keys = self._identity.read()
        asked = self._asked(self.region, action)
        with mapped(asked), closing(self._session.client_of(keys, service, self.region, _CONFIG)) as client:
            yield client

    def _asked(self, region: str, action: str) -> RequestInfo:
        return RequestInfo("of the base identity", region, action, self._remediation)


def secret_text(name: str, region: str = "") -> str:
    """The text of a secret of AWS Secrets Manager; an ARN brings its own region. Raises CrosstrailError."""
    parts = name.split(":")
    base = BaseIdentity(parts[3] if name.startswith("arn:") and len(parts) > 3 else region)
    with base.client("secretsmanager", "secretsmanager:GetSecretValue") as client:
        answer = client.get_secret_value(SecretId=name)
    return str(answer.get("SecretString", ""))
