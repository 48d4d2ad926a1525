"""Sigma rules of the tests' own, and a workspace of log files with what they find."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from lake_workspace import DEV, NOON, PROD, record

STOPPED = "4db60cc0-36fb-42b7-9b58-a5b53019fb74"
MADE_USER = "5e1f5c1e-2d3a-4d0e-9a44-0d7e3a6b1c01"
DENIED = "6e1f5c1e-2d3a-4d0e-9a44-0d7e3a6b1c02"
BURST = "7e1f5c1e-2d3a-4d0e-9a44-0d7e3a6b1c03"
_RULE = """\
title: {title}
id: {id}
status: test
description: A rule of the tests.
references: ["https://example.com/{id}"]
author: {author}
license: DRL-1.1
date: 2026-01-01
tags: [attack.defense-impairment, attack.t1562.008]
logsource: {{product: aws, service: cloudtrail}}
detection:
  selection: {{eventName: [{names}]}}
  condition: selection
level: {level}
"""
CONFIG = f"""\
accounts:
  - {{id: "{PROD}", alias: prod, archive: logs}}
  - {{id: "{DEV}", alias: dev, archive: logs}}
lake: {{path: lake}}
detect: {{rules: rules, packaged: false}}
"""


def write_rule(folder: Path, name: str, **more: str) -> Path:
    """`more`: title, id, author, names, level."""
    values = {"title": "Trail stopped", "id": STOPPED, "author": "A. Writer", "names": "StopLogging, DeleteTrail"}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(_RULE.format(**{**values, "level": "high", **more}))
    return path


def write_rules(folder: Path) -> None:
    write_rule(folder, "stopped.yml")
    write_rule(folder, "made_user.yml", title="User made", id=MADE_USER, names="CreateUser", level="medium")


def write_correlation(folder: Path) -> None:
    """Three failures of one user within ten minutes."""
    write_rule(folder, "denied.yml", title="Denied", id=DENIED, names="GetObject", level="informational")
    (folder / "burst.yml").write_text(
        f"""title: Burst of denials
id: {BURST}
status: test
author: A. Writer
license: DRL-1.1
correlation:
  type: event_count
  rules: [{DENIED}]
  group-by: [userIdentity.userName]
  timespan: 10m
  condition: {{gte: 3}}
level: high
"""
    )


def event(number: int, name: str, account: str = PROD, user: str = "alice", **more: Any) -> dict[str, Any]:
    """A record whose id ends in `number`."""
    identity = {
        "type": "IAMUser",
        "principalId": "AIDAEXAMPLE",
        "arn": f"arn:aws:iam::{account}:user/{user}",
        "accountId": account,
        "userName": user,
    }
    at: datetime = more.pop("at", NOON + timedelta(minutes=number))
    return record(account, number, at, eventName=name, userIdentity=identity, **more)


def write_file(folder: Path, name: str, records: Iterable[Mapping[str, Any]]) -> Path:
    """A log file of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json.gz"
    path.write_bytes(gzip.compress(json.dumps({"Records": list(records)}).encode(), mtime=0))
    return path


def objects(text: str) -> Sequence[dict[str, Any]]:
    """The lines of JSON."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]
