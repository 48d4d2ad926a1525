"""A token bucket: how many calls somebody may still make now, from how many were left when.

Decides nothing else: what is left, and since when, is for whoever counts to keep, in memory or in a database.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TokenBucket:
    """Holds `per_minute` tokens at most, and gets as many back in a minute, evenly."""

    per_minute: int

    def tokens(self, left: float, at: float, now: float) -> float:
        """The tokens there are now, of `left` at `at`; times in seconds. A clock that went back gives none."""
        return min(float(self.per_minute), left + max(now - at, 0.0) * self.per_minute / 60)

    def seconds_to_one(self, tokens: float) -> float:
        """Until there is a whole token."""
        return max(1 - tokens, 0.0) * 60 / self.per_minute
