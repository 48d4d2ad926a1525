"""What `describe_trails` and `create_trail` say: where the trails of live accounts deliver, and whether they are logging."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from crosstrail.answers.blocks import Paged, block_of
from crosstrail.answers.coverage_text import asked, block, failed, named
from crosstrail.answers.render import ANSWER_BYTES, Answer, Fitted, Table, fence, fit_table, size
from crosstrail.clouds.base import CreatesTrails
from crosstrail.errors import InvalidRequest, UnsupportedByCloud
from crosstrail.lookup.fanout import Progress, ask_each
from crosstrail.models import NewTrail, Trail
from crosstrail.timerange import iso
from crosstrail.vocabulary import words
from crosstrail.workspace.scoped import ScopedWorkspace

_CELL_CAPS = (200, 100, 64, 32)
_FRAME_BYTES = 320
_USUAL = {"target_account_id": "", "trail_names": [], "region": ""}


async def describe(
    workspace: ScopedWorkspace,
    selector: str,
    names: Sequence[str],
    region: str,
    next_token: str = "",
    *,
    progress: Progress | None = None,
) -> Answer:
    """The trails of each target of a block. Raises the error of the only target asked; of several, failures are listed."""
    arguments = {"target_account_id": selector.strip(), "trail_names": list(names), "region": region.strip()}
    call, cursor = Paged("describe_trails", arguments, _USUAL, next_token).opened()
    names = call.texts("trail_names")
    selector, region = call.text("target_account_id"), call.text("region")
    chosen = await block_of(cursor, lambda start: workspace.targets(selector, region, start=start))
    with named(chosen.targets):
        trails, failures = await ask_each(
            chosen.targets,
            lambda target: target.trail.describe_trails(target, names),
            progress=progress,
            alone=chosen.total == len(chosen.targets),
        )
    # A trail of several regions is told by each of them.
    found = list(dict.fromkeys(trail for told in trails.values() for trail in told))
    head = [f"{asked(chosen.targets)}: {len(found)} trail{'s' * (len(found) != 1)}.", *block(chosen)]
    if failures:
        head.append(failed(failures))
    token, onward = call.next_call(chosen)
    facts = {"count": len(found), **({"next_token": token} if token else {})}
    last = [onward] if onward else []
    if not found:
        return Answer("\n".join([*head, *last]), facts, error=not trails)
    table = _table(found, ANSWER_BYTES - size("\n".join([*head, *last])) - _FRAME_BYTES)
    left = len(found) - table.shown
    note = [f"{left} more do not fit: name fewer accounts."] if left else []
    text = "\n".join([*head, fence(table.text), *note, *last])
    return Answer(text, facts, tables=[_as_table(found[: table.shown])])


async def create(workspace: ScopedWorkspace, selector: str, wanted: NewTrail, region: str) -> Answer:
    """Create one trail in one account and region. Raises InvalidRequest where more, or none, are named."""
    if not selector.strip():
        raise InvalidRequest(f"{words().account} is empty", hint="A write names its account: an id or an alias.")
    chosen = await workspace.targets(selector, region)
    if chosen.total > 1:
        raise InvalidRequest(
            f"a trail is created in one account and region, not in {asked(chosen.targets)}", hint="Name one of each."
        )
    target = chosen.targets[0]
    trail = target.trail
    if not isinstance(trail, CreatesTrails):
        raise UnsupportedByCloud(
            f"no trail can be created in account {target.account.name}", hint="That needs a live account (auth)."
        )
    with named(chosen.targets):
        made = await trail.create_trail(target, wanted)
    states = {True: "It is logging.", False: "It does not log yet.", None: f"See {words().trails} whether it logs."}
    state = states[made.logging]
    table = _table([made], ANSWER_BYTES)
    text = f"{asked(chosen.targets)}: the trail was created. {state}\n{fence(table.text)}"
    return Answer(text, tables=[_as_table([made])])


def _table(trails: list[Trail], room: int) -> Fitted:
    table = _as_table(trails)
    return fit_table(table.columns, table.rows, room, caps=_CELL_CAPS, fold=True)


def _as_table(trails: list[Trail]) -> Table:
    return Table(tuple(_trail_row(trails[0])), [tuple(_trail_row(trail).values()) for trail in trails])


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
