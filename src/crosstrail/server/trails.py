"""What `describe_trails` says: where the trails of live accounts deliver, and whether they are logging."""

from __future__ import annotations

from collections.abc import Mapping

from crosstrail.estate import Estate
from crosstrail.lookup import ask_each
from crosstrail.models import Trail
from crosstrail.server.coverage import asked, failed, named
from crosstrail.server.render import ANSWER_BYTES, Answer, fence, fit_table, size
from crosstrail.timerange import iso

_CELL_CAPS = (200, 100, 64, 32)
_FRAME_BYTES = 320


async def describe(estate: Estate, selector: str, names: tuple[str, ...], region: str) -> Answer:
    """The trails of each target. Raises the error of the only target asked; of several, failures are listed."""
    targets = await estate.targets(selector, region)
    await estate.open_trails(targets)
    with named(targets):
        trails, failures = await ask_each(
            targets, lambda target: estate.trail_of(target.account).describe_trails(target, names)
        )
    found = [trail for told in trails.values() for trail in told]
    head = f"{asked(targets)}: {len(found)} trail{'s' * (len(found) != 1)}."
    if failures:
        head += f" {failed(failures)}"
    if not found:
        return Answer(head, error=not trails)
    columns = tuple(_trail_row(found[0]))
    rows = [tuple(_trail_row(trail).values()) for trail in found]
    table = fit_table(columns, rows, ANSWER_BYTES - size(head) - _FRAME_BYTES, caps=_CELL_CAPS, fold=True)
    note = f"\n{len(rows) - table.shown} more do not fit: name fewer accounts." if table.shown < len(rows) else ""
    return Answer(f"{head}\n{fence(table.text)}{note}", {"count": len(found)})


def _trail_row(trail: Trail) -> Mapping[str, str]:
    return {
        "trail": trail.name,
        "account": trail.account,
        "region": trail.region,
        "destination": trail.destination,
        "multi_region": _yes_no(trail.multi_region),
        "organization": _yes_no(trail.organization),
        "validates_files": _yes_no(trail.validates_files),
        "logging": _yes_no(trail.logging),
        "latest_delivery": iso(trail.latest_delivery) if trail.latest_delivery else "",
        "latest_error": trail.latest_error,
    }


def _yes_no(value: bool | None) -> str:
    return "" if value is None else "yes" if value else "no"
