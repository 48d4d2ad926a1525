"""The least policy that a principal's recorded events need, and what cannot be known from events.

Decides how actions and resources become statements, and what gives way where a policy is larger than IAM takes: resources of one kind
become a pattern, then `*`; then there are several policies. A denied call is listed, never allowed. It is a proposal to be read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from crosstrail.detections.event_facts import DENIED
from crosstrail.detections.iam_actions import actions_of
from crosstrail.detections.iam_resources import ANY, PARAMETERS, CallPlace, resources_of
from crosstrail.detections.subjects import SubjectReading
from crosstrail.engines.analysis import Rows
from crosstrail.lake.reader import quoted
from crosstrail.models import DEFAULT_CLOUD

MAX_POLICY = 6_144
"""Characters of a managed policy, white space not counted (IAM quotas)."""
MAX_ROWS = 50_000
_FEW = 12
"""Resources of one kind that are named one by one before they become a pattern."""
_ARN_KIND = re.compile(r"(arn:[^:]*:[^:]*:[^:]*:[^:]*:)((?:[a-z-]+[/:])?)(.*)", re.DOTALL)
_OF_BUCKET = re.compile(r"(arn:[^:]*:s3:::)([^/]+/)(.*)", re.DOTALL)
_PASSED = (
    "list_filter([requestparameters['role'], requestparameters['roleArn'], requestparameters['executionRoleArn'], "
    "requestparameters['taskRoleArn'], requestparameters['serviceRole'], json_extract_string(requestparameters['iamInstanceProfile'], '$.arn')], "
    "lambda one: one IS NOT NULL AND starts_with(one, 'arn:'))"
)

Statement = tuple[tuple[str, ...], tuple[str, ...]]
"""(actions, resources)"""


@dataclass(frozen=True, slots=True)
class LeastPolicy:
    """`denied`, `other`: calls that were denied, and events that are no calls which a policy allows, with their counts. `passed`: roles
    that were handed to services. `merged`: how resources were made fewer, in words."""

    documents: tuple[Mapping[str, object], ...]
    events: int = 0
    actions: int = 0
    first: str = ""
    last: str = ""
    denied: Mapping[str, int] = field(default_factory=dict)
    other: Mapping[str, int] = field(default_factory=dict)
    passed: tuple[str, ...] = ()
    merged: str = ""
    data_events: int = 0
    cut: bool = False


def policy_statements(found: Sequence[SubjectReading]) -> tuple[str, ...]:
    acting = " OR ".join(one.condition for one in found if one.acts) or "false"
    names = ", ".join(map(quoted, PARAMETERS))
    arns = r"list_transform(resources, lambda one: regexp_replace(coalesce(one.arn, one.arnprefix, ''), '^(arn:[^:]*:s3:::[^/]+/[^/]+/).*$', '\1', 's'))"
    return (
        f"""SELECT eventsource, eventname, coalesce(awsregion, ''), coalesce(useridentity.accountid, account),
coalesce(nullif(split_part(useridentity.arn, ':', 2), ''), 'aws'), coalesce(list_sort(list_distinct({arns})), []) AS arns,
list_filter(map_entries(requestparameters), lambda one: one.key IN ({names}) AND length(one.value) < 600) AS parameters,
{DENIED} AS denied, coalesce(eventtype, 'AwsApiCall') = 'AwsApiCall' AS calls, count(*) AS n, count(*) FILTER (managementevent = false),
min(eventtime), max(eventtime) FROM events WHERE ({acting}) AND cloud = {quoted(DEFAULT_CLOUD)} GROUP BY ALL
ORDER BY n DESC LIMIT {MAX_ROWS}""",  # noqa: S608
        f"""SELECT DISTINCT unnest({_PASSED}) AS role FROM events WHERE ({acting}) AND cloud = {quoted(DEFAULT_CLOUD)}
AND eventsource <> 'sts.amazonaws.com' AND NOT readonly ORDER BY role LIMIT 50""",  # noqa: S608
    )


def read_policy(tables: Sequence[Rows]) -> LeastPolicy:
    rows, passed = tables
    needed: dict[str, set[str]] = {}
    denied: dict[str, int] = {}
    other: dict[str, int] = {}
    for source, name, region, account, partition, arns, parameters, refused, calls, count, *_ in rows:
        actions = actions_of(str(source), str(name)) if calls else ()
        target = denied if refused and actions else other
        if not actions or refused:
            for action in actions or (f"{source} {name}",):
                target[action] = target.get(action, 0) + _number(count)
            continue
        place = CallPlace(str(account), str(region), str(partition))
        named = tuple(str(one) for one in arns) if isinstance(arns, list) else ()
        for action in actions:
            needed.setdefault(action, set()).update(resources_of(action, named, _parameters(parameters), place))
    documents, merged = _documents(needed)
    return LeastPolicy(
        documents,
        sum(_number(row[9]) for row in rows),
        len(needed),
        min((str(row[11]) for row in rows), default=""),
        max((str(row[12]) for row in rows), default=""),
        denied,
        other,
        tuple(str(role) for (role,) in passed),
        merged,
        sum(_number(row[10]) for row in rows),
        len(rows) >= MAX_ROWS,
    )


def _documents(needed: Mapping[str, set[str]]) -> tuple[tuple[Mapping[str, object], ...], str]:
    """(the policies, how resources were made fewer): the first way that fits one policy, else the last one, in several."""
    if not needed:
        return (), ""
    exact = {action: _tidy(resources) for action, resources in needed.items()}
    few = {action: _patterns(resources, _FEW) for action, resources in exact.items()}
    none = {action: _patterns(resources, 1) for action, resources in exact.items()}
    ways = (
        (exact, ""),
        (few, f"more than {_FEW} resources of one kind became a pattern"),
        (none, "resources of one kind became a pattern"),
    )
    for way, words in ways:
        document = _document(_grouped(way))
        if size(document) <= MAX_POLICY:
            return (document,), words
    return tuple(_split(_grouped(none))), ways[-1][1]


def _tidy(resources: Iterable[str]) -> tuple[str, ...]:
    """Without those that another one covers."""
    found = set(resources)
    if ANY in found:
        return (ANY,)
    return tuple(sorted(one for one in found if found.isdisjoint(_wider(one))))


def _wider(resource: str) -> Iterable[str]:
    """The patterns of folders that it lies in, itself left out."""
    parts = resource.split("/")
    return (pattern for end in range(1, len(parts)) if (pattern := f"{'/'.join(parts[:end])}/*") != resource)


def _patterns(resources: Sequence[str], most: int) -> tuple[str, ...]:
    """Resources of one kind in one account as one pattern, where there are more than `most`."""
    kinds: dict[str, list[str]] = {}
    for one in resources:
        match = _OF_BUCKET.fullmatch(one) or _ARN_KIND.fullmatch(one)
        kinds.setdefault(match[1] + match[2] if match else one, []).append(one)
    found = []
    for kind, same in kinds.items():
        found += [f"{kind}*"] if len(same) > most else same
    return _tidy(found)


def _grouped(needed: Mapping[str, tuple[str, ...]]) -> list[Statement]:
    """Actions with the same resources together."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for action in sorted(needed):
        alike.setdefault(needed[action], []).append(action)
    return sorted((tuple(actions), resources) for resources, actions in alike.items())


def _document(statements: Iterable[Statement]) -> dict[str, object]:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": list(actions), "Resource": list(resources)}
            for actions, resources in statements
        ],
    }


def _split(statements: Sequence[Statement]) -> Iterable[dict[str, object]]:
    """As few policies as there must be; a statement that is too large alone is parted by its actions."""
    parts: list[Statement] = []
    for actions, resources in statements:
        half = max(1, len(actions))
        while size(_document([(actions[:half], resources)])) > MAX_POLICY and half > 1:
            half = (half + 1) // 2
        chosen = resources if size(_document([(actions[:half], resources)])) <= MAX_POLICY else (ANY,)
        parts += [(actions[place : place + half], chosen) for place in range(0, len(actions), half)]
    current: list[Statement] = []
    for part in parts:
        if current and size(_document([*current, part])) > MAX_POLICY:
            yield _document(current)
            current = []
        current.append(part)
    if current:
        yield _document(current)


def size(document: Mapping[str, object]) -> int:
    """As IAM counts it."""
    return len(json.dumps(document, separators=(",", ":"), ensure_ascii=False))


def _parameters(value: object) -> dict[str, str]:
    if not isinstance(value, list):
        return {}
    return {str(one["key"]): str(one["value"]) for one in value if isinstance(one, dict)}


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
