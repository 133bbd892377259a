"""httpx requests carried over httpcore with a network backend of our own (httpx's own transport does not take one)."""

from __future__ import annotations

import functools
import ssl
from collections.abc import Iterator

import httpcore
import httpx

from datalab.ports.reach import GuardedBackend


class Transport(httpx.BaseTransport):
    """One pool of connections, each opened by ``backend``."""

    def __init__(self, backend: GuardedBackend) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=tls(), network_backend=backend, max_connections=16, keepalive_expiry=5.0
        )

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
        got = self._pool.handle_request(sent)
        assert not isinstance(got.stream, bytes)
        return httpx.Response(got.status, headers=got.headers, stream=_Body(got), extensions=got.extensions, request=request)

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()


@functools.cache
def tls() -> ssl.SSLContext:
    """Return the one TLS context of the process: reading the certificates takes longer than a negotiation."""
    return httpx.create_ssl_context(trust_env=False)


class _Body(httpx.SyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        yield from self._response.iter_stream()

    def close(self) -> None:
        self._response.close()
