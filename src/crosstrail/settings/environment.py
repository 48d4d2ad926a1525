"""Variables of this process, for whoever hands them on or looks at one before there are settings."""

from __future__ import annotations

import os
from collections.abc import Iterable


def environment(names: Iterable[str] | None = None) -> dict[str, str]:
    """The variables of these names that this process has; all it has without names."""
    if names is None:
        return dict(os.environ)
    return {name: os.environ[name] for name in names if name in os.environ}
