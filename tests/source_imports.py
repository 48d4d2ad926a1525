"""Which module of the source imports which, read from its text: for tests of its structure, and for the drawing in
docs/architecture.md. Nothing of it is run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src"
_FOOT = "foot"
"""Stands for all modules beside the packages."""


@cache
def modules() -> dict[str, Path]:
    """Every module of the source and its file."""
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    assert len(found) > 100
    return found


@cache
def tree(name: str) -> ast.Module:
    return ast.parse(modules()[name].read_text())


def imported(name: str, *, at_load: bool) -> set[str]:
    """The modules of the source that this one imports: of `from x import y` y where that is a module, else x."""
    found = set()
    for base, member in statements(tree(name), of=name, at_load=at_load):
        inner = f"{base}.{member}" if member else base
        found |= {inner} if inner in modules() else {base} & modules().keys()
    return found - {name}


def statements(inside: ast.AST, *, of: str, at_load: bool) -> Iterator[tuple[str, str]]:
    """(module, name imported from it) of each import; at_load: not those of functions, nor those for types alone."""
    for node in ast.iter_child_nodes(inside):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{of} imports relatively: ruff's TID forbids it"
            yield from ((node.module or "", alias.name) for alias in node.names)
        elif at_load and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        elif at_load and isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            for other in node.orelse:
                yield from statements(other, of=of, at_load=at_load)
        else:
            yield from statements(node, of=of, at_load=at_load)


def drawing() -> str:
    """The packages and the arrows between them, for Mermaid.

    An arrow that follows from others is left out: where a -> b -> c is drawn, a -> c is not.
    """
    graph: dict[str, set[str]] = {}
    for name in modules().keys() - {"crosstrail.__main__"}:
        graph.setdefault(_package(name), set()).update(_package(one) for one in imported(name, at_load=False))
    graph[_FOOT] = set()  # what stands beside the packages at other heights is not drawn
    lines = ["flowchart TD", f'  {_FOOT}["models, filters, errors and the other modules beside the packages"]']
    for package in sorted(graph.keys() - {_FOOT}):
        others = graph[package] - {package}
        nearer = set().union(*(_below(graph, other) for other in others))
        lines += [f"  {package} --> {other}" for other in sorted(others - nearer)]
    return "\n".join(lines)


def _package(module: str) -> str:
    """`crosstrail.lake.table` is in `lake`."""
    part = f"crosstrail.{module.split('.')[1]}" if "." in module else module
    return part.partition(".")[2] if modules()[part].name == "__init__.py" and part != "crosstrail" else _FOOT


def _below(graph: dict[str, set[str]], package: str) -> set[str]:
    """What the packages know that this one knows, at any distance."""
    seen: set[str] = set()
    left = list(graph[package] - {package})
    while left:
        if (one := left.pop()) not in seen:
            seen.add(one)
            left += graph[one] - {one}
    return seen
