"""What digests prove while it is collected: its rows, its days, and the lookups of live accounts that the lake then answers."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

import preloaded
from history_workspace import HistoryWorkspace, history_workspace
from live_aws import DEV, PROD
from moto_server import Moto
from signed_trail import BUCKET, HOUR, Chain, SignedTrail, event, signed_trail, signing_key, write_folder

REGION = "us-east-1"
HOURS = 54
"""Any so many hold a whole day."""


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moto: Moto) -> Iterator[HistoryWorkspace]:
    with history_workspace(tmp_path, monkeypatch) as found:
        yield found


def recent_trail(now: datetime) -> tuple[SignedTrail, list[dict[str, Any]]]:
    """A trail of one region that ends two hours ago, with a log file an hour; and its events, oldest first."""
    trail = SignedTrail()
    signer = signing_key("recent", now - 100 * HOUR, now + 100 * HOUR)
    chain = trail.chains[PROD, REGION] = Chain(trail, PROD, REGION, signer=signer)
    records = []
    for hour in range(HOURS):
        start = now - (HOURS + 2 - hour) * HOUR
        records.append(event(PROD, REGION, start + timedelta(minutes=10), hour, userAgent="aws-cli/2.31"))
        log = chain.log(start + timedelta(minutes=12), records[-1:])
        chain.digest(start, start + HOUR, [log], first=hour == 0)
    return trail, records


def looked_up(live: HistoryWorkspace, *arguments: str) -> tuple[list[str], str, list[tuple[datetime, datetime]]]:
    """The ids of the events found, what is said of them, and the spans that the account itself was asked for."""
    asked = len(live.lookups())
    done = preloaded.run(
        "lookup", "--config", live.write(), "--account", "prod", "--limit", "500", "--json", *arguments
    )
    assert done.returncode == 0, done.stderr
    found = [json.loads(line)["event"]["eventID"] for line in done.stdout.splitlines()]
    spans = [(one.params["StartTime"], one.params.get("EndTime", time.time())) for one in live.lookups(since=asked)]
    moments = [(datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC)) for start, end in spans]
    return found, done.stderr, sorted(moments)


def rows(live: HistoryWorkspace) -> dict[str, tuple[bool | None, str]]:
    found = live.rows("SELECT eventid, verified, source_object FROM events")
    return {row["eventid"]: (row["verified"], row["source_object"]) for row in found}


def test_the_lake_answers_for_what_digests_prove_and_the_account_for_the_rest(
    live: HistoryWorkspace, moto: Moto, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    trail, records = recent_trail(now)
    chain = trail.chains[PROD, REGION]
    late = chain.logs[40]
    moto.bucket(BUCKET)
    for key, stored in trail.objects.items():
        if key != late:
            moto.s3.put_object(Bucket=BUCKET, Key=key, Body=stored.body, Metadata=dict(stored.metadata))
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", moto.url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    assert chain.signer
    live.keys_account(PROD, "prod", region=REGION, regions=[REGION])
    own = live.world.account(PROD)
    own.public_keys[REGION] = [chain.signer.listed()]
    for record in records:
        own.log(record["eventName"], datetime.fromisoformat(record["eventTime"]), record=record)
    live.collect("--account", "prod", "--since", "30h", "--until", "20h")
    before = rows(live)
    assert before
    assert {verified for verified, _ in before.values()} == {None}

    done = preloaded.run("collect", f"s3://{BUCKET}", "--verify", "--json", "--config", live.write())
    report = json.loads(done.stdout)
    assert (report["objects_verified"], report["known"], report["conflicting"]) == (HOURS - 1, len(before), 0)
    after = rows(live)
    assert len(after) == HOURS - 1
    assert {verified for verified, _ in after.values()} == {True}  # of those that came from the API first as well
    assert {source for _, source in after.values()} == {log for log in chain.logs if log != late}

    newest_first = [record["eventID"] for record in reversed(records)]
    begin = now - (HOURS + 2) * HOUR
    found, said, asked = looked_up(live, "--since", f"{begin - HOUR:%Y-%m-%dT%H:%M:%SZ}")
    assert found == newest_first
    assert "From the lake, proved by digests, as far as the trail logs: " in said
    assert "From the lake, collected from LookupEvents: " in said
    assert f"Read from the lake: verified all of {HOURS - 1} events." in said
    hole = begin + 40 * HOUR
    assert len(asked) == 3
    assert asked[0][1] < begin
    assert asked[1][0] == hole - HOUR  # what happened then may have been delivered in the hour that is not held whole
    assert timedelta(0) < hole + HOUR - asked[1][1] < timedelta(seconds=2)
    assert asked[2][0] >= now - 3 * HOUR
    coverage = preloaded.run("coverage", "--config", live.write(), "--json")
    [region] = [one for one in map(json.loads, coverage.stdout.splitlines()) if one.get("region") == REGION]
    assert "not collected" in next(one["reason"] for one in region["runs"] if one["first"] == f"{hole:%Y-%m-%d}")

    moto.s3.put_object(Bucket=BUCKET, Key=late, Body=trail.objects[late].body)
    own.events.clear()  # only the lake has them now
    done = preloaded.run("collect", f"s3://{BUCKET}", "--verify", "--json", "--config", live.write())
    assert json.loads(done.stdout)["objects_verified"] == 1
    until = now - 3 * HOUR - timedelta(seconds=1)
    between = (f"{begin:%Y-%m-%dT%H:%M:%SZ}", f"{until:%Y-%m-%dT%H:%M:%SZ}")
    found, said, asked = looked_up(live, "--since", between[0], "--until", between[1])
    assert (found, asked) == (newest_first[1:], [])
    coverage = preloaded.run("coverage", "--config", live.write(), "--json")
    [region] = [one for one in map(json.loads, coverage.stdout.splitlines()) if one.get("region") == REGION]
    assert any(one["state"] == "proved" for one in region["runs"])


def test_what_was_collected_before_gets_its_proof_and_others_accounts_get_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    trail = signed_trail(accounts=[PROD, DEV], regions=[REGION])
    write_folder(trail, tmp_path / "logs")
    keys = str(trail.key_file(tmp_path / "keys.json", trail.newest()))
    accounts: list[dict[str, Any]] = [{"id": PROD, "archive": "logs"}]
    config = tmp_path / "crosstrail.yaml"
    config.write_text(yaml.safe_dump({"accounts": accounts, "lake": {"path": "lake"}}))
    plain = json.loads(preloaded.run("collect", "--config", config, "--json").stdout)
    verified = json.loads(preloaded.run("collect", "--config", config, "--verify", "--keys", keys, "--json").stdout)
    assert (verified["new"], verified["known"]) == (0, plain["new"])
    status = json.loads(preloaded.run("lake", "status", "--config", config, "--json").stdout)
    assert status["verified"] == {"valid": plain["new"], "failed": 0, "untried": 0}
    again = json.loads(preloaded.run("collect", "--config", config, "--verify", "--keys", keys, "--json").stdout)
    assert (again["objects_read"], again["objects_verified"]) == (0, 0)
    accounts.append({"id": DEV})
    config.write_text(yaml.safe_dump({"accounts": accounts, "lake": {"path": "lake"}}))
    done = preloaded.run("coverage", "--config", config, "--json", "--since", "2026-03-01", "--until", "2026-03-03")
    states = {one["account"]: one["days"] for one in map(json.loads, done.stdout.splitlines()) if "account" in one}
    assert states[PROD]["proved"] == 1
    assert states.get(DEV, {"proved": 0})["proved"] == 0  # the archive does not speak for it: its events stayed out
    assert re.search(rf"\b{DEV}\b", done.stdout)
