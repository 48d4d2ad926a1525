"""What a statement would read and cost on each engine, and the text that an engine elsewhere would be sent: nothing is run.

Decides the wording. Which engine takes the statement is the workspace's to say, and what it reads the engine's.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from crosstrail.answers.render import Answer, listed
from crosstrail.engines.base import QueryScope
from crosstrail.errors import CrosstrailError
from crosstrail.models import AccountKey
from crosstrail.timerange import TimeRange
from crosstrail.workspace.query_engines import LAKE_ENGINE, TRINO_ENGINE, elsewhere
from crosstrail.workspace.scoped import ScopedWorkspace

if TYPE_CHECKING:
    from crosstrail.engines.compiling import EngineStatement

_NAMED = 10


@runtime_checkable
class TextEngine(Protocol):
    """An engine elsewhere: it is sent a text."""

    def text(self, sql: str, scope: QueryScope) -> Awaitable[EngineStatement]: ...


async def explain(workspace: ScopedWorkspace, sql: str, selector: str, engine: str = "") -> Answer:
    """Raises SqlRejected, AccountNotFound, and what opening the lake raises."""
    scope = await workspace.scope(selector)
    chosen = await workspace.engine_for(sql, scope, engine)
    if chosen.name not in (LAKE_ENGINE, *elsewhere(workspace.settings)):
        return Answer(f"Engine: {chosen.name}, which is sent the statement as it is.", {"engine": chosen.name})
    plan = await workspace.exporter().plan(sql, scope)
    facts: dict[str, object] = {"engine": chosen.name, "files": plan.files, "bytes": plan.bytes, "events": plan.events}
    lines = [f"Engine: {chosen.name}", _reads(plan.accounts, plan.span, scope)]
    settings = workspace.settings
    size = f"{plan.bytes / 1e6:,.1f} MB in {plan.files:,} data file{'s' * (plan.files != 1)}, {plan.events:,} events"
    too_much = ": too much, it would refuse" if plan.bytes > settings.lake.max_scan_bytes else ""
    lines.append(f"lake: reads at most {size} (lake.max_scan {settings.lake.max_scan}{too_much})")
    for name in elsewhere(settings):
        lines.append(f"{name}: {_cost(workspace, name, plan.bytes)}")
        try:
            other = workspace.engine(name)
            assert isinstance(other, TextEngine)  # noqa: S101 - each that can be configured
            sent = (await other.text(sql, scope)).sql
        except CrosstrailError as error:
            lines.append(f"  not sent: {error}")
            continue
        facts[f"sent_to_{name}"] = sent
        lines += [f"Sent to {name}:", sent]
    return Answer("\n".join(lines), facts)


def _reads(accounts: tuple[AccountKey, ...], span: TimeRange, scope: QueryScope) -> str:
    if not accounts:
        return "Reads: no account"
    names = {account.key: account.name for account in scope.accounts}
    shown = [names.get(key, key[1]) for key in accounts]
    more = f" and {len(shown) - _NAMED:,} more" if len(shown) > _NAMED else ""
    return f"Reads: {listed(shown[:_NAMED])}{more}; event times {span}"


def _cost(workspace: ScopedWorkspace, name: str, of_lake: int) -> str:
    if name == TRINO_ENGINE:
        return "the same files, of them the columns that are named; what it costs is the cluster's time"
    from crosstrail.engines.athena import cost

    athena = workspace.settings.athena
    if athena.source == "lake":
        return f"at most {cost(of_lake, athena.price_per_tb)}"
    price = f"{athena.price_per_tb:g} USD a TB"
    return f"{price} of the log files of these accounts and days; how many bytes they have is known when it has run"
