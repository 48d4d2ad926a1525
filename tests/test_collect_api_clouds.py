"""`crosstrail collect --api` from the histories of Volcengine and Alibaba Cloud, as from those of AWS."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

import preloaded
from fakes.alibaba import FakeAlibaba
from fakes.volcengine import FakeVolcengine
from history_workspace import windows
from listed_accounts import moment
from live_alibaba import HZ_DEV, HZ_PROD
from live_volcengine import CN_DEV, CN_PROD

Log = Callable[[int, int], str]
"""(minutes ago, number of the event) -> its id."""


@contextmanager
def volcengine() -> Iterator[tuple[dict[str, Any], str, Log, list[Any]]]:
    with FakeVolcengine() as fake:
        account = fake.world.account(CN_PROD)
        listed = {"id": CN_PROD, "alias": "prod", "cloud": "volcengine", "auth": fake.world.add_key(CN_PROD).auth}

        def log(minutes: int, number: int) -> str:
            caller = {"UserIdentity": {"AccountID": CN_DEV if number % 10 == 3 else CN_PROD, "Type": "IAMUser"}}
            return account.log("ListUsers", moment(timedelta(minutes=minutes)), detail=caller)

        yield {"accounts": [listed], "volcengine": {"endpoint": fake.url}}, CN_PROD, log, fake.world.requests


@contextmanager
def alibaba() -> Iterator[tuple[dict[str, Any], str, Log, list[Any]]]:
    with FakeAlibaba() as fake:
        account = fake.world.account(HZ_PROD)
        auth = fake.world.add_key(HZ_PROD).auth
        listed = {"id": HZ_PROD, "alias": "prod", "cloud": "alibaba", "regions": ["cn-hangzhou"], "auth": auth}

        def log(minutes: int, number: int) -> str:
            identity: dict[str, Any] = (
                {"userIdentity": {"accountId": HZ_DEV, "type": "ram-user"}} if number % 10 == 3 else {}
            )
            return account.log("ListUsers", moment(timedelta(minutes=minutes)), **identity)

        yield {"accounts": [listed], "alibaba": {"endpoint": fake.url}}, HZ_PROD, log, fake.world.requests


@pytest.mark.parametrize("cloud", [volcengine, alibaba])
def test_a_clouds_history_goes_in_once_under_the_account_that_was_asked(cloud: Any, tmp_path: Path) -> None:
    with cloud() as (settings, account, log, requests):
        ids = {log(60 + 7 * number, number) for number in range(130)}
        config = tmp_path / "crosstrail.yaml"
        config.write_text(yaml.safe_dump({**settings, "lake": {"path": str(tmp_path / "lake")}}))

        def collected() -> dict[str, Any]:
            done = preloaded.run("collect", "--api", "--account", "prod", "--config", config, "--json")
            assert done.returncode == 0, done.stderr
            report: dict[str, Any] = json.loads(done.stdout)
            return report

        assert collected()["collection"]["new"] == 130
        done = preloaded.run(
            "query",
            "SELECT account, eventid, source_object FROM events",
            "--config",
            config,
            "--format",
            "json",
            "--limit",
            "500",
        )
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        assert {row["eventid"] for row in rows} == ids
        assert {row["account"] for row in rows} == {account}
        assert all(row["source_object"].startswith("lookup-events://") for row in rows)
        [(_, region, _, _)] = windows(tmp_path / "lake")
        assert region == "".join(
            settings["accounts"][0].get("regions", ())
        )  # Volcengine's history holds every region's
        asked = len(requests)
        again = collected()["collection"]
        assert (again["new"], again["conflicting"]) == (0, 0)
        assert len([one for one in requests[asked:] if one.action == "LookupEvents"]) == 1
        found = preloaded.run("lookup", "--account", "prod", "--limit", "200", "--config", config, "--json")
        assert found.returncode == 0, found.stderr
        assert "From the lake, collected from LookupEvents" in found.stderr
        assert len(found.stdout.splitlines()) == 130
