"""The text of a crosstrail.yaml that says what was found, commented for who reads it next.

Decides what is written and what stands there as a comment to be uncommented. No secret is in it but encrypted.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from datetime import date

from crosstrail.models import DEFAULT_CLOUD
from crosstrail.setup.plan import PlannedAccount, PlannedOrganization, SetupPlan

_WIDTH = 118
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_-]*", re.ASCII)
_WORDS = ("true", "false", "yes", "no", "on", "off", "null", "y", "n")
"""What YAML takes for something else than text."""
_HEAD = """\
# The configuration of crosstrail: which accounts it answers for, and where their events are.
# Made by `crosstrail init` on {day}. Change it at will: `crosstrail doctor` says what is wrong with it.
# Every setting, with its default: `crosstrail help configuration`.
"""


def config_text(plan: SetupPlan, day: date) -> str:
    parts = [
        _HEAD.format(day=day.isoformat()),
        *_accounts(plan),
        *_organization(plan.organization),
        *_lake(plan),
        *_trails(plan),
        *_serving(),
    ]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def _comment(text: str, indent: str = "") -> str:
    """Of hostile text too: every line of it is a comment."""
    lines = textwrap.wrap(" ".join(text.split()), _WIDTH - len(indent) - 2, break_on_hyphens=False)
    return "".join(f"{indent}# {line}\n" for line in lines)


def _flow(values: Mapping[str, object]) -> str:
    """A mapping on one line."""
    return "{" + ", ".join(f"{key}: {_value(value)}" for key, value in values.items()) + "}"


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return _flow(value)
    text = str(value)
    return text if _PLAIN.fullmatch(text) and text.lower() not in _WORDS else json.dumps(text)


def _accounts(plan: SetupPlan) -> Iterator[str]:
    if not plan.accounts and plan.organization and plan.organization.role_name:
        return
    if not plan.accounts:
        yield (
            "# No account is listed: crosstrail answers for those whose events the lake holds, and for the identity of the\n"
            "# environment, where it has one. List some to answer for these and no others, for example:\n"
            "# accounts:\n"
            '#   - {id: "111111111111", alias: prod, region: us-east-1, auth: {type: profile, profile: prod}}\n'
        )
        return
    active = [one for one in plan.accounts if one.id]
    lines = [
        _comment(
            "The accounts that crosstrail answers for, and no others. `auth` says how each is reached; `regions: [..]` beside it "
            "says what `--region all` means. More: `crosstrail help accounts`."
        )
    ]
    lines.append("accounts:\n" if active else "accounts: []\n")
    lines += map(_account, plan.accounts)
    yield "".join(lines)


def _account(one: PlannedAccount) -> str:
    remark = _comment(f"{one.remark}.", "  ")
    if one.problem:
        remark += _comment(f"It did not answer when this was written: {one.problem}", "  ")
    entry: dict[str, object] = {"id": one.id or "its id"}
    entry |= {"alias": one.alias} if one.alias else {}
    entry |= {"cloud": one.cloud} if one.cloud != DEFAULT_CLOUD else {}
    entry |= {"region": one.region} if one.region else {}
    entry |= {"auth": one.auth} if one.auth else {}
    entry |= {"archive": one.archive} if one.archive else {}
    return f"{remark}  {'' if one.id else '# '}- {_flow(entry)}\n"


def _organization(found: PlannedOrganization | None) -> Iterator[str]:
    if found is None:
        yield (
            "# All accounts of an AWS organization, by a role of the same name in each of them:\n"
            '# organization: {role_name: Audit, external_id: ""}\n'
        )
        return
    values = {"role_name": found.role_name or "Audit", "external_id": found.external_id, "profile": found.profile}
    entry = f"organization: {_flow({key: value for key, value in values.items() if value})}\n"
    if found.role_name:
        yield (
            _comment(
                f"AWS Organizations: {len(found.members)} accounts, listed anew every few minutes and so not above; each is reached by this role."
            )
            + entry
        )
        return
    yield (
        _comment(
            f"This identity may list the {len(found.members)} accounts of its AWS organization. Name a role that all of them have and that "
            "it may assume, and they are answered for:"
        )
        + f"# {entry}"
    )


def _lake(plan: SetupPlan) -> Iterator[str]:
    lines = _comment("Where collected events are kept. Relative paths are taken from the folder of this file.")
    lines += f"lake: {_flow({'path': plan.lake})}\n" if plan.lake else "# lake: {path: ./lake}\n"
    for place in plan.logs:
        lines += _comment(f"Logs: crosstrail collect {place}")
    yield lines


def _trails(plan: SetupPlan) -> Iterator[str]:
    if not plan.trails:
        return
    lines = _comment(
        "Trails that were found. Their files hold more than the 90 days that the clouds themselves answer for:"
    )
    for account, trail in plan.trails:
        facts = [
            f"home region {trail.region}" if trail.region else "",
            "all regions" if trail.multi_region else "",
            "the whole organization" if trail.organization else "",
            f"encrypted with {trail.kms_key}" if trail.kms_key else "",
            "digests" if trail.validates_files else "no digests",
            "not logging" if trail.logging is False else "",
        ]
        lines += _comment(f"{trail.name} of {account.name}: {', '.join(filter(None, facts))}")
        lines += _comment(
            f"  crosstrail collect {trail.destination}" if trail.destination else "  delivers into no bucket"
        )
    yield lines


def _serving() -> Iterator[str]:
    yield (
        "# A server for many people needs to know who may ask what: `crosstrail help serving`.\n"
        "# access:\n"
        '#   - {who: ["ann@example.com"], accounts: ["*"]}\n'
    )
