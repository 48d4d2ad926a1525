"""What the SQL tools do and say: which engine, how long to wait, a page of rows as text.

Decides how an ended, a running and a failed query read. Every call recomputes what may be read from the accounts it
names: a query id grants nothing. It never looks into SQL (the engine does) and knows no MCP.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import cast

import anyio
import anyio.to_thread

from crosstrail.answers.coverage_text import on_demand, verified, verified_facts
from crosstrail.answers.engine_coverage import readable_by
from crosstrail.answers.render import ANSWER_BYTES, Answer, Fitted, Table, clean, fence, fit_table, size
from crosstrail.engines.base import Progress, QueryEngine, QueryScope, finished, run
from crosstrail.engines.cloudtrail_lake import CloudTrailLake
from crosstrail.errors import CrosstrailError, InvalidRequest, QueryTimedOut
from crosstrail.models import QueryRef, QueryState, QueryStatus, ResultPage
from crosstrail.vocabulary import words
from crosstrail.workspace.query_engines import LAKE_ENGINE
from crosstrail.workspace.scoped import ScopedWorkspace

WAIT_SECONDS = 50.0
"""The longest a call waits: below the 60 s at which common clients give up."""
FIRST_PAGE_ROWS = 100
_CELL_CAPS = (2_000, 600, 200)
_NARROWEST_CAPS = (100, 60, 30)


async def start(
    workspace: ScopedWorkspace,
    sql: str,
    selector: str,
    *,
    wait_seconds: float = WAIT_SECONDS,
    region: str = "",
    engine: str = "",
    progress: Progress | None = None,
) -> Answer:
    """Run one SELECT. After `wait_seconds` it goes on by itself and the answer tells its id; 0 does not wait at all.

    Raises SqlRejected, QueryFailed, QueryTimedOut, QueryCancelled, AccountNotFound.
    """
    if not sql.strip():
        raise InvalidRequest(
            "sql is empty", hint="Send one SELECT, for instance SELECT eventname, count(*) FROM events GROUP BY 1."
        )
    scope = await workspace.scope(selector, region)
    chosen = await workspace.engine_for(sql, scope, engine.strip())
    if chosen.name != CloudTrailLake.name:
        scope = replace(scope, region="")
    began = anyio.current_time()
    notes = on_demand(await workspace.collect_on_demand(sql, scope)) if chosen.name == LAKE_ENGINE else []
    if not wait_seconds:
        ref = await chosen.start(sql, scope)
        return _running(QueryStatus(ref, QueryState.QUEUED))
    left = max(wait_seconds - (anyio.current_time() - began), min(wait_seconds, 1.0))
    try:
        page = await run(chosen, sql, scope, limit=FIRST_PAGE_ROWS, wait_seconds=left, progress=progress)
    except QueryTimedOut as late:
        running = QueryRef.parse(late.query_id)
        if running is None:  # it was the query's own time limit
            raise
        return _running(QueryStatus(running, QueryState.RUNNING, seconds=wait_seconds))
    notes += verified(page.status.verified)
    notes += [f"It cost {page.status.cost}."] if page.status.cost else []
    notes += await readable_by(workspace, chosen.name, scope.accounts, sql)
    notes += (await workspace.listed()).warnings
    if region.strip() and chosen.name != CloudTrailLake.name:
        notes.append("Note: region does not narrow SQL here; write awsregion = '...' in the statement.")
    return await _page(chosen, scope, page, page_token="", note="\n".join(notes))


async def status(workspace: ScopedWorkspace, query_id: str, selector: str, region: str) -> Answer:
    """Raises InvalidRequest for an id that is unknown, expired, or over accounts outside the selector."""
    engine, ref, scope = await _query(workspace, query_id, selector, region)
    return _status(await engine.status(ref, scope))


async def cancel(workspace: ScopedWorkspace, query_id: str, selector: str, region: str) -> Answer:
    engine, ref, scope = await _query(workspace, query_id, selector, region)
    return _status(await engine.cancel(ref, scope))


async def results(
    workspace: ScopedWorkspace, query_id: str, selector: str, region: str, *, limit: int, page_token: str
) -> Answer:
    """A page of rows, or where the query stands while it has none. Raises StalePageToken, QueryFailed, ..."""
    engine, ref, scope = await _query(workspace, query_id, selector, region)
    page = await engine.results(ref, scope, page_token=page_token, limit=limit)
    if not page.status.state.ended:
        return _running(page.status)
    notes = []
    if not page_token:
        notes = [*verified(page.status.verified), *await readable_by(workspace, engine.name, scope.accounts)]
    return await _page(engine, scope, finished(page), page_token=page_token, note="\n".join(notes))


async def _query(
    workspace: ScopedWorkspace, query_id: str, selector: str, region: str
) -> tuple[QueryEngine, QueryRef, QueryScope]:
    text = query_id.strip()
    if not text:
        raise InvalidRequest(
            f"{words().query_id} is empty", hint=f"Send the {words().query_id} that {words().sql} returned."
        )
    scope = await workspace.scope(selector, region)
    ref = QueryRef.parse(text) or await _bare(workspace, text, scope)
    return workspace.engine(ref.engine), ref, scope


async def _bare(workspace: ScopedWorkspace, native_id: str, scope: QueryScope) -> QueryRef:
    """A native id without our words around it: the lake's, or one of CloudTrail Lake of the only live account named."""
    here = QueryRef(LAKE_ENGINE, "*", "", native_id)
    live = [account for account in scope.accounts if account.auth and account.cloud == CloudTrailLake.cloud]
    if not live:
        return here
    if workspace.settings.lake.exists() and not scope.region:
        with suppress(CrosstrailError):
            await workspace.engine().status(here, scope)
            return here
    if len(live) > 1:
        raise InvalidRequest(
            f"no query of the lake has this id, and there are {len(live)} live accounts whose CloudTrail Lake may have it",
            hint=f"Send {words().account} of one too, or the {words().query_id} as {words().sql} returned it.",
        )
    return await cast(CloudTrailLake, workspace.engine(CloudTrailLake.name)).found(native_id, scope)


def _running(state: QueryStatus) -> Answer:
    """An answer that leads on, not an error to give up at."""
    waited = f" after {state.seconds:.0f} s" if state.seconds else ""
    text = (
        f"Query {state.ref} is {state.state}{waited}; it goes on by itself.\n"
        f'Next: {words().results}({words().query_id}="{state.ref}"), or {words().cancel} with the same id.'
    )
    return Answer(text, {"query_id": str(state.ref), "state": state.state.value}, complete=True)


def _status(state: QueryStatus) -> Answer:
    facts: dict[str, str | int | float] = {"query_id": str(state.ref), "state": state.state.value}
    said = [f"Query {state.ref} is {state.state}"]
    if state.rows is not None:
        facts["rows"] = state.rows
        said.append(f"{state.rows} rows")
    if state.scanned_rows is not None:
        facts["scanned_rows"] = state.scanned_rows
        said.append(f"{state.scanned_rows} scanned")
    if state.scanned_bytes is not None:
        facts["scanned_bytes"] = state.scanned_bytes
        said.append(f"{state.scanned_bytes / 1e6:,.1f} MB read")
    if state.cost:
        facts["cost"] = state.cost
        said.append(state.cost)
    if state.percent is not None:
        facts["percent"] = round(state.percent, 1)
        said.append(f"{state.percent:.0f} % done")
    if state.seconds is not None:
        facts["seconds"] = round(state.seconds, 3)
        said.append(f"{state.seconds:.1f} s")
    text = ", ".join(said) + "."
    if state.error:
        facts["error"] = clean(state.error, 500)
        text += f" {facts['error']}"
    if state.state is QueryState.FINISHED:
        text += f'\nNext: {words().results}({words().query_id}="{state.ref}").'
    return Answer(text, facts, complete=True)


async def _page(engine: QueryEngine, scope: QueryScope, page: ResultPage, *, page_token: str, note: str = "") -> Answer:
    """The page as text. Rows that do not fit are left for the next page, which begins right after the last one shown."""
    room = ANSWER_BYTES - 900 - size(note)
    fitted = await anyio.to_thread.run_sync(_fit, page, room)
    if fitted.shown < len(page.rows):
        limit = fitted.shown
        page = finished(await engine.results(page.status.ref, scope, page_token=page_token, limit=limit))
        fitted = await anyio.to_thread.run_sync(_fit, page, room)
    ref, rows = page.status.ref, page.status.rows
    whole = rows is not None and len(page.rows) == rows
    total = "all there are" if whole else f"of {rows} in all" if rows is not None else "more may follow"
    head = f"Query {ref} FINISHED: {len(page.rows)} row{'s' * (len(page.rows) != 1)} here, {total}."
    parts = [head]
    if page.columns:
        parts.append(fence(fitted.text))
    if fitted.cut:
        parts.append(
            f"{fitted.cut} long cells are shortened (…): select fewer columns, or parts with json_extract_scalar or substr."
        )
    if page.next_token:
        parts.append(
            f'Next page: {words().results}({words().query_id}="{ref}", {words().next_page}="{page.next_token}")'
        )
    if note:
        parts.append(note)
    facts = {
        "query_id": str(ref),
        "state": page.status.state.value,
        "count": len(page.rows),
        "next_token": page.next_token,
        **verified_facts(page.status.verified),
    }
    found = [Table(page.columns, page.rows)]
    return Answer("\n".join(parts), facts if rows is None else {**facts, "rows": rows}, tables=found)


def _fit(page: ResultPage, room: int) -> Fitted:
    """All rows with cells of 200 bytes at least; else as many as fit; a row too long for that gets narrower cells."""
    fitted = fit_table(page.columns, page.rows, room, caps=_CELL_CAPS)
    if fitted.shown == 1 and len(page.rows) >= 1 and size(fitted.text) > room:
        return _first_row(page.columns, page.rows, room)
    return fitted


def _first_row(columns: Sequence[str], rows: Sequence[Sequence[str | None]], room: int) -> Fitted:
    return fit_table(columns, rows[:1], room, caps=_NARROWEST_CAPS)
