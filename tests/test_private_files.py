"""Nobody else on the machine reads what crosstrail writes: modes of files and folders, from their first moment."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import preloaded
from crosstrail import private
from crosstrail.accounts.policy import ANONYMOUS
from crosstrail.call_context import CallContext
from crosstrail.server.access.audit import AuditLog
from crosstrail.settings.audit_settings import AuditSettings
from lake_workspace import NOON, PROD, record, write_logs

COLLECT, QUERY = ("collect", "logs"), ("query", "SELECT count(*) FROM events")


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    write_logs(tmp_path / "logs", [record(PROD, number, NOON) for number in range(3)])
    return tmp_path / "logs"


def run(folder: Path, *arguments: str, umask: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command of crosstrail with the loosest umask there is."""
    done = subprocess.run(
        [preloaded.python(), "-m", "crosstrail", *arguments],
        cwd=folder,
        umask=umask,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


def modes(folder: Path) -> Iterator[tuple[str, int]]:
    for path in (folder, *folder.rglob("*")):
        yield str(path.relative_to(folder)), stat.S_IMODE(path.stat().st_mode)


def test_a_lake_is_its_owners_alone(logs: Path, tmp_path: Path) -> None:
    run(tmp_path, *COLLECT, "--lake", "new/lake")
    write_logs(logs, [record(PROD, number, NOON) for number in range(5)])
    run(tmp_path, *COLLECT, "--lake", "new/lake")
    run(tmp_path, *QUERY, "--lake", "new/lake")
    found = dict(modes(tmp_path / "new"))
    assert {name for name, mode in found.items() if mode & 0o077} == set()
    for kind in (".parquet", ".metadata.json", ".avro", "catalog.sqlite", "ledger.sqlite", "status.json"):
        assert any(name.endswith(kind) for name in found), kind


def test_a_group_that_was_given_the_folder_reads_what_is_in_it_and_others_do_not(logs: Path, tmp_path: Path) -> None:
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake").chmod(0o2770)
    run(tmp_path, *COLLECT, "--lake", "lake", umask=0o077)
    found = {name: mode for name, mode in modes(tmp_path / "lake") if not name.startswith("results")}
    assert {name for name, mode in found.items() if mode & 0o007 or mode & 0o060 != 0o060} == set()


def test_a_lake_that_was_open_is_closed_and_that_is_told_once(logs: Path, tmp_path: Path) -> None:
    run(tmp_path, *COLLECT, "--lake", "lake")
    for path in (tmp_path / "lake", *(tmp_path / "lake").rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    (tmp_path / "lake" / "notes.txt").write_text("the operator's own")
    (tmp_path / "lake" / "notes.txt").chmod(0o644)
    first, second = (run(tmp_path, *COLLECT, "--lake", "lake").stderr for _ in range(2))
    assert "could be read by other users of this machine; now they cannot" in first
    assert second == ""
    found = dict(modes(tmp_path / "lake"))
    assert {name for name, mode in found.items() if mode & 0o077} == {".", "notes.txt"}


@pytest.mark.parametrize("old", [None, 0o644, 0o640])
def test_the_record_is_its_owners_and_keeps_the_mode_that_was_chosen(tmp_path: Path, old: int | None) -> None:
    path = tmp_path / "audit.jsonl"
    if old:
        path.touch()
        path.chmod(old)
    before = os.umask(0)
    try:
        log = AuditLog(AuditSettings(to=str(path), max_bytes=1_000_000))
        log.call(ANONYMOUS, "lookup_events", {}, request_id="1", outcome="ok", seconds=0, caller=CallContext())
        log.close()
    finally:
        os.umask(before)
    assert dict(modes(tmp_path)) | {".": 0} == {
        ".": 0,
        "audit.jsonl": 0o640 if old == 0o640 else 0o600,
        "audit.jsonl.lock": 0o600,
    }


def test_an_account_database_is_its_owners(tmp_path: Path) -> None:
    role = "arn:aws:iam::111111111111:role/Audit"
    run(tmp_path, "accounts", "add", PROD, "--role-arn", role, DATABASE_URL=f"sqlite:///{tmp_path / 'accounts.db'}")
    assert stat.S_IMODE((tmp_path / "accounts.db").stat().st_mode) == 0o600


def test_tightening_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("x")
    (tmp_path / "theirs").chmod(0o644)
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "link").symlink_to(tmp_path / "theirs")
    (tmp_path / "ours").chmod(0o755)
    assert private.tighten([tmp_path / "ours"]) == 1
    assert stat.S_IMODE((tmp_path / "theirs").stat().st_mode) == 0o644
