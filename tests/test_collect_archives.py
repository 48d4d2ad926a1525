"""An archive speaks for the accounts that list it, and for no other: what else lies in it is kept out and named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

from audit_logs import ACCOUNT, record, rows, volcengine_item, write

_OTHER, _THIRD = "111122223333", "444455556666"
_FORGED = record(1, recipientAccountId=_OTHER, sourceIPAddress="203.0.113.66")
CommandLine = Callable[..., "CompletedProcess[str]"]


def _config(tmp_path: Path, *accounts: str) -> Path:
    path = tmp_path / "crosstrail.yaml"
    path.write_text(f"accounts: [{', '.join(accounts)}]\nlake: {{path: lake}}\n", "utf-8")
    return path


def _collected(crosstrail: CommandLine, config: Path) -> dict[str, int]:
    done = crosstrail("collect", "--config", config, "--json")
    assert done.returncode == 0, done.stderr
    kept_out: dict[str, int] = json.loads(done.stdout)["kept_out"]
    return kept_out


def _held(tmp_path: Path) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in rows(tmp_path / "lake"):
        found[row["account"]] = found.get(row["account"], 0) + 1
    return found


def test_an_archive_brings_its_own_accounts_events_alone(crosstrail: CommandLine, tmp_path: Path) -> None:
    write(tmp_path / "ours/a.json", {"Records": [record(1), _FORGED, record(2, recipientAccountId=_THIRD)]})
    write(tmp_path / "ours/b.json", [volcengine_item(1)])
    write(tmp_path / "theirs/a.json", [record(1, recipientAccountId=_OTHER)])
    archives = (f'{{id: "{ACCOUNT}", archive: ours}}', f'{{id: "{_OTHER}", archive: theirs}}')
    config = _config(tmp_path, *archives)
    assert _collected(crosstrail, config) == {f"aws/{_OTHER}": 1, f"aws/{_THIRD}": 1, "volcengine/2100000001": 1}
    assert _held(tmp_path) == {ACCOUNT: 1, _OTHER: 1}
    [theirs] = rows(tmp_path / "lake", where=f"account = '{_OTHER}'")
    assert (theirs["sourceipaddress"], theirs["other_versions"]) == ("198.51.100.7", None)
    said = crosstrail("collect", "--config", config)
    assert "0 read, 3 known" in said.stdout


def test_an_account_number_of_another_cloud_is_another_account(crosstrail: CommandLine, tmp_path: Path) -> None:
    write(tmp_path / "ours/a.json", [volcengine_item(1), record(1, recipientAccountId="2100000001")])
    assert _collected(crosstrail, _config(tmp_path, '{id: "2100000001", archive: ours}')) == {
        "volcengine/2100000001": 1
    }
    assert [row["cloud"] for row in rows(tmp_path / "lake")] == ["aws"]


def test_accounts_of_an_archive_are_an_organisations(crosstrail: CommandLine, tmp_path: Path) -> None:
    write(
        tmp_path / "org/a.json", [record(1), record(2, recipientAccountId=_OTHER), record(3, recipientAccountId=_THIRD)]
    )
    config = _config(tmp_path, f'{{id: "{ACCOUNT}", archive: org}}')
    assert _collected(crosstrail, config) == {f"aws/{_OTHER}": 1, f"aws/{_THIRD}": 1}
    config = _config(tmp_path, f'{{id: "{ACCOUNT}", archive: org, accounts: ["{_OTHER}"]}}')
    assert _collected(crosstrail, config) == {
        f"aws/{_THIRD}": 1
    }  # the files are read again for whom they were not read
    assert _held(tmp_path) == {ACCOUNT: 1, _OTHER: 1}
    config = _config(tmp_path, f'{{id: "{ACCOUNT}", archive: org, accounts: ["*"]}}')
    assert _collected(crosstrail, config) == {}
    assert _held(tmp_path) == {ACCOUNT: 1, _OTHER: 1, _THIRD: 1}


def test_accounts_that_list_one_archive_share_it(crosstrail: CommandLine, tmp_path: Path) -> None:
    nameless = record(3, recipientAccountId=None, userIdentity=None)
    path = f"org/AWSLogs/{_OTHER}/CloudTrail/eu-west-1/2026/03/01/x.json"
    write(tmp_path / path, [record(1), record(2, recipientAccountId=_THIRD), nameless])
    listed = [f'{{id: "{one}", archive: {folder}}}' for one, folder in ((ACCOUNT, "org"), (_OTHER, "./org"))]
    config = _config(tmp_path, *listed)
    assert _collected(crosstrail, config) == {f"aws/{_THIRD}": 1}
    assert _held(tmp_path) == {ACCOUNT: 1, _OTHER: 1}
    again = json.loads(crosstrail("collect", "--config", config, "--json").stdout)
    assert (again["objects_known"], again["objects_read"]) == (1, 0)


def test_files_named_on_the_command_line_bring_everybodys_events(crosstrail: CommandLine, tmp_path: Path) -> None:
    write(tmp_path / "logs/a.json", [record(1), _FORGED])
    done = crosstrail("collect", tmp_path / "logs", "--lake", tmp_path / "lake", "--json")
    assert (json.loads(done.stdout)["kept_out"], _held(tmp_path)) == ({}, {ACCOUNT: 1, _OTHER: 1})


def test_a_link_out_of_an_archive_is_named_and_not_followed(crosstrail: CommandLine, tmp_path: Path) -> None:
    write(tmp_path / "theirs/a.json", [record(1)])
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours/link.json").symlink_to(tmp_path / "theirs/a.json")
    (tmp_path / "ours/folder").symlink_to(tmp_path / "theirs")
    done = crosstrail("collect", "--config", _config(tmp_path, f'{{id: "{ACCOUNT}", archive: ours}}'), "--json")
    report = json.loads(done.stdout)
    assert (report["new"], report["left_out"]["link out of the folder"]["files"]) == (0, 2)


def test_a_lookup_names_the_events_with_other_versions(crosstrail: CommandLine, tmp_path: Path) -> None:
    numbers = {"big": 123456789012345678901234567890}
    original = record(1, requestParameters=numbers)
    write(tmp_path / "logs/a.json", [original, record(2)])
    write(tmp_path / "logs/b.json", [original | {"sourceIPAddress": "203.0.113.66"}])
    lake = ("--lake", tmp_path / "lake")
    done = crosstrail("collect", tmp_path / "logs", *lake)
    assert "1 conflicting" in done.stdout
    assert "other_versions" in done.stderr
    done = crosstrail("lookup", "--account", ACCOUNT, *lake)
    assert "1 of these came with other content too" in done.stderr
    assert record(1)["eventID"] in done.stderr
    done = crosstrail("query", "SELECT eventid FROM events WHERE cardinality(other_versions) = 1", *lake)
    assert done.stdout.split() == ["eventid", record(1)["eventID"]]
    found = [
        json.loads(line) for line in crosstrail("lookup", "--account", ACCOUNT, *lake, "--json").stdout.splitlines()
    ]
    assert {one["event"]["eventID"] for one in found} == {record(1)["eventID"], record(2)["eventID"]}
    assert any(str(numbers["big"]) in json.dumps(one) for one in found)
