"""The ids of event data stores under which SQL names the events of accounts; the same on every machine.

Decides them alone. It loads no library: the process that compiles statements knows accounts by these.
"""

from __future__ import annotations

import uuid

_NAMESPACE = uuid.UUID("6f2c7f0e-2f5d-5a57-9f0e-3b1d5c0a7e11")
ALL_STORES_ID = str(uuid.uuid5(_NAMESPACE, "all"))
"""The event data store id that stands for every account the caller may see."""


def store_id(cloud: str, account: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, f"{cloud}:{account}"))
