"""Servers of ours: an ASGI application behind bounds, so that whoever sends or reads slowly, or not at all, holds nothing for long.

uvicorn bounds neither the time of a request's head nor that of its body, nor how long an answer is waited on (its ``limit_concurrency`` counts
connections that say nothing like those that work). So each connection looks at itself from time to time.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import struct
import termios
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

_HEAD = 64 << 10
"""Bytes of a request's head, and of what may be sent ahead of an answer."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a connection may cost. Times in seconds, sizes in bytes."""

    head: float = 10.0
    """For a whole head, from the connection or the last answer on."""
    idle: float = 20.0
    """After which a body, and the reading of an answer, must have reached ``slowest`` bytes a second on average."""
    slowest: float = 1024.0
    body_seconds: float = 6 * 3600.0
    """For a whole body."""
    body: int = 0
    """Of a body as it is on the wire; 0 where who reads it counts."""
    connections: int = 256
    """At a time; for one more, the one that has said nothing for longest goes."""
    linger: float = 2.0
    """For the rest of a body that was answered before its end."""
    tick: float = 0.5


FILES = Bounds()
"""Where files are sent to us."""
MESSAGES = Bounds(body=2 << 20, body_seconds=120.0)
"""Where nothing but messages is."""


def server(application: Any, bounds: Bounds, *, protocol: str = "auto", **options: Any) -> Any:
    """Return a `uvicorn.Server` for an ASGI application. ``protocol`` chooses the parser; ``options`` are uvicorn's."""
    import uvicorn

    config = uvicorn.Config(
        _quiet(application),
        http=_protocol(bounds, protocol),
        ws="none",
        lifespan="off",
        access_log=False,
        backlog=128,  # so many are accepted at once, before any can be sent away
        **options,
    )
    return uvicorn.Server(config)


def _quiet(application: Any) -> Callable[[Any, Any, Any], Awaitable[None]]:
    """A caller who goes away in the middle of a body is no fault of the application."""
    from starlette.requests import ClientDisconnect

    async def run(scope: Any, receive: Any, send: Any) -> None:
        with contextlib.suppress(ClientDisconnect):
            await application(scope, receive, send)

    return run


def _protocol(bounds: Bounds, name: str) -> type[asyncio.Protocol]:
    """Return the bounded form of uvicorn's protocol, whichever parser is installed."""
    if name == "h11":
        from uvicorn.protocols.http.h11_impl import H11Protocol as Plain
    elif name == "httptools":
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as Plain  # type: ignore[assignment]
    else:
        from uvicorn.protocols.http.auto import AutoHTTPProtocol as Plain  # type: ignore[assignment]

    class Bounded(Plain):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._watch = _Watch(self, bounds)

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            self._watch.end()

        def data_received(self, data: bytes) -> None:
            self._watch.before()
            super().data_received(data)
            self._watch.after(len(data))

    return Bounded


class _Watch:
    """Looks after one connection of ``protocol``."""

    def __init__(self, protocol: Any, bounds: Bounds) -> None:
        self._protocol = protocol
        self._bounds = bounds
        self._loop = protocol.loop
        self._cycle: Any = None
        self._phase = ""
        self._since = self._looked = self._loop.time()
        self._came = 0
        self._listening = 0.0
        self._pending = -1
        self._stuck = 0.0
        self._timer = self._loop.call_later(bounds.tick, self._look)
        if len(protocol.connections) > bounds.connections:
            self._make_room()

    def end(self) -> None:
        self._timer.cancel()

    @property
    def waiting(self) -> bool:
        """Whether no request is known yet."""
        return self._now() == "waiting"

    def before(self) -> None:
        self._step()

    def after(self, size: int) -> None:
        """Count what came: towards the phase that it came in, and the one that it led to."""
        before = self._phase
        if self._step():
            self._came = 0
        self._came += size
        bound = self._bounds.body if self._phase == "body" or before == "body" else _HEAD
        if self._phase == before and bound and self._came > bound:
            self._protocol.transport.abort()

    def _now(self) -> str:
        cycle = self._protocol.cycle
        if cycle is None:
            return "waiting"
        if cycle.response_complete:
            return "rest" if cycle.more_body else "waiting"
        return "body" if cycle.more_body else "answer"

    def _step(self) -> bool:
        """Enter another phase, where it is another one; return whether it is."""
        phase = "closing" if self._protocol.transport.is_closing() else self._now()
        if phase == self._phase and self._cycle is self._protocol.cycle:
            return False
        self._phase, self._cycle = phase, self._protocol.cycle
        self._since, self._came, self._listening, self._pending = self._loop.time(), 0, 0.0, -1
        return True

    def _look(self) -> None:
        now = self._loop.time()
        self._step()
        if self._phase == "body" and not self._protocol.flow.read_paused:
            self._listening += now - max(self._looked, self._since)
        self._looked = now
        if self._over(now - self._since, now):
            self._protocol.transport.abort()
        else:
            self._timer = self._loop.call_later(self._bounds.tick, self._look)

    def _over(self, gone: float, now: float) -> bool:
        bounds = self._bounds
        if self._phase == "waiting":
            return gone > bounds.head
        if self._phase == "rest":
            return gone > bounds.linger
        if self._phase == "body":
            slow = self._listening > bounds.idle and self._came < self._listening * bounds.slowest
            return slow or gone > bounds.body_seconds
        return self._unread(now)

    def _unread(self, now: float) -> bool:
        """Whether an answer that is ready is not read: what waits to be sent shrinks too slowly."""
        transport = self._protocol.transport
        if self._phase == "answer" and not self._protocol.flow.write_paused:
            self._pending = -1
            return False
        pending = transport.get_write_buffer_size() + _unsent(transport)
        if self._pending < 0 or pending > self._pending:  # it was written to since
            self._pending, self._stuck = pending, now
            return False
        seconds = now - self._stuck
        if seconds <= self._bounds.idle:
            return False
        if self._pending - pending < seconds * self._bounds.slowest:
            return True
        self._pending, self._stuck = pending, now
        return False

    def _make_room(self) -> None:
        """Send the connection away that has waited longest without a request; where all are at work, this one."""
        others = [one for one in self._protocol.connections if one is not self._protocol and one._watch.waiting]  # noqa: SLF001
        oldest = min(others, key=lambda one: one._watch._since, default=self._protocol)  # noqa: SLF001
        oldest.transport.abort()
        self._protocol.connections.discard(oldest)


def _unsent(transport: Any) -> int:
    """Return the bytes that the kernel holds and the peer has not taken (Linux: SIOCOUTQ)."""
    try:
        handle = transport.get_extra_info("socket").fileno()
        return int(struct.unpack("i", fcntl.ioctl(handle, termios.TIOCOUTQ, b"\0\0\0\0"))[0])
    except (OSError, AttributeError):
        return 0
