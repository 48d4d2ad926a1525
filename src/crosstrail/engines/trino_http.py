"""The HTTP of Trino's official client, bounded: one origin, no redirect, answers limited in bytes, and all of it can be cut.

Decides what an answer of a coordinator may be before the client looks at it, so that a hostile or a broken one costs a query
no more than its limits. It knows nothing of queries.
"""

from __future__ import annotations

import io
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.request import getproxies, proxy_bypass

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from crosstrail.engines.remote_runs import RemoteEnded
from crosstrail.engines.trino_access import TrinoAccess, origin_of
from crosstrail.errors import ConfigError
from crosstrail.trust import CertificatePlace, TrustStore, trusted
from crosstrail.user_folders import expanded

if TYPE_CHECKING:
    import ssl

MAX_ANSWER_BYTES = 96 * 2**20
"""Of one page. Trino's own pages have up to 16 MB (and one row more) unless it is told otherwise."""
_CHUNK = 65_536
_LONGEST_RETRY_AFTER = 5


def tls_context(access: TrinoAccess) -> ssl.SSLContext:
    """Reads the files that the settings name. Raises ConfigError."""
    import ssl

    store = TrustStore((CertificatePlace(access.ca, "trino.ca"),)) if access.ca else trusted()
    if not access.certificate:
        return store.context()
    context = store.own_context()
    try:
        context.load_cert_chain(expanded(access.certificate), expanded(access.key or access.certificate), password="")
    except (OSError, ssl.SSLError, TypeError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and not isinstance(error, ssl.SSLError) else ""
        raise ConfigError(
            f"trino.certificate and trino.key cannot be used: {reason or 'they are no certificate in PEM and its key'}",
            hint="The key must have no passphrase.",
        ).about(access.certificate) from None
    return context


class CoordinatorSession(requests.Session):
    """For one query, in one thread; `abort` from any other."""

    def __init__(self, origin: tuple[str, str, int], context: ssl.SSLContext, *, max_bytes: int) -> None:
        super().__init__()
        self.trust_env = False  # a password of ~/.netrc would go in place of the settings' own
        self.headers["Accept-Encoding"] = "identity"  # a few packed bytes could become all memory
        self._origin = origin
        self._max_bytes = max_bytes
        self._sockets: list[socket.socket] = []
        self._aborted = False
        self._lock = threading.Lock()
        scheme, host, port = origin
        local = host in ("localhost", "::1") or host.startswith("127.")
        self.proxy = "" if local or proxy_bypass(f"{host}:{port}") else getproxies().get(scheme, "")
        if self.proxy and "://" not in self.proxy:
            self.proxy = f"http://{self.proxy}"
        if self.proxy:
            self.proxies[scheme] = self.proxy
        self.mount(f"{scheme}://", _Adapter(context, self))

    def send(self, request: requests.PreparedRequest, **options: object) -> requests.Response:
        """Raises RemoteEnded for an answer or an address that cannot be accepted, requests' errors for none."""
        if origin_of(request.url or "") != self._origin:
            raise RemoteEnded("an address on another host is not asked")
        if self._aborted:
            raise RemoteEnded("the query was given up")
        response = super().send(request, **{**options, "stream": True, "allow_redirects": False})
        with response:
            if response.is_redirect or 300 <= response.status_code < 400:
                raise RemoteEnded("Trino's address answers with a redirect, which is not followed; correct trino.url")
            if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                raise RemoteEnded("Trino's answer is packed, though nobody asked for it")
            body = self._read(response)
        response.raw = io.BytesIO(body)
        if "Retry-After" in response.headers:
            response.headers["Retry-After"] = str(_retry_after(response.headers["Retry-After"]))
        return response

    def _read(self, response: requests.Response) -> bytes:
        parts: list[bytes] = []
        left = self._max_bytes
        try:
            while part := response.raw.read1(_CHUNK, decode_content=False):
                left -= len(part)
                if left < 0:
                    raise RemoteEnded(f"one answer of Trino has more than {self._max_bytes // 2**20} MB")
                if self._aborted:
                    raise RemoteEnded("the query was given up")
                parts.append(part)
        except (HTTPError, OSError) as error:
            raise requests.ConnectionError(error, request=response.request) from None
        return b"".join(parts)

    def opened(self, connection: socket.socket) -> None:
        """A second handle of each connection, whatever TLS makes of the first."""
        with self._lock, suppress(OSError):
            self._sockets.append(connection.dup())

    def abort(self) -> None:
        """Cuts what is being asked, and refuses whatever would be."""
        with self._lock:
            self._aborted = True
            for one in self._sockets:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        super().close()
        with self._lock:
            for one in self._sockets:
                one.close()
            self._sockets.clear()


class _Adapter(HTTPAdapter):
    """requests' own, but that a context says which certificates are trusted: its way of saying it would add others."""

    def __init__(self, context: ssl.SSLContext, session: CoordinatorSession) -> None:
        self._context = context
        self._session = session
        super().__init__(max_retries=0)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: object) -> None:
        super().init_poolmanager(connections, maxsize, block, ssl_context=self._context)
        self.poolmanager.pool_classes_by_scheme = _pools(self._session)

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, verify: object, proxies: object = None, cert: object = None
    ) -> HTTPConnectionPool:
        url = request.url or ""
        proxy = self._session.proxy
        if not proxy:
            return self.poolmanager.connection_from_url(url)
        manager = self.proxy_manager_for(proxy, ssl_context=self._context)
        manager.pool_classes_by_scheme = _pools(self._session)
        pool: HTTPConnectionPool = manager.connection_from_url(url)
        return pool

    def cert_verify(self, *arguments: object) -> None:
        """Nothing to add: the context verifies."""


def _pools(session: CoordinatorSession) -> dict[str, type]:
    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            made = super()._new_conn()
            session.opened(made)
            return made

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            made = super()._new_conn()
            session.opened(made)
            return made

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


def _retry_after(text: str) -> int:
    """Seconds that the client waits, whatever the header says."""
    return min(int(text), _LONGEST_RETRY_AFTER) if text.isascii() and text.isdigit() else 1
