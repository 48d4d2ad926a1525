"""`make site`: the documentation as mkdocs reads it, in build/site-pages, from README, docs/ and the other pages at the root.

README is the home page. Links that are right in the repository are made right among the pages; one to a file of the repository that
is no page becomes its path. A drawing that only a script from elsewhere could show becomes a list.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
_AT_ROOT = {
    "README.md": "index.md",
    "README.zh-CN.md": "index.zh.md",
    "CHANGELOG.md": "changes.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}
_LINK = re.compile(r"(!?)\[([^\]\n]*)\]\(([^)\s]+)\)")
_MERMAID = re.compile(r"^```mermaid\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
_ARROW = re.compile(r"^ *(\w+) --> (\w+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)\["([^"]+)"\]')
_COMMENT = re.compile(r"^<!--.*?-->\n", re.MULTILINE | re.DOTALL)


def write_pages(target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(ROOT / "docs" / "images", target / "images")
    shutil.copytree(Path(__file__).parent / "assets", target / "assets")
    for schema in (ROOT / "docs").glob("*.json"):
        shutil.copy(schema, target)
    made = {name: _page(source) for source, name in _sources()}
    english = [name for name in made if ".zh." not in name and name.replace(".md", ".zh.md") not in made]
    for name in english:
        made[name.replace(".md", ".zh.md")] = _among_chinese(made[name], set(made))
    for name, text in made.items():
        (target / name).write_text(text, "utf-8")


def _sources() -> Iterator[tuple[Path, str]]:
    """Each page's file and its name on the site."""
    yield from ((ROOT / path, name) for path, name in _AT_ROOT.items())
    yield from ((path, path.name) for path in sorted((ROOT / "docs").glob("*.md")))


def _page(source: Path) -> str:
    text = _COMMENT.sub("", source.read_text("utf-8"))
    text = _MERMAID.sub(lambda found: _as_list(found[1]), text)
    return _LINK.sub(lambda found: _link(source, *found.groups()), text)


def _among_chinese(text: str, names: set[str]) -> str:
    """A page that is in English alone, beside Chinese ones, whose headings are others: links go to their beginning."""

    def link(found: re.Match[str]) -> str:
        path, _, anchor = found[3].partition("#")
        if anchor and path.replace(".md", ".zh.md") in names:
            return f"{found[1]}[{found[2]}]({path})"
        return found[0]

    return _LINK.sub(link, text)


def _as_list(drawing: str) -> str:
    """Who imports whom, a line each."""
    labels, below = dict(_LABEL.findall(drawing)), dict[str, list[str]]()
    for one, other in _ARROW.findall(drawing):
        below.setdefault(one, []).append(labels.get(other, f"`{other}`"))
    return "".join(f"- `{one}` → {', '.join(others)}\n" for one, others in below.items())


def _link(source: Path, image: str, label: str, target: str) -> str:
    """Raises SystemExit for a link to a file that is not there."""
    path, sign, anchor = target.partition("#")
    if not path or "://" in path or path.startswith("mailto:"):
        return f"{image}[{label}]({target})"
    file = (source.parent / path).resolve()
    if not file.exists():
        raise SystemExit(f"{source.relative_to(ROOT)}: there is no {target}")
    inside = file.relative_to(ROOT).as_posix()
    name = _AT_ROOT.get(inside, inside.removeprefix("docs/"))
    if inside in _AT_ROOT or inside.startswith("docs/"):
        return f"{image}[{label}]({name.replace('.zh.md', '.md')}{sign}{anchor})"
    return f"`{inside}`" if label.strip("`") in (path, inside) else f"{label} (`{inside}`)"


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]))
