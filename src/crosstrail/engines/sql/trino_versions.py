"""Versions of Trino between which the value of a statement changed."""

from __future__ import annotations

DEFAULT_TRINO = 476
"""Whose values statements have unless another is set."""
WIDE_QUOTIENTS = 483
"""Since which a quotient of decimals has the digits that the divisor can make, and not only those of both sides."""
NUMBERS_AS_WRITTEN = 483
"""Since which json that was parsed keeps its numbers as they were written, 1.50 for instance."""
