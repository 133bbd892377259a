"""httpx requests carried over httpcore with a network backend of our own (httpx's own transport does not take one)."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import httpcore
import httpx

from datalab.ports.reach import GuardedBackend
from datalab.ports.tls import Tls, public


class Transport(httpx.BaseTransport):
    """Two pools of connections, each opened by ``backend``: one for the hosts that ``tls`` is about, one for all others.

    A connection on which the lab has shown its certificate is thus never one to another host.
    """

    def __init__(self, backend: GuardedBackend, tls: Tls) -> None:
        self._tls = tls
        self._others = _pool(backend, public())
        self._own = _pool(backend, tls.context()) if tls.hosts else self._others

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; the body of the answer is read by who asked."""
        url = request.url
        sent = httpcore.Request(
            request.method,
            httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        pool = self._own if self._tls.covers(url.raw_host.decode("ascii")) else self._others
        got = pool.handle_request(sent)
        assert not isinstance(got.stream, bytes)
        return httpx.Response(got.status, headers=got.headers, stream=_Body(got), extensions=got.extensions, request=request)

    def close(self) -> None:
        """Close all connections."""
        self._others.close()
        self._own.close()


def _pool(backend: GuardedBackend, context: ssl.SSLContext) -> httpcore.ConnectionPool:
    return httpcore.ConnectionPool(ssl_context=context, network_backend=backend, max_connections=16, keepalive_expiry=5.0)


class _Body(httpx.SyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        yield from self._response.iter_stream()

    def close(self) -> None:
        self._response.close()
