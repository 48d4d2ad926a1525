"""Where ActionTrail delivers in OSS: `AliyunLogs/Actiontrail[-Insight]/[RD_ID/ACCOUNT/]REGION/YYYY/MM/DD/` (help page "What is the
storage path of an event that is delivered to an OSS bucket")."""

from __future__ import annotations

import re

from crosstrail.clouds.log_layout import LogFolder, LogLayout

_DIRECTORY = re.compile(r"rd-[A-Za-z0-9]{1,32}", re.ASCII)
_ACCOUNT = re.compile(r"\d{6,20}", re.ASCII)
_REGION = re.compile(r"[a-z0-9-]{2,40}", re.ASCII)
_KINDS = ("Actiontrail", "Actiontrail-Insight")


def _folder(names: tuple[str, ...]) -> LogFolder | None:
    if not names:
        return LogFolder()
    if names[0] not in _KINDS:
        return None
    match names[1:]:
        case ():
            return LogFolder()
        case (directory, *rest) if _DIRECTORY.fullmatch(directory):
            match rest:
                case ():
                    return LogFolder()
                case (account,) if _ACCOUNT.fullmatch(account):
                    return LogFolder(account)
                case (account, region) if _ACCOUNT.fullmatch(account) and _REGION.fullmatch(region):
                    return LogFolder(account, region, has_days=True)
        case (region,) if _REGION.fullmatch(region):
            return LogFolder("", region, has_days=True)
    return None


LAYOUT = LogLayout("AliyunLogs", _folder)
