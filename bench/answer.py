"""Bytes of a lookup's answer, over the made-up organisation of the demo or over logs of yours.

    python bench/answer.py [LOGS]

Walks all pages of 50 events of all accounts together and prints the median and the largest answer, as a client receives
it over stdio. The goal: at most 9,000 bytes a page in summary form. For scale: the AWS Labs server's answer of 50 events
had 180,313 bytes.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import anyio
from mcp import Client, StdioServerParameters

from crosstrail.demo.organization import generate

GOAL, PEER = 9_000, 180_313
MAX_PAGES = 40


async def measure(lake: Path) -> None:
    command = StdioServerParameters(
        command=sys.executable, args=["-m", "crosstrail", "serve", "--lake", str(lake)], env=dict(os.environ)
    )
    async with Client(command) as client:
        for detail in ("summary", "full"):
            sizes: list[int] = []
            arguments: dict[str, Any] = {"target_account_id": "*", "max_results": 50, "detail": detail}
            while len(sizes) < MAX_PAGES:
                result = await client.call_tool("lookup_events", arguments)
                if result.is_error:
                    raise SystemExit(str(result.content))
                facts = (result.meta or {})["crosstrail/facts"]
                if facts["count"] == 50:
                    sizes.append(sum(len(part.text.encode()) for part in result.content if part.type == "text"))
                if not facts["more"]:
                    break
                arguments = {"next_token": facts["next_token"]}
            print(
                f"{detail}: {len(sizes)} answers of 50 events: median {statistics.median(sizes):,.0f} bytes, "
                f"largest {max(sizes):,}" + (f"; goal {GOAL:,}, AWS Labs {PEER:,}" if detail == "summary" else "")
            )


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        logs = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(folder) / "logs"
        if len(sys.argv) < 2:
            generate(logs)
        lake = Path(folder) / "lake"
        collect = [sys.executable, "-m", "crosstrail", "collect", str(logs), "--lake", str(lake)]
        done = subprocess.run(collect, capture_output=True, text=True, check=False)
        if done.returncode not in (0, 3):  # 3: some file is no log
            raise SystemExit(done.stderr)
        anyio.run(measure, lake)


if __name__ == "__main__":
    main()
