"""Write docs/images anew: the demo's incident as its page shows it, in a real browser.

python tests/write_pictures.py
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from chromium import chromium

IMAGES = Path(__file__).parents[1] / "docs" / "images"
SIZES = {"timeline-light": (1280, 720), "timeline-dark": (1280, 720)}


def write() -> None:
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "demo")
        subprocess.run(
            [sys.executable, "-m", "crosstrail", "demo", "--folder", made], check=True, stdout=subprocess.DEVNULL
        )
        with chromium(Path(folder, "profile")) as browser:
            for name, (width, height) in SIZES.items():
                scheme = "dark" if name.endswith("dark") else "light"
                browser.cdp(
                    "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
                )
                browser.open(made / "incident.html", width, height)
                if name.endswith("dark"):
                    browser.keys("n")
                browser.settled()
                browser.picture(IMAGES / f"{name}.png")


if __name__ == "__main__":
    write()
