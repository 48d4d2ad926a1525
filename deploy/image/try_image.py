"""`make image-test`: builds the real Dockerfile where no container engine runs, starts each image as it starts itself, checks it.

Decides what is tried: `lake` and `plain` serve, and all they hold is used once; `aws` exports its traces; `wrap` serves a
server that strangers published. Each is asked by the image's own `crosstrail check`. Leaves with status 77, and says why,
where it cannot run.
"""

from __future__ import annotations

import base64
import contextlib
import http.server
import json
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

from prune import AWS_SERVICES
from sandbox import ROOT, Container, build, driver, make_base, missing

_NOT_HERE = 77
_LIMITS_MB = {"lake": 335, "plain": 200}
"""Of the whole image, unpacked, in millions of bytes."""
_START_SECONDS = 300.0
_FOREIGN = "awslabs.cloudtrail-mcp-server==0.1.1"
_IMAGES = {
    "lake": ("serve", {"LIBRARIES": "lake"}),
    "plain": ("serve", {"LIBRARIES": "plain"}),
    "aws": ("serve", {"LIBRARIES": "plain", "TELEMETRY": "aws"}),
    "wrap": ("wrap", {"LIBRARIES": "plain", "WRAP": _FOREIGN}),
}
_OPEN = ("--no-auth", "--allowed-hosts", "*")
_CONFIG = "/etc/crosstrail.yaml"
_LISTED = 'accounts: [{id: "111122223333", alias: prod}]\n'
_OPENED = _LISTED + 'serve: {no_auth: true, allowed_hosts: ["*"]}\n'
_SIGN_IN = (
    _LISTED
    + """serve: {auth: oauth, public_url: "https://trails.example.com"}
oauth: {client_id: made-up, client_secret: made-up-for-this-trial, storage: /data/oauth}
access: [{who: ["*"], accounts: [prod]}]
"""
)


@contextlib.contextmanager
def running(container: Container, *arguments: str, **variables: str) -> Iterator[str]:
    """The image, started, once its own health check passes: its port. Raises TimeoutError when that never does."""
    port = str(_free_port())
    start = container.command(container.started("--port", port, *arguments), **variables)
    health = container.command(container.config["Healthcheck"]["Test"][1:], **{**variables, "CROSSTRAIL_PORT": port})
    server = subprocess.Popen(start)
    try:
        deadline = time.monotonic() + _START_SECONDS
        while subprocess.run(health, stdout=subprocess.DEVNULL, check=False).returncode:
            if server.poll() is not None or time.monotonic() > deadline:
                raise TimeoutError(f"the server did not become healthy (exit status {server.poll()})")
            time.sleep(0.5)
        yield port
    finally:
        server.terminate()
        server.wait(timeout=60)


def check(container: Container, port: str, *arguments: str) -> None:
    """Raises CalledProcessError when a check fails."""
    subprocess.run(
        container.command(["crosstrail", "check", "--within", "120", f"http://127.0.0.1:{port}/mcp", *arguments]),
        check=True,
    )


def try_serve(container: Container, *, lake: bool) -> None:
    """It serves, everything it holds works, and nothing outside /tmp and /data can be written."""
    probe = container.command(["python", "-", *sorted(AWS_SERVICES)])
    subprocess.run(probe, input=Path(__file__).with_name("probe.py").read_bytes(), check=True)
    with running(container, *_OPEN, *(["--demo"] if lake else [])) as port:
        if lake:
            check(container, port, "--accounts", "prod,dev,cn-prod")
        else:  # what the embedded lake answers is not offered without it
            check(container, port, "--expect", "lookup_events,list_accounts")
    write = container.command(["python", "-c", "open('/opt/crosstrail/x', 'w')"])
    assert subprocess.run(write, stderr=subprocess.DEVNULL, check=False).returncode != 0, "the root is writable"
    assert (container.root / "data").stat().st_mode & 0o7777 == 0o1777, "a tmpfs over /data could not be written"
    assert not list(container.root.glob("*bin/*sh")) + list(container.root.glob("usr/bin/*sh")), "there is a shell"


def try_live(container: Container) -> None:
    """It asks live accounts of both clouds, listed in a database: the made-up clouds of deploy/compose, in the same image."""
    offline = container.root / "offline"
    shutil.copytree(ROOT / "tests" / "fakes", offline / "fakes", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "deploy" / "compose" / "offline.py", offline)
    variables = {
        "DATABASE_URL": "sqlite:////data/accounts.sqlite",
        "ENCRYPTION_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{_free_port()}",
        "VOLCENGINE_ENDPOINT": f"http://127.0.0.1:{_free_port()}",
    }
    command = container.command(["python", "/offline/offline.py"], **variables)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as clouds:
        try:
            assert clouds.stdout
            assert clouds.stdout.readline(), "the made-up clouds ended before they listed their accounts"
            with running(container, *_OPEN, **variables) as port:
                check(container, port, "--expect", "lookup_events", "--accounts", "prod,dev,cn-prod")
        finally:
            clouds.terminate()


def try_sign_in(container: Container) -> None:
    """It serves behind OAuth: whoever has no token is shown where to sign in."""
    (container.root / _CONFIG[1:]).write_text(_SIGN_IN)
    with running(container, CROSSTRAIL_CONFIG=_CONFIG) as port:
        address = f"http://127.0.0.1:{port}/.well-known/oauth-authorization-server"
        asked = urllib.request.Request(address, headers={"Host": "trails.example.com"})
        with urllib.request.urlopen(asked, timeout=60) as answer:  # noqa: S310
            assert json.load(answer)["registration_endpoint"].startswith("https://trails.example.com/")


def try_telemetry(container: Container) -> None:
    """Under AWS's distribution of OpenTelemetry it exports what it did."""
    asked = threading.Event()

    class Collector(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.end_headers()
            if self.path == "/v1/traces":
                asked.set()

        def log_message(self, *said: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector) as collector:
        threading.Thread(target=collector.serve_forever, daemon=True).start()
        export = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}"}
        export |= {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_BSP_SCHEDULE_DELAY": "200"}
        with running(container, *_OPEN, **export) as port:
            check(container, port, "--expect", "lookup_events,list_accounts")
            assert asked.wait(60), "no traces were exported"
        collector.shutdown()


def try_wrap(container: Container) -> None:
    """The foreign server's tools, for every account, behind our doors. What its tools say of themselves is its own."""
    (container.root / _CONFIG[1:]).write_text(_OPENED)
    with running(container, CROSSTRAIL_CONFIG=_CONFIG) as port:
        asked = [
            "crosstrail",
            "check",
            "--within",
            "120",
            "--json",
            "--expect",
            "lookup_events",
            f"http://127.0.0.1:{port}/mcp",
        ]
        done = subprocess.run(container.command(asked), stdout=subprocess.PIPE, text=True, check=False)
    found = {one["check"]: one for one in json.loads(done.stdout)["checks"]}
    failed = {name for name, one in found.items() if one["state"] == "fail"} - {"plain schemas", "annotations"}
    assert not failed, done.stdout
    assert found["many accounts (target_account_id)"]["state"] == "pass", done.stdout


def try_image(name: str) -> bool:
    """Whether it is no larger than it may be. Raises whatever goes wrong."""
    target, arguments = _IMAGES[name]
    began = time.monotonic()
    build(f"localhost/crosstrail-{name}", target, arguments)
    container = Container(f"localhost/crosstrail-{name}")
    try:
        if name == "aws":
            try_telemetry(container)
        elif name == "wrap":
            try_wrap(container)
        else:
            try_serve(container, lake=name == "lake")
            try_sign_in(container)
            try_live(container)
    finally:
        container.remove()
    limit = _LIMITS_MB.get(name)
    aim = f", at most {limit}" if limit else ""
    print(f"{name}: {container.megabytes:.0f} MB unpacked{aim}; {time.monotonic() - began:.0f} s", flush=True)
    return limit is None or container.megabytes <= limit


def _free_port() -> int:
    """Bound until this process ends, so that nobody else gets it; who allows reuse, as servers do, can listen at it."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("0.0.0.0", 0))  # noqa: S104
    port = int(held.getsockname()[1])
    held.detach()
    return port


def main(names: Sequence[str]) -> int:
    """77 when it cannot run here, 1 when an image is larger than it may be."""
    if reason := missing():
        print(f"image-test did not run: {reason}", file=sys.stderr)
        return _NOT_HERE
    began = time.monotonic()
    make_base()
    small_enough = [try_image(name) for name in names or _IMAGES]
    print(f"image-test took {time.monotonic() - began:.0f} s, on storage driver {driver()}")
    return 0 if all(small_enough) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
