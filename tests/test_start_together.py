"""Processes that start at the same moment, and open what they share: none of them finds it locked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from running_server import PATIENCE

PROCESSES = 8
_RACE = """
import multiprocessing, sys
from pathlib import Path


def limits():
    from crosstrail.server.access.limits import Limits
    from crosstrail.settings.server_settings import LimitSettings
    return lambda folder: Limits(LimitSettings(), longest_query=60, shared=str(folder / "limits.db")).close()


def ledger():
    from crosstrail.lake.ledger import Ledger
    return lambda folder: Ledger(folder).close()


def lake():
    import pyiceberg.catalog.sql
    from crosstrail.lake.table import LakeTable
    return lambda folder: LakeTable.open(folder, create=True)


def enter(folders, together, errors):
    for folder in folders:
        together.wait()
        try:
            work(folder)
        except Exception as error:
            errors.put(f"{error!r} {error.__cause__!r}")
    errors.put("")


context = multiprocessing.get_context("fork")
work, processes, rounds = globals()[sys.argv[1]](), int(sys.argv[3]), int(sys.argv[4])
folders = [Path(sys.argv[2], str(number)) for number in range(rounds)]
for folder in folders:
    folder.mkdir()
together, errors = context.Barrier(processes), context.Queue()
started = [context.Process(target=enter, args=(folders, together, errors)) for _ in range(processes)]
for process in started:
    process.start()
ended = 0
while ended < processes:
    if error := errors.get():
        print(error)
    ended += not error
for process in started:
    process.join()
"""


@pytest.mark.parametrize(("what", "rounds"), [("limits", 300), ("ledger", 20), ("lake", 3)])
def test_what_several_open_at_once_is_locked_to_none(tmp_path: Path, what: str, rounds: int) -> None:
    """The calls they count, the list of files that were read, the catalog of the lake: each is made by whoever comes first."""
    command = [sys.executable, "-c", _RACE, what, str(tmp_path), str(PROCESSES), str(rounds)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
