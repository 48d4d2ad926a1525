"""Whatever files are packed in, and whatever lies beside them: events go in, the rest is counted by its kind or named."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa
import pytest

from audit_logs import ids, record
from conftest import CommandLine
from crosstrail.lake.collector import CollectionReport, collect

_ONE, _TWO = (json.dumps({"Records": [record(number)]}).encode() for number in (1, 2))
_BOTH = [record(1)["eventID"], record(2)["eventID"]]


def _raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def _by_arrow(codec: str) -> Callable[[bytes], bytes]:
    return lambda data: bytes(pa.compress(data, codec=codec, asbytes=True))


def _tar(files: Mapping[str, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=form) as archive:
        link = tarfile.TarInfo("link.json")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        for name, data in files.items():
            about = tarfile.TarInfo(name)
            about.size = len(data)
            archive.addfile(about, io.BytesIO(data))
    return packed.getvalue()


def _zip(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        archive.writestr("folder/", b"")
        for name, data in files.items():
            archive.writestr(name, data)
    return packed.getvalue()


def _collected(tmp_path: Path, files: Mapping[str, bytes]) -> CollectionReport:
    for name, data in files.items():
        path = tmp_path / "logs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return collect([tmp_path / "logs"], tmp_path / "lake", workers=1)


_LONG = "a/" * 90 + "x.json"
_JOINED = _ONE + _TWO
_FILES = {"a.json": _ONE, _LONG: _TWO}
_PACKED = {
    "gzip.json.gz": gzip.compress(_JOINED),
    "members.json.gz": gzip.compress(_ONE) + gzip.compress(b"") * 50 + gzip.compress(_TWO) + b"\0" * 1000,
    "members-without-a-name": gzip.compress(_ONE) + gzip.compress(_TWO),
    "text-behind.gz": gzip.compress(_ONE) + b"\n" + _TWO,
    "gzip-behind.json": _ONE + b"\n" + gzip.compress(_TWO),
    "twice.json.gz": gzip.compress(gzip.compress(_ONE) + gzip.compress(_TWO)),
    "zlib.json.gz": zlib.compress(_JOINED),
    "deflate.gz": _raw_deflate(_JOINED),
    "bzip2.json.bz2": bz2.compress(_ONE) + bz2.compress(_TWO),
    "xz.json.xz": lzma.compress(_ONE) + lzma.compress(_TWO),
    "zstd.json.zst": _by_arrow("zstd")(_ONE) + _by_arrow("zstd")(_TWO),
    "long-text.json": b'{"Records":[' + b" " * (1 << 20) + json.dumps([record(1), record(2, userAgent="\u00e9" * (1 << 20))], ensure_ascii=False).encode()[1:] + b"}",
    "lz4.json": _by_arrow("lz4")(_JOINED),
    "plain.json.gz": _JOINED,
    "utf-16.txt": (_ONE + b"\n" + _TWO).decode().encode("utf-16"),
    "utf-16-without-a-mark.log": _JOINED.decode().encode("utf-16-le"),
    "padded.log": b"\0" * 5000 + _JOINED + b"\0" * 5000,
    "pax.tar": _tar(_FILES),
    "gnu.tar": _tar(_FILES, tarfile.GNU_FORMAT),
    "tar.tgz": gzip.compress(_tar(_FILES)),
    "zip.zip": _zip(_FILES),
    "bzip2.zip": _zip(_FILES, zipfile.ZIP_BZIP2),
    "stored.zip": _zip(_FILES, zipfile.ZIP_STORED),
    "zip-in-tar.tar.gz": gzip.compress(_tar({"inner.zip": _zip({"a.json.gz": gzip.compress(_ONE), "b": _TWO})})),
    "tar-in-zip": _zip({"inner.tar.gz": gzip.compress(_tar(_FILES))}),
}  # fmt: skip


@pytest.mark.parametrize("name", _PACKED)
def test_packed_file_gives_its_events_and_is_known_afterwards(name: str, tmp_path: Path) -> None:
    report = _collected(tmp_path, {name: _PACKED[name]})
    assert (report.new, report.problems, report.left_out) == (2, [], {})
    assert ids(tmp_path / "lake") == _BOTH
    again = collect([tmp_path / "logs"], tmp_path / "lake")
    assert (again.objects_read, again.objects_known, again.known) == (0, 1, 0)


def _flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]


_MANY = json.dumps(
    {"Records": [record(number, userAgent=f"{number * 7919:x}" * 9) for number in range(3, 200)]}
).encode()
_DAMAGED = {
    "checksum.gz": (_flipped(gzip.compress(_JOINED), -8), 2, "its checksum is wrong"),
    "checksum-of-one-member.gz": (_flipped(gzip.compress(_ONE), -8) + gzip.compress(_TWO), 2, "its checksum is wrong"),
    "cut.gz": (gzip.compress(_ONE) + gzip.compress(_TWO)[:-9], 2, "the gzip data is cut short"),
    "middle.gz": (_flipped(gzip.compress(_MANY), 900) + gzip.compress(_JOINED), 2, "the gzip data is damaged"),
    "garbage.gz": (gzip.compress(_JOINED) + b"\x80\x81garbage", 2, "what follows the gzip data is neither gzip nor text"),
    "cut.json.zst": (_by_arrow("zstd")(_ONE) + _by_arrow("zstd")(_TWO)[:-2], 1, "the zstd data is cut short"),
    "cut.bz2": (bz2.compress(_ONE) + bz2.compress(_TWO)[:-9], 1, "the bzip2 data is cut short"),
    "damaged.xz": (lzma.compress(_ONE) + _flipped(lzma.compress(_TWO), 60), 1, "the xz data is damaged"),
    "cut.tar": (_tar({"a.json": _ONE, "b.json": _TWO})[:3000], 1, "cut short"),
    "checksum.zip": (_zip({"a.json": _ONE, "b": _TWO}, zipfile.ZIP_STORED).replace(b"CreateUser", b"createUser", 1), 2, "its checksum is wrong"),
    "cut.zip": (_zip(_FILES)[:-30], 0, "the zip archive is damaged or cut short"),
}  # fmt: skip


@pytest.mark.parametrize("name", _DAMAGED)
def test_damaged_packing_gives_what_is_readable_and_is_named(name: str, tmp_path: Path) -> None:
    data, least, reason = _DAMAGED[name]
    report = _collected(tmp_path, {name: data})
    assert report.new >= least
    assert any(reason in problem.reason for problem in report.problems), report.problems
    assert collect([tmp_path / "logs"], tmp_path / "lake").objects_known == 0


def test_what_is_no_log_is_counted_by_its_kind(tmp_path: Path, crosstrail: CommandLine) -> None:
    logs = tmp_path / "logs"
    strangers = {
        "log": _ONE,
        "picture.png": b"\x89PNG\r\n\x1a\n\0\0",
        "program": b"\x7fELF\x02\x01\0\0\0",
        "notes.md": b"# notes\nnothing\n",
        "main.c": b"int main(void) {\n  int a[] = {1, 2};\n  return 0;\n}\n",
        "package.json": b'{"name": "x", "version": "1.0.0", "private": true, "scripts": {}}',
        "._log.json": b"\0\5\x16\7",
        ".DS_Store": b"\0\0\0\1Bud1",
        "empty.txt": b"",
        "AWSLogs/111122223333/CloudTrail-Digest/us-east-1/x.json.gz": gzip.compress(b"{}"),
        "esc\x1b[31m\n.json": b'["hello, terminal, hello, terminal, hello, terminal"]',
    }  # fmt: skip
    for name, data in strangers.items():
        (logs / name).parent.mkdir(parents=True, exist_ok=True)
        (logs / name).write_bytes(data)
    (logs / os.fsdecode(b"\xff.json")).write_bytes(_TWO)
    os.mkfifo(logs / "pipe.json")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/x.json").write_bytes(json.dumps([record(3)]).encode())
    (logs / "out").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (logs / "out.json").symlink_to(tmp_path / "elsewhere/x.json")
    (logs / "gone.json").symlink_to(tmp_path / "nothing")
    done = crosstrail("collect", logs, "--lake", logs / "lake", "--json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["new"], report["problems"]) == (0, 2, [])
    assert {kind: one["files"] for kind, one in report["left_out"].items()} == {
        "document or picture": 1,
        "binary file": 1,
        "text": 3,
        "other JSON": 1,
        "macOS metadata file": 2,
        "empty file": 1,
        "CloudTrail digest": 1,
        "pipe, socket or device": 1,
        "link out of the folder": 2,
        "link to nothing": 1,
    }
    assert "\x1b" not in done.stdout
    assert ids(logs / "lake") == _BOTH
    again = crosstrail("collect", logs, "--lake", logs / "lake")
    assert (again.returncode, "0 read" in again.stdout) == (0, True), again.stdout
    named = crosstrail("collect", logs / "picture.png", "--lake", tmp_path / "lake")
    assert named.returncode == 1
    assert "holds no audit events: document or picture" in named.stderr


def test_archive_of_very_many_files_is_read_whole(tmp_path: Path) -> None:
    files = {f"{number}.txt": b"" for number in range(66_000)} | _FILES  # more than the directory's 16 bits count
    report = _collected(tmp_path, {"many.zip": _zip(files, zipfile.ZIP_STORED)})
    assert (report.new, report.problems, report.left_out["empty file"].files) == (2, [], 66_000)


def test_one_file_may_hold_anything_within_its_limit(tmp_path: Path, crosstrail: CommandLine) -> None:
    (tmp_path / "one.json.gz").write_bytes(gzip.compress(_ONE + b" " * 5000 + _TWO))
    done = crosstrail("collect", tmp_path / "one.json.gz", "--lake", tmp_path / "lake", "--max-bytes", "3000")
    assert (done.returncode, "--max-bytes sets the limit" in done.stderr) == (1, True), done.stdout + done.stderr
    assert crosstrail("collect", tmp_path / "one.json.gz", "--lake", tmp_path / "lake").returncode == 0
    assert ids(tmp_path / "lake") == _BOTH
