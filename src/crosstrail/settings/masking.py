"""Settings as they may be shown: no secret of any kind, however it was written.

Decides what counts as one: values of a secret's type; passwords and tokens inside addresses; what stands after the name of a header or
of an option that carries one. Rather too much is masked than too little: who owns the file can read it there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pydantic import SecretStr

MASK = "***"
_SENSITIVE = r"(?:auth(?:orization)?|token|api[-_]?key|access[-_]?key|secret|passw(?:or)?d|pwd|credentials?|cookie|sig(?:nature)?|bearer)"
_USER_INFO = re.compile(r"(?P<before>[A-Za-z][A-Za-z0-9+.-]*://[^/\s:@?#]*):(?P<secret>[^/\s@]*(?:@[^/\s@]*)*)@")
_TOKEN_ALONE = re.compile(r"(?P<before>[A-Za-z][A-Za-z0-9+.-]*://)(?P<secret>[^/\s:@?#]{16,})@")
_PARAMETER = re.compile(rf"(?P<before>[?&][^=&\s]*{_SENSITIVE}[^=&\s]*=)(?P<secret>[^&#\s]+)", re.IGNORECASE)
_ASSIGNED = re.compile(
    rf"(?P<before>(?:^|[\s;,\"'-])[A-Za-z0-9_.-]*{_SENSITIVE}[A-Za-z0-9_.-]*[\"']?\s*[:=]\s*)(?P<secret>\S.*)$",
    re.IGNORECASE,
)
_BEARER = re.compile(r"(?P<before>\b(?:Bearer|Basic)\s+)(?P<secret>\S+)", re.IGNORECASE)
_OPTION = re.compile(rf"--?[A-Za-z0-9-]*{_SENSITIVE}[A-Za-z0-9-]*", re.IGNORECASE)
_HEADER_OPTION = re.compile(r"-H|--headers?")


def masked_text(text: str) -> str:
    """The text without what may be a secret in it."""
    for pattern in (_USER_INFO, _TOKEN_ALONE, _PARAMETER, _BEARER, _ASSIGNED):
        text = pattern.sub(lambda found: f"{found['before']}{_closed(found)}", text)
    return text


def _closed(found: re.Match[str]) -> str:
    if found.re is _USER_INFO:
        return f":{MASK}@"
    return f"{MASK}@" if found.re is _TOKEN_ALONE else MASK


def masked_words(words: Sequence[str]) -> list[str]:
    """Arguments of a command: also what follows an option such as --token, or any header that is given to one."""
    shown: list[str] = []
    before = ""
    for word in words:
        if _OPTION.fullmatch(before) and not word.startswith("-"):
            shown.append(MASK)
        elif _HEADER_OPTION.fullmatch(before):
            name, colon, _ = word.partition(":")
            shown.append(f"{name}: {MASK}" if colon else MASK)
        else:
            shown.append(masked_text(word))
        before = word
    return shown


def masked_secret(secret: SecretStr) -> str:
    return MASK if secret.get_secret_value() else ""


def masked_key_id(key_id: str) -> str:
    """The end alone, by which its owner knows it."""
    return f"{MASK}{key_id[-4:]}" if len(key_id) > 8 else MASK * bool(key_id)
