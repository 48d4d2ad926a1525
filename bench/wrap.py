"""What `crosstrail wrap` costs: a warm call beside the same call to the bare server, memory, the first call of an account.

    python bench/wrap.py [--calls 300] [--children 16]

The server and the credentials are real processes and requests on loopback: tests/wrapped/plain.py, tests/fakes/aws.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import anyio
from mcp import Client, StdioServerParameters

from processes import ROOT, Cloud, compile_all, cpu, fake, memory

PLAIN = str(ROOT / "tests" / "wrapped" / "plain.py")


async def timed(client: Client, tool: str, arguments: dict[str, Any]) -> float:
    """Milliseconds of one call."""
    began = time.perf_counter()
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    return 1000 * (time.perf_counter() - began)


def crosstrail_pid(children: list[int]) -> int:
    """The parent of the launchers."""
    launcher = int(Path(f"/proc/{children[0]}/stat").read_text().rsplit(")", 1)[1].split()[1])
    return int(Path(f"/proc/{launcher}/stat").read_text().rsplit(")", 1)[1].split()[1])


async def bare_start(command: list[str], environment: dict[str, str]) -> float:
    """Milliseconds until a server started by hand has answered its first call."""
    began = time.perf_counter()
    async with Client(
        StdioServerParameters(command=command[0], args=command[1:], env=environment), mode="legacy"
    ) as client:
        await client.call_tool("echo", {"text": "x"})
        return 1000 * (time.perf_counter() - began)


async def measure(cloud: Cloud, folder: Path, calls: int, children: int) -> None:
    config = folder / "crosstrail.yaml"
    config.write_text(json.dumps({"accounts": cloud.accounts, "wrap": {"max_children": children}}))
    plain = [sys.executable, "-S", PLAIN]
    wrap = [sys.executable, "-m", "crosstrail", "wrap", "--config", str(config)]
    wrap += ["--env", f"AWS_ENDPOINT_URL={cloud.url}"]
    environment = cloud.environment
    names = [account["alias"] for account in cloud.accounts]
    wrapped = StdioServerParameters(command=wrap[0], args=[*wrap[1:], "--", *plain], env=environment)
    bare = StdioServerParameters(command=plain[0], args=plain[1:], env=environment)
    async with Client(wrapped, mode="legacy") as through, Client(bare, mode="legacy") as straight:
        cold = [await timed(through, "echo", {"target_account_id": name, "text": "x"}) for name in names[:children]]
        starts = [await bare_start(plain, environment) for _ in range(children)]
        pids = [
            json.loads(result.content[0].text)["pid"]  # type: ignore[union-attr]
            for result in [await through.call_tool("pid", {"target_account_id": name}) for name in names[:children]]
        ]
        ours, theirs = [], []
        pid = crosstrail_pid(pids)
        before = cpu(pid)
        for _ in range(calls):  # turn and turn about, so that both see the same machine
            theirs.append(await timed(straight, "echo", {"text": "x"}))
            ours.append(await timed(through, "echo", {"target_account_id": names[0], "text": "x"}))
        used, a_call = memory(pid), 1000 * (cpu(pid) - before) / calls
    more = statistics.median(ours) - statistics.median(theirs)
    print(
        f"warm call: bare {statistics.median(theirs):.2f} ms, through wrap {statistics.median(ours):.2f} ms, +{more:.2f} ms"
    )
    print(
        f"processor time of crosstrail: {1000 * before:.0f} ms before the first warm call, {a_call:.2f} ms a warm call"
    )
    first = statistics.median(cold) - statistics.median(starts)
    print(
        f"first call of an account: {statistics.median(cold):.0f} ms, the server's own start and first call "
        f"{statistics.median(starts):.0f} ms, +{first:.0f} ms"
    )
    print(f"memory of crosstrail with {len(set(pids))} processes: {used:.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--children", type=int, default=16)
    options = parser.parse_args()
    compile_all()
    with (
        tempfile.TemporaryDirectory() as folder,
        fake("aws", accounts=options.children, events=0) as cloud,
    ):
        anyio.run(measure, cloud, Path(folder), options.calls, options.children)


if __name__ == "__main__":
    main()
