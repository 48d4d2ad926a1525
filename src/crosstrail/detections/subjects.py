"""What the subject of a summary may be: each way to understand the text, with its condition and its filter of a lookup.

Decides by form alone: an ARN, an access key, an address, an event id; a bare name may be a user, a session, a role or a resource,
and the events tell which. A reading either acts (events are what it did) or is acted on. It never guesses one of several.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address

from crosstrail.errors import InvalidRequest
from crosstrail.filters import FilterKey, accepted, in_network, is_network
from crosstrail.lake.reader import quoted
from crosstrail.lake.row_filters import condition_of, one_of_addresses
from crosstrail.models import AttributeKey, Filter

MAX_SUBJECT = 2_000
MAX_ADDRESSES = 20_000
"""Of a network: addresses that were seen in it."""
_KNOWN = (*AttributeKey, *FilterKey)
_ARN = re.compile(r"(arn|trn|acs|qcs):")
_EVENT_ID = re.compile(
    r"(?:[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{32}|content-[0-9a-f]{40})", re.IGNORECASE
)
_ACCESS_KEY = re.compile(
    r"(?:A[KS]IA[A-Z0-9]{12,}|LTAI[A-Za-z0-9]{8,}|STS\.[A-Za-z0-9]{8,}|AK[LT][TP][A-Za-z0-9+/=_-]{16,})", re.ASCII
)
_CALLER = re.compile(r"(?:user|assumed-role|federated-user)/.+|root", re.DOTALL)
_ROLE = re.compile(r"(?:assumed-role|role)/[^/]+/?\Z")
_ROLE_ARN = re.compile(r":(?:role/.+|assumed-role/[^/]+/?)\Z", re.DOTALL)
_CALLER_ARN = re.compile(r":(?:(?:user|federated-user)/.+|assumed-role/[^/]+/.+|root)\Z", re.DOTALL)
_HOST = re.compile(r"(?:[a-z0-9-]+\.)+[a-z]{2,24}", re.ASCII | re.IGNORECASE)


class SubjectKind(StrEnum):
    EVENT = "event id"
    ACCESS_KEY = "access key"
    ADDRESS = "source address"
    NETWORK = "network"
    PRINCIPAL = "principal"
    ROLE = "role"
    USER = "user name"
    SESSION = "role session name"
    SERVICE = "service"
    RESOURCE = "resource"


@dataclass(frozen=True, slots=True)
class SubjectReading:
    """One way to understand a subject."""

    kind: SubjectKind
    value: str
    condition: str
    """In SQL over `events`."""
    lookup: Filter
    """What a cloud is asked."""

    @property
    def acts(self) -> bool:
        """Whether its events are what it did, not what was done to it."""
        return self.kind is not SubjectKind.RESOURCE


def readings(subject: str) -> tuple[SubjectReading, ...]:
    """Every way to understand it, the one that acts first. Raises InvalidRequest."""
    text = subject.strip()
    if not text or len(text) > MAX_SUBJECT or text == "*":
        raise InvalidRequest(
            "a summary is about one subject",
            hint="Send an ARN, an access key id, an address or network, a user, role, session or resource name, or an event id.",
        )
    if is_an_address(text):
        return (_address(text),)
    if _ARN.match(text):
        return _of_arn(text)
    if _EVENT_ID.fullmatch(text):
        known = text.lower() if "-" in text else text
        event = _filtered(SubjectKind.EVENT, AttributeKey.EVENT_ID, known)
        either = f"eventid IN ({', '.join(quoted(form) for form in dict.fromkeys((known, text, text.upper())))})"
        return (SubjectReading(event.kind, known, either, event.lookup), _resource(text))
    if _ACCESS_KEY.fullmatch(text):
        return (_filtered(SubjectKind.ACCESS_KEY, AttributeKey.ACCESS_KEY_ID, text), _resource(text))
    if _ROLE.fullmatch(text):
        return (_filtered(SubjectKind.ROLE, FilterKey.ROLE, text), _resource(text.rstrip("/").partition("/")[2]))
    if _CALLER.fullmatch(text):
        own = SubjectReading(SubjectKind.PRINCIPAL, text, f"principal = {quoted(text)}", _username(text))
        return (own,) if text == "root" else (own, _resource(text.rpartition("/")[2]))
    return _of_name(text)


def is_an_address(text: str) -> bool:
    """Whether it is an address or a network."""
    try:
        ip_address(text.partition("/")[0])
    except ValueError:
        return False
    return True


def in_networks(reading: SubjectReading, addresses: Sequence[str]) -> SubjectReading:
    """A network's reading whose condition names those of the addresses that lie in it. Raises InvalidRequest for too many."""
    inside = [one for one in addresses if in_network(one, reading.value)]
    if len(inside) > MAX_ADDRESSES:
        raise InvalidRequest(
            f"events came from more than {MAX_ADDRESSES:,} addresses of {reading.value}", hint="Send a smaller network."
        )
    return SubjectReading(reading.kind, reading.value, one_of_addresses(inside) if inside else "false", reading.lookup)


ADDRESSES = (
    "SELECT DISTINCT sourceipaddress FROM events WHERE regexp_full_match(sourceipaddress, '[0-9A-Fa-f:.%]{2,64}')"
)
"""What `in_networks` is to choose from."""


def _address(text: str) -> SubjectReading:
    [one] = accepted([Filter(FilterKey.SOURCE_IP, text)], _KNOWN)
    if is_network(one.value):
        return SubjectReading(SubjectKind.NETWORK, one.value, "false", one)
    return SubjectReading(SubjectKind.ADDRESS, one.value, condition_of([one]), one)


def _of_arn(arn: str) -> tuple[SubjectReading, ...]:
    account, short = _parts(arn)
    about = _resource(arn, short, account)
    if _ROLE_ARN.search(arn):
        return (_filtered(SubjectKind.ROLE, FilterKey.ROLE, arn), about)
    if _CALLER_ARN.search(arn):
        own = SubjectReading(SubjectKind.PRINCIPAL, arn, f"useridentity.arn = {quoted(arn)}", _username(arn))
        return (own,) if arn.endswith(":root") else (own, about)
    return (about,)


def _of_name(name: str) -> tuple[SubjectReading, ...]:
    text = quoted(name)
    session = "starts_with(coalesce(principal, ''), 'assumed-role/')"
    username = Filter(AttributeKey.USERNAME, name)
    found = [
        SubjectReading(SubjectKind.USER, name, f"(username = {text} AND NOT {session})", username),
        SubjectReading(SubjectKind.SESSION, name, f"(username = {text} AND {session})", username),
        _filtered(SubjectKind.ROLE, FilterKey.ROLE, name),
    ]
    if _HOST.fullmatch(name):
        host = quoted(name.lower())
        by = f"({host} IN (principal, useridentity.invokedby, lower(sourceipaddress)))"
        found.append(SubjectReading(SubjectKind.SERVICE, name, by, Filter(FilterKey.SOURCE_IP, name.lower())))
    return (*found, _resource(name))


def _resource(name: str, short: str = "", account: str = "") -> SubjectReading:
    """Events that name it. `short`: how else events of its account name it."""
    condition = f"list_contains(resource_names, {quoted(name)})"
    if short:
        of_account = f" AND account = {quoted(account)}" if account else ""
        condition = f"({condition} OR (list_contains(resource_names, {quoted(short)}){of_account}))"
    return SubjectReading(SubjectKind.RESOURCE, name, condition, Filter(AttributeKey.RESOURCE_NAME, short or name))


def _parts(arn: str) -> tuple[str, str]:
    """(account, the name that requests give it)."""
    parts = arn.split(":")
    account = next((part for part in parts[3:5] if part.isdigit()), "")
    last = arn.rpartition(":")[2]
    return account, last.rpartition("/")[2] or last


def _username(caller: str) -> Filter:
    """What is looked up for a caller: LookupEvents knows users' and sessions' names."""
    return Filter(FilterKey.PRINCIPAL, caller) if caller != "root" else Filter(AttributeKey.USERNAME, "root")


def _filtered(kind: SubjectKind, key: str, value: str) -> SubjectReading:
    [one] = accepted([Filter(key, value)], _KNOWN)
    return SubjectReading(kind, value, condition_of([one]), one)
