"""A made-up organisation with an incident in it: generated, collected, and asked about as an agent would.

`prepare` is what others need. It loads nothing heavy when the organisation is there already.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crosstrail.settings.config import Settings


def prepare(folder: Path | None = None) -> Settings:
    """The settings of the made-up organisation in `folder` (None: the user's cache), made if it is missing.

    Takes some seconds the first time. Any number of processes may call it at once. Raises ConfigError, LakeError.
    """
    from crosstrail.demo.prepared import prepared

    return prepared(folder).settings
