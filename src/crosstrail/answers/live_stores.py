"""The event data stores that live accounts have in their own cloud, for `list_event_data_stores`.

Decides how they are asked for and listed, failures included; it never lists those of the embedded lake.
"""

from __future__ import annotations

from collections.abc import Sequence

from crosstrail.answers.coverage_text import asked, block, failed
from crosstrail.answers.render import Fitted, Table, fence, fit_table, size
from crosstrail.clouds.base import HasEventDataStores
from crosstrail.engines.cloudtrail_lake import CLOSED
from crosstrail.errors import CrosstrailError
from crosstrail.lookup.fanout import Failure, Progress, ask_each
from crosstrail.lookup.targets import Chosen, OpenTarget
from crosstrail.models import EventDataStore
from crosstrail.timerange import iso

_CELL_CAPS = (200, 100, 60, 36)


async def live_stores(
    chosen: Chosen,
    *,
    details: bool,
    room: int,
    progress: Progress | None = None,
) -> tuple[str, Table]:
    """A paragraph and a table in about `room` bytes, and the stores that it shows; nothing where there is no target."""
    if not chosen.targets:
        return "", _rows(())

    async def ask(target: OpenTarget) -> tuple[EventDataStore, ...]:
        trail = target.trail
        return (
            await trail.list_event_data_stores(target, details=details) if isinstance(trail, HasEventDataStores) else ()
        )

    try:
        alone = chosen.total == len(chosen.targets)
        answers, failures = await ask_each(chosen.targets, ask, progress=progress, alone=alone)
    except CrosstrailError as error:  # of the only target: what the lake has is an answer still
        answers, failures = {}, (Failure(chosen.targets[0], error),)
    found = [store for stores in answers.values() for store in stores]
    head = [f"CloudTrail Lake of {asked(chosen.targets)}: {len(found)} event data store{'s' * (len(found) != 1)}."]
    head += block(chosen)
    head += [failed(failures)] if failures else []
    head += [CLOSED] if not found and not failures else []
    if not found:
        return "\n".join(head), _rows(())
    table = _table(found, room - size("\n".join(head)))
    if table.shown < len(found):
        head.append(f"{len(found) - table.shown} more do not fit: narrow them by a selector such as prod-*.")
    return "\n".join([*head, fence(table.text)]), _rows(found[: table.shown])


def _table(stores: Sequence[EventDataStore], room: int) -> Fitted:
    table = _rows(stores)
    whole = frozenset({"event_data_store_id"})
    return fit_table(table.columns, table.rows, room, caps=_CELL_CAPS, whole=whole, fold=True)


def _rows(stores: Sequence[EventDataStore]) -> Table:
    columns = ("event_data_store_id", "account", "region", "name", "status", "events", "days_kept", "created", "error")
    rows = [
        (
            store.id,
            store.account,
            store.region,
            store.name,
            store.status,
            " ".join(store.categories),
            str(store.retention_days or ""),
            iso(store.created) if store.created else "",
            store.error,
        )
        for store in stores
    ]
    return Table(columns, rows)
