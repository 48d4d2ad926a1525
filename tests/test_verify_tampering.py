"""The tamper matrix: whatever somebody does to a signed trail is found and named, and nothing else is blamed."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

import preloaded
from signed_trail import SignedTrail, overlay, signed_trail, write_folder
from tampering import TAMPERINGS, batches, check_blame

BATCHES = 5
SPAN = ("--since", "2026-03-01T00:13:07Z", "--until", "2026-03-03T00:13:07Z")


@pytest.fixture(scope="module")
def trail() -> SignedTrail:
    return signed_trail()


@pytest.fixture(scope="module")
def folder(trail: SignedTrail, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(trail, tmp_path_factory.mktemp("trail"))


@pytest.fixture(scope="module")
def keys(trail: SignedTrail, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trail.key_file(tmp_path_factory.mktemp("keys") / "keys.json", trail.newest())


def findings(place: Path | str, keys: Path, *options: str) -> tuple[int, list[dict[str, Any]], dict[str, Any]]:
    """(exit status, a line an object, the summary)"""
    done = preloaded.run("verify", str(place), "--keys", str(keys), "--json", *(options or SPAN))
    assert done.returncode in (0, 1), done.stderr
    *found, summary = [json.loads(line) for line in done.stdout.splitlines()]
    assert summary["kind"] == "summary"
    return done.returncode, found, summary


def test_a_trail_that_nobody_touched_is_proved(folder: Path, keys: Path) -> None:
    status, found, summary = findings(folder, keys)
    assert status == 0
    assert {one["verdict"] for one in found} == {"valid"}
    assert summary["digests"] == {"valid": 288}
    assert summary["backfill_digests"] == {"valid": 3}
    assert summary["logs"] == {"valid": 567}
    assert (summary["accounts"], summary["regions"], summary["proved"]) == (3, 2, True)


@pytest.mark.parametrize("number", range(BATCHES))
def test_tampering_is_found_and_named_and_nothing_else_blamed(
    number: int, trail: SignedTrail, folder: Path, keys: Path, tmp_path: Path
) -> None:
    tampered = trail.copy()
    done = batches(trail)[number]
    expected = {key: verdict for tamper, chain in done for key, verdict in tamper(tampered, chain).items()}
    place = overlay(trail, folder, tampered, tmp_path / "tampered")
    status, found, summary = findings(place, keys)
    assert status == 1
    assert not summary["proved"]
    check_blame(tampered, expected, {one["object"].removeprefix(f"{place}/"): one["verdict"] for one in found})
    touched = {(chain.account, chain.region) for _, chain in done}
    assert {(one["account"], one["region"]) for one in found if one["verdict"] != "valid"} == touched


def test_each_tampering_has_its_batch(trail: SignedTrail) -> None:
    assert sorted(tamper.__name__ for batch in batches(trail) for tamper, _ in batch) == sorted(TAMPERINGS)
    assert len(batches(trail)) == BATCHES


def test_the_commands_of_the_documentation_run(
    folder: Path, keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logs").symlink_to(folder)
    (tmp_path / "keys.json").symlink_to(keys)
    page = (Path(__file__).parents[1] / "docs" / "integrity.md").read_text()
    commands = [line for line in page.splitlines() if line.startswith("crosstrail verify logs")]
    assert len(commands) == 4
    for command in commands:
        done = preloaded.run(*shlex.split(command)[1:])
        assert done.returncode == 0, (command, done.stdout[-500:], done.stderr)
