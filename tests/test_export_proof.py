"""Exports from end to end: live records of every cloud, and records that digests prove; each checked afterwards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import preloaded
from cloud_histories import alibaba, volcengine
from signed_trail import write_folder
from test_collect_verified import tampered


def _manifest(data: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(f"{data}.manifest.json").read_text())
    return found


def _sources(data: Path) -> dict[str, bool | None]:
    rows = [json.loads(line) for line in Path(f"{data}.sources.jsonl").read_text().splitlines()]
    return {row["object"]: row["verified"] for row in rows}


def _check(data: Path) -> int:
    return preloaded.run("export", "--check", f"{data}.manifest.json").returncode


@pytest.mark.parametrize("cloud", [volcengine, alibaba])
def test_live_records_of_other_clouds_are_exported_and_checked(cloud: Any, tmp_path: Path) -> None:
    data, config = tmp_path / "live.jsonl", tmp_path / "crosstrail.yaml"
    with cloud() as (settings, account, log, _):
        ids = {log(60 + 7 * number, number) for number in range(60)}
        config.write_text(yaml.safe_dump({**settings, "lake": {"path": str(tmp_path / "no-lake")}}))
        done = preloaded.run("export", "--account", "prod", "--since", "2d", "-o", data, "--config", config)
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in data.read_text().splitlines()]
    assert {one.get("eventId") or one["EventID"] for one in records} == ids
    said = _manifest(data)
    assert (said["complete"], said["reserialized"]) == (True, 60)  # these clouds give objects, and no text of them
    assert said["verified"] == {"verified": 0, "failed": 0, "unverified": 60}
    assert [(one["cloud"], one["id"]) for one in said["scope"]["accounts"]] == [(cloud.__name__, account)]
    assert _check(data) == 0
    data.write_text(data.read_text().replace("ListUsers", "ListRoles", 1))
    assert _check(data) == 1


def test_the_manifest_says_what_digests_prove(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    trail, changed, inserted = tampered()
    write_folder(trail, tmp_path / "logs")
    keys = trail.key_file(tmp_path / "keys.json", trail.newest())
    collected = preloaded.run(
        "collect", "logs", "--lake", "lake", "--verify", "--keys", keys, "--keep-failed", "--json"
    )
    assert collected.returncode == 3, collected.stderr
    data = tmp_path / "proved.jsonl"
    exported = preloaded.run("export", "SELECT eventid FROM events", "-o", data, "--lake", "lake")
    assert exported.returncode == 0, exported.stderr
    said, found = _manifest(data), _sources(data)
    assert found.pop(changed) is False
    assert found.pop(inserted) is False
    assert set(found.values()) == {True}
    assert set(found) == {key for key in trail.objects if "/CloudTrail/" in key} - {changed, inserted}
    proved = said["records"] - said["verified"]["failed"]
    assert said["verified"] == {"verified": proved, "failed": 2, "unverified": 0}
    assert _check(data) == 0
