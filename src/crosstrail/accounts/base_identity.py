"""What crosstrail asks of AWS with its own identity to learn which accounts exist; never with an account's credentials.

Imports botocore, so nothing imports this module before an organization or a secret is asked for. Blocking.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import botocore.session
from botocore.config import Config

from crosstrail.accounts.asked import Asked
from crosstrail.accounts.aws_errors import mapped

_DEFAULT_REGION = "us-east-1"
_CONFIG = Config(connect_timeout=5, read_timeout=15, retries={"mode": "standard", "total_max_attempts": 4})


class BaseIdentity:
    """The ambient AWS identity: environment, AWS_PROFILE, container or instance role."""

    def __init__(self, region: str = "") -> None:
        """An empty region is the one of botocore's configuration."""
        self._session = botocore.session.get_session()
        self._region = region or str(self._session.get_config_variable("region") or _DEFAULT_REGION)

    def client(self, service: str) -> Any:
        """A client of botocore's; make and use it inside `asking`."""
        return self._session.create_client(service, region_name=self._region, config=_CONFIG)

    def asking(self, action: str) -> AbstractContextManager[None]:
        """Turn botocore's errors into CrosstrailError; `action` as IAM writes it."""
        return mapped(Asked("of the base identity", self._region, action, "Renew this machine's own AWS credentials."))


def secret_text(name: str, region: str = "") -> str:
    """The text of a secret of AWS Secrets Manager; an ARN brings its own region. Raises CrosstrailError."""
    parts = name.split(":")
    base = BaseIdentity(parts[3] if name.startswith("arn:") and len(parts) > 3 else region)
    with base.asking("secretsmanager:GetSecretValue"):
        answer = base.client("secretsmanager").get_secret_value(SecretId=name)
    return str(answer.get("SecretString", ""))
