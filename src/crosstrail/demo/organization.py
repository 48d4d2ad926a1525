"""The made-up organisation: its accounts, its log files, its configuration.

`generate` writes the same bytes every time. It never collects, and knows no lake, server or SQL.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import yaml

from crosstrail.demo import alibaba, traffic, volcengine
from crosstrail.demo.actors import AUDIT, CN, DAYS, DEV, HZ, LAST_DAY, PROD, at
from crosstrail.demo.digests import write_digests
from crosstrail.demo.incident import Incident, incident
from crosstrail.demo.log_files import ORGANIZATION_ID, write_actiontrail, write_cloudtrail, write_lookup_answers
from crosstrail.models import Account

LOGS = "logs"
"""The log files' place in the organisation's folder."""
_US, _EU = "us-east-1", "eu-west-1"


@dataclass(frozen=True, slots=True)
class Organization:
    """`files` are of logs. `records` counts what they hold, `events` what was logged: some events were delivered twice."""

    folder: Path
    accounts: tuple[Account, ...]
    files: int
    records: int
    events: int
    digests: int
    incident: Incident


def accounts() -> tuple[Account, ...]:
    """Known by their log files alone; the archives' paths are relative to the organisation's folder."""
    trail = f"{LOGS}/AWSLogs/{ORGANIZATION_ID}"
    return (
        _aws(PROD, "prod", trail, (_US, _EU), {"env": "production"}),
        _aws(DEV, "dev", trail, (_US, _EU), {"env": "development"}),
        _aws(AUDIT, "audit", trail, (_US,), {"env": "security"}),
        Account(
            id=CN,
            alias="cn-prod",
            cloud="volcengine",
            region=volcengine.REGION,
            regions=(volcengine.REGION,),
            tags={"env": "production"},
            archive=f"{LOGS}/volcengine/{CN}",
        ),
        Account(
            id=HZ,
            alias="hz-prod",
            cloud="alibaba",
            region=alibaba.REGION,
            regions=(alibaba.REGION,),
            tags={"env": "production"},
            archive=f"{LOGS}/alibaba/{HZ}",
        ),
    )


def generate(folder: Path, days: int = DAYS) -> Organization:
    """Writes the events of the last so many days, about 22,000 of 30, as log files under `folder`/logs. Raises OSError when it
    cannot."""
    night = incident()
    happened = [*traffic.ordinary_traffic(days), *night.events, *night.response]
    cloudtrail = [event for event in happened if not night.silence.has(event)]
    lookups = [*volcengine.ordinary_traffic(days), *volcengine.incident()]
    actiontrail = [*alibaba.ordinary_traffic(days), *alibaba.incident()]
    written = (
        write_cloudtrail(cloudtrail, folder / LOGS),
        write_lookup_answers(lookups, folder / LOGS / "volcengine" / CN),
        write_actiontrail(actiontrail, folder / LOGS / "alibaba" / HZ),
    )
    digests = write_digests(
        folder / LOGS, at(LAST_DAY, 0) - timedelta(days=days - 1), at(LAST_DAY, 0) + timedelta(days=1), night.silence
    )
    return Organization(
        folder=folder,
        accounts=accounts(),
        files=sum(files for files, _ in written),
        digests=digests,
        records=sum(records for _, records in written),
        events=len(cloudtrail) + len(lookups) + len(actiontrail),
        incident=night,
    )


def settings_text(folder: Path) -> str:
    """The crosstrail.yaml of the organisation generated in `folder`, with absolute paths."""
    listed = []
    for account in accounts():
        facts = account.model_dump(mode="json", exclude_defaults=True)
        listed.append({**facts, "archive": str(folder / account.archive)})
    document = {"accounts": listed, "lake": {"path": str(folder / "lake")}}
    return str(yaml.safe_dump(document, sort_keys=False, allow_unicode=True))


def _aws(number: str, alias: str, trail: str, regions: tuple[str, ...], tags: dict[str, str]) -> Account:
    return Account(
        id=number, alias=alias, cloud="aws", region=regions[0], regions=regions, tags=tags, archive=f"{trail}/{number}"
    )
