"""A damaged lake names its damage: every file of a lake, damaged in every way, against collecting, queries and lookups."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest

from audit_logs import ACCOUNT, log
from conftest import CommandLine
from crosstrail.engines.base import QueryScope, run
from crosstrail.engines.duckdb import LakeEngine
from crosstrail.errors import CrosstrailError
from crosstrail.lake.catalog import CATALOG_FILE
from crosstrail.lake.collector import collect
from crosstrail.lake.faults import data_fault
from crosstrail.lake.lake_trail import LakeTrail
from crosstrail.lake.ledger import LEDGER_FILE
from crosstrail.lake.table import LakeTable
from crosstrail.models import Account, EventQuery, Target
from crosstrail.timerange import TimeRange
from running_server import PATIENCE

EVENTS = 40
_NOBODY = 65534
_OWNER = Account(id=ACCOUNT, cloud="aws")


@dataclass
class Lake:
    folder: Path
    logs: Path
    added: int = 0

    def files(self) -> dict[str, Path]:
        """One of each kind of file, the one that a reader of the newest snapshot needs."""
        metadata = self.folder / "events/metadata"
        with closing(LakeTable.open(self.folder)) as table:
            current = table._table.current_snapshot()
            assert current
            manifest = Path(current.manifests(table._table.io)[0].manifest_path)
            newest = Path(table._table.metadata_location)
            data = Path(table.plan(None)[0])
        return {
            "catalog": self.folder / CATALOG_FILE,
            "ledger": self.folder / LEDGER_FILE,
            "metadata": metadata / newest.name,
            "manifest list": metadata / Path(current.manifest_list).name,
            "manifest": metadata / manifest.name,
            "data": data,
        }

    def query(self, results: Path | None = None) -> str:
        """What a reader is told: the number of events, or why there is none."""

        async def ask() -> str:
            engine = LakeEngine(self.folder, results=results)
            try:
                sql = "SELECT count(eventjson), max(useragent) FROM events"
                page = await run(engine, sql, QueryScope((_OWNER,)), limit=1, wait_seconds=PATIENCE)
                return str(page.rows[0][0])
            finally:
                await engine.aclose()

        return _told(lambda: anyio.run(ask))

    def lookup(self) -> str:
        def ask() -> str:
            with closing(LakeTable.open(self.folder)) as table:
                query = EventQuery(TimeRange(), limit=50, with_record=True)
                page = anyio.run(LakeTrail(table).lookup_events, Target(_OWNER, ""), query)
                return str(len(page.events))

        return _told(ask)

    def collect(self) -> str:
        """Collects one event more; it may go in only where nothing that must be read for it is damaged."""
        name = self.logs / f"{self.added + 1}.json"
        log(name, [1000 + self.added])

        def add() -> str:
            report = collect([name], self.folder)
            self.added += report.new
            return str(EVENTS + self.added)

        return _told(add)


def _told(work: Callable[[], str]) -> str:
    try:
        return work()
    except CrosstrailError as error:
        return error.text


@pytest.fixture
def lake() -> Iterator[Lake]:
    """In a folder that other users may pass."""
    with tempfile.TemporaryDirectory(prefix="crosstrail-test-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "logs").mkdir()
        made = Lake(folder / "lake", folder / "logs")
        collect([log(folder / "logs/0.json", range(EVENTS))], made.folder)
        yield made


def _flipped(content: bytes, seed: int) -> bytes:
    changed = bytearray(content)
    for place in random.Random(seed).sample(range(len(content)), 5):  # noqa: S311 - the same each time
        changed[place] ^= 0x55
    return bytes(changed)


DAMAGES: dict[str, Callable[[bytes], bytes | None]] = {
    "missing": lambda content: None,
    "a folder": lambda content: None,
    "empty": lambda content: b"",
    "truncated": lambda content: content[: len(content) // 2],
    "garbage": lambda content: random.Random(1).randbytes(len(content)),  # noqa: S311 - the same each time
    **{f"flipped {seed}": lambda content, seed=seed: _flipped(content, seed) for seed in range(2)},  # type: ignore[misc]
}


def _everything(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and "results" not in path.parts}


@pytest.mark.parametrize("kind", ["catalog", "ledger", "metadata", "manifest list", "manifest", "data"])
def test_every_damage_is_named_and_made_no_worse(lake: Lake, kind: str) -> None:
    path = lake.files()[kind]
    before = _everything(lake.folder)
    wrong = []
    for damage, change in DAMAGES.items():
        for work in (lake.query, lake.lookup, lake.collect):
            lake.added = 0
            content = change(before[path])
            path.unlink()
            if damage == "a folder":
                path.mkdir()
            elif content is not None:
                path.write_bytes(content)
            told = work()
            right = told == str(EVENTS + lake.added)
            unseen = damage.startswith("flipped") and kind == "data" and told.isdigit()
            if not right and not unseen and not _is_named(told, path):
                wrong.append((damage, work.__name__, told))
            if not told.isdigit():
                assert all(file.exists() for file in before if file != path), (damage, work.__name__)
            _restore(lake.folder, before)
    assert not wrong
    assert lake.query() == lake.lookup() == str(EVENTS)


def _is_named(told: str, path: Path) -> bool:
    """The file, without the operator's folders, and not the statement's or a function's fault."""
    return path.name in told and str(path.parent.parent) not in told and "TRY" not in told and "defect" not in told


def _restore(folder: Path, before: dict[Path, bytes]) -> None:
    shutil.rmtree(folder)
    for path, content in before.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


@pytest.fixture
def as_nobody() -> Iterator[Callable[[], None]]:
    """After a call of it this process has the rights of a user who owns nothing, until the test ends."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to become another user")
    try:
        yield lambda: os.seteuid(_NOBODY)
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("kind", ["catalog", "ledger", "metadata", "manifest list", "manifest", "data"])
def test_files_of_another_user_are_named(lake: Lake, kind: str, as_nobody: Callable[[], None]) -> None:
    path = lake.files()[kind]
    for folder in (lake.folder, *lake.folder.rglob("*")):
        shutil.chown(folder, _NOBODY, _NOBODY)
    lake.logs.chmod(0o777)
    shutil.chown(path, 0, 0)
    path.chmod(0o600)
    as_nobody()
    for work in (lake.lookup, lake.collect):  # a query's process is started only by who may read this Python
        told = work()
        if kind == "ledger" and work != lake.collect:
            assert told == str(EVENTS)
        else:
            assert path.name in told
            assert "the user that runs crosstrail" in told


def test_a_lake_of_another_user_answers_lookups(lake: Lake, as_nobody: Callable[[], None]) -> None:
    """Nothing of it can be written, so a collection is refused."""
    for path in (lake.folder, *lake.folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    lake.logs.chmod(0o777)
    as_nobody()
    assert lake.lookup() == str(EVENTS)
    assert "cannot be written" in lake.collect() or "may not be used" in lake.collect()


def test_results_that_cannot_be_kept_name_the_setting(lake: Lake) -> None:
    in_the_way = lake.folder.parent / "results"
    in_the_way.write_text("a file")
    told = lake.query(results=in_the_way)
    assert "the folder of query results" in told
    assert "query.results_folder" in told
    elsewhere = lake.folder.parent / "elsewhere"
    assert lake.query(results=elsewhere) == str(EVENTS)
    assert not (lake.folder / "results").exists()


def test_a_read_only_file_system_answers_queries(lake: Lake, crosstrail: CommandLine, tmp_path: Path) -> None:
    mounted = subprocess.run(["mount", "-o", "bind,ro", lake.folder, lake.folder], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("needs the right to mount")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", lake.folder], check=True)
        told = crosstrail("query", "SELECT count(*) FROM events", "--lake", lake.folder)
        assert (told.returncode, str(EVENTS) in told.stdout) == (0, True), told.stderr
        told = crosstrail("lookup", "--account", ACCOUNT, "--lake", lake.folder)
        assert told.returncode == 0, told.stderr
        told = crosstrail("collect", log(tmp_path / "new.json", [7000]), "--lake", lake.folder)
        assert told.returncode == 1
        assert "Traceback" not in told.stderr
        assert "written" in told.stderr
    finally:
        subprocess.run(["umount", lake.folder], check=True)


_REFUSES_LOCKS = """
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <dlfcn.h>
static int refused(int command) { return command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK; }
#define FCNTL(name) int name(int file, int command, ...) { \\
    va_list rest; va_start(rest, command); void *argument = va_arg(rest, void *); va_end(rest); \\
    if (refused(command)) { errno = ENOLCK; return -1; } \\
    return ((int (*)(int, int, void *)) dlsym(RTLD_NEXT, #name))(file, command, argument); }
FCNTL(fcntl)
FCNTL(fcntl64)
int flock(int file, int operation) { errno = ENOLCK; return -1; }
"""


def test_a_file_system_without_locks_is_named_at_once(
    lake: Lake, crosstrail: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler = shutil.which("cc")
    if not compiler:
        pytest.skip("needs a C compiler, to refuse locks")
    (tmp_path / "refuse.c").write_text(_REFUSES_LOCKS)
    shim = tmp_path / "refuse.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", shim, tmp_path / "refuse.c", "-ldl"], check=True)
    monkeypatch.setenv("LD_PRELOAD", str(shim))
    for name in ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"):  # it could not lock its own file either
        monkeypatch.delenv(name, raising=False)
    new = log(tmp_path / "new.json", [7000])
    for command in (["query", "SELECT 1 FROM events"], ["collect", new], ["lookup", "--account", ACCOUNT]):
        told = crosstrail(*command, "--lake", lake.folder, timeout=60)
        assert told.returncode == 1, told.stdout
        assert "refuses locks" in told.stderr
        assert "Traceback" not in told.stderr


def test_the_command_line_says_so_and_ends_with_1(lake: Lake, crosstrail: CommandLine, tmp_path: Path) -> None:
    path = lake.files()["data"]
    path.write_bytes(path.read_bytes()[:100])
    new = log(tmp_path / "new.json", [7000])
    for command in (
        ["query", "SELECT count(eventjson) FROM events"],
        ["collect", new],
        ["lookup", "--account", ACCOUNT],
    ):
        told = crosstrail(*command, "--lake", lake.folder)
        assert told.returncode == 1, told.stdout
        assert path.name in told.stderr
        assert "Traceback" not in told.stderr


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text.replace('"format-version":2', '"format-version":9'), "format 9"),
        (lambda text: text.replace('"name":"verified"', '"name":"checked"'), "no column verified"),
    ],
)
def test_a_table_of_another_version_is_told(lake: Lake, change: Callable[[str], str], words: str) -> None:
    path = lake.files()["metadata"]
    text = path.read_text()
    path.write_text(change(text))
    assert path.read_text() != text
    for work in (lake.query, lake.lookup, lake.collect):
        assert words in work()
    path.write_text(text)
    assert lake.query() == str(EVENTS)


@pytest.mark.parametrize(
    "message",
    [
        "Conversion Error: Could not convert string 'TProtocolException: Invalid data' to INT32",
        'Invalid Input Error: Could not parse string "ZSTD parquet utf8 page header" according to format',
        "Invalid Input Error: a dictionary of a function",
    ],
)
def test_words_of_a_value_do_not_blame_a_sound_lake(lake: Lake, message: str) -> None:
    assert data_fault(message, [str(lake.files()["data"])]) is None
