"""What strangers really have in their folders: `crosstrail collect` as a process, over files made after public reports."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from audit_logs import ids
from conftest import SHARED_DATA, CommandLine

_FOLDER = SHARED_DATA / "strangers"
_CASES = [json.loads(line) for line in (_FOLDER / "cases.jsonl").read_text().splitlines()] if _FOLDER.is_dir() else []


@pytest.mark.skipif(not _CASES, reason="needs ../shared/data/strangers, which is not part of this project")
@pytest.mark.parametrize("case", _CASES, ids=[case["case"] for case in _CASES])
def test_strangers_file_gives_its_events_and_is_known_afterwards(
    case: dict[str, str | int], tmp_path: Path, crosstrail: CommandLine
) -> None:
    command = ("collect", _FOLDER / str(case["input"]), "--lake", tmp_path, "--json")
    done = crosstrail(*command)
    report = json.loads(done.stdout)
    assert (report["new"], done.returncode) == (case["events"], case["exit"]), (case["what"], report)
    assert len(ids(tmp_path)) == case["events"]
    again = json.loads(crosstrail(*command).stdout)
    assert again["new"] == 0
    if case["exit"] == 0:
        assert (again["objects_read"], again["known"]) == (0, 0)
        assert again["objects_known"] > 0
