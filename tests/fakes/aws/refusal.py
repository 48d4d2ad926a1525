"""How the fake says no: an AWS error code with its status and text."""

from __future__ import annotations


class Refusal(Exception):
    def __init__(self, code: str, message: str, status: int = 400, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.headers = headers or {}


def denied(identity: str, action: str, because: str = "") -> Refusal:
    """In the words AWS uses, so that what reads them can be tested."""
    reason = because or f"no identity-based policy allows the {action} action"
    return Refusal("AccessDenied", f"User: {identity} is not authorized to perform: {action} because {reason}", 403)
