"""Whether a shell asks for completions instead of a command to be run: told before anything else is loaded."""

from __future__ import annotations

import os

VARIABLE = "_CROSSTRAIL_COMPLETE"
"""Set by the scripts of `crosstrail completion`."""


def completion_asked() -> str:
    """What a shell asks to be completed, such as bash_complete; empty where this is a command to run."""
    return os.environ.get(VARIABLE, "")
