"""Which browser there is on this machine."""

from __future__ import annotations

import shutil
from functools import cache

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@cache
def browser_programs() -> tuple[str, str] | None:
    """(a Chromium, its driver), where both are."""
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    driver = shutil.which("chromedriver")
    return (browser, driver) if browser and driver else None
