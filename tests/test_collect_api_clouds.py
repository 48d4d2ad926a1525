"""`crosstrail collect --api` from the histories of Volcengine and Alibaba Cloud, as from those of AWS."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import preloaded
from cloud_histories import alibaba, volcengine
from history_workspace import windows


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
        rows = json.loads(done.stdout)
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
