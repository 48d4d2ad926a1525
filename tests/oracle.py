"""What a real Trino answered, kept so that the embedded engine can be held against it without one: oracle/VERSION/NAME.jsonl.gz.

A statement a line, `rows` as a result page writes them; of many rows their number and a digest, which says that they differ and not
where: make trino-test does.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from trino_client import Answer
from trino_difference import NOT_SUPPORTED, comparable_rows, is_ordered, plain_type

FOLDER = Path(__file__).parent / "oracle"
_WRITTEN_OUT = 2000
"""Characters of rows; more become a digest."""


def record(name: str, version: str, answers: Mapping[str, Answer]) -> None:
    """The same answers give the same bytes."""
    lines = (json.dumps({"sql": sql, **_entry(sql, answer)}, ensure_ascii=False) for sql, answer in answers.items())
    path = FOLDER / version / f"{name}.jsonl.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))


def recorded(name: str, version: str) -> Iterator[dict[str, Any]]:
    path = FOLDER / version / f"{name}.jsonl.gz"
    yield from map(json.loads, gzip.decompress(path.read_bytes()).decode().splitlines())


def contradicts(entry: Mapping[str, Any], ours: Answer) -> bool:
    """Whether the answer is one that Trino did not give. To refuse is none."""
    if ours.error or entry.get("error") == NOT_SUPPORTED:
        return False
    return "error" in entry or _entry(entry["sql"], ours) != {key: entry[key] for key in entry if key != "sql"}


def _entry(sql: str, answer: Answer) -> dict[str, Any]:
    if answer.error:
        return {"error": answer.error.partition(":")[0]}
    rows = list(map(list, comparable_rows(answer)))
    if not is_ordered(sql):
        rows.sort(key=repr)
    head = {"names": list(answer.names), "types": [plain_type(kind) for kind in answer.types]}
    text = json.dumps(rows, ensure_ascii=False)
    if len(text) <= _WRITTEN_OUT:
        return {**head, "rows": rows}
    return {**head, "count": len(rows), "digest": hashlib.sha256(text.encode()).hexdigest()}
