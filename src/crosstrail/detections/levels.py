"""How grave a finding is: the levels of Sigma. Alone, so that a command can name them and load nothing."""

from __future__ import annotations

from typing import Literal, get_args

Level = Literal["informational", "low", "medium", "high", "critical"]
LEVELS: tuple[Level, ...] = get_args(Level)
"""Rising."""
