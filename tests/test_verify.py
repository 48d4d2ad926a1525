"""`crosstrail verify` on a folder: what it is asked, what it says, and what hostile digests cannot make it do."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

import preloaded
from documented_rows import rows_of
from signed_trail import BUCKET, HOME, HOUR, START, TRAIL, SignedTrail, Stored, packed, signed_trail, write_folder

ACCOUNT, OTHER = "111111111111", "222222222222"
SINCE, UNTIL = "2026-03-01T00:13:07Z", "2026-03-01T06:13:07Z"


def small(*accounts: str, hours: int = 6, **options: Any) -> SignedTrail:
    """Six hours of one account and region."""
    return signed_trail(accounts=accounts or [ACCOUNT], regions=["us-east-1"], hours=hours, **options)


def verified(place: Path, *options: str, trail: SignedTrail | None = None) -> tuple[int, list[dict[str, Any]], str]:
    """(exit status, the lines, stderr)"""
    keys = next(path for path in place.parents if path.name != "logs" and "logs" not in path.parts) / "keys.json"
    if trail:
        trail.key_file(keys, trail.newest())
    done = preloaded.run("verify", str(place), "--keys", str(keys), "--json", *options)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def problems(lines: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(one["kind"], one["verdict"]) for one in lines[:-1] if one["verdict"] != "valid"]


def test_a_gap_names_who_stopped_logging(tmp_path: Path) -> None:
    trail = small(hours=8, gap=range(4, 7))
    status, lines, _ = verified(write_folder(trail, tmp_path / "logs"), "--until", "2026-03-01T08:13:07Z", trail=trail)
    assert problems(lines) == [("gap", "gap")]
    [gap] = [one for one in lines if one["kind"] == "gap"]
    assert (gap["start"], gap["end"]) == ("2026-03-01T04:13:07Z", "2026-03-01T07:13:07Z")
    assert f"StopLogging by arn:aws:iam::{ACCOUNT}:user/ci at 2026-03-01T03:43:07Z" in gap["reason"]
    assert status == 1


def test_what_is_found_is_rows_in_every_form(tmp_path: Path) -> None:
    trail = small(hours=8, gap=range(4, 7))
    place = write_folder(trail, tmp_path / "logs")
    trail.key_file(tmp_path / "keys.json", trail.newest())
    asked = ("verify", str(place), "--keys", str(tmp_path / "keys.json"), "--until", "2026-03-01T08:13:07Z")
    done = preloaded.run(*asked, "-o", str(tmp_path / "found.json"))
    rows = rows_of("verify", (tmp_path / "found.json").read_text())
    assert (done.returncode, done.stdout, f"Rows written to {tmp_path}/found.json: {len(rows)}." in done.stderr) == (
        *(1, ""),
        True,
    )
    (gap,) = [one for one in rows if one["verdict"] != "valid"]
    assert (gap["kind"], gap["start"], gap["account"], gap["asked"]) == ("gap", "2026-03-01T04:13:07Z", ACCOUNT, True)
    assert "NOT PROVED: 1 of these" in done.stderr
    listed = preloaded.run(*asked, "--format", "table", "--columns", "verdict,kind,start")
    assert listed.stdout == "verdict\tkind\tstart\ngap\tgap\t2026-03-01T04:13:07Z\n"
    text = preloaded.run(*asked, "-o", str(tmp_path / "found.txt"), "--format", "text")
    assert (text.stdout, f"Written to {tmp_path}/found.txt." in text.stderr) == ("", True)
    assert (tmp_path / "found.txt").read_text().splitlines()[-1] == "NOT PROVED: 1 of these"


def test_a_start_with_a_clock_offset_is_that_moment(tmp_path: Path) -> None:
    """09:00 in Tokyo is midnight in UTC: read as UTC, every digest of this trail would come before it."""
    trail = small()
    place = write_folder(trail, tmp_path / "logs")
    status, lines, _ = verified(place, "--since", "2026-03-01T09:13:07+09:00", "--until", UNTIL, trail=trail)
    assert (status, lines[-1]["digests"], lines[-1]["from"]) == (0, {"valid": 6}, SINCE)
    status, lines, _ = verified(place, "--since", "2026-03-01T12:13:07+09:00", "--until", UNTIL)
    assert (status, lines[-1]["digests"], lines[-1]["from"]) == (0, {"valid": 4}, "2026-03-01T03:13:07Z")


def test_what_is_asked_before_the_first_digest_is_not_proved(tmp_path: Path) -> None:
    trail = small()
    place = write_folder(trail, tmp_path / "logs")
    status, lines, _ = verified(place, "--since", "2026-02-28", "--until", UNTIL, trail=trail)
    assert (status, problems(lines)) == (1, [("gap", "gap")])


def test_digests_that_should_be_there_by_now_are_missed(tmp_path: Path) -> None:
    trail = small()
    status, lines, _ = verified(write_folder(trail, tmp_path / "logs"), trail=trail)
    assert (status, problems(lines)) == (1, [("digest", "missing")])
    [missing] = [one for one in lines[:-1] if one["verdict"] == "missing"]
    assert missing["object"].endswith(trail.chains[ACCOUNT, "us-east-1"].key(START + 7 * HOUR))


def test_no_digest_at_all_proves_nothing(tmp_path: Path) -> None:
    trail = small()
    for key in [key for key in trail.objects if "Digest" in key]:
        del trail.objects[key]
    place = write_folder(trail, tmp_path / "logs")
    trail.key_file(tmp_path / "keys.json")
    status, lines, _ = verified(place)
    assert status == 1
    assert {(one["kind"], one["verdict"]) for one in lines[:-1]} == {("gap", "uncovered"), ("log", "uncovered")}
    assert len(lines) - 2 == len(trail.objects)
    (tmp_path / "empty").mkdir()
    done = preloaded.run("verify", str(tmp_path / "empty"), "--keys", str(tmp_path / "keys.json"))
    assert (done.returncode, "No digests found" in done.stdout) == (1, True)
    done = preloaded.run("verify", str(tmp_path / "empty"), "--keys", str(tmp_path / "keys.json"), "--format", "aws")
    assert (done.returncode, "No digests found" in done.stdout) == (1, True)


def test_the_newest_digest_of_a_folder_is_proved_by_its_saved_signature_alone(tmp_path: Path) -> None:
    trail = small()
    place = write_folder(trail, tmp_path / "logs")
    trail.key_file(tmp_path / "keys.json")
    status, lines, _ = verified(place, "--until", UNTIL)
    chain = trail.chains[ACCOUNT, "us-east-1"]
    unproved = {one["object"].removeprefix(f"{place}/") for one in lines[:-1] if one["verdict"] == "uncovered"}
    assert status == 1
    assert unproved == {chain.keys[-1], *chain.logs[-2:]}
    assert {one["verdict"] for one in lines[:-1]} == {"valid", "uncovered"}
    before = (START + 4 * HOUR).strftime("%Y-%m-%dT%H:%M:%SZ")  # then the first digest after it has its signature
    assert verified(place, "--until", before)[0] == 0


def test_a_trail_of_an_organization_below_a_prefix(tmp_path: Path) -> None:
    trail = small(ACCOUNT, OTHER, prefix="team/logs", organization="o-a1b2c3d4e5")
    place = write_folder(trail, tmp_path / "logs")
    assert verified(place, "--until", UNTIL, trail=trail)[0] == 0
    inside = place / "team" / "logs" / "AWSLogs" / "o-a1b2c3d4e5" / OTHER / "CloudTrail-Digest"
    status, lines, _ = verified(inside, "--until", UNTIL, "--region", "us-*")
    assert (status, {one["account"] for one in lines[:-1]}) == (0, {OTHER})


def test_accounts_and_regions_are_selected_and_absent_ones_told(tmp_path: Path) -> None:
    trail = small(ACCOUNT, OTHER)
    place = write_folder(trail, tmp_path / "logs")
    status, lines, _ = verified(place, "--account", "2222*", "--until", UNTIL, trail=trail)
    assert (status, {one["account"] for one in lines[:-1]}) == (0, {OTHER})
    status, lines, _ = verified(place, "--account", f"{ACCOUNT},444444444444", "--until", UNTIL)
    assert (status, problems(lines)) == (1, [("gap", "uncovered")])
    assert verified(place, "--region", "us-east-1,ap-south-1", "--until", UNTIL)[0] == 1


def test_other_digests_than_those_of_the_trail_are_no_part_of_its_chain(tmp_path: Path) -> None:
    trail = small()
    chain = trail.chains[ACCOUNT, "us-east-1"]
    name = chain.keys[3].replace(f"_{TRAIL}_{HOME}_", "_second_us-west-2_")
    trail.objects[name] = trail.objects[chain.keys[3]]
    status, lines, _ = verified(write_folder(trail, tmp_path / "logs"), "--until", "2026-03-01T04:13:07Z", trail=trail)
    assert status == 1
    assert {one["trail"] for one in lines[:-1] if one["verdict"] not in ("valid", "uncovered")} == {"second_us-west-2"}


HOSTILE = {
    "no gzip": b"{}",
    "no JSON": packed(b"{"),
    "a list": packed([]),
    "deep": packed(b"[" * 500_000),
    "deep lists of logs": packed(b'{"logFiles":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "numbers for texts": packed(
        {"digestS3Bucket": 1, "digestS3Object": 2, "digestEndTime": 3, "digestStartTime": 4, "logFiles": 5}
    ),
    "no times": packed({"digestEndTime": "soon", "digestStartTime": "now", "digestS3Bucket": "", "digestS3Object": ""}),
    "a bomb": gzip.compress(b"[" + b"0," * 20_000_000 + b"0]", 9, mtime=0),
    "nothing": b"",
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_digest_is_named_and_the_rest_goes_on(body: bytes, tmp_path: Path) -> None:
    trail = small()
    key = trail.chains[ACCOUNT, "us-east-1"].keys[3]
    trail.objects[key] = Stored(body)
    status, lines, error = verified(write_folder(trail, tmp_path / "logs"), "--until", UNTIL, trail=trail)
    assert (status, error) == (1, "")
    assert [one["object"] for one in lines[:-1] if one["verdict"] == "modified"] == [str(tmp_path / "logs" / key)]
    assert lines[-1]["digests"] == {"modified": 1, "uncovered": 1, "valid": 4}  # the one before had its signature in it


def test_nothing_outside_of_the_folder_is_read(tmp_path: Path) -> None:
    """By a link, by a pipe, by a key that climbs."""
    trail = small()
    chain = trail.chains[ACCOUNT, "us-east-1"]
    secret = tmp_path / "secret.json.gz"
    secret.write_bytes(trail.objects[chain.logs[0]].body)
    climbing = chain.log(START + HOUR * 5, [], "climbing")
    trail.objects["AWSLogs/../../secret.json.gz"] = trail.objects.pop(climbing)
    chain.logs.remove(climbing)
    chain.digest(START + 6 * HOUR, START + 7 * HOUR, ["AWSLogs/../../secret.json.gz"])
    del trail.objects["AWSLogs/../../secret.json.gz"]
    place = write_folder(trail, tmp_path / "logs")
    for number, make in ((0, lambda path: path.symlink_to(secret)), (1, os.mkfifo)):
        (place / chain.logs[number]).unlink()
        make(place / chain.logs[number])
    status, lines, _ = verified(place, "--until", "2026-03-01T07:13:07Z", trail=trail)
    assert status == 1
    found = {one["object"]: (one["verdict"], one["reason"]) for one in lines[:-1] if one["verdict"] != "valid"}
    assert found.pop(f"s3://{BUCKET}/AWSLogs/../../secret.json.gz")[0] == "uncovered"
    assert found == {
        str(place / chain.logs[0]): ("uncovered", "cannot be read: lies outside of the folder"),
        str(place / chain.logs[1]): ("uncovered", "cannot be read: is no regular file"),
    }


def test_a_log_that_unpacks_to_more_than_any_is_not_unpacked(tmp_path: Path) -> None:
    trail = small()
    key = trail.chains[ACCOUNT, "us-east-1"].logs[4]
    zeros = gzip.compress(bytes(2**24), 9, mtime=0)
    trail.objects[key] = Stored(zeros * 70)
    status, lines, _ = verified(write_folder(trail, tmp_path / "logs"), "--until", UNTIL, trail=trail)
    assert (status, problems(lines)) == (1, [("log", "modified")])


def test_the_lines_of_awss_own_tool(tmp_path: Path) -> None:
    trail = small()
    chain = trail.chains[ACCOUNT, "us-east-1"]
    trail.objects[chain.logs[4]] = Stored(packed({}))
    place = write_folder(trail, tmp_path / "logs")
    trail.key_file(tmp_path / "keys.json", trail.newest())
    options = ("--keys", str(tmp_path / "keys.json"), "--format", "aws", "--since", SINCE, "--until", UNTIL)
    done = preloaded.run("verify", str(place), *options)
    assert done.returncode == 1
    assert done.stderr == f"Log file\t{place / chain.logs[4]}\tINVALID: hash value doesn't match\n\n"
    assert done.stdout.splitlines() == [
        f"Validating log files for trail arn:aws:cloudtrail:{HOME}:{ACCOUNT}:trail/{TRAIL} between {SINCE} and {UNTIL}",
        "",
        f"Results requested for {SINCE} to {UNTIL}",
        f"Results found for {SINCE} to {UNTIL}:",
        "",
        "6/6 digest files valid",
        "1/1 backfill digest files valid",
        "10/11 log files valid, 1/11 log files INVALID",
        "",
    ]
    done = preloaded.run("verify", str(place), *options, "--verbose")
    assert f"Digest file\t{place / chain.keys[0]}\tvalid" in done.stdout.splitlines()


def test_people_are_told_what_is_wrong_and_how_much_is_right(tmp_path: Path) -> None:
    trail = small()
    chain = trail.chains[ACCOUNT, "us-east-1"]
    del trail.objects[chain.logs[4]]
    place = write_folder(trail, tmp_path / "logs")
    trail.key_file(tmp_path / "keys.json", trail.newest())
    done = preloaded.run("verify", str(place), "--keys", str(tmp_path / "keys.json"), "--until", UNTIL)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        f"deleted: log {place / chain.logs[4]}: not found",
        f"Asked     the beginning to {UNTIL}: 1 accounts, 1 regions",
        "Digests   6 valid",
        "Backfill  1 valid",
        "Logs      1 deleted, 10 valid",
        "NOT PROVED: 1 of these",
    ]


KEY_FILES = {
    "not there": (None, "cannot be read"),
    "no JSON": ("{", "is no JSON"),
    "no list": ("{}", "has no PublicKeyList"),
    "no key": ('{"PublicKeyList": [{"Fingerprint": "a", "Value": "bm9uZQ=="}]}', "is no RSA key"),
}


@pytest.mark.parametrize(("text", "said"), KEY_FILES.values(), ids=KEY_FILES)
def test_a_file_of_keys_that_is_none_is_refused(text: str | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    if text is not None:
        path.write_text(text)
    done = preloaded.run("verify", str(tmp_path), "--keys", str(path))
    assert (done.returncode, said in done.stderr, "--save-keys" in done.stderr) == (1, True, True)


def test_without_keys_and_accounts_it_says_what_to_give(tmp_path: Path) -> None:
    done = preloaded.run("verify", str(tmp_path))
    assert (done.returncode, "--keys FILE" in done.stderr) == (1, True)
    done = preloaded.run("verify", str(tmp_path / "absent"), "--keys", str(tmp_path / "keys.json"))
    assert done.returncode == 1
