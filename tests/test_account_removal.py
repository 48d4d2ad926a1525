"""`crosstrail accounts remove`: the entry goes, every other byte of the file stays; the row goes; the lake is not touched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

import preloaded
from crosstrail.settings.config import load_settings
from older_lake import OTHER, unpacked

BLOCK = """\
# our accounts   \t
region: "eu-west-1"   # é
accounts:   # by team
  # payments
  - id: "111111111111"      # prod
    alias: prod
    tags:
      note: |
        several
        lines
    # of prod, further in
  # platform

  - {id: "222222222222", alias: dev}   # dev's
  - alias: old
    id: '333333333333'
    regions:
      - eu-west-1
      - us-east-1

access:
  - {who: ["*"], accounts: [prod, "*"]}
"""
FLOW = """\
accounts: [{id: "111111111111", alias: prod}, {id: "222222222222", alias: dev},
  {id: "333333333333", alias: old}]   # three
region: eu-west-1
"""
LINES = """\
accounts: [
  {id: "111111111111", alias: prod},   # one
  {id: "222222222222", alias: dev},
  {id: "333333333333", alias: old}
]
"""


def _remove(file: Path, *arguments: str, status: int = 0) -> str:
    environ = {"HOME": str(file.parent), "PATH": os.environ["PATH"]}
    ended = preloaded.run("accounts", "remove", *arguments, "--config", file, environ=environ)
    assert ended.returncode == status, ended.stderr
    return ended.stdout + ended.stderr


def _without(text: str, *gone: str) -> str:
    for part in gone:
        assert text.count(part) == 1
        text = text.replace(part, "")
    return text


PROD, DEV, OLD = (part for part in (
    BLOCK[BLOCK.index('  - id: "111') : BLOCK.index("  # platform")],
    '  - {id: "222222222222", alias: dev}   # dev\'s\n',
    BLOCK[BLOCK.index("  - alias: old") : BLOCK.index("\naccess:")],
))  # fmt: skip


@pytest.mark.parametrize(
    ("text", "selector", "left"),
    [
        (BLOCK, "prod", _without(BLOCK, PROD)),
        (BLOCK, "222222222222", _without(BLOCK, DEV)),
        (BLOCK, "old", _without(BLOCK, OLD)),
        (BLOCK, "prod,old", _without(BLOCK, PROD, OLD)),
        (BLOCK, "*", _without(BLOCK, PROD, DEV, OLD).replace("accounts:   #", "accounts: []   #")),
        (BLOCK.replace("\n", "\r\n"), "dev", _without(BLOCK, DEV).replace("\n", "\r\n")),
        (FLOW, "prod", FLOW.replace('{id: "111111111111", alias: prod}, ', "")),
        (FLOW, "old", FLOW.replace(',\n  {id: "333333333333", alias: old}', "")),
        (FLOW, "*", "accounts: []   # three\nregion: eu-west-1\n"),
        (LINES, "dev", LINES.replace('  {id: "222222222222", alias: dev},\n', "")),
        ("accounts:\n- id: '1111111'\n- id: '2222222'", "2222222", "accounts:\n- id: '1111111'\n"),
    ],
)
def test_an_entry_goes_and_all_else_stays(tmp_path: Path, text: str, selector: str, left: str) -> None:
    file = tmp_path / "crosstrail.yaml"
    file.write_bytes(text.encode())
    file.chmod(0o640)
    said = _remove(file, selector, "--yes")
    assert file.read_bytes().decode() == left
    assert file.stat().st_mode & 0o777 == 0o640
    assert "Removed " in said
    assert load_settings(str(file), environ={}).accounts is not None


def test_what_still_names_it_and_what_stays_is_said(tmp_path: Path) -> None:
    file = tmp_path / "crosstrail.yaml"
    file.write_text(BLOCK)
    assert "access[0] still names prod" in (said := _remove(file, "prod", "--yes"))
    assert "Roles and keys in the cloud stay" in said


def test_nothing_is_removed_unasked_or_by_a_wrong_name(tmp_path: Path) -> None:
    file = tmp_path / "crosstrail.yaml"
    file.write_text(BLOCK)
    assert "Add --yes." in _remove(file, "prod", status=1)
    assert "nor the account database lists this" in _remove(file, "prd", "--yes", status=1)
    assert file.read_text() == BLOCK


def test_an_entry_that_others_refer_to_is_left_to_its_owner(tmp_path: Path) -> None:
    file = tmp_path / "crosstrail.yaml"
    text = 'accounts:\n  - &a {id: "111111111111", alias: prod}\n  - {<<: *a, id: "222222222222", alias: dev}\n'
    file.write_text(text)
    assert f"Take it out of {file} by hand." in _remove(file, "prod", "--yes", status=1)
    assert file.read_text() == text


def test_a_row_of_the_database_goes_with_its_secret_and_the_lake_stays(tmp_path: Path) -> None:
    older = unpacked(tmp_path)
    file = older / "one.yaml"
    database = older / "accounts.sqlite"
    values = {
        "lake": {"path": "lake"},
        "database": {"url": f"sqlite:///{database}"},
        "accounts": [{"id": "777777777777"}],
    }
    file.write_text(yaml.safe_dump(values))
    lake = {path: path.read_bytes() for path in sorted((older / "lake").rglob("*")) if path.is_file()}
    said = _remove(file, f"keys,{OTHER}", "--yes")
    assert said.count("Removed ") == 2
    assert "The events that the lake holds of them stay" in said
    assert {path: path.read_bytes() for path in sorted((older / "lake").rglob("*")) if path.is_file()} == lake
    listed = preloaded.run("accounts", "list", "--columns", "account", "--format", "csv", "--config", file)
    assert listed.stdout.split()[1:] == ["777777777777"]
    assert yaml.safe_load(file.read_text()) == values
