"""A fake cloud as a process of its own: what it is told, what it says of itself, when it ends."""

from __future__ import annotations

import argparse
import json
import sys
import time
from datetime import UTC, datetime
from typing import Any

from .cloud import CloudFake, Key


def options(module: str, about: str | None) -> argparse.ArgumentParser:
    """What every fake that runs as a process of its own is told."""
    parser = argparse.ArgumentParser(prog=f"PYTHONPATH=tests python -m {module}", description=about)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--accounts", type=int, default=50)
    parser.add_argument("--events", type=int, default=50, help="in each account, and region where there are several")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before every answer")
    return parser


def serve(fake: CloudFake[Any], base: Key, listed: list[dict[str, object]]) -> None:
    """Prints one line of JSON (url, base identity, accounts as crosstrail.yaml has them), then serves until stdin ends."""
    with fake:
        identity = {"access_key_id": base.id, "secret_access_key": base.secret}
        print(json.dumps({"url": fake.url, "base": identity, "accounts": listed}), flush=True)
        sys.stdin.read()


def minutes_ago(count: int) -> list[datetime]:
    """One minute ago, two, and so on."""
    now = time.time()
    return [datetime.fromtimestamp(now - 60 * (minute + 1), UTC) for minute in range(count)]
