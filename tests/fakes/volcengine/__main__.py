"""The fake as a process of its own: prints one line of JSON (url, a base key, accounts as crosstrail.yaml has them), then
serves until its standard input ends."""

from __future__ import annotations

import argparse
import json
import sys
import time
from datetime import UTC, datetime

from . import FakeVolcengine, World

BASE_ACCOUNT = "2199999999"


def populate(world: World, *, accounts: int, events: int) -> list[dict[str, object]]:
    """Accounts 2100000000 onward, each with keys of its own; `events` in each, a minute apart from now backwards."""
    world.add_key(BASE_ACCOUNT)
    listed: list[dict[str, object]] = []
    now = time.time()
    for number in range(accounts):
        account = world.account(str(2_100_000_000 + number))
        for minute in range(events):
            account.log("GetUser", datetime.fromtimestamp(now - 60 * (minute + 1), UTC), read_only=True)
        key = world.add_key(account.id)
        auth = {"type": "keys", "access_key_id": key.id, "secret_access_key": key.secret}
        listed.append({"id": account.id, "alias": f"cn-{number}", "cloud": "volcengine", "auth": auth})
    return listed


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m fakes.volcengine", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--accounts", type=int, default=50)
    parser.add_argument("--events", type=int, default=50, help="in each account")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before every answer")
    options = parser.parse_args()
    world = World()
    listed = populate(world, accounts=options.accounts, events=options.events)
    world.delay = options.delay
    base = next(key for key in world.keys.values() if key.account == BASE_ACCOUNT)
    with FakeVolcengine(world, options.port) as volcengine:
        identity = {"access_key_id": base.id, "secret_access_key": base.secret}
        print(json.dumps({"url": volcengine.url, "base": identity, "accounts": listed}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
