"""Makes tests/data/older.tar.xz: what commit d318d91 itself writes, by its own code, from a clone that has its history.

    .venv/bin/python tests/write_older_lake.py

In it: `logs`, which were collected; `lake`, the lake of them; `accounts.sqlite`, its account database; `crosstrail.yaml`, all of its keys.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from older_lake import ARCHIVE, COMMIT, KEY, OTHER, SECRET, SETTINGS, collected_records


def _run(folder: Path, source: Path, arguments: Sequence[str], *, stdin: str = "") -> None:
    environ = {**os.environ, "PYTHONPATH": str(source / "src"), "ENCRYPTION_KEY": KEY}
    environ["DATABASE_URL"] = f"sqlite:///{folder / 'accounts.sqlite'}"
    program = [sys.executable, "-m", "crosstrail", *arguments]
    subprocess.run(program, cwd=folder, env=environ, input=stdin, text=True, check=True)


def main() -> None:
    """Needs git, and this project's own environment."""
    with tempfile.TemporaryDirectory() as scratch:
        source, folder = Path(scratch, "source"), Path(scratch, "made")
        archived = subprocess.run(["git", "archive", COMMIT, "src"], check=True, stdout=subprocess.PIPE).stdout
        with tarfile.open(fileobj=io.BytesIO(archived)) as archive:
            archive.extractall(source, filter="data")
        for name, records in collected_records().items():
            path = folder / "logs" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(gzip.compress(json.dumps({"Records": records}).encode(), mtime=0))
        _run(folder, source, ["collect", "logs", "--lake", "lake", "--workers", "1"])
        role = f"arn:aws:iam::{OTHER}:role/Audit"
        _run(
            folder, source, ["accounts", "add", OTHER, "--alias", "other", "--role-arn", role, "--external-id", "ext-1"]
        )
        keys = ["accounts", "add", "222222222222", "--alias", "keys", "--access-key-id", "AKIAEXAMPLE"]
        _run(folder, source, keys, stdin=f"{SECRET}\n")
        (folder / "crosstrail.yaml").write_text(SETTINGS)
        _run(folder, source, ["accounts", "list", "--config", "crosstrail.yaml"])
        with tarfile.open(ARCHIVE, "w:xz") as archive:
            for path in sorted(folder.iterdir()):
                archive.add(path, path.name)


if __name__ == "__main__":
    main()
