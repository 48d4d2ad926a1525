"""The fake as a process of its own: prints one line of JSON (url, base identity, accounts as crosstrail.yaml has them),
then serves until its standard input ends."""

from __future__ import annotations

import argparse
import json
import sys
import time
from datetime import UTC, datetime

from . import FakeAws, World

BASE_ACCOUNT = "999999999999"


def populate(world: World, *, accounts: int, events: int, regions: list[str]) -> list[dict[str, object]]:
    """Accounts 100000000000 onward, every second one with a role, the others with keys; `events` in each region, a
    minute apart from now backwards. Gives them as crosstrail.yaml lists them."""
    base = world.add_key(BASE_ACCOUNT)
    listed: list[dict[str, object]] = []
    now = time.time()
    for number in range(accounts):
        account_id = str(100_000_000_000 + number)
        account = world.account(account_id)
        for region in regions:
            for minute in range(events):
                when = datetime.fromtimestamp(now - 60 * (minute + 1), UTC)
                account.log("DescribeInstances", when, region=region, source="ec2.amazonaws.com", read_only=True)
        if number % 2:
            key = world.add_key(account_id)
            auth = {"type": "keys", "access_key_id": key.id, "secret_access_key": key.secret}
        else:
            role = world.add_role(account_id, trusts=base, external_id=f"ext-{number}")
            auth = {"type": "role", "role_arn": role.arn, "external_id": role.external_id}
        listed.append({"id": account_id, "alias": f"acct-{number}", "region": regions[0], "auth": auth})
    return listed


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.aws", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--accounts", type=int, default=50)
    parser.add_argument("--events", type=int, default=50, help="in each account and region")
    parser.add_argument("--regions", default="us-east-1", help="comma-separated")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before every answer")
    parser.add_argument("--lookup-rate", type=float, default=0.0, help="LookupEvents a second per account and region")
    options = parser.parse_args()
    world = World()
    listed = populate(world, accounts=options.accounts, events=options.events, regions=options.regions.split(","))
    world.delay, world.lookup_rate = options.delay, options.lookup_rate
    base = next(key for key in world.keys.values() if key.account == BASE_ACCOUNT)
    with FakeAws(world, options.port) as aws:
        identity = {"access_key_id": base.id, "secret_access_key": base.secret}
        print(json.dumps({"url": aws.url, "base": identity, "accounts": listed}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
