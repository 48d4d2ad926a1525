"""The name that somebody probably meant."""

from __future__ import annotations

from collections.abc import Sequence


def nearest(name: str, known: Sequence[str]) -> str:
    """The one of `known` that is most like `name`, whatever its case; empty where none is."""
    from difflib import get_close_matches

    by_key = {one.lower(): one for one in known}
    if inside := [one for key, one in by_key.items() if name.lower() in key.split("_")]:
        return inside[0]
    found = get_close_matches(name.lower(), list(by_key), n=1, cutoff=0.5)
    return by_key[found[0]] if found else ""
