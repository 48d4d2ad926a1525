"""What an event must be to be listed: the filters of a lookup, the same over every cloud and over archives.

Decides which keys there are, what people may write for them, and how a value is compared where no cloud compares it. It
never asks anybody, never drops a filter it does not know, and never guesses a value: one that cannot match is refused with
what would, and one that is written as crosstrail prints it means what was printed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from crosstrail.errors import InvalidRequest
from crosstrail.models import AttributeKey, Event, Filter
from crosstrail.vocabulary import words

MAX_FILTERS = 8
MAX_VALUE = 2_000
"""Characters of one value: what LookupEvents takes."""
MAX_TEXT = 8_000
"""Characters of all filters written in one text."""
ANY = "*"
"""As the value of ErrorCode: whatever failed."""


class FilterKey(StrEnum):
    """Keys beside those of LookupEvents."""

    ERROR_CODE = "ErrorCode"
    SOURCE_IP = "SourceIPAddress"
    PRINCIPAL = "Principal"
    ROLE = "Role"
    USER_AGENT = "UserAgent"
    REQUEST_ID = "RequestID"
    IDENTITY_TYPE = "IdentityType"
    API_VERSION = "ApiVersion"
    EVENT_CATEGORY = "EventCategory"


KEYS: tuple[str, ...] = (*AttributeKey, *FilterKey)
_OTHER_NAMES = {
    "error": FilterKey.ERROR_CODE,
    "ip": FilterKey.SOURCE_IP,
    "sourceip": FilterKey.SOURCE_IP,
    "ipaddress": FilterKey.SOURCE_IP,
    "arn": FilterKey.PRINCIPAL,
    "userarn": FilterKey.PRINCIPAL,
    "principalarn": FilterKey.PRINCIPAL,
    "useridentity.arn": FilterKey.PRINCIPAL,
    "rolename": FilterKey.ROLE,
    "rolearn": FilterKey.ROLE,
    "user": AttributeKey.USERNAME,
    "event": AttributeKey.EVENT_NAME,
    "source": AttributeKey.EVENT_SOURCE,
    "service": AttributeKey.EVENT_SOURCE,
    "resource": AttributeKey.RESOURCE_NAME,
    "resourceid": AttributeKey.RESOURCE_NAME,
    "identityname": AttributeKey.USERNAME,
    "useridentity.accesskeyid": AttributeKey.ACCESS_KEY_ID,
    "useridentity.username": AttributeKey.USERNAME,
    "useridentity.type": FilterKey.IDENTITY_TYPE,
}
"""What else people call a key: short words, and the columns of CloudTrail Lake."""
_YES_OR_NO = {"true": "true", "yes": "true", "1": "true", "false": "false", "no": "false", "0": "false"}
_ROLE = re.compile(
    r"(?:(?:arn|trn|acs):[^:]*:?(?:iam|sts|ram)::(?P<account>[0-9]*):)?(?:assumed-)?role/(?P<path>[^:]{1,1000})",
    re.ASCII,
)
_SESSION = re.compile(r"(?!user/|role/|assumed-role/|federated-user/|insight/|aggregated/)[^/:\s]+/[^/:\s]+")
"""ROLE/SESSION, as `Event.caller` has it."""
_PRINCIPAL = re.compile(r"(?:arn|trn|acs):|(?:user|role|assumed-role|federated-user)/")
_ROLE_OF_ACCOUNT = re.compile(r"[0-9]{6,20}/[^/]+", re.ASCII)
_PART = re.compile(r"""\s*(?P<key>[A-Za-z_.\-]{1,60})\s*=\s*(?P<value>"[^"]*"|'[^']*'|[^,]*)\s*(?:,|\Z)""", re.ASCII)
_WHOSE_FAULT = ("client.", "server.")
"""Before EC2's error codes."""


def parse(text: str) -> tuple[Filter, ...]:
    """`ErrorCode=AccessDenied, SourceIPAddress=192.0.2.1`; a value with a comma in quotes. Raises InvalidRequest."""
    if len(text) > MAX_TEXT:
        raise InvalidRequest(f"filters are longer than {MAX_TEXT} characters", hint="Send fewer, or shorter ones.")
    found: list[Filter] = []
    place, end = 0, len(text.rstrip().rstrip(","))
    while place < end:
        part = _PART.match(text, place)
        if not part:
            raise InvalidRequest(
                f"filters cannot be read at {text[place : place + 40].strip()!r}",
                hint="Write Key=value, separated by commas: ErrorCode=AccessDenied, SourceIPAddress=192.0.2.1.",
            )
        value = part["value"].strip()
        found.append(Filter(part["key"], value[1:-1] if value[:1] in ("'", '"') and len(value) > 1 else value))
        place = part.end()
    return tuple(found)


def spelled(key: str, known: Iterable[str] = KEYS) -> str:
    """The key as it is spelled among the known ones; as it came where it is none of them."""
    bare = _bare(key)
    spelling = {_bare(name): name for name in known}
    return spelling.get(bare) or spelling.get(_bare(_OTHER_NAMES.get(bare, ""))) or key


def accepted(filters: Sequence[Filter], known: Iterable[str]) -> tuple[Filter, ...]:
    """The filters with their values as they are compared; each once. Doing so again changes nothing.

    Raises InvalidRequest for a key that is not known, too many filters, or a value that no event can have.
    """
    keys = frozenset(known)
    if len(filters) > MAX_FILTERS:
        raise InvalidRequest(f"more than {MAX_FILTERS} filters", hint=f"Combine more conditions in {words().sql}.")
    for one in filters:
        if one.key not in keys:
            raise InvalidRequest(
                f"events cannot be looked up by {one.key[:40]!r}", hint=f"Use one of {', '.join(sorted(keys))}."
            )
    found = tuple(dict.fromkeys(_accepted(one, keys) for one in filters))
    twice = [one.key for one in found if sum(other.key == one.key for other in found) > 1]
    if twice:
        raise InvalidRequest(
            f"{twice[0]} is given twice, with different values: no event has both",
            hint=f"Ask for one after the other, or use {words().sql} with OR.",
        )
    return found


def _accepted(one: Filter, known: frozenset[str]) -> Filter:
    key, value = one.key, one.value.strip()
    if not value:
        raise InvalidRequest(f"{key} has no value", hint=f"Send what {key} must be, or leave it out.")
    if len(value) > MAX_VALUE:
        raise InvalidRequest(f"the value of {key} is longer than {MAX_VALUE} characters", hint="Send its exact value.")
    if key == AttributeKey.READ_ONLY:
        if value.lower() not in _YES_OR_NO:
            raise InvalidRequest("ReadOnly is either true or false", hint="Send true (or yes), or false (or no).")
        return Filter(key, _YES_OR_NO[value.lower()])
    if key == FilterKey.EVENT_CATEGORY:
        if value.lower() not in ("insight", "management"):
            raise InvalidRequest(f"{key} is insight or management", hint="Send one of these as its value.")
        return Filter(key, value.lower())
    if key == FilterKey.SOURCE_IP:
        return Filter(key, _address(value))
    if key == AttributeKey.USERNAME and FilterKey.PRINCIPAL in known and _PRINCIPAL.match(value):
        key = FilterKey.PRINCIPAL  # no user and no session has such a name
    if key == FilterKey.PRINCIPAL and _SESSION.fullmatch(value):
        value = f"assumed-role/{value}"
    if key == FilterKey.ROLE or (key == FilterKey.PRINCIPAL and _names_a_role(value)):
        return Filter(FilterKey.ROLE, _role(value))
    return Filter(key, value)


def _address(value: str) -> str:
    """An address or a network in its shortest form; other text as it is: services call from host names. Raises
    InvalidRequest."""
    try:
        return str(ip_address(value))
    except ValueError:
        pass
    if "/" not in value:
        return value.lower()
    try:
        network = ip_network(value, strict=False)
    except ValueError:
        raise InvalidRequest(
            f"SourceIPAddress is no address: {value[:60]!r}", hint="Send one, such as 192.0.2.1 or 192.0.2.0/24."
        ) from None
    return str(network.network_address if network.num_addresses == 1 else network)


def is_network(value: str) -> bool:
    """Whether a value of SourceIPAddress, as `accepted` gives it, is a network: no other has a slash."""
    return "/" in value


def in_network(address: str, network: str) -> bool:
    """Whether the text is an address of the network, also one of IPv4 that is written in IPv6."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    return found in _network(network)


@lru_cache(maxsize=64)
def _network(text: str) -> IPv4Network | IPv6Network:
    return ip_network(text)


def address_forms(value: str) -> tuple[str, ...]:
    """The forms in lower case in which clouds write this address."""
    try:
        address = ip_address(value)
    except ValueError:
        return (value.lower(),)
    return tuple(dict.fromkeys((str(address), address.exploded)))


def _names_a_role(value: str) -> bool:
    """Whether it is a role, not one session of it."""
    found = _ROLE.fullmatch(value)
    return bool(found and not (("assumed-role/" in value) and "/" in found["path"].rstrip("/")))


def _role(value: str) -> str:
    """The role's name, after its account's id and a slash where an ARN says that."""
    if _ROLE_OF_ACCOUNT.fullmatch(value):
        return value
    found = _ROLE.fullmatch(value)
    if not found:
        return value.rstrip("/").rpartition("/")[2]
    session = "assumed-role/" in value
    name = found["path"].partition("/")[0] if session else found["path"].rstrip("/").rpartition("/")[2]
    return f"{found['account']}/{name}" if found["account"] else name


def session_name(principal: str) -> str:
    """The Username under which events of this principal are kept: a user's name or a session's; empty for all others."""
    identity = principal.rpartition(":")[2]
    kind, _, rest = identity.partition("/")
    return rest.rpartition("/")[2] if kind in ("user", "assumed-role") and rest else ""


def role_of(identity: Mapping[str, object]) -> tuple[str, str]:
    """(account, name) of the role whose session this is; two empty texts where it is none."""
    arn = identity.get("arn")
    if isinstance(arn, str) and ":assumed-role/" in arn:
        account, _, path = arn.rpartition(":assumed-role/")
        return account.rpartition(":")[2], path.partition("/")[0]
    return "", ""


def matches(event: Event, record: Mapping[str, object], filters: Iterable[Filter]) -> bool:
    """Whether the event is all of it. `record`: the event in the shape of an AWS record."""
    return all(_matches(event, record, one.key, one.value) for one in filters)


def _matches(event: Event, record: Mapping[str, object], key: str, value: str) -> bool:
    identity = record.get("userIdentity")
    identity = identity if isinstance(identity, Mapping) else {}
    match key:
        case FilterKey.ERROR_CODE:
            return bool(event.errors) if value == ANY else error_word(value) in map(error_word, event.errors)
        case FilterKey.SOURCE_IP:
            if is_network(value):
                return in_network(event.source_ip, value)
            return event.source_ip.lower() in address_forms(value)
        case FilterKey.PRINCIPAL:
            return value in (identity.get("arn"), event.principal, event.username)
        case FilterKey.ROLE:
            account, name = role_of(identity)
            wanted_account, _, wanted = value.rpartition("/")
            return bool(name) and name.lower() == wanted.lower() and wanted_account in ("", account)
        case FilterKey.USER_AGENT:
            return value.lower() in str(record.get("userAgent") or "").lower()
        case AttributeKey.RESOURCE_NAME:
            return any(resource.name == value for resource in event.resources)
        case AttributeKey.RESOURCE_TYPE:
            return any(resource.type == value for resource in event.resources)
        case AttributeKey.READ_ONLY:
            return event.read_only is (value == "true")
        case FilterKey.EVENT_CATEGORY:
            return (str(record.get("eventCategory")).lower() == "insight") is (value == "insight")
    return value == _plain(event, record, identity).get(key)


def _plain(event: Event, record: Mapping[str, object], identity: Mapping[str, object]) -> dict[str, object]:
    """What is compared letter by letter."""
    return {
        AttributeKey.EVENT_ID: event.id,
        AttributeKey.EVENT_NAME: event.name,
        AttributeKey.USERNAME: event.username,
        AttributeKey.EVENT_SOURCE: event.source,
        AttributeKey.ACCESS_KEY_ID: event.access_key_id,
        FilterKey.REQUEST_ID: record.get("requestID"),
        FilterKey.IDENTITY_TYPE: identity.get("type"),
        FilterKey.API_VERSION: record.get("apiVersion"),
        "Region": event.region,
    }


def error_word(text: str) -> str:
    """In lower case, without whose fault it was."""
    lowered = text.lower()
    return lowered[7:] if lowered.startswith(_WHOSE_FAULT) else lowered


def _bare(name: str) -> str:
    return name.strip().replace("_", "").replace("-", "").lower()
