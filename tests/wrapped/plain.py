"""A wrapped server without any SDK: JSON-RPC by hand, credentials and signatures as the cloud's manuals describe them.

Starts in a few milliseconds, so that a test can start hundreds. Its first argument is how it misbehaves.
"""

# ruff: noqa: S310
from __future__ import annotations

import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any

MODE = sys.argv[1] if len(sys.argv) > 1 else "well"
_TEXT = {"type": "string"}


def tool(name: str, properties: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties or {}, "required": list(properties or {})}
    return {"name": name, "description": f"Does {name}.\nMore.", "inputSchema": schema, **more}


TOOLS = [
    tool("whoami", annotations={"readOnlyHint": True, "title": "Who"}),
    tool("echo", {"text": _TEXT}, annotations={"readOnlyHint": True}),
    tool("environment"),
    tool("fetch", {"url": _TEXT, "token": _TEXT}),
    tool("pid"),
    tool("die", {"how": _TEXT}),
    tool("spawn"),
    tool("sleep"),
    tool("steps", {"count": {"type": "integer"}}),
    tool("rich", outputSchema={"type": "object", "properties": {"n": {"type": "integer"}}}),
    tool("fail"),
    tool("refuse"),
    tool("big", {"size": {"type": "integer"}}),
    tool("grow"),
    tool("ask"),
    tool("note", {"text": _TEXT}),
]
CREDENTIALS: dict[str, str] = {}
EARLY = timedelta(seconds=28)
"""Credentials are renewed so long before they end, as SDKs do: a call that was signed with them may be on its way for a while."""
WAITING: dict[Any, threading.Event] = {}
ANSWERS: dict[Any, Any] = {}
LOCK = threading.Lock()


def send(message: dict[str, Any]) -> None:
    with LOCK:
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        sys.stdout.flush()


def credentials() -> dict[str, str]:
    """From the container endpoint, again when they are about to expire."""
    if not CREDENTIALS or datetime.fromisoformat(CREDENTIALS["Expiration"]) - EARLY <= datetime.now(UTC):
        request = urllib.request.Request(
            os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"],
            headers={"Authorization": os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            CREDENTIALS.update(json.load(answer))
    return CREDENTIALS


def whoami() -> str:
    """sts:GetCallerIdentity, signed by hand."""
    held, endpoint, region = credentials(), os.environ["AWS_ENDPOINT_URL"], os.environ["AWS_REGION"]
    body = b"Action=GetCallerIdentity&Version=2011-06-15"
    now = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    scope = f"{now[:8]}/{region}/sts/aws4_request"
    headers = {"host": endpoint.split("//")[1], "x-amz-date": now, "x-amz-security-token": held["Token"]}
    signed = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    request = f"POST\n/\n\n{lines}\n{signed}\n{hashlib.sha256(body).hexdigest()}"
    text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{held['SecretAccessKey']}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={held['AccessKeyId']}/{scope}, SignedHeaders={signed}, Signature={signature}"
    )
    asked = urllib.request.Request(endpoint, data=body, headers=headers, method="POST")
    with urllib.request.urlopen(asked, timeout=60) as answer:
        return str(answer.read().decode()).split("<Account>")[1].split("<")[0]


def fetch(url: str, token: str) -> str:
    """The status of a GET with a token, as any local program could send it."""
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, headers={"Authorization": token}), timeout=60
        ) as answer:
            return str(answer.status)
    except urllib.error.HTTPError as error:
        return str(error.code)


def call(number: Any, name: str, given: dict[str, Any], meta: dict[str, Any]) -> dict[str, Any]:
    match name:
        case "whoami":
            return {"text": whoami()}
        case "echo":
            return {"text": given["text"]}
        case "pid":
            return {"text": json.dumps({"pid": os.getpid()})}
        case "environment":
            return {"text": json.dumps(dict(os.environ))}
        case "fetch":
            return {"text": fetch(given["url"], given["token"])}
        case "die":
            print("about to end", file=sys.stderr, flush=True)
            print("the \x1b[31mlast\x1b[0m line", file=sys.stderr, flush=True)
            if given["how"] == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            os._exit(7)
        case "spawn":
            program = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(3600)"
            started = subprocess.Popen([sys.executable, "-S", "-c", program], start_new_session=True)
            return {"text": json.dumps([os.getpid(), os.getppid(), started.pid])}
        case "sleep":
            WAITING[number] = threading.Event()
            log("warning", "sleeping")
            WAITING[number].wait(3600)
            log("warning", "woken")
            return {"text": "woken"}
        case "steps":
            for step in range(given["count"]):
                progress = {"progressToken": meta.get("progressToken"), "progress": step + 1, "total": given["count"]}
                send({"method": "notifications/progress", "params": {**progress, "message": f"step {step + 1}"}})
            log("info", {"said": "all steps"})
            return {"text": "done"}
        case "ask":
            WAITING["q"] = threading.Event()
            question = {"message": "Really?", "requestedSchema": {"type": "object", "properties": {"sure": _TEXT}}}
            send({"id": "q", "method": "elicitation/create", "params": question})
            WAITING["q"].wait(60)
            return {"text": json.dumps(ANSWERS["q"])}
        case "big":
            return {"text": "x" * given["size"]}
        case "note":
            with open("note.txt", "a+") as file:
                file.seek(0)
                before = file.read()
                file.write(given["text"])
            return {"text": before}
    raise AssertionError(name)


def log(level: str, data: Any) -> None:
    send({"method": "notifications/message", "params": {"level": level, "logger": "plain", "data": data}})


def answer(number: Any, params: dict[str, Any]) -> None:
    name, given = params["name"], params.get("arguments", {})
    if name == "refuse":
        send({"id": number, "error": {"code": -32000, "message": "not today", "data": {"why": "rain"}}})
    elif name == "fail":
        send({"id": number, "result": {"content": [{"type": "text", "text": "it failed"}], "isError": True}})
    elif name == "rich":
        content = [
            {"type": "image", "data": "aGk=", "mimeType": "image/png"},
            {"type": "resource_link", "uri": "plain://one", "name": "one"},
            {"type": "resource", "resource": {"uri": "plain://two", "text": "two"}},
        ]
        send({"id": number, "result": {"content": content, "structuredContent": {"n": 5}, "_meta": {"plain/x": 1}}})
    elif name == "grow":
        TOOLS.append(tool("grown"))
        send({"method": "notifications/tools/list_changed"})
        send({"id": number, "result": {"content": [{"type": "text", "text": "grown"}]}})
    elif name == "grown":
        send({"id": number, "result": {"content": [{"type": "text", "text": "here"}]}})
    else:
        try:
            said = call(number, name, given, params.get("_meta", {}))
            result: dict[str, Any] = {"content": [{"type": "text", "text": said["text"]}]}
        except Exception as error:  # noqa: BLE001 - it is a test's to see
            result = {"content": [{"type": "text", "text": repr(error)}], "isError": True}
        send({"id": number, "result": result})


def prompts() -> list[dict[str, Any]]:
    return [{"name": "review", "description": "Look.", "arguments": [{"name": "what", "required": True}]}]


def other(method: str, params: dict[str, Any]) -> dict[str, Any]:
    match method:
        case "initialize":
            kinds = ("tools", "prompts", "resources", "completions", "logging")
            return {
                "protocolVersion": params["protocolVersion"],
                "capabilities": {name: {"listChanged": True} if name == "tools" else {} for name in kinds},
                "serverInfo": {"name": "plain", "version": "1.2.3", "title": "Plain"},
                "instructions": "Ask plainly.",
            }
        case "tools/list":  # two pages
            if "cursor" not in params:
                return {"tools": TOOLS[:2], "nextCursor": "2"}
            return {"tools": TOOLS[2:]}
        case "prompts/list":
            return {"prompts": prompts()}
        case "prompts/get":
            text = json.dumps(params["arguments"], sort_keys=True)
            return {"messages": [{"role": "user", "content": {"type": "text", "text": text}}]}
        case "resources/list":
            return {"resources": [{"uri": "plain://fixed", "name": "fixed"}]}
        case "resources/templates/list":
            return {"resourceTemplates": [{"uriTemplate": "plain://group/{name}", "name": "group"}]}
        case "resources/read":
            who = os.environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI") and whoami()
            text = str(os.getpid()) if params["uri"].endswith("/pid") else f"read for {who or 'nobody'}"
            return {"contents": [{"uri": params["uri"], "text": text}]}
        case "completion/complete":
            return {"completion": {"values": [json.dumps(params, sort_keys=True)]}}
    return {}


def misbehave() -> None:
    match MODE:
        case "mute":
            threading.Event().wait(3600)
        case "garbage":
            while True:
                print("Welcome to \x1b[1mgarbage\x1b[0m", flush=True)
                time.sleep(0.2)  # a pace, not a wait: nothing is awaited by it
        case "endless":
            while True:
                sys.stdout.write("x" * 1_000_000)
        case "leave":
            print("no licence found", file=sys.stderr)
            sys.exit(3)
        case "chatty":
            print("Hello, this is not JSON")


def main() -> None:
    misbehave()
    for line in sys.stdin:
        message = json.loads(line)
        number, method, params = message.get("id"), message.get("method", ""), message.get("params") or {}
        if method == "tools/list" and MODE == "listless":
            continue
        if method == "tools/list" and MODE == "nameless":
            send({"id": number, "result": {"tools": [{"description": "Of no name."}]}})
            continue
        if method == "tools/call":
            threading.Thread(target=answer, args=(number, params), daemon=True).start()
        elif method == "notifications/cancelled":
            if params["requestId"] in WAITING:
                WAITING[params["requestId"]].set()
        elif not method:
            ANSWERS[number] = message.get("result", message.get("error"))
            WAITING[number].set()
        elif number is not None:
            send({"id": number, "result": other(method, params)})
    if MODE == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        threading.Event().wait(3600)


if __name__ == "__main__":
    main()
