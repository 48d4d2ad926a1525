"""How fast rules find what they find in a big lake: 788 rules, a tenth of them, ten times the hits, and a sliding window.

    python bench/detect.py [--large] [--events 1000000] [--runs 3] [--folder FOLDER]

Rules are made in the shape of public ones for CloudTrail: nearly all pin an API, some of 400 names, and most ask whether the call
failed. The lake is that of query.py; a quarter of its events have an API that a rule names, as of rules of level medium. Prints every median beside its aim,
which is one for 10,000,000 events (`--large`).

Measured on two processors of a shared machine, medians of three: over 10,000,000 events 788 rules 1.65 s, 79 rules 1.56, ten times the hits 2.64,
rules that name every event 2.05; the window over 1,000,000 events, all of them candidates, 1.06 s; loading 0.46 to 0.54 s.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import anyio

from crosstrail.detections.loading import load_rules
from crosstrail.detections.plan import detection_statements, read_findings
from crosstrail.detections.rules import RuleSet
from crosstrail.engines.analysis import Analysis
from crosstrail.settings.config import Settings
from crosstrail.workspace.scoped import ScopedWorkspace
from crosstrail.workspace.workspace import Workspace
from generate import AGENTS, CALLS
from query import build

RULES = 788
AIMS = {"load 788 rules, in a new process": 0.5, "788 rules": 2.0, "window of 10 minutes": 3.0}
SUCCEEDED, FAILED = "selection and not (error_code or error_msg)", "selection and (error_code or error_msg)"
_RULE = """title: {title}
id: 00000000-0000-4000-8000-{number:012d}
level: high
author: bench
tags: [attack.discovery, attack.t1078.004]
description: A rule in the shape of public ones, which watches one API of one service, and is as long as they are in their files.
references: ["https://docs.aws.amazon.com/", "https://attack.mitre.org/techniques/T1078/"]
falsepositives: [Automation of the organisation itself]
logsource: {{product: aws, service: cloudtrail}}
detection:
  selection: {selection}
  error_code: {{errorCode|exists: true}}
  error_msg: {{errorMessage|exists: true}}
  condition: {condition}
"""
_WINDOW = (
    _RULE.format(title="every call", number=0, selection="{eventVersion: '*'}", condition="selection")
    + """---
title: many calls
logsource: {product: aws, service: cloudtrail}
correlation: {type: event_count, rules: [every call], group-by: [sourceIPAddress], timespan: 10m, condition: {gte: 40}}
"""
)


def write_rules(folder: Path, count: int, share: int, *, every: bool = False) -> Path:
    """Of each API that is called and changes something (or of `every` one that is called), one rule that finds the calls of `share`
    of 20 programs from one network in a hundred; the others find nothing."""
    folder.mkdir()
    called = [call for call in CALLS if every or not call[2]]
    for number in range(count):
        if number < len(called):
            service, name, _ = called[number]
            agents = [agent[:30] for agent in AGENTS[:share]]
            selection = f"{{eventSource: {service}.amazonaws.com, eventName: {name}, userAgent|startswith: {agents}, sourceIPAddress|startswith: '198.51.7.'}}"
            condition = "selection"
        else:
            selection = (
                f"{{eventSource: made{number % 37}.amazonaws.com, eventName: DescribeMadeUpThing{number % 403}}}"
            )
            condition = FAILED if number % 2 else SUCCEEDED
        text = _RULE.format(title=f"rule {number}", number=number, selection=selection, condition=condition)
        (folder / f"{number:04}.yml").write_text(text)
    return folder


async def measure(lake: Path, sets: dict[str, RuleSet], runs: int) -> dict[str, tuple[list[float], int]]:
    """Seconds of each run, and how many events were found."""
    workspace = Workspace(Settings.model_validate({"lake": {"path": str(lake)}, "query": {"time_limit": 600}}))
    scoped = ScopedWorkspace(workspace)
    keys = [account.key for account in (await scoped.scope("*")).accounts]
    measured: dict[str, tuple[list[float], int]] = {}
    try:
        for name, rules in sets.items():
            seconds, found = [], 0
            for _ in range(runs):
                began = time.perf_counter()
                analyzed = await scoped.analyze(Analysis(detection_statements(rules), keys))
                found = sum(one.count for one in read_findings(rules, analyzed.tables))
                seconds.append(time.perf_counter() - began)
            measured[name] = seconds, found
    finally:
        await workspace.aclose()
    return measured


def loading(folder: Path, runs: int) -> list[float]:
    """Seconds from before Sigma's library is imported until the rules are there."""
    program = (
        "import sys, time; from pathlib import Path; import crosstrail.settings.config; began = time.perf_counter()\n"
        "from crosstrail.detections.loading import load_rules\n"
        "found = load_rules([Path(sys.argv[1])], packaged=False); print(time.perf_counter() - began, len(found))"
    )
    done = [
        subprocess.run([sys.executable, "-c", program, str(folder)], check=True, capture_output=True, text=True).stdout
        for _ in range(runs)
    ]
    assert {one.split()[1] for one in done} == {str(RULES)}
    return [float(one.split()[0]) for one in done]


def show(name: str, seconds: Sequence[float], note: str = "") -> None:
    median, aim = statistics.median(seconds), AIMS.get(name)
    verdict = "" if aim is None else f"(aim {aim} s)   {'met' if median <= aim else 'missed'}"
    print(f"{name:34} median {median:6.3f} s {verdict}   {note}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="kept; without it a temporary folder is used")
    chosen = parser.parse_args()
    events = chosen.events or (10_000_000 if chosen.large else 1_000_000)
    with tempfile.TemporaryDirectory(prefix="crosstrail-bench-") as temporary:
        folder = Path(temporary)
        rules = write_rules(folder / "rules", RULES, share=2)
        show("load 788 rules, in a new process", loading(rules, chosen.runs))
        lake = build(chosen.folder or folder, events)
        (folder / "window.yml").write_text(_WINDOW)
        sets = {
            "788 rules": load_rules([rules], packaged=False),
            "79 rules, as many hits": load_rules([write_rules(folder / "few", RULES // 10, share=2)], packaged=False),
            "788 rules, ten times the hits": load_rules(
                [write_rules(folder / "more", RULES, share=20)], packaged=False
            ),
        }
        every = write_rules(folder / "every", RULES, share=2, every=True)
        sets["788 rules that name every event"] = load_rules([every], packaged=False)
        if events <= 1_000_000:
            sets["window of 10 minutes"] = load_rules([folder / "window.yml"], packaged=False)
        print(f"{events:,} events, {chosen.runs} runs each")
        for name, (seconds, found) in anyio.run(measure, lake, sets, chosen.runs).items():
            show(name, seconds, f"{found:,} found   {' '.join(f'{one:.3f}' for one in seconds)}")


if __name__ == "__main__":
    main()
