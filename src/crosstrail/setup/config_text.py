"""The text of a crosstrail.yaml that says what was found, commented for who reads it next.

Decides what is written and what stands there as a comment to be uncommented. No secret is in it but encrypted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Protocol

from crosstrail.models import DEFAULT_CLOUD
from crosstrail.setup.plan import PlannedAccount, PlannedOrganization, SetupPlan

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_-]*", re.ASCII)
_WORDS = ("true", "false", "yes", "no", "on", "off", "null", "y", "n")
"""What YAML takes for something else than text."""


class Comment(Protocol):
    """Makes lines of a comment of sentences, in the language of who reads them. Of hostile text too every line is one."""

    def __call__(self, text: str, indent: str = "") -> str: ...


def config_text(plan: SetupPlan, day: date, comment: Comment) -> str:
    parts = [
        _head(day, comment),
        *_accounts(plan, comment),
        *_organization(plan.organization, comment),
        *_lake(plan, comment),
        *_trails(plan, comment),
        _serving(comment),
    ]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def _head(day: date, comment: Comment) -> str:
    return "".join(
        comment(line)
        for line in (
            "The configuration of crosstrail: which accounts it answers for, and where their events are.",
            f"Made by `crosstrail init` on {day.isoformat()}. Change it at will: `crosstrail doctor` says what is wrong with it.",
            "Every setting, with its default: `crosstrail help configuration`.",
        )
    )


def _flow(values: Mapping[str, object]) -> str:
    """A mapping on one line."""
    return "{" + ", ".join(f"{key}: {_value(value)}" for key, value in values.items()) + "}"


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return _flow(value)
    text = str(value)
    return text if _PLAIN.fullmatch(text) and text.lower() not in _WORDS else json.dumps(text)


def _accounts(plan: SetupPlan, comment: Comment) -> Iterator[str]:
    if not plan.accounts and plan.organization and plan.organization.role_name:
        return
    if not plan.accounts:
        yield (
            comment(
                "No account is listed: crosstrail answers for those whose events the lake holds, and for the identity of the "
                "environment, where it has one. List some to answer for these and no others, for example:"
            )
            + "# accounts:\n"
            '#   - {id: "111111111111", alias: prod, region: us-east-1, auth: {type: profile, profile: prod}}\n'
        )
        return
    active = [one for one in plan.accounts if one.id]
    lines = [
        comment(
            "The accounts that crosstrail answers for, and no others. `auth` says how each is reached; `regions: [..]` beside it "
            "says what `--region all` means. More: `crosstrail help accounts`."
        )
    ]
    lines.append("accounts:\n" if active else "accounts: []\n")
    lines += (_account(one, comment) for one in plan.accounts)
    yield "".join(lines)


def _account(one: PlannedAccount, comment: Comment) -> str:
    remark = comment(f"{one.remark}.", "  ")
    if one.problem:
        remark += comment(f"It did not answer when this was written: {one.problem}", "  ")
    entry: dict[str, object] = {"id": one.id or "its id"}
    entry |= {"alias": one.alias} if one.alias else {}
    entry |= {"cloud": one.cloud} if one.cloud != DEFAULT_CLOUD else {}
    entry |= {"region": one.region} if one.region else {}
    entry |= {"auth": one.auth} if one.auth else {}
    entry |= {"archive": one.archive} if one.archive else {}
    return f"{remark}  {'' if one.id else '# '}- {_flow(entry)}\n"


def _organization(found: PlannedOrganization | None, comment: Comment) -> Iterator[str]:
    if found is None:
        yield (
            comment("All accounts of an AWS organization, by a role of the same name in each of them:")
            + '# organization: {role_name: Audit, external_id: ""}\n'
        )
        return
    values = {"role_name": found.role_name or "Audit", "external_id": found.external_id, "profile": found.profile}
    entry = f"organization: {_flow({key: value for key, value in values.items() if value})}\n"
    if found.role_name:
        yield (
            comment(
                f"AWS Organizations: {len(found.members)} accounts, listed anew every few minutes and so not above; each is reached by this role."
            )
            + entry
        )
        return
    yield (
        comment(
            f"This identity may list the {len(found.members)} accounts of its AWS organization. Name a role that all of them have and that "
            "it may assume, and they are answered for:"
        )
        + f"# {entry}"
    )


def _lake(plan: SetupPlan, comment: Comment) -> Iterator[str]:
    lines = comment("Where collected events are kept. Relative paths are taken from the folder of this file.")
    lines += f"lake: {_flow({'path': plan.lake})}\n" if plan.lake else "# lake: {path: ./lake}\n"
    for place in plan.logs:
        lines += comment(f"Logs: crosstrail collect {place}")
    yield lines


def _trails(plan: SetupPlan, comment: Comment) -> Iterator[str]:
    if not plan.trails:
        return
    lines = comment(
        "Trails that were found. Their files hold more than the 90 days that the clouds themselves answer for:"
    )
    for account, trail in plan.trails:
        facts = [
            f"home region {trail.region}" if trail.region else "",
            "all regions" if trail.multi_region else "",
            "the whole organization" if trail.organization else "",
            f"encrypted with {trail.kms_key}" if trail.kms_key else "",
            "with digest files" if trail.validates_files else "without digest files",
            "not logging" if trail.logging is False else "",
        ]
        lines += comment(f"{trail.name} of {account.name}: {', '.join(filter(None, facts))}")
        lines += comment(
            f"  crosstrail collect {trail.destination}" if trail.destination else "  delivers into no bucket"
        )
    yield lines


def _serving(comment: Comment) -> str:
    return (
        comment("A server for many people needs to know who may ask what: `crosstrail help serving`.") + "# access:\n"
        '#   - {who: ["ann@example.com"], accounts: ["*"]}\n'
    )
