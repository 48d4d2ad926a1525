"""Write tests/snapshots anew from the server as it is: one JSON file a tool, as tools/list sends it.

python tests/write_snapshots.py
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import anyio

from lake_workspace import client_of, settings

SNAPSHOTS = Path(__file__).parent / "snapshots"


async def write() -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with client_of(settings(Path(folder), allow_writes=True)) as client:
            listed = await client.list_tools()
    SNAPSHOTS.mkdir(exist_ok=True)
    for path in SNAPSHOTS.glob("*.json"):
        path.unlink()
    for tool in listed.tools:
        described = tool.model_dump(mode="json", by_alias=True, exclude_none=True)
        (SNAPSHOTS / f"{tool.name}.json").write_text(json.dumps(described, indent=2) + "\n")


if __name__ == "__main__":
    anyio.run(write)
