"""Prints the credentials of the wrapped server that it is started by: the `credential_process` of its profile `default`.

Run as a program, `python -I -S container_credentials.py`, by the server's SDK, whose environment has the endpoint's address and
token: a named profile leads to the same credentials as the environment does, and its file has no secret. It imports the
standard library alone, and little of it: SDKs run it again for each of their clients. What it prints is the endpoint's answer, which
has the form that SDKs expect (https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html).
"""

from __future__ import annotations

import os
import socket
import sys

_SECONDS = 60.0
_MAX_BYTES = 65_536


def _asked(uri: str, token: str) -> tuple[bytes, str]:
    """Status and body of a GET. By a socket, so that no proxy of the environment is asked for loopback. Raises OSError, ValueError."""
    host, _, path = uri.removeprefix("http://").partition("/")
    name, _, port = host.partition(":")
    request = f"GET /{path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {token}\r\nConnection: close\r\n\r\n"
    received = b""
    with socket.create_connection((name, int(port)), _SECONDS) as connection:
        connection.sendall(request.encode())
        while len(received) < _MAX_BYTES and (chunk := connection.recv(_MAX_BYTES)):
            received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    return head[9:12], body.decode()


def main() -> None:
    """Exits with a sentence on stderr when there are no credentials to be had."""
    uri, token = (
        os.environ.get(f"AWS_CONTAINER_{name}", "") for name in ("CREDENTIALS_FULL_URI", "AUTHORIZATION_TOKEN")
    )
    if not uri or not token:
        sys.exit("no credentials: AWS_CONTAINER_CREDENTIALS_FULL_URI and its token are not in the environment")
    try:
        status, body = _asked(uri, token)
    except (OSError, ValueError) as error:
        sys.exit(f"no credentials: {error}")
    if status != b"200":
        sys.exit(f"no credentials: {body}")
    sys.stdout.write(body)


if __name__ == "__main__":
    main()
