"""What mkdocs calls while it builds the site: pages that no section names, and Chinese in the search.

Chinese words are told by the pages themselves, since no dictionary is installed: a run of characters is cut into words of one or
two, by how often the pages have two together; the search in the browser cuts what somebody types by the words that it finds in the
index. They are parted by a space of no width, as mkdocs-material does it.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority

_HAN = re.compile(r"[\u3400-\u9fff]+")
_OFTEN = 3
"""How often two characters stand together where they may be a word."""
_LEAST = 5.0
_BETWEEN = "\u200b"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """A new page is on the site at once: under Reference, until the navigation says where it belongs."""
    sections = config.nav or []
    named = set(re.findall(r"[\w-]+\.md", json.dumps(sections)))
    pages = (path.name for path in sorted(Path(config.docs_dir).glob("*.md")) if ".zh." not in path.name)
    for section in sections:
        if "Reference" in section:
            section["Reference"] += [name for name in pages if name not in named]
    return config


@event_priority(-200)  # after the plugin of the languages, which joins their indexes
def on_post_build(config: MkDocsConfig) -> None:
    """mkdocs calls it when the site is written."""
    path = Path(config.site_dir) / "search" / "search_index.json"
    index = json.loads(path.read_text("utf-8"))
    bonds = bonds_of(f"{page['title']}\n{page['text']}" for page in index["docs"])
    for page in index["docs"]:
        page.update({part: parted(page[part], bonds) for part in ("title", "text")})
    path.write_text(json.dumps(index, ensure_ascii=False, separators=(",", ":")), "utf-8")


def parted(text: str, bonds: Mapping[str, float]) -> str:
    return _HAN.sub(lambda run: _BETWEEN.join(cut(run[0], bonds)), text)


def bonds_of(texts: Iterable[str]) -> dict[str, float]:
    """How firmly two characters belong together, of the pairs that do: how often they do, beside how often each is there at all."""
    runs = [run for text in texts for run in _HAN.findall(text)]
    single = Counter(sign for run in runs for sign in run)
    pairs = Counter(run[place : place + 2] for run in runs for place in range(len(run) - 1))
    found = {
        pair: _LEAST + math.log(number * number / (single[pair[0]] * single[pair[1]]))
        for pair, number in pairs.items()
        if number >= _OFTEN
    }
    return {pair: bond for pair, bond in found.items() if bond > 0}


def cut(run: str, bonds: Mapping[str, float]) -> list[str]:
    """Words of one character or two, so that the bonds inside them are the firmest together."""
    best: list[tuple[float, tuple[str, ...]]] = [(0.0, ())]
    for end in range(1, len(run) + 1):
        one = (best[-1][0], (*best[-1][1], run[end - 1]))
        pair = run[max(end - 2, 0) : end]
        two = (best[end - 2][0] + bonds[pair], (*best[end - 2][1], pair)) if pair in bonds else one
        best.append(max(one, two, key=lambda option: option[0]))
    return list(best[-1][1])
