"""Values of JSON that somebody else wrote, read by their type.

What comes from outside stays objects of any content; of these a value is read as what it should be, or is absent. Nothing
here says that a value is missing: who cannot do without one asks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Json = Mapping[str, object]
"""A JSON object."""


def table(value: object) -> Json:
    """A JSON object; empty where the value is none."""
    return value if isinstance(value, Mapping) else {}


def items(value: object) -> Sequence[object]:
    """A JSON array; empty where the value is none."""
    return value if isinstance(value, list) else ()


def text(value: object) -> str:
    """A JSON string; empty where the value is none."""
    return value if isinstance(value, str) else ""
