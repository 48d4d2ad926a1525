"""What is asked of Volcengine's open API: the name of an action and how it is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Action:
    """One action of the open API. A GET's lists are written `EventSources.1=`; a POST's parameters are a JSON body."""

    name: str
    version: str
    service: str
    method: Literal["GET", "POST"]

    def __str__(self) -> str:
        return f"{self.service}:{self.name}"
