"""A page of 20,000 events in a real browser: how long until it is painted and its events are drawn, how large it is, and how long
zooming and filtering take. Median of several new browsers.

    python bench/timeline.py --events 20000 --runs 5
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from browser_programs import browser_programs
from chromium import Page, chromium
from crosstrail.answers.timeline_page import app_page, page
from made_timelines import made_timeline

_RECORD = 1_200
"""Bytes that a record of CloudTrail has more than those made here, about."""
_AIM = 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    if browser_programs() is None:
        print("no Chromium here (Debian: apt-get install chromium chromium-driver)")
        return
    made = made_timeline(given.events)
    filling = f', "requestParameters": {{"filling": "{"x" * _RECORD}"}}}}'
    events = tuple(replace(one, record=(one.record or "{}")[:-1] + filling) for one in made.events)
    began = time.perf_counter()
    written = page(replace(made, events=events))
    print(f"page without events  {len(app_page()):>12,} bytes (aim: at most 150,000)")
    print(f"page                 {len(written):>12,} bytes, made in {time.perf_counter() - began:.2f} s")
    with tempfile.TemporaryDirectory(prefix="crosstrail-bench-") as folder:
        path = Path(folder, "page.html")
        path.write_bytes(written)
        measured = [measure(path, Path(folder, f"browser-{run}")) for run in range(given.runs)]
    names = ("first paint", "events drawn", "zoom", "search", "next event")
    for name, seconds in zip(names, zip(*measured, strict=True), strict=True):
        aim = f" (aim: under {_AIM:g} s)" if name in names[:2] else ""
        print(f"{name:20} {statistics.median(seconds):>12.3f} s{aim}")


def measure(path: Path, profile: Path) -> list[float]:
    """Seconds of each step, in a browser of its own."""
    with chromium(profile) as browser:
        browser.open(path)
        first = browser.run("return performance.getEntriesByName('first-contentful-paint')[0].startTime")
        drawn = browser.run("return performance.getEntriesByName('timeline drawn')[0].startTime")
        search = "const one = document.getElementById('search'); one.value = 'user alice'; one.dispatchEvent(new Event('input'))"
        steps = ["document.getElementById('in').click()", search, "document.getElementById('after').click()"]
        return [first / 1000, drawn / 1000, *(until_drawn(browser, step) for step in steps)]


def until_drawn(browser: Page, script: str) -> float:
    """Seconds from a step to the second frame after it, by which it is drawn."""
    took: float = browser.driver.execute_async_script(
        f"const done = arguments[0], began = performance.now(); {script};"
        "requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - began)));"
    )
    return took / 1000


if __name__ == "__main__":
    main()
