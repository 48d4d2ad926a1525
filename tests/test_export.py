"""`crosstrail export`: original records in files, a manifest that proves them, and a check that names what is no more as it was."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

import preloaded
from conftest import CommandLine
from documented_rows import rows_of
from lake_workspace import DEV, NOON, PROD, collect, record, write_logs

COUNT = 60
ALL = "SELECT eventid FROM events"


@pytest.fixture(scope="module")
def records() -> dict[str, dict[str, Any]]:
    """By event id."""
    made = [
        record(PROD if number % 3 else DEV, number, NOON, errorMessage="é\u202e\x1b[31m") for number in range(COUNT)
    ]
    return {one["eventID"]: one for one in made}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory, records: dict[str, dict[str, Any]]) -> Path:
    folder = tmp_path_factory.mktemp("export")
    write_logs(folder / "logs", records.values())
    collect(folder / "logs", folder / "lake")
    return folder / "lake"


@pytest.fixture
def export(crosstrail: CommandLine, lake: Path, tmp_path: Path) -> Callable[..., Path]:
    """Exports to a file in tmp_path; gives that file."""

    def run(*arguments: object, name: str = "evidence.jsonl", status: int = 0) -> Path:
        done = crosstrail("export", *arguments, "-o", tmp_path / name, "--lake", lake)
        assert done.returncode == status, done.stderr
        return tmp_path / name

    return run


@pytest.fixture(scope="module")
def exported(lake: Path) -> Path:
    """One export of everything, for tests that only check copies of it."""
    data = lake.parent / "exported" / "evidence.jsonl"
    data.parent.mkdir()
    done = preloaded.run("export", ALL, "-o", data, "--lake", lake)
    assert done.returncode == 0, done.stderr
    return data


@pytest.fixture
def copied(exported: Path, tmp_path: Path) -> Path:
    """Copied to another place, as a handed over one is."""
    shutil.copytree(exported.parent, tmp_path / "copied")
    return tmp_path / "copied" / exported.name


def manifest_of(data: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(data.with_name(f"{data.name}.manifest.json").read_text())
    return found


def lines_of(data: Path) -> list[bytes]:
    raw = data.read_bytes()
    return (gzip.decompress(raw) if data.suffix == ".gz" else raw).splitlines()


def check(crosstrail: CommandLine, data: Path, *more: object) -> tuple[int, list[dict[str, Any]]]:
    """Exit status and findings of `export --check`."""
    done = crosstrail("export", "--check", f"{data}.manifest.json", "--json", *more)
    *findings, _ = [json.loads(line) for line in done.stdout.splitlines()]
    return done.returncode, findings


@pytest.mark.parametrize("name", ["evidence.jsonl", "evidence.jsonl.gz"])
def test_original_records_are_exported_each_once_with_their_hashes(
    export: Callable[..., Path], crosstrail: CommandLine, records: dict[str, dict[str, Any]], name: str
) -> None:
    data = export(f"{ALL} UNION ALL {ALL} -- twice\n;", name=name)
    found = [json.loads(line) for line in lines_of(data)]
    assert {one["eventID"]: one for one in found} == records
    assert len(found) == COUNT
    index = [json.loads(line) for line in data.with_name(f"{name}.records.jsonl").read_bytes().splitlines()]
    assert [one["sha256"] for one in index] == [hashlib.sha256(line).hexdigest() for line in lines_of(data)]
    assert [one["eventid"] for one in index] == [one["eventID"] for one in found]
    assert check(crosstrail, data) == (0, [])


def test_a_record_is_the_bytes_of_its_log_file(
    crosstrail: CommandLine, export: Callable[..., Path], tmp_path: Path
) -> None:
    text = json.dumps(record(PROD, 1, NOON), indent=1).replace("CloudTrail", "\\u0043loudTrail")
    (tmp_path / "one.json").write_text(f'{{"Records": [{text}]}}')
    lake = tmp_path / "lake"
    assert crosstrail("collect", tmp_path / "one.json", "--lake", lake).returncode == 0
    done = crosstrail("export", ALL, "-o", tmp_path / "one.jsonl", "--lake", lake)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "one.jsonl").read_text() == text.replace("\n", " ") + "\n"
    index = json.loads((tmp_path / "one.jsonl.records.jsonl").read_text())
    assert index["original_sha256"] == hashlib.sha256(text.encode()).hexdigest()


def test_the_manifest_says_what_was_asked_where_and_of_what(export: Callable[..., Path], lake: Path) -> None:
    sql = f"SELECT eventid FROM \"{PROD}\" WHERE eventtime >= timestamp '2026-11-19 00:00:00'"
    data = export(sql, "--account", "*")
    said = manifest_of(data)
    assert said["query"] == {"sql": sql}
    assert {one["id"] for one in said["scope"]["accounts"]} == {PROD, DEV}
    assert said["records"] == 40
    assert said["verified"] == {"verified": 0, "failed": 0, "unverified": 40}
    assert isinstance(said["snapshot"], int)
    assert any(line.startswith("Readable: ") for line in said["coverage"])
    assert said["by"]
    (source,) = [json.loads(line) for line in (data.parent / "evidence.jsonl.sources.jsonl").read_bytes().splitlines()]
    assert source["object"].startswith(f"AWSLogs/{PROD}/CloudTrail/us-east-1/2026/11/19/")
    assert (source["verified"], source["records"]) == (None, 40)


def test_files_are_their_owners_alone_and_are_not_replaced(
    export: Callable[..., Path], crosstrail: CommandLine, lake: Path, tmp_path: Path
) -> None:
    data = export(ALL)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"evidence.jsonl{end}" for end in ("", ".manifest.json", ".records.jsonl", ".sources.jsonl")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}
    before = data.read_bytes()
    export(f"{ALL} LIMIT 1", status=1)
    assert data.read_bytes() == before
    export(f"{ALL} LIMIT 1", "--overwrite")
    assert len(lines_of(data)) == 1
    other = tmp_path / "other"
    other.write_text("mine")
    (tmp_path / "link.jsonl").symlink_to(other)
    export(ALL, "--overwrite", name="link.jsonl", status=1)
    assert other.read_text() == "mine"
    assert not list(tmp_path.glob(".*"))


def test_rows_without_event_ids_are_exported_as_rows(export: Callable[..., Path], crosstrail: CommandLine) -> None:
    sql = "SELECT account, count(*) AS n FROM events GROUP BY 1 ORDER BY 1"
    data = export(sql)
    assert [json.loads(line) for line in lines_of(data)] == [{"account": PROD, "n": "40"}, {"account": DEV, "n": "20"}]
    said = manifest_of(data)
    assert (said["kind"], said["columns"]) == ("rows", ["account", "n"])
    assert check(crosstrail, data) == (0, [])


def test_rows_are_exported_as_rows_where_that_is_asked(export: Callable[..., Path]) -> None:
    data = export("SELECT eventid, eventname FROM events", "--rows")
    assert {frozenset(json.loads(line)) for line in lines_of(data)} == {frozenset({"eventid", "eventname"})}


@pytest.mark.parametrize("sql", [ALL, "SELECT account, eventname FROM events"])
def test_parquet_holds_the_same(export: Callable[..., Path], crosstrail: CommandLine, sql: str) -> None:
    import pyarrow.parquet as pq

    data = export(sql, name="evidence.parquet")
    lines = export(sql, "--overwrite", name="evidence.jsonl")
    column = "eventjson" if sql == ALL else "row"
    assert sorted(pq.read_table(data).column(column).to_pylist()) == sorted(line.decode() for line in lines_of(lines))
    assert check(crosstrail, data) == (0, [])
    raw = bytearray(data.read_bytes())
    raw[100] ^= 1
    data.write_bytes(raw)
    status, findings = check(crosstrail, data)
    done = crosstrail("export", "--check", f"{data}.manifest.json", "--format", "json")
    assert (done.returncode, rows_of("export --check", done.stdout)) == (status, findings)
    assert "NOT what the manifest says." in done.stderr
    assert status == 1
    assert findings[0]["problem"] == "changed"


def test_an_account_that_is_not_selected_is_not_exported(export: Callable[..., Path]) -> None:
    data = export(ALL, "--account", DEV)
    assert {json.loads(line)["recipientAccountId"] for line in lines_of(data)} == {DEV}
    copied = export(f"SELECT 'x' AS eventid UNION ALL SELECT eventid FROM \"{PROD}\"", name="two.jsonl")
    assert {json.loads(line)["recipientAccountId"] for line in lines_of(copied)} == {PROD}


def _edit(change: Callable[[list[bytes]], object]) -> Callable[[Path], None]:
    def edit(data: Path) -> None:
        lines = data.read_bytes().splitlines(keepends=True)
        change(lines)
        data.write_bytes(b"".join(lines))

    return edit


def _change(lines: list[bytes]) -> None:
    lines[6] = lines[6].replace(b"deploy-bot", b"deploy-b0t", 1)


def _swap(lines: list[bytes]) -> None:
    lines[6], lines[40] = lines[40], lines[6]


def _several(lines: list[bytes]) -> None:
    lines.pop(3)
    lines.insert(30, b"{}\n")
    _change(lines)


def _garble(lines: list[bytes]) -> None:
    lines[6] = b"\x00" + lines[6][1:]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (_change, {("changed", 7)}),
        (_garble, {("changed", 7)}),
        (lambda lines: lines.pop(6), {("missing", 7)}),
        (lambda lines: lines.pop(0), {("missing", 1)}),
        (lambda lines: lines.pop(), {("missing", COUNT)}),
        (lambda lines: lines.insert(6, b'{"eventID":"forged"}\n'), {("added", 7)}),
        (lambda lines: lines.append(b"{}"), {("added", COUNT + 1)}),
        (lambda lines: lines.insert(9, lines[20]), {("added", 10)}),
        (_swap, {("moved", 7), ("moved", 41)}),
        (lambda lines: lines.append(lines.pop(0)), {("moved", 1)}),
        (lambda lines: lines.insert(0, lines.pop()), {("moved", COUNT)}),
        (_several, {("missing", 4), ("added", 31), ("changed", 8)}),
        (lambda lines: lines.clear(), {("missing", number + 1) for number in range(COUNT)}),
    ],
    ids=["changed", "garbled", "dropped", "first-dropped", "last-dropped", "added", "appended", "repeated", "swapped",
         "to-the-end", "to-the-front", "several", "emptied"],
)  # fmt: skip
def test_every_tampering_is_named_and_nothing_else(
    copied: Path,
    crosstrail: CommandLine,
    change: Callable[[list[bytes]], object],
    expected: set[tuple[str, int]],
) -> None:
    data = copied
    ids = [json.loads(line)["eventID"] for line in lines_of(data)]
    _edit(change)(data)
    status, findings = check(crosstrail, data)
    assert status == 1
    of_records = [one for one in findings if one["what"] == "record"]
    assert {(one["problem"], one["record"]) for one in of_records} == expected
    assert len(of_records) == len(expected)
    for one in of_records:
        if one["problem"] != "added":
            assert one["event_id"] == ids[one["record"] - 1]
    assert [(one["what"], one["problem"]) for one in findings if one["what"] != "record"] == [("file", "changed")]


@pytest.mark.parametrize("end", ["", ".records.jsonl", ".sources.jsonl"])
def test_a_missing_or_changed_file_is_named(copied: Path, crosstrail: CommandLine, end: str) -> None:
    data = copied
    path = data.with_name(data.name + end)
    whole = path.read_bytes()
    path.write_bytes(whole + b" ")
    status, findings = check(crosstrail, data)
    assert (status, findings[0]["problem"], findings[0]["name"]) == (1, "changed", path.name)
    path.unlink()
    status, findings = check(crosstrail, data)
    assert (status, findings[0]["problem"], findings[0]["name"]) == (1, "missing", path.name)
    path.write_bytes(whole)
    assert check(crosstrail, data) == (0, [])


def test_an_appended_gzip_member_is_named(export: Callable[..., Path], crosstrail: CommandLine) -> None:
    data = export(ALL, name="evidence.jsonl.gz")
    raw = data.read_bytes()
    data.write_bytes(raw + gzip.compress(b'{"eventID":"forged"}\n'))
    _, findings = check(crosstrail, data)
    assert ("added", "forged") in {(one["problem"], one["event_id"]) for one in findings}
    data.write_bytes(raw[:-20])
    status, findings = check(crosstrail, data)
    assert (status, findings[-1]["problem"]) == (1, "unreadable")


def test_a_manifest_made_anew_is_told_by_its_noted_hash(copied: Path, crosstrail: CommandLine) -> None:
    data = copied
    path = data.with_name(f"{data.name}.manifest.json")
    noted = hashlib.sha256(path.read_bytes()).hexdigest()
    assert check(crosstrail, data, "--sha256", noted) == (0, [])
    path.write_text(path.read_text().replace(ALL, "SELECT eventid FROM prod"))
    assert check(crosstrail, data) == (0, [])
    status, findings = check(crosstrail, data, "--sha256", noted)
    assert (status, findings[0]["what"]) == (1, "manifest")


def keys(folder: Path, name: str) -> tuple[Path, Path]:
    """Files of a new private key and of its public one."""
    key, places = Ed25519PrivateKey.generate(), (folder / f"{name}.pem", folder / f"{name}.pub.pem")
    places[0].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    places[1].write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return places


def test_a_signed_manifest_is_its_signers(export: Callable[..., Path], crosstrail: CommandLine, tmp_path: Path) -> None:
    private, public = keys(tmp_path, "mine")
    _, others_public = keys(tmp_path, "other")
    data = export(ALL, "--sign-key", private)
    path = data.with_name(f"{data.name}.manifest.json")
    assert check(crosstrail, data, "--public-key", public) == (0, [])
    status, findings = check(crosstrail, data, "--public-key", others_public)
    assert (status, findings[0]["problem"], findings[0]["what"]) == (1, "changed", "manifest")
    whole = path.read_text()
    path.write_text(whole.replace(ALL, "SELECT eventid FROM prod"))
    assert check(crosstrail, data, "--public-key", public)[0] == 1
    path.write_text(whole)
    data.with_name(f"{data.name}.manifest.sig").unlink()
    status, findings = check(crosstrail, data, "--public-key", public)
    assert (status, findings[0]["problem"], findings[0]["reason"]) == (1, "missing", "it was not signed")
    export(ALL, "--sign-key", private, "--overwrite")
    assert check(crosstrail, data, "--public-key", public) == (0, [])
    export(ALL, "--overwrite")
    assert not data.with_name(f"{data.name}.manifest.sig").exists()
    export(ALL, "--sign-key", public, name="unsigned.jsonl", status=1)
    assert not (tmp_path / "unsigned.jsonl").exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda said: said.pop("files"),
        lambda said: said["files"][0].update(name="../../etc/passwd"),
        lambda said: said["files"][0].update(name="/etc/passwd"),
        lambda said: said.update(records="60"),
        lambda said: said.update(format="other"),
    ],
)
def test_what_is_no_manifest_is_refused(
    copied: Path, crosstrail: CommandLine, change: Callable[[dict[str, Any]], object]
) -> None:
    data = copied
    said = manifest_of(data)
    change(said)
    data.with_name(f"{data.name}.manifest.json").write_text(json.dumps(said))
    done = crosstrail("export", "--check", f"{data}.manifest.json")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no manifest of an export" in done.stderr


def test_what_is_printed_steers_no_terminal(export: Callable[..., Path], crosstrail: CommandLine) -> None:
    data = export("SELECT eventid FROM events WHERE errormessage <> '\x1b[31m'")
    path = data.with_name(f"{data.name}.manifest.json")
    assert b"\x1b" not in path.read_bytes()
    data.write_bytes(data.read_bytes() + b'{"eventID":"\\u001b[31m\\u202ered"}\n')
    done = crosstrail("export", "--check", path)
    assert "red" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr
    assert "\u202e" not in done.stdout + done.stderr


def test_a_statement_that_is_refused_leaves_nothing(
    export: Callable[..., Path], crosstrail: CommandLine, tmp_path: Path
) -> None:
    export("SELECT eventid FROM events) AS x (SELECT 1", status=1)
    export("SELECT eventid, eventid FROM events", status=1)
    export("SELECT CAST(eventname AS integer) AS n FROM events", status=1)
    export(ALL, "--limit", COUNT - 1, status=1)
    assert os.listdir(tmp_path) == []
