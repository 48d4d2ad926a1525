"""The clouds of compose.yaml: the fakes of crosstrail's own tests, with three accounts, which it lists in the database.

Decides the accounts and a few events of theirs. Everything in it is made up; it must never be given real credentials.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from urllib.parse import urlsplit

from fakes.aws import FakeAws
from fakes.aws import World as AwsWorld
from fakes.volcengine import FakeVolcengine
from fakes.volcengine import World as VolcengineWorld

_AWS = {"111111111111": "prod", "222222222222": "dev"}
_VOLCENGINE = {"2100000001": "cn-prod"}
_EVENTS = 60


def main() -> None:
    """Serves until it is told to stop."""
    aws, volcengine, now, rows = AwsWorld(), VolcengineWorld(), time.time(), []
    times = [datetime.fromtimestamp(now - 60 * minute, UTC) for minute in range(1, _EVENTS + 1)]
    for number, alias in _AWS.items():
        for when in times:
            aws.account(number).log("DescribeInstances", when, source="ec2.amazonaws.com", read_only=True)
        key = aws.add_key(number)
        rows.append(_row("aws", number, alias, "us-east-1", key.id, key.secret))
    for number, alias in _VOLCENGINE.items():
        account = volcengine.account(number)
        for when in times:
            account.log("GetUser", when, read_only=True)
        found = volcengine.add_key(number)
        rows.append(_row("volcengine", number, alias, "cn-beijing", found.id, found.secret))
    with FakeAws(aws, _port("AWS_ENDPOINT_URL")), FakeVolcengine(volcengine, _port("VOLCENGINE_ENDPOINT")):
        command = [sys.executable, "-m", "crosstrail", "accounts", "import", "-"]
        subprocess.run(command, input="\n".join(map(json.dumps, rows)), text=True, check=True)
        signal.sigwait({signal.SIGTERM, signal.SIGINT})


def _row(cloud: str, number: str, alias: str, region: str, key: str, secret: str) -> dict[str, str]:
    named = {"cloud": cloud, "account_id": number, "alias": alias, "region": region}
    return {**named, "auth_type": "aksk", "access_key_id": key, "secret_access_key": secret}


def _port(variable: str) -> int:
    return urlsplit(os.environ[variable]).port or 0


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    main()
