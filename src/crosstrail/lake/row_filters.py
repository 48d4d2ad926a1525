"""The filters of a lookup as conditions on the lake's columns, and the columns that an event of a lookup is made of.

Decides which column answers for which filter, comparing as filters.py does. Values are parameters, or literals that `quoted` made: never text of the SQL.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from crosstrail.clouds.shape import FAILURE
from crosstrail.filters import ANY, KEYS, FilterKey, accepted, address_forms, error_word, in_network, is_network
from crosstrail.lake.reader import EVENTS_VIEW, quoted
from crosstrail.models import AttributeKey, Filter

if TYPE_CHECKING:
    import duckdb

_OUTCOME = (
    f"CASE WHEN '{FAILURE}' IN (responseelements[eventname], serviceeventdetails[eventname]) THEN '{FAILURE}' END"
)
_ERRORS = ("errorcode", _OUTCOME, "errormessage")
COLUMNS = (
    "eventtime, coalesce(awsregion, ''), eventid, eventname, eventsource, username, principal, access_key_id, "
    f"sourceipaddress, readonly, resource_types, resource_names, "
    f"coalesce(len(other_versions), 0), {', '.join(_ERRORS)}"
)
_ROLE = r"regexp_extract(useridentity.arn, ':([^:]*):assumed-role/([^/]+)', {part})"
"""As filters.role_of: the part before says the account."""
ONE_OF_ADDRESSES = "sourceipaddress IN (SELECT unnest(CAST(? AS VARCHAR[])))"
_LIKE_AN_ADDRESS = "[0-9A-Fa-f:.]{2,45}"
_CONDITIONS = {
    AttributeKey.EVENT_ID: "eventid = ?",
    AttributeKey.EVENT_NAME: "eventname = ?",
    AttributeKey.USERNAME: "username = ?",
    AttributeKey.RESOURCE_TYPE: "list_contains(resource_types, ?)",
    AttributeKey.RESOURCE_NAME: "list_contains(resource_names, ?)",
    AttributeKey.EVENT_SOURCE: "eventsource = ?",
    AttributeKey.ACCESS_KEY_ID: "access_key_id = ?",
    FilterKey.PRINCIPAL: "? IN (useridentity.arn, principal, username)",
    FilterKey.USER_AGENT: "contains(lower(useragent), lower(?))",
    FilterKey.REQUEST_ID: "requestid = ?",
    FilterKey.IDENTITY_TYPE: "useridentity.type = ?",
    FilterKey.API_VERSION: "apiversion = ?",
}


def condition(one: Filter) -> tuple[str, tuple[object, ...]]:
    """A condition and its values. `one` is as `filters.accepted` gives it."""
    key, value = one.key, one.value
    if key == AttributeKey.READ_ONLY:
        return "readonly = ?", (value == "true",)
    if key == FilterKey.EVENT_CATEGORY:
        return f"coalesce(lower(eventcategory), '') {'=' if value == 'insight' else '<>'} 'insight'", ()
    if key == FilterKey.SOURCE_IP:
        return "list_contains(?, lower(sourceipaddress))", (list(address_forms(value)),)
    if key == FilterKey.ERROR_CODE:
        if value == ANY:
            return f"concat({', '.join(_ERRORS)}) <> ''", ()
        words = [f"regexp_replace(lower({column}), '^(client|server)[.]', '')" for column in _ERRORS]
        return f"? IN ({', '.join(words)})", (error_word(value),)
    if key == FilterKey.ROLE:
        account, _, name = value.rpartition("/")
        named = f"lower({_ROLE.format(part=2)}) = lower(?)"
        return (f"{named} AND {_ROLE.format(part=1)} = ?", (name, account)) if account else (named, (name,))
    return _CONDITIONS[AttributeKey(key) if key in list(AttributeKey) else FilterKey(key)], (value,)


def condition_of(filters: Sequence[Filter], regions: Sequence[str] = ()) -> str:
    """One condition of all of them, its values written into it; empty where there is none. A network is not in it: see network_of.
    `regions`: names and globs."""
    clauses = [_written(*condition(one)) for one in accepted(filters, KEYS) if not _is_network(one)]
    if regions:
        parts = [f"awsregion {'GLOB' if set(name) & set('*?[') else '='} {quoted(name)}" for name in regions]
        clauses.append(f"({' OR '.join(parts)})")
    return " AND ".join(f"({clause})" for clause in clauses)


def network_of(filters: Sequence[Filter]) -> str:
    """The network among them; empty where there is none."""
    return next((one.value for one in accepted(filters, KEYS) if _is_network(one)), "")


def addresses_in(
    connection: duckdb.DuckDBPyConnection, network: str, where: str = "true", values: Sequence[object] = ()
) -> list[str]:
    """The addresses in that network of the events that meet a condition: what ONE_OF_ADDRESSES takes. Raises duckdb.Error."""
    like = f"{where} AND regexp_full_match(sourceipaddress, '{_LIKE_AN_ADDRESS}')"
    sql = f"SELECT DISTINCT sourceipaddress FROM {EVENTS_VIEW} WHERE {like}"  # noqa: S608
    return [one for (one,) in connection.execute(sql, values).fetchall() if in_network(one, network)]


def one_of_addresses(addresses: Sequence[str]) -> str:
    """The condition, with literals."""
    return _written(ONE_OF_ADDRESSES, (list(addresses),))


def _is_network(one: Filter) -> bool:
    return one.key == FilterKey.SOURCE_IP and is_network(one.value)


def _written(clause: str, values: Sequence[object]) -> str:
    """The condition with literals in place of its parameters."""
    first, *rest = clause.split("?")
    return first + "".join(_literal(value) + text for value, text in zip(values, rest, strict=True))


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    return quoted(str(value))


def errors_in(values: Sequence[object]) -> tuple[str, ...]:
    """Event.errors of a row's last COLUMNS."""
    return tuple(dict.fromkeys(str(value) for value in values if value))
