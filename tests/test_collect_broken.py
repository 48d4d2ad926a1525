"""Broken, hostile and repaired files: the rest goes in, what is wrong is named, nothing goes in twice."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from audit_logs import ids, log, record, write
from crosstrail.lake.collector import collect

_THREE = json.dumps({"Records": [record(1), record(2), record(3)]})
_SECOND_ENDS = _THREE.index(json.dumps(record(3))) - 2
_DEEP = '{"eventVersion": "1", "a": ' + "[" * 5000 + "]" * 5000 + "}"


def _nested(depth: int) -> dict[str, Any]:
    return {"a": _nested(depth - 1)} if depth else {}


@pytest.mark.parametrize(
    ("content", "kept", "position", "reason"),
    [
        pytest.param(_THREE[: _SECOND_ENDS + 30], [1, 2], "byte", "cut short", id="cut in a record"),
        pytest.param(_THREE[:_SECOND_ENDS], [1, 2], f"byte {_SECOND_ENDS}", "cut short", id="cut between records"),
        pytest.param(_THREE.replace('"eventName": "CreateUser"', '"eventName": Crea', 1), [2, 3], "byte", "damaged JSON", id="damage in the middle"),
        pytest.param("\n".join(map(json.dumps, [record(1), record(2)])) + '\n{"eventVer', [1, 2], "byte", "cut short", id="cut in a line"),
        pytest.param('{"broken\n' + "\n".join(map(json.dumps, [record(1), record(2)])), [1, 2], "byte 8", "damaged JSON", id="the first line broken"),
        pytest.param([record(1), record(2, eventTime="yesterday")], [1], "record 1", "no readable event time", id="no time"),
        pytest.param([record(1), {"eventID": "x", "CloudTrailEvent": "{"}], [1], "record 1", "the record inside is not JSON", id="a broken item"),
        pytest.param(f"[{json.dumps(record(1))}, {_DEEP}]", [1], ("byte", "record 1"), "", id="nested without end"),
        pytest.param([record(1), record(2, requestParameters=_nested(400)), record(3)], [1, 3], "record 1", "nested too deeply", id="nested too deeply"),
        pytest.param(json.dumps([record(1), record(2, requestParameters={"a": float("nan")}), record(3)]), [1, 3], "byte", "damaged JSON", id="not a number"),
        pytest.param("", [], "byte 0", "an empty file", id="empty"),
    ],
)  # fmt: skip
def test_broken_file(
    content: Any, kept: list[int], position: str | tuple[str, ...], reason: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "logs/one.json", content)
    for _ in range(2):  # the second time too: a broken file is never taken for read
        report = collect([tmp_path / "logs"], tmp_path / "lake")
        assert report.objects_failed == 1
        assert report.problems[0].path == str(path)
        assert report.problems[0].position.startswith(position)
        assert reason in report.problems[0].reason
    assert ids(tmp_path / "lake") == [record(number)["eventID"] for number in kept]
    write(path, {"Records": [record(number) for number in range(1, 5)]})
    report = collect([tmp_path / "logs"], tmp_path / "lake")
    assert (report.objects_read, report.problem_count, report.new) == (1, 0, 4 - len(kept))
    assert len(ids(tmp_path / "lake")) == 4


def test_a_byte_offset_points_at_the_damage(tmp_path: Path) -> None:
    text = json.dumps({"Records": [record(1, userAgent="é" * 50), record(2)]}, ensure_ascii=False)
    at = text.encode().index(b'"eventName"', len(text) // 2)
    write(tmp_path / "logs/one.json", text.encode()[:at] + b"!" + text.encode()[at:])
    report = collect([tmp_path / "logs"], tmp_path / "lake")
    assert report.problems[0].position == f"byte {at}"
    assert report.new == 1


def test_a_lone_surrogate_does_not_hide_an_event(tmp_path: Path) -> None:
    text = json.dumps([record(1), record(2)]).replace("aws-cli/2", "\\ud800", 1)
    report = collect([write(tmp_path / "one.json", text)], tmp_path / "lake")
    assert (report.new, report.problems) == (2, [])


def test_a_gzip_cut_short_or_damaged_gives_its_whole_records(tmp_path: Path) -> None:
    records = [record(number, userAgent=f"{number * 7919 % 10007:x}" * 40) for number in range(200)]
    whole = gzip.compress(json.dumps({"Records": records}).encode())
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/cut.json.gz").write_bytes(whole[: len(whole) // 2])
    report = collect([tmp_path / "logs"], tmp_path / "lake")
    assert [problem.reason for problem in report.problems] == ["the gzip data is cut short"]
    assert 50 < report.new < 200
    damaged = bytearray(whole)
    damaged[len(whole) * 3 // 4] ^= 0xFF
    (tmp_path / "logs/cut.json.gz").write_bytes(damaged)
    assert collect([tmp_path / "logs"], tmp_path / "lake").objects_failed == 1
    (tmp_path / "logs/cut.json.gz").write_bytes(whole)
    assert collect([tmp_path / "logs"], tmp_path / "lake").problem_count == 0
    assert len(ids(tmp_path / "lake")) == 200


def _bomb() -> bytes:
    """Gzip data of 280 MB, packed a thousand times smaller."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1) as stream:
        for _ in range(70):
            stream.write(b" " * (1 << 22))
    return packed.getvalue()


def test_bombs_are_refused_and_their_neighbours_go_in(tmp_path: Path) -> None:
    bomb = _bomb()
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/bomb.json.gz").write_bytes(bomb)
    with zipfile.ZipFile(tmp_path / "logs/bomb.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("inner.json.gz", bomb)
        archive.writestr("good.json", json.dumps([record(1)]))
    log(tmp_path / "logs/good.json", [2])
    report = collect([tmp_path / "logs"], tmp_path / "lake", workers=1)
    assert sorted(Path(problem.path).name for problem in report.problems) == ["bomb.json.gz", "bomb.zip!inner.json.gz"]
    assert all("refused" in problem.reason for problem in report.problems)
    assert len(ids(tmp_path / "lake")) == 2


def test_a_broken_zip_and_a_damaged_entry(tmp_path: Path) -> None:
    write(tmp_path / "logs/none.zip", b"PK\x03\x04 no zip")
    with zipfile.ZipFile(tmp_path / "logs/one.zip", "w") as archive:
        archive.writestr("bad.json", json.dumps([record(1)]))
        archive.writestr("good.json", json.dumps([record(2)]))
    data = (tmp_path / "logs/one.zip").read_bytes()
    (tmp_path / "logs/one.zip").write_bytes(data.replace(b"CreateUser", b"createUser", 1))  # its checksum is wrong now
    report = collect([tmp_path / "logs"], tmp_path / "lake")
    assert sorted(Path(problem.path).name for problem in report.problems) == ["none.zip", "one.zip!bad.json"]
    assert ids(tmp_path / "lake") == [record(1)["eventID"], record(2)["eventID"]]


def test_a_file_named_by_the_user_must_hold_events(tmp_path: Path) -> None:
    path = write(tmp_path / "logs/package.json", {"name": "other JSON"})
    assert collect([tmp_path / "logs"], tmp_path / "lake").problems == []
    report = collect([path], tmp_path / "lake2")
    assert [problem.reason for problem in report.problems] == ["holds no audit events: other JSON"]


def test_the_same_id_with_other_content_is_reported_and_kept_out(tmp_path: Path) -> None:
    log(tmp_path / "logs/a.json", [1, 2])
    reordered = dict(reversed(record(2).items()))
    write(tmp_path / "logs/b.json", [record(1, sourceIPAddress="203.0.113.66"), reordered])
    report = collect([tmp_path / "logs"], tmp_path / "lake")
    assert (report.new, report.known, report.conflicting) == (2, 2, 1)
    [conflict] = report.conflicts
    assert (conflict.event_id, Path(conflict.source).name) == (record(1)["eventID"], "b.json")
    write(tmp_path / "later/c.json", [record(2, eventTime="2027-01-01T00:00:00Z")])  # another day: another partition
    report = collect([tmp_path / "later"], tmp_path / "lake")
    assert (report.new, report.conflicting) == (0, 1)
    assert len(ids(tmp_path / "lake")) == 2


def test_an_event_of_two_accounts_is_two_events(tmp_path: Path) -> None:
    write(tmp_path / "one.json", [record(1), record(1, recipientAccountId="111111111111")])
    assert collect([tmp_path / "one.json"], tmp_path / "lake").new == 2
