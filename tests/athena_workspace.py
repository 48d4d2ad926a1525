"""A workspace whose engine is Athena, on a fake AWS: one account asks and pays, others are those whose events are read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from crosstrail.engines.base import QueryScope
from crosstrail.models import Account
from crosstrail.settings.config import Settings
from crosstrail.workspace.workspace import Workspace
from fakes.aws.athena import Athena
from fakes.s3 import FakeS3
from live_aws import LiveAws, live_aws

PAYER = "555555555555"
BUCKET = "athena-results"
READ, OTHER = Account(id="012345678901", alias="prod"), Account(id="111111111111", alias="dev")


@dataclass
class AthenaWorkspace:
    """`athena` is the paying account's."""

    aws: LiveAws
    s3: FakeS3
    workspace: Workspace
    athena: Athena

    both = QueryScope((READ, OTHER))

    def comes_to(self, *rows: tuple[str | None, ...], columns: tuple[str, ...], **more: Any) -> None:
        """What the next query gives."""
        outcome = self.athena.outcome
        outcome.columns, outcome.rows = columns, rows
        for name, value in more.items():
            setattr(outcome, name, value)

    def asked(self, action: str) -> list[dict[str, Any]]:
        return [one.params for one in self.aws.world.requests if one.action == action]


def athena_settings(aws: LiveAws, folder: Path, **more: Any) -> Settings:
    place = {"account": "payer", "output": f"s3://{BUCKET}/out/", **more}
    return aws.settings(athena=place, lake={"path": str(folder / "lake")})


@asynccontextmanager
async def athena_workspace(
    folder: Path, monkeypatch: pytest.MonkeyPatch, **more: Any
) -> AsyncIterator[AthenaWorkspace]:
    """`more`: settings of Athena."""
    async with live_aws(monkeypatch) as aws:
        aws.role_account(PAYER, "payer")
        with FakeS3(aws.world) as s3:
            monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3.url)
            s3.buckets[BUCKET], s3.allowed[BUCKET] = {}, {PAYER}
            athena = aws.world.account(PAYER).athena
            athena.buckets = s3.buckets
            workspace = Workspace(athena_settings(aws, folder, **more))
            try:
                yield AthenaWorkspace(aws, s3, workspace, athena)
            finally:
                await workspace.aclose()
