"""`crosstrail collect --verify`: rows say whether their log file is what a signed digest names, and what fails stays out."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

import preloaded
from fakes.aws import FakeAws
from live_aws import BASE, base_identity
from moto_server import Moto
from signed_trail import BUCKET, SignedTrail, Stored, event, packed, region_keys, signed_trail, write_folder
from tampering import delete_a_digest

ACCOUNT, REGION = "111111111111", "us-east-1"


def tampered() -> tuple[SignedTrail, str, str]:
    """A trail of a day in which one log file was changed and one inserted: their keys."""
    trail = signed_trail(accounts=[ACCOUNT], regions=[REGION], hours=24)
    chain = trail.chains[ACCOUNT, REGION]
    changed, near = chain.logs[7], chain.logs[9]
    trail.objects[changed] = Stored(packed({"Records": [event(ACCOUNT, REGION, _time(changed), 77)]}))
    inserted = f"{near[:-24]}insertedinserted.json.gz"
    trail.objects[inserted] = Stored(packed({"Records": [event(ACCOUNT, REGION, _time(near), 78)]}))
    return trail, changed, inserted


def _time(key: str) -> Any:
    from crosstrail.clouds.aws.integrity.names import log_time

    return log_time(key)


def collected(place: str, *options: str) -> tuple[int, dict[str, Any]]:
    done = preloaded.run("collect", place, "--lake", "lake", "--verify", "--json", *options)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def verdicts() -> dict[str, bool | None]:
    """Source object -> what its rows say, after the lake was asked."""
    sql = "SELECT source_object, verified, count(*) AS n FROM events GROUP BY 1, 2"
    done = preloaded.run("query", sql, "--lake", "lake", "--format", "json", "--limit", "1000")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    return {row["source_object"]: row["verified"] for row in rows}


def test_what_fails_stays_out_and_the_rest_is_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    trail, changed, inserted = tampered()
    write_folder(trail, tmp_path / "logs")
    keys = str(trail.key_file(tmp_path / "keys.json", trail.newest()))
    status, report = collected("logs", "--keys", keys)
    assert status == 3
    logs = {key for key in trail.objects if "/CloudTrail/" in key}
    assert (report["objects_verified"], report["objects_unverified"], report["objects_not_genuine"]) == (
        len(logs) - 2,
        0,
        2,
    )
    assert {one["path"].removeprefix(f"{tmp_path}/logs/") for one in report["problems"]} >= {changed, inserted}
    assert verdicts() == dict.fromkeys(logs - {changed, inserted}, True)
    status, report = collected("logs", "--keys", keys, "--keep-failed")
    assert report["new"] == 2
    events = 141 - 3 + 2
    share = f"Read from the lake: verified 98.5 % of {events} events, 2 failed."
    assert share in preloaded.run("query", "SELECT count(*) FROM events", "--lake", "lake").stderr.splitlines()
    assert share in preloaded.run("lookup", "--lake", "lake", "--limit", "500").stderr.splitlines()
    status_of_lake = json.loads(preloaded.run("lake", "status", "--lake", "lake", "--json").stdout)
    assert status_of_lake["verified"] == {"valid": events - 2, "failed": 2, "untried": 0}
    assert verdicts() == dict.fromkeys(logs - {changed, inserted}, True) | {changed: False, inserted: False}


def test_rows_that_no_proved_digest_speaks_of_are_unverified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    trail = signed_trail(accounts=[ACCOUNT], regions=[REGION], hours=24)
    chain = trail.chains[ACCOUNT, REGION]
    delete_a_digest(trail, chain)
    write_folder(trail, tmp_path / "logs")
    keys = str(trail.key_file(tmp_path / "keys.json"))  # without signatures the newest digest is not proved either
    status, report = collected("logs", "--keys", keys)
    assert status == 3
    found = verdicts()
    unverified = {key for key, verdict in found.items() if verdict is None}
    assert len(found) == len(chain.logs) + 3
    assert report["objects_unverified"] == len(unverified)
    assert set(chain.logs[38:40]) <= unverified  # of the digest that is gone; the one before it had its signature in it
    assert False not in found.values()
    assert any("deleted" in one["reason"] for one in report["problems"])


def test_a_bucket_is_verified_while_it_is_collected(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    trail, changed, inserted = tampered()
    moto.s3.create_bucket(Bucket=BUCKET)
    for key, stored in trail.objects.items():
        moto.s3.put_object(Bucket=BUCKET, Key=key, Body=stored.body, Metadata=dict(stored.metadata))
    with FakeAws() as fake:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", moto.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL", fake.url)
        monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
        base_identity(fake.world, monkeypatch)
        fake.world.account(BASE).public_keys[REGION] = [key.listed() for key in region_keys(REGION)]
        status, report = collected(f"s3://{BUCKET}")
    logs = {key for key in trail.objects if "/CloudTrail/" in key}
    assert (status, report["objects_verified"], report["objects_not_genuine"]) == (3, len(logs) - 2, 2)
    found = {key.removeprefix(f"s3://{BUCKET}/"): verdict for key, verdict in verdicts().items()}
    assert found == dict.fromkeys(logs - {changed, inserted}, True)


def test_the_command_of_the_documentation_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    trail = signed_trail(accounts=[ACCOUNT], regions=[REGION])
    write_folder(trail, tmp_path / "logs")
    trail.key_file(tmp_path / "keys.json", trail.newest())
    page = (Path(__file__).parents[1] / "docs" / "integrity.md").read_text()
    [command] = [line for line in page.splitlines() if line.startswith("crosstrail collect")]
    done = preloaded.run(*shlex.split(command)[1:], "--lake", "lake")
    assert "97 verified, 0 unverified, 0 failed verification" in done.stdout
    assert "missing: the newest digests" in done.stderr  # of now: this trail ended long ago
    covered = preloaded.run("coverage", "--lake", "lake", "--json", "--since", "2026-03-01", "--until", "2026-03-03")
    [region] = [one for one in map(json.loads, covered.stdout.splitlines()) if one.get("region") == REGION]
    proved = [(one["first"], one["last"]) for one in region["runs"] if one["state"] == "proved"]
    assert proved == [("2026-03-02", "2026-03-02")]


def test_its_options_go_together(tmp_path: Path) -> None:
    assert preloaded.run("collect", str(tmp_path), "--keep-failed").returncode == 2
    queue = ("--follow", "--queue", "https://sqs.us-east-1.amazonaws.com/111111111111/notes")
    done = preloaded.run("collect", "s3://some-bucket", "--verify", *queue)
    assert (done.returncode, "--verify" in done.stderr) == (2, True)
