"""`crosstrail detect`: what it can be asked, alone, so that --help loads nothing else; detect_findings.py does it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, get_args

import click

from crosstrail.cli import with_settings_after
from crosstrail.cli.command import Command
from crosstrail.cli.output import CommandOutput, with_output
from crosstrail.cli.shared_options import account_option, exit_code_option, region_option, since_option, until_option
from crosstrail.detections.levels import LEVELS, Level

if TYPE_CHECKING:
    from crosstrail.settings.config import Settings

_UNITS = {"s": 1, "m": 60, "h": 3600}


class LevelType(click.Choice[str]):
    """One of Sigma's levels."""

    def __init__(self) -> None:
        super().__init__(LEVELS, case_sensitive=False)


class SecondsType(click.ParamType[float]):
    """90, 90s, 5m, 1h."""

    name = "TIME"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)([smh]?)", str(value).strip())
        seconds = float(found[1]) * _UNITS[found[2] or "s"] if found else 0
        if not 1 <= seconds <= 86_400:
            self.fail("write it as 60s, 5m or 1h: from 1s to 24h", param, ctx)
        return seconds


def level_of(text: str) -> Level | None:
    """None for none."""
    return next((level for level in get_args(Level) if level == text.lower()), None)


def _start_worker() -> None:
    """The process that will run the rules loads beside this one."""
    from crosstrail.engines.workers import start_early
    from crosstrail.lake import missing_libraries

    if not missing_libraries():
        start_early()


@click.command(cls=Command)
@account_option()
@region_option()
@since_option("all that is held")
@until_option()
@click.option("--rules", "files", metavar="PATH", multiple=True, help="Further rules: a file or a folder. Repeatable.")
@click.option("--rule", "only", default="", help="Only these rules: ids or titles, globs, comma list.")
@click.option("--level", type=LevelType(), default=None, help="Only of this level or above; else of detect.level.")
@click.option(
    "--new",
    "new",
    is_flag=True,
    help="What is new instead of what rules find, in the last day held if no --since is given.",
)
@click.option("--limit", type=click.IntRange(min=1), default=None, help="Most findings to print; all if not given.")
@exit_code_option()
@click.option(
    "--follow", "follows", is_flag=True, help="Go on until Ctrl-C: new findings of what the lake gets, each once."
)
@click.option("--every", type=SecondsType(), default="60s", show_default=True, help="With --follow: how often to look.")
@with_output(None, forms=("timesketch", "ocsf"))
@with_settings_after(_start_worker)
def detect(
    settings: Settings,
    account: str,
    region: str,
    since: str,
    until: str,
    files: tuple[str, ...],
    only: str,
    level: str | None,
    output: CommandOutput,
    limit: int | None,
    exits: bool,
    new: bool,
    follows: bool,
    every: float,
) -> int:
    """Find what is suspicious: rules over what is collected, and over live accounts of which nothing is.

    A finding is what one rule found of one principal in one account, the gravest first; what was looked at, and what was not,
    is told beside them. Exit status 3: some account could not be asked, or some rule could not be used; with --exit-code
    10 more where there are findings. Of --follow: where there were new ones.
    """
    from crosstrail.lake import require_libraries

    require_libraries()
    from crosstrail.answers.detect import DetectCall
    from crosstrail.cli.detect_findings import follow_findings, print_detected

    asked = DetectCall(account, region, since, until, level_of(level or ""), only, files, new)
    if new and (only or files or follows):
        raise click.UsageError("--new asks no rules: leave --rule, --rules and --follow out")
    if not follows:
        return print_detected(settings, asked, output, limit, exits=exits)
    if region or since or until or limit:
        raise click.UsageError(
            "--follow takes what is new, of any time: leave --region, --since, --until and --limit out"
        )
    return follow_findings(settings, asked, output, every, exits=exits)
