"""A proxy that opens TLS, as companies have: for each name asked it signs a certificate with an authority of its own.

The authority is an older one: its certificates name no key identifiers, and its constraint is not marked critical. That is what
VERIFY_X509_STRICT refuses, which Python sets by default since 3.13.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tcp_server import TcpServer

_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


class OldAuthority:
    """`certificate` is the file to trust."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "an older authority")])
        own = self._signed(self._name, self._key, x509.BasicConstraints(ca=True, path_length=None))
        self.certificate = folder / "authority.pem"
        self.certificate.write_bytes(own.public_bytes(serialization.Encoding.PEM))

    def context(self, host: str) -> ssl.SSLContext:
        """What a server of that name speaks TLS with."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host[:60])])
        leaf = self._signed(name, key, x509.SubjectAlternativeName([x509.DNSName(host)]))
        pem = self._folder / f"{host}.pem"
        plain = serialization.NoEncryption()
        pem.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
            + leaf.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        return context

    def _signed(
        self, name: x509.Name, key: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(extension, critical=False)
            .sign(self._key, hashes.SHA256())
        )


class InterceptingProxy(TcpServer):
    """`with InterceptingProxy(folder, {"amazonaws.com": fake.url}) as proxy:` passes on what is sent to names that end so; set
    HTTPS_PROXY to `url` and trust `authority.certificate`. `asked`: the names that were connected to, each time."""

    def __init__(self, folder: Path, upstreams: Mapping[str, str]) -> None:
        super().__init__()
        self.authority = OldAuthority(folder)
        self.asked: list[str] = []
        self.upstreams = dict(upstreams)
        self._contexts: dict[str, ssl.SSLContext] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            head = await reader.readuntil(b"\r\n\r\n")
            host = head.split(b" ")[1].decode().rpartition(":")[0]
            self.asked.append(host)
            upstream = urlsplit(next(url for name, url in self.upstreams.items() if host.endswith(name)))
            writer.write(_ESTABLISHED)
            await writer.drain()
            await writer.start_tls(self._contexts.setdefault(host, self.authority.context(host)))
            further, back = await asyncio.open_connection(upstream.hostname, upstream.port)
            await asyncio.gather(_pumped(reader, back), _pumped(further, writer))
        writer.transport.abort()


async def _pumped(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while part := await source.read(65_536):
            sink.write(part)
            await sink.drain()
    sink.close()
