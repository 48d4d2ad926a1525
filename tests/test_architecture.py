"""What the source is built like: how long a module is, who imports whom, who names a cloud or a tool, and that imports are
declared.

Read from the source; nothing of it is run. Which layer may import which is import-linter's: see pyproject.toml.
"""

from __future__ import annotations

import ast
import json
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import Distribution, distributions
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from source_imports import SOURCE, imported, modules, statements, tree

ROOT = Path(__file__).parents[1]
LINES = 400
CLOUDS = re.compile(r"aws|volcengine|alibaba")
CLOUD_PACKAGE = re.compile(r"crosstrail\.clouds\.(?:aws|volcengine|alibaba)(?:\.|$)")
AT_HOME = ("crosstrail.clouds.aws", "crosstrail.clouds.volcengine", "crosstrail.clouds.alibaba", "crosstrail.demo")
NAMES_A_CLOUD = {
    "crosstrail.models": "the cloud of an account whose entry names none",
    "crosstrail.cli.deploy": "deploys to AWS",
    "crosstrail.deploy.aws": "deploys to AWS",
    "crosstrail.deploy.steps": "deploys to AWS",
    "crosstrail.engines.cloudtrail_lake": "an engine of AWS's",
    "crosstrail.workspace.workspace": "opens that engine",
    "crosstrail.workspace.athena_access": "opens another of AWS's",
    "crosstrail.answers.filter_hints": "knows how AWS spells what it logs",
    "crosstrail.workspace.request_workspace": "keys of Volcengine that requests bring",
    "crosstrail.server.auth.principals": "who brings them",
    "crosstrail.server.auth.sign_in": "asks for them",
    "crosstrail.server.volcengine.drop_in_requests": "takes the place of Volcengine's server",
    "crosstrail.server.volcengine.drop_in_settings": "takes the place of Volcengine's server",
    "crosstrail.server.volcengine.drop_in_tools": "takes the place of Volcengine's server",
}
"""Modules outside of a cloud's package that name one, each with its reason; the list may only shrink."""

UNTYPED = {
    "crosstrail.clouds.aws": "botocore's answers have no types",
    "crosstrail.clouds.volcengine": "nor have those of Volcengine's API",
    "crosstrail.clouds.alibaba": "nor those of Alibaba Cloud's",
    "crosstrail.deploy": "what AWS's commands print is JSON of any shape",
    "crosstrail.server.auth.oauth": "FastMCP's OAuth proxy passes on what it does not look at",
    "crosstrail.server.http": "ASGI scopes and messages are mappings of anything",
    "crosstrail.engines.sql": "sqlglot keeps the parts of an expression as anything",
}
"""Where `Any` may be written, each with its reason; the list may only shrink."""
MAX_ANY = 52
"""How often it is written elsewhere: for what mcp, pydantic and click leave open. The number may only shrink."""


def test_a_cloud_is_named_in_its_own_package_alone() -> None:
    naming = {name for name, path in modules().items() if not name.startswith(AT_HOME) and _names_a_cloud(path)}
    assert naming - NAMES_A_CLOUD.keys() == set(), "let the value `Cloud` say it"
    assert NAMES_A_CLOUD.keys() - naming == set(), "these name none any more: take them off the list"


def _names_a_cloud(path: Path) -> bool:
    """By a text that is a cloud's name and no more, or by an import of its package."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    texts = (node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))
    froms = (node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module)
    return any(map(CLOUDS.fullmatch, texts)) or any(map(CLOUD_PACKAGE.match, froms))


SPEAKS_OF_TOOLS = ("server", "cli", "launch", "wrap", "conformance", "demo")
"""Front ends, what checks one, and what shows one. All others write `words()` of crosstrail.vocabulary."""


def test_a_tool_and_its_parameters_are_named_by_front_ends_alone() -> None:
    tools = [json.loads(path.read_text()) for path in (ROOT / "tests" / "snapshots").glob("*.json")]
    names = {name for tool in tools for name in (tool["name"], *tool["inputSchema"]["properties"]) if "_" in name}
    assert {"lake_query", "next_token", "target_account_id"} <= names
    named = re.compile(rf"\b(?:{'|'.join(sorted(names))})\b")
    below = [name for name in modules() if name.split(".")[1:2] not in [[one] for one in SPEAKS_OF_TOOLS]]
    found = {(name, text) for name in below for text in prose(tree(name)) if named.search(text)}
    assert found == set(), "write words() instead"


def test_words_are_read_in_a_call_and_not_while_a_module_loads() -> None:
    """There is no front end yet: whoever comes first would have given its words to all."""
    assert [name for name in modules() if any(reads_words(node) for node in loaded(tree(name)))] == []


@pytest.mark.parametrize(
    ("source", "texts", "early"),
    [
        ('"""Of lake_query."""\nask("lake_query")', [], False),
        ('hint = "Use lake_query."', ["Use lake_query."], False),
        ("def f():\n    return f'lake_query{x}'", ["lake_query"], False),
        ("HINT = f'Use {words().sql}.'", ["Use ", "."], True),
        ("def f(hint=words().sql):\n    pass", [], True),
        ("class A:\n    hint = words().sql\n    def f(self):\n        return words().sql", [], True),
        ("def f():\n    return words().sql", [], False),
    ],
)
def test_prose_and_early_words_are_found(source: str, texts: list[str], early: bool) -> None:
    parsed = ast.parse(source)
    assert (list(prose(parsed)), any(map(reads_words, loaded(parsed)))) == (texts, early)


def prose(inside: ast.AST) -> Iterator[str]:
    """Texts of more than one word and parts of f-strings; neither docstrings nor what documents an attribute."""
    for node in ast.iter_child_nodes(inside):
        match node:
            case ast.Expr(ast.Constant(str())):
                continue
            case ast.Constant(str(text)) if isinstance(inside, ast.JoinedStr) or not text.isidentifier():
                yield text
            case _:
                yield from prose(node)


def loaded(inside: ast.AST) -> Iterator[ast.AST]:
    """What is evaluated while the module loads: all but the bodies of functions."""
    for node in ast.iter_child_nodes(inside):
        yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            for default in [*node.args.defaults, *filter(None, node.args.kw_defaults)]:
                yield default
                yield from loaded(default)
        else:
            yield from loaded(node)


def reads_words(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "words"


def test_a_module_has_at_most_400_lines() -> None:
    long = {name: count for name, path in modules().items() if (count := len(path.read_text().splitlines())) > LINES}
    assert long == {}, "split them"


def test_any_is_written_at_borders_to_untyped_libraries_alone() -> None:
    """Elsewhere what comes from outside is an `object` until its type is known (json_values.py)."""
    found = {name: count for name in modules() if not _at_a_border(name) and (count := anys(tree(name)))}
    assert sum(found.values()) <= MAX_ANY, sorted(found.items(), key=lambda one: -one[1])


def test_borders_to_untyped_libraries_exist() -> None:
    assert [border for border in UNTYPED if not any(_inside(name, border) for name in modules())] == []


def test_any_is_counted() -> None:
    source = """from typing import Any, Self\ndef f(a: Any, *, b: "list[int]") -> dict[str, Any]:\n    "Any text." """
    assert anys(ast.parse(source)) == 3


def _at_a_border(name: str) -> bool:
    return any(_inside(name, border) for border in UNTYPED)


def _inside(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def anys(inside: ast.AST) -> int:
    """How often the name `Any` is imported or written."""
    return sum(
        (isinstance(node, ast.Name) and node.id == "Any") or (isinstance(node, ast.alias) and node.name == "Any")
        for node in ast.walk(inside)
    )


def test_no_modules_import_each_other_when_they_are_loaded() -> None:
    assert circles({name: imported(name, at_load=True) for name in modules()}) == []


def test_no_modules_know_each_other() -> None:
    """Not by imports within functions or for types alone either."""
    assert circles({name: imported(name, at_load=False) for name in modules()}) == []


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        ({"a": {"b"}, "b": {"c"}, "c": set()}, []),
        ({"a": {"b"}, "b": {"a", "c"}, "c": set()}, [{"a", "b"}]),
        ({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"e"}, "e": {"d"}}, [{"a", "b", "c"}, {"d", "e"}]),
    ],
)
def test_circles_are_found(graph: Mapping[str, set[str]], expected: list[set[str]]) -> None:
    assert circles(graph) == expected


def test_a_public_class_has_a_name_of_its_own() -> None:
    """What each cloud has of its own kind may have one name in all of them."""
    named: dict[str, set[str]] = {}
    for name in modules():
        for node in tree(name).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                named.setdefault(node.name, set()).add("a cloud" if CLOUD_PACKAGE.match(name) else name)
    assert {one: places for one, places in named.items() if len(places) > 1} == {}


def test_what_the_source_imports_is_declared() -> None:
    """A package that another brings along today may be gone with that one's next release."""
    declared = declared_packages()
    missing = {(module, name) for name in modules() for module in outside(name) if not providers(module) & declared}
    assert missing == set()


def circles(graph: Mapping[str, set[str]]) -> list[set[str]]:
    """The largest sets in which everybody reaches everybody, in the order of the graph."""
    reached = {name: reachable(graph, name) for name in graph}
    found: list[set[str]] = []
    for name in graph:
        circle = {other for other in reached[name] if name in reached[other]}
        if circle and circle not in found:
            found.append(circle)
    return found


def reachable(graph: Mapping[str, set[str]], name: str) -> set[str]:
    """Itself is among them only where a way leads back."""
    seen: set[str] = set()
    left = list(graph[name])
    while left:
        one = left.pop()
        if one not in seen:
            seen.add(one)
            left += graph[one]
    return seen


def outside(name: str) -> set[str]:
    """The modules of other distributions that this one imports anywhere, as it names them."""
    named = {base for base, _ in statements(tree(name), of=name, at_load=False)}
    return {one for one in named if one.partition(".")[0] not in {"crosstrail", *sys.stdlib_module_names}}


@cache
def providers(module: str) -> set[str]:
    """The distributions whose file the module is; of a package without a file of its own, all that have a part of it."""
    path = module.replace(".", "/")
    exact = {owner for suffix in ("/__init__.py", ".py", "/__init__.pyi") for owner in owners().get(path + suffix, ())}
    parts = (found for file, found in owners().items() if file.startswith((f"{path}/", f"{path}.")))
    return exact or set().union(*parts)


@cache
def owners() -> dict[str, set[str]]:
    """File in site-packages -> the distributions that it is of."""
    found: dict[str, set[str]] = {}
    for one in distributions():
        name = canonicalize_name(one.name)
        for file in one.files or ():
            found.setdefault(str(file), set()).add(name)
    return found


def declared_packages() -> set[str]:
    """What pyproject.toml names, in whatever extra. A distribution without a module stands for what it requires."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    texts: Iterable[str] = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    named = {canonicalize_name(Requirement(text).name) for text in texts}
    return named | {
        canonicalize_name(Requirement(text).name)
        for one in distributions()
        if canonicalize_name(one.name) in named and not has_modules(one)
        for text in one.requires or ()
        if (marker := Requirement(text).marker) is None or marker.evaluate({"extra": ""})
    }


def has_modules(one: Distribution) -> bool:
    return any(file.suffix in {".py", ".so", ".pyd"} for file in one.files or ())


@pytest.mark.parametrize("page", ["docs/architecture.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_files_that_the_documentation_names_exist(page: str) -> None:
    """Whoever follows a call through the code opens one after the other."""
    text = re.sub(r"^(?:For|Six files)\b.*?(?:\n\n|\Z)", "", (ROOT / page).read_text(), flags=re.M | re.S)
    named = set(re.findall(r"`((?:[a-z_]+/)*[a-z_]+\.py)(?:[:`]| )", text))
    missing = [
        one for one in named if not any((base / one).exists() for base in (ROOT, SOURCE / "crosstrail", ROOT / "tests"))
    ]
    assert missing == []
    assert named or page == "SECURITY.md"
