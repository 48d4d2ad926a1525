"""Attacks of a caller of one account on a real Trino: what is answered is what the embedded engine says of that account alone."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from attack_statements import ATTACKS
from crosstrail.engines.base import QueryScope, run
from crosstrail.engines.results import ResultStore
from crosstrail.engines.trino import TrinoEngine
from crosstrail.engines.trino_access import TrinoAccess
from crosstrail.engines.trino_view import create_view, relation
from crosstrail.errors import QueryFailed, SqlRejected
from crosstrail.lake.table import LakeTable
from crosstrail.models import Account
from crosstrail.settings.config import load_settings
from crosstrail.workspace.lake_catalog import opened_catalog
from embedded import Embedded
from trino_lake import Judged

pytestmark = [pytest.mark.trino, pytest.mark.anyio]
VIEW, RAW = ("lake", "crosstrail", "audit_events"), ("lake", "crosstrail", "events")


async def test_attacks_on_trino_are_refused_or_say_nothing_of_other_accounts(judged: Judged, tmp_path: Path) -> None:
    made = judged.trino.ask(create_view(VIEW, RAW))
    assert not made.error, made.error
    for name in ('lake.crosstrail."events$files"', "lake.crosstrail.events", "system.runtime.queries", ".".join(VIEW)):
        # it is not for want of these that attacks fail
        assert judged.trino.ask(f"SELECT * FROM {name} LIMIT 1").rows, name
    ours, *others = sorted(judged.accounts, key=lambda account: account.id)
    scope = QueryScope((Account(id=ours.id, cloud=ours.cloud, alias="prod"),))
    url = f"http://127.0.0.1:{judged.server.port}"
    engine = TrinoEngine(
        TrinoAccess(url, relation(VIEW), "lake", "crosstrail", user="tests"), ResultStore(tmp_path / "results")
    )
    settings = load_settings(str(judged.config), {})
    answered = 0
    with (
        opened_catalog(settings) as catalog,
        closing(LakeTable.open(settings.lake.folder, catalog=catalog)) as table,
        closing(Embedded(scope, table.plan([ours.key]))) as alone,
    ):
        try:
            for sql in ATTACKS:
                try:
                    page = await run(engine, sql, scope, limit=100_000, wait_seconds=100)
                except (SqlRejected, QueryFailed):
                    continue
                answered += 1
                expected = alone.ask(sql)
                assert not expected.error, sql
                assert sorted(page.rows, key=repr) == sorted(map(tuple, expected.rows), key=repr), sql
                shown = repr(page.rows) + repr(page.columns)
                assert not any(f"'{other.id}'" in shown for other in others if other.id not in sql), sql
        finally:
            await engine.aclose()
    assert answered > 20
