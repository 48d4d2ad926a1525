"""What an answer without events says of its filters: how they are compared, and what would match where these cannot.

Decides those words alone. The first hint about an event's name reads files: call it in a thread. A filter that no event can meet reads as if nothing had happened, so every key that people
mistake for another has its line here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from crosstrail.clouds.aws.event_names import spellings
from crosstrail.clouds.aws.values import as_logged
from crosstrail.filters import FilterKey
from crosstrail.models import AttributeKey, Filter
from crosstrail.vocabulary import words


def _as_pair(one: Filter) -> str:
    return f"{one.key}={one.value}"


def why_nothing_matched(filters: Sequence[Filter], write: Callable[[Filter], str] = _as_pair) -> list[str]:
    """`write`: a filter as the reader gives it."""
    if not filters:
        return []
    whole = (
        f"Nothing matched: {words().filter_value} is compared whole, letter case included; "
        f"for a pattern use {words().sql} with LIKE."
    )
    return [whole, *(hint for one in filters for hint in _hints(one, write))]


def _hints(one: Filter, write: Callable[[Filter], str]) -> Iterator[str]:
    key, value = one.key, one.value
    if key == AttributeKey.USERNAME:
        role = write(Filter(FilterKey.ROLE, value))
        yield f"A user name is a user's, or the session's of an assumed role: for what a role did, filter by {role}."
    elif key == AttributeKey.EVENT_NAME:
        asked = as_logged(one).value
        if found := spellings(asked):
            yield f"AWS writes it {' or '.join(found)}: filter by {write(Filter(key, found[0]))}."
        elif not asked[:1].isupper():
            yield "AWS writes event names with a capital letter for each word, such as ConsoleLogin."
    elif key == AttributeKey.RESOURCE_NAME and ":" in value:
        short = write(Filter(key, value.rpartition("/")[2].rpartition(":")[2]))
        yield f"Some events name a resource by its ARN, others by its name alone: try {short} or the whole ARN."
    elif key == AttributeKey.RESOURCE_NAME:
        yield "Some events name a resource by its ARN, others by its name alone: try the other."
    elif key == AttributeKey.RESOURCE_TYPE and "::" not in value:
        yield "AWS writes resource types like AWS::S3::Bucket."
    elif key == FilterKey.PRINCIPAL:
        yield "A principal is a whole ARN, or what the column principal shows, such as user/alice."
    elif key == FilterKey.ERROR_CODE:
        yield f"Any failure at all: {write(Filter(key, '*'))}."
