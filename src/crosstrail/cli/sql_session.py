"""One workspace and one engine for the statements of a command or of a shell, so that no statement but the first pays for a start.

Decides how a statement is asked: which accounts it may read, how its pages come and are written, what is said of what it could
read. Whoever cancels it cancels it upstream.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from crosstrail.answers.coverage_text import on_demand, verified
from crosstrail.answers.engine_coverage import readable_by
from crosstrail.answers.explain import explain
from crosstrail.cli.output import CommandOutput, RowType
from crosstrail.cli.output.sql_values import sql_cell, sql_column
from crosstrail.engines.base import Progress, QueryEngine, QueryScope, finished, run
from crosstrail.engines.workers import keep_warm
from crosstrail.lake.snapshot import AccountSummary
from crosstrail.models import Account, AccountKey, ResultPage
from crosstrail.settings.config import Settings
from crosstrail.workspace.query_engines import LAKE_ENGINE, time_limit
from crosstrail.workspace.scoped import ScopedWorkspace
from crosstrail.workspace.workspace import Workspace

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class SqlAnswer:
    """A statement that ended well. `first`: its first page; `covered`: what it could read."""

    engine: QueryEngine
    scope: QueryScope
    first: ResultPage
    covered: tuple[str, ...]

    @property
    def total(self) -> int:
        return max(self.first.status.rows or 0, len(self.first.rows))

    async def pages(self) -> AsyncIterator[ResultPage]:
        """All of them, one after the other. Raises what the engine does."""
        page = self.first
        yield page
        while page.next_token:
            ref, token = page.status.ref, page.next_token
            page = finished(await self.engine.results(ref, self.scope, page_token=token, limit=_PAGE))
            yield page

    async def write(self, output: CommandOutput, limit: int | None) -> int:
        """Each page as it comes, up to the limit; how many rows. Raises what the engine does, OSError."""
        types = self.first.types or ("",) * len(self.first.columns)
        columns = tuple(sql_column(name, one) for name, one in zip(self.first.columns, types, strict=True))
        kinds = [one.kind for one in columns]
        shown = 0
        with output.rows(RowType("query", columns)) as rows:
            async for page in self.pages():
                texts = page.rows if limit is None else page.rows[: limit - shown]
                rows.write_all(list(map(sql_cell, kinds, row)) for row in texts)
                shown += len(texts)
                if limit is not None and shown >= limit:
                    break
        return shown


class SqlSession:
    """`account`: a selector, empty for all; `engine`: a name, empty for the usual one."""

    def __init__(self, settings: Settings, account: str = "", engine: str = "") -> None:
        self._settings = settings
        self._workspace = Workspace(settings)
        self._view = ScopedWorkspace(self._workspace)
        self._account = account
        self._engine = engine

    async def ask(self, sql: str, *, first_rows: int = _PAGE, progress: Progress | None = None) -> SqlAnswer:
        """`first_rows`: of its first page. Raises SqlRejected, QueryFailed, QueryTimedOut, LakeError, AccountNotFound."""
        scope = await self._view.scope(self._account)
        engine = await self._workspace.engine_for(sql, scope, self._engine)
        covered = on_demand(await self._view.collect_on_demand(sql, scope)) if engine.name == LAKE_ENGINE else []
        wait = time_limit(self._settings, engine.name) * 2
        page = await run(engine, sql, scope, limit=min(first_rows, _PAGE), wait_seconds=wait, progress=progress)
        covered += verified(page.status.verified)
        covered += [f"It cost {page.status.cost}."] if page.status.cost else []
        covered += await readable_by(self._view, engine.name, scope.accounts, sql)
        return SqlAnswer(engine, scope, page, tuple(covered))

    async def explained(self, sql: str) -> str:
        """What it would read. Raises what `ask` does."""
        return (await explain(self._view, sql, self._account, self._engine)).text

    async def accounts(self) -> tuple[tuple[Account, AccountSummary | None], ...]:
        """Those that statements may read, with what the lake holds of each. Raises AccountNotFound, LakeError."""
        scope = await self._view.scope(self._account)
        held: dict[AccountKey, AccountSummary] = {one.key: one for one in await self._view.held()}
        return tuple((account, held.get(account.key)) for account in scope.accounts)

    @property
    def saved_folder(self) -> str:
        return self._settings.query.saved

    def keep_warm(self) -> None:
        """A statement is being typed: have a process ready for it where the last one ended for want of work."""
        if self._engine in ("", LAKE_ENGINE):
            keep_warm()

    async def aclose(self) -> None:
        await self._workspace.aclose()
