"""The rows of `crosstrail coverage`: an account and region each, with its days by their state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crosstrail.cli.output import Cell, CommandOutput, Meaning, RowColumn, RowType
from crosstrail.coverage import DayState, StateRun

if TYPE_CHECKING:
    from crosstrail.answers.log_coverage import LogCoverage, RegionCoverage

_ABOUT = {
    DayState.PROVED: "Days that digests prove complete.",
    DayState.COLLECTED: "Days that were collected.",
    DayState.PARTLY: "Days that are held in part.",
    DayState.MISSING: "Days without an event between two days that have some.",
    DayState.NEVER: "Days on which nothing was logged.",
}


def _missing(value: Cell) -> Meaning | None:
    return Meaning.FAILED if value else None


COVERAGE = RowType(
    "coverage",
    (
        RowColumn("cloud", about="aws, volcengine, alibaba, or what a distribution brings."),
        RowColumn("account", whole=True, about="The account's id."),
        RowColumn("alias", about="Its name; empty where it has none."),
        RowColumn("region", whole=True, about="The region."),
        *(
            RowColumn(
                state.value,
                "integer",
                thousands=True,
                meaning=_missing if state is DayState.MISSING else None,
                about=_ABOUT[state],
            )
            for state in _ABOUT
        ),
        RowColumn("runs", "list", by_name=True, about="Each run of days: state, first, last, days, reason."),
    ),
    first_to_go=("cloud",),
)


def print_rows(found: LogCoverage, output: CommandOutput) -> None:
    with output.rows(COVERAGE) as rows:
        rows.write_all(map(_row, found.rows))


def _row(row: RegionCoverage) -> list[Cell]:
    days = [row.map.days(state) for state in _ABOUT]
    runs = [run_object(run) for run in row.map.runs()]
    return [row.account.cloud, row.account.id, row.account.alias, row.region, *days, runs]


def run_object(run: StateRun) -> dict[str, object]:
    return {
        "state": run.state.value,
        "first": str(run.first),
        "last": str(run.last),
        "days": run.days,
        "reason": run.reason,
    }


def print_lines(found: LogCoverage, output: CommandOutput) -> None:
    """What --json gives: a line for each row, and a last one with the summary."""
    from crosstrail.answers.log_coverage import WORST_FIRST

    for row in found.rows:
        output.json_line(
            {
                "cloud": row.account.cloud,
                "account": row.account.id,
                "alias": row.account.alias,
                "region": row.region,
                "days": {state.value: row.map.days(state) for state in WORST_FIRST},
                "runs": [run_object(run) for run in row.map.runs()],
            }
        )
    never = [
        {"cloud": one.cloud, "account": one.id, "alias": one.alias, "regions": list(regions)}
        for one, regions in found.never
    ]
    totals = {state.value: days for state, days in found.totals().items()}
    about = {"first": str(found.first), "last": str(found.last), "regions": len(found.rows)}
    output.json_line({"summary": {**about, "days": totals, "never_logged": never}})
