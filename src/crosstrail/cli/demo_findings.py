"""The end of `crosstrail demo`: what the rules find of the incident, and its timeline as a file to open.

Decides which hours are shown, and whether the findings are of what really happened. It says which command shows the same.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import anyio
from rich.text import Text

from crosstrail.answers.detect import DetectCall, Detected, detect, headline
from crosstrail.answers.timeline import TimelineQuestion, summary, timeline
from crosstrail.answers.timeline_data import Timeline
from crosstrail.answers.timeline_page import page
from crosstrail.cli.private_file import write_private
from crosstrail.demo.incident import Incident, incident
from crosstrail.demo.prepared import Prepared
from crosstrail.errors import ConfigError
from crosstrail.text import clean, visible
from crosstrail.timerange import iso, parse_range
from crosstrail.workspace.scoped import ScopedWorkspace
from crosstrail.workspace.workspace import Workspace

_FILE = "incident.html"
_TONES = {"critical": "bold red", "high": "red", "medium": "yellow"}
Say = Callable[[str | Text], None]


def show_findings(heading: Callable[[str], None], say: Say, made: Prepared) -> str:
    """Prints both; what is wrong with the findings, or nothing."""
    night = incident()
    since, until = iso(night.began.replace(minute=0, second=0)), iso(night.ended.replace(minute=59, second=59))
    heading("What the rules find of that night")
    options = ["--since", since, "--until", until, "--config", str(made.config)]
    say(Text(f"crosstrail detect {shlex.join(options)}", style="green"))
    try:
        found = anyio.run(_found, made, since, until)
    except ConfigError as error:  # without the extra that reads rules
        say(error.text)
        return ""
    say(headline(found, len(found.findings)))
    for one in found.findings:
        say(
            Text.assemble(
                (f"{one.rule.level:<8}  ", _TONES.get(one.rule.level, "")),
                f"{one.first:%H:%M:%S}  {clean(one.rule.title, 60)}: ",
                (clean(one.principal, 60), "bold"),
                f" in {clean(found.names.get(one.account, one.account[1]), 40)}",
                (f"  rule by {clean(one.rule.author, 60)}", "dim"),
            )
        )
    if wrong := _wrong(found, night):
        return wrong
    heading("The night as a picture")
    file = made.folder / _FILE
    shown = anyio.run(_pictured, made, since, until)
    write_private(file, page(replace(shown, findings=found.findings)), overwrite=True)
    say(Text(f"crosstrail timeline {shlex.join(options)} -o {_FILE}", style="green"))
    say(summary(shown)[0])
    say(Text.assemble("Open it in a browser: ", (visible(str(file)), "bold")))
    return ""


def _wrong(found: Detected, night: Incident) -> str:
    """Each finding is of what happened that night, and the end of logging is among them."""
    happened = {str(event["eventID"]) for event in night.events}
    told = {event.id for one in found.findings for event in one.events}
    if night.stop_logging_id not in told:
        return "no rule found that logging was stopped"
    return "" if told <= happened else f"{len(told - happened)} events that were found are not of the incident"


async def _found(made: Prepared, since: str, until: str) -> Detected:
    workspace = Workspace(made.settings)
    try:
        return await detect(ScopedWorkspace(workspace), DetectCall(start=since, end=until))
    finally:
        await workspace.aclose()


async def _pictured(made: Prepared, since: str, until: str) -> Timeline:
    span = parse_range(since, until, now=datetime.now(UTC), default_age=None)
    workspace = Workspace(made.settings)
    try:
        return (await timeline(ScopedWorkspace(workspace), TimelineQuestion("", "", span, ())))[0]
    finally:
        await workspace.aclose()
