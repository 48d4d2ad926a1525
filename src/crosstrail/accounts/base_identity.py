"""What crosstrail asks of AWS with its own identity to learn which accounts exist; never with an account's credentials.

Imports botocore, so nothing imports this module before an organization or a secret is asked for. Blocking.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from crosstrail.accounts.aws_errors import Asked, translated

_DEFAULT_REGION = "us-east-1"
_CONFIG = Config(connect_timeout=5, read_timeout=15, retries={"mode": "standard", "total_max_attempts": 4})


class BaseIdentity:
    """The ambient AWS identity: environment, AWS_PROFILE, container or instance role."""

    def __init__(self) -> None:
        self._session = botocore.session.get_session()
        self.region = str(self._session.get_config_variable("region") or _DEFAULT_REGION)

    def client(self, service: str) -> Any:
        """A client of botocore's; use it inside `asking`."""
        return self._session.create_client(service, region_name=self.region, config=_CONFIG)

    @contextmanager
    def asking(self, action: str) -> Iterator[None]:
        """Turn botocore's errors into CrosstrailError; `action` as IAM writes it."""
        try:
            yield
        except (BotoCoreError, ClientError) as error:
            asked = Asked("of the base identity", self.region, action, "Renew the machine's own AWS credentials.")
            said = translated(error, asked)
            if said is None:
                raise
            raise said from None


def secret_text(name: str) -> str:
    """The text of a secret of AWS Secrets Manager, by its name or ARN. Raises CrosstrailError."""
    base = BaseIdentity()
    with base.asking("secretsmanager:GetSecretValue"):
        answer = base.client("secretsmanager").get_secret_value(SecretId=name)
    return str(answer.get("SecretString", ""))
