"""The page of a timeline in a real browser: what one can do with it, how it looks, and that nothing of a log does anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.client import advertise
from mcp_types import TextResourceContents
from selenium.webdriver.common.keys import Keys

from apps_host import apps_host
from chromium import Page, chromium
from crosstrail.answers.timeline_page import page
from crosstrail.server.app import create_server
from crosstrail.text import clean
from crosstrail.workspace.workspace import Workspace
from hostile_texts import hostile_texts
from lake_workspace import NOON, PROD, collect, record, settings, write_logs
from made_timelines import hostile_timeline, made_timeline
from packages import node_with

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    (folder / "some.html").write_bytes(page(made_timeline(1_500)))
    return folder


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture
def some(browser: Page, folder: Path) -> Iterator[Page]:
    """1,500 events; nothing is complained of, and nobody asked."""
    browser.open(folder / "some.html")
    yield browser
    assert browser.complaints() == []
    assert browser.asked() == {(folder / "some.html").as_uri()}


def in_view(page: Page) -> int:
    return int(page.text("in-view").split()[0].replace(",", ""))


def hours(page: Page) -> float:
    """How much time is in view."""
    script = "const [a, b] = document.getElementById('range').textContent.replace(' UTC', '').split(' to ').map((one) => Date.parse(one.replace(' ', 'T') + 'Z')); return (b - a) / 3600e3"
    found: float = page.run(script)
    return found


def drawn(page: Page, canvas: str) -> int:
    """How many pixels of a canvas are not empty."""
    script = "const one = document.getElementById(arguments[0]); const data = one.getContext('2d').getImageData(0, 0, one.width, one.height).data; let many = 0; for (let at = 3; at < data.length; at += 4) many += data[at] > 0; return many"
    found: int = page.run(script, canvas)
    return found


def test_it_shows_counts_lanes_findings_and_coverage(some: Page) -> None:
    assert some.text("title") == "Timeline of prod, dev"
    assert some.text("sums").startswith("events1,500writes")
    assert in_view(some) == 1_500
    assert some.run("return document.querySelectorAll('#names button').length") == 8
    assert some.run("return document.querySelectorAll('#findings li').length") == 3
    for said in ("AWS CloudTrail Important Change", "by Somebody Else", "DRL 1.1", "T1562.008"):
        assert said in some.text("findings")
    assert "Events held" in some.text("coverage")
    assert all(drawn(some, canvas) > 1_000 for canvas in ("overview", "histogram", "marks"))


def test_zoom_by_brush_wheel_buttons_keys_and_the_strip(some: Page) -> None:
    whole = hours(some)
    some.mouse("histogram", (0.25, 0.5), (0.4, 0.5), (0.5, 0.5))
    assert hours(some) == pytest.approx(whole / 4, rel=0.05)
    brushed = in_view(some)
    assert 0 < brushed < 1_500
    some.wheel("histogram", 0.5, -200)
    assert hours(some) < whole / 4
    some.click("out")
    some.click("all")
    assert hours(some) == pytest.approx(whole)
    assert in_view(some) == 1_500
    some.click("in")
    assert hours(some) == pytest.approx(whole / 2, rel=0.01)
    before = some.text("range")
    some.click("later")
    assert some.text("range") != before
    some.mouse("overview", (0.1, 0.5), (0.12, 0.5))
    assert hours(some) == pytest.approx(whole / 2, rel=0.01)
    some.run("document.getElementById('field').focus()")
    some.keys("+", "+")
    assert hours(some) == pytest.approx(whole / 8, rel=0.01)
    before = some.text("range")
    some.mouse("marks", (0.6, 0.9), (0.3, 0.9), (0.2, 0.9))
    assert some.text("range") != before
    some.keys("0")
    assert in_view(some) == 1_500


def test_filters_by_text_kind_lane_and_findings(some: Page) -> None:
    def search(text: str) -> None:
        some.run(
            "const one = document.getElementById('search'); one.value = arguments[0]; one.dispatchEvent(new Event('input'))",
            text,
        )
        some.settled()

    kinds = [int(some.text(f"count-{kind}").replace(",", "")) for kind in range(3)]
    assert sum(kinds) == 1_500
    some.click("kind-0")
    assert in_view(some) == kinds[1] + kinds[2]
    some.click("kind-1")
    assert in_view(some) == kinds[2]
    some.click("kind-0")
    some.click("kind-1")
    search("getsecretvalue ALICE")
    few = in_view(some)
    assert 0 < few < kinds[2]
    assert some.run("return [...document.querySelectorAll('#names .name')].map((one) => one.textContent)") == [
        "user/alice"
    ]
    search("no such text")
    assert in_view(some) == 0
    search("")
    some.run("document.querySelector('#names button').click()")
    some.settled()
    assert some.run("return document.querySelectorAll('#names button').length") == 1
    assert 0 < in_view(some) < 1_500
    some.run("document.querySelector('#chips button').click()")
    some.click("only-found")
    assert in_view(some) == 9
    some.run(
        "const one = document.getElementById('lanes-by'); one.value = 'account'; one.dispatchEvent(new Event('change'))"
    )
    some.settled()
    assert set(some.run("return [...document.querySelectorAll('#names .name')].map((one) => one.textContent)")) <= {
        "prod (111111111111)",
        "dev (222222222222)",
    }
    assert "9 events in view" in some.text("in-view")
    some.wait("document.getElementById('live').textContent.startsWith('9 events in view')")


def test_an_event_is_read_whole_and_the_keys_go_from_one_to_the_next(some: Page) -> None:
    some.run("document.getElementById('field').focus()")
    some.keys(Keys.HOME)
    first = some.text("facts")
    some.keys(Keys.ARROW_RIGHT)
    assert some.text("facts") != first
    some.keys(Keys.ARROW_LEFT)
    assert some.text("facts") == first
    whole = some.text("record")
    assert '"n": 1180591620717411303424' in whole  # no number is rounded
    assert whole.startswith('{\n  "eventVersion": "1.10",\n  "userIdentity": {\n    "type"')
    lane = some.run("return document.querySelector('#facts').textContent")
    some.keys(Keys.ARROW_DOWN)
    assert some.text("facts") != lane
    some.keys(Keys.END, Keys.ARROW_RIGHT)
    last = some.text("facts")
    some.keys("n")
    assert some.text("facts") != last
    assert some.run("return document.querySelectorAll('#marked li').length") >= 1
    some.keys(Keys.ENTER)
    assert some.run("return document.activeElement.id") == "event-title"
    some.wait(
        "document.getElementById('live').textContent.includes('user/') || document.getElementById('live').textContent.includes('role/') || document.getElementById('live').textContent.length > 20"
    )
    some.keys(Keys.ESCAPE)
    assert some.run("return document.getElementById('one').hidden")
    some.keys("/")
    assert some.run("return document.activeElement.id") == "search"


def test_a_mark_a_row_and_a_finding_open_their_event(some: Page) -> None:
    some.run("document.querySelector('#findings button').click()")
    some.settled()
    found = some.text("event-title")
    assert (
        some.text("marked").endswith("Root account used")
        or some.run("return document.querySelectorAll('#marked li').length") >= 1
    )
    place = some.run(
        "const c = document.getElementById('marks'); const one = c.getContext('2d'); return [c.width, c.height]"
    )
    some.keys(Keys.ESCAPE)
    for share in range(5, 100):  # a finding's first event stands a sixth of the way in
        some.mouse("marks", (share / 100, (22 + 22) / place[1]))
        if not some.run("return document.getElementById('one').hidden"):
            break
    assert found
    assert some.text("event-title") != "Event"
    some.run("document.getElementById('table-box').open = true")
    some.wait("document.querySelectorAll('#rows tr').length > 0")
    some.click("all")
    assert some.run("return document.querySelectorAll('#rows tr').length") == 50
    assert "1 to 50 of 1,500" in some.text("caption")
    some.click("page-on")
    assert "51 to 100 of 1,500" in some.text("caption")
    some.run("document.querySelector('#rows button').click()")
    some.settled()
    assert some.run("return document.querySelectorAll('#rows tr[aria-current=true]').length") == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_it_fits_and_follows_the_readers_colours(browser: Page, folder: Path, scheme: str, width: int) -> None:
    browser.cdp("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
    browser.open(folder / "some.html", width, 1_200)
    assert browser.run("return document.documentElement.dataset.theme") == scheme
    assert browser.run("return document.documentElement.scrollWidth <= window.innerWidth")
    browser.keys("n")
    browser.picture(folder / f"{scheme}-{width}.png")
    browser.click("theme")
    assert browser.run("return document.documentElement.dataset.theme") != scheme
    assert browser.complaints() == []
    browser.cdp("Emulation.setEmulatedMedia", {"features": []})


def test_it_prints_histogram_lanes_findings_and_rows_in_light(some: Page) -> None:
    some.click("theme")
    script = "window.seen = {}; window.addEventListener('beforeprint', () => { window.seen = {rows: document.querySelectorAll('#rows tr').length, theme: document.documentElement.dataset.theme, open: document.getElementById('table-box').open}; });"
    some.run(script)
    printed = some.printed()
    assert printed.startswith(b"%PDF")
    assert len(printed) > 20_000
    assert some.run("return window.seen") == {"rows": 250, "theme": "light", "open": True}
    assert some.run("return document.documentElement.dataset.theme") == "dark"
    assert not some.run("return document.getElementById('table-box').open")


def test_20000_events_zoom_filter_and_step(browser: Page, folder: Path) -> None:
    path = folder / "many.html"
    path.write_bytes(page(made_timeline(20_000)))
    browser.open(path)
    assert in_view(browser) == 20_000
    browser.mouse("histogram", (0.3, 0.5), (0.6, 0.5))
    zoomed = in_view(browser)
    assert 0 < zoomed < 20_000
    browser.run("document.getElementById('field').focus()")
    browser.keys(Keys.HOME, *[Keys.ARROW_RIGHT] * 3)
    assert "eventVersion" in browser.text("record")
    browser.click("kind-0")
    assert 0 < in_view(browser) < zoomed
    assert browser.complaints() == []


def test_300_hostile_texts_in_every_field_are_shown_and_do_nothing(browser: Page, folder: Path) -> None:
    texts = hostile_texts()
    path = folder / "hostile.html"
    path.write_bytes(page(hostile_timeline(texts)))
    browser.open(path)
    tags = browser.run("return [...new Set([...document.querySelectorAll('*')].map((one) => one.tagName))]")
    browser.run("document.getElementById('table-box').open = true; document.getElementById('field').focus()")
    browser.keys(Keys.HOME)
    for place, text in enumerate(texts):
        if place % 4 == 0:  # each is in the data, the lists of findings and coverage; every fourth is opened
            shown = clean(text, 400)
            assert browser.text("event-title") == (shown or "(no name)"), place
            assert browser.text("record").count('"half": "\\ud800"') == 1
        browser.run("document.getElementById('after').click()")
    for by in ("account", "address"):
        browser.run(
            "const one = document.getElementById('lanes-by'); one.value = arguments[0]; one.dispatchEvent(new Event('change'))",
            by,
        )
        browser.settled()
    browser.run(
        "document.getElementById('search').value = arguments[0]; document.getElementById('search').dispatchEvent(new Event('input'))",
        "<script>",
    )
    browser.mouse("marks", (0.5, 0.5))
    browser.printed()
    lines = browser.run("return [...document.querySelectorAll('#coverage li')].map((one) => one.textContent)")
    assert [line for line in lines if line] == [line for line in (clean(text, 2_000) for text in texts) if line]
    assert browser.run("return document.querySelectorAll('#findings li').length") == 300
    now = browser.run("return [...new Set([...document.querySelectorAll('*')].map((one) => one.tagName))]")
    assert set(now) - set(tags) == {"TD"}  # of the table that was opened
    assert browser.run("return window.pwned === undefined && document.querySelectorAll('script').length === 3")
    assert browser.complaints() == []
    assert browser.asked() == {path.as_uri()}


def test_markup_would_be_refused_even_if_the_script_made_some(browser: Page, folder: Path) -> None:
    """The policy itself: a script, an image, an address and markup of a text are refused, and reported."""
    browser.open(folder / "some.html")
    script = "const one = document.createElement('script'); try { one.text = 'window.pwned = 1'; } catch (error) { window.caught = 1; } document.body.append(one); fetch('http://127.0.0.1:9/').catch(() => 0); try { document.body.innerHTML += '<b>x</b>'; } catch (error) { window.markup = 1; }"
    browser.run(f"setTimeout(() => {{ {script} }})")
    browser.wait("window.complaints.length >= 2 && window.markup")
    assert browser.run("return window.pwned === undefined")


@pytest.mark.anyio
async def test_a_host_of_mcp_apps_shows_the_answer_of_the_server(browser: Page, tmp_path: Path) -> None:
    write_logs(tmp_path / "logs", [record(PROD, number, NOON) for number in range(25)])
    collect(tmp_path / "logs", tmp_path / "lake")
    apps = [advertise("io.modelcontextprotocol/ui", {"mimeTypes": ["text/html;profile=mcp-app"]})]
    async with Client(create_server(Workspace(settings(tmp_path / "lake"))), extensions=apps) as client:
        [tool] = [one for one in (await client.list_tools()).tools if one.name == "show_timeline"]
        [content] = (await client.read_resource(tool.meta["ui"]["resourceUri"])).contents  # type: ignore[index]
        given = {"target_account_id": "prod"}
        answer = await client.call_tool("show_timeline", given)
    assert isinstance(content, TextResourceContents)
    result: dict[str, Any] = answer.model_dump(mode="json", by_alias=True, exclude_none=True)
    with apps_host() as address:
        browser.open(address)
        context = {"theme": "dark", "displayMode": "inline", "availableDisplayModes": ["inline", "fullscreen"]}
        browser.run("window.show(...arguments)", content.text, given, result, context)
        browser.wait("window.heard.some((one) => one.method === 'ui/notifications/size-changed')")
        said = [one.get("method") for one in browser.run("return window.heard")]
        assert said[:3] == ["ui/notifications/sandbox-proxy-ready", "ui/initialize", "ui/notifications/initialized"]
        browser.driver.switch_to.frame("sandbox")
        browser.driver.switch_to.frame("view")
        browser.wait("!document.getElementById('content').hidden")
        assert in_view(browser) == 25
        assert browser.run("return document.documentElement.dataset.theme") == "dark"
        browser.click("after")
        assert json.loads(browser.text("record"))["eventName"] == "DescribeInstances"
        browser.click("full")
        browser.wait("document.getElementById('full').textContent === 'Smaller'")
        assert browser.run("return window.complaints") == []
        result["structuredContent"]["timeline"]["records"] = []
        browser.driver.switch_to.default_content()
        browser.run(
            "window.tell('ui/notifications/host-context-changed', {theme: 'light'}); window.tell('ui/notifications/tool-result', arguments[0]); window.ask('ui/resource-teardown', {reason: 'done'})",
            result,
        )
        browser.wait("window.heard.some((one) => one.id === 'host-1' && one.result)")
        browser.driver.switch_to.frame("sandbox")
        browser.driver.switch_to.frame("view")
        browser.wait("document.documentElement.dataset.theme === 'light'")
        browser.click("after")
        browser.wait("document.getElementById('record').textContent.startsWith('<b>record</b> of 11111111-')")
        browser.driver.switch_to.default_content()
        [call] = [one for one in browser.run("return window.heard") if one.get("method") == "tools/call"]
        assert call["params"]["arguments"] == {
            "target_account_id": PROD,
            "attribute_key": "EventId",
            "attribute_value": call["params"]["arguments"]["attribute_value"],
            "detail": "full",
        }
        browser.run(
            "window.tell('ui/notifications/tool-result', {content: [{type: 'text', text: '<i>no account</i>'}], isError: true})"
        )
        browser.driver.switch_to.frame("sandbox")
        browser.driver.switch_to.frame("view")
        browser.wait("document.getElementById('waiting').textContent === '<i>no account</i>'")
        assert browser.run("return window.complaints") == []
        browser.driver.switch_to.default_content()
    assert browser.complaints() == []


@pytest.mark.registry
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(browser: Page, folder: Path, scheme: str) -> None:
    source = (node_with("axe-core@4.11.0") / "node_modules" / "axe-core" / "axe.min.js").read_text()
    browser.cdp("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
    browser.cdp("Page.setBypassCSP", {"enabled": True})
    browser.open(folder / "some.html")
    browser.keys("n")
    browser.click("keys")
    browser.run("document.getElementById('table-box').open = true; document.querySelector('#names button').click()")
    browser.settled()
    browser.run(source)
    found = browser.driver.execute_async_script(
        "const done = arguments[0]; axe.run(document).then((result) => done(result.violations))"
    )
    browser.cdp("Page.setBypassCSP", {"enabled": False})
    browser.cdp("Emulation.setEmulatedMedia", {"features": []})
    said = [(one["id"], one["impact"], [node["target"] for node in one["nodes"]][:3]) for one in found]
    assert said == []
