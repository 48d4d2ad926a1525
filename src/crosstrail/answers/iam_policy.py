"""The least policy of a principal, and beside it what events cannot tell: what is missing is said, not guessed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from crosstrail.answers.observe import EventsQuestion, Observed, observe
from crosstrail.answers.render import clean, listed
from crosstrail.detections.iam_actions import NO_PERMISSION
from crosstrail.detections.iam_policy import MAX_POLICY, LeastPolicy, policy_statements, read_policy, size
from crosstrail.detections.subjects import readings
from crosstrail.errors import InvalidRequest
from crosstrail.lake import require_libraries
from crosstrail.timerange import parse_range
from crosstrail.workspace.scoped import ScopedWorkspace

_NAMES = 20
_ALWAYS = (
    "Events do not tell: iam:PassRole, actions that CloudTrail does not log, calls that nobody made in this time, conditions, grants of KMS "
    "keys, and what resource policies, boundaries and policies of the organization allow or deny besides. Read the policy before you use it."
)


@dataclass(frozen=True, slots=True)
class PolicyAnswer:
    """`notes`: a line each."""

    policy: LeastPolicy
    notes: tuple[str, ...]
    observed: Observed

    def data(self) -> dict[str, object]:
        """All of it, for programs."""
        return {
            "policies": list(self.policy.documents),
            "events": self.policy.events,
            "actions": self.policy.actions,
            "first": self.policy.first or None,
            "last": self.policy.last or None,
            "denied": dict(self.policy.denied),
            "left_out": dict(self.policy.other),
            "roles_passed": list(self.policy.passed),
            "notes": list(self.notes),
            "coverage": list(self.observed.coverage),
            "complete": self.observed.complete,
        }


async def least_policy(workspace: ScopedWorkspace, principal: str, selector: str, start: str, end: str) -> PolicyAnswer:
    """Raises InvalidRequest for what does not act, BadTimeRange and what observe raises."""
    require_libraries()
    found = [one for one in readings(principal) if one.acts]
    if not found:
        raise InvalidRequest(
            "a policy is of a user, a role or a session",
            hint="Send its ARN, or user/NAME, role/NAME, an access key id.",
        )
    span = parse_range(start, end, now=datetime.now(UTC).replace(microsecond=0), default_age=None)
    question = EventsQuestion(selector, span=span, live_lookups=((found[0].lookup,),))
    observed = await observe(workspace, question, policy_statements(found))
    policy = read_policy(observed.tables)
    return PolicyAnswer(policy, tuple(_notes(policy)), observed)


def _notes(policy: LeastPolicy) -> list[str]:
    if not policy.events:
        return ["No event of it: nothing can be said of what it needs."]
    lines = [f"From {policy.events:,} events, {policy.first} to {policy.last}: {policy.actions:,} actions."]
    if policy.denied:
        lines.append(f"Denied, and left out: {_counted(policy.denied)}.")
    if policy.other:
        lines.append(f"No calls that a policy allows, and left out: {_counted(policy.other)}.")
    lines.append(
        f"Data events are in it where a trail logs them: {policy.data_events:,} of these."
        if policy.data_events
        else "No data events are held of it: reads and writes of objects, items, messages and functions are NOT in the policy."
    )
    if policy.passed:
        roles = listed([clean(role, 200) for role in policy.passed], _NAMES)
        lines.append(f"It handed roles to services, for which iam:PassRole has to be added: {roles}.")
    if policy.merged:
        lines.append(f"IAM takes {MAX_POLICY:,} characters: {policy.merged}.")
    if len(policy.documents) > 1:
        sizes = ", ".join(f"{size(one):,}" for one in policy.documents)
        lines.append(f"It takes {len(policy.documents)} policies ({sizes} characters): attach all of them.")
    if policy.cut:
        lines.append("There are more kinds of calls than were read: the rarest are NOT in the policy. Narrow the time.")
    return [*lines, f"Never in it: {', '.join(sorted(NO_PERMISSION))}, which need no policy of the caller.", _ALWAYS]


def _counted(found: Mapping[str, int]) -> str:
    most = sorted(found.items(), key=lambda one: -one[1])
    return listed([f"{clean(name, 120)} ({count:,})" for name, count in most], _NAMES)
