"""`crosstrail verify` on a bucket, with public keys asked online: the tamper matrix, refusals, and AWS's own tool beside it."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import preloaded
from fakes.aws import FakeAws
from live_aws import BASE, base_identity
from moto_server import Moto
from packages import python_with
from signed_trail import (
    BUCKET,
    HOME,
    HOUR,
    REGIONS,
    START,
    TRAIL,
    Chain,
    SignedTrail,
    Stored,
    region_keys,
    signed_trail,
    write_folder,
)
from tampering import TAMPERINGS, Tamper, batches, check_blame

SPAN = ("--since", "2026-03-01T00:13:07Z", "--until", "2026-03-03T00:13:07Z")


@dataclass
class S3:
    """A bucket with a trail in it, and CloudTrail to ask for public keys."""

    moto: Moto
    fake: FakeAws

    def upload(self, trail: SignedTrail) -> None:
        self.moto.s3.create_bucket(Bucket=trail.bucket)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda one: self.put(trail, *one), trail.objects.items()))

    def put(self, trail: SignedTrail, key: str, stored: Stored) -> None:
        self.moto.s3.put_object(Bucket=trail.bucket, Key=key, Body=stored.body, Metadata=dict(stored.metadata))

    def change(self, before: SignedTrail, after: SignedTrail) -> None:
        """Only what differs is written."""
        for key in before.objects.keys() - after.objects.keys():
            self.moto.s3.delete_object(Bucket=before.bucket, Key=key)
        for key, stored in after.objects.items():
            if before.objects.get(key) is not stored:
                self.put(after, key, stored)


@pytest.fixture
def s3(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    with FakeAws() as fake:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", moto.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL", fake.url)
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        base_identity(fake.world, monkeypatch)
        for region in REGIONS:
            fake.world.account(BASE).public_keys[region] = [key.listed() for key in region_keys(region)]
        yield S3(moto, fake)


def verified(*arguments: str) -> tuple[int, list[dict[str, Any]], str]:
    done = preloaded.run("verify", *arguments, "--json")
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def test_tampering_in_a_bucket_is_found_and_named_and_nothing_else_blamed(s3: S3) -> None:
    trail = signed_trail()
    s3.upload(trail)
    status, lines, error = verified(f"s3://{BUCKET}", *SPAN)
    assert (status, error) == (0, "")
    assert lines[-1]["digests"] == {"valid": 288}
    assert lines[-1]["logs"] == {"valid": 567}
    for batch in batches(trail):
        tampered = trail.copy()
        expected = {key: verdict for tamper, chain in batch for key, verdict in tamper(tampered, chain).items()}
        s3.change(trail, tampered)
        status, lines, error = verified(f"s3://{BUCKET}", *SPAN)
        assert (status, error) == (1, "")
        named = {one["object"].removeprefix(f"s3://{BUCKET}/"): one["verdict"] for one in lines[:-1]}
        check_blame(tampered, expected, named)
        touched = {(chain.account, chain.region) for _, chain in batch}
        assert {(one["account"], one["region"]) for one in lines[:-1] if one["verdict"] != "valid"} == touched
        s3.change(tampered, trail)


def test_a_signature_that_was_changed_in_the_metadata_is_told_and_the_content_proved_by_the_next_digest(s3: S3) -> None:
    trail = small()
    [chain] = trail.chains.values()
    key = chain.keys[2]
    trail.objects[key] = Stored(trail.objects[key].body, {**trail.objects[key].metadata, "signature": "00"})
    s3.upload(trail)
    status, lines, _ = verified(f"s3://{BUCKET}", *small_span())
    assert [(one["object"], one["verdict"]) for one in lines[:-1] if one["verdict"] != "valid"] == [
        (f"s3://{BUCKET}/{key}", "modified")
    ]
    assert status == 1


def test_keys_and_newest_signatures_are_saved_for_a_copy_without_metadata(s3: S3, tmp_path: Path) -> None:
    trail = small(prefix="team", organization="o-a1b2c3d4e5")
    s3.upload(trail)
    keys = Path("keys.json")
    page = (Path(__file__).parents[1] / "docs" / "integrity.md").read_text()
    [command] = [line for line in page.splitlines() if line.startswith("crosstrail verify s3://")]
    done = preloaded.run(*shlex.split(command)[1:])
    assert done.returncode == 0, done.stdout + done.stderr
    keys.unlink()
    inside = f"s3://{BUCKET}/team/AWSLogs/o-a1b2c3d4e5/111111111111/"
    status, _, error = verified(inside, *small_span(), "--save-keys", str(keys))
    assert (status, error, keys.stat().st_mode & 0o777) == (0, "", 0o600)
    said = json.loads(keys.read_text())
    assert {one["Region"] for one in said["PublicKeyList"]} == {"us-east-1"}
    status, lines, _ = verified(str(write_folder(trail, tmp_path / "copy")), *small_span(), "--keys", str(keys))
    assert (status, lines[-1]["digests"]) == (0, {"valid": 6})


def test_what_cannot_be_read_is_named_and_the_rest_goes_on(s3: S3) -> None:
    trail = small()
    [chain] = trail.chains.values()
    s3.upload(trail)
    cold = chain.logs[3]
    body = trail.objects[cold].body
    s3.moto.s3.put_object(Bucket=BUCKET, Key=cold, Body=body, StorageClass="GLACIER")
    status, lines, _ = verified(f"s3://{BUCKET}", *small_span())
    [problem] = [one for one in lines[:-1] if one["verdict"] != "valid"]
    assert (problem["object"], problem["verdict"]) == (f"s3://{BUCKET}/{cold}", "uncovered")
    assert "archived" in problem["reason"]
    assert (status, lines[-1]["logs"]) == (1, {"uncovered": 1, "valid": 10})


def test_what_lies_outside_of_what_was_asked_is_named_and_not_read(s3: S3) -> None:
    """A log file of another bucket, and one of another prefix of this one."""
    trail = small(prefix="mine")
    [chain] = trail.chains.values()
    elsewhere = small(bucket="another-bucket")
    s3.upload(elsewhere)
    beside = chain.log(START + 6 * HOUR, [], "beside")
    trail.objects[beside.replace("mine/", "theirs/")] = trail.objects[beside]
    chain.digest(START + 6 * HOUR, START + 7 * HOUR, [beside], bucket="another-bucket", key=beside)
    chain.digest(START + 7 * HOUR, START + 8 * HOUR, [beside], key=beside.replace("mine/", "theirs/"))
    del trail.objects[beside]
    s3.upload(trail)
    status, lines, _ = verified(f"s3://{BUCKET}/mine", "--until", "2026-03-01T08:13:07Z")
    problems = {one["object"]: one["verdict"] for one in lines[:-1] if one["verdict"] != "valid"}
    theirs = beside.replace("mine/", "theirs/")
    assert problems == {f"s3://another-bucket/{beside}": "uncovered", f"s3://{BUCKET}/{theirs}": "uncovered"}
    assert status == 1


def test_a_bucket_that_is_not_there_and_keys_that_cannot_be_had(s3: S3) -> None:
    done = preloaded.run("verify", "s3://nothing-here")
    assert done.returncode == 1
    assert "nothing-here" in done.stdout + done.stderr
    s3.upload(small())
    s3.fake.world.account(BASE).public_keys.clear()
    status, lines, _ = verified(f"s3://{BUCKET}", *small_span())
    assert (status, lines[-1]["digests"]) == (1, {"forged": 6})


def small(**options: Any) -> SignedTrail:
    return signed_trail(accounts=["111111111111"], regions=["us-east-1"], hours=6, **options)


def small_span() -> tuple[str, ...]:
    return ("--since", "2026-03-01T00:13:07Z", "--until", "2026-03-01T06:13:07Z")


COMPARED: tuple[tuple[str, ...], ...] = (
    ("edit_a_log", "delete_a_log", "truncate_a_log", "append_a_byte_to_a_log", "insert_a_log"),
    ("edit_a_digest", "append_a_gzip_member_to_a_log"),
    ("delete_two_digests_in_a_row", "swap_two_logs"),
    ("move_a_digest", "move_a_log"),
    ("sign_a_digest_with_another_key", "empty_a_log"),
    ("replay_an_old_digest",),
)
UNSEEN = re.compile(r"INVALID: (not named by|no digest|named by no|not yet covered|no proved digest)")


@pytest.mark.registry
def test_awss_own_tool_says_the_same_where_it_sees_anything(s3: S3) -> None:
    """`aws cloudtrail validate-logs` of each account and region, beside one command of ours."""
    aws = python_with("awscli==1.46.3") / "aws"
    trail = signed_trail()
    clean = trail.copy()
    for names, chain in zip(COMPARED, clean.chains.values(), strict=True):
        for name in names:
            tamper: Tamper = TAMPERINGS[name]
            tamper(trail, chain)
    s3.upload(trail)
    done = preloaded.run("verify", f"s3://{BUCKET}", *SPAN, "--format", "aws", "--verbose")
    ours = {*done.stdout.splitlines(), *done.stderr.splitlines()}
    invalid = {line for line in ours if "INVALID" in line and "files INVALID" not in line}
    theirs: set[str] = set()
    for chain in clean.chains.values():
        said = _validate_logs(str(aws), chain)
        assert said.returncode == 1
        theirs |= {line for line in (said.stdout + said.stderr).splitlines() if " file\t" in line}
    assert theirs - ours == set()
    blind = {line for line in invalid - theirs if not UNSEEN.search(line)}
    second = clean.chains["222222222222", "us-east-1"].keys[20]  # of two that were deleted in a row
    stray = clean.chains["222222222222", "eu-west-1"].key(START + 21 * HOUR + 7 * HOUR / 60)
    assert {line.split("\t")[1] for line in blind} == {f"s3://{BUCKET}/{second}", f"s3://{BUCKET}/{stray}"}


def _validate_logs(aws: str, chain: Chain) -> subprocess.CompletedProcess[str]:
    arn = f"arn:aws:cloudtrail:{HOME}:{chain.account}:trail/{TRAIL}"
    options = ("--start-time", SPAN[1], "--end-time", SPAN[3], "--s3-bucket", BUCKET, "--region", chain.region)
    return subprocess.run(
        [aws, "cloudtrail", "validate-logs", "--trail-arn", arn, *options, "--verbose"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
