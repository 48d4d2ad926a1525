"""Where CloudTrail delivers: `AWSLogs/[o-org/]ACCOUNT/CloudTrail[-Kind]/REGION/YYYY/MM/DD/` (user guide, "CloudTrail log file name
format"). Digests hold no events, and other services' logs are not read at all."""

from __future__ import annotations

import re

from crosstrail.clouds.log_layout import LogFolder, LogLayout

_ORGANIZATION = re.compile(r"o-[a-z0-9]{1,32}", re.ASCII)
_ACCOUNT = re.compile(r"\d{6,20}", re.ASCII)
_REGION = re.compile(r"[a-z0-9-]{2,40}", re.ASCII)
_KINDS = ("CloudTrail", "CloudTrail-Insight", "CloudTrail-NetworkActivity")


def _folder(names: tuple[str, ...]) -> LogFolder | None:
    if names and _ORGANIZATION.fullmatch(names[0]):
        names = names[1:]
    match names:
        case ():
            return LogFolder()
        case (account, *rest) if not _ACCOUNT.fullmatch(account) or (rest and rest[0] not in _KINDS):
            return None
        case (account,) | (account, _):
            return LogFolder(account)
        case (account, _, region) if _REGION.fullmatch(region):
            return LogFolder(account, region, has_days=True)
    return None


LAYOUT = LogLayout("AWSLogs", _folder)
