"""Which language the environment asks for, by the variables that gettext has for it."""

from __future__ import annotations

import os
from collections.abc import Mapping

_VARIABLES = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
"""The first that is set decides; LANGUAGE may list several, the best first."""
_ENGLISH = frozenset({"en", "c", "posix"})
_TRADITIONAL = ("hant", "tw", "hk", "mo")
"""Scripts and regions that write another Chinese than the catalog's."""


def language_of(environ: Mapping[str, str] | None = None) -> str:
    """The name of a catalog, such as zh_CN; empty for English, which the source is written in."""
    environ = os.environ if environ is None else environ
    value = next((environ[name] for name in _VARIABLES if environ.get(name)), "")
    for one in value.split(":"):
        language, *parts = one.partition(".")[0].partition("@")[0].replace("-", "_").lower().split("_")
        if language in _ENGLISH:
            return ""
        if language == "zh" and not any(part in _TRADITIONAL for part in parts):
            return "zh_CN"
    return ""


def reads_chinese(environ: Mapping[str, str] | None = None) -> bool:
    """Whether pages of the documentation are shown in Chinese where there is such a page."""
    return language_of(environ).startswith("zh")
