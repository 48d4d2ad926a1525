"""A timeline as one page of HTML: everything in it, nothing loaded, and nothing of it from a log but JSON in data blocks.

Decides the page's form and its policy (CSP). Its script puts texts of events into text nodes alone; the policy refuses every
other script, every address, every form and, in a file, whatever would make markup of a text.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources

import orjson

from crosstrail.answers.timeline_data import Timeline, wire
from crosstrail.text import escaped

_FILES = resources.files("crosstrail.answers") / "timeline_files"
_SCRIPTS = ("data.js", "draw.js", "view.js", "host.js", "main.js")
_CLOSED = "default-src 'none'; img-src data:; connect-src 'none'; base-uri 'none'; form-action 'none'; style-src 'unsafe-inline'"
APP_CSP = f"{_CLOSED}; script-src 'unsafe-inline'"
"""Of the page that a host shows: it brings its own policy, and may put a script of its own before ours."""
_MARKUP = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})


def page(timeline: Timeline) -> bytes:
    """The file: the page with its events in it."""
    data, records = wire(timeline)
    digest = base64.b64encode(hashlib.sha256(_script().encode()).digest()).decode()
    csp = f"{_CLOSED}; script-src 'sha256-{digest}'; require-trusted-types-for 'script'; trusted-types 'none'"
    return _filled(csp, embedded(data), embedded(records)).encode()


@cache
def app_page() -> str:
    """The page of the MCP App: it gets its events from its host."""
    return _filled(APP_CSP, "null", "null")


def embedded(value: object) -> str:
    """The value as JSON that ends no script element and is one line for every reader of lines."""
    return escaped(orjson.dumps(value).decode()).translate(_MARKUP)


def _filled(csp: str, data: str, records: str) -> str:
    """Each part once: what is filled in is never looked through for the name of another part."""
    parts = {"csp": csp, "css": _read("page.css"), "js": _script(), "data": data, "records": records}
    first, *rest = _read("page.html").split("{{")
    filled = [first]
    for piece in rest:
        name, _, after = piece.partition("}}")
        filled += [parts[name], after]
    return "".join(filled)


@cache
def _script() -> str:
    body = "".join(_read(name) for name in _SCRIPTS)
    return f"(() => {{\n'use strict';\n{body}}})();\n"


@cache
def _read(name: str) -> str:
    return (_FILES / name).read_text(encoding="utf-8")
