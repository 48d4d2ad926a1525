"""What every message passes, whosever tools it asks for: who sends it, how much of it at once, and the record.

Decides nothing about accounts or tools: that is what the admission of one server adds (admission.py, wrapped_admission.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mcp.server.context import HandlerResult

from crosstrail.accounts.policy import ANONYMOUS, LOCAL, Principal
from crosstrail.server.access.audit import AuditLog
from crosstrail.server.access.limits import Limits

PrincipalOf = Callable[[object], Principal]
"""The HTTP request of a message -> who sent it."""


class BaseAdmission:
    """One a process; whoever makes it closes it."""

    def __init__(self, record: AuditLog, limits: Limits, principal_of: PrincipalOf | None) -> None:
        """`principal_of`: None on stdio, where whoever started the process asks."""
        self.record = record
        self.limits = limits
        self._principal_of = principal_of

    def principal(self, request: object) -> Principal:
        """Where no identity is found, there is none."""
        if self._principal_of is None:
            return LOCAL
        return self._principal_of(request) if request is not None else ANONYMOUS

    def close(self) -> None:
        """Close the record and what counts calls."""
        self.record.close()
        self.limits.close()


def failed(result: HandlerResult) -> bool:
    """Whether it says of itself that it is an error."""
    return bool(_field(result, "is_error", "isError"))


def text_bytes(result: HandlerResult) -> int:
    """Bytes of the texts of an answer."""
    content = _field(result, "content", "content")
    texts = [_field(one, "text", "text") for one in content] if isinstance(content, list | tuple) else []
    # A wrapped server's text may be none, and half a character may stand in it.
    return sum(len(text.encode(errors="replace")) for text in texts if isinstance(text, str))


def _field(value: object, name: str, key: str) -> object:
    """Of an object of mcp's, or of what such an object is on the wire."""
    return value.get(key) if isinstance(value, Mapping) else getattr(value, name, None)
