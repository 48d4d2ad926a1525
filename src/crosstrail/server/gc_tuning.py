"""How often a server that runs for long looks for garbage."""

from __future__ import annotations

import gc

_NEW_OBJECTS = 50_000
"""Between two looks: some 20 MB at most."""


def collect_garbage_seldom() -> None:
    """What is loaded stays: looking through it again and again takes an eighth of a busy server's time, and a third where
    a call asks hundreds of targets."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, 20, 100)
