"""The words of an error about a call to a cloud: whom was asked what, and how the answer's code is error_suffix.

Shared by the clouds' error mappings. It decides no kind of error, and shows no vendor's text unshortened.
"""

from __future__ import annotations

from dataclasses import dataclass

from crosstrail.text import visible

_TEXT_LENGTH = 300


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """What was being asked when an error came: the words of every message."""

    account: str
    region: str
    action: str
    """As the cloud's permissions write it: `cloudtrail:LookupEvents`."""
    remediation: str = ""
    """What a person does when these credentials have expired."""

    @property
    def place(self) -> str:
        return f"account {self.account} in {self.region}" if self.region else f"account {self.account}"


def error_suffix(code: str, request_id: str) -> str:
    """Code and request id in brackets, for the end of a message."""
    return f" ({code}, request {request_id})" if request_id else f" ({code})"


def shortened(text: str) -> str:
    """One line of printable text, at most 300 characters."""
    line = " ".join(visible(text).split())
    return line if len(line) <= _TEXT_LENGTH else line[: _TEXT_LENGTH - 1] + "…"
