"""One-line statements for every function and operator of the dialect, with edge values, drawn by a seed.

A template's places are named after a kind of value; every draw fills them all. What a name means to Trino is not said here:
a real Trino is asked.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from math import prod
from random import Random

from function_templates import TEMPLATES, VALUES

_PLACE = re.compile(r"\{(\w+)\}")
_FEW = 4096


def probes(each: int, seed: int = 11) -> Iterator[str]:
    """Up to `each` different statements of each template."""
    for template in TEMPLATES:
        rng = Random(f"{seed}/{template}")  # noqa: S311 - the same statements every time
        for values in _drawn([VALUES[name] for name in _PLACE.findall(template)], each, rng):
            filled = iter(values)
            text = _PLACE.sub(lambda _, filled=filled: next(filled), template)  # type: ignore[misc]
            yield f"SELECT {text}"


def _drawn(pools: list[tuple[str, ...]], each: int, rng: Random) -> list[tuple[str, ...]]:
    if prod(map(len, pools)) <= _FEW:
        return _sample(list(itertools.product(*pools)), each, rng)
    drawn: dict[tuple[str, ...], None] = {}
    while len(drawn) < each:
        drawn[tuple(rng.choice(pool) for pool in pools)] = None
    return list(drawn)


def _sample(combinations: list[tuple[str, ...]], each: int, rng: Random) -> list[tuple[str, ...]]:
    return rng.sample(combinations, min(each, len(combinations)))


def called(sql: str) -> set[str]:
    """The names of functions that a statement calls, lower case."""
    return {name.lower() for name in re.findall(r"\b([a-zA-Z_]\w*)\s*\(", sql)}
