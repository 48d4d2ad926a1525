"""The parts that OCSF events and findings share: who made them, whose cloud, when, where from, and what can be searched for.

Decides ids and captions of OCSF 1.5.0's own lists; the texts of events are hostile and come out as they are.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

from crosstrail import __version__
from crosstrail.account_forms import account_form
from crosstrail.clouds.base import cloud_of
from crosstrail.errors import CrosstrailError
from crosstrail.json_values import Json

VERSION = "1.5.0"
PROFILES = ["cloud", "datetime"]
OTHER = 99
"""The id of every list for what it does not have; the text beside it is then the source's own."""
_ACCOUNT_KINDS = {"AWS Account": 10}
_HOSTNAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", re.ASCII)


@dataclass(frozen=True, slots=True)
class EventClass:
    """One class of the schema, and the captions of its activities."""

    uid: int
    name: str
    category: tuple[int, str]
    activities: Mapping[int, str]

    def head(self, activity: int, own_name: str = "") -> dict[str, object]:
        """What tells a reader which class and activity this is; `own_name`: of an activity that the schema has not."""
        caption = self.activities[activity]
        return {
            "activity_id": activity,
            "activity_name": (own_name or caption) if activity == OTHER else caption,
            "category_uid": self.category[0],
            "category_name": self.category[1],
            "class_uid": self.uid,
            "class_name": self.name,
            "type_uid": self.uid * 100 + activity,
            "type_name": f"{self.name}: {caption}",
        }


@dataclass(frozen=True, slots=True)
class Observable:
    """`type`: (id, caption) of the schema's list."""

    path: str
    type: tuple[int, str]
    value: str


HOST = (1, "Hostname")
ADDRESS = (2, "IP Address")
USER_NAME = (4, "User Name")
RESOURCE = (10, "Resource UID")
USER_AGENT = (16, "HTTP User-Agent")
CREDENTIAL = (19, "User Credential ID")
ACCOUNT = (35, "Account Object: uid")


def present(values: Mapping[str, object]) -> dict[str, object]:
    """Without what is absent: None, empty texts, objects and lists."""
    return {key: value for key, value in values.items() if value not in (None, "", {}, [], ())}


def observables(found: Iterable[Observable]) -> list[dict[str, object]]:
    """Each once, without empty ones."""
    return [
        {"name": one.path, "type_id": one.type[0], "type": one.type[1], "value": one.value}
        for one in dict.fromkeys(found)
        if one.value
    ]


def provider(cloud: str) -> str:
    """The cloud's own name, such as readers of OCSF know it."""
    return account_form(cloud).title or cloud


def audit_log(cloud: str) -> str:
    """What the cloud calls its log of events; of a cloud that is no longer installed, a general word."""
    try:
        return cloud_of(cloud).audit_log
    except CrosstrailError:
        return "audit log"


def cloud_object(cloud: str, account: str, region: str = "") -> dict[str, object]:
    return present({"provider": provider(cloud), "account": account_object(cloud, account), "region": region})


def account_object(cloud: str, account: str) -> dict[str, object]:
    if not account:
        return {}
    kind = f"{provider(cloud)} Account"
    return {"uid": account, "type_id": _ACCOUNT_KINDS.get(kind, OTHER), "type": kind}


def endpoint(address: str, endpoint_id: str = "", service: str = "") -> dict[str, object]:
    """Where a request came from: an address, or the host name of a service that called; `service` where neither is known."""
    found = present({"uid": endpoint_id, "ip": address if is_address(address) else ""})
    if address and "ip" not in found:
        found["hostname" if _HOSTNAME.fullmatch(address) else "name"] = address
    return found or {"svc_name": service or "unknown"}


@cache
def is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return len(text) <= 40


def milliseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // _MILLISECOND


_MILLISECOND = datetime.resolution * 1000


def date_time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def own_product() -> Json:
    return {"name": "crosstrail", "vendor_name": "crosstrail", "version": __version__}
