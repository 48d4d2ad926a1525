"""The WINDOW clause: named windows written out where OVER names them.

Decides what a window takes of the one it names, as the SQL standard has it: PARTITION BY and ORDER BY come from there, a frame
is its own.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from crosstrail.engines.sql.expr import Refusal


def with_windows_written_out(select: exp.Select) -> exp.Select:
    """The same SELECT without its WINDOW clause. Raises Refusal for names that nothing stands for."""
    named: dict[str, exp.Window] = {}
    for window in select.args.pop("windows", None) or ():
        name = window.this.name.lower()
        if name in named:
            raise Refusal(f"the window {name[:60]} is defined twice")
        named[name] = _written_out(window, named)
    for window in list(_windows(select)):
        _written_out(window, named)
    return select


def _windows(select: exp.Select) -> Iterator[exp.Window]:
    """Those of the SELECT itself, and not of queries inside it."""
    for node in select.walk(prune=lambda node: node is not select and isinstance(node, exp.Query)):
        if isinstance(node, exp.Window):
            yield node


def _written_out(window: exp.Window, named: dict[str, exp.Window]) -> exp.Window:
    name = window.args.get("alias")
    if name is None:
        return window
    found = named.get(name.name.lower())
    if found is None:
        raise Refusal(f"there is no window {name.name[:60]}", "Define it: WINDOW name AS (PARTITION BY ...).")
    window.set("alias", None)
    bare = not any(window.args.get(part) for part in ("partition_by", "order", "spec"))
    if window.args.get("partition_by") or (window.args.get("order") and found.args.get("order")):
        raise Refusal("a window that names another takes its PARTITION BY and ORDER BY from there")
    if found.args.get("spec") and not bare:
        raise Refusal("a window with a frame cannot be named by another with clauses of its own")
    for part in ("partition_by", "order", "spec"):
        value = found.args.get(part)
        if value and not window.args.get(part):
            window.set(part, [one.copy() for one in value] if isinstance(value, list) else value.copy())
    return window
