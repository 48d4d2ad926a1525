"""How a model's arguments become values: lenient about form, so that what is plainly meant is taken.

Decides which other forms of a text and of a list are accepted; the tools' schemas name only the plain ones.
"""

from __future__ import annotations

import json
from typing import Annotated

from pydantic import BeforeValidator


def _text(value: object) -> object:
    """What models send for a text: a number for an account id, true for ReadOnly, a list for `a,b`."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list) and all(isinstance(one, str | int) for one in value):
        return ",".join(str(one) for one in value)
    return value


def _names(value: object) -> object:
    """A list as a list, as JSON in a text, or as `a,b`."""
    if isinstance(value, str):
        if value.lstrip().startswith("["):
            try:
                return json.loads(value)
            except (ValueError, RecursionError):
                raise ValueError('should be a list such as ["a", "b"]') from None
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


Text = Annotated[str, BeforeValidator(_text)]
Names = Annotated[list[str], BeforeValidator(_names)]
