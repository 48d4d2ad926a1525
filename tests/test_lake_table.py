"""The table: whose files a plan names, that a lost race is noticed, that a lake stays readable as it grows."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from audit_logs import ACCOUNT, ids, log, record, rows, volcengine_item, write
from crosstrail.errors import LakeError
from crosstrail.lake import compact
from crosstrail.lake.collector import collect
from crosstrail.lake.partition import partition_of, partition_path
from crosstrail.lake.schema import ALL_COLUMNS, ARROW_SCHEMA, ICEBERG_SCHEMA, duckdb_columns
from crosstrail.lake.snapshot import Snapshot
from crosstrail.lake.table import CommitLost, LakeTable
from crosstrail.timerange import TimeRange

OTHER = "111111111111"
SAME_NUMBER = "2100000001"

OpenLake = Callable[[Path], LakeTable]


@pytest.fixture
def open_lake() -> Iterator[OpenLake]:
    """Opens lakes that are closed when the test ends."""
    with ExitStack() as held:
        yield lambda folder: held.enter_context(closing(LakeTable.open(folder)))


@pytest.fixture
def lake(tmp_path: Path, open_lake: OpenLake) -> LakeTable:
    """Two AWS accounts, a Volcengine account, and an AWS account of the same number."""
    records = [record(number) for number in range(0, 4320, 60)]
    records += [record(number, recipientAccountId=OTHER) for number in range(5)]
    records += [record(number, recipientAccountId=SAME_NUMBER) for number in range(3)]
    write(tmp_path / "logs/aws.json", records)
    write(tmp_path / "logs/volcengine.json", [volcengine_item(1)])
    collect([tmp_path / "logs"], tmp_path / "lake")
    return open_lake(tmp_path / "lake")


def _accounts_in(paths: tuple[str, ...]) -> set[tuple[str, str]]:
    source = f"read_parquet({list(paths)!r}, hive_partitioning = false)"
    return set(duckdb.execute(f"SELECT DISTINCT cloud, account FROM {source}").fetchall())


def test_a_plan_names_only_files_of_its_accounts(lake: LakeTable) -> None:
    everyone = {("aws", ACCOUNT), ("aws", OTHER), ("aws", SAME_NUMBER), ("volcengine", SAME_NUMBER)}
    for account in everyone:
        assert _accounts_in(lake.plan([account])) == {account}
    pair = [("aws", OTHER), ("volcengine", SAME_NUMBER)]
    assert _accounts_in(lake.plan(pair)) == set(pair)
    assert _accounts_in(lake.plan(None)) == everyone
    assert lake.plan([]) == ()
    assert lake.plan([("volcengine", ACCOUNT), ("aws", "12345678901")]) == ()
    assert all(Path(path).is_absolute() for path in lake.plan(None))


def test_a_plan_leaves_out_files_outside_the_span(lake: LakeTable) -> None:
    assert len(lake.plan([("aws", ACCOUNT)])) == 3
    day = datetime(2026, 3, 2, tzinfo=UTC)
    [path] = lake.plan([("aws", ACCOUNT)], TimeRange(day, day + timedelta(hours=23)))
    assert "2026-03-02" in path
    assert lake.plan(None, TimeRange(datetime(2030, 1, 1, tzinfo=UTC), None)) == ()
    assert lake.plan(None, TimeRange(None, datetime(2020, 1, 1, tzinfo=UTC))) == ()


def test_accounts_are_counted_from_metadata(lake: LakeTable) -> None:
    found = {summary.key: summary for summary in lake.accounts()}
    assert {key: summary.events for key, summary in found.items()} == {
        ("aws", ACCOUNT): 72,
        ("aws", OTHER): 5,
        ("aws", SAME_NUMBER): 3,
        ("volcengine", SAME_NUMBER): 1,
    }
    assert found["aws", ACCOUNT].first == datetime(2026, 3, 1, 0, 0, 7, tzinfo=UTC)
    assert found["aws", ACCOUNT].last == datetime(2026, 3, 3, 23, 0, 7, tzinfo=UTC)


def test_other_iceberg_readers_see_the_same_rows(lake: LakeTable, tmp_path: Path) -> None:
    from pyiceberg.catalog.sql import SqlCatalog

    with closing(SqlCatalog("crosstrail", uri=f"sqlite:///{tmp_path / 'lake' / 'catalog.sqlite'}")) as catalog:
        found = catalog.load_table("crosstrail.events").scan(row_filter=f"account == '{ACCOUNT}'").to_arrow()
    assert found.num_rows == 72
    assert set(found["account"].to_pylist()) == {ACCOUNT}
    assert found.column_names == [column.name for column in ALL_COLUMNS]


def test_both_schemas_have_every_column_in_order() -> None:
    names = [column.name for column in ALL_COLUMNS]
    assert ARROW_SCHEMA.names == names
    assert [field.name for field in ICEBERG_SCHEMA.fields] == names
    assert [field.field_id for field in ICEBERG_SCHEMA.fields] == [*range(1, 44), 102]  # nested ones have 44 to 101


def test_duckdb_reads_the_columns_that_both_schemas_have() -> None:
    with duckdb.connect(":memory:") as connection:
        connection.register("none", ARROW_SCHEMA.empty_table())
        described = connection.execute("SELECT column_name, column_type FROM (DESCRIBE none)").fetchall()
        found = duckdb_columns()
        assert list(found) == [name for name, _ in described]
        for name, kind in described:
            number, own = found[name]
            assert number == ICEBERG_SCHEMA.find_field(name).field_id
            assert connection.execute(f"SELECT typeof(NULL::{own}) = typeof(NULL::{kind})").fetchone() == (True,), name


def _by_pyiceberg(folder: Path) -> tuple[str, Snapshot]:
    """What a table that may be written is read by."""
    with closing(LakeTable.open(folder, create=True)) as table:
        return table.uuid, table.snapshot()


def test_a_reader_sees_what_pyiceberg_sees(tmp_path: Path, open_lake: OpenLake) -> None:
    lake = tmp_path / "lake"
    with closing(LakeTable.open(lake, create=True)):
        pass
    table = open_lake(lake)
    assert (table.uuid, table.snapshot()) == _by_pyiceberg(lake)
    for number in range(22):  # until lists of files are merged, and files are replaced by larger ones
        collect([log(tmp_path / f"{number}.json", range(number, number + 3))], lake)
        if number % 5 == 4:
            assert (table.uuid, table.snapshot()) == _by_pyiceberg(lake)
    assert table.snapshot() is table.snapshot()
    write(tmp_path / "other.json", [record(2, errorCode="AccessDenied", eventName="Other")])
    collect([tmp_path / "other.json"], lake)  # a conflict: a file is replaced, as one entry of a list
    assert (table.uuid, table.snapshot()) == _by_pyiceberg(lake)


def _loaded_by(*command: str) -> set[str]:
    """The libraries that a command of crosstrail loads."""
    arguments = [sys.executable, "-X", "importtime", "-m", "crosstrail", *command]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=120, check=True)
    loaded = {line.rsplit("|", 1)[1].strip().split(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert "crosstrail" in loaded
    return loaded


def test_a_command_that_reads_loads_no_library_that_writes(tmp_path: Path) -> None:
    lake = ("--lake", str(tmp_path / "lake"))
    collect([log(tmp_path / "log.json", range(3))], tmp_path / "lake")
    heavy = {"pyiceberg", "sqlalchemy", "mcp", "botocore", "aiohttp", "volcenginesdkcore"}
    assert not heavy & _loaded_by("lookup", "--account", "*", *lake)
    assert not heavy & _loaded_by("query", "SELECT count(*) FROM events", *lake)


def test_help_loads_no_library_but_that_of_the_command_line() -> None:
    for command in (["--help"], ["lookup", "--help"], ["query", "--help"]):
        assert not {"pydantic", "yaml", "anyio", "pyarrow", "duckdb"} & _loaded_by(*command)


def test_a_commit_on_an_old_snapshot_is_lost(tmp_path: Path, open_lake: OpenLake) -> None:
    log(tmp_path / "logs/1.json", [1])
    collect([tmp_path / "logs"], tmp_path / "lake")
    ours = open_lake(tmp_path / "lake")
    base = ours.snapshot()
    log(tmp_path / "logs/2.json", [2])
    collect([tmp_path / "logs"], tmp_path / "lake")
    copy = Path(base.files[0].path).with_name("copy.parquet")
    shutil.copy(base.files[0].path, copy)
    with pytest.raises(CommitLost):
        ours.commit(base, [copy])
    assert len(ids(tmp_path / "lake")) == 2


def test_an_open_table_sees_what_others_commit(tmp_path: Path, open_lake: OpenLake) -> None:
    log(tmp_path / "logs/1.json", [1])
    collect([tmp_path / "logs"], tmp_path / "lake")
    table = open_lake(tmp_path / "lake")
    assert sum(summary.events for summary in table.accounts()) == 1
    log(tmp_path / "logs/2.json", [2, 3])
    collect([tmp_path / "logs"], tmp_path / "lake")
    assert sum(summary.events for summary in table.accounts()) == 3


def test_threads_share_a_table(lake: LakeTable) -> None:
    plans: list[tuple[str, ...]] = []
    threads = [threading.Thread(target=lambda: plans.append(lake.plan(None))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(plans) == 8
    assert len(set(plans)) == 1


def test_no_lake_says_so(tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="there is no lake"):
        LakeTable.open(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


def test_a_folder_with_letters_that_mean_something_elsewhere(tmp_path: Path) -> None:
    folder = tmp_path / "it's a läke? #1 100%25 &b=c"
    collect([log(tmp_path / "1.json", [1, 2])], folder)
    assert len(ids(folder)) == 2


def test_many_small_collections_are_compacted(tmp_path: Path, open_lake: OpenLake) -> None:
    lake = tmp_path / "lake"
    for number in range(compact.MAX_FILES + 2):
        log(tmp_path / f"logs/{number}.json", [number, number + 1])
        collect([tmp_path / f"logs/{number}.json"], lake)
    table = open_lake(lake)
    assert len(table.plan(None)) <= 2
    found = rows(lake, "eventid, eventtime, cloud, account")
    assert [row["eventid"] for row in found] == [record(number)["eventID"] for number in range(compact.MAX_FILES + 3)]
    before = len(list(table.data_folder.rglob("*.parquet")))
    table.expire(datetime.now(UTC))
    assert before > len(list(table.data_folder.rglob("*.parquet"))) == len(table.plan(None))
    assert len(ids(lake)) == compact.MAX_FILES + 3


def _count(paths: Iterable[str]) -> int:
    [(found,)] = duckdb.execute(f"SELECT count(DISTINCT eventid) FROM read_parquet({list(paths)!r})").fetchall()
    return int(found)


def test_files_stay_for_those_who_read_them_when_they_were_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_lake: OpenLake
) -> None:
    lake = tmp_path / "lake"
    for number in range(4):
        collect([log(tmp_path / f"{number}.json", [number])], lake)
    table = open_lake(lake)
    begun = table.plan(None)
    long_after_that_snapshot = datetime.now(UTC)
    monkeypatch.setattr(compact, "MAX_FILES", 3)
    assert compact.compact(table, "run") == 4
    table.expire(long_after_that_snapshot)
    assert _count(begun) == 4
    table.expire(datetime.now(UTC))
    assert not any(Path(path).exists() for path in begun)
    assert len(ids(lake)) == 4


def test_collectors_compact_under_each_other_and_under_queries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_lake: OpenLake
) -> None:
    monkeypatch.setattr(compact, "MAX_FILES", 6)
    lake, each, collectors = tmp_path / "lake", 3, 3
    collect([log(tmp_path / "first.json", [0])], lake)
    table = open_lake(lake)
    begun = [table.plan(None)]

    def collect_many(first: int) -> None:
        for number in range(first, first + each):
            collect([log(tmp_path / f"{number}.json", [number, number - 1])], lake)

    threads = [threading.Thread(target=collect_many, args=(1 + number * each,)) for number in range(collectors)]
    for thread in threads:
        thread.start()
    counts = [1]
    while any(thread.is_alive() for thread in threads):
        begun.append(table.plan(None))
        counts.append(_count(begun[-1]))
    for thread in threads:
        thread.join()
    assert counts == sorted(counts)
    assert [_count(paths) for paths in begun] == counts
    everything = [record(number)["eventID"] for number in range(collectors * each + 1)]
    assert ids(lake) == everything
    assert len(table.plan(None)) <= compact.MAX_FILES
    assert {str(path) for path in table.data_folder.rglob("*.parquet")} == table.referenced()


@pytest.mark.parametrize("account", ["111111111111", "..", ".", "a/../b", "team.a/prod", "a%2Eb"])
def test_an_account_has_one_folder_of_its_own(tmp_path: Path, account: str) -> None:
    """Whatever sign its id holds, which came out of a log."""
    folder = tmp_path / partition_path("cloud", account, "2026-11-19")
    assert folder.resolve().parents[1] == tmp_path.resolve() / "cloud"
    assert partition_of(folder / "0.parquet") == ("cloud", account, date(2026, 11, 19))
