"""The engine `trino` over the real Trino of `make trino-test`, with the view that `crosstrail lake init` makes there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import preloaded
from crosstrail.engines.remote_runs import RemoteLimits
from crosstrail.engines.results import ResultStore
from crosstrail.engines.trino import TrinoEngine
from crosstrail.settings.config import load_settings
from trino_lake import Judged

USER = "crosstrail-tests"


def configured(judged: Judged) -> Path:
    """The lake's configuration with this Trino, where the view is made."""
    path = judged.config.with_name("with-trino.yaml")
    if not path.exists():
        trino = f'"trino": {{"url": "http://127.0.0.1:{judged.server.port}", "catalog": "lake", "user": "{USER}"}}'
        path.write_text(judged.config.read_text().rstrip().removesuffix("}") + f", {trino}}}")
        made = preloaded.run("lake", "init", "--engine", "trino", "--config", path)
        assert made.returncode == 0, made.stderr
    return path


@asynccontextmanager
async def cluster_engine(
    judged: Judged, folder: Path, limits: RemoteLimits | None = None
) -> AsyncIterator[TrinoEngine]:
    access = load_settings(str(configured(judged)), environ={}).trino.access()
    engine = TrinoEngine(access, ResultStore(folder / "results"), limits=limits or RemoteLimits(seconds=120))
    try:
        yield engine
    finally:
        await engine.aclose()
