"""`make conformance`: MCP's own suites and its Inspector, against `crosstrail serve --demo` over HTTP and stdio.

Needs npm; what it installs stays in `.conformance`. Prints each run's summary; the exit status is that of the first_error.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PLACE = HERE.parents[1] / ".conformance"
PACKAGES = (
    "node@22",
    "suite-0-1@npm:@modelcontextprotocol/conformance@0.1.16",
    "suite-0-2@npm:@modelcontextprotocol/conformance@0.2.0-alpha.12",
    "@modelcontextprotocol/inspector@2.12.0",
)
MODULES = PLACE / "node_modules"
SERVE = [sys.executable, "-m", "crosstrail", "serve", "--demo"]


def installed() -> str:
    """Node 22, with the suites beside it."""
    npm = shutil.which("npm")
    if npm is None:
        sys.exit("conformance: npm is needed (Debian: apt-get install npm)")
    PLACE.mkdir(exist_ok=True)
    if not (MODULES / "suite-0-2").is_dir():
        subprocess.run([npm, "install", "--silent", "--no-audit", "--no-fund", *PACKAGES], cwd=PLACE, check=True)
    return str(MODULES / ".bin" / "node")


def suites(node: str, url: str) -> list[list[str]]:
    """The command lines of the suites."""

    def suite(name: str, expected: str, *arguments: str) -> list[str]:
        program = str(MODULES / name / "dist" / "index.js")
        baseline = str(HERE / f"expected-{expected}.yaml")
        return [node, program, "server", "--url", url, *arguments, "--expected-failures", baseline]

    return [
        suite("suite-0-1", "0.1", "--suite", "all"),
        suite("suite-0-2", "2025-11-25", "--requirements", "2025-11-25"),
        suite("suite-0-2", "2026-07-28", "--requirements", "2026-07-28"),
    ]


PASSED = {"--suite": 10, "2025-11-25": 40, "2026-07-28": 116}
"""Checks that pass, by an argument of the suite: those inside a scenario that is expected to fail, too, must go on to pass."""
CALLS = (
    ("list_accounts",),
    ("lookup_events", "target_account_id=*", "start_time=30d", "max_results=3"),
    ("lookup_events", "target_account_id=*", "start_time=30d", "max_results=1", "detail=full"),
    ("lake_query", "sql=SELECT eventname, count(*) FROM events GROUP BY 1 LIMIT 3"),
    ("list_event_data_stores", "include_details=true"),
)


def inspections(node: str, url: str) -> list[list[str]]:
    """Lists every tool strictly (the Inspector is strict about lists alone), and calls what reads, over HTTP and stdio."""
    inspect = [node, str(MODULES / ".bin" / "mcp-inspector"), "--cli"]
    writing = [*SERVE[:-1], "--allow-writes"]  # every tool there is
    found = [[*inspect, *writing, "--method", "tools/list", "--strict"]]
    for target in ([url, "--transport", "http"], SERVE):
        found.append([*inspect, *target, "--method", "tools/list", "--strict"])
        for tool, *arguments in CALLS:
            sent = [word for argument in arguments for word in ("--tool-arg", argument)]
            found.append([*inspect, *target, "--method", "tools/call", "--tool-name", tool, *sent])
    return found


def run(command: list[str], *, summary: bool) -> int:
    done = subprocess.run(command, cwd=PLACE, capture_output=True, text=True, timeout=600, check=False)
    warned = not summary and re.search(r"\bwarn", done.stderr, re.IGNORECASE)
    failed = done.returncode or (1 if warned else 0)
    print(f"== {' '.join(command[2:])}: {'FAILED' if failed else 'passed'}")
    text = done.stdout + done.stderr
    if summary:
        print(text[text.find("=== SUMMARY") :])
        found = re.search(r"Total: (\d+) passed", text)
        least = next(count for argument, count in PASSED.items() if argument in command)
        if not found or int(found[1]) < least:
            print(f"FAILED: {found[1] if found else 'no'} checks passed, not {least} as before")
            return 1
    elif failed:
        print(text[-3000:])
    return failed


def main() -> int:
    node = installed()
    server = subprocess.Popen(
        [*SERVE, "--transport", "http", "--port", "0", "--audit", "off"], stderr=subprocess.PIPE, text=True
    )
    assert server.stderr
    try:
        found = None
        while not found and (line := server.stderr.readline()):
            found = re.search(r"serves (\S+/mcp)", line)
        if not found:
            return 1
        failed = [run(command, summary=True) for command in suites(node, found[1])]
        failed += [run(command, summary=False) for command in inspections(node, found[1])]
        return max(failed)
    finally:
        server.terminate()
        server.wait(timeout=20)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONWARNINGS", "error::ResourceWarning")
    sys.exit(main())
