"""`crosstrail rules`: which rules detections run, adding some, checking and testing them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crosstrail.cli import with_settings
from crosstrail.cli.command import Group
from crosstrail.cli.statuses import FAILED, status_of
from crosstrail.cli.tables import print_table
from crosstrail.cli.words import out, out_json, say
from crosstrail.detections.levels import LEVELS, Level

if TYPE_CHECKING:
    from crosstrail.detections.plan import Hit
    from crosstrail.detections.rules import Correlation, Rule, RuleSet
    from crosstrail.settings.config import Settings

_EXISTING = click.Path(exists=True, path_type=Path)
_COLUMNS = ("level", "title", "id", "author", "licence", "source")


@click.group(cls=Group)
def rules() -> None:
    """List, add, check and test the rules that `detect` runs."""


@rules.command("list")
@click.option("--level", type=click.Choice(LEVELS), default="informational", help="Only of this level or above.")
@click.option("--json", "as_json", is_flag=True, help="JSON for scripts.")
@with_settings
def list_(settings: Settings, level: Level, as_json: bool) -> int:
    """List the rules that `detect` runs: those that come along, those that were added, those of detect.rules.

    Exit status 3: some file has a rule that cannot be used; which one, and why, is said on stderr.
    """
    from crosstrail.answers.detection_rules import loaded
    from crosstrail.detections.rules import at_least

    found = at_least(loaded(settings.detect), level)
    shown = sorted(found, key=lambda one: (-LEVELS.index(one.facts.level), one.facts.title))
    if as_json:
        out_json([_facts(one) for one in shown], indent=True)
    else:
        rows = [[str(value) for value in list(_facts(one).values())[: len(_COLUMNS)]] for one in shown]
        print_table(_COLUMNS, rows, first_to_go=("licence", "id", "author", "source"))
    _say_problems(found)
    return status_of(done=len(shown), failed=len(found.problems))


@rules.command()
@click.argument("path", metavar="DIR", type=_EXISTING)
def add(path: Path) -> int:
    """Copy a folder or file of Sigma rules into your own folder of rules, which `detect` reads.

    Rules are copied as they are, with the licence beside them: findings name its author and licence. What was added under the same
    name before is replaced. Exit status 1: none of it can be used, and nothing was copied.
    """
    from crosstrail.detections.loading import load_rules
    from crosstrail.detections.user_rules import add_rules

    found = load_rules([path], packaged=False)
    _say_problems(found)
    if not len(found):
        say(f"Nothing was added: no rule of {path} can be used.")
        return FAILED
    added = add_rules(path)
    licences = sorted({one.facts.license or "no licence named" for one in found})
    out(f"{len(found)} rules {'replaced' if added.replaced else 'added'} in {added.folder} ({', '.join(licences)})")
    return status_of(done=len(found), failed=len(found.problems))


@rules.command()
@click.argument("paths", metavar="FILE...", nargs=-1, required=True, type=_EXISTING)
@click.option("--json", "as_json", is_flag=True, help="JSON for scripts.")
def check(paths: Sequence[Path], as_json: bool) -> int:
    """Say of rules in files or folders which can be used, why the others cannot, and which fields no event has.

    Exit status 0: all can be used. 3: some can. 1: none can.
    """
    from crosstrail.detections.loading import load_rules

    found = load_rules(paths, packaged=False)
    if as_json:
        problems = [{"source": one.place, "title": one.title, "reason": one.reason} for one in found.problems]
        warnings = [{"source": one.place, "title": one.title, "warning": one.reason} for one in found.warnings]
        out_json({"rules": [_facts(one) for one in found], "problems": problems, "warnings": warnings}, indent=True)
    else:
        _say_problems(found)
        for one in found:
            out(f"can be used: {one.facts.title} ({one.facts.level}, {one.place})")
    return status_of(done=len(found), failed=len(found.problems))


@rules.command()
@click.argument("path", metavar="FILE", type=_EXISTING)
@click.option(
    "--events", type=_EXISTING, required=True, help="A file or folder of events, in any form `collect` reads."
)
@click.option("--json", "as_json", is_flag=True, help="A line of JSON for each match.")
def test(path: Path, events: Path, as_json: bool) -> int:
    """Run the rules of a file over a file of events, and list what they match. No lake is read or written.

    Exit status 0 also where nothing matches. 3: a rule could not be used, or a part of the events not read.
    """
    import anyio

    from crosstrail.answers.rule_test import run_rules
    from crosstrail.detections.loading import load_rules

    found = load_rules([path], packaged=False)
    _say_problems(found)
    if not len(found):
        say(f"No rule of {path} can be used.")
        return FAILED
    tested = anyio.run(run_rules, found, events)
    rows = [_match(hit) for hit in tested.hits]
    if as_json:
        for row in rows:
            out_json(row)
    elif rows:
        print_table(list(rows[0]), [list(row.values()) for row in rows], first_to_go=("account", "event id"))
    for line in tested.unread:
        say(line)
    matched = len({hit.rule.id for hit in tested.hits})
    say(f"{len(rows):,} matches of {matched} of {len(found)} rules in {tested.events:,} events")
    return status_of(done=1, failed=len(found.problems) + len(tested.unread))


def _match(hit: Hit) -> dict[str, str]:
    from crosstrail.timerange import iso

    return {
        "level": hit.rule.level,
        "rule": hit.rule.title,
        "time": iso(hit.event.time),
        "event": hit.event.name,
        "principal": hit.principal,
        "account": hit.event.account,
        "event id": hit.event.id,
    }


def _facts(one: Rule | Correlation) -> dict[str, str | list[str]]:
    facts = one.facts
    return {
        "level": facts.level,
        "title": facts.title,
        "id": facts.id,
        "author": facts.author,
        "licence": facts.license,
        "source": one.place,
        "link": facts.link,
        "attack": list(facts.attack),
    }


def _say_problems(found: RuleSet) -> None:
    for one in found.problems:
        say(f"cannot be used: {one}")
    for one in found.warnings:
        say(f"warning: {one}")
