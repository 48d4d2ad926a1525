"""What baselines found, as findings: a rule for each kind, and the learning span in each finding's words.

Decides the levels and texts of these rules, and what is said of accounts and principals of which too little is known to judge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from crosstrail.detections.baselines import (
    DORMANT_DAYS,
    LEARNING_DAYS,
    MAX_VALUES,
    PRINCIPAL_DAYS,
    PRINCIPAL_EVENTS,
    LearningSpan,
)
from crosstrail.detections.findings import DetectionFinding, FoundEvent, RuleFacts
from crosstrail.detections.levels import Level
from crosstrail.engines.analysis import Rows
from crosstrail.models import AccountKey
from crosstrail.timerange import TimeRange, iso

_AUTHOR, _LICENSE = "crosstrail", "Apache-2.0"


def _rule(name: str, title: str, level: Level, description: str, attack: tuple[str, ...] = ()) -> RuleFacts:
    return RuleFacts(name, title, level, "baseline", description, _AUTHOR, _LICENSE, attack=attack)


BASELINES: Mapping[str, RuleFacts] = {
    "api": _rule("first-seen-api", "Actions new for this principal", "low", "Actions that it never called before."),
    "service": _rule(
        "first-seen-service", "Services new for this principal", "medium", "Services that it never called before."
    ),
    "region": _rule(
        "first-seen-region",
        "Regions new for this principal",
        "medium",
        "Regions that it never used before.",
        ("T1535", "TA0005"),
    ),
    "program": _rule(
        "first-seen-program", "Programs new for this principal", "low", "Programs, by their user agent, new for it."
    ),
    "network": _rule(
        "first-seen-network",
        "Networks new for this principal",
        "medium",
        "Source networks (/24, /48) that it never called from before.",
        ("T1078.004", "TA0001"),
    ),
    "principal": _rule(
        "first-seen-principal",
        "A principal new in this account",
        "low",
        "It never did anything in this account before.",
    ),
    "denied": _rule(
        "rare-denied-call",
        "Denied calls that nobody in the account had made",
        "medium",
        "Calls that were denied, of actions that neither it nor anybody in its account called before.",
        ("T1526", "TA0007"),
    ),
    "key-networks": _rule(
        "key-from-several-networks",
        "A key used from several networks",
        "medium",
        "One access key, used from several networks (/24, /48).",
        ("T1078.004", "TA0001"),
    ),
    "dormant": _rule(
        "dormant-key-used",
        "A key used again after a long time",
        "medium",
        f"An access key that was not used for {DORMANT_DAYS} days or more.",
        ("T1078.004", "TA0003"),
    ),
    "travel": _rule(
        "impossible-travel",
        "Two places too far apart for the time between",
        "high",
        "One caller at two places, faster than an aircraft flies.",
        ("T1078.004", "TA0001"),
    ),
}
"""Kind -> the rule that a finding of it names."""


@dataclass(frozen=True, slots=True)
class Baselines:
    """`too_short`: accounts that were not judged, with the days of logs that there are before the time asked about. `unjudged`:
    how many principals of the others were known too little."""

    findings: tuple[DetectionFinding, ...]
    too_short: tuple[tuple[AccountKey, int], ...] = ()
    unjudged: tuple[tuple[AccountKey, int], ...] = ()

    def about(self, names: Mapping[AccountKey, str]) -> list[str]:
        """What is said beside the findings, by the names of accounts."""
        lines = [
            f"Not enough history of {names.get(key, key[1])} to say what is new: {days} day{'s' * (days != 1)} with logs before the time "
            f"asked about, {LEARNING_DAYS} are needed."
            for key, days in self.too_short
        ]
        if self.unjudged:
            number = sum(count for _, count in self.unjudged)
            lines.append(
                f"Not judged: {number:,} principal{'s' * (number != 1)} known for less than {PRINCIPAL_DAYS} days or by fewer than "
                f"{PRINCIPAL_EVENTS} events before."
            )
        return lines


def read_baselines(tables: Sequence[Rows], span: LearningSpan) -> Baselines:
    """The rows of `baseline_statements`, without those of places."""
    found, keys, learned, unjudged = tables[:4]
    findings = [
        *(_finding(row, span) for row in found),
        *(_key_finding(row, span) for row in keys),
    ]
    short = tuple(((str(cloud), str(account)), _number(days)) for cloud, account, days, _ in learned)
    return Baselines(
        tuple(findings),
        tuple((key, days) for key, days in short if days < LEARNING_DAYS),
        tuple(((str(cloud), str(account)), _number(count)) for cloud, account, count in unjudged),
    )


def _finding(row: Sequence[object], span: LearningSpan) -> DetectionFinding:
    kind, cloud, account, who, count, first, last, values, total, examples, learned_from, known_since, days, since = row
    key = (str(cloud), str(account))
    shown = _texts(values)
    more = f" and {_number(total) - MAX_VALUES} more" if _number(total) > MAX_VALUES else ""
    learned = f"learned from {_learned(since, span, days)}"
    if kind not in ("principal", "denied"):
        learned += f", {_number(learned_from):,} events of it since {iso(_time(known_since))}"
    group = {} if kind == "principal" else {str(kind): ", ".join(shown) + more}
    return DetectionFinding(
        BASELINES[str(kind)],
        key,
        str(who),
        _time(first),
        _time(last),
        _number(count),
        found_events(examples, key),
        group,
        learned,
    )


def _key_finding(row: Sequence[object], span: LearningSpan) -> DetectionFinding:
    kind, cloud, account, who, key_id, count, first, last, networks, _, examples, previous, gap, days, since = row
    key = (str(cloud), str(account))
    group = {"access_key": str(key_id)}
    if kind == "dormant":
        note = f"last used on {previous}, {_number(gap)} days before; looked back over {_learned(since, span, days)}"
    else:
        note = f"from {TimeRange(span.start, span.end)}"
        group["networks"] = ", ".join(_texts(networks))
    return DetectionFinding(
        BASELINES[str(kind)],
        key,
        str(who),
        _time(first),
        _time(last),
        _number(count),
        found_events(examples, key),
        group,
        note,
    )


def _learned(since: object, span: LearningSpan, days: object) -> str:
    """`2026-10-21T00:05:02Z to 2026-11-16T00:00:00Z (26 days with logs)`."""
    return f"{iso(_time(since))} to {iso(span.start)} ({_number(days)} days with logs)"


def found_events(examples: object, key: AccountKey) -> tuple[FoundEvent, ...]:
    """Examples of a row, oldest first."""
    found = []
    for one in examples if isinstance(examples, list) else []:
        text = {name: str(value or "") for name, value in one.items()}
        found.append(
            FoundEvent(
                *key, text["id"], _time(text["time"]), text["name"], text["source"], text["region"], text["address"], text["error"]
            )
        )  # fmt: skip
    return tuple(found)


def _texts(values: object) -> list[str]:
    return [str(value) for value in values if value] if isinstance(values, list) else []


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _time(value: object) -> datetime:
    return datetime.fromisoformat(str(value))
