"""`crosstrail rules`: which rules detections run, adding some, checking and testing them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crosstrail.cli import with_settings
from crosstrail.cli.command import Group
from crosstrail.cli.output import Cell, CommandOutput, Meaning, RowColumn, RowType, with_output
from crosstrail.cli.output.colour import level_meaning
from crosstrail.cli.statuses import FAILED, status_of
from crosstrail.cli.words import out, say
from crosstrail.detections.levels import LEVELS, Level

if TYPE_CHECKING:
    from crosstrail.detections.plan import Hit
    from crosstrail.detections.rules import Correlation, Rule, RuleSet
    from crosstrail.settings.config import Settings

_EXISTING = click.Path(exists=True, path_type=Path)
_LEVEL = RowColumn("level", whole=True, meaning=level_meaning, about="Sigma's level, informational to critical.")
RULES = RowType(
    "rules list",
    (
        _LEVEL,
        RowColumn("title", about="What it finds."),
        RowColumn("id", whole=True, about="Its id, as --rule takes it."),
        RowColumn("author", about="Who wrote it."),
        RowColumn("licence", about="Under which licence."),
        RowColumn("source", about="The file that it stands in."),
        RowColumn("link", wide=True, about="Where it is published; empty where nothing says so."),
        RowColumn("attack", "list", wide=True, about="ATT&CK ids of its tactics and techniques."),
    ),
    first_to_go=("licence", "id", "author", "source"),
)


def _usable(value: Cell) -> Meaning | None:
    return {"no": Meaning.FAILED, "with a warning": Meaning.WARNING}.get(str(value))


CHECKED_RULES = RowType(
    "rules check",
    (
        RowColumn("usable", whole=True, meaning=_usable, about="yes, no, or with a warning."),
        RowColumn("title", about="What it finds; empty where its file has none."),
        RowColumn("source", about="The file that it stands in."),
        RowColumn("reason", about="Why it cannot be used, or what is odd about it."),
    ),
)
MATCHES = RowType(
    "rules test",
    (
        _LEVEL,
        RowColumn("rule", about="The title of the rule that matches."),
        RowColumn("time", "time", whole=True, about="When the event happened."),
        RowColumn("event", about="The event's name."),
        RowColumn("principal", cut="apart", about="Who did it."),
        RowColumn("account", about="The account's id."),
        RowColumn("event_id", whole=True, about="The event's id."),
    ),
    first_to_go=("account", "event_id"),
)


@click.group(cls=Group)
def rules() -> None:
    """List, add, check and test the rules that `detect` runs."""


@rules.command("list")
@click.option("--level", type=click.Choice(LEVELS), default="informational", help="Only of this level or above.")
@with_output(RULES, json_flag="json")
@with_settings
def list_(settings: Settings, level: Level, output: CommandOutput) -> int:
    """List the rules that `detect` runs: those that come along, those that were added, those of detect.rules.

    Exit status 3: some file has a rule that cannot be used; which one, and why, is said on stderr.
    """
    from crosstrail.answers.detection_rules import loaded
    from crosstrail.detections.rules import at_least

    found = at_least(loaded(settings.detect), level)
    shown = sorted(found, key=lambda one: (-LEVELS.index(one.facts.level), one.facts.title))
    with output.rows(RULES) as rows:
        rows.write_all(list(_facts(one).values()) for one in shown)
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
@with_output(CHECKED_RULES, json_flag="json")
def check(paths: Sequence[Path], output: CommandOutput) -> int:
    """Say of rules in files or folders which can be used, why the others cannot, and which fields no event has.

    Exit status 0: all can be used. 3: some can. 1: none can.
    """
    from crosstrail.detections.loading import load_rules

    found = load_rules(paths, packaged=False)
    if output.older:
        problems = [{"source": one.place, "title": one.title, "reason": one.reason} for one in found.problems]
        warnings = [{"source": one.place, "title": one.title, "warning": one.reason} for one in found.warnings]
        output.json_document({"rules": [_facts(one) for one in found], "problems": problems, "warnings": warnings})
    else:
        with output.rows(CHECKED_RULES) as rows:
            rows.write_all(_checked(found))
        _say_problems(found)
    return status_of(done=len(found), failed=len(found.problems))


@rules.command()
@click.argument("path", metavar="FILE", type=_EXISTING)
@click.option(
    "--events", type=_EXISTING, required=True, help="A file or folder of events, in any form `collect` reads."
)
@with_output(MATCHES, json_flag="jsonl")
def test(path: Path, events: Path, output: CommandOutput) -> int:
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
    matches = list(map(_match, tested.hits))
    with output.rows(MATCHES) as rows:
        rows.write_all(matches)
    for line in tested.unread:
        say(line)
    matched = len({hit.rule.id for hit in tested.hits})
    say(f"{len(matches):,} matches of {matched} of {len(found)} rules in {tested.events:,} events")
    return status_of(done=1, failed=len(found.problems) + len(tested.unread))


def _match(hit: Hit) -> list[Cell]:
    event = hit.event
    return [hit.rule.level, hit.rule.title, event.time, event.name, hit.principal, event.account, event.id]


def _checked(found: RuleSet) -> Iterator[list[Cell]]:
    """The rules that can be used, with what is odd about each, then those that cannot."""
    odd = {(one.place, one.title): one.reason for one in found.warnings}
    for one in found:
        reason = odd.get((one.place, one.facts.title), "")
        yield ["with a warning" if reason else "yes", one.facts.title, one.place, reason]
    for problem in found.problems:
        yield ["no", problem.title, problem.place, problem.reason]


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
