"""A headless Chromium on a page: what it shows, what it complains of, and whom it asks."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.support.wait import WebDriverWait

from browser_programs import browser_programs

_FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-default-apps", "--force-color-profile=srgb",
)  # fmt: skip
_WATCH = """
window.complaints = [];
document.addEventListener('securitypolicyviolation', (event) => window.complaints.push(`${event.violatedDirective} ${event.sample}`));
window.addEventListener('error', (event) => window.complaints.push(`error ${event.message}`));
window.addEventListener('unhandledrejection', (event) => window.complaints.push(`rejection ${event.reason}`));
for (const name of ['alert', 'confirm', 'prompt', 'open']) window[name] = () => window.complaints.push(name);
"""
PATIENCE = 60.0


@contextmanager
def chromium(folder: Path) -> Iterator[Page]:
    """`folder`: for what the browser keeps of itself."""
    found = browser_programs()
    assert found
    options = Options()
    options.binary_location = found[0]
    for flag in (*_FLAGS, f"--user-data-dir={folder}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, Service(found[1]))
    try:
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": _WATCH})
        driver.command_executor.client_config.timeout = PATIENCE  # type: ignore[union-attr]
        yield Page(driver)
    finally:
        driver.quit()


class Page:
    """One tab."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, address: str | Path, width: int = 1280, height: int = 1000) -> None:
        self.resize(width, height)
        self._log("browser")
        self._log("performance")
        self.driver.get(address.as_uri() if isinstance(address, Path) else address)
        self.settled()

    def resize(self, width: int, height: int) -> None:
        self.cdp(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        )

    def cdp(self, command: str, values: Mapping[str, object]) -> dict[str, Any]:
        answer: dict[str, Any] = self.driver.execute_cdp_cmd(command, dict(values))
        return answer

    def run(self, script: str, *values: object) -> Any:
        return self.driver.execute_script(script, *values)

    def settled(self) -> None:
        """After the next two frames, when what was asked for is drawn."""
        self.driver.execute_async_script(
            "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done()));"
        )

    def wait(self, script: str) -> None:
        """Until that is true."""
        WebDriverWait(self.driver, PATIENCE, 0.02).until(lambda _: self.run(f"return Boolean({script})"))

    def text(self, element: str) -> str:
        """Of the element with that id, as its text nodes have it."""
        found: str = self.run("return document.getElementById(arguments[0]).textContent", element)
        return found

    def click(self, element: str) -> None:
        self.run("document.getElementById(arguments[0]).click()", element)
        self.settled()

    def keys(self, *keys: str) -> None:
        """To whatever has the focus."""
        for key in keys:
            ActionChains(self.driver, duration=0).send_keys(key).perform()
        self.settled()

    def mouse(self, element: str, *places: tuple[float, float]) -> None:
        """Press at the first place (shares of the element's width and height), move over the others, let go at the last."""
        box = self.run(
            "const one = document.getElementById(arguments[0]); one.scrollIntoView({block: 'center'});"
            "const at = one.getBoundingClientRect(); return [at.left, at.top, at.width, at.height]",
            element,
        )
        points = [(box[0] + x * box[2], box[1] + y * box[3]) for x, y in places]
        kinds = ["mousePressed", *["mouseMoved"] * (len(points) - 1), "mouseReleased"]
        for kind, (x, y) in zip(kinds, [*points, points[-1]], strict=True):
            self.cdp(
                "Input.dispatchMouseEvent",
                {
                    "type": kind,
                    "x": x,
                    "y": y,
                    "button": "left",
                    "buttons": int(kind != "mouseReleased"),
                    "clickCount": 1,
                },
            )
        self.settled()

    def wheel(self, element: str, share: float, turn: float) -> None:
        box = self.run(
            "const at = document.getElementById(arguments[0]).getBoundingClientRect(); return [at.left, at.top, at.width, at.height]",
            element,
        )
        x, y = box[0] + share * box[2], box[1] + box[3] / 2
        self.cdp("Input.dispatchMouseEvent", {"type": "mouseWheel", "x": x, "y": y, "deltaX": 0, "deltaY": turn})
        self.settled()

    def picture(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.cdp("Page.captureScreenshot", {"captureBeyondViewport": False})["data"]))

    def printed(self) -> bytes:
        """As a PDF."""
        return base64.b64decode(self.cdp("Page.printToPDF", {"printBackground": True})["data"])

    def complaints(self) -> list[str]:
        """Of its policy, its script and its console, and dialogs that it opened; since it was opened."""
        told: list[str] = self.run("return window.complaints")
        return [*told, *(entry["message"] for entry in self._log("browser"))]

    def asked(self) -> set[str]:
        """The addresses that were asked for since it was opened."""
        messages = [json.loads(entry["message"])["message"] for entry in self._log("performance")]
        return {one["params"]["request"]["url"] for one in messages if one["method"] == "Network.requestWillBeSent"}

    def _log(self, name: str) -> list[dict[str, Any]]:
        """What came since it was asked for before."""
        entries: list[dict[str, Any]] = self.driver.get_log(name)  # type: ignore[no-untyped-call]
        return entries
