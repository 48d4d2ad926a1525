"""What comes with each message to a wrapped server: whose it is, and which accounts its sender may name.

Made by whoever admits the message, handed to its handler as an argument: nothing here is looked up by the way. A message
without one was admitted by nobody, and gets nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from crosstrail.accounts.registry import Registry
from crosstrail.call_context import CallContext


@dataclass(frozen=True, slots=True)
class WrappedCall:
    """`accounts`: those the sender may name, as they are now. `caller`: on whose behalf, and for the record, what was done."""

    accounts: Callable[[], Awaitable[Registry]]
    caller: CallContext
