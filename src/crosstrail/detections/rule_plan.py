"""Rules over single events as statements: which events each of them matches (matching.py), grouped or each by itself."""

from __future__ import annotations

from collections.abc import Sequence

from crosstrail.detections.address_sql import ADDRESS_MACROS
from crosstrail.detections.field_sql import FIELD_MACROS
from crosstrail.detections.findings import MAX_EXAMPLES
from crosstrail.detections.levels import LEVELS
from crosstrail.detections.matching import matching
from crosstrail.detections.rules import RuleSet

MACROS = (*FIELD_MACROS, *ADDRESS_MACROS)
"""What conditions call; they run before any."""
COLUMNS = (
    "cloud", "account", "principal", "eventtime", "eventid", "eventname", "eventsource", "awsregion",
    "sourceipaddress", "errorcode",
)  # fmt: skip
"""Of `events`, what is said of one that is found."""
_FOUND = {
    "time": "eventtime", "id": "eventid", "account": "account", "name": "eventname", "source": "eventsource",
    "region": "awsregion", "address": "sourceipaddress", "error": "errorcode",
}  # fmt: skip


def found_event(relation: str = "") -> str:
    """One that is found, as a value that sorts by its time. `relation`: its name and a dot."""
    return "{" + ", ".join(f"'{name}': {relation}{column}" for name, column in _FOUND.items()) + "}"


MAX_FINDINGS = 5_000
"""Most that are read of rules, and of correlations."""
_GROUP = "rule, cloud, account, principal"


def rule_statements(rules: RuleSet, *, grouped: bool = True, repeats: bool = True) -> Sequence[str]:
    """The macros, and one table: a row for each rule, account and principal, or for each hit."""
    chosen = {number: one.condition for number, one in enumerate(rules.rules) if one.shown}
    made, branches = matching(chosen, "sigma_pins", COLUMNS)
    if not branches:
        return [*MACROS, "SELECT 1 FROM events WHERE false"]
    tables = []
    for place, branch in enumerate(branches):  # one after the other: together they would hold what all of them read
        table = f"sigma_found_{place}"
        made = [*made, f"CREATE TEMP TABLE {table} AS {_shown(branch, grouped=grouped, repeats=repeats)}"]
        tables.append(f"SELECT * FROM {table}")  # noqa: S608 - a name of ours
    levels = [LEVELS.index(one.facts.level) for one in rules.rules]
    freed = [f"CREATE OR REPLACE TEMP TABLE sigma_found_{place} AS SELECT 1" for place in range(len(branches))]
    return [*MACROS, *made, ordered(" UNION ALL ".join(tables), levels, grouped=grouped), *freed]


def ordered(found: str, levels: Sequence[int], *, grouped: bool) -> str:
    """What was found; of groups the gravest, then the newest, up to MAX_FINDINGS, with how many there are."""
    if not grouped:
        return found
    order = f"ORDER BY list_extract({list(levels)}, rule + 1) DESC, last DESC, rule, account, principal LIMIT {MAX_FINDINGS}"
    return f"SELECT *, count(*) OVER () AS total FROM ({found}) {order}"  # noqa: S608 - made here


def _shown(found: str, *, grouped: bool, repeats: bool) -> str:
    if repeats:
        others = ", ".join(
            f"any_value({one}) AS {one}" for one in COLUMNS if one not in ("cloud", "account", "eventid")
        )
        found = f"SELECT rule, cloud, account, eventid, {others} FROM ({found}) GROUP BY rule, cloud, account, eventid"  # noqa: S608 - made here
    if not grouped:
        return f"SELECT rule, cloud, account, principal, [{found_event()}], CAST([] AS VARCHAR[]) FROM ({found})"  # noqa: S608 - made here
    shown = f"min(eventtime) AS first, max(eventtime) AS last, count(*), min({found_event()}, {MAX_EXAMPLES}), CAST([] AS VARCHAR[])"
    return f"SELECT {_GROUP}, {shown} FROM ({found}) GROUP BY {_GROUP}"  # noqa: S608 - made here
