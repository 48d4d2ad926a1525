"""Whether the environment wants colour, by the variables that other programs know: NO_COLOR, FORCE_COLOR, CLICOLOR, TERM."""

from __future__ import annotations

import os
from collections.abc import Mapping


def colour_choice(environ: Mapping[str, str] | None = None) -> bool | None:
    """None where it leaves that to whether there is a terminal. NO_COLOR wins over those that force colour."""
    environ = os.environ if environ is None else environ
    if environ.get("NO_COLOR"):
        return False
    if any(environ.get(name, "0") not in ("", "0") for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return True
    if environ.get("TERM") == "dumb" or environ.get("CLICOLOR") == "0" or environ.get("FORCE_COLOR") == "0":
        return False
    return None
