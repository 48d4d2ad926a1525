"""A wrapped server whose tools are not always the same: `choosy.py HOW`.

functions: `run_<account>`, one tool for each account, none without one. capable: tools for clients that may be asked something.
late FILE: ends unless the file is there.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from typing import Any

sys.path[0] = os.path.dirname(sys.path[0])
from wrapped import plain  # noqa: E402 - a program of its own, wherever it is started

HOW = sys.argv[1]
CAPABILITIES: dict[str, Any] = {}
ROOTS: list[Any] = []
_other, _answer = plain.other, plain.answer
_asked = threading.Event()


def account() -> str:
    return plain.whoami() if os.environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI") else ""


def tools() -> list[dict[str, Any]]:
    read_only = {"readOnlyHint": True}
    if HOW == "functions":
        found = account()
        return [plain.tool(name, annotations=read_only) for name in ("common", f"run_{found}")[: 2 * bool(found)]]
    names = ["seen", "flood", *(f"with_{name}" for name in sorted(CAPABILITIES))]
    return [plain.tool(name, annotations=read_only) for name in names]


def ask_for_roots() -> None:
    plain.WAITING["roots"] = threading.Event()
    plain.send({"id": "roots", "method": "roots/list"})
    plain.WAITING["roots"].wait(60)
    ROOTS.append(plain.ANSWERS["roots"])
    _asked.set()


def other(method: str, params: dict[str, Any]) -> dict[str, Any]:
    if method == "initialize":
        CAPABILITIES.update(params["capabilities"])
    if method == "tools/list":
        if "roots" in CAPABILITIES and not plain.WAITING:
            threading.Thread(target=ask_for_roots, daemon=True).start()
        return {"tools": tools()}
    return _other(method, params)


def flood() -> list[Any]:
    """What becomes of a question that is too long, and of more than may wait."""
    names = ["long", *map(str, range(12))]
    for name in names:
        plain.WAITING[name] = threading.Event()
        message = "x" * 2_000_000 if name == "long" else f"Question {name}"
        params = {"message": message, "requestedSchema": {"type": "object", "properties": {}}}
        plain.send({"id": name, "method": "elicitation/create", "params": params})
    return [(plain.WAITING[name].wait(60), plain.ANSWERS.get(name))[1] for name in names]


def answer(number: Any, params: dict[str, Any]) -> None:
    name = params["name"]
    if name == "seen":
        if "roots" in CAPABILITIES:
            _asked.wait(60)
        said = json.dumps({"capabilities": CAPABILITIES, "roots": ROOTS, "account": account()})
    elif name == "flood":
        said = json.dumps(flood())
    elif name in ("common", f"run_{account()}"):
        said = account()
    else:
        _answer(number, params)
        return
    plain.send({"id": number, "result": {"content": [{"type": "text", "text": said}]}})


if __name__ == "__main__":
    if HOW == "late" and not os.path.exists(sys.argv[2]):
        sys.exit("no licence found")
    plain.other, plain.answer = other, answer
    plain.main()
