"""The workspace: what waits for what."""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from crosstrail.errors import LakeError
from crosstrail.lake.catalog import CATALOG_FILE
from crosstrail.models import Account
from crosstrail.workspace.workspace import Workspace
from lake_workspace import NOON, PROD, collect, record, settings, write_logs


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_live_accounts_do_not_wait_for_a_lake_that_is_slow_to_open(tmp_path: Path) -> None:
    """The event loop asks for brokers: what makes it wait holds up every caller."""
    write_logs(tmp_path / "logs", [record(PROD, 1, NOON)])
    collect(tmp_path / "logs", tmp_path / "lake")
    workspace = Workspace(settings(tmp_path / "lake", ()))
    catalog = tmp_path / "lake" / CATALOG_FILE
    with closing(sqlite3.connect(catalog, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        own = _opened(catalog)
        opening = threading.Thread(target=lambda: workspace.lake)
        opening.start()
        while opening.is_alive() and _opened(catalog) == own:
            pass
        assert workspace.broker("aws").cloud == "aws"
        assert opening.is_alive()
        writer.execute("ROLLBACK")
    opening.join()
    assert [one.account for one in workspace.lake.accounts()] == [PROD]


@pytest.mark.anyio
async def test_a_trail_that_cannot_be_opened_is_tried_once_for_all_accounts_of_a_call(tmp_path: Path) -> None:
    write_logs(tmp_path / "logs", [record(PROD, 1, NOON)])
    collect(tmp_path / "logs", tmp_path / "lake")
    (tmp_path / "lake" / CATALOG_FILE).write_bytes(b"no catalog")
    workspace = Workspace(settings(tmp_path / "lake", ()))
    archives = [Account(id=PROD, archive="logs"), Account(id="222222222222", archive="logs")]
    one, other = (await workspace.targets_of(archives, "")).targets
    assert one.opened is other.opened
    raised = []
    for target in (one, other):
        with pytest.raises(LakeError) as caught:
            _ = target.trail
        raised.append(caught.value)
    assert raised[0] is not raised[1]  # what is noted on one caller's error is not on another's
    await workspace.aclose()


def _opened(file: Path) -> int:
    """How often this process has the file open."""
    found = 0
    for one in os.listdir("/proc/self/fd"):
        try:
            found += os.readlink(f"/proc/self/fd/{one}") == str(file)
        except OSError:  # closed meanwhile
            continue
    return found
