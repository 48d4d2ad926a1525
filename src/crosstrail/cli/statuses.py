"""The exit statuses of every command: which one a command leaves with is decided here and nowhere else.

0 done. 1 nothing of it could be done, or an error of ours. 2 wrong usage. 3 some of it failed, and the rest is done. With
--exit-code, what was found adds 10: 10 findings, 13 findings though some of it failed. `check`,
`demo` and the check of a deployment judge one thing, which passes (0) or does not (1).
"""

from __future__ import annotations

DONE, FAILED, USAGE, PARTLY = 0, 1, 2, 3
FOUND = 10
"""Added to the status where something was found and the command was told to say so."""
INTERRUPTED = 130
"""By Ctrl-C, as shells say it."""


def status_of(*, done: int, failed: int) -> int:
    """Of a command over many things, by how many of them could be done and how many could not."""
    if not failed:
        return DONE
    return PARTLY if done else FAILED


def verdict(*, passed: bool) -> int:
    return DONE if passed else FAILED


def found_status(status: int, *, found: bool) -> int:
    """`status`: that of everything else."""
    return status + FOUND if found and status in (DONE, PARTLY) else status
