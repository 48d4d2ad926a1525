"""The filters of a lookup as conditions on the lake's columns, and the columns that an event of a lookup is made of.

Decides which column answers for which filter, comparing as filters.py does. Values are parameters, never part of the SQL.
"""

from __future__ import annotations

from collections.abc import Sequence

from crosstrail.clouds.shape import FAILURE
from crosstrail.filters import ANY, FilterKey, address_forms, error_word
from crosstrail.models import AttributeKey, Filter

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


def errors_in(values: Sequence[object]) -> tuple[str, ...]:
    """Event.errors of a row's last COLUMNS."""
    return tuple(dict.fromkeys(str(value) for value in values if value))
