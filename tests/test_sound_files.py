"""A flipped bit is an error for whoever reads events, never other events: files are compared with their hashes first."""

from __future__ import annotations

import os
import random
from contextlib import closing
from pathlib import Path

import pytest

from audit_logs import ACCOUNT, ids, log
from conftest import CommandLine
from crosstrail.errors import LakeError
from crosstrail.lake import sound_files
from crosstrail.lake.collector import collect
from crosstrail.lake.data_files import sha256_of
from crosstrail.lake.snapshot import LakeFile
from crosstrail.lake.sound_files import check_sound
from crosstrail.lake.table import LakeTable

FLIPS = 40


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    collect([log(tmp_path / "1.json", range(300))], tmp_path / "lake")
    return tmp_path / "lake"


def _file(lake: Path) -> LakeFile:
    with closing(LakeTable.open(lake)) as table:
        [file] = table.snapshot().files
    return file


def _flip(path: str, place: int) -> None:
    content = bytearray(Path(path).read_bytes())
    content[place] ^= 0x10
    Path(path).write_bytes(content)


def test_every_flip_is_told(lake: Path) -> None:
    file = _file(lake)
    check_sound([file])
    for place in random.Random(1).sample(range(file.bytes), FLIPS):  # noqa: S311 - the same each time
        _flip(file.path, place)
        with pytest.raises(LakeError, match="is not as it was written"):
            check_sound([file])
        _flip(file.path, place)
        check_sound([file])


def test_queries_and_lookups_tell_it(lake: Path, crosstrail: CommandLine) -> None:
    file, before = _file(lake), ids(lake)
    assert len(before) == 300
    _flip(file.path, file.bytes // 2)
    for words in (("query", "SELECT count(DISTINCT eventjson) FROM events"), ("lookup", "--account", ACCOUNT)):
        asked = crosstrail(*words, "--lake", lake)
        assert asked.returncode == 1, asked.stdout
        assert "is not as it was written" in asked.stderr
        assert str(lake) not in asked.stderr
    _flip(file.path, file.bytes // 2)
    asked = crosstrail("lookup", "--account", ACCOUNT, "--lake", lake)
    assert asked.returncode == 0, asked.stderr


def test_a_file_is_compared_once_and_much_at_once_is_not(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []

    def counted(path: Path) -> str:
        compared.append(path.name)
        return sha256_of(path)

    monkeypatch.setattr(sound_files, "sha256_of", counted)
    file = _file(lake)
    for _ in range(3):
        check_sound([file])
    assert len(compared) == 1
    os.utime(file.path, (1, 1))
    check_sound([file])
    assert len(compared) == 2
    os.utime(file.path, (2, 2))
    monkeypatch.setattr(sound_files, "MAX_BYTES", file.bytes - 1)
    check_sound([file])
    assert len(compared) == 2
