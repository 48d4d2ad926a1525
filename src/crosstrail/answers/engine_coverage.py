"""What an engine's answer could have been read from: of the lake as coverage_text.py says it, of others what is known here.

Decides that wording for SQL. It asks no engine.
"""

from __future__ import annotations

from collections.abc import Sequence

from crosstrail.answers.coverage_text import readable
from crosstrail.models import Account
from crosstrail.workspace.query_engines import ATHENA_ENGINE, ELSEWHERE, LAKE_ENGINE
from crosstrail.workspace.scoped import ScopedWorkspace


async def readable_by(workspace: ScopedWorkspace, engine: str, accounts: Sequence[Account], sql: str = "") -> list[str]:
    """What SQL over these accounts could read on the engine that ran it. A cloud's own says nothing of it."""
    if engine not in (LAKE_ENGINE, *ELSEWHERE):
        return []
    if engine == ATHENA_ENGINE and workspace.settings.athena.source == "logs":
        return [
            "Read: log files as they lie in the bucket, none checked against a digest. No event there may mean that no trail "
            "delivers there."
        ]
    if engine != LAKE_ENGINE and not workspace.settings.lake.exists():
        return [f"What the table on {engine} holds is not known here: no event there may mean that none was collected."]
    return await readable(workspace, accounts, sql)
